"""Values into Markdown: escaped, so that no name breaks a table or becomes markup; numbers with sense."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any

from reproof import redact

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#|~!$])")
_MISSING = "–"


def text(value: Any) -> str:
    """Return a value as plain words: no character of it is Markdown or HTML, and it is one line."""
    flat = " ".join(str(value).split())
    return _SPECIAL.sub(r"\\\1", html.escape(flat, quote=False))


def code(value: Any) -> str:
    """Return a value as a code span, also when it holds backticks or pipes."""
    flat = " ".join(str(value).split())
    if not flat:
        return _MISSING
    longest = max((len(run) for run in re.findall(r"`+", flat)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if flat.startswith("`") or flat.endswith("`") else ""
    # A pipe ends a table's cell even inside a code span; GitHub and GitLab both undo this escape there.
    return f"{fence}{pad}{flat}{pad}{fence}".replace("|", "\\|")


def number(value: float | int | None, digits: int = 4) -> str:
    """Return a number to `digits` significant digits; a dash where there is none."""
    if value is None:
        return _MISSING
    if isinstance(value, int) or float(value).is_integer():
        return f"{int(value):,}" if abs(value) < 1e15 else f"{value:.{digits}g}"
    return f"{value:.{digits}g}"


def score(value: float | None) -> str:
    """Return a metric to four decimals; very small or large ones to four significant digits."""
    if value is None:
        return _MISSING
    return f"{value:.4f}" if value == 0 or 1e-3 <= abs(value) < 1e4 else f"{value:.4g}"


def size(count: float | None) -> str:
    """Return a number of bytes in the unit that people read."""
    if count is None:
        return _MISSING
    for unit in ("B", "kB", "MB"):
        if abs(count) < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB"


def duration(seconds: float | None) -> str:
    """Return a time span as people say it."""
    if seconds is None:
        return _MISSING
    if seconds < 120:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def time(stamp: str | None) -> str:
    """Return an ISO time as `2026-01-28 22:15:10 UTC`."""
    return _MISSING if not stamp else f"{stamp[:10]} {stamp[11:19]} UTC"


def value(item: Any) -> str:
    """Return a param's value as it stands in YAML, short."""
    if isinstance(item, list):
        return ", ".join(value(part) for part in item) or "none"
    if isinstance(item, Mapping) or item is None or isinstance(item, bool):
        return str(item).lower() if isinstance(item, bool) else "null" if item is None else text(item)
    return number(item, 6) if isinstance(item, float) else text(redact.text(str(item)))


FILTERS = {
    function.__name__: function for function in (text, code, number, score, size, duration, time, value)
}
