"""The metrics that are compared: their names, what they stand for, and their values in a run."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reproof.comparison.rules import Rule, Rules
from reproof.errors import ReproofError
from reproof.recorded import Run

TIMED = "benchmark."
"""Stages whose numbers are true of one machine."""


@dataclass(frozen=True)
class Metric:
    """One metric.

    Attributes:
        name: as documents show it: the short one of `summary` where there is one.
        full: such as `evaluate.test.accuracy`; None where no run says what the short name stands for.
        rule: how it is judged.
    """

    name: str
    full: str | None
    rule: Rule

    @property
    def is_timing(self) -> bool:
        """Whether it was taken by a clock: then it is true of one machine."""
        return (self.full or "").startswith(TIMED)

    @property
    def is_of_test(self) -> bool:
        """Whether it was taken on the test split."""
        return ".test." in (self.full or "")

    def of(self, run: Run) -> float | None:
        """Return its value in a run; None where it has none, also where its short name stands for another."""
        if self.full is not None:
            value = run.metrics.get(self.full)
            if value is not None:
                return _countable(value)
            if run.params.get(f"summary.{self.name}", self.full) != self.full:
                return None
        return _countable(run.headline.get(self.name))

    def is_higher_better(self) -> bool | None:
        """Return the direction; None where nobody has said."""
        return None if self.rule.better is None else self.rule.better == "higher"


def _countable(value: float | None) -> float | None:
    """A number whose square is one too: of a training that blew up there is no mean and no spread."""
    return value if value is not None and abs(value) < 1e150 else None


def metrics_of(runs: Sequence[Run], rules: Rules, names: Sequence[str] | None = None) -> list[Metric]:
    """Return the metrics to compare.

    Args:
        runs: that are compared; what short names stand for counts as most of them say.
        rules: how metrics are judged.
        names: short or full ones, also as `metrics.accuracy`; None: the headline ones of the runs.

    Raises:
        ReproofError: for one that no run has, with those that are near.
    """
    summary = _summary(runs)
    if names is None:
        declared = [name for name in rules.summary if name in summary]
        held = dict.fromkeys(name for run in runs for name in run.headline)
        chosen: Iterable[str] = dict.fromkeys([*declared, *held])
        return [_metric(name, summary, rules) for name in chosen]
    found = [_metric(name.removeprefix("metrics."), summary, rules) for name in names]
    for name, metric in zip(names, found, strict=True):
        if all(metric.of(run) is None for run in runs):
            raise _unknown(name, runs)
    return list({metric.name: metric for metric in found}.values())


def other_meanings(runs: Iterable[Run], metric: Metric) -> set[str]:
    """Return what the metric's short name stands for in runs that mean something else by it."""
    named = {run.params.get(f"summary.{metric.name}") for run in runs}
    return {one for one in named if isinstance(one, str) and one != metric.full}


def _summary(runs: Sequence[Run]) -> dict[str, str]:
    counts: dict[str, Counter[str]] = {}
    for run in runs:
        for short in run.headline:
            if isinstance(full := run.params.get(f"summary.{short}"), str):
                counts.setdefault(short, Counter())[full] += 1
    return {short: counted.most_common(1)[0][0] for short, counted in counts.items()}


def _metric(name: str, summary: dict[str, str], rules: Rules) -> Metric:
    if name in summary:
        full: str | None = summary[name]
    else:
        short = next((short for short, full in summary.items() if full == name), None)
        full = name if "." in name else None
        name = short or name
    return Metric(name, full, rules.of(name, full))


def _unknown(name: str, runs: Sequence[Run]) -> ReproofError:
    known = sorted({one for run in runs for one in (*run.headline, *run.metrics)})
    near = difflib.get_close_matches(name.removeprefix("metrics."), known, n=5, cutoff=0.4)
    return ReproofError(
        f"no run here has the metric {name!r}",
        expected="a short name of `summary`, or one that a stage records",
        found=f"{len(known)} metrics" if known else "no metrics",
        hint=f"near ones: {', '.join(near)}" if near else None,
    )
