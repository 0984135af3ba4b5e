"""A number with what it was measured on: no document prints one without."""

from __future__ import annotations

from dataclasses import dataclass

from reproof.report.source import Source


@dataclass(frozen=True)
class Measured:
    """A value, its 95% interval where there is one, and `on`: over what both were taken."""

    value: float
    interval: tuple[float, float] | None
    on: str


def find(source: Source, metric: str) -> Measured | None:
    """Return what a stage recorded as `<stage>.<metric>`, with its interval; None where it did not."""
    value = source.metric(metric)
    if value is None:
        return None
    stage, _, name = metric.partition(".")
    if stage == "evaluate":
        return _evaluated(source, name, value)
    if stage == "robustness":
        return _under_stress(source, name, value)
    if stage == "benchmark":
        return _benchmarked(source, name, value)
    return Measured(value, None, f"recorded by the stage {stage}")


def _evaluated(source: Source, name: str, value: float) -> Measured:
    evaluation = source.evaluation or {}
    splits = evaluation.get("splits", {})
    if name.startswith("baseline."):
        baseline, _, name = name.removeprefix("baseline.").partition(".")
        splits = ((evaluation.get("baselines") or {}).get(baseline) or {}).get("splits", {})
    split, _, metric = name.partition(".")
    found = splits.get(split) or {}
    interval = (found.get("intervals") or {}).get(metric)
    count = (evaluation.get("splits", {}).get(split) or {}).get("examples")
    on = f"{count:,} {split} examples" if isinstance(count, int) else f"the {split} split"
    return Measured(value, tuple(interval) if interval else None, on)


def _under_stress(source: Source, name: str, value: float) -> Measured:
    """Of names such as `clean.accuracy`, `fgsm.2.accuracy` or `<corruption>.<strength>.accuracy`."""
    result = source.robustness or {}
    kind, *rest = name.split(".")
    kind = "adversarial" if kind == "fgsm" else kind
    found = result.get(kind) or (result.get("corruptions") or {}).get(kind) or {}
    if len(rest) == 2:
        found = (found.get("strengths") or {}).get(rest[0]) or {}
    interval, count = found.get("interval"), found.get("examples") or result.get("examples")
    on = f"{count:,} examples" if isinstance(count, int) else "the stage robustness"
    return Measured(value, tuple(interval) if interval else None, on)


def _benchmarked(source: Source, name: str, value: float) -> Measured:
    result = source.benchmark or {}
    cells = result.get("cells", {})
    if name in ("latency_ms", "throughput"):  # of the recipe inference: of the first cell that was measured
        first = next((key for key, each in cells.items() if each["status"] == "measured"), "")
        name = f"{first}.{name}"
    cell = cells.get(name.rpartition(".")[0], {})
    if not cell:
        return Measured(value, None, "recorded by the stage benchmark")
    stages = cell.get("stages") or {}
    interval = stages.get("end_to_end", {}).get("ci95_ms") if name.endswith(".latency_ms") else None
    noisy = ", noisy" if (cell.get("verdict") or {}).get("status") == "noisy" else ""
    processes = result.get("software", {}).get("harness", {}).get("repeats")
    on = f"{processes} fresh processes on {result.get('hardware', {}).get('cpu')}{noisy}"
    return Measured(value, tuple(interval) if interval else None, on)
