"""Which runs a training report holds: those of Git, those that no commit has, and of which experiment."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from conftest import commit_all, run
from kills import kill, start, wait_for
from logs import LATEST, log, of_example, statuses, titles
from many_runs import add_runs
from projects import dvc, read

from reproof import registry
from reproof.dvc import private_folder
from reproof.errors import ReproofError
from reproof.file_names import slug
from reproof.registry import Heartbeat

# Runs that Git does not hold.


def test_a_run_is_in_progress_then_a_failure_and_run_again_a_success(small_copy: Path) -> None:
    """With real processes: killed in the training, and run again under the same name."""
    process = start(small_copy, "dvc", "exp", "run", "--name", "long", "-S", "train.steps=3000000")
    try:
        wait_for(
            lambda: any(e["experiment"] == "long" and "dataset" in e for e in entries(small_copy)), process
        )
        text = log(small_copy)
        assert statuses(text) == ["Success", "In Progress"]
        assert "| `train.steps` | 3000000 |" in text
        assert "The stage `train` runs" in text
        assert re.search(r"Process `\d+` on the machine", text)
    finally:
        kill(process)
    text = log(small_copy)
    assert statuses(text) == ["Success", "Failure"]
    assert "ended without a word" in text
    run("git", "checkout", "--quiet", ".", cwd=small_copy)
    dvc(small_copy, "exp", "run", "--name", "long", "-S", "train.steps=50")
    text = log(small_copy)
    assert [(name, status) for name, _, status in titles(text)][1:] == [
        ("long", "Failure"),
        ("long", "Success"),
    ]
    assert titles(log(small_copy, "long"))[-1][2] == "Success"


def entries(project: Path) -> list[dict[str, Any]]:
    return registry.entries(private_folder(project))


def entry(project: Path, number: int, stage: str = "train", status: str | None = None, **facts: Any) -> None:
    """An execution in the registry, as a stage leaves it; without a status it died."""
    first = {
        "run_id": f"20300101-00000{number}-aaaaaa",
        "stage": stage,
        "experiment": "resumed",
        "workspace": str(project),
        "start_time": f"2030-01-01T00:00:0{number}.000000Z",
        "lock": "none",
    }
    beat = Heartbeat(private_folder(project), first | facts)
    beat.know(
        params={"seed": 3, "train.lr": 0.5},
        baseline=run("git", "rev-parse", "HEAD", cwd=project).stdout.strip(),
    )
    beat.end(status or "in_progress", None if status != "failed" else "token=abcdef123456 | <b>full</b>")


def test_a_killed_run_from_which_another_went_on_is_that_one(small_copy: Path) -> None:
    entry(small_copy, 1)
    assert statuses(log(small_copy, "resumed")) == ["Failure"]
    entry(small_copy, 2, continues="20300101-000001-aaaaaa", experiment="resumed-2")
    text = log(small_copy, "resumed")
    assert [name for name, _, _ in titles(text)] == ["resumed-2"]
    path = small_copy / LATEST / "meta.json"
    meta = json.loads(path.read_text())
    train = read(small_copy, "stages/train.json")
    continued = {"continued": {"run_id": "20300101-000002-aaaaaa", "step": 7}}
    (small_copy / LATEST / "stages/train.json").write_text(json.dumps(train | {"resume": continued}))
    path.write_text(json.dumps(meta | {"run_id": "20300101-000003-aaaaaa"}))
    commit_all(small_copy, "Went on to the end")
    text = log(small_copy)
    assert statuses(text) == ["Success", "Success"]
    assert "It went on from where `20300101-000002-aaaaaa` was killed." in text


def test_stages_of_one_run_are_one_run_and_a_stage_again_is_the_next(small_copy: Path) -> None:
    for number, stage in enumerate(["prepare", "train", "evaluate"]):
        entry(small_copy, number, stage, "success" if stage != "evaluate" else "failed")
    entry(small_copy, 5, "train")
    text = log(small_copy, "resumed")
    assert statuses(text) == ["Failure", "Failure"]
    assert "| `train.lr` | 0.5 |" in text
    assert "said: token=\\*\\*\\* \\| &lt;b&gt;full&lt;/b&gt;" in text


def test_what_ended_well_and_was_overwritten_is_no_row_but_the_workspaces_own_is(small_copy: Path) -> None:
    entry(small_copy, 1, "train", "success", start_time="2020-01-01T00:00:00.000000Z")
    entry(small_copy, 2, "summarize", "success")
    assert len(titles(log(small_copy))) == 1
    dvc(small_copy, "repro", "--force", "--single-item", "train")
    dvc(small_copy, "repro")
    text = log(small_copy)
    assert statuses(text) == ["Success", "Success"]
    assert "It is in no commit yet." in text
    commit_all(small_copy, "Committed")
    text = log(small_copy)
    assert statuses(text) == ["Success", "Success"]
    assert "It is in no commit yet." not in text


@pytest.mark.parametrize(
    "torn", ["{", "[]", '{"schema_version": 1}', '{"schema_version": 1, "run_id": 3, "stage": []}']
)
def test_a_torn_entry_is_passed_over(small_copy: Path, torn: str) -> None:
    folder = private_folder(small_copy) / "registry"
    (folder / "20990101-000000-aaaaaa.train.json").write_text(torn)
    assert statuses(log(small_copy)) == ["Success"]


# What an experiment is.


def test_an_experiment_is_a_branch_or_the_beginning_of_names(git_project: Path) -> None:
    add_runs(git_project, of_example(), 3)
    assert len(titles(log(git_project))) == 3
    assert (git_project / "training_reports" / "main.md").is_file()
    assert len(titles(log(git_project, "sweep"))) == 3
    assert len(titles(log(git_project, "sweep-0001"))) == 1
    run("git", "checkout", "--quiet", "-b", "other/line", cwd=git_project)
    commit_all(git_project, "On")
    assert len(titles(log(git_project))) == 3
    assert (git_project / "training_reports" / "other-line.md").is_file()
    for unknown in ("swee", "sweep-000", "none", "", "../../x", "-x"):
        with pytest.raises(ReproofError) as caught:
            log(git_project, unknown or "*")
        assert "sweep-0000" in str(caught.value.found)
        assert "main" in str(caught.value.found)


def test_without_a_branch_or_a_run_it_says_so(git_project: Path) -> None:
    with pytest.raises(ReproofError, match="no run on this branch yet"):
        log(git_project)
    run("git", "checkout", "--quiet", "--detach", cwd=git_project)
    with pytest.raises(ReproofError, match="no run on this branch yet"):
        log(git_project)  # DVC detaches HEAD while it runs an experiment
    run("git", "branch", "second", cwd=git_project)
    with pytest.raises(ReproofError, match="2 branches are at the commit") as caught:
        log(git_project)
    assert caught.value.found == "main, second"


@pytest.mark.parametrize(
    "name", ["../../etc", "a/b", "CON", "ä" * 300, "…", "x" * 500, "", "a\0b", ".git", "nul.md"]
)
def test_a_name_becomes_one_of_a_file(name: str) -> None:
    found = slug(name)
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", found)
    assert len(found) <= 64
    assert found.upper() not in ("CON", "NUL", "NUL.MD")
