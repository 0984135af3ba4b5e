"""Figures as the reports have them: curves, points beside a line, a matrix, and small multiples."""

from __future__ import annotations

import math
import struct
import zlib
from pathlib import Path
from typing import Any

from reproof.report import page
from reproof.report.page import Document

_BLUE, _ORANGE = "#2f6db3", "#d1701f"


def figures() -> dict[str, dict[str, Any]]:
    """Return the specifications that tests/page_documents name, by path."""
    return {
        "figures/loss.svg": curve("Loss", [("train", 2.3, 0.02), ("validation", 2.3, 0.08)]),
        "figures/accuracy.svg": curve("Accuracy", [("train", 0.1, 1.0), ("validation", 0.1, 0.967)]),
        "figures/learning_rate.svg": curve("Learning rate", [("train", 0.002, 4.9e-7)]),
        "figures/confusion.svg": confusion(),
        "figures/calibration.svg": calibration(),
        "figures/robustness.svg": robustness(),
    }


def curve(title: str, series: list[tuple[str, float, float]]) -> dict[str, Any]:
    """Return a line by step for each (split, first value, last value)."""
    values = [
        {"step": step, "split": split, "value": last + (first - last) * math.exp(-step / 80)}
        for split, first, last in series
        for step in range(0, 600, 10)
    ]
    return _styled(
        title,
        {
            "width": 520,
            "height": 240,
            "data": {"values": values},
            "mark": {"type": "line", "strokeWidth": 1.6},
            "encoding": {
                "x": {"field": "step", "type": "quantitative", "title": "step", "axis": {"grid": False}},
                "y": {"field": "value", "type": "quantitative", "title": title.lower()},
                "color": {
                    "field": "split",
                    "type": "nominal",
                    "scale": {"range": [_BLUE, _ORANGE]},
                    "legend": {"title": None, "orient": "top-right"} if len(series) > 1 else None,
                },
            },
        },
    )


def confusion() -> dict[str, Any]:
    """Return a matrix of colours with its counts written over them."""
    values = [
        {"truth": str(row), "predicted": str(column), "examples": 25 if row == column else (row * column) % 3}
        for row in range(10)
        for column in range(10)
    ]
    side = {"type": "nominal", "axis": {"labelAngle": 0}}
    return _styled(
        "Confusion matrix, test",
        {
            "width": 340,
            "height": 340,
            "data": {"values": values},
            "encoding": {"x": {"field": "predicted", **side}, "y": {"field": "truth", **side}},
            "layer": [
                {
                    "mark": "rect",
                    "encoding": {
                        "color": {
                            "field": "examples",
                            "type": "quantitative",
                            "scale": {"range": ["#f7fbff", "#08519c"]},
                            "legend": None,
                        }
                    },
                },
                {
                    "mark": {"type": "text", "fontSize": 11},
                    "encoding": {
                        "text": {"field": "examples"},
                        "color": {
                            "condition": {"test": "datum.examples > 12", "value": "white"},
                            "value": "#222",
                        },
                    },
                },
            ],
        },
    )


def calibration() -> dict[str, Any]:
    """Return points beside a line of another source."""
    bins = [{"confidence": 0.35 + i / 10, "accuracy": 0.3 + i / 9.5, "examples": 3**i} for i in range(7)]
    return _styled(
        "Calibration",
        {
            "width": 300,
            "height": 300,
            "layer": [
                {
                    "data": {"values": [{"x": 0, "y": 0}, {"x": 1, "y": 1}]},
                    "mark": {"type": "line", "strokeDash": [4, 4], "color": "black"},
                    "encoding": {
                        "x": {"field": "x", "type": "quantitative"},
                        "y": {"field": "y", "type": "quantitative"},
                    },
                },
                {
                    "data": {"values": bins},
                    "mark": {"type": "point", "filled": True, "color": _BLUE},
                    "encoding": {
                        "x": {"field": "confidence", "type": "quantitative"},
                        "y": {"field": "accuracy", "type": "quantitative"},
                        "size": {"field": "examples", "type": "quantitative"},
                    },
                },
            ],
        },
    )


def robustness() -> dict[str, Any]:
    """Return small multiples: bars with their intervals for each corruption."""
    values = [
        {"corruption": name, "strength": str(level), "low": 0.95 - level / 12, "high": 0.99 - level / 13}
        for name in ("noise", "blur", "rotation")
        for level in (1, 2, 3)
    ]
    return _styled(
        "Accuracy by corruption",
        {
            "data": {"values": values},
            "facet": {"column": {"field": "corruption", "type": "nominal", "title": None}},
            "spec": {
                "width": 150,
                "height": 160,
                "mark": {"type": "bar", "color": _BLUE},
                "encoding": {
                    "x": {"field": "strength", "type": "nominal", "axis": {"labelAngle": 0}},
                    "y": {"field": "low", "type": "quantitative", "scale": {"zero": False}},
                    "y2": {"field": "high"},
                },
            },
        },
    )


def picture(path: Path) -> None:
    """Write a small grey picture, as PNG."""
    rows = b"".join(b"\0" + bytes((x * y) % 256 for x in range(240)) for y in range(96))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 240, 96, 8, 0, 0, 0, 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def _styled(title: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "title": {"text": title, "anchor": "start"},
        "background": "white",
        "config": {"view": {"stroke": None}, "font": "sans-serif", "axis": {"gridColor": "#e6e6e6"}},
        **spec,
    }


def documents() -> list[Document]:
    """Return two long documents that have the parts, tables and figures of real ones."""
    folder = Path(__file__).parent / "page_documents"
    return [
        Document(name, name.capitalize(), (folder / f"{name}.md").read_text(encoding="utf-8"))
        for name in ("experiment", "inference")
    ]


def write_report(folder: Path) -> Path:
    """Write these documents with their pictures as a page in `folder`; return its path."""
    picture(folder / "figures/samples.png")
    target = folder / "index.html"
    page.write(target, title="digits · seed-0", documents=documents(), figures=figures(), folder=folder)
    return target
