"""Is the recorded number one that fresh seeds of the same code and data would give?

For each headline metric the prediction interval of one more run: mean ± t · s · √(1 + 1/K) over K fresh
seeds, with K - 1 degrees of freedom (G. J. Hahn and W. Q. Meeker, Statistical Intervals, 1991, 4.7). It
supposes that seeds spread normally. Over m metrics each interval has the confidence 1 - 0.05/m (Bonferroni),
so that a true record fails in at most 5% of cases, whatever m is.

This is the weakest of the levels: with three seeds the interval reaches five standard deviations to each
side, and a bug that moves a result by less passes. It answers whether the finding holds, not whether the
computation does.
"""

from __future__ import annotations

import hashlib
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reproof.stats.intervals import t_quantile

CONFIDENCE = 0.95
MIN_SEEDS = 3

_ROUNDING = 1e-12
"""Of the size of the values: a spread below it is that of their arithmetic."""


@dataclass(frozen=True)
class Predicted:
    """One headline metric.

    Attributes:
        name: its short name in `summary`.
        metric: its full name.
        recorded: the run's value.
        values: one a seed.
        interval: in which one more seed's value lies with the confidence asked for.
        inside: whether the recorded value does; None where the seeds gave one value though they differ in
            others: a coarse metric does so by chance, and nothing is known of its spread.
    """

    name: str
    metric: str
    recorded: float
    values: tuple[float, ...]
    interval: tuple[float, float]
    inside: bool | None


@dataclass(frozen=True)
class Replication:
    """What fresh seeds say.

    Attributes:
        seeds: those that were run.
        metrics: the headline metrics that could be judged.
        missing: the others with the reason: timings, or those that nothing measured.
        confidence: of each interval.
    """

    seeds: tuple[int, ...]
    metrics: tuple[Predicted, ...]
    missing: Mapping[str, str]
    confidence: float

    @property
    def replicates(self) -> bool | None:
        """Whether every metric lies where it should; None where none could be judged, or one that matters."""
        if any(one.inside is False for one in self.metrics):
            return False
        return True if self.metrics and all(one.inside for one in self.metrics) else None

    @property
    def half_width(self) -> float:
        """How many standard deviations the interval reaches to each side."""
        return _half_width(len(self.seeds), self.confidence)


def fresh_seeds(commit: str, recorded: int | None, count: int) -> tuple[int, ...]:
    """Return seeds that neither the run's author nor the verifier picked: they follow from the commit.

    Args:
        commit: that holds the record.
        recorded: the run's own seed, which is not fresh.
        count: how many.
    """
    found: list[int] = []
    number = 0
    while len(found) < count:
        seed = int.from_bytes(hashlib.sha256(f"{commit}:{number}".encode()).digest()[:4])
        number += 1
        if seed != recorded and seed not in found:
            found.append(seed)
    return tuple(found)


def replicate(
    headline: Mapping[str, str],
    recorded: Mapping[str, float | None],
    seeds: Sequence[int],
    runs: Sequence[Mapping[str, float | None]],
    left_out: Mapping[str, str],
) -> Replication:
    """Judge the recorded headline metrics by those of fresh seeds.

    Args:
        headline: `summary` of params.yaml: short names to full ones.
        recorded: the run's metrics by full name.
        seeds: of the fresh runs.
        runs: their metrics, in the same order.
        left_out: metrics that no two runs share, with the reason.

    Raises:
        ValueError: for fewer than three runs.
    """
    if len(runs) < MIN_SEEDS or len(runs) != len(seeds):
        raise ValueError(f"{len(runs)} fresh runs")
    missing: dict[str, str] = {}
    judged: dict[str, tuple[str, float, tuple[float, ...]]] = {}
    for short, metric in headline.items():
        value, found = recorded.get(metric), [run.get(metric) for run in runs]
        numbers = tuple(one for one in found if one is not None)
        if metric in left_out:
            missing[short] = left_out[metric]
        elif value is None:
            missing[short] = "the record has no value, or its stage was not executed"
        elif len(numbers) < len(runs):
            missing[short] = f"{len(runs) - len(numbers)} of {len(runs)} fresh runs have no value"
        else:
            judged[short] = (metric, value, numbers)
    confidence = 1 - (1 - CONFIDENCE) / max(1, len(judged))
    matters = _seed_matters(runs, left_out)
    metrics = tuple(
        _judge(short, metric, value, numbers, confidence, matters)
        for short, (metric, value, numbers) in judged.items()
    )
    return Replication(tuple(seeds), metrics, missing, confidence)


def _seed_matters(runs: Sequence[Mapping[str, float | None]], left_out: Mapping[str, str]) -> bool:
    """Whether anything at all that was measured varies with the seed."""
    for metric in runs[0].keys() - left_out.keys():
        values = [value for run in runs if (value := run.get(metric)) is not None]
        if len(values) > 1 and max(values) - min(values) > _ROUNDING * max(map(abs, values)):
            return True
    return False


def _judge(
    name: str,
    metric: str,
    recorded: float,
    values: tuple[float, ...],
    confidence: float,
    seed_matters: bool,
) -> Predicted:
    mean, spread = statistics.fmean(values), statistics.stdev(values)
    scale = max(abs(value) for value in (*values, recorded))
    half = _half_width(len(values), confidence) * spread
    has_spread = spread > _ROUNDING * scale
    if not has_spread:  # it predicts itself, and nothing beside it
        half = _ROUNDING * scale
    inside: bool | None = bool(abs(recorded - mean) <= half)
    if not inside and not has_spread and seed_matters:
        inside = None
    return Predicted(name, metric, recorded, values, (mean - half, mean + half), inside)


def _half_width(count: int, confidence: float) -> float:
    return t_quantile((1 + confidence) / 2, count - 1) * math.sqrt(1 + 1 / count)
