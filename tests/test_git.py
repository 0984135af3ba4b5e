"""The identity of code is the tree as it ran, and reading it leaves the user's repository as it was."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import commit_all, make_git_project, run

from reproof import git
from reproof.errors import ReproofError

BASELINE = "ab" + "0" * 38


def add_code(project: Path) -> None:
    """Give a project code, and one of each thing that a run writes or people write about runs."""
    for name, text in {
        ".gitignore": "__pycache__/\n/data.bin\n",
        "src/model.py": "width = 1\n",
        "src/old.py": "old = True\n",
        "src/results/plots.py": "kind = 'code'\n",
        "dvc.yaml": "stages: {}\n",
        "params.yaml": "seed: 0\n",
        "dvc.lock": "schema: '2.0'\n",
        "uv.lock": "version = 1\n",
        "results/latest/summary.json": "{}\n",
        "reports/experiment.md": "# Experiment\n",
        "experiments/index.md": "# All\n",
        "training_reports/one.md": "# One\n",
        "notes/goals.md": "To learn.\n",
    }.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text)


def edit_code(project: Path) -> None:
    """Change, add and remove code, without staging anything."""
    (project / "src/model.py").write_text("width = 2000\n")
    (project / "src/new file é.py").write_text("new = True\n")
    (project / "src/old.py").unlink()
    (project / "data.bin").write_bytes(b"ignored")


def edit_what_is_no_code(project: Path) -> None:
    """Do what an experiment does: other params, another lock, another record, other words."""
    for name in ("params.yaml", "dvc.lock", "uv.lock", "results/latest/summary.json", "notes/goals.md"):
        (project / name).write_text("changed\n")
    (project / "results/latest/new.json").write_text("{}")
    (project / "reports/experiment.md").unlink()
    (project / ".dvc/tmp").mkdir(parents=True)
    (project / ".dvc/tmp/repro.dat").write_text("--")


def at_the_top(folder: Path) -> Path:
    project = make_git_project(folder / "project")
    add_code(project)
    commit_all(project, "Code")
    return project


def in_a_subfolder(folder: Path) -> Path:
    top = make_git_project(folder / "monorepo")
    project = top / "teams" / "one [1] é*"
    add_code(project)
    add_code(top / "teams" / "other")
    commit_all(top, "Code")
    return project


def in_a_worktree(folder: Path) -> Path:
    main = at_the_top(folder)
    run("git", "worktree", "add", "--quiet", "-b", "side", folder / "side", cwd=main)
    return folder / "side"


def on_a_detached_head(folder: Path) -> Path:
    project = at_the_top(folder)
    run("git", "checkout", "--quiet", "--detach", cwd=project)
    return project


def before_the_first_commit(folder: Path) -> Path:
    project = folder / "project"
    add_code(project)
    run("git", "init", "--quiet", cwd=project)
    return project


LAYOUTS = [at_the_top, in_a_subfolder, in_a_worktree, on_a_detached_head, before_the_first_commit]
Layout = Callable[[Path], Path]


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


# Names of revisions.


def experiment(project: Path, name: str, baseline: str = BASELINE) -> str:
    """Add an experiment as DVC keeps it: a commit that only a ref under refs/exps holds."""
    tree = run("git", "write-tree", cwd=project).stdout.strip()
    commit = run(
        "git", "commit-tree", tree, "-p", "HEAD", "-m", f"{name} {baseline}", cwd=project
    ).stdout.strip()
    run("git", "update-ref", f"refs/exps/{baseline[:2]}/{baseline[2:]}/{name}", commit, cwd=project)
    return commit


def resolve(project: Path, name: str) -> git.Revision:
    with git.open_repository(project) as repo:
        return git.resolve(repo, name)


def test_an_experiment_is_found_by_its_name(git_project: Path) -> None:
    commit = experiment(git_project, "gamic-pika")
    assert resolve(git_project, "gamic-pika") == git.Revision(commit, "gamic-pika")


def test_an_experiment_is_found_by_its_ref_and_by_its_commit(git_project: Path) -> None:
    commit = experiment(git_project, "sweep/lr-0.1")
    found = git.Revision(commit, "sweep/lr-0.1")
    assert resolve(git_project, f"refs/exps/{BASELINE[:2]}/{BASELINE[2:]}/sweep/lr-0.1") == found
    assert resolve(git_project, commit) == found
    assert resolve(git_project, commit[:12]) == found


def test_an_experiment_is_found_after_git_packed_its_refs(git_project: Path) -> None:
    commit = experiment(git_project, "packed")
    run("git", "pack-refs", "--all", cwd=git_project)
    assert resolve(git_project, "packed") == git.Revision(commit, "packed")


def test_branches_tags_and_relative_names_stand_for_commits(git_project: Path) -> None:
    first = run("git", "rev-parse", "HEAD", cwd=git_project).stdout.strip()
    run("git", "tag", "-a", "v1", "-m", "first", cwd=git_project)
    second = commit_all(git_project, "Second")
    assert resolve(git_project, "main") == git.Revision(second, None)
    assert resolve(git_project, "HEAD~1") == git.Revision(first, None)
    assert resolve(git_project, "v1") == git.Revision(first, None)  # the commit, not the tag object
    assert resolve(git_project, first[:8]) == git.Revision(first, None)


def test_one_name_of_two_experiments_is_refused_with_both_commits(git_project: Path) -> None:
    commits = [experiment(git_project, "twin", baseline) for baseline in (BASELINE, "cd" + "1" * 38)]
    with pytest.raises(ReproofError, match="2 experiments are called 'twin'") as caught:
        resolve(git_project, "twin")
    assert all(commit[:10] in str(caught.value.hint) for commit in commits)


def test_one_experiment_under_two_baselines_is_one(git_project: Path) -> None:
    commit = experiment(git_project, "same")
    run("git", "update-ref", f"refs/exps/cd/{'1' * 38}/same", commit, cwd=git_project)
    assert resolve(git_project, "same").commit == commit


def test_dvcs_own_refs_are_no_experiments(git_project: Path) -> None:
    for ref in ("refs/exps/exec/EXEC_BRANCH", "refs/exps/stash", "refs/exps/celery/stash"):
        run("git", "update-ref", ref, "HEAD", cwd=git_project)
    with pytest.raises(ReproofError, match="no such revision") as caught:
        resolve(git_project, "EXEC_BRANCH")
    assert caught.value.hint == "there are no experiments here yet"


def test_an_unknown_name_comes_with_the_experiments_that_there_are(git_project: Path) -> None:
    experiment(git_project, "gamic-pika")
    with pytest.raises(ReproofError, match="no such revision: 'gamic-pica'") as caught:
        resolve(git_project, "gamic-pica")
    assert caught.value.hint == "experiments here: gamic-pika"


@pytest.mark.parametrize(
    "name", ["", "--all", "-h", "HEAD^{tree}", "main..HEAD", "HEAD:params.yaml", "a b", "\n"]
)
def test_what_names_no_commit_is_refused(git_project: Path, name: str) -> None:
    with pytest.raises(ReproofError, match="no such revision"):
        resolve(git_project, name)


# Files and folders in commits.


def test_a_file_is_read_as_a_commit_holds_it(git_project: Path) -> None:
    (git_project / "params.yaml").write_bytes(b"seed: 9\r\n")
    with git.open_repository(git_project) as repo:
        assert (git.file_at(repo, "HEAD", "params.yaml") or b"").startswith(b"seed: 0\n")
        commit_all(git_project, "Nine")
        assert git.file_at(repo, "HEAD", "params.yaml") == b"seed: 9\r\n"


@pytest.mark.parametrize(
    ("rev", "path"),
    [("HEAD", "absent"), ("HEAD", "params.yaml/deeper"), ("HEAD", "src"), ("nowhere", "dvc.yaml")],
)
def test_what_a_commit_does_not_hold_is_none(git_project: Path, rev: str, path: str) -> None:
    (git_project / "src").mkdir()
    (git_project / "src/a.py").write_text("")
    commit_all(git_project, "Source")
    with git.open_repository(git_project) as repo:
        assert git.file_at(repo, rev, path) is None


def test_outside_a_repository_there_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ReproofError, match=r"not inside a Git repository[\s\S]*git init"):
        git.open_repository(tmp_path)


def test_a_checkout_with_changes_says_so(git_project: Path) -> None:
    commit = run("git", "rev-parse", "HEAD", cwd=git_project).stdout.strip()
    assert git.checkout(git_project) == commit
    (git_project / "dvc.yaml").write_text("changed\n")
    assert git.checkout(git_project) == f"{commit}+changed"


def test_a_folder_outside_git_has_no_checkout(tmp_path: Path) -> None:
    assert git.checkout(tmp_path) is None
    run("git", "init", "--quiet", cwd=tmp_path)
    assert git.checkout(tmp_path) is None


def test_reading_a_checkout_leaves_its_index_as_it_is(git_project: Path) -> None:
    (git_project / "dvc.yaml").write_text((git_project / "dvc.yaml").read_text())
    before = listing(git_project)
    git.checkout(git_project)
    assert listing(git_project) == before


@pytest.mark.parametrize(
    ("env", "number"),
    [
        ({"GITHUB_REF": "refs/pull/12/merge"}, "12"),
        ({"CI_MERGE_REQUEST_IID": "7"}, "7"),
        ({"GITHUB_REF": "refs/heads/pull/12/merge"}, None),
        ({"GITHUB_REF": "refs/heads/main"}, None),
        ({}, None),
    ],
)
def test_the_pull_request_is_what_the_ci_job_says(env: dict[str, str], number: str | None) -> None:
    assert git.pull_request(env) == number


def test_a_shallow_clone_has_a_tree_too(tmp_path: Path) -> None:
    project = at_the_top(tmp_path)
    run("git", "clone", "--quiet", "--depth", "1", f"file://{project}", tmp_path / "clone", cwd=tmp_path)
    assert git.code_state(tmp_path / "clone").code_tree == git.code_state(project).code_tree


def test_a_copied_project_has_the_same_tree(tmp_path: Path) -> None:
    project = at_the_top(tmp_path)
    shutil.copytree(project, tmp_path / "copy")
    assert git.code_state(tmp_path / "copy").code_tree == git.code_state(project).code_tree
