"""The identity of code is the tree as it ran, and reading it leaves the user's repository as it was."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest
from conftest import commit_all, make_git_project, run
from git_layouts import (
    LAYOUTS,
    Layout,
    add_code,
    at_the_top,
    before_the_first_commit,
    edit_code,
    edit_what_is_no_code,
    in_a_subfolder,
    on_a_detached_head,
)

from reproof import git


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_code_tree_is_that_of_the_commit_made_afterwards(tmp_path: Path, layout: Layout) -> None:
    project = layout(tmp_path)
    edit_code(project)
    ran = git.code_state(project)
    edit_what_is_no_code(project)
    commit = commit_all(project, "Experiment")
    with git.open_repository(project) as repo:
        assert git.tree_of(repo, commit, project) == ran.code_tree


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_an_experiment_changes_is_no_code(tmp_path: Path, layout: Layout) -> None:
    project = layout(tmp_path)
    before = git.code_state(project)
    edit_what_is_no_code(project)
    after = git.code_state(project)
    assert after.code_tree == before.code_tree
    assert after.changed == {}
    assert after.dirty == before.dirty


@pytest.mark.parametrize("layout", LAYOUTS[:-1])
def test_a_clean_checkout_is_not_dirty(tmp_path: Path, layout: Layout) -> None:
    project = layout(tmp_path)
    state = git.code_state(project)
    assert state.commit == run("git", "rev-parse", "HEAD", cwd=project).stdout.strip()
    assert state.dirty is False
    assert state.reason is None


@pytest.mark.parametrize("layout", LAYOUTS[:-1])
def test_changed_code_is_dirty_and_named(tmp_path: Path, layout: Layout) -> None:
    project = layout(tmp_path)
    edit_code(project)
    state = git.code_state(project)
    assert state.dirty is True
    assert state.changed == {"src/model.py": "M", "src/new file é.py": "??", "src/old.py": "D"}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("src/model.py", "width = 2\n"),
        ("src/results/plots.py", "other\n"),
        ("dvc.yaml", "stages: {a: 1}\n"),
        (".gitignore", "\n"),
        ("pyproject.toml", "[project]\n"),
        (".dvc/config", "[core]\n"),
        ("src/params.yaml", "code: true\n"),
    ],
)
def test_every_other_file_is_code(tmp_path: Path, name: str, text: str) -> None:
    project = at_the_top(tmp_path)
    before = git.code_state(project)
    (project / name).parent.mkdir(exist_ok=True)
    (project / name).write_text(text)
    after = git.code_state(project)
    assert after.code_tree != before.code_tree
    assert after.dirty is True
    assert list(after.changed) == [name]


def test_a_neighbouring_project_is_not_this_projects_code(tmp_path: Path) -> None:
    project = in_a_subfolder(tmp_path)
    before = git.code_state(project)
    (project.parent / "other/src/model.py").write_text("width = 3000\n")
    assert git.code_state(project) == before


def test_code_that_is_staged_counts_as_it_lies_in_the_working_tree(tmp_path: Path) -> None:
    project = at_the_top(tmp_path)
    (project / "src/model.py").write_text("width = 20\n")
    run("git", "add", "--all", cwd=project)
    (project / "src/model.py").write_text("width = 300\n")
    ran = git.code_state(project)
    commit = commit_all(project, "As it lies")
    with git.open_repository(project) as repo:
        assert ran.code_tree == git.tree_of(repo, commit, project)


def test_an_edit_of_the_same_size_within_the_same_second_is_seen(tmp_path: Path) -> None:
    # Git trusts size and second of a file unless its index is as young as the file ("racy Git").
    project = at_the_top(tmp_path)
    time.sleep(1.02 - time.time() % 1)
    (project / "src/model.py").write_text("width = 5\n")
    commit_all(project, "Five")
    (project / "src/model.py").write_text("width = 6\n")
    time.sleep(1.02 - time.time() % 1)
    state = git.code_state(project)
    assert state.dirty is True
    assert state.changed == {"src/model.py": "M"}


@pytest.mark.parametrize("flag", ["--assume-unchanged", "--skip-worktree"])
def test_an_edit_that_git_was_told_to_overlook_is_seen(tmp_path: Path, flag: str) -> None:
    project = at_the_top(tmp_path)
    before = git.code_state(project)
    run("git", "update-index", flag, "src/model.py", cwd=project)
    (project / "src/model.py").write_text("width = 2000\n")
    assert git.code_state(project).code_tree != before.code_tree


def test_many_changed_files_are_named_up_to_a_limit(tmp_path: Path) -> None:
    project = at_the_top(tmp_path)
    for number in range(60):
        (project / f"src/new_{number:02d}.py").write_text("")
    changed = git.code_state(project).changed
    assert list(changed) == [f"src/new_{number:02d}.py" for number in range(50)]


# Nothing of the user's is moved.


def listing(repository: Path) -> dict[str, tuple[int, bytes]]:
    """Every file below a folder, Git's own included: time of change and content.

    Objects without their time: Git touches one that it would have written again.
    """
    return {
        str(path.relative_to(repository)): (
            0 if "objects" in path.parts else path.lstat().st_mtime_ns,
            path.read_bytes(),
        )
        for path in sorted(repository.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("layout", LAYOUTS)
def test_reading_the_state_writes_nothing_into_the_repository(tmp_path: Path, layout: Layout) -> None:
    project = layout(tmp_path)
    edit_code(project)
    if layout is not before_the_first_commit:
        run("git", "add", "src/old.py", cwd=project)  # half staged, as a user's index often is
    before = listing(tmp_path)
    git.code_state(project)
    assert listing(tmp_path) == before


def test_an_index_that_git_would_refresh_is_left_as_it_is(tmp_path: Path) -> None:
    project = at_the_top(tmp_path)
    edit_code(project)
    for path in (project / "src/results/plots.py", project / "dvc.yaml"):
        path.write_text(path.read_text())  # the same content, touched: the index knows an older time
    before = listing(project)
    git.code_state(project)
    assert listing(project) == before


def test_the_state_is_read_while_another_git_command_holds_the_index(tmp_path: Path) -> None:
    project = at_the_top(tmp_path)
    edit_code(project)
    (project / ".git/index.lock").write_bytes(b"")
    assert git.code_state(project).dirty is True
    assert (project / ".git/index.lock").exists()


def test_no_temporary_folder_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = at_the_top(tmp_path)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    git.code_state(project)
    assert list(scratch.iterdir()) == []


def test_reading_a_checkout_leaves_its_index_as_it_is(git_project: Path) -> None:
    (git_project / "dvc.yaml").write_text((git_project / "dvc.yaml").read_text())
    before = listing(git_project)
    git.checkout(git_project)
    assert listing(git_project) == before


# Where Git cannot tell.


def test_without_git_the_facts_are_null_and_say_why(tmp_path: Path) -> None:
    state = git.code_state(tmp_path)
    assert (state.commit, state.code_tree, state.branch, state.dirty) == (None, None, None, None)
    assert state.reason == "not inside a Git repository"


def test_before_the_first_commit_the_tree_is_known_and_the_commit_is_not(tmp_path: Path) -> None:
    project = before_the_first_commit(tmp_path)
    state = git.code_state(project)
    assert state.code_tree
    assert state.branch == "main"
    assert state.commit is None
    assert state.dirty is None
    assert state.reason == "the repository has no commit yet"


def test_a_detached_head_has_a_commit_and_no_branch(tmp_path: Path) -> None:
    state = git.code_state(on_a_detached_head(tmp_path))
    assert state.commit
    assert state.branch is None


def test_a_project_that_git_does_not_hold_yet_has_a_tree(tmp_path: Path) -> None:
    top = make_git_project(tmp_path / "monorepo")
    add_code(top / "fresh")  # as `copier copy` leaves it in an existing repository
    state = git.code_state(top / "fresh")
    assert state.dirty is True
    assert state.code_tree
    commit = commit_all(top, "Fresh project")
    with git.open_repository(top) as repo:
        assert git.tree_of(repo, commit, top / "fresh") == state.code_tree


def test_a_project_that_git_ignores_has_a_reason(tmp_path: Path) -> None:
    top = make_git_project(tmp_path / "monorepo")
    (top / ".gitignore").write_text("/build\n")
    commit_all(top, "Ignore")
    add_code(top / "build" / "project")
    assert git.code_state(top / "build" / "project").reason


def test_a_repository_without_a_commit_inside_the_project_is_no_obstacle(tmp_path: Path) -> None:
    project = at_the_top(tmp_path)
    (project / "vendor").mkdir()
    run("git", "init", "--quiet", cwd=project / "vendor")
    edit_code(project)
    state = git.code_state(project)
    assert state.code_tree or state.reason


def test_a_repository_of_another_owner_has_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A container whose user does not own the mounted checkout; Git itself offers this variable for tests.
    project = at_the_top(tmp_path)
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    assert "safe.directory" in str(git.code_state(project).reason)


# Remotes.


def test_the_remote_is_recorded_without_credentials(git_project: Path) -> None:
    run("git", "remote", "add", "backup", "https://other.example.org/x.git", cwd=git_project)
    run("git", "remote", "add", "origin", "https://user:hunter22@example.org/x.git", cwd=git_project)
    assert git.code_state(git_project).remote == "https://example.org/x.git"


def test_a_sole_remote_is_recorded_whatever_its_name(git_project: Path) -> None:
    run("git", "remote", "add", "upstream", "git@example.org:a/x.git", cwd=git_project)
    assert git.code_state(git_project).remote == "git@example.org:a/x.git"


def test_a_shallow_clone_has_a_tree_too(tmp_path: Path) -> None:
    project = at_the_top(tmp_path)
    run("git", "clone", "--quiet", "--depth", "1", f"file://{project}", tmp_path / "clone", cwd=tmp_path)
    assert git.code_state(tmp_path / "clone").code_tree == git.code_state(project).code_tree


def test_a_copied_project_has_the_same_tree(tmp_path: Path) -> None:
    project = at_the_top(tmp_path)
    shutil.copytree(project, tmp_path / "copy")
    assert git.code_state(tmp_path / "copy").code_tree == git.code_state(project).code_tree
