"""HTML that people write inside Markdown: a few harmless tags pass, everything else is shown as text.

Neither the words of a note nor a hostile name that found its way into a document can run a script or swallow
what follows: a tag passes only bare (no attributes), and only with its partner in the same place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it.token import Token


_BLOCK = ("details", "summary")
_INLINE = ("sub", "sup", "kbd")
_TAG = re.compile(rf"<!--(?!-?>).*?-->|<(/?)({'|'.join((*_BLOCK, *_INLINE, 'br'))})\s*/?>", re.I | re.S)
_AMPERSAND = re.compile(r"&(?!#\d{1,7};|#[xX][0-9a-fA-F]{1,6};|[A-Za-z][A-Za-z0-9]{1,31};)")


@dataclass
class _Piece:
    """A part of a raw HTML token: words, or a tag, which is `shown` as a tag only with its partner."""

    source: str
    tag: str = ""
    closes: bool = False
    shown: bool = False

    def html(self) -> str:
        return self.source if self.shown else _escape(self.source)


def clean(tokens: Sequence[Token]) -> None:
    """Replace the content of every raw HTML token by what may be shown of it, in place."""
    found: list[tuple[Token, list[_Piece]]] = []
    _walk(tokens, found, [])
    for token, pieces in found:
        token.content = (
            _in_paragraphs(pieces)
            if token.type == "html_block"
            else "".join(piece.html() for piece in pieces)
        )


def _walk(
    tokens: Sequence[Token], found: list[tuple[Token, list[_Piece]]], open_: list[_Piece | None]
) -> None:
    """Collect the raw HTML and find the partners; `open_` is what is open, None for a Markdown element."""
    for token in tokens:
        if token.nesting == 1:
            open_.append(None)
        elif token.nesting == -1:
            while open_.pop() is not None:
                pass
        elif token.children:
            open_.append(None)
            _walk(token.children, found, open_)
            while open_.pop() is not None:
                pass
        elif token.type in ("html_inline", "html_block"):
            block = token.type == "html_block"
            pieces = list(_split(token.content, (*_BLOCK, *_INLINE) if block else _INLINE))
            found.append((token, pieces))
            for piece in pieces:
                _pair(piece, open_)
            if block:
                _drop_inline(open_)


def _split(source: str, allowed: tuple[str, ...]) -> Iterator[_Piece]:
    end = 0
    for match in _TAG.finditer(source):
        yield _Piece(source[end : match.start()])
        end = match.end()
        name = (match[2] or "").lower()
        if name == "br":
            yield _Piece("<br>", shown=True)
        elif name in allowed:
            yield _Piece(f"<{match[1]}{name}>", name, closes=bool(match[1]))
        elif name:
            yield _Piece(match[0])
    yield _Piece(source[end:])


def _pair(piece: _Piece, open_: list[_Piece | None]) -> None:
    if not piece.tag:
        return
    if piece.tag in _BLOCK:
        _drop_inline(open_)
    if not piece.closes:
        open_.append(piece)
        return
    for index in range(len(open_) - 1, -1, -1):
        partner = open_[index]
        if partner is None:
            return
        if partner.tag == piece.tag:
            partner.shown = piece.shown = True
            del open_[index:]
            return


def _drop_inline(open_: list[_Piece | None]) -> None:
    """What is for words cannot hold what stands between paragraphs."""
    while open_ and (last := open_[-1]) is not None and last.tag in _INLINE:
        open_.pop()


def _in_paragraphs(pieces: list[_Piece]) -> str:
    """The pieces with paragraphs around the words that stand in none, as a summary is one."""
    out: list[str] = []
    words: list[str] = []
    inside: list[str] = []

    def flush() -> None:
        text = "".join(words).strip()
        if text:
            out.append(text if inside and inside[-1] == "summary" else f"<p>{text}</p>\n")
        words.clear()

    for piece in pieces:
        if piece.shown and piece.tag in _BLOCK:
            flush()
            out.append(piece.source)
            if not piece.closes:
                inside.append(piece.tag)
            elif inside:
                inside.pop()
        else:
            words.append(piece.html())
    flush()
    return "".join(out) + "\n"


def _escape(text: str) -> str:
    words = _AMPERSAND.sub("&amp;", text)
    return words.replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
