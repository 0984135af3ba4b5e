"""GitHub's REST API, version 2022-11-28: comments of a pull request are those of its issue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproof.pull_request.answer import Answer
from reproof.pull_request.ci import Job, Token
from reproof.pull_request.forge import Comment

NAME = "GitHub"
SOURCE = "GITHUB_API_URL"
LISTED = {"per_page": "100"}  # those of one issue are by time, and cannot be sorted
CHANGE = "PATCH"


def headers(token: Token) -> dict[str, str]:
    """Return the headers of each request, the token among them."""
    return {
        "Authorization": f"Bearer {token.value}",
        "Accept": "application/vnd.github+json",
        "X-GitHub-Api-Version": "2022-11-28",
    }


def is_limited(answer: Answer) -> bool:
    """Whether a refusal means that we ask too often: the manual names three signs, 403 or 429."""
    return (
        answer.status == 429
        or answer.headers.get("x-ratelimit-remaining") == "0"
        or "retry-after" in answer.headers
        or "rate limit" in answer.words.lower()
    )


def comments_path(job: Job) -> str:
    """Return where comments are listed and made."""
    return f"/repos/{job.project}/issues/{job.number}/comments"


def comment_path(job: Job, comment: Comment) -> str:
    """Return where one is changed."""
    return f"/repos/{job.project}/issues/comments/{comment.id}"


def comment(raw: Mapping[str, Any], _job: Job) -> Comment | None:
    """Return what a list of comments holds."""
    user = raw.get("user")  # null for a user who is gone
    user = user if isinstance(user, dict) else {}
    number, body, url = raw.get("id"), raw.get("body"), raw.get("html_url")
    if not isinstance(number, int) or not isinstance(body, str):
        return None
    return Comment(
        number,
        body,
        str(user.get("login", "")),
        user.get("type") == "Bot",
        url if isinstance(url, str) and url.startswith("https://") else None,
    )


def self_path() -> str:
    """Return where the API says whose the token is; the job's own token may not ask that."""
    return "/user"


def author(raw: Mapping[str, Any]) -> str | None:
    """Return the login of an answer of that."""
    found = raw.get("login")
    return found if isinstance(found, str) else None


def hint(status: int, job: Job, token: Token) -> str:
    """Return what to do about a refusal."""
    if status == 401:
        given = "`GITHUB_TOKEN: ${{ github.token }}`"
        return f"{token.variable} is not valid, or no longer: give the step {given}"
    if status == 403:
        return (
            "give the job `permissions: pull-requests: write`; a locked conversation takes no comment either"
        )
    if status == 404:
        return f"is there a pull request {job.number} in {job.project}, and may {token.variable} read it?"
    return "the report itself is in the summary of this step"
