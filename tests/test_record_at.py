"""The record that a revision holds, as a folder: without a checkout, and with nothing outside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import run
from projects import dvc
from test_paths_inside import as_links, as_trees, nothing_outside

from reproof import git_objects, history
from reproof.errors import ReproofError
from reproof.git_objects import objects
from reproof.report import source

LATEST = "results/latest"


# Of one revision, as a folder.


def test_the_record_of_a_revision_is_read_without_a_checkout(small_copy: Path) -> None:
    dvc(small_copy, "exp", "run", "--name", "other", "-S", "train.lr=0.25")
    with git_objects.record_at(small_copy, "main") as folder:
        found = source.read(folder)
        assert (found.params["train.lr"], found.dataset) == (0.5, "clouds")
        assert (folder.parents[1] / "dvc.lock").is_file()
    assert not folder.exists()
    with git_objects.record_at(small_copy, "other") as folder:
        assert source.read(folder).params["train.lr"] == 0.25
    with (
        pytest.raises(ReproofError, match="no run is recorded there"),
        git_objects.record_at(small_copy, "main~1"),
    ):
        pass


@pytest.mark.parametrize("make", [as_links, as_trees])
def test_a_hostile_commit_writes_nothing_outside_the_folder(
    small_copy: Path, make: Callable[[Path], str]
) -> None:
    revision = make(small_copy)
    run("git", "branch", "theirs", revision, cwd=small_copy)
    with nothing_outside(small_copy), git_objects.record_at(small_copy, "theirs") as folder:
        beside = {path for path in folder.parents[2].iterdir() if path.name.startswith("escaped")}
        held = [path for path in folder.rglob("*") if path.is_file() or path.is_symlink()]
        assert beside == set()
        assert not any(path.is_symlink() for path in held)
        assert b"payload" not in [path.read_bytes() for path in held]
        assert (folder / "meta.json").is_file()
    assert len(history.collect(small_copy)) == 1


def test_gits_refusal_is_an_error_with_its_words(small_copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with objects(small_copy) as held:
        held._process.kill()
        held._process.wait()
        with pytest.raises(ReproofError, match="Git refuses"):
            held.blob("HEAD:dvc.yaml")
        with pytest.raises(ReproofError, match="line break"):
            held.blob("HEAD:a\nHEAD:b")
