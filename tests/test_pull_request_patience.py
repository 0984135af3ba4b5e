"""Servers that fail, are slow or turn hostile: what is asked again, how long, and what is not believed."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from forges import (
    GITLAB_TOKEN,
    Fault,
    Server,
    github_env,
    gitlab_env,
)
from publishing import keep, refused

from reproof.errors import ReproofError
from reproof.pull_request import ci, publish
from reproof.pull_request.http import Patience

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
