"""One comment on a pull request: against servers that answer as GitHub and GitLab do, and as they fail."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
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

from reproof.errors import ReproofError
from reproof.pull_request import ci, publish
from reproof.pull_request.http import Patience
from reproof.pull_request.publish import Published

BOT = Holder("github-actions[bot]", 41898282, is_bot=True, may_ask_who=False)
ADA = Holder("ada", 3)
MARK = publish.mark("")
QUICK = Patience(attempts=4, first_s=0.01, request_s=2.0, total_s=20.0)


@pytest.fixture
def github() -> Iterator[Server]:
    with serving("github") as server:
        server.tokens[TOKEN] = BOT
        yield server


@pytest.fixture
def gitlab() -> Iterator[Server]:
    with serving("gitlab") as server:
        server.tokens[GITLAB_TOKEN] = ADA
        yield server


def keep(env: Mapping[str, str], text: str = "A report.", patience: Patience = QUICK) -> Published:
    job = ci.job(env)
    assert job
    return publish.comment(job, text, "", env, patience)


def refused(env: Mapping[str, str], patience: Patience = QUICK, text: str = "A report.") -> str:
    """What is said where a comment cannot be made; never with a token in it."""
    with pytest.raises(ReproofError) as caught:
        keep(env, text, patience)
    told = "\n".join(map(str, (caught.value, repr(caught.value), caught.value.__cause__)))
    assert TOKEN not in told
    assert GITLAB_TOKEN not in told
    return str(caught.value)


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


# Patience


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_server_that_fails_is_asked_again(github: Server, tmp_path: Path, status: int) -> None:
    github.faults.append(Fault(status, body=b"<html>oops</html>", method="GET", times=2))
    assert keep(github_env(github, tmp_path)).action == "created"
    assert github.asked("GET") == 3


def test_a_server_that_goes_on_failing_is_told(github: Server, tmp_path: Path) -> None:
    github.faults.append(Fault(503, body=b"<html>oops</html>", times=99))
    told = refused(github_env(github, tmp_path))
    assert "GitHub fails" in told
    assert "status 503, 4 times" in told
    assert len(github.requests) == 4


def test_waits_double(github: Server, tmp_path: Path) -> None:
    github.faults.append(Fault(503, times=3))
    waited: list[float] = []
    env = github_env(github, tmp_path)
    job = ci.job(env)
    assert job
    publish.comment(job, "A report.", "", env, Patience(first_s=1.0), waited.append)
    assert waited == [1.0, 2.0, 4.0]


def waits(server: Server, env: Mapping[str, str], fault: Fault) -> list[float]:
    """The waits before a comment is made, where the first request ends in `fault`."""
    server.faults.append(fault)
    waited: list[float] = []
    job = ci.job(env)
    assert job
    assert publish.comment(job, "A report.", "", env, Patience(), waited.append).action == "created"
    return waited


def test_retry_after_in_seconds(github: Server, gitlab: Server, tmp_path: Path) -> None:
    env = github_env(github, tmp_path)
    limited = Fault(429, {"Retry-After": "7"}, b'{"message": "secondary rate limit"}')
    assert waits(github, env, limited) == [7.0]
    slow = Fault(429, {"Retry-After": "9", "Content-Type": "text/plain"}, b"Retry later\n")
    assert waits(gitlab, gitlab_env(gitlab, GITLAB_TOKEN=GITLAB_TOKEN), slow) == [9.0]


def test_retry_after_as_a_date_by_the_servers_own_clock(github: Server, tmp_path: Path) -> None:
    headers = {"Date": "Sat, 01 Jan 2000 00:00:00 GMT", "Retry-After": "Sat, 01 Jan 2000 00:00:12 GMT"}
    assert waits(github, github_env(github, tmp_path), Fault(429, headers)) == [12.0]


def test_the_primary_limit_of_github_is_a_403_with_a_time(github: Server, tmp_path: Path) -> None:
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(time.time()) + 5)}
    fault = Fault(403, headers, b'{"message": "API rate limit exceeded for installation ID 1."}')
    (waited,) = waits(github, github_env(github, tmp_path), fault)
    assert 3 <= waited <= 7


def test_the_secondary_limit_of_github_without_a_time_waits_a_minute(github: Server, tmp_path: Path) -> None:
    fault = Fault(403, body=b'{"message": "You have exceeded a secondary rate limit."}', method="POST")
    assert waits(github, github_env(github, tmp_path), fault) == [60.0]
    assert len(github.comments) == 1


def test_gitlabs_limit_by_its_own_headers(gitlab: Server) -> None:
    headers = {"RateLimit-Remaining": "0", "RateLimit-Reset": str(int(time.time()) + 5)}
    (waited,) = waits(
        gitlab, gitlab_env(gitlab, GITLAB_TOKEN=GITLAB_TOKEN), Fault(429, headers, b"Retry later\n")
    )
    assert 3 <= waited <= 7


def test_a_longer_wait_than_there_is_time_for_is_told(github: Server, tmp_path: Path) -> None:
    github.faults.append(Fault(429, {"Retry-After": "3600"}, b'{"message": "slow down"}'))
    begun = time.monotonic()
    told = refused(github_env(github, tmp_path))
    assert "it asks to wait 3600 s" in told
    assert time.monotonic() - begun < 2


def test_a_comment_that_was_made_although_the_server_failed_is_not_made_twice(
    github: Server, gitlab: Server, tmp_path: Path
) -> None:
    for server, env in (
        (github, github_env(github, tmp_path)),
        (gitlab, gitlab_env(gitlab, GITLAB_TOKEN=GITLAB_TOKEN)),
    ):
        server.faults.append(Fault(502, method="POST", carries_out=True))
        assert keep(env).action == "created"
        assert len(server.comments) == 1
        assert server.asked("POST") == 1


def test_a_comment_that_was_not_made_is_made_again(github: Server, tmp_path: Path) -> None:
    github.faults.append(Fault(502, method="POST", times=2))
    assert keep(github_env(github, tmp_path)).action == "created"
    assert (len(github.comments), github.asked("POST")) == (1, 3)


def test_a_connection_that_is_closed_without_a_word(github: Server, tmp_path: Path) -> None:
    github.faults += [Fault(0, method="GET"), Fault(0, method="POST", carries_out=True)]
    assert keep(github_env(github, tmp_path)).action == "created"
    assert len(github.comments) == 1


def test_a_slow_answer_is_cut_off(github: Server, tmp_path: Path) -> None:
    github.faults.append(Fault(200, body=b"[]", delay_s=1.5, times=9))
    begun = time.monotonic()
    told = refused(github_env(github, tmp_path), Patience(attempts=2, first_s=0.01, request_s=0.3))
    assert "no whole answer within 0.3 s, 2 times" in told
    assert time.monotonic() - begun < 2.5


def test_an_answer_that_drips_is_cut_off_as_well(github: Server, tmp_path: Path) -> None:
    github.faults.append(Fault(200, body=b" " * 200, drip_s=0.05, times=9))
    begun = time.monotonic()
    told = refused(github_env(github, tmp_path), Patience(attempts=1, first_s=0.01, request_s=0.5))
    assert "no whole answer within 0.5 s" in told
    assert time.monotonic() - begun < 2


def test_nobody_at_the_address(tmp_path: Path, github: Server) -> None:
    env = github_env(github, tmp_path, GITHUB_API_URL="http://127.0.0.1:1")
    assert "GitHub does not answer" in refused(env)


# What the server may do to us


def test_an_answer_without_end_is_not_read_to_its_end(
    github: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reproof.pull_request.http.MAX_BODY_BYTES", 10_000)
    github.faults.append(Fault(200, body=b" " * 50_000, times=9))
    assert "more than 10,000 bytes" in refused(github_env(github, tmp_path))


def test_an_answer_that_is_cut_short(github: Server, tmp_path: Path) -> None:
    github.faults.append(Fault(200, {"Content-Length": "500", "Connection": "close"}, b"[", times=9))
    assert "GitHub does not answer" in refused(github_env(github, tmp_path), Patience(2, 0.01, 1.0, 5.0))


@pytest.mark.parametrize("body", [b"<html>log in</html>", b"{}", b"nonsense", b"[" * 100_000])
def test_an_answer_of_another_program(github: Server, tmp_path: Path, body: bytes) -> None:
    github.faults.append(Fault(200, body=body))
    assert "not an answer of GitHub's API" in refused(github_env(github, tmp_path))


def test_a_redirect_on_the_same_host_is_followed(github: Server, tmp_path: Path) -> None:
    moved = f"{github.url}/repos/ada/digits/issues/7/comments"
    env = github_env(github, tmp_path)
    github.faults += [
        Fault(301, {"Location": moved}, method="GET"),
        Fault(307, {"Location": moved}, method="POST"),
    ]
    assert keep(env).action == "created"
    assert len(github.comments) == 1


@pytest.mark.parametrize(
    "there", ["https://evil.example/api", "http://127.0.0.1:9/api/v3/x", "//evil.example/", "", "/relative"]
)
def test_the_token_goes_to_no_other_host(github: Server, tmp_path: Path, there: str) -> None:
    github.faults.append(Fault(302, {"Location": there}))
    assert "elsewhere, where the token must not go" in refused(github_env(github, tmp_path))
    assert len(github.requests) == 1


def test_redirects_without_end(github: Server, tmp_path: Path) -> None:
    github.faults.append(Fault(302, {"Location": f"{github.url}/again"}, times=99))
    assert "redirects without end" in refused(github_env(github, tmp_path))


def test_a_next_page_on_another_host_is_not_asked_for(github: Server, tmp_path: Path) -> None:
    link = '<https://evil.example/api/v3/repos/x?page=2>; rel="next"'
    github.faults.append(Fault(200, {"Link": link}, b"[]"))
    assert "on another host" in refused(github_env(github, tmp_path))


def test_pages_without_end(github: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reproof.pull_request.forge._MAX_PAGES", 3)
    link = f'<{github.url}/repos/ada/digits/issues/7/comments?page=2>; rel="next"'
    github.faults.append(Fault(200, {"Link": link}, b"[]", times=99))
    assert "pages without end" in refused(github_env(github, tmp_path))
    assert len(github.requests) == 4


@pytest.mark.parametrize(
    "url",
    [
        "http://api.github.example",
        "http://127.0.0.1.evil.example",
        "https://ada:secretpass1@api.github.example",
        "https://api.github.example/?x=1",
        "ftp://api.github.example",
        "https://",
        "https://api.github.example:99999",
        "https://[::1",
    ],
)
def test_a_token_is_sent_by_https_only(github: Server, tmp_path: Path, url: str) -> None:
    told = refused(github_env(github, tmp_path, GITHUB_API_URL=url))
    assert "GITHUB_API_URL: not an address that a token may be sent to" in told
    assert "secretpass1" not in told


@pytest.mark.parametrize("project", ["../x", "ada", "ada/..", "ada/x?y=1", "ada/x y", "ada/x/y"])
def test_a_repository_that_is_none(github: Server, tmp_path: Path, project: str) -> None:
    with pytest.raises(ReproofError, match="not a repository"):
        ci.job(github_env(github, tmp_path, GITHUB_REPOSITORY=project))


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
