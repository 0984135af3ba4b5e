"""reports/performance.json as a page with pictures: a pure function of that file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jinja2

from reproof import files
from reproof.report import figures, markdown

TEMPLATE = Path(__file__).with_name("performance.md.jinja")
PARTS = ("logging", "startup", "pipeline", "resume", "capture_and_digests")

LABELS = {
    "reproof": "**Reproof**, `RunLog.metrics`",
    "orjson": "orjson and one write alone",
    "trackio": "Trackio",
    "tensorboard": "PyTorch `SummaryWriter`",
    "mlflow": "MLflow on SQLite",
    "dvclive": "DVCLive",
}
PLAIN_LABELS = {name: re.sub(r"[*`]|,.*", "", label) for name, label in LABELS.items()}
COLOURS = {
    "our code": "#8c3f0a",
    "restart": "#d1701f",
    "our imports": "#f0b27a",
    "interpreter": "#d9d9d9",
    "imports": "#b8b8b8",
    "report": "#9cc5ad",
    "work": "#4b8f6b",
    "DVC": "#2f6db3",
}
"""In the order in which they are drawn: ours first and in shades of one colour, so that their sum is seen."""

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
_FONT = {"view": {"stroke": None}, "font": "sans-serif"}


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
    median, low, high = (_number(summary[name] * factor) for name in ("median", "low", "high"))
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


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def pictures(parts: dict[str, Any]) -> list[figures.Figure]:
    """Return the pictures of what was measured."""
    drawn = []
    if found := parts.get("logging"):
        drawn.append(_sinks(found))
    if found := parts.get("pipeline"):
        drawn.append(_stages(found))
    return drawn


def _sinks(found: dict[str, Any]) -> figures.Figure:
    rows = [
        {"sink": PLAIN_LABELS[name], "us": told["step_us"]["median"], "low": told["step_us"]["min"]}
        | {
            "high": told["step_us"]["max"],
            "label": _number(told["step_us"]["median"]),
            "ours": name == "reproof",
        }
        for name, told in found["contenders"].items()
        if told["step_us"]
    ]
    order = [row["sink"] for row in sorted(rows, key=lambda row: row["us"])]
    y = {"field": "sink", "type": "nominal", "sort": order, "title": None}
    # Bars begin at 1 µs: on a logarithmic scale there is no zero.
    scale = {"type": "log", "domainMin": 1}
    axis = {"values": [10**power for power in range(6)], "format": ",d", "gridColor": "#e6e6e6"}
    x = {
        "field": "us",
        "type": "quantitative",
        "scale": scale,
        "title": "µs a step (logarithmic)",
        "axis": axis,
    }
    spec = {
        "$schema": SCHEMA,
        "width": 520,
        "height": {"step": 30},
        "background": "white",
        "data": {"values": rows},
        "encoding": {"y": y},
        "layer": [
            {
                "mark": {"type": "bar", "height": 17},
                "encoding": {
                    "x": x,
                    "x2": {"datum": 1},
                    "color": {
                        "condition": {"test": "datum.ours", "value": "#d1701f"},
                        "value": "#9db8d6",
                    },
                },
            },
            {
                "mark": {"type": "rule", "strokeWidth": 1.5},
                "encoding": {"x": {"field": "low", "type": "quantitative"}, "x2": {"field": "high"}},
            },
            {
                "mark": {"type": "text", "align": "left", "dx": 12},
                "encoding": {
                    "x": {"field": "high", "type": "quantitative"},
                    "text": {"field": "label", "type": "nominal"},
                },
            },
        ],
        "config": _FONT,
    }
    alt = "Microseconds a step: " + ", ".join(f"{row['sink']} {row['label']}" for row in rows)
    return figures.Figure("sinks", "What logging five scalars a step costs", alt, spec)


def _stages(found: dict[str, Any]) -> figures.Figure:
    groups = list(COLOURS)
    bars = {**found["stages_s"], "between stages": {"DVC": found["groups_s"]["DVC"]}}
    rows = [
        {"stage": stage, "group": group, "seconds": times[group]["median"], "order": groups.index(group)}
        for stage, times in bars.items()
        for group in groups
        if group in times
    ]
    # The inference benchmark waits for its own measurement; drawn whole it would hide the rest. So its bar is
    # cut, and every bar says how long it is.
    totals = {stage: sum(row["seconds"] for row in rows if row["stage"] == stage) for stage in bars}
    end = round(max(total for stage, total in totals.items() if stage != "benchmark") * 1.15, 1)
    labels = [
        {"stage": stage, "at": min(total, end), "label": f"{total:.1f} s" + (" (cut)" if total > end else "")}
        for stage, total in totals.items()
    ]
    spec = {
        "$schema": SCHEMA,
        "width": 560,
        "height": {"step": 26},
        "background": "white",
        "encoding": {"y": {"field": "stage", "type": "nominal", "sort": list(bars), "title": None}},
        "layer": [
            {
                "data": {"values": rows},
                "mark": {"type": "bar", "clip": True},
                "encoding": {
                    "x": {
                        "field": "seconds",
                        "type": "quantitative",
                        "title": "seconds",
                        "scale": {"domain": [0, end], "nice": False},
                    },
                    "color": {
                        "field": "group",
                        "type": "nominal",
                        "sort": groups,
                        "scale": {"domain": groups, "range": list(COLOURS.values())},
                        "legend": {"title": None, "orient": "bottom", "columns": 8},
                    },
                    "order": {"field": "order", "type": "quantitative"},
                },
            },
            {
                "data": {"values": labels},
                "mark": {"type": "text", "align": "left", "dx": 5},
                "encoding": {
                    "x": {"field": "at", "type": "quantitative"},
                    "text": {"field": "label", "type": "nominal"},
                },
            },
        ],
        "config": _FONT,
    }
    told = ", ".join(f"{name} {summary['median']:.1f}" for name, summary in found["groups_s"].items())
    return figures.Figure("pipeline", "Where the time of each stage goes", f"Seconds in all: {told}", spec)
