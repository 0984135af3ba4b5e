"""A comparison as Markdown, and as the page that is made of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reproof.comparison.comparing import Comparison
from reproof.comparison.documents import shown_params, words

if TYPE_CHECKING:
    from reproof.report.figures import Figure

TEMPLATE = "comparison.md.jinja"
_MOST_ROWS = 30


def as_markdown(
    comparison: Comparison,
    *,
    title: str | None = "Comparison",
    root: Path | None = None,
    figures: Sequence[Figure] = (),
    folder: str = "figures",
) -> str:
    """Return a comparison as Markdown that any forge shows.

    Args:
        comparison: to show.
        title: of the document; None: no heading, for a part of another document.
        root: the project, for a template of its own.
        figures: to show.
        folder: where their files lie, from the document.

    Raises:
        ReproofError: when a template of the project's cannot be filled.
    """
    from reproof.report import templating

    base = comparison.baseline
    judged = [
        metric
        for metric in comparison.metrics
        if any(metric.name in one.verdicts for one in comparison.groups)
    ]
    context: dict[str, Any] = {
        "title": title,
        "c": comparison,
        "groups": comparison.groups[:_MOST_ROWS],
        "more": comparison.groups[_MOST_ROWS:],
        "is_base": lambda one: base is not None and one.name == base.name,
        "judged": judged,
        "params": shown_params.by_weight(comparison, comparison.groups),
        "alone": shown_params.left_out(comparison, comparison.groups),
        "words": words,
        "figures": figures,
        "folder": folder,
    }
    return templating.fill(templating.environment(root), TEMPLATE, context)


def as_html(
    comparison: Comparison,
    destination: Path,
    *,
    title: str = "Comparison",
    root: Path | None = None,
    figures: Sequence[Figure] = (),
) -> None:
    """Write a comparison as one page that needs no network; figures can be moved and zoomed there.

    Args:
        comparison: to show.
        destination: the HTML file.
        title: of the page.
        root: the project, for a template of its own.
        figures: to show.
    """
    from reproof.report import page

    written = as_markdown(comparison, title=title, root=root, figures=figures)
    page.write(
        destination,
        title=title,
        documents=[page.Document(destination.stem, title, written)],
        figures={f"figures/{figure.name}.svg": figure.spec for figure in figures},
        folder=None,
    )
