"""Numbers of pull requests and issues: out of merge commits, as forges write them, and out of trailers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reproof import git
from reproof.errors import ReproofError
from reproof.pull_request import ci

_MAX_COMMITS = 200
_NUMBER = r"([0-9]{1,9})(?!\w)"

_MERGED = re.compile(
    rf"^Merge pull request #{_NUMBER} from \S"  # GitHub, a merge commit
    rf"|\(#{_NUMBER}\)$"  # GitHub, squash and rebase
    rf"|\(!{_NUMBER}\)$"  # GitLab, where the template of squash messages has the reference
)
"""In a subject."""
_SEE = re.compile(rf"^See merge request (?:[\w./~-]+)?!{_NUMBER}\s*$", flags=re.M)
"""In the body of GitLab's merge commits."""
_REQUESTS = ("pull-request", "merge-request", "pr", "mr")
_ISSUES = (
    "issue",
    "issues",
    "refs",
    "ref",
    "closes",
    "close",
    "fixes",
    "fix",
    "resolves",
    "related",
    "see-also",
)
"""Trailers, in small letters."""
_ADDRESS = re.compile(rf"https?://[^\s/]+/\S+?/(?P<kind>pull|merge_requests|issues|work_items)/{_NUMBER}")
_REFERENCE = re.compile(rf"(?<![\w&])(?P<sign>[#!]){_NUMBER}")
_CLOSING = re.compile(
    rf"\b(?:close[sd]?|closing|fix(?:e[sd]|ing)?|resolve[sd]?|resolving|implement(?:s|ed|ing)?):?\s+#{_NUMBER}",
    flags=re.I,
)
"""As GitHub ("Linking a pull request to an issue") and GitLab ("Default closing pattern") read it."""


@dataclass(frozen=True)
class References:
    """What a commit, or several, name: numbers as text, without `#` and `!`, in the order they stand in."""

    pull_requests: tuple[str, ...] = ()
    issues: tuple[str, ...] = ()


def of_message(message: str, trailers: Mapping[str, Sequence[str]]) -> References:
    """Return what a commit's message names.

    Args:
        message: the whole of it.
        trailers: as `trailers.parsed` returns them.
    """
    subject, _, body = message.strip().partition("\n")
    requests = [_number(found) for found in (*_MERGED.finditer(subject.strip()), *_SEE.finditer(body))]
    issues = [found.group(1) for found in _CLOSING.finditer(message)]
    for name, values in trailers.items():
        for value in values:
            _of_trailer(name.lower(), value, requests, issues)
    own = tuple(dict.fromkeys(requests))
    return References(own, tuple(number for number in dict.fromkeys(issues) if number not in own))


def _of_trailer(name: str, value: str, requests: list[str], issues: list[str]) -> None:
    if name not in (*_REQUESTS, *_ISSUES):
        return
    for found in _ADDRESS.finditer(value):
        is_request = found.group("kind") in ("pull", "merge_requests")
        (requests if is_request else issues).append(found.group(2))
    rest = _ADDRESS.sub(" ", value)
    for found in _REFERENCE.finditer(rest):
        # `#` is an issue's sign on GitLab and both on GitHub; the trailer's name says which is meant.
        is_request = found.group("sign") == "!" or name in _REQUESTS
        (requests if is_request else issues).append(found.group(2))
    if name in _REQUESTS and re.fullmatch(_NUMBER, value):
        requests.append(value)


def of_range(root: Path, base: str | None, head: str = "HEAD") -> References:
    """Return what the commits of `base..head` name, the newest first; of `head` alone where there is no base.

    At most 200 commits are read. Git's own reading of trailers counts.

    Raises:
        ReproofError: when Git refuses.
    """
    import git as gitpython

    from reproof.pull_request import trailers

    revisions = [f"{base}..{head}"] if base else ["--no-walk", head]
    try:
        with git.open_repository(root) as repo:
            listed = repo.git.log("-z", "--format=%B", f"--max-count={_MAX_COMMITS}", *revisions, "--")
    except gitpython.GitCommandError as error:
        raise ReproofError("Git refuses", where=" ".join(revisions), found=git.said(error)) from error
    found = []
    for message in filter(None, (one.strip() for one in str(listed).split("\0"))):
        # Most messages name nothing: only of others Git is asked.
        read = trailers.parsed(message, root) if re.search(r"^\w[\w-]*:", message, re.M) else {}
        found.append(of_message(message, read))
    return _together(found)


def pull_request(root: Path, env: Mapping[str, str], head: str = "HEAD") -> str | None:
    """Return the number of the pull or merge request that a commit belongs to; None where nothing tells.

    Args:
        root: the project.
        env: of the process: what CI says goes before what the commit says.
        head: the commit.
    """
    job = ci.job(env)
    if job and job.number:
        return job.number
    return next(iter(of_range(root, None, head).pull_requests), None)


def _together(found: Iterable[References]) -> References:
    rows = list(found)
    requests = dict.fromkeys(number for one in rows for number in one.pull_requests)
    issues = dict.fromkeys(number for one in rows for number in one.issues if number not in requests)
    return References(tuple(requests), tuple(issues))


def _number(found: re.Match[str]) -> str:
    return next(group for group in found.groups() if group)
