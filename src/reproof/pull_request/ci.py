"""What a CI job says of itself: the forge, the pull request, its commits, and where a comment goes.

GitHub's variables are those of its manual, "Variables reference", with the event's payload; GitLab's those of
"Predefined CI/CD variables reference".
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from reproof import git, links, redact
from reproof.errors import ReproofError

GITHUB, GITLAB = "github", "gitlab"
_MAX_EVENT_BYTES = 25_000_000
"""GitHub's own limit of a payload (its manual, "Webhook events and payloads")."""
_NUMBER = re.compile(r"\d{1,12}", re.ASCII)
_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_OWN_TOKEN = "REPROOF_TOKEN"  # noqa: S105 (a variable's name)  # nosec B105
_TOKENS = {
    GITHUB: (_OWN_TOKEN, "GITHUB_TOKEN", "GH_TOKEN"),
    GITLAB: (_OWN_TOKEN, "GITLAB_TOKEN", "CI_JOB_TOKEN"),
}
"""Variables that may hold one, the first that is set counts."""
_MAX_TOKEN = 8192


@dataclass(frozen=True)
class Job:
    """A job of GitHub Actions or GitLab CI.

    Attributes:
        forge: which one.
        project: that the pull request is of: `owner/name` on GitHub, an id or a quoted path on GitLab.
        api: the address of the REST API, without a slash at its end.
        web: the project's own page.
        number: of the pull or merge request; None for a job that runs for none.
        head: the newest commit of the request itself, which is not the one that GitHub checks out.
        bases: what it is compared with, as revisions, the best first.
        guest: why its token may only read: a fork, or Dependabot; None where it may write.
        url: the job's page.
        summary: the file that GitHub shows as the summary of a step.
    """

    forge: Literal["github", "gitlab"]
    project: str
    api: str
    web: str | None
    number: str | None
    head: str | None
    bases: tuple[str, ...]
    guest: str | None
    url: str | None
    summary: Path | None


@dataclass(frozen=True)
class Token:
    """A secret, and the variable that held it; its value is in no text that is made of this object."""

    variable: str
    value: str = field(repr=False)

    @property
    def is_of_the_job(self) -> bool:
        """Whether it is GitLab's job token, which may do little."""
        return self.variable == "CI_JOB_TOKEN"


def job(env: Mapping[str, str] = os.environ) -> Job | None:
    """Return the job that this process runs in; None outside GitHub Actions and GitLab CI."""
    if env.get("GITHUB_ACTIONS") == "true" and env.get("GITHUB_REPOSITORY"):
        return _github(env)
    if env.get("GITLAB_CI") and env.get("CI_PROJECT_ID"):
        return _gitlab(env)
    return None


def token(job: Job, env: Mapping[str, str] = os.environ) -> Token | None:
    """Return the token that the job may write with; None where there is none.

    Raises:
        ReproofError: for a value that is no token, without the value.
    """
    for name in _TOKENS[job.forge]:
        value = env.get(name, "").strip()
        if not value:
            continue
        if len(value) > _MAX_TOKEN or not re.fullmatch(r"[\x21-\x7e]+", value):
            # Here, not from the HTTP library: its error would quote the header.
            raise ReproofError(
                "not a token",
                where=f"the variable {name}",
                expected="letters, digits and signs on one line, without spaces",
                hint="set it anew as a secret of the CI; a line break in the middle of it is the usual cause",
            )
        return Token(name, value)
    return None


def _github(env: Mapping[str, str]) -> Job:
    event = _event(env.get("GITHUB_EVENT_PATH"))
    request = _mapping(event, "pull_request")
    issue = _mapping(event, "issue")
    numbers = (
        git.pull_request(env),
        request.get("number"),
        issue.get("number") if "pull_request" in issue else None,
    )
    project = env["GITHUB_REPOSITORY"]
    if not re.fullmatch(r"(?!\.)[\w.-]+/(?!\.{1,2}$)[\w.-]+", project, re.ASCII):
        raise ReproofError(
            "not a repository", where="GITHUB_REPOSITORY", expected="owner/name", found=project[:100]
        )
    server = env.get("GITHUB_SERVER_URL", "https://github.com").rstrip("/")
    target = env.get("GITHUB_BASE_REF") or _mapping(request, "base").get("ref")
    bases = [f"origin/{target}", target, _mapping(request, "base").get("sha"), event.get("before")]
    summary = env.get("GITHUB_STEP_SUMMARY")
    return Job(
        forge="github",
        project=project,
        api=env.get("GITHUB_API_URL", "https://api.github.com").rstrip("/"),
        web=redact.url(f"{server}/{project}"),
        number=_first_number(numbers),
        head=_sha(_mapping(request, "head").get("sha")) or (None if request else _sha(env.get("GITHUB_SHA"))),
        bases=_revisions(bases if target else bases[2:]),
        guest=_guest(request, project, env),
        url=links.job(env)["url"] or None,
        summary=Path(summary) if summary else None,
    )


def _guest(request: Mapping[str, Any], project: str, env: Mapping[str, str]) -> str | None:
    """GitHub gives jobs of forks, and of Dependabot, a token that reads (its manual, GITHUB_TOKEN)."""
    if env.get("GITHUB_EVENT_NAME") == "pull_request_target":
        return None
    if request:
        # A fork that has been deleted is null.
        home = _mapping(request, "head", "repo").get("full_name")
        if not isinstance(home, str) or home.lower() != project.lower():
            return "a fork"
    return "Dependabot" if env.get("GITHUB_ACTOR") == "dependabot[bot]" else None


def _gitlab(env: Mapping[str, str]) -> Job:
    own, target = env["CI_PROJECT_ID"], env.get("CI_MERGE_REQUEST_PROJECT_ID") or env["CI_PROJECT_ID"]
    source = env.get("CI_MERGE_REQUEST_SOURCE_PROJECT_ID") or own
    branch = env.get("CI_MERGE_REQUEST_TARGET_BRANCH_NAME")
    fork_point = env.get("CI_MERGE_REQUEST_DIFF_BASE_SHA")
    is_fork = bool(env.get("CI_MERGE_REQUEST_IID")) and (source != target or own != target)
    named = [f"origin/{branch}", branch] if branch else []
    # In a fork's own pipeline `origin` is the fork, whose branches may be old.
    bases = [fork_point, *named] if is_fork else [*named, fork_point]
    address = env.get("CI_MERGE_REQUEST_PROJECT_URL") or env.get("CI_PROJECT_URL")
    server = env.get("CI_SERVER_URL", "https://gitlab.com").rstrip("/")
    return Job(
        forge="gitlab",
        project=target if _NUMBER.fullmatch(target) else quote(target, safe=""),
        api=env.get("CI_API_V4_URL", f"{server}/api/v4").rstrip("/"),
        web=redact.url(address.rstrip("/")) if address else None,
        number=_first_number([env.get("CI_MERGE_REQUEST_IID")]),
        head=_sha(env.get("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA")) or _sha(env.get("CI_COMMIT_SHA")),
        bases=_revisions(bases if branch or fork_point else [env.get("CI_COMMIT_BEFORE_SHA")]),
        guest="a fork" if is_fork else None,
        url=links.job(env)["url"] or None,
        summary=None,
    )


def _event(path: str | None) -> dict[str, Any]:
    """The payload that started a workflow; nothing where it cannot be read: it only adds facts."""
    if not path:
        return {}
    try:
        with open(path, "rb") as stream:
            data = stream.read(_MAX_EVENT_BYTES + 1)
        found = json.loads(data) if len(data) <= _MAX_EVENT_BYTES else None
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _mapping(value: Any, *keys: str) -> dict[str, Any]:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def _first_number(values: Any) -> str | None:
    texts = (str(value) for value in values if value is not None and not isinstance(value, bool))
    return next((text for text in texts if _NUMBER.fullmatch(text)), None)


def _sha(value: Any) -> str | None:
    return value if isinstance(value, str) and _SHA.fullmatch(value) else None


def _revisions(values: Any) -> tuple[str, ...]:
    """Those that can be one; forges write a commit of zeros where there is none."""
    texts = [value for value in values if isinstance(value, str) and value and not value.startswith("-")]
    return tuple(dict.fromkeys(text for text in texts if set(text) != {"0"}))
