"""reports/performance.json as a page with pictures: a pure function of that file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2
from performance_pictures import LABELS, pictures, shown

from reproof import files
from reproof.report import figures, markdown

TEMPLATE = Path(__file__).with_name("performance.md.jinja")
PARTS = (
    "logging",
    "startup",
    "pipeline",
    "resume",
    "capture_and_digests",
    "timing",
    "loadgen",
    "coverage",
    "history",
    "verify",
    "ab",
)


def write(source: Path, folder: Path) -> None:
    """Write `<folder>/performance.md` and its pictures, `<folder>/performance/*.svg`, out of the JSON."""
    found = files.read_json(source)
    drawn = pictures(found["parts"])
    figures.write(drawn, folder / "performance")
    files.write_text(folder / "performance.md", render(found))


def render(found: dict[str, Any]) -> str:
    """Return the page."""
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # Markdown: texts pass a filter of the library instead  # nosec B701
    )
    environment.filters |= markdown.FILTERS | {
        function.__name__: function for function in (spread, percent, share, decided)
    }
    parts = dict.fromkeys(PARTS) | found["parts"]
    drawn = {figure.name: figure for figure in pictures(parts)}
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(found | {"parts": parts, "LABELS": LABELS, "pictures": drawn})


def spread(summary: dict[str, Any] | None, factor: float = 1.0) -> str:
    """Return `median (low – high)`; a dash where there is nothing."""
    if summary is None:
        return "–"
    median, low, high = (shown(summary[name] * factor) for name in ("median", "low", "high"))
    return median if low == high else f"{median} ({low} – {high})"


def percent(value: float) -> str:
    """Return a share in percent."""
    return f"{100 * value:.0f}%"


def share(part: float, whole: float) -> str:
    """Return what share one number is of another, in percent."""
    return percent(part / whole)


def decided(verdict: str) -> str:
    """Return a verdict as it stands in a table."""
    return {"met": "met", "not met": "**not met**"}.get(verdict, f"*{verdict}*")
