"""Every state that Git may be in: rows `git-…` of docs/reference/errors.md. Most are recorded."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from bad_inputs import assert_recorded, assert_told, nothing_lost
from conftest import commit_all, make_git_project, run
from projects import ENV
from stages import record, stage, write

OTHER_OWNER = {"GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"}
"""Git's own switch, for its own tests: every repository looks like another user's."""


@pytest.fixture
def git_project(git_project: Path) -> Path:
    """A project with a stage, committed."""
    write(git_project, "stage.metric('loss', 0.5)")
    commit_all(git_project, "A stage")
    return git_project


def records(slug: str, project: Path, env: dict[str, str] | None = None) -> None:
    """Run a stage, and check what it records of Git, and that Git and the files stay as they are."""
    with nothing_lost(project):
        done = stage(project, env=env)
    assert done.returncode == 0, done.stderr
    assert_recorded(slug, record(project))


def export(
    project: Path, revision: str, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    with nothing_lost(project):
        return run("reproof", "export", revision, cwd=project, env={**ENV, **(env or {})}, check=False)


def test_git_no_repository(git_project: Path) -> None:
    shutil.rmtree(git_project / ".git")
    records("git-no-repository", git_project)


def test_git_no_commit(git_project: Path) -> None:
    shutil.rmtree(git_project / ".git")
    run("git", "init", "--quiet", cwd=git_project)
    records("git-no-commit", git_project)


def test_git_detached_head(git_project: Path) -> None:
    run("git", "checkout", "--quiet", "--detach", cwd=git_project)
    records("git-detached-head", git_project)


def test_git_dirty_tree(git_project: Path) -> None:
    (git_project / "dvc.yaml").write_text("stages: {}  # edited\n")
    records("git-dirty-tree", git_project)


def test_git_no_user_name(git_project: Path) -> None:
    records("git-no-user-name", git_project, {"GIT_CONFIG_GLOBAL": "/dev/null"})


def test_git_worktree(git_project: Path, tmp_path: Path) -> None:
    beside = tmp_path / "beside"
    run("git", "worktree", "add", "--quiet", str(beside), "-b", "side", cwd=git_project)
    records("git-worktree", beside)


def test_git_submodule(git_project: Path, tmp_path: Path) -> None:
    outer = make_git_project(tmp_path / "outer")
    add = ["-c", "protocol.file.allow=always", "submodule", "--quiet", "add"]
    run("git", *add, str(git_project), "experiments/ours", cwd=outer)
    records("git-submodule", outer / "experiments/ours")


def test_git_project_in_a_folder_of_a_repository(git_project: Path) -> None:
    inner = git_project / "models/ours"
    inner.mkdir(parents=True)
    for name in ("dvc.yaml", "params.yaml", "src"):
        (git_project / name).rename(inner / name)
    commit_all(git_project, "Moved")
    records("git-project-in-a-folder-of-a-repository", inner)


def test_git_ignored_folder(git_project: Path) -> None:
    inner = git_project / "scratch"
    inner.mkdir()
    (git_project / ".gitignore").write_text("/scratch\n")
    for name in ("dvc.yaml", "params.yaml", "src/train.py"):
        (inner / name).parent.mkdir(exist_ok=True)
        shutil.copy(git_project / name, inner / name)
    commit_all(git_project, "Ignored")
    records("git-ignored-folder", inner)


def shallow(project: Path, tmp_path: Path) -> Path:
    commit_all(project, "Second")
    clone = tmp_path / "clone"
    run("git", "clone", "--quiet", "--depth", "1", project.as_uri(), str(clone), cwd=tmp_path)
    return clone


def test_git_shallow_clone(git_project: Path, tmp_path: Path) -> None:
    records("git-shallow-clone", shallow(git_project, tmp_path))


def test_git_commit_that_a_shallow_clone_lacks(git_project: Path, tmp_path: Path) -> None:
    clone = shallow(git_project, tmp_path)
    assert_told("git-commit-that-a-shallow-clone-lacks", export(clone, "HEAD~1"))


def test_git_other_owner(git_project: Path) -> None:
    records("git-other-owner", git_project, OTHER_OWNER)


def test_git_export_of_another_owner(git_project: Path) -> None:
    assert_told("git-export-of-another-owner", export(git_project, "HEAD", OTHER_OWNER))


def test_git_not_installed(git_project: Path, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    records("git-not-installed", git_project, {"PATH": str(tmp_path / "bin")})


def test_git_export_without_git(git_project: Path, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    with nothing_lost(git_project):
        command = [str(shutil.which("reproof", path=ENV["PATH"])), "export", "HEAD"]
        done = run(*command, cwd=git_project, env={"PATH": str(tmp_path / "bin")}, check=False)
    assert_told("git-export-without-git", done)
