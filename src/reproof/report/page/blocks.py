"""What stands between the words of a document: tables, figures, lists of tasks, and pages from elsewhere."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from reproof.report.page.pictures import Pictures

if TYPE_CHECKING:
    from markdown_it.token import Token

_STATUS = re.compile(r"Status: (success|partial|failed|in[ _]progress)")
_TASK = re.compile(r"\[([ xX])\] ")
_CAPTION = re.compile(r"(?:;|:|\.) ")
_INTERVAL = re.compile(r"(.* )(\([^()]*\))")
_NAME, _SHORT, _LONG, _WIDE = 12, 24, 40, 8
"""Characters: of a column's name and a cell on one line, of a cell that wants room; columns: a wide table."""


def arrange(
    tokens: Sequence[Token], pictures: Pictures, frames: Collection[str]
) -> tuple[list[Token], list[str]]:
    """Return the tokens of a document as the page shows them, and the paths of the figures among them."""
    out: list[Token] = []
    figures: list[str] = []
    index = 0
    while index < len(tokens):
        end = index + 1
        token = tokens[index]
        if token.type == "paragraph_open":
            end = index + 3
            out += _paragraph(tokens[index:end], pictures, frames, figures)
        elif token.type == "table_open":
            end = next(i for i in range(index, len(tokens)) if tokens[i].type == "table_close") + 1
            out += _table(tokens[index:end])
        else:
            if token.type == "list_item_open":
                _task(token, tokens[index + 1 : index + 3])
            out.append(token)
        if index + 1 < len(tokens) and tokens[index + 1].type == "inline":
            _badges(tokens[index + 1].children or [])
        index = end
    return out, list(dict.fromkeys(figures))


def heading(title: str) -> list[Token]:
    """Return the tokens of a heading of the first level."""
    from markdown_it.token import Token

    words = Token("text", "", 0, content=title)
    return [
        Token("heading_open", "h1", 1, block=True),
        Token("inline", "", 0, children=[words], content=title, block=True),
        Token("heading_close", "h1", -1, block=True),
    ]


def place_pictures(tokens: Sequence[Token], pictures: Pictures) -> None:
    """Put the pictures among words into the page, in place; one that is not at hand becomes a link."""
    for token in tokens:
        linked = False
        children = token.children or []
        for index, child in enumerate(children):
            linked = {"link_open": True, "link_close": False}.get(child.type, linked)
            if child.type != "image":
                continue
            if data := pictures.data_uri(str(child.attrs.get("src", ""))):
                source = f'<img src="{data}" alt="{_escaped(_alt(child))}">'
            else:
                source = _escaped(_alt(child)) if linked else _instead(child)
            children[index] = _html(source, "html_inline")


def _paragraph(
    paragraph: Sequence[Token], pictures: Pictures, frames: Collection[str], figures: list[str]
) -> list[Token]:
    children = paragraph[1].children or []
    content = [child for child in children if child.type not in ("softbreak", "hardbreak")]
    content = [child for child in content if child.type != "text" or child.content.strip()]
    if content and all(child.type == "image" for child in content):
        many = " many" if len(content) > 1 else ""
        shown = "".join(_figure(child, pictures, figures) for child in content)
        return [_html(f'<div class="figures{many}">\n{shown}</div>\n')]
    if content and content[0].type == "link_open" and content[0].attrs.get("href") in frames:
        closing = [child.type for child in content].index("link_close")
        if closing == len(content) - 1:
            return [*paragraph, _html(_frame(content))]
    return list(paragraph)


def _figure(picture: Token, pictures: Pictures, figures: list[str]) -> str:
    """The picture with its caption; the page's script draws the figure of that name over it."""
    alt, source = _alt(picture), str(picture.attrs.get("src", ""))
    data = pictures.data_uri(source)
    if data is None:
        return f"<p>{_instead(picture)}</p>\n"
    name = pictures.figure(source)
    drawn = ""
    if name is not None:
        figures.append(name)
        drawn = f' data-figure="{_escaped(name)}"'
    caption = str(picture.attrs.get("title", "")) or _CAPTION.split(alt, maxsplit=1)[0]
    below = f"<figcaption>{_escaped(caption)}</figcaption>\n" if caption else ""
    return f'<figure{drawn}>\n<img src="{data}" alt="{_escaped(alt)}">\n{below}</figure>\n'


def _instead(picture: Token) -> str:
    """A link to a picture that is not at hand."""
    source = _escaped(str(picture.attrs.get("src", "")))
    return f'<a href="{source}" rel="noopener noreferrer">{_escaped(_alt(picture)) or source}</a>'


def _frame(content: Sequence[Token]) -> str:
    address = _escaped(str(content[0].attrs["href"]))
    title = _escaped("".join(child.content for child in content[1:-1]))
    return (
        f'<iframe src="{address}" title="{title}" sandbox="allow-scripts allow-same-origin" loading="lazy" '
        'referrerpolicy="no-referrer"></iframe>\n'
    )


def _table(table: Sequence[Token]) -> list[Token]:
    """A table in a box that scrolls. Without words in its head it is a list of facts, each with its name."""
    rows = list(table)
    heads = [table[i + 1].content for i, token in enumerate(table) if token.type == "th_open"]
    for cell, inline in itertools.pairwise(table):
        if cell.type in ("th_open", "td_open"):
            _cell(cell, inline)
            _badges(inline.children or [])
    if not any(words.strip() for words in heads):
        end = next(i for i, token in enumerate(table) if token.type == "thead_close")
        rows = [table[0], *table[end + 1 :]]
        table[0].attrSet("class", "facts")
        for row, name, _, closing in zip(rows, rows[1:], rows[2:], rows[3:], strict=False):
            if row.type == "tr_open":
                name.tag = closing.tag = "th"
                name.attrSet("scope", "row")
    box = "table wide" if len(heads) >= _WIDE else "table"
    return [_html(f'<div class="{box}">\n'), *rows, _html("</div>\n")]


def _cell(cell: Token, inline: Token) -> None:
    """How a cell's lines may break: a number not at all, an interval in brackets may stand below its value.

    Alignment becomes a class too: the page's policy forbids style attributes.
    """
    side = str(cell.attrs.pop("style", "")).removeprefix("text-align:")
    kinds = [side] if side in ("right", "center") else []
    children = inline.children or []
    last = children[-1] if children and children[-1].type == "text" else None
    if side == "right" and last and (found := _INTERVAL.fullmatch(last.content)):
        kinds.append("loose")
        last.content = found[1]
        children.append(_html(f'<span class="whole">{_escaped(found[2])}</span>', "html_inline"))
    elif cell.type == "th_open":
        kinds.append("short" if len(inline.content) <= _NAME else "head")
    elif side != "right":
        kinds += (
            ["short"] if len(inline.content) <= _SHORT else ["long"] if len(inline.content) > _LONG else []
        )
    if kinds:
        cell.attrSet("class", " ".join(kinds))


def _task(item: Token, content: Sequence[Token]) -> None:
    """`- [ ] words` and `- [x] words`: a box that shows its state."""
    from markdown_it.token import Token

    children = content[-1].children if content and content[-1].type == "inline" else None
    if not children or children[0].type != "text" or not (box := _TASK.match(children[0].content)):
        return
    done = box[1] in "xX"
    children[0].content = children[0].content[box.end() :]
    attributes: dict[str, str | int | float] = {
        "type": "checkbox",
        "disabled": "",
        "aria-label": "done" if done else "to do",
    }
    children.insert(0, Token("task_box", "input", 0, attrs=attributes | ({"checked": ""} if done else {})))
    item.attrSet("class", "task")


def _badges(children: Sequence[Token]) -> None:
    for opening, words, closing in zip(children, children[1:], children[2:], strict=False):
        strong = opening.type == "strong_open" and closing.type == "strong_close"
        if strong and words.type == "text" and (status := _STATUS.fullmatch(words.content)):
            opening.attrSet("class", "status " + re.sub("[ _]", "-", status[1]))


def _alt(picture: Token) -> str:
    return "".join(
        child.content if child.type != "softbreak" else " " for child in picture.children or []
    ).strip()


def _html(source: str, kind: str = "html_block") -> Token:
    from markdown_it.token import Token

    return Token(kind, "", 0, content=source, block=kind == "html_block")


def _escaped(text: str) -> str:
    from markdown_it.common.utils import escapeHtml

    return escapeHtml(text)
