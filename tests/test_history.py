"""Runs read back from Git: each once, whole or broken off, and the file that holds them."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import commit_all, run
from many_runs import add_runs, record_of
from projects import ENV, dvc, experiment, read

from reproof import history, params, record_values, run_experiment
from reproof.errors import ReproofError
from reproof.git_objects import objects
from reproof.history import snapshot
from reproof.plain import plain

LATEST = "results/latest"


def scan(project: Path) -> history.History:
    with objects(project) as held:
        return history.scan(held)


def edit(project: Path, name: str, **values: Any) -> None:
    path = project / LATEST / name
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


# What is found.


def test_an_experiment_and_the_commit_that_keeps_it_are_one_run(small_run: Path) -> None:
    (one,) = history.collect(small_run)
    meta, first = (
        read(small_run, "meta.json"),
        run("git", "rev-parse", "HEAD~1", cwd=small_run).stdout.strip(),
    )
    assert (one.run_id, one.experiment, one.baseline) == (meta["run_id"], meta["experiment"]["name"], first)
    named = run("git", "rev-parse", f"refs/exps/{first[:2]}/{first[2:]}/{one.experiment}", cwd=small_run)
    assert one.commit == named.stdout.strip()
    assert (one.branch, one.status, one.seed, one.argv) == ("main", "success", 0, "python src/train.py")
    assert one.params["train.lr"] == 0.5
    assert one.metrics["evaluate.test.accuracy"] == one.headline["accuracy"]
    assert one.code_tree == meta["git"]["code_tree"]
    assert one.model_digest == read(small_run, "digests.json")["artefacts"]["results/latest/checkpoint"]
    assert history.of_results(small_run / LATEST) == replace(one, commit=None)


def test_a_second_experiment_has_its_own_params_and_the_data_of_the_first(small_copy: Path) -> None:
    name = experiment(dvc(small_copy, "exp", "run", "-S", "seed=1", "-S", "train.lr=0.00001"))
    first, second = history.collect(small_copy)
    assert (second.experiment, second.seed, second.params["train.lr"]) == (name, 1, 1e-05)
    assert (second.code_tree, second.data) == (first.code_tree, first.data)
    assert first.start_time is not None
    assert second.start_time is not None
    assert first.start_time < second.start_time


def test_of_several_commits_the_earliest_counts_and_the_branch_where_it_is_one(small_copy: Path) -> None:
    for ref in run("git", "for-each-ref", "--format=%(refname)", "refs/exps", cwd=small_copy).stdout.split():
        run("git", "update-ref", "-d", ref, cwd=small_copy)
    first = run("git", "rev-parse", "HEAD", cwd=small_copy).stdout.strip()
    edit(small_copy, "meta.json", note="the same run")
    commit_all(small_copy, "Again")
    (one,) = history.collect(small_copy)
    assert (one.commit, one.branch) == (first, "main")
    run("git", "branch", "other", cwd=small_copy)
    (one,) = history.collect(small_copy)
    assert (one.commit, one.branch) == (first, "main")  # the record says which, where Git does not
    edit(small_copy, "meta.json", run_id="20300101-000000-aaaaaa", git={"branch": None})
    second = commit_all(small_copy, "Another run")
    run("git", "branch", "--force", "other", cwd=small_copy)
    _, two = history.collect(small_copy)
    assert (two.commit, two.branch) == (second, None)


def test_a_run_that_failed_late_and_was_run_again_is_a_success(small_copy: Path) -> None:
    whole = (small_copy / LATEST / "meta.json").read_text()
    edit(small_copy, "meta.json", status="failed", run_id="r", error={"stage": "train", "message": "no"})
    commit_all(small_copy, "Failed")
    (small_copy / LATEST / "meta.json").write_text(whole)
    edit(small_copy, "meta.json", run_id="r")
    ended = commit_all(small_copy, "Ended")
    found = {one.run_id: one for one in history.collect(small_copy)}["r"]
    assert (found.status, found.commit, found.error) == ("success", ended, None)


def test_a_detached_head_is_read_too_and_a_merge_hides_no_run(small_copy: Path) -> None:
    run("git", "switch", "--quiet", "--create", "side", cwd=small_copy)
    edit(small_copy, "meta.json", run_id="20300101-000000-bbbbbb")
    commit_all(small_copy, "Side")
    run("git", "switch", "--quiet", "main", cwd=small_copy)
    run("git", "merge", "--quiet", "--strategy", "ours", "-m", "Theirs is not ours", "side", cwd=small_copy)
    run("git", "branch", "--delete", "side", cwd=small_copy)
    run("git", "switch", "--quiet", "--detach", cwd=small_copy)
    edit(small_copy, "meta.json", run_id="20300101-000000-cccccc")
    commit_all(small_copy, "Detached")
    ids = [one.run_id for one in history.collect(small_copy)]
    assert ids[1:] == ["20300101-000000-bbbbbb", "20300101-000000-cccccc"]


def test_a_failure_that_was_kept_has_its_params_and_no_number_of_the_run_before(
    small_copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (small_copy / "src" / "train.py").write_text(
        "raise OSError('no space left for the token=abcdef123456')\n"
    )
    text = (small_copy / "src" / "train.py").read_text()
    (small_copy / "src" / "train.py").write_text(
        "from config import Config\nfrom reproof.stage import run_stage\n"
        f"def main(stage): {text}\nrun_stage('train', main, Config)\n"
    )
    commit_all(small_copy, "Breaks")
    monkeypatch.chdir(small_copy)
    monkeypatch.setenv("PATH", ENV["PATH"])
    assert run_experiment.run(small_copy, ["--name", "broken", "-S", "train.lr=0.25"]) != 0
    found = {one.experiment: one for one in history.collect(small_copy)}["broken"]
    assert (found.status, found.params["train.lr"], found.seed) == ("failed", 0.25, 0)
    assert (found.metrics, found.headline, found.model_digest, found.data) == ({}, {}, None, None)
    assert found.error is not None
    assert found.error["stage"] == "train"
    assert "no space left" in found.error["message"]
    assert "abcdef" not in json.dumps(snapshot._row(found))
    assert found.start_time is not None
    assert found.code_tree is not None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        "null",
        '{"run_id": 7}',
        '{"run_id": ""}',
        "[" * 9999,
        '{"run_id": "x", "a": NaN}',
        "\udcff",
    ],
)
def test_what_is_no_record_is_passed_over_and_counted(small_copy: Path, text: str) -> None:
    (small_copy / LATEST / "meta.json").write_bytes(os.fsencode(text))
    broken = commit_all(small_copy, "Broken")
    found = scan(small_copy)
    assert found.unreadable == [broken]
    assert len(found.runs) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (
            "meta.json",
            {"git": [], "links": "x", "stages": {"train": 3}, "experiment": 1, "seed": "0", "argv": 3},
        ),
        ("meta.json", {"stages": {"train": {"run_id": {}}}, "runtime_seconds": "long", "fingerprint": []}),
        ("summary.json", {"metrics": [1]}),
        ("summary.json", {"metrics": {"accuracy": "good", "loss": True}}),
        ("digests.json", {"artefacts": ["x"]}),
        ("split_checksums.json", {"splits": "none"}),
        ("stages/train.json", {"metrics": {"a": "1"}, "resume": 7, "facts": None}),
    ],
)
def test_a_record_of_another_form_is_a_run_with_what_can_be_read(
    small_copy: Path, name: str, value: dict[str, Any]
) -> None:
    edit(small_copy, "meta.json", run_id="20300101-000000-dddddd")
    edit(small_copy, name, **value)
    commit_all(small_copy, "Odd")
    one = history.collect(small_copy)[-1]
    assert one.run_id == "20300101-000000-dddddd"
    assert all(isinstance(value, int | float) for value in one.metrics.values())
    json.dumps(snapshot._row(one), allow_nan=False)


def test_a_repository_without_runs_or_commits_has_none(git_project: Path, tmp_path: Path) -> None:
    assert history.collect(git_project) == []
    run("git", "init", "--quiet", "empty", cwd=tmp_path)
    assert history.collect(tmp_path / "empty") == []
    (tmp_path / "none").mkdir()
    with pytest.raises(ReproofError, match="not inside a Git repository"):
        history.collect(tmp_path / "none")


def test_a_project_in_a_folder_of_a_repository_has_its_own_runs(small_run: Path, tmp_path: Path) -> None:
    top = tmp_path / "top"
    for name in ("one [a]", "two"):
        shutil.copytree(small_run / LATEST, top / name / LATEST)
        (top / name / "dvc.yaml").write_text("stages: {}\n")
    run("git", "init", "--quiet", cwd=top)
    edit(top / "two", "meta.json", run_id="second")
    commit_all(top, "Two projects")
    assert [one.run_id for one in history.collect(top / "two")] == ["second"]
    assert [one.run_id for one in history.collect(top / "one [a]")] == [
        read(small_run, "meta.json")["run_id"]
    ]


# Params, read fast.


@pytest.mark.parametrize(
    "text",
    [
        "seed: 0\n# a comment\ntrain:\n  lr: 1e-05 # why\n  steps: 3\n",
        "a: &x {b: 1}\nc: *x\n",
        'a: "one\ntwo: three"\n',
        "a: |\n  text\n\nb: 2\n",
        "---\na: 1\n",
        "%YAML 1.2\n---\na: 1\n",
        "a: {b: 1,\n  c: 2}\n'd e': [1, 2]\n",
        "base: &base\n  x: 1\nother:\n  <<: *base\n  y: .nan\n",
        "\ufeffa: 1\n",
        "a:\n- 1\n- 2\nb: {}\n",
        "? a\n: 1\n",
        "seed: 0\r\ntrain:\r\n  lr: 0.1\r\n",
    ],
)
def test_params_read_block_by_block_are_those_of_the_whole_file(text: str) -> None:
    whole, _ = params.parse(text.encode(), "params.yaml")
    assert record_values.flat_params(text.encode()) == plain(params.flatten(whole))


@pytest.mark.parametrize(
    "text", [b"a: 1\na: 2\n", b"[1]\n", b"\xff", b"a: [\n", b"", b"a: !!python/none x\n"]
)
def test_params_that_cannot_be_read_are_none(text: bytes) -> None:
    assert record_values.flat_params(text) == {}


# The file.


def test_the_file_holds_what_was_collected_and_is_not_written_twice(small_copy: Path) -> None:
    add_runs(small_copy, record_of(small_copy / LATEST), 7)
    found = history.collect(small_copy)
    path = small_copy / history.FILE
    assert history.write(path, found)
    before = path.read_bytes()
    assert history.read(path) == [replace(one, params=dict(one.params)) for one in found]
    time.sleep(0.01)
    assert not history.write(path, found)
    assert path.read_bytes() == before
    assert history.write(path, found[:-1])
    assert [one.run_id for one in history.read(path)] == [one.run_id for one in found[:-1]]


def test_the_file_of_the_template_sized_record_stays_small(tmp_path: Path) -> None:
    example = Path(__file__).parents[1] / "reports" / "example" / "results" / "latest"
    one = history.of_results(example)
    assert one is not None
    history.write(tmp_path / "history.json", [replace(one, run_id=f"{n}") for n in range(10)])
    assert (tmp_path / "history.json").stat().st_size < 10 * 4000


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "not a history"),
        ('{"runs": {"a": 1}}', "not a history"),
        ('{"schema_version": 99, "runs": {}}', "newer schema"),
        ("{", "not JSON"),
    ],
)
def test_another_file_is_no_history(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "history.json").write_text(text)
    with pytest.raises(ReproofError, match=said):
        history.read(tmp_path / "history.json")


def test_the_command_says_how_many_and_what_next(small_copy: Path, reproof: Callable[..., str]) -> None:
    said = reproof("history", cwd=small_copy)
    assert "results/history.json: 1 run (1 success)" in said
    assert "dvc repro report" in said
    assert "as before" in reproof("history", cwd=small_copy)
    (found,) = json.loads(reproof("history", "--json", cwd=small_copy))
    assert found["run_id"] == read(small_copy, "meta.json")["run_id"]
    (small_copy / LATEST / "meta.json").write_text("torn")
    commit_all(small_copy, "Torn")
    assert "passed over: 1 commit " in reproof("history", cwd=small_copy)
    (small_copy / ".git/refs/heads/broken").write_text("deadbeef\n")
    assert "as before" in reproof("history", cwd=small_copy)


@pytest.fixture
def reproof() -> Callable[..., str]:
    from projects import ENV

    return lambda *words, cwd: run("reproof", *words, cwd=cwd, env=ENV).stdout


def test_five_hundred_runs_take_less_than_three_seconds(git_project: Path) -> None:
    example = Path(__file__).parents[1] / "reports" / "example" / "results" / "latest"
    add_runs(git_project, record_of(example), 500)
    took = []
    for _ in range(2):
        begin = time.perf_counter()
        found = history.collect(git_project)
        took.append(time.perf_counter() - begin)
    assert len(found) == 500
    assert min(took) < 3
