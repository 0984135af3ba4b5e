"""Markdown as HTML for one page: unique ids, links that stay in it where they can, no harm in any words."""

from __future__ import annotations

import html
import itertools
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from reproof.report.page import blocks, raw_html
from reproof.report.page.pictures import Pictures

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

_FRONT_MATTER = re.compile(r"\A---\n.*?^---(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_RESERVED = "content"
"""The id of the page's own main part."""


@dataclass(frozen=True)
class Heading:
    """A heading of a document: `words` without markup."""

    level: int
    id: str
    words: str


@dataclass(frozen=True)
class Part:
    """A document as HTML: `headings` for the table of contents, `figures` that it shows, by their path."""

    id: str
    title: str
    html: str
    headings: list[Heading]
    figures: list[str]


@dataclass(frozen=True)
class _Parsed:
    name: str
    id: str
    title: str
    tokens: list[Token]
    headings: list[Heading]
    anchors: dict[str, str]  # the id in the page of each heading, by the anchor that GitHub gives it


def convert(
    documents: Sequence[tuple[str, str, str]], pictures: Pictures, frames: Sequence[str] = ()
) -> list[Part]:
    """Return each document (name, title, Markdown) as a part of one page.

    Links between the documents (`inference.md#timing`) lead to their place in the page.
    """
    markdown = _parser()
    taken = {_RESERVED}
    parsed = [_parse(markdown, document, taken) for document in documents]
    allowed = {markdown.normalizeLink(address) for address in frames}
    parts = []
    for document in parsed:
        for token in _all(document.tokens):
            if token.type == "link_open":
                _lead(token, document, parsed)
        tokens, figures = blocks.arrange(document.tokens, pictures, allowed)
        blocks.place_pictures(tokens, pictures)
        body = markdown.renderer.render(tokens, markdown.options, {})
        parts.append(Part(document.id, document.title, body, document.headings, figures))
    return parts


def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    markdown = MarkdownIt("commonmark", {"html": True, "xhtmlOut": False}).enable(["table", "strikethrough"])
    setattr(markdown, "validateLink", _is_safe)  # noqa: B010 (its own way to replace a rule; a method to mypy)
    return markdown


def _is_safe(address: str) -> bool:
    """Whether a link may stand: to the web, to a mail address, or to a file by a relative path."""
    bare = re.sub(r"[\x00-\x20]", "", unquote(address))  # a browser skips these before it reads the scheme
    try:
        parts = urlsplit(bare)
    except ValueError:
        return False
    if parts.scheme in ("http", "https"):
        return bool(parts.netloc)
    relative = not parts.scheme and not parts.netloc and not bare.startswith(("/", "\\"))
    return relative or parts.scheme == "mailto"


def _parse(markdown: MarkdownIt, document: tuple[str, str, str], taken: set[str]) -> _Parsed:
    name, title, text = document
    tokens = markdown.parse(_FRONT_MATTER.sub("", text.replace("\r\n", "\n")))
    raw_html.clean(tokens)
    own = _free(_slug(name) or "document", taken)
    taken.add(own)
    if not any(token.type == "heading_open" and token.tag == "h1" for token in tokens):
        tokens = [*blocks.heading(title), *tokens]
    headings: list[Heading] = []
    anchors: dict[str, str] = {}
    for opening, inline in itertools.pairwise(tokens):
        if opening.type == "heading_open":
            words = _words(inline.children or [])
            anchor = _free(_slug(words), anchors)
            anchors[anchor] = _free(f"{own}-{anchor or 'section'}", taken)
            taken.add(anchors[anchor])
            opening.attrSet("id", anchors[anchor])
            headings.append(Heading(int(opening.tag[1]), anchors[anchor], words))
    return _Parsed(name, own, title, tokens, headings, anchors)


def _all(tokens: Sequence[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from _all(token.children or [])


def _words(tokens: Sequence[Token]) -> str:
    """The text of inline tokens, without markup, on one line."""
    out = []
    for token in tokens:
        if token.type in ("softbreak", "hardbreak"):
            out.append(" ")
        elif token.type == "html_inline":
            out.append(html.unescape(re.sub(r"<[^>]*>", "", token.content)))
        else:
            out.append(_words(token.children) if token.children else token.content)
    return " ".join("".join(out).split())


def _slug(words: str) -> str:
    """The anchor that GitHub gives a heading."""
    flat = unicodedata.normalize("NFC", words).lower()
    return re.sub(r"[^\w\- ]", "", flat).strip().replace(" ", "-")


def _free(name: str, taken: set[str] | dict[str, str]) -> str:
    """The name itself, or with the first number that makes it one of its own."""
    found, number = name, 0
    while found in taken:
        number += 1
        found = f"{name}-{number}"
    return found


def _lead(link: Token, own: _Parsed, parsed: Sequence[_Parsed]) -> None:
    """Where a link leads: to the place in this page where there is one."""
    parts = urlsplit(str(link.attrs.get("href", "")))
    if parts.scheme:
        link.attrSet("rel", "noopener noreferrer")
        return
    path = unquote(parts.path)
    target = own if not path else next((other for other in parsed if path == f"{other.name}.md"), None)
    if target is not None:
        link.attrSet("href", f"#{target.anchors.get(unquote(parts.fragment), target.id)}")
