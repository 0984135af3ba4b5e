"""The pictures of reports/performance.md, as Vega-Lite: pure functions of what was measured."""

from __future__ import annotations

import re
from typing import Any

from reproof.report import figures

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

OUTCOMES = {"right": "#2f7d5b", "inconclusive": "#9a9a9a", "wrong": "#c0392b"}
METHODS = ("interleaved", "sequential")

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
_FONT = {"view": {"stroke": None}, "font": "sans-serif"}


def shown(value: float) -> str:
    """Return a number as page and pictures show it."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def pictures(parts: dict[str, Any]) -> list[figures.Figure]:
    """Return the pictures of what was measured."""
    drawn = []
    if found := parts.get("logging"):
        drawn.append(_sinks(found))
    if found := parts.get("pipeline"):
        drawn.append(_stages(found))
    if found := parts.get("ab"):
        drawn.append(_trials(found))
    return drawn


def _sinks(found: dict[str, Any]) -> figures.Figure:
    rows = [
        {"sink": PLAIN_LABELS[name], "us": told["step_us"]["median"], "low": told["step_us"]["min"]}
        | {
            "high": told["step_us"]["max"],
            "label": shown(told["step_us"]["median"]),
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


def _trials(found: dict[str, Any]) -> figures.Figure:
    """A dot a trial, and its interval where the method gives one."""
    trials = [
        (f"{condition}, {method}", int(number), trial[method])
        for condition, of_condition in found["trials"].items()
        for number, trial in of_condition.items()
        for method in METHODS
    ]
    # Beside the burner the interval of three pairs can be wide; it is cut, so that the dots stay apart. Cut
    # here and not by Vega, whose clipping paths are numbered by what else the process has drawn.
    ratios = [told["ratio"] for _, _, told in trials]
    least, most = min(0.5, *ratios), max(2.0, *ratios)
    rows = [
        {"row": row, "trial": number, "ratio": told["ratio"], "outcome": told["outcome"]}
        | {"low": max(least, told.get("low", told["ratio"]))}
        | {"high": min(most, told.get("high", told["ratio"]))}
        for row, number, told in trials
    ]
    order = list(dict.fromkeys(row["row"] for row in rows))
    y = {"field": "row", "type": "nominal", "sort": order, "title": None}
    offset = {"field": "trial", "type": "ordinal", "sort": "ascending"}
    scale = {"type": "log", "domain": [least, most], "nice": False}
    title = "time of the slower model over that of the faster one (logarithmic)"
    axis = {"values": [0.5, 0.75, 1, 1.5, 2, 3, 4], "format": "~g", "gridColor": "#eeeeee"}
    x = {"field": "ratio", "type": "quantitative", "scale": scale, "title": title, "axis": axis}
    colour = {
        "field": "outcome",
        "type": "nominal",
        "scale": {"domain": list(OUTCOMES), "range": list(OUTCOMES.values())},
        "legend": {"title": None, "orient": "bottom"},
    }
    lines = [{"at": 1.0}, {"at": found["true_ratio"]["median"]}]
    dash = {"condition": {"test": "datum.at == 1", "value": [1, 0]}, "value": [4, 3]}
    spec = {
        "$schema": SCHEMA,
        "width": 520,
        "height": {"step": 5},
        "background": "white",
        "layer": [
            {
                "data": {"values": lines},
                "mark": {"type": "rule", "color": "#555555"},
                "encoding": {
                    "x": {"field": "at", "type": "quantitative"},
                    "strokeDash": dash,
                },
            },
            {
                "data": {"values": rows},
                "mark": {"type": "rule", "opacity": 0.5},
                "encoding": {
                    "y": y,
                    "yOffset": offset,
                    "x": {"field": "low", "type": "quantitative"},
                    "x2": {"field": "high"},
                    "color": colour,
                },
            },
            {
                "data": {"values": rows},
                "mark": {"type": "point", "filled": True, "size": 28, "opacity": 1},
                "encoding": {"y": y, "yOffset": offset, "x": x, "color": colour},
            },
        ],
        "config": _FONT,
    }
    told = "; ".join(
        f"{condition}, {method}: " + ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
        for condition, methods in found["outcomes"].items()
        for method, counts in methods.items()
    )
    return figures.Figure("ab", "Which of two models is faster, trial by trial", told, spec)
