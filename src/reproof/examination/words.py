"""Values into Markdown: no name out of a model becomes markup. Reports, above, have their own filters."""

from __future__ import annotations

import re
from typing import Any

from reproof import redact

_SPECIAL = re.compile(r"([\\`*\[\]|~$&<>]|(?<!\w)_|_(?!\w))")
_BLOCK = re.compile(r"#{1,6}(?=\s|$)|[+-](?=\s|$)|\d{1,9}(?=[.)](?:\s|$))|(?=[=-]+$)")
"""What makes a line, or a list's item, that begins with it a heading or a list."""
_MOST = 300
"""Letters of one value: a model's own words may be of any length."""


def text(value: Any) -> str:
    """Return a value as plain words on one line, with every sign of Markdown and HTML escaped."""
    flat = " ".join(redact.text(str(value)).split())
    flat = "".join(letter if letter.isprintable() else "\ufffd" for letter in flat)
    words = _SPECIAL.sub(r"\\\1", flat if len(flat) <= _MOST else f"{flat[:_MOST]}…")
    begin = _BLOCK.match(words)
    if begin is None:
        return words
    at = begin.end() if begin.group().isdigit() else 0
    return f"{words[:at]}\\{words[at:]}"


def code(value: Any) -> str:
    """Return a value as a code span, also when it holds backticks; a command that must be copied."""
    flat = " ".join(redact.text(str(value)).split())
    longest = max((len(run) for run in re.findall(r"`+", flat)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if flat.startswith("`") or flat.endswith("`") else ""
    return f"{fence}{pad}{flat}{pad}{fence}"


def size(count: int) -> str:
    """Return bytes in the unit that people read."""
    number = float(count)
    for unit in ("B", "kB", "MB"):
        if number < 1000:
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:.3g} GB"


def duration(seconds: float) -> str:
    """Return about how long something takes."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
