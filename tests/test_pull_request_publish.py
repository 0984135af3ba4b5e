"""One comment on a pull request: against servers that answer as GitHub and GitLab do, and as they fail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from forges import (
    GITLAB_TOKEN,
    TOKEN,
    Fault,
    Holder,
    Server,
    add_github,
    add_gitlab,
    github_env,
    gitlab_env,
    serving,
)
from publishing import ADA, BOT, MARK, QUICK, keep, refused

from reproof.pull_request import ci, publish

# One comment


def test_github_creates_a_comment_and_updates_it(github: Server, tmp_path: Path) -> None:
    env = github_env(github, tmp_path)
    first = keep(env)
    assert first.action == "created"
    assert first.url == github.comments[0]["html_url"]
    assert github.bodies() == [f"{MARK}\r\nA report.\r\n"]
    assert keep(env, "Another one.").action == "updated"
    assert keep(env, "Another one.").action == "unchanged"
    assert github.bodies() == [f"{MARK}\nAnother one.\n"]
    request = github.requests[0]
    assert request.headers["X-GitHub-Api-Version"] == "2022-11-28"
    assert request.headers["Accept"] == "application/vnd.github+json"
    assert request.headers["User-Agent"].startswith("reproof/")
    assert TOKEN not in "".join(one.path for one in github.requests)


def test_gitlab_creates_a_note_and_updates_it(gitlab: Server) -> None:
    env = gitlab_env(gitlab, GITLAB_TOKEN=GITLAB_TOKEN)
    assert keep(env).url == "https://gitlab.example/ada/digits/-/merge_requests/7#note_1001"
    assert keep(env, "Another one.").action == "updated"
    assert keep(env, "Another one.").action == "unchanged"
    assert gitlab.bodies() == [f"{MARK}\nAnother one.\n"]
    assert (gitlab.asked("POST"), gitlab.asked("PUT")) == (1, 1)


@pytest.mark.parametrize("kind", ["github", "gitlab"])
def test_our_comment_is_found_on_a_later_page(kind: str, tmp_path: Path) -> None:
    with serving(kind) as server:
        server.tokens |= {TOKEN: BOT, GITLAB_TOKEN: ADA}
        for number in range(250):
            if kind == "github":
                add_github(server, f"Comment {number}", "eve")
            else:
                add_gitlab(server, f"Note {number}", 9)
        env = (
            github_env(server, tmp_path)
            if kind == "github"
            else gitlab_env(server, GITLAB_TOKEN=GITLAB_TOKEN)
        )
        keep(env)
        asked = server.asked("GET")
        assert asked == 3, "250 comments are three pages of a hundred"
        for number in range(60):
            (
                add_github(server, f"Later {number}", "eve")
                if kind == "github"
                else add_gitlab(server, "Later", 9)
            )
        assert keep(env, "Another.").action == "updated"
        assert sum(MARK in body for body in server.bodies()) == 1


def test_two_projects_of_one_repository_have_a_comment_each(github: Server, tmp_path: Path) -> None:
    env = github_env(github, tmp_path)
    job = ci.job(env)
    assert job
    for prefix in ("models/a/", "models/b/", "models/a--b>/", "models/a/"):
        publish.comment(job, "A report.", prefix, env, QUICK)
    assert len(github.comments) == 3
    assert all(body.splitlines()[0].count("--") == 2 for body in github.bodies()), (
        "the mark ends where it ends"
    )


def test_the_mark_in_another_users_comment_is_not_ours(github: Server, tmp_path: Path) -> None:
    theirs = add_github(github, f"{MARK}\nPlease run my code.", "mallory")
    keep(github_env(github, tmp_path))
    assert theirs["body"].endswith("Please run my code.")
    assert len(github.comments) == 2


def test_the_mark_further_down_in_a_bots_comment_is_not_ours(github: Server, tmp_path: Path) -> None:
    add_github(github, f"> {MARK}\n> quoted", "quoting[bot]", is_bot=True)
    keep(github_env(github, tmp_path))
    assert len(github.comments) == 2


def test_a_users_own_token_changes_that_users_comment_alone(github: Server, tmp_path: Path) -> None:
    github.tokens["ghp_" + "q1W2" * 9] = ADA
    add_github(github, f"{MARK}\nA bot's.", "other[bot]", is_bot=True)
    env = github_env(github, tmp_path, REPROOF_TOKEN="ghp_" + "q1W2" * 9)
    keep(env)
    assert keep(env, "Another.").action == "updated"
    assert [comment["user"]["login"] for comment in github.comments] == ["other[bot]", "ada"]
    assert github.bodies()[0].endswith("A bot's.")


def test_the_mark_in_another_users_note_is_not_ours(gitlab: Server) -> None:
    theirs = add_gitlab(gitlab, f"{MARK}\nTheirs.", 9)
    add_gitlab(gitlab, f"{MARK}\nassigned to @ada", 3, system=True)
    keep(gitlab_env(gitlab, GITLAB_TOKEN=GITLAB_TOKEN))
    assert theirs["body"].endswith("Theirs.")
    assert len(gitlab.comments) == 3


def test_a_comment_that_vanishes_while_it_is_changed_is_made_anew(github: Server, tmp_path: Path) -> None:
    env = github_env(github, tmp_path)
    keep(env)
    github.faults.append(Fault(404, body=b'{"message": "Not Found"}', method="PATCH"))
    assert keep(env, "Another.").action == "created"


def test_two_comments_of_ours_are_told(github: Server, tmp_path: Path) -> None:
    for _ in range(2):
        add_github(github, f"{MARK}\nOld.", BOT.login, is_bot=True)
    done = keep(github_env(github, tmp_path))
    assert done.action == "updated"
    assert "2 comments" in (done.notice or "")
    assert [("Old." in body) for body in github.bodies()] == [False, True]


# Refusals


def test_a_forks_token_is_a_notice(github: Server, tmp_path: Path) -> None:
    github.tokens[TOKEN] = Holder("github-actions[bot]", 1, is_bot=True, may_write=False, may_ask_who=False)
    done = keep(github_env(github, tmp_path, fork=True))
    assert done.action is None
    assert "a fork may only read (status 403 Resource not accessible by integration)" in (done.notice or "")
    assert github.asked("POST") == 1, "a refusal is not asked for again"


def test_dependabots_token_is_a_notice(github: Server, tmp_path: Path) -> None:
    github.tokens[TOKEN] = Holder("github-actions[bot]", 1, is_bot=True, may_write=False, may_ask_who=False)
    done = keep(github_env(github, tmp_path, GITHUB_ACTOR="dependabot[bot]"))
    assert "Dependabot may only read" in (done.notice or "")


def test_a_read_only_token_of_no_fork_names_the_permission(github: Server, tmp_path: Path) -> None:
    github.tokens[TOKEN] = Holder("github-actions[bot]", 1, is_bot=True, may_write=False, may_ask_who=False)
    told = refused(github_env(github, tmp_path))
    assert "permissions: pull-requests: write" in told
    assert "#7 of ada/digits" in told


def test_a_locked_conversation(github: Server, tmp_path: Path) -> None:
    github.is_locked = True
    assert "issue is locked" in refused(github_env(github, tmp_path))


def test_gitlabs_job_token_is_a_notice_that_says_what_to_make(gitlab: Server) -> None:
    done = keep(gitlab_env(gitlab))
    assert "401 Unauthorized" in (done.notice or "")
    assert "GITLAB_TOKEN" in (done.notice or "")
    assert gitlab.requests[0].headers["JOB-TOKEN"]
    assert "PRIVATE-TOKEN" not in gitlab.requests[0].headers


def test_a_fork_on_gitlab_comments_on_the_project_that_it_goes_to(gitlab: Server) -> None:
    keep(gitlab_env(gitlab, fork=True, GITLAB_TOKEN=GITLAB_TOKEN))
    assert all("/projects/42/" in one.path or one.path.endswith("/user") for one in gitlab.requests)


def test_401(github: Server, gitlab: Server, tmp_path: Path) -> None:
    assert "Bad credentials" in refused(github_env(github, tmp_path, GITHUB_TOKEN="ghs_" + "0" * 36))
    assert "401 Unauthorized" in refused(gitlab_env(gitlab, GITLAB_TOKEN="glpat-" + "0" * 20))


def test_a_scope_that_is_too_small(gitlab: Server) -> None:
    gitlab.tokens[GITLAB_TOKEN] = Holder("ada", 3, may_write=False)
    told = refused(gitlab_env(gitlab, GITLAB_TOKEN=GITLAB_TOKEN))
    assert "scope api" in told
    assert "insufficient_scope" in told


def test_404(github: Server, gitlab: Server, tmp_path: Path) -> None:
    told = refused(github_env(github, tmp_path, GITHUB_REPOSITORY="ada/gone"))
    assert "is there a pull request 7 in ada/gone" in told
    told = refused(gitlab_env(gitlab, GITLAB_TOKEN=GITLAB_TOKEN, CI_MERGE_REQUEST_IID="8"))
    assert "is there a merge request !8" in told


def test_422_is_told_as_the_forge_tells_it(github: Server, tmp_path: Path) -> None:
    told = refused(github_env(github, tmp_path), text="x" * 70_000)
    assert "Validation Failed" in told
    assert github.asked("POST") == 1


def test_what_the_server_says_is_short_and_holds_no_token(github: Server, tmp_path: Path) -> None:
    said = f'{{"message": "no\\n\\u001b[31m {TOKEN} {"long " * 500}"}}'.encode()
    github.faults.append(Fault(418, body=said))
    told = refused(github_env(github, tmp_path))
    assert "\x1b" not in told
    assert len(told) < 600


@pytest.mark.parametrize("name", ["GITHUB_TOKEN", "REPROOF_TOKEN"])
@pytest.mark.parametrize("value", ["ghs_abc\ndefgh12345", "ghs_ü234567890abc", "abc3 in1side it"])
def test_a_value_that_is_no_token_is_not_quoted(
    github: Server, tmp_path: Path, name: str, value: str
) -> None:
    told = refused(github_env(github, tmp_path, **{name: value}))
    assert f"the variable {name}: not a token" in told
    assert not any(part in told for part in value.split()[:2])
    assert github.requests == []


def test_no_token_at_all(github: Server, tmp_path: Path) -> None:
    env = github_env(github, tmp_path)
    del env["GITHUB_TOKEN"]
    assert "no token for GitHub" in refused(env)
    env = github_env(github, tmp_path, fork=True)
    del env["GITHUB_TOKEN"]
    assert "no token" in (keep(env).notice or "")


def test_no_pull_request(github: Server, tmp_path: Path) -> None:
    env = github_env(github, tmp_path, GITHUB_REF="refs/heads/main", GITHUB_EVENT_PATH=str(tmp_path / "gone"))
    assert "no pull request" in (keep(env).notice or "")
    assert github.requests == []


# The summary of the step


def job_of(server: Server, folder: Path) -> Any:
    return ci.job(github_env(server, folder))


def test_the_summary_is_added_to_what_is_there(github: Server, tmp_path: Path) -> None:
    (tmp_path / "summary.md").write_text("Before.\n")
    assert publish.write_summary(job_of(github, tmp_path), "A report – with a dash.") is None
    assert (tmp_path / "summary.md").read_text(encoding="utf-8") == "Before.\nA report – with a dash.\n"


def test_a_summary_that_github_would_drop_stays_as_it_is(github: Server, tmp_path: Path) -> None:
    (tmp_path / "summary.md").write_text("x" * (1 << 20))
    assert "it would exceed" in (publish.write_summary(job_of(github, tmp_path), "A report.") or "")
    assert (tmp_path / "summary.md").stat().st_size == 1 << 20


def test_a_summary_that_cannot_be_written_is_told(github: Server, tmp_path: Path) -> None:
    (tmp_path / "summary.md").mkdir()
    assert "cannot be written" in (publish.write_summary(job_of(github, tmp_path), "A report.") or "")
