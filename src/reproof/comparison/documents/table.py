"""The first screen: a sentence, a table that fits, and what to know beside it."""

from __future__ import annotations

import textwrap
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from reproof.comparison.comparing import Comparison
from reproof.comparison.documents import shown_params, words
from reproof.comparison.groups import Group
from reproof.comparison.metrics import Metric

WIDTH = 120
_MOST_ROWS = 30
_MOST_NAME = 32
_MOST_VALUE = 24
_MOST_TABLES = 3
_FIRST_PARAMS = 4
_GAP = "  "


@dataclass(frozen=True)
class _Column:
    """One column; `rank` says in which order columns are given up where the table is too wide, 0 is never."""

    title: str
    cells: list[str]
    rank: int
    is_number: bool = True

    @property
    def width(self) -> int:
        return max(_width(cell) for cell in (self.title, *self.cells))


def as_table(comparison: Comparison, *, width: int = WIDTH) -> str:
    """Return a comparison as text for a terminal.

    Args:
        comparison: to show.
        width: in characters; columns that do not fit are named below the table.
    """
    parts = [_wrapped(comparison.headline, width)]
    if comparison.groups:
        parts.append(_table(comparison, width))
    notes = [f"! {warning}" for warning in comparison.warnings]
    notes += words.reasons(comparison, comparison.sort)
    notes += [
        text
        for text in (words.pareto(comparison), words.verified(comparison), words.left_out(comparison))
        if text
    ]
    if comparison.groups:
        notes.append(words.method(comparison))
    parts.append("\n".join(_wrapped(note, width, "  ") for note in notes))
    text = "\n\n".join(part for part in parts if part)
    # Names of refs may hold what moves the cursor, or turns the line round.
    return "".join(char if char.isprintable() or char == "\n" else " " for char in text)


def _table(comparison: Comparison, width: int) -> str:
    """The table; columns that do not fit stand in a second one below, with the runs' names again."""
    shown = _shown(comparison)
    columns = _columns(comparison, shown)
    own, rest = _fitting(columns, width)
    tables = [_drawn(own, len(shown))]
    name = columns[0]
    while rest and len(tables) < _MOST_TABLES:
        more, left = _fitting([name, *rest], width)
        if len(more) < 2:
            break
        tables.append(_drawn(more, len(shown)))
        rest = left
    text = "\n\n".join(tables)
    if len(shown) < len(comparison.groups):
        more_lines = f"{len(comparison.groups) - len(shown)} more lines of {len(comparison.groups)}"
        text += f"\n{more_lines}: --query chooses among them, --format csv has all"
    for told in shown_params.left_out(comparison, shown):
        text += "\n" + _wrapped(told, width, "  ")
    if rest:
        titles = ", ".join(column.title for column in rest)
        text += "\n" + _wrapped(f"too wide for here: {titles}; --format md has all", width, "  ")
    return text


def _drawn(columns: Sequence[_Column], lines: int) -> str:
    drawn = [_line([column.title for column in columns], columns)]
    drawn.append(_line(["─" * column.width for column in columns], columns))
    drawn += [_line([column.cells[index] for column in columns], columns) for index in range(lines)]
    return "\n".join(drawn)


def _shown(comparison: Comparison) -> list[Group]:
    first = list(comparison.groups[:_MOST_ROWS])
    base = comparison.baseline
    if base is not None and all(one.name != base.name for one in first):
        first.append(base)
    return first


def _columns(comparison: Comparison, shown: Sequence[Group]) -> list[_Column]:
    base = comparison.baseline
    names = [_cut(one.name, _MOST_NAME) + (" *" if base and one.name == base.name else "") for one in shown]
    columns = [_Column("run (* baseline)" if base else "run", names, 0, is_number=False)]
    columns.append(_Column("n", [str(one.n) for one in shown], 0))
    names = shown_params.by_weight(comparison, shown)
    titles = _titles(comparison.varying)
    for index, name in enumerate(names):
        cells = [_cut(words.params(one, [name])[0], _MOST_VALUE) for one in shown]
        rank = 2 + index if index < _FIRST_PARAMS else 200 + index
        columns.append(_Column(_cut(titles[name], _MOST_VALUE), cells, rank))
    main = comparison.sort
    for metric in sorted(comparison.metrics, key=lambda one: one is not main and one != main):
        columns += _of_metric(metric, comparison, shown, is_main=metric == main)
    differs = [", ".join(one.differs) or words.MISSING for one in shown]
    if any(one.differs for one in shown):
        columns.append(
            _Column("also differs", [_cut(cell, _MOST_VALUE) for cell in differs], 1, is_number=False)
        )
    return columns


def _titles(names: Sequence[str]) -> dict[str, str]:
    """Params by their last part, where that is enough to tell them apart."""
    last = {name: name.rpartition(".")[2] for name in names}
    many = Counter(last.values())
    return {name: last[name] if many[last[name]] == 1 else name for name in names}


def _of_metric(
    metric: Metric, comparison: Comparison, shown: Sequence[Group], *, is_main: bool
) -> list[_Column]:
    means = _Column(
        _cut(metric.name, _MOST_VALUE), [words.mean(one, metric) for one in shown], 0 if is_main else 100
    )
    if comparison.baseline is None:
        return [means]
    verdicts = [one.verdicts.get(metric.name) for one in shown]
    if not any(verdicts):
        return [means]
    kinds = [words.kind(verdict) for verdict in verdicts]
    if not is_main:
        told = [
            cell if word == words.MISSING else f"{cell}  {word}"
            for cell, word in zip(means.cells, kinds, strict=True)
        ]
        return [_Column(means.title, told, 100, is_number=False)]
    columns = [
        means,
        _Column("difference (95% interval)", [words.difference(one) for one in verdicts], 0, is_number=False),
    ]
    p_values = [words.p_value(one) for one in verdicts]
    if set(p_values) != {words.MISSING}:
        columns.append(_Column("p" if comparison.comparisons < 2 else "p (BH)", p_values, 99))
    return [*columns, _Column("verdict", kinds, 0, is_number=False)]


def _fitting(columns: Sequence[_Column], width: int) -> tuple[list[_Column], list[_Column]]:
    """The columns that fit, in their order, and the others; the most wanted first."""
    kept = {id(column) for column in columns if column.rank == 0}
    used = sum(column.width + len(_GAP) for column in columns if column.rank == 0) - len(_GAP)
    for column in sorted((one for one in columns if one.rank), key=lambda one: one.rank):
        if used + len(_GAP) + column.width > width:
            break  # a less wanted one that would fit would stand before it
        kept.add(id(column))
        used += len(_GAP) + column.width
    return [c for c in columns if id(c) in kept], [c for c in columns if id(c) not in kept]


def _line(cells: Sequence[str], columns: Sequence[_Column]) -> str:
    padded = []
    for cell, column in zip(cells, columns, strict=True):
        blanks = " " * (column.width - _width(cell))
        padded.append(blanks + cell if column.is_number else cell + blanks)
    return _GAP.join(padded).rstrip()


def _width(text: str) -> int:
    """How many cells of a terminal a text takes: two each for wide letters, none for marks on others."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(char) in ("W", "F") for char in text)
    return len(text) + wide - sum(unicodedata.category(char) == "Mn" for char in text)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _wrapped(text: str, width: int, indent: str = "") -> str:
    return textwrap.fill(
        text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
