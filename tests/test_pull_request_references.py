"""Numbers of pull requests and issues, and the base: out of CI, merge commits and trailers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import commit_all
from pull_requests import GITHUB

from reproof.pull_request import ci, references

# Numbers of requests and issues


@pytest.mark.parametrize(
    ("message", "requests", "issues"),
    [
        ("Wider (#123)", ("123",), ()),
        ("Merge pull request #45 from ada/wider\n\nWider", ("45",), ()),
        (
            "Merge branch 'wider' into 'main'\n\nWider\n\nCloses #7\n\nSee merge request ada/digits!45",
            ("45",),
            ("7",),
        ),
        ("Merge branch 'x'\n\nSee merge request !45", ("45",), ()),
        ("Wider (!45)", ("45",), ()),
        ("Wider\n\nPull-Request: #9", ("9",), ()),
        ("Wider\n\nMerge-Request: !9\nIssue: #3", ("9",), ("3",)),
        ("Wider\n\nPull-Request: https://github.com/ada/digits/pull/9", ("9",), ()),
        (
            "Wider\n\nRefs: https://gitlab.com/a/b/-/issues/3, https://gitlab.com/a/b/-/merge_requests/4",
            ("4",),
            ("3",),
        ),
        ("Fix #5: wider", (), ("5",)),
        ("Wow!45 and #6 in passing", (), ()),
        ("Colour #123456789012 and (#12a)", (), ()),
        ("Closes #٣", (), ()),
        ("", (), ()),
    ],
)
def test_numbers_in_messages(
    git_project: Path, message: str, requests: tuple[str, ...], issues: tuple[str, ...]
) -> None:
    from reproof.pull_request import trailers

    found = references.of_message(message, trailers.parsed(message, git_project))
    assert (found.pull_requests, found.issues) == (requests, issues)


def test_the_number_of_a_pull_request_is_that_of_ci_and_else_of_the_commit(git_project: Path) -> None:
    commit_all(git_project, "Wider (#123)")
    assert references.pull_request(git_project, {}) == "123"
    env = {"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "a/b", "GITHUB_REF": "refs/pull/7/merge"}
    assert references.pull_request(git_project, env) == "7"
    assert (
        references.pull_request(
            git_project, {"GITLAB_CI": "1", "CI_PROJECT_ID": "1", "CI_MERGE_REQUEST_IID": "8"}
        )
        == "8"
    )


def test_an_event_that_is_no_event_adds_nothing(tmp_path: Path) -> None:
    env = {**GITHUB, "GITHUB_EVENT_PATH": str(tmp_path / "event.json"), "GITHUB_REF": "refs/pull/7/merge"}
    for text in ("[]", "nonsense", '{"pull_request": 3}', "[" * 100_000):
        (tmp_path / "event.json").write_text(text)
        job = ci.job(env)
        assert job
        assert job.number == "7"


def test_a_comment_on_a_pull_request_names_it(tmp_path: Path) -> None:
    (tmp_path / "event.json").write_text('{"issue": {"number": 5, "pull_request": {}}}')
    job = ci.job({**GITHUB, "GITHUB_EVENT_PATH": str(tmp_path / "event.json")})
    assert job
    assert job.number == "5"


def test_a_push_is_compared_with_what_it_was_pushed_on(tmp_path: Path) -> None:
    (tmp_path / "event.json").write_text(json.dumps({"before": "d" * 40}))
    env = {**GITHUB, "GITHUB_EVENT_PATH": str(tmp_path / "event.json"), "GITHUB_SHA": "e" * 40}
    job = ci.job(env)
    assert job
    assert (job.bases, job.head, job.number) == (("d" * 40,), "e" * 40, None)
    (tmp_path / "event.json").write_text(json.dumps({"before": "0" * 40}))
    assert ci.job(env).bases == (), "a new branch was pushed on nothing"  # type: ignore[union-attr]


def test_outside_ci() -> None:
    assert ci.job({}) is None
    assert ci.job({"GITHUB_ACTIONS": "true"}) is None
