"""The figures of a report: Vega-Lite specs, drawn to SVG for Markdown and interactive on the page."""

from __future__ import annotations

from reproof.report.figures.curves import curves
from reproof.report.figures.drawing import Figure, redraw, write
from reproof.report.figures.evaluation import of_evaluation
from reproof.report.figures.use import of_use
from reproof.report.source import Source

__all__ = ["Figure", "curves", "of", "redraw", "write"]


def of(source: Source) -> list[Figure]:
    """Return every figure that a run's record allows."""
    path = source.file("curves.csv")
    drawn = curves(path) if path else []
    return [*drawn, *of_evaluation(source), *of_use(source)]
