"""Values into Markdown: escaped, so that no name breaks a table or becomes markup; numbers with sense."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from typing import Any

from reproof import redact

_SPECIAL = re.compile(r"([\\`*\[\]|~$]|(?<!\w)_|_(?!\w))")
_BLOCK = re.compile(r"#{1,6}(?=\s|$)|[+-](?=\s|$)|\d{1,9}(?=[.)](?:\s|$))|(?=[=-]+$)")
"""What makes a line that begins with it a heading, a list or a quotation."""
_MISSING = "–"


def text(value: Any) -> str:
    """Return a value as plain words: one line, no secret, and no character of it is Markdown or HTML."""
    flat = " ".join(redact.text(str(value)).split())
    words = _SPECIAL.sub(r"\\\1", html.escape(flat, quote=False))
    begin = _BLOCK.match(words)
    if begin is None:
        return words
    at = begin.end() if begin.group().isdigit() else 0
    return f"{words[:at]}\\{words[at:]}"


def code(value: Any) -> str:
    """Return a value as a code span without a secret, also when it holds backticks or pipes."""
    flat = " ".join(redact.text(str(value)).split())
    if not flat:
        return _MISSING
    longest = max((len(run) for run in re.findall(r"`+", flat)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if flat.startswith("`") or flat.endswith("`") else ""
    # A pipe ends a table's cell even inside a code span; GitHub and GitLab both undo this escape there.
    return f"{fence}{pad}{flat}{pad}{fence}".replace("|", "\\|")


def number(value: Any, digits: int = 4) -> str:
    """Return a number to `digits` significant digits; a dash where there is none, other values as words."""
    if value is None:
        return _MISSING
    if not _is_number(value):
        return text(value)
    if isinstance(value, int) or float(value).is_integer():
        return f"{int(value):,}" if abs(value) < 1e15 else f"{value:.{digits}g}"
    if 1e3 <= abs(value) < 1e15:
        return f"{float(f'{value:.{digits}g}'):,.0f}"
    return f"{value:.{digits}g}"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value - value == 0


def score(value: Any) -> str:
    """Return a metric to four decimals; very small or large ones to four significant digits."""
    if value is None:
        return _MISSING
    if not _is_number(value):
        return text(value)
    words = f"{value:.4f}" if value == 0 or 1e-3 <= abs(value) < 1e4 else f"{value:.4g}"
    return f"−{words[1:]}" if words.startswith("-") else words


def mean(value: float, sd: float | None) -> str:
    """Return a mean with its standard deviation, to its four decimals as far as they show one; or alone."""
    if sd is None:
        return score(value)
    return f"{score(value)} ± {f'{sd:.4f}' if 5e-5 <= sd < 1e-3 <= abs(value) else score(sd)}"


def signed(value: float | None) -> str:
    """Return a difference with its sign, to four decimals; a very small one to two significant digits."""
    if value is None:
        return _MISSING
    return (f"{value:+.4f}" if value == 0 or abs(value) >= 1e-4 else f"{value:+.2g}").replace("-", "−")


def between(interval: Sequence[float] | None, digits: int | None = None, *, with_sign: bool = False) -> str:
    """Return an interval as `low to high`, as scores, differences, or numbers to `digits` digits."""
    if not interval:
        return _MISSING
    shown = (signed(end) if with_sign else number(end, digits) if digits else score(end) for end in interval)
    return " to ".join(shown)


def yes_no(value: bool | None) -> str:
    """Return whether something holds, as words."""
    return "not known" if value is None else "yes" if value else "**no**"


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
    return number(item, 6) if isinstance(item, float) else text(item)


def metric_name(name: str) -> str:
    """Return a metric's name as people write it: `Accuracy`, `AUC`, `RMSE`."""
    return text(
        {"f1": "F1", "r2": "R²"}.get(name) or (name.upper() if name in _INITIALS else name.capitalize())
    )


_INITIALS = ("auc", "rmse", "mae", "ece")


def plain(value: str) -> str:
    """Return words for a fenced block of ours: they cannot end it."""
    return redact.text(str(value)).replace("`", "'")


def sentence(value: str) -> str:
    """Return a phrase as a sentence of plain words."""
    words = str(value).strip()
    return text(words[:1].upper() + words[1:] + ("" if words.endswith((".", "!", "?", ":")) else "."))


def p_value(probability: float) -> str:
    """Return a p-value to two significant digits; a very small one as a bound."""
    return "p < 0.0001" if probability < 1e-4 else f"p = {probability:.2g}"


_NUMBERS = (number, score, signed, between, size, duration, time, p_value, yes_no)
_WORDS = (text, code, value, metric_name, plain, sentence)
FILTERS = {function.__name__: function for function in (*_NUMBERS, *_WORDS)}
"""What templates call, by name."""
