"""Experiment records of runs that did not end well, or cannot be read, or would tell a secret."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import planted
import pytest
from conftest import commit_all, run
from experiment_records import LATEST, edit, section, write
from projects import ENV

from reproof import record as records
from reproof import run_experiment
from reproof.errors import ReproofError

# Runs that did not end well.


def test_a_failed_run_says_what_failed_and_has_no_number_of_the_run_before(
    small_copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = small_copy / "src" / "evaluate_model.py"
    path.write_text(
        path.read_text().replace("    found, predictions =", "    raise OSError('disk | full')\n    found =")
    )
    commit_all(small_copy, "Breaks")
    monkeypatch.chdir(small_copy)
    monkeypatch.setenv("PATH", ENV["PATH"])
    assert run_experiment.run(small_copy, ["--name", "broken", "-S", "train.lr=0.25"]) != 0
    text = write(small_copy, "Broken", "broken")
    assert write(small_copy, "Broken") == text  # the workspace's own
    assert "- **Status:** failed" in text
    assert "- [ ] The stage `evaluate` failed: disk \\| full" in text
    assert "No headline metric: the run did not come as far as `summarize`." in text
    assert "The stage evaluate has left no results." in text
    assert "| `train.lr` | 0.25 |" in text
    assert "(train 144, validation 48, test 48)" in text  # prepare has run before it
    assert not re.search(r"\| 0\.\d{4} \|", section(text, "Results"))


def test_a_run_that_failed_before_its_params_were_read_is_a_record_too(
    small_copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(small_copy)
    monkeypatch.setenv("PATH", ENV["PATH"])
    assert run_experiment.run(small_copy, ["--name", "none", "-S", "data.examples=3"]) != 0
    text = write(small_copy, "None")
    assert "- **Status:** failed" in text
    assert "The stage `prepare` failed: " in text
    assert "No manifest of the splits was recorded." in text


def test_a_run_in_progress_and_a_partial_one_say_so(small_copy: Path) -> None:
    edit(small_copy, "meta.json", status="partial", missing={"benchmark": "no | GPU"})
    edit(small_copy, "summary.json", status="partial")
    text = write(small_copy)
    assert "- **Status:** partial: what did not end well stands under Follow-ups" in text
    assert "- [ ] Not measured: `benchmark`, no \\| GPU" in text
    records.mark(small_copy / LATEST, "in_progress", run_id="20300101-000000-aaaaaa")
    text = write(small_copy, "Now")
    assert "- **Status:** in_progress" in text
    assert "no commit holds this run yet" in text
    assert "0.8" not in section(text, "Results")


def test_without_a_run_it_says_how_to_make_one(git_project: Path) -> None:
    with pytest.raises(ReproofError, match="no run is recorded here") as caught:
        write(git_project)
    assert "dvc exp run" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("meta.json", "{", "not JSON"),
        ("meta.json", "[]", "no record of a run"),
        ("meta.json", '{"run_id": "x", "stages": {}}', "no record of a run"),
        ("evaluation.json", "{", "not JSON"),
        ("config.yaml", "a: [", "not valid YAML"),
    ],
)
def test_a_record_that_cannot_be_read_is_named_as_the_user_knows_it(
    small_copy: Path, name: str, text: str, said: str
) -> None:
    (small_copy / LATEST / name).write_text(text)
    commit_all(small_copy, "Broken")
    for revisions, place in (((), f"{LATEST}/{name}"), (("main",), f"{LATEST}/{name}")):
        with pytest.raises(ReproofError, match=said) as caught:
            write(small_copy, "x", *revisions)
        assert str(caught.value.where).startswith(place)
        assert ("of main" in str(caught.value.where)) == bool(revisions)


def test_no_secret_of_the_environment_is_in_a_document(small_copy: Path) -> None:
    """Planted in variables, remotes and a note, while the run and while the documents are made."""
    planted.plant(small_copy)
    env = {**ENV, **planted.ENVIRONMENT}
    token = planted.secret("HF_TOKEN")
    done = run("dvc", "exp", "run", "--name", "told", "-S", "seed=1", cwd=small_copy, env=env, check=False)
    assert done.returncode == 0, done.stderr
    commit_all(small_copy, "The run")
    for around, title in ((env, f"With {token}"), (ENV, "Elsewhere")):
        run("reproof", "history", cwd=small_copy, env=around)
        run("reproof", "log", cwd=small_copy, env=around)
        run("reproof", "record", "told", "--title", title, cwd=small_copy, env=around)
        written = [small_copy / "results" / "history.json"]
        written += [
            path for name in ("experiments", "training_reports") for path in (small_copy / name).iterdir()
        ]
        text = "".join(path.read_text() for path in written)
        assert ("With ***" in text) == (around is env)
        known = [
            name for name in planted.NAMES if around is env or name != "NOTE"
        ]  # a note's only by its variable
        assert [name for name in known if planted.mark(name) in text] == []
        shutil.rmtree(small_copy / "experiments")
