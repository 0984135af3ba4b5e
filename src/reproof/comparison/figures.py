"""A comparison drawn: effects with their intervals, parallel coordinates of a sweep, the Pareto front."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from reproof import files
from reproof.comparison.comparing import Comparison
from reproof.comparison.documents import shown_params, words
from reproof.comparison.groups import Group
from reproof.comparison.metrics import Metric
from reproof.report.figures import Figure, write
from reproof.report.figures.drawing import COLOURS, WIDTH, chart, figure

_MOST_EFFECTS = 30
_MOST_LINES = 300
_MOST_AXES = 8
_NAME = 28
_KINDS = {"better": COLOURS[2], "worse": COLOURS[1], "same": COLOURS[0]}
_OTHER = COLOURS[5]


def of(comparison: Comparison) -> list[Figure]:
    """Return the figures that a comparison allows: none of one group, nor of what has no numbers."""
    found = [_effects(comparison), _coordinates(comparison), _pareto(comparison)]
    return [one for one in found if one is not None]


def draw(drawn: Sequence[Figure], folder: Path) -> None:
    """Write each figure to a folder as `<name>.svg` and as the Vega-Lite specification `<name>.vl.json`."""
    files.make_folder(folder)
    write(list(drawn), folder)
    for one in drawn:
        files.write_json(folder / f"{one.name}.vl.json", one.spec)


def _short(name: str) -> str:
    return name if len(name) <= _NAME else f"{name[: _NAME - 1]}…"


def _effects(comparison: Comparison) -> Figure | None:
    """Differences to the baseline by the metric that ranks, with 95% intervals; the best on top."""
    import altair as alt

    metric, base = comparison.sort, comparison.baseline
    if metric is None or base is None:
        return None
    rows: list[dict[str, Any]] = []
    for one in comparison.groups:
        verdict = one.verdicts.get(metric.name)
        if verdict is None or verdict.difference is None or verdict.kind == "not comparable":
            continue
        low, high = verdict.interval or (None, None)
        rows.append(
            {
                "run": one.name,
                "difference": verdict.difference,
                "low": low,
                "high": high,
                "verdict": words.kind(verdict),
                "colour": _KINDS.get(verdict.kind, _OTHER),
            }
        )
    rows = rows[:_MOST_EFFECTS]
    if not rows:
        return None
    better = {True: ", higher is better", False: ", lower is better"}.get(
        metric.is_higher_better() or False, ""
    )
    better = "" if metric.rule.better is None else better
    title = f"{_plain(metric.name)}: difference to {_plain(base.name)}{better}"
    y = alt.Y("run:N", sort=[str(row["run"]) for row in rows], title=None)
    scale = alt.Scale(zero=True, nice=True)
    base_chart = chart(rows, width=WIDTH, height=26 * len(rows))
    colour = alt.Color("colour:N", scale=None)
    layers = base_chart.mark_rule(strokeWidth=2).encode(
        y=y, x=alt.X("low:Q", title=title, scale=scale), x2="high:Q", color=colour
    ) + base_chart.mark_point(filled=True, size=70, opacity=1).encode(
        y=y,
        x=alt.X("difference:Q", scale=scale, title=title),
        color=colour,
        tooltip=[
            "run:N",
            "verdict:N",
            *(alt.Tooltip(f"{n}:Q", format=".4g") for n in ("difference", "low", "high")),
        ],
    )
    zero = (
        chart([{"x": 0.0}]).mark_rule(strokeDash=[4, 4], color="#777777").encode(x=alt.X("x:Q", scale=scale))
    )
    if metric.rule.margin:
        band = [{"low": -metric.rule.margin, "high": metric.rule.margin}]
        layers = (
            chart(band).mark_rect(color="#eeeeee").encode(x=alt.X("low:Q", scale=scale), x2="high:Q") + layers
        )
    told = ", ".join(f"{row['run']} {row['difference']:+.3g} ({row['verdict']})" for row in rows[:5])
    return figure(
        "effects",
        f"Differences to {base.name}, 95% intervals",
        f"Difference in {metric.name} to {base.name}: {told}",
        layers + zero,
    )


def _coordinates(comparison: Comparison) -> Figure | None:
    """Every param that varies, and the metrics, as axes; a line a group, darker the better it is."""
    import altair as alt

    metric = comparison.sort
    groups = [one for one in comparison.groups if metric and _is_ranked(one, metric)][:_MOST_LINES]
    params = shown_params.by_weight(comparison, groups)[: _MOST_AXES - 1]
    if metric is None or len(groups) < 3 or not params:
        return None
    axes: list[tuple[str, list[float], list[tuple[float, str]]]] = [
        (name, *_places([words.params(one, [name])[0] for one in groups])) for name in params
    ]
    shown = [metric, *(one for one in comparison.metrics if one != metric)][: _MOST_AXES - len(params)]
    for one in shown:
        if all(one.name in own.spreads for own in groups):
            axes.append((one.name, *_measured(one, groups)))
    values = [own.spreads[metric.name].mean for own in groups]
    lines = [
        {"run": own.name, "axis": title, "place": places[index], "value": values[index]}
        for title, places, _ in axes
        for index, own in enumerate(groups)
    ]
    ticks = [
        {"axis": title, "place": place, "label": label} for title, _, marks in axes for place, label in marks
    ]
    order = [title for title, _, _ in axes]
    x = alt.X(
        "axis:N",
        sort=order,
        title=None,
        axis=alt.Axis(labelAngle=0, grid=True, domain=False),
        scale=alt.Scale(type="point", padding=0.4),
    )
    legend = alt.Legend(type="symbol")  # a gradient's id in the SVG is another one each time
    scheme = alt.Scale(range=["#d5dee9", "#0b4a8f"], reverse=not metric.is_higher_better())
    y = alt.Y("place:Q", axis=None, scale=alt.Scale(domain=[-0.05, 1.05]))
    drawn = chart(lines, width=max(WIDTH, 110 * len(order)), height=260).mark_line(
        strokeWidth=1.8, opacity=0.75
    ).encode(
        x=x,
        y=y,
        detail="run:N",
        color=alt.Color("value:Q", title=_plain(metric.name), scale=scheme, legend=legend),
        tooltip=["run:N", "axis:N", alt.Tooltip("value:Q", format=".4g")],
    ) + chart(ticks).mark_text(fontSize=10, dx=6, align="left", color="#222222").encode(
        x=x, y=y, text="label:N"
    )
    return figure(
        "parallel",
        "Params and metrics of each run",
        f"Parallel coordinates of {len(groups)} groups over {', '.join(order)}; darker is better",
        drawn,
    )


def _is_ranked(one: Group, metric: Metric) -> bool:
    verdict = one.verdicts.get(metric.name)
    return metric.name in one.spreads and (verdict is None or verdict.kind != "not comparable")


def _places(values: Sequence[str]) -> tuple[list[float], list[tuple[float, str]]]:
    """Where each value stands on its axis, from 0 to 1, by rank; and the labels there.

    By rank and not by size: learning rates of 1e-5, 1e-4 and 1e-3 would else lie on each other.
    """
    distinct = sorted(set(values), key=_order)
    step = 1 / max(1, len(distinct) - 1)
    place = {value: index * step if len(distinct) > 1 else 0.5 for index, value in enumerate(distinct)}
    every = max(1, len(distinct) // 8)
    marks = [(place[value], _short(value)) for value in distinct[::every]]
    return [place[value] for value in values], marks


def _order(value: str) -> tuple[bool, float, str]:
    try:
        number = float(value)
    except ValueError:
        return True, 0.0, value
    return False, number if number == number else 0.0, value


def _measured(metric: Metric, groups: Iterable[Group]) -> tuple[list[float], list[tuple[float, str]]]:
    values = [one.spreads[metric.name].mean for one in groups]
    low, high = min(values), max(values)
    width = high - low
    places = [(value - low) / width if width else 0.5 for value in values]
    marks = [(0.0, f"{low:.4g}"), (1.0, f"{high:.4g}")] if width else [(0.5, f"{low:.4g}")]
    return places, marks


def _pareto(comparison: Comparison) -> Figure | None:
    """Quality against latency; those that no other beats in both are named and joined."""
    import altair as alt

    found = comparison.pareto
    if found.missing or found.quality is None or found.speed is None:
        return None
    quality, speed = found.quality, found.speed
    shown = {*found.front, *(found.beaten or {})}
    rows: list[dict[str, Any]] = [
        {
            "run": one.name,
            "label": _short(one.name),
            "quality": one.spreads[quality.name].mean,
            "speed": one.spreads[speed.name].mean,
            "front": one.name in found.front,
        }
        for one in comparison.groups
        if one.name in shown
    ]
    x = alt.X("speed:Q", title=_plain(speed.name), scale=alt.Scale(zero=False, nice=True))
    y = alt.Y("quality:Q", title=_plain(quality.name), scale=alt.Scale(zero=False, nice=True))
    colour = alt.condition("datum.front", alt.value(COLOURS[0]), alt.value("#b5b5b5"))
    tips = ["run:N", alt.Tooltip("quality:Q", format=".4g"), alt.Tooltip("speed:Q", format=".4g")]
    points = (
        chart(rows, width=WIDTH, height=260)
        .mark_point(filled=True, size=70, opacity=1)
        .encode(x=x, y=y, color=colour, tooltip=tips)
    )
    front = [row for row in rows if row["front"]]
    line = (
        chart(front).mark_line(color=COLOURS[0], strokeWidth=1.2, interpolate="step-after").encode(x=x, y=y)
    )
    names = chart(front).mark_text(align="left", dx=7, dy=-7, fontSize=11).encode(x=x, y=y, text="label:N")
    return figure(
        "pareto",
        f"{quality.name} against {speed.name}, one machine",
        f"{quality.name} against {speed.name} on machine {found.machine}; "
        f"on the front: {', '.join(found.front)}",
        line + points + names,
    )


def _plain(title: str) -> str:
    """Vega-Lite reads a title as an expression, which a backslash or a line break would end."""
    return " ".join(title.replace("\\", "").split())
