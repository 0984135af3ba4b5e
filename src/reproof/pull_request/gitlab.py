"""GitLab's REST API, version 4: comments of a merge request are its notes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproof.pull_request.answer import Answer
from reproof.pull_request.ci import Job, Token
from reproof.pull_request.forge import Comment

NAME = "GitLab"
SOURCE = "CI_API_V4_URL"
LISTED = {"per_page": "100", "order_by": "created_at", "sort": "asc"}
CHANGE = "PUT"


def headers(token: Token) -> dict[str, str]:
    """Return the headers of each request, the token among them; a job's own token has a header of its own."""
    return {
        "JOB-TOKEN" if token.is_of_the_job else "PRIVATE-TOKEN": token.value,
        "Accept": "application/json",
    }


def is_limited(answer: Answer) -> bool:
    """Whether a refusal means that we ask too often."""
    return answer.status == 429


def comments_path(job: Job) -> str:
    """Return where notes are listed and made."""
    return f"/projects/{job.project}/merge_requests/{job.number}/notes"


def comment_path(job: Job, comment: Comment) -> str:
    """Return where one is changed."""
    return f"{comments_path(job)}/{comment.id}"


def comment(raw: Mapping[str, Any], job: Job) -> Comment | None:
    """Return what a list of notes holds; None for what GitLab itself noted."""
    user = raw.get("author")
    user = user if isinstance(user, dict) else {}
    number, body = raw.get("id"), raw.get("body")
    if not isinstance(number, int) or not isinstance(body, str) or raw.get("system") is True:
        return None
    url = f"{job.web}/-/merge_requests/{job.number}#note_{number}" if job.web else None
    # The user of a project's access token is a bot, and known by its id alone.
    return Comment(number, body, str(user.get("id", "")), False, url)


def self_path() -> str:
    """Return where the API says whose the token is."""
    return "/user"


def author(raw: Mapping[str, Any]) -> str | None:
    """Return the id of an answer of that."""
    found = raw.get("id")
    return str(found) if isinstance(found, int) else None


def hint(status: int, job: Job, token: Token) -> str:
    """Return what to do about a refusal."""
    if token.is_of_the_job:
        return (
            "GitLab's job token may not write notes: make a project access token (role Reporter, scope api), "
            "and set it as the masked CI variable GITLAB_TOKEN"
        )
    if status == 401:
        return f"{token.variable} is not valid, or no longer: make a new project access token"
    if status == 403:
        return f"{token.variable} needs the scope api and at least the role Reporter"
    if status == 404:
        return f"is there a merge request !{job.number} in this project, and may {token.variable} read it?"
    return "the report itself is in the log of this job"
