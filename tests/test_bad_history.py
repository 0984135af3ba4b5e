"""Names that no run bears, and records and clones that hide some: what `reproof compare` says of them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from bad_inputs import assert_told
from conftest import run
from projects import ENV
from recorded_runs import LATEST, a_record, commit, experiment, git, repository


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose branch main holds a run, then none; with two experiments on the run."""
    folder = repository(tmp_path / "project")
    (folder / "dvc.yaml").write_text("stages: {}\n")
    first = commit(folder, a_record(0), "refs/heads/main")
    commit(folder, None, "refs/heads/main", parent=first, message="No run")
    for number in (1, 2):
        experiment(folder, a_record(number), f"lr-{number}", first)
    return folder


def compare(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return run("reproof", "compare", *words, cwd=folder, env=ENV, check=False)


def test_history_no_such_run(project: Path) -> None:
    assert_told("history-no-such-run", compare(project, "lr-"))


def test_history_commit_without_a_run(project: Path) -> None:
    assert_told("history-commit-without-a-run", compare(project, "main"))


def test_history_one_name_of_two_runs(project: Path) -> None:
    experiment(project, a_record(3), "lr-1", git(project, "rev-parse", "main"))
    assert_told("history-one-name-of-two-runs", compare(project, "lr-1"))


def test_history_no_repository(tmp_path: Path) -> None:
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    assert_told("history-no-repository", compare(tmp_path))


def test_history_malformed_record(project: Path) -> None:
    experiment(project, a_record(3) | {"meta.json": b"torn"}, "broken", git(project, "rev-parse", "main"))
    assert_told("history-malformed-record", compare(project, "--all"))


def test_history_shallow_clone(project: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", "--depth", "1", project.as_uri(), "clone")
    clone = tmp_path / "clone"
    (clone / "dvc.yaml").write_text("stages: {}\n")
    for name, data in a_record(5).items():
        (clone / LATEST / name).parent.mkdir(parents=True, exist_ok=True)
        (clone / LATEST / name).write_bytes(data)
    assert_told("history-shallow-clone", compare(clone, "--all"))
