"""What the model stands, what it looks at, and how fast it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reproof.report import results
from reproof.report.figures.drawing import COLOURS, HEIGHT, WIDTH, Figure, chart, figure
from reproof.report.source import Source


def of_use(source: Source) -> Iterator[Figure]:
    """Yield the figures of robustness, importance and inference that the record allows."""
    robustness = source.robustness or {}
    if robustness.get("status") == "measured":
        yield from _corruptions(robustness)
        if importance := robustness.get("importance"):
            yield _importance(importance, str(robustness["metric"]))
    yield from _latency(source)


def _corruptions(robustness: dict[str, Any]) -> Iterator[Figure]:
    import altair as alt

    # Each line begins at what its changes are against: the same model on the same examples.
    of_sample = robustness.get("sample") or {}
    clean = of_sample.get("value", robustness["clean"]["value"])
    examples = of_sample.get("examples", robustness.get("examples"))
    kinds = {name: (clean, found) for name, found in (robustness.get("corruptions") or {}).items()}
    if attack := robustness.get("adversarial"):
        kinds["FGSM"] = (_value(attack.get("clean"), clean), attack)
    values = []
    for name, (untouched, found) in kinds.items():
        label = name.replace("_", " ")
        values.append({"kind": label, "strength": 0, "value": untouched, "amount": "none"})
        values += [
            {
                "kind": label,
                "strength": int(strength),
                "value": each["value"],
                "amount": f"{each['amount']:g} {each['unit']}",
            }
            for strength, each in found["strengths"].items()
        ]
    if not values:
        return
    metric = str(robustness["metric"])
    on = f"{examples:,} example{'s' if examples != 1 else ''}" if examples is not None else "the test split"
    labels = [name.replace("_", " ") for name in kinds]
    drawn = (
        chart(values, width=WIDTH, height=HEIGHT)
        .mark_line(point=True, strokeWidth=1.6)
        .encode(
            x=alt.X("strength:O", title="strength (0: as it is)", axis=alt.Axis(labelAngle=0)),
            y=alt.Y("value:Q", title=f"test {metric}, {on}", scale=alt.Scale(zero=False)),
            color=alt.Color("kind:N", sort=labels, legend=alt.Legend(title=None, orient="right")),
            tooltip=["kind:N", "amount:N", alt.Tooltip("value:Q", format=".4f")],
        )
    )
    worst = max if metric in results.LESS_IS_BETTER else min
    lowest = worst(values, key=lambda each: each["value"])
    alt_text = (
        f"Test {metric} by strength, on {on}: {clean:.4g} as they are, "
        f"worst {lowest['value']:.4g} ({lowest['kind']})"
    )
    yield figure("robustness", f"Test {metric} under corruption and attack, on {on}", alt_text, drawn)


def _value(found: Any, otherwise: float) -> float:
    found = found.get("value") if isinstance(found, dict) else found
    return otherwise if found is None else float(found)


def _importance(importance: dict[str, Any], metric: str) -> Figure:
    import altair as alt

    if importance["kind"] == "occlusion":
        rows = importance["rows"]
        cells = [
            {"row": int(row), "column": column, "drop": drop}
            for row, drops in rows.items()
            for column, drop in enumerate(drops)
        ]
        drawn = (
            chart(cells, width=260, height=260)
            .mark_rect()
            .encode(
                x=alt.X("column:O", title="patch, from the left", axis=alt.Axis(labelAngle=0)),
                y=alt.Y("row:O", title="patch, from the top"),
                color=alt.Color("drop:Q", scale=alt.Scale(scheme="oranges"), legend=alt.Legend(title="drop")),
                tooltip=["row:O", "column:O", alt.Tooltip("drop:Q", format=".4f")],
            )
        )
        most = max(cells, key=lambda cell: cell["drop"])
        where = f"row {most['row']}, column {most['column']}"
        alt_text = f"Drop where a patch is hidden: most, {most['drop']:.4g}, in {where}"
        return figure("importance", "What the model looks at", alt_text, drawn)
    values = [
        {"feature": name, "drop": each["drop"], "low": (each["interval"] or [None, None])[0],
         "high": (each["interval"] or [None, None])[1]}
        for name, each in list(importance["values"].items())[:20]
    ]  # fmt: skip
    base = chart(values, width=WIDTH, height=22 * len(values) + 10).encode(
        y=alt.Y("feature:N", sort=[str(value["feature"]) for value in values], title=None)
    )
    bars = base.mark_bar(color=COLOURS[0], opacity=0.8).encode(
        x=alt.X("drop:Q", title=f"drop of {metric} when shuffled"),
        tooltip=["feature:N", alt.Tooltip("drop:Q", format=".4f")],
    )
    spread = base.mark_rule(color="#333333").encode(x="low:Q", x2="high:Q")
    first = values[0] if values else {"feature": "none", "drop": 0.0}
    alt_text = f"Permutation importance: {first['feature']} matters most, {first['drop']:.4g}"
    return figure("importance", "What the model looks at", alt_text, bars + spread)


def _latency(source: Source) -> Iterator[Figure]:
    import altair as alt

    cells = [c for c in (source.benchmark or {}).get("cells", {}).values() if c["status"] == "measured"]
    values = []
    several = len({each["cell"]["precision_requested"] for each in cells}) > 1
    for each in cells:
        times, what = each["stages"]["end_to_end"], each["cell"]
        low, high = times["ci95_ms"] or [times["median_ms"]] * 2
        values.append(
            {
                "cell": f"{what['runtime']}, {what['device']}, "
                + (f"{what['precision_requested']}, " if several else "")
                + f"batch {what['batch_size']}, "
                f"{what['threads_requested']} thread{'s' if what['threads_requested'] != 1 else ''}",
                "runtime": what["runtime"],
                "latency": times["median_ms"],
                "low": low,
                "high": high,
                "verdict": each["verdict"]["status"],
            }
        )
    if not values:
        return
    base = chart(values, width=WIDTH - 120, height=28 * len(values) + 10).encode(
        y=alt.Y("cell:N", sort=[str(value["cell"]) for value in values], title=None)
    )
    title = "latency of one call, ms (log scale)"
    if any(value["low"] <= 0 for value in values):  # a log scale has no place for such an end
        title += "; no line: the interval reaches below 0"
    x = alt.X("latency:Q", title=title, scale=alt.Scale(type="log"))
    dots = base.mark_point(filled=True, size=70, opacity=1).encode(
        x=x,
        color=alt.Color("runtime:N", legend=None, scale=alt.Scale(range=COLOURS)),
        shape=alt.Shape("verdict:N", legend=alt.Legend(title=None, orient="bottom")),
        tooltip=["cell:N", alt.Tooltip("latency:Q", format=".4g"), "verdict:N"],
    )
    spread = (
        base.transform_filter("datum.low > 0")
        .mark_rule(color="#555555")
        .encode(x=alt.X("low:Q", scale=alt.Scale(type="log")), x2="high:Q")
    )
    alt_text = "Latency: " + "; ".join(f"{value['cell']} {value['latency']:.3g} ms" for value in values)
    yield figure("latency", "Latency on this machine", alt_text, spread + dots)
