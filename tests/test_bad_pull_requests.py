"""Rows `commit-…`, `pr-report-…` and `publish-…` of docs/reference/errors.md."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from bad_inputs import assert_told, nothing_lost
from conftest import run
from forges import TOKEN, Holder, Server, github_env, gitlab_env, serving
from pull_requests import RECORD, a_run, add_experiment, edited, lay, pr_report, reproof


@pytest.fixture
def github() -> Iterator[Server]:
    with serving("github") as server:
        server.tokens[TOKEN] = Holder("github-actions[bot]", 1, is_bot=True, may_ask_who=False)
        yield server


def refused(slug: str, project: Path, *arguments: str, env: Mapping[str, str] | None = None) -> None:
    """Run a command, and check what it says, and that nothing of the user's is lost."""
    with nothing_lost(project):
        done = reproof(project, *arguments, env=env)
    assert TOKEN not in done.stdout + done.stderr
    assert_told(slug, done)


def test_commit_dirty_tree(small_copy: Path, record: RECORD) -> None:
    add_experiment(small_copy, a_run(record, 1, lr=0.1), "lr-0.1")
    (small_copy / "data/README.md").write_text("Edited.\n")
    refused("commit-dirty-tree", small_copy, "commit", "lr-0.1", "-m", "A lower rate")


def test_commit_code_that_did_not_run(small_copy: Path, record: RECORD) -> None:
    lay(small_copy, a_run(record, 1, accuracy=0.97))
    (small_copy / "src/train.py").write_text("edited = True\n")
    refused("commit-code-that-did-not-run", small_copy, "commit", "-m", "x")


def test_commit_params_that_did_not_run(small_copy: Path, record: RECORD) -> None:
    lay(small_copy, a_run(record, 1, accuracy=0.97))
    text = (small_copy / "params.yaml").read_text()
    (small_copy / "params.yaml").write_text(text.replace("lr: 0.5", "lr: 0.7"))
    refused("commit-params-that-did-not-run", small_copy, "commit", "-m", "x")


def test_commit_failed_run(small_copy: Path, record: RECORD) -> None:
    add_experiment(small_copy, edited(a_run(record, 1), {"meta.json": {"status": "failed"}}), "broken")
    refused("commit-failed-run", small_copy, "commit", "broken", "-m", "x")


def test_commit_other_code_since(small_copy: Path, record: RECORD) -> None:
    add_experiment(small_copy, a_run(record, 1, lr=0.1), "lr-0.1")
    run("git", "commit", "--quiet", "--allow-empty", "-m", "Nothing", cwd=small_copy)
    (small_copy / "src/new.py").write_text("new = 1\n")
    run("git", "add", "src/new.py", cwd=small_copy)
    run("git", "commit", "--quiet", "-m", "Code", cwd=small_copy)
    refused("commit-other-code-since", small_copy, "commit", "lr-0.1", "-m", "x")


def test_commit_nothing_new(small_copy: Path) -> None:
    refused("commit-nothing-new", small_copy, "commit", "-m", "x")


def test_commit_no_experiment(small_copy: Path) -> None:
    refused("commit-no-experiment", small_copy, "commit", "main", "-m", "x")


def test_commit_on_no_branch(small_copy: Path) -> None:
    run("git", "checkout", "--quiet", "--detach", cwd=small_copy)
    refused("commit-on-no-branch", small_copy, "commit", "-m", "x")


def test_pr_report_no_such_base(small_copy: Path) -> None:
    refused("pr-report-no-such-base", small_copy, "pr-report", "--base", "origin/main")


def test_pr_report_template_too_long(small_copy: Path) -> None:
    (small_copy / "templates").mkdir()
    (small_copy / "templates/pull_request.md.jinja").write_text("x" * 70_000)
    refused("pr-report-template-too-long", small_copy, "pr-report", "--base", "main")


def test_pr_report_base_without_a_run(small_copy: Path) -> None:
    done: subprocess.CompletedProcess[str] = pr_report(small_copy, "--base", "HEAD~1")
    assert_told("pr-report-base-without-a-run", done)


def test_publish_not_in_ci(small_copy: Path) -> None:
    refused("publish-not-in-ci", small_copy, "publish")


def test_publish_no_token(small_copy: Path, github: Server, tmp_path: Path) -> None:
    refused("publish-no-token", small_copy, "publish", env=github_env(github, tmp_path, GITHUB_TOKEN=""))


def test_publish_token_with_a_line_break(small_copy: Path, github: Server, tmp_path: Path) -> None:
    env = github_env(github, tmp_path, GITHUB_TOKEN=f"{TOKEN}\n{TOKEN}")
    refused("publish-token-with-a-line-break", small_copy, "publish", env=env)


def test_publish_plain_http(small_copy: Path, github: Server, tmp_path: Path) -> None:
    env = github_env(github, tmp_path, GITHUB_API_URL="http://github.example/api/v3")
    refused("publish-plain-http", small_copy, "publish", env=env)


def test_publish_bad_token(small_copy: Path, github: Server, tmp_path: Path) -> None:
    env = github_env(github, tmp_path, GITHUB_TOKEN="ghs_" + "0" * 36)
    refused("publish-bad-token", small_copy, "publish", env=env)


def test_publish_read_only_token(small_copy: Path, github: Server, tmp_path: Path) -> None:
    github.tokens[TOKEN] = Holder("github-actions[bot]", 1, is_bot=True, may_write=False, may_ask_who=False)
    refused("publish-read-only-token", small_copy, "publish", env=github_env(github, tmp_path))


def test_publish_from_a_fork(small_copy: Path, github: Server, tmp_path: Path) -> None:
    github.tokens[TOKEN] = Holder("github-actions[bot]", 1, is_bot=True, may_write=False, may_ask_who=False)
    refused("publish-from-a-fork", small_copy, "publish", env=github_env(github, tmp_path, fork=True))


def test_publish_gitlabs_job_token(small_copy: Path) -> None:
    with serving("gitlab") as server:
        refused("publish-gitlabs-job-token", small_copy, "publish", env=gitlab_env(server))


def test_publish_no_such_pull_request(small_copy: Path, github: Server, tmp_path: Path) -> None:
    env = github_env(github, tmp_path, GITHUB_REPOSITORY="ada/gone")
    refused("publish-no-such-pull-request", small_copy, "publish", env=env)
