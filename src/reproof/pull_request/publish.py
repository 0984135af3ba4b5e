"""A report onto its pull request: the summary of the step first, then one comment that is kept up to date."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

from reproof import redact
from reproof.errors import ReproofError
from reproof.pull_request import ci, forge, github, gitlab
from reproof.pull_request.answer import Answer
from reproof.pull_request.ci import Job, Token
from reproof.pull_request.forge import Comment, Forge, Refused
from reproof.pull_request.http import Client, Patience, Unsure

FORGES: dict[str, Forge] = {ci.GITHUB: github, ci.GITLAB: gitlab}

_MAX_SUMMARY_BYTES = 1 << 20
"""Of one step on GitHub: what goes beyond it is dropped, all of it ("Workflow commands", in its manual)."""
_READ_ONLY = (401, 403, 404)


@dataclass(frozen=True)
class Published:
    """What became of a report.

    Attributes:
        action: what was done to the comment; None where there is none.
        url: of the comment.
        notice: why there is no comment, or what else is worth a line; for people.
    """

    action: Literal["created", "updated", "unchanged"] | None
    url: str | None = None
    notice: str | None = None


def mark(prefix: str) -> str:
    """Return the hidden line by which a comment is found again.

    Args:
        prefix: the project's folder from the top of the repository, so that several keep apart; '' at the
            top.
    """
    # Neither `--` nor `>` may stand in it: they would end it.
    name = quote(prefix.rstrip("/") or ".", safe="/.").replace("-", "%2D")
    return f"<!-- reproof:pull-request {name} -->"


def write_summary(job: Job, text: str) -> str | None:
    """Append a report to the summary of this step, where the forge has one; return what hinders it."""
    if job.summary is None:
        return None
    data = f"{text.rstrip()}\n".encode("utf-8", "backslashreplace")
    try:
        there = job.summary.stat().st_size if job.summary.exists() else 0
        if there + len(data) > _MAX_SUMMARY_BYTES:
            return f"the summary of this step stays as it is: it would exceed {_MAX_SUMMARY_BYTES:,} bytes"
        with job.summary.open("ab") as stream:
            stream.write(data)
    except OSError as error:
        return f"the summary of this step cannot be written: {error.strerror}"
    return None


def comment(
    job: Job,
    text: str,
    prefix: str,
    env: Mapping[str, str] = os.environ,
    patience: Patience = Patience(),  # noqa: B008 (frozen)
    sleep: Callable[[float], object] = time.sleep,
) -> Published:
    """Create the comment on the job's pull request, or bring the one that is there up to date.

    Args:
        job: as `ci.job` returns it.
        text: Markdown.
        prefix: see `mark`.
        env: where the token is.
        patience: with a forge that is slow, or wants us to wait.
        sleep: waits.

    Raises:
        ReproofError: when there is no token, the forge refuses it, or does not answer. A token that may only
            read, because the request comes from a fork, is no error but a notice.
    """
    if job.number is None:
        return Published(None, notice="this job runs for no pull request: there is nothing to comment on")
    kind = FORGES[job.forge]
    token = ci.token(job, env)
    if token is None:
        return _without_token(job, kind)
    client = Client(
        job.api, kind.SOURCE, kind.NAME, kind.headers(token), kind.is_limited, patience=patience, sleep=sleep
    )
    try:
        return _Thread(client, kind, job, token, env).keep(f"{mark(prefix)}\n{text.rstrip()}\n", mark(prefix))
    except Refused as refused:
        return _refused(refused.answer, job, kind, token)


class _Thread:
    """The comments of one pull request, as the holder of one token sees them."""

    def __init__(self, client: Client, kind: Forge, job: Job, token: Token, env: Mapping[str, str]) -> None:
        self._client, self._kind, self._job, self._token, self._env = client, kind, job, token, env

    def keep(self, body: str, line: str) -> Published:
        """Bring our comment to `body`."""
        unsure: Unsure | None = None
        for attempt in range(self._client.patience.attempts):
            ours = self._ours(line)
            if ours:
                done = self._change(ours, body)
                if done:
                    return done if unsure is None else Published("created", done.url, done.notice)
            try:
                answer = self._client.ask("POST", self._kind.comments_path(self._job), body={"body": body})
            except Unsure as error:
                # It may be there all the same: to send it again at once could make two.
                unsure = error
                self._client.sleep(self._client.patience.first_s * 2**attempt)
                continue
            made = self._read(forge.good(answer, self._kind))
            return Published("created", made.url)
        assert unsure is not None
        raise unsure.error

    def _change(self, ours: list[Comment], body: str) -> Published | None:
        """Change the oldest of our comments; None where it is not ours to change."""
        first = ours[0]
        notice = (
            f"{len(ours)} comments bear our mark: the oldest is kept up to date" if len(ours) > 1 else None
        )
        if _flat(first.body) == _flat(body):
            return Published("unchanged", first.url, notice)
        path = self._kind.comment_path(self._job, first)
        answer = self._client.ask(self._kind.CHANGE, path, body={"body": body})
        if answer.status in (403, 404):  # removed since, or another's after all
            return None
        return Published("updated", self._read(forge.good(answer, self._kind)).url or first.url, notice)

    def _ours(self, line: str) -> list[Comment]:
        """Comments that begin with our mark and are our own: anybody may write the mark."""
        marked = [
            found
            for found in forge.comments(self._client, self._kind, self._job)
            if found.body.lstrip().startswith(line)
        ]
        if not marked:
            return []
        me = self._me()
        if me is None:  # GitHub's token of a job or an app, which may not ask who it is
            return [found for found in marked if found.is_bot]
        return [found for found in marked if found.author == me]

    def _me(self) -> str | None:
        if self._token.is_of_the_job:
            return self._env.get("GITLAB_USER_ID")  # in whose name a job's token acts
        answer = self._client.ask("GET", self._kind.self_path())
        found = answer.json() if answer.is_good else None
        return self._kind.author(found) if isinstance(found, dict) else None

    def _read(self, answer: Answer) -> Comment:
        raw = answer.json()
        found = self._kind.comment(raw, self._job) if isinstance(raw, dict) else None
        if found is None:
            raise forge.not_the_api(answer, self._kind)
        return found


def _without_token(job: Job, kind: Forge) -> Published:
    if job.guest:
        return Published(None, notice=f"no comment: jobs for {job.guest} are given no token")
    raise ReproofError(
        f"no token for {kind.NAME}",
        expected="GITHUB_TOKEN" if kind is github else "GITLAB_TOKEN",
        hint="in the step's env: GITHUB_TOKEN: ${{ github.token }}"
        if kind is github
        else "make a project access token (role Reporter, scope api), and set it as a masked CI variable",
    )


def _refused(answer: Answer, job: Job, kind: Forge, token: Token) -> Published:
    words = answer.words.removeprefix(str(answer.status)).strip()  # GitLab's begin with it
    said = f"status {answer.status} {words}".strip().replace(token.value, redact.HIDDEN)
    hint = kind.hint(answer.status, job, token)
    if answer.status in _READ_ONLY and job.guest:
        return Published(
            None, notice=f"no comment: the token of a job for {job.guest} may only read ({said})"
        )
    if answer.status in _READ_ONLY and token.is_of_the_job:
        return Published(None, notice=f"no comment ({said}). {hint}")
    raise ReproofError(
        f"{kind.NAME} refuses the comment",
        where=f"{'#' if kind is github else '!'}{job.number} of {job.project}",
        found=said,
        hint=hint,
    )


def _flat(body: str) -> str:
    """Forges keep a body with their own line ends."""
    return "\n".join(line.rstrip() for line in body.splitlines()).strip()
