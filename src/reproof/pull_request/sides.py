"""The two sides of a pull request: the run that is proposed, and the one of the branch that it goes to."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reproof import revisions
from reproof.errors import ReproofError
from reproof.git_objects import Objects, objects
from reproof.history import Row, Rows
from reproof.history.rows import WORKSPACE
from reproof.invocation import LATEST
from reproof.pull_request.ci import Job

_USUAL = ("origin/HEAD", "origin/main", "origin/master", "main", "master")


@dataclass(frozen=True)
class Sides:
    """What is compared.

    Attributes:
        head: the run of this workspace, else that of HEAD; None where there is none.
        head_commit: the commit of the request; None before the first.
        base: the run that the base holds; None where there is none.
        base_name: the base as it was named.
        base_commit: what that stands for; None where this repository has no such revision.
        why: why there is no run on one side, in words.
        has_moved: whether the base holds another run than the one that this branch started from.
    """

    head: Row | None
    head_commit: str | None
    base: Row | None
    base_name: str
    base_commit: str | None
    why: str | None
    has_moved: bool = False


def choose(root: Path, rows: Rows, base: str | None, job: Job | None) -> Sides:
    """Find both sides.

    Args:
        root: the project.
        rows: all runs.
        base: a revision; None: what the CI job says, else the usual branches.
        job: the CI job.

    Raises:
        ReproofError: for a `base` that this repository does not have.
    """
    with objects(root) as held:
        head_commit = held.repo.head.commit.hexsha if held.repo.head.is_valid() else None
        name, commit = _base(held, base, job)
        head, why = _head(rows, held, head_commit)
        found = _row_at(rows, held, commit) if commit else None
        has_moved = False
        if commit and head_commit and found:
            point = _merge_base(held, commit, head_commit)
            before = _row_at(rows, held, point) if point and point != commit else found
            has_moved = before is not None and before.run.run_id != found.run.run_id
    if found is None:
        why = why or _no_base(name, commit)
    return Sides(head, job.head if job and job.head else head_commit, found, name, commit, why, has_moved)


def _no_base(name: str, commit: str | None) -> str:
    if commit:
        return f"{name} holds no run: it has nothing to be compared with"
    more = "; this clone may be shallow: fetch-depth: 0, or GIT_DEPTH: 0" if name else ""
    return f"there is no {name or 'branch to compare with'} here{more}"


def _base(held: Objects, base: str | None, job: Job | None) -> tuple[str, str | None]:
    if base is not None:
        return base, revisions.resolve(held.repo, base).commit
    candidates: Sequence[str] = (*(job.bases if job else ()), *_USUAL)
    for name in candidates:
        try:
            return name, revisions.resolve(held.repo, name).commit
        except ReproofError:
            continue
    return (job.bases[0] if job and job.bases else ""), None


def _head(rows: Rows, held: Objects, commit: str | None) -> tuple[Row | None, str | None]:
    own = next((row for row in rows.rows if WORKSPACE in row.names), None)
    if own is None and commit:
        own = _row_at(rows, held, commit)
    return own, None if own else f"no run is recorded here: {LATEST} holds none"


def _row_at(rows: Rows, held: Objects, commit: str) -> Row | None:
    """The run whose record a commit holds, whichever commit wrote it."""
    data = held.blob(f"{commit}:{held.prefix}{LATEST}/meta.json")
    try:
        run_id = json.loads(data or b"null")["run_id"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    matching = [row for row in rows.rows if row.run.run_id == run_id]
    exact = [row for row in matching if commit in row.commits]
    return next(iter([*exact, *matching]), None)


def _merge_base(held: Objects, one: str, other: str) -> str | None:
    import git as gitpython

    try:
        return str(held.repo.git.merge_base(one, other)) or None
    except gitpython.GitCommandError:  # no common history, or a shallow clone
        return None
