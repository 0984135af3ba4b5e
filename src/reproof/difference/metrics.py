"""The metrics of two runs side by side, and what may be said of each difference.

Scores are compared on the examples that both models answered ("these two models"), timings only where both
were taken on one machine, over processes. Whatever else a stage records is one number a side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from reproof.comparison.metrics import Metric, metrics_of
from reproof.comparison.rules import Rules
from reproof.comparison.verdicts import ModelDifference, Verdict, not_comparable, of_models, too_few
from reproof.difference.contents import Contents
from reproof.difference.models import TwoModels, two_models
from reproof.difference.scoring import METRICS
from reproof.difference.sides import Side
from reproof.record_values import mapping, number
from reproof.stats import seeds

_EVALUATE, _TEST = "evaluate", "test"
_LATENCY = ".latency_ms"


@dataclass(frozen=True)
class Line:
    """One metric of both.

    Attributes:
        name: the short one where there is one.
        full: such as `evaluate.test.accuracy`; None where no run says.
        is_headline: whether `summary` names it.
        a: as the first run recorded it.
        b: as the second did.
        on: what the verdict's interval is over, in words; '' without one.
        verdict: of the second run beside the first; its difference is b minus a, of the examples that both
            share where there is an interval.
        is_judged: whether somebody has said which way is better.
    """

    name: str
    full: str | None
    is_headline: bool
    a: float | None
    b: float | None
    on: str
    verdict: Verdict
    is_judged: bool

    @property
    def word(self) -> str:
        """What may be said, in a word: the verdict's, or `differs` where only its direction is not known."""
        interval = self.verdict.interval
        if interval and not self.is_judged and not interval[0] <= 0 <= interval[1]:
            return self.verdict.kind if self.verdict.kind == "same" else "differs"
        return self.verdict.kind


@dataclass(frozen=True)
class Metrics:
    """The metrics that both runs have, the headline first.

    Attributes:
        lines: one a metric.
        models: the comparison of answers beneath them.
        undeclared: headline metrics of which nobody has said which way is better.
    """

    lines: tuple[Line, ...]
    models: TwoModels
    undeclared: tuple[str, ...]

    @property
    def headline(self) -> tuple[Line, ...]:
        """Those that `summary` names."""
        return tuple(line for line in self.lines if line.is_headline)


def compare(root: Path, a: Side, b: Side, rules: Rules, contents: Contents) -> Metrics:
    """Return what both runs measured, with what may be said of each difference.

    Raises:
        ReproofError: when Git refuses.
    """
    runs = [a.run, b.run]
    headline = metrics_of(runs, rules)
    shown = {metric.full for metric in headline}
    rest = sorted({*a.run.metrics, *b.run.metrics} - shown)
    others = [metric for metric in metrics_of(runs, rules, rest) if metric.full not in shown] if rest else []
    splits = {split for m in headline if (split := _split(m)) and m.full and _is_of_answers(m.full)} or {
        _TEST
    }
    asked = [
        m.full for m in (*headline, *others) if m.full and _is_of_answers(m.full) and _split(m) in splits
    ]
    models = two_models(root, a.row, b.row, asked, contents=contents)
    lines = [_line(m, a, b, models, is_headline=True) for m in headline]
    lines += [_line(m, a, b, models, is_headline=False) for m in others]
    undeclared = [m.name for m in headline if m.rule.better is None]
    kept = [line for line in lines if line.a is not None or line.b is not None]
    return Metrics(tuple(kept), models, tuple(undeclared))


def _split(metric: Metric) -> str:
    return (metric.full or "").partition(".")[2].partition(".")[0]


def _is_of_answers(full: str) -> bool:
    stage, _, rest = full.partition(".")
    return stage == _EVALUATE and rest.partition(".")[2] in METRICS


def _line(metric: Metric, a: Side, b: Side, models: TwoModels, *, is_headline: bool) -> Line:
    first, second = metric.of(a.run), metric.of(b.run)
    on = ""
    if first is None or second is None:
        lacking = " and ".join(one.row.name for one, value in ((a, first), (b, second)) if value is None)
        verdict = not_comparable(f"{lacking} has no such number")
    elif stage := _shared_execution(metric, a, b):
        verdict = _same(f"the stage {stage} ran once for both: it is one measurement")
    elif metric.is_timing:
        verdict, on = _timed(metric, a, b, second - first)
    else:
        verdict, on = _scored(metric, a, b, models, second - first)
    is_judged = metric.rule.better is not None
    return Line(metric.name, metric.full, is_headline, first, second, on, verdict, is_judged)


def _same(reason: str) -> Verdict:
    return Verdict("same", 0.0, reason=reason, is_firm=True)


def _shared_execution(metric: Metric, a: Side, b: Side) -> str | None:
    """The stage that measured it, where DVC's run cache gave both runs one execution of it."""
    stage = (metric.full or "").partition(".")[0]
    execution = a.execution(stage)
    return stage if execution is not None and execution == b.execution(stage) else None


def _scored(metric: Metric, a: Side, b: Side, models: TwoModels, difference: float) -> tuple[Verdict, str]:
    full = metric.full or ""
    found = models.metric(full)
    if found is None or found.difference is None:
        why = models.reason(full) or (found.missing_reason if found else None)
        if full.startswith(f"{_EVALUATE}.") and _other_examples(a, b, _split(metric)):
            other = "measured on other examples"
            return not_comparable(f"{other}; {why}" if why else other), ""
        if difference == 0:
            return _same("no difference in this number"), ""
        alone = "one number a side, which tells no spread"
        return too_few(difference, f"{alone}: {why}" if why else alone), ""
    if models.identical:
        return _same("both models gave every example the same answer"), ""
    shared = next(one for one in models.splits.values() if full in one.metrics)
    test = shared.mcnemar if full.endswith(".accuracy") else None
    p_value = test.p_value if test else None
    verdict = of_models(
        ModelDifference(found.difference, found.interval, p_value, shared.on, found.missing_reason), metric
    )
    doubts = []
    if not shared.is_whole:
        doubts.append(f"on these {found.a:.4g} → {found.b:.4g}")
    if not shared.same_content:
        doubts.append("known again by id and label alone: whether their content is the same is not known")
    return replace(verdict, reason="; ".join([verdict.reason, *doubts])), shared.on if found.interval else ""


def _other_examples(a: Side, b: Side, split: str) -> bool:
    """Whether a split's content is known to differ."""
    first, second = (mapping(one.checksums, "splits").get(split) for one in (a, b))
    return first is not None and second is not None and first != second


def _timed(metric: Metric, a: Side, b: Side, difference: float) -> tuple[Verdict, str]:
    """Timings: over processes, where both are of one machine and stable."""
    machines = a.fingerprint("benchmark"), b.fingerprint("benchmark")
    if None in machines or machines[0] != machines[1]:
        return not_comparable("timed on another machine"), ""
    full = metric.full or ""
    name = full.removeprefix("benchmark.").removesuffix(_LATENCY)
    cells = [mapping(one.benchmark, "cells", name) for one in (a, b)]
    if not full.endswith(_LATENCY) or not all(cells):
        return too_few(difference, "one number a side, which tells no spread"), ""
    noisy = [
        one.row.name
        for one, cell in zip((a, b), cells, strict=True)
        if mapping(cell, "verdict").get("status") != "stable"
    ]
    if noisy:
        words = f"the timings of {' and of '.join(noisy)} are not stable: they can carry no claim"
        return too_few(difference, words), ""
    first, second = (_medians(cell) for cell in cells)
    if min(len(first), len(second)) < 2:
        return too_few(difference, "one process on a side, which tells no spread"), ""
    found = seeds.independent(second, first)
    on = f"{len(first)} and {len(second)} processes of one machine, at two times"
    verdict = of_models(ModelDifference(difference, found.interval, None, on, found.missing), metric)
    return replace(verdict, test=f"{seeds.WELCH} over processes"), on


def _medians(cell: Any) -> Sequence[float]:
    found = mapping(cell, "stages", "end_to_end").get("process_medians_ms")
    values = (number(value) for value in found) if isinstance(found, list) else ()
    return [value for value in values if value is not None]
