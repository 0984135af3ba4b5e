"""How good the model is: beside its baselines, by class, by how sure it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reproof.report import results
from reproof.report.figures.drawing import COLOURS, WIDTH, Figure, chart, figure
from reproof.report.source import Source

_MAX_CLASSES = 30


def of_evaluation(source: Source) -> Iterator[Figure]:
    """Yield the figures that the evaluation's numbers allow."""
    yield from _classes(source)
    yield from _models(source)
    test = (source.evaluation or {}).get("splits", {}).get("test") or {}
    if matrix := test.get("confusion_matrix"):
        yield from _confusion(matrix)
    if calibration := (source.evaluation or {}).get("calibration"):
        yield _reliability(calibration)


def _classes(source: Source) -> Iterator[Figure]:
    import altair as alt

    counts = source.facts("prepare").get("quality", {}).get("class_counts") or {}
    if not 1 < len(counts) <= _MAX_CLASSES:
        return
    values = [
        {"class": label, "split": split, "examples": count, "place": place}
        for label, by_split in counts.items()
        for place, (split, count) in enumerate(by_split.items())
    ]
    totals = {label: sum(by_split.values()) for label, by_split in counts.items()}
    drawn = (
        chart(values, width=WIDTH, height=160)
        .mark_bar()
        .encode(
            x=alt.X("class:N", sort=list(counts), title="class", axis=alt.Axis(labelAngle=0)),
            y=alt.Y("examples:Q", title="examples"),
            color=alt.Color(
                "split:N",
                sort=["train", "validation", "test"],
                scale=alt.Scale(range=COLOURS),
                legend=alt.Legend(title=None, orient="right"),
            ),
            order=alt.Order("place:Q"),
            tooltip=["class:N", "split:N", "examples:Q"],
        )
    )
    alt_text = f"Examples by class: from {min(totals.values()):,} to {max(totals.values()):,}"
    yield figure("classes", "Examples by class", alt_text, drawn)


def _models(source: Source) -> Iterator[Figure]:
    import altair as alt

    metric = results.FIRST[results.task(source)]
    rows = [
        {"model": model.name, "value": found.value, "low": found.interval[0], "high": found.interval[1]}
        for model in results.models(source)
        if (found := model.scores.get(metric)) and found.value is not None and found.interval
    ]
    if len(rows) < 2:
        return
    base = chart(rows, width=WIDTH, height=34 * len(rows)).encode(
        y=alt.Y("model:N", sort=[str(row["model"]) for row in rows], title=None)
    )
    scale = alt.Scale(zero=False, nice=True)
    bars = base.mark_rule(strokeWidth=2, color=COLOURS[0]).encode(
        x=alt.X("low:Q", title=f"test {metric}, 95% interval over examples", scale=scale), x2="high:Q"
    )
    dots = base.mark_point(filled=True, size=70, color=COLOURS[0], opacity=1).encode(
        x=alt.X("value:Q", scale=scale),
        tooltip=["model:N", *(alt.Tooltip(f"{name}:Q", format=".4f") for name in ("value", "low", "high"))],
    )
    alt_text = f"Test {metric}: " + ", ".join(f"{row['model']} {row['value']:.4g}" for row in rows)
    yield figure("models", f"Test {metric} beside the baselines", alt_text, bars + dots)


def _confusion(matrix: dict[str, dict[str, int]]) -> Iterator[Figure]:
    import altair as alt

    labels = list(matrix)
    if not 1 < len(labels) <= _MAX_CLASSES:
        return
    values = [
        {
            "truth": truth,
            "predicted": other,
            "examples": count,
            "share": count / max(1, sum(row.values())),
        }
        for truth, row in matrix.items()
        for other, count in row.items()
    ]
    side = max(180, min(420, 34 * len(labels)))
    base = chart(values, width=side, height=side).encode(
        x=alt.X("predicted:N", sort=labels, title="predicted", axis=alt.Axis(labelAngle=0, orient="top")),
        y=alt.Y("truth:N", sort=labels, title="truth"),
    )
    cells = base.mark_rect().encode(
        color=alt.Color("share:Q", scale=alt.Scale(range=["#f2f5f9", "#0b4a8f"], domain=[0, 1]), legend=None),
        tooltip=["truth:N", "predicted:N", "examples:Q", alt.Tooltip("share:Q", format=".1%")],
    )
    words = (
        base.transform_filter("datum.examples > 0")
        .mark_text(fontSize=11)
        .encode(
            text="examples:Q",
            color=alt.condition("datum.share > 0.5", alt.value("white"), alt.value("#222222")),
        )
    )
    total = sum(sum(row.values()) for row in matrix.values())
    wrong = total - sum(row.get(truth, 0) for truth, row in matrix.items())
    alt_text = f"Confusion matrix of the test split: {wrong} of {total} wrong"
    yield figure("confusion", "Confusion matrix, test", alt_text, cells + words)


def _reliability(calibration: dict[str, Any]) -> Figure:
    import altair as alt

    bins = [found for found in calibration["bins"].values() if found["examples"]]
    domain = alt.Scale(domain=[0, 1])
    diagonal = (
        chart([{"x": 0, "y": 0}, {"x": 1, "y": 1}], width=300, height=300)
        .mark_line(strokeDash=[4, 4], color="#999999")
        .encode(x=alt.X("x:Q", scale=domain), y=alt.Y("y:Q", scale=domain))
    )
    dots = (
        chart(bins)
        .mark_point(filled=True, color=COLOURS[0], opacity=0.9)
        .encode(
            x=alt.X("confidence:Q", title="how sure the model is", scale=domain),
            y=alt.Y("accuracy:Q", title="how often it is right", scale=domain),
            size=alt.Size(
                "examples:Q", legend=alt.Legend(title="examples"), scale=alt.Scale(range=[30, 400])
            ),
            tooltip=[
                alt.Tooltip("confidence:Q", format=".3f"),
                alt.Tooltip("accuracy:Q", format=".3f"),
                "examples:Q",
            ],
        )
    )
    error = f"expected calibration error {calibration['ece']:.4f}"
    alt_text = f"Reliability on the {calibration['split']} split: {error}"
    return figure("reliability", "Calibration", alt_text, diagonal + dots)
