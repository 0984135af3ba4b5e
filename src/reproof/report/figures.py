"""Figures as Vega-Lite, drawn to SVG: the same data gives the same bytes."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reproof import files
from reproof.errors import ReproofError

SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"
_COLOURS = ["#2f6db3", "#d1701f", "#4b8f6b"]  # they stay apart for colour-blind readers


@dataclass(frozen=True)
class Figure:
    """A figure: `name` is its file's, `alt` tells its content to those who cannot see it."""

    name: str
    title: str
    alt: str
    spec: dict[str, Any]


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
    by_metric: dict[str, list[str]] = {}
    for column in rows[0]:
        if column != "step":
            split, _, metric = column.partition("_")
            by_metric.setdefault(metric, []).append(split)
    return [_lines(metric, splits, rows) for metric, splits in sorted(by_metric.items(), key=_importance)]


def write(figures: list[Figure], folder: Path) -> None:
    """Draw each figure to `<folder>/<name>.svg`."""
    import vl_convert

    for figure in figures:
        svg = vl_convert.vegalite_to_svg(figure.spec)
        files.write_text(folder / f"{figure.name}.svg", svg if svg.endswith("\n") else svg + "\n")


def _importance(item: tuple[str, list[str]]) -> tuple[int, str]:
    order = {"loss": 0, "accuracy": 1}
    return order.get(item[0], 2), item[0]


def _lines(metric: str, splits: list[str], rows: list[dict[str, float]]) -> Figure:
    title = metric.replace("_", " ").capitalize()
    values = [
        {"step": row["step"], "split": split, "value": row[f"{split}_{metric}"]}
        for split in splits
        for row in rows
    ]
    last = ", ".join(f"{split} {rows[-1][f'{split}_{metric}']:.4g}" for split in splits)
    spec = {
        "$schema": SCHEMA,
        "title": {"text": title, "anchor": "start"},
        "width": 520,
        "height": 240,
        "background": "white",
        "data": {"values": values},
        "mark": {"type": "line", "strokeWidth": 1.6},
        "encoding": {
            "x": {"field": "step", "type": "quantitative", "title": "step", "axis": {"grid": False}},
            "y": {
                "field": "value",
                "type": "quantitative",
                "title": title.lower(),
                "scale": {"zero": False},
                "axis": {"gridColor": "#e6e6e6"},
            },
            "color": {
                "field": "split",
                "type": "nominal",
                "sort": splits,
                "scale": {"range": _COLOURS},
                "legend": None if len(splits) == 1 else {"title": None, "orient": "top-right"},
            },
        },
        "config": {"view": {"stroke": None}, "font": "sans-serif"},
    }
    return Figure(re.sub(r"[^A-Za-z0-9_-]+", "-", metric), title, f"{title} by step; last: {last}", spec)
