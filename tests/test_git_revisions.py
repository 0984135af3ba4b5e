"""Names of revisions, files in commits, checkouts: what Git is asked, and what it is asked in vain."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import commit_all, run

from reproof import git, revisions
from reproof.errors import ReproofError

BASELINE = "ab" + "0" * 38

# Names of revisions.


def experiment(project: Path, name: str, baseline: str = BASELINE) -> str:
    """Add an experiment as DVC keeps it: a commit that only a ref under refs/exps holds."""
    tree = run("git", "write-tree", cwd=project).stdout.strip()
    commit = run(
        "git", "commit-tree", tree, "-p", "HEAD", "-m", f"{name} {baseline}", cwd=project
    ).stdout.strip()
    run("git", "update-ref", f"refs/exps/{baseline[:2]}/{baseline[2:]}/{name}", commit, cwd=project)
    return commit


def resolve(project: Path, name: str) -> revisions.Revision:
    with git.open_repository(project) as repo:
        return revisions.resolve(repo, name)


def test_an_experiment_is_found_by_its_name(git_project: Path) -> None:
    commit = experiment(git_project, "gamic-pika")
    assert resolve(git_project, "gamic-pika") == revisions.Revision(commit, "gamic-pika")


def test_an_experiment_is_found_by_its_ref_and_by_its_commit(git_project: Path) -> None:
    commit = experiment(git_project, "sweep/lr-0.1")
    found = revisions.Revision(commit, "sweep/lr-0.1")
    assert resolve(git_project, f"refs/exps/{BASELINE[:2]}/{BASELINE[2:]}/sweep/lr-0.1") == found
    assert resolve(git_project, commit) == found
    assert resolve(git_project, commit[:12]) == found


def test_an_experiment_is_found_after_git_packed_its_refs(git_project: Path) -> None:
    commit = experiment(git_project, "packed")
    run("git", "pack-refs", "--all", cwd=git_project)
    assert resolve(git_project, "packed") == revisions.Revision(commit, "packed")


def test_branches_tags_and_relative_names_stand_for_commits(git_project: Path) -> None:
    first = run("git", "rev-parse", "HEAD", cwd=git_project).stdout.strip()
    run("git", "tag", "-a", "v1", "-m", "first", cwd=git_project)
    second = commit_all(git_project, "Second")
    assert resolve(git_project, "main") == revisions.Revision(second, None)
    assert resolve(git_project, "HEAD~1") == revisions.Revision(first, None)
    assert resolve(git_project, "v1") == revisions.Revision(first, None)  # the commit, not the tag object
    assert resolve(git_project, first[:8]) == revisions.Revision(first, None)


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
