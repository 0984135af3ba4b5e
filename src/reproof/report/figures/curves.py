"""The course of a training: one figure a metric, one line a split."""

from __future__ import annotations

import csv
import re
from pathlib import Path

from reproof.errors import ReproofError
from reproof.report.figures.drawing import COLOURS, HEIGHT, WIDTH, Figure, chart, figure

_TAKEN = frozenset({"classes", "models", "confusion", "reliability", "robustness", "importance", "latency"})
"""Names of other figures, which a metric may bear too."""


def curves(path: Path) -> list[Figure]:
    """Return one figure for each metric of curves.csv, with a line for each split.

    Raises:
        ReproofError: when the file is no table of numbers with a column `step`.
    """
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = [{key: float(text) for key, text in row.items()} for row in csv.DictReader(stream)]
    except (ValueError, TypeError) as error:
        raise ReproofError("not a table of numbers", where=path, found=str(error)) from error
    if not rows:
        return []
    if "step" not in rows[0]:
        raise ReproofError("no column `step`", where=path, found=", ".join(rows[0]))
    by_metric: dict[str, dict[str, str]] = {}
    for column in rows[0]:
        if column != "step":
            split, _, metric = column.partition("_")  # a name without one is a metric of no split
            by_metric.setdefault(metric or column, {})[split if metric else "all"] = column
    return [_lines(metric, columns, rows) for metric, columns in sorted(by_metric.items(), key=_importance)]


def _importance(item: tuple[str, dict[str, str]]) -> tuple[int, str]:
    order = {"loss": 0, "accuracy": 1, "learning_rate": 2}
    return order.get(item[0], 3), item[0]


def _lines(metric: str, columns: dict[str, str], rows: list[dict[str, float]]) -> Figure:
    import altair as alt

    # Vega-Lite reads a title as an expression, which a backslash or a line break would end.
    title = " ".join(metric.replace("_", " ").replace("\\", "").split()).capitalize()
    values = [
        {"step": row["step"], "split": split, "value": row[column]}
        for split, column in columns.items()
        for row in rows
    ]
    splits = list(columns)
    last = ", ".join(f"{split} {rows[-1][column]:.4g}" for split, column in columns.items())
    legend = None if len(splits) == 1 else alt.Legend(title=None, orient="top-right")
    drawn = (
        chart(values, width=WIDTH, height=HEIGHT)
        .mark_line(strokeWidth=1.6)
        .encode(
            x=alt.X("step:Q", title="step", axis=alt.Axis(grid=False)),
            y=alt.Y("value:Q", title=title.lower(), scale=alt.Scale(zero=False)),
            color=alt.Color("split:N", sort=splits, scale=alt.Scale(range=COLOURS), legend=legend),
            tooltip=["step:Q", "split:N", alt.Tooltip("value:Q", format=".5g")],
        )
    )
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", metric)
    return figure(
        f"curve-{name}" if name in _TAKEN else name,
        title,
        f"{title} by step; last: {last}",
        drawn,
        is_curve=True,
    )
