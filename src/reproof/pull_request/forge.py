"""What a forge is to us: one file each, one shape; and the comments that it keeps."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from reproof.errors import ReproofError
from reproof.pull_request.answer import Answer
from reproof.pull_request.ci import Job, Token
from reproof.pull_request.http import Client

_MAX_PAGES = 100
"""Of a hundred comments each."""
_LINK = re.compile(r"<([^<>]*)>((?:\s*;\s*[\w*-]+\s*=\s*(?:\"[^\"]*\"|[^\s\",;]+))*)")


@dataclass(frozen=True)
class Comment:
    """A comment on a pull request. `author` is an id on GitLab and a login on GitHub."""

    id: int
    body: str
    author: str
    is_bot: bool
    url: str | None


class Forge(Protocol):
    """A file with these names is one."""

    NAME: str
    SOURCE: str
    """The variable that holds the address of its API."""

    def headers(self, token: Token) -> dict[str, str]:
        """Return the headers of each request, the token among them."""

    def is_limited(self, answer: Answer) -> bool:
        """Whether a refusal (403, 429) means that we ask too often."""

    def comments_path(self, job: Job) -> str:
        """Return where comments are listed and made."""

    def comment_path(self, job: Job, comment: Comment) -> str:
        """Return where one is changed."""

    CHANGE: str
    """The method that changes one."""

    LISTED: dict[str, str]
    """How they are listed: the oldest first, as many a page as there may be."""

    def comment(self, raw: Mapping[str, Any], job: Job, /) -> Comment | None:
        """Return what a list of comments holds; None for what is not a comment of somebody's."""

    def self_path(self) -> str:
        """Return where the API says whose the token is."""

    def author(self, raw: Mapping[str, Any]) -> str | None:
        """Return the `Comment.author` of an answer of that."""

    def hint(self, status: int, job: Job, token: Token) -> str:
        """Return what to do about a refusal."""


def comments(client: Client, forge: Forge, job: Job) -> Iterator[Comment]:
    """Yield the comments of a pull request, the oldest first, page after page.

    Raises:
        Refused: when the API refuses.
        ReproofError: when an answer is not one of the API, or there is no end.
    """
    answer = client.ask("GET", forge.comments_path(job), forge.LISTED)
    for _ in range(_MAX_PAGES):
        rows = good(answer, forge).json()
        if not isinstance(rows, list):
            raise not_the_api(answer, forge)
        for row in rows:
            found = forge.comment(row, job) if isinstance(row, dict) else None
            if found:
                yield found
        path = _next(client, answer)
        if path is None:
            return
        answer = client.ask("GET", path)
    raise ReproofError(f"more than {100 * _MAX_PAGES:,} comments, or pages without end", where=forge.NAME)


class Refused(Exception):
    """An answer that is no good one, and no reason to ask again."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"status {answer.status}")
        self.answer = answer


def good(answer: Answer, forge: Forge) -> Answer:
    """Return a good answer.

    Raises:
        Refused: for another.
        ReproofError: for one of the third hundred, which no API of these gives.
    """
    if answer.status < 400 and not answer.is_good:
        raise not_the_api(answer, forge)
    if not answer.is_good:
        raise Refused(answer)
    return answer


def not_the_api(answer: Answer, forge: Forge) -> ReproofError:
    """Return the error for an answer that is another program's, such as the page of a proxy."""
    return ReproofError(
        f"not an answer of {forge.NAME}'s API",
        where=f"the address in {forge.SOURCE}",
        found=f"status {answer.status}, {answer.headers.get('content-type', 'of no type')[:100]}",
        hint="a proxy or a login page may stand between",
    )


def _next(client: Client, answer: Answer) -> str | None:
    """The next page by the header Link (RFC 8288), which both forges' manuals say to follow."""
    header = answer.headers.get("link", "")
    for address, attributes in _LINK.findall(header[:10_000]):
        if re.search(r";\s*rel\s*=\s*\"?(?:[^\";]*\s)?next(?:[\s\";]|$)", attributes):
            path = client.page(address)
            if path is None:
                raise ReproofError("the next page of comments is on another host", where=client.forge)
            return path
    return None
