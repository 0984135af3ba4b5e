"""From the samples of a cell's processes to its numbers. Pure functions over arrays."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from reproof.benchmark.schema import StageStats, Throughput
from reproof.stats import intervals

Array = npt.NDArray[Any]

_MS = 1e6
_PERCENTILES = {"p90_ms": 0.90, "p95_ms": 0.95, "p99_ms": 0.99, "p999_ms": 0.999}
_OUTLIER = 3.5
_NORMAL_MAD = 1.4826
"""Median absolute deviation times this estimates the standard deviation of a normal distribution."""


def min_samples(probability: float) -> int:
    """Return how many samples bound a percentile from above: fewer, and the largest may well lie below it.

    The largest of n lies below the percentile with probability p**n, which must be under 2.5%, the upper
    side of a 95% interval: 36 for p90, 72 for p95, 368 for p99, 3,688 for p99.9.
    """
    return math.ceil(math.log(0.025) / math.log(probability))


def stage(processes: Sequence[Array], preempted: Sequence[Array]) -> StageStats:
    """Summarise one stage.

    Args:
        processes: nanoseconds of each call, one array a process.
        preempted: whether the call was preempted, likewise.
    """
    pooled = np.concatenate(processes) / _MS
    medians = [float(np.median(times)) / _MS for times in processes]
    missing: dict[str, str] = {}
    percentiles: dict[str, float | None] = {}
    for name, probability in _PERCENTILES.items():
        need = min_samples(probability)
        enough = len(pooled) >= need
        percentiles[name] = float(np.quantile(pooled, probability)) if enough else None
        if not enough:
            missing[name] = f"{len(pooled)} calls; it takes {need}"
    interval = intervals.t_interval(medians)
    half_width = None
    if interval is None:
        missing["ci95_ms"] = missing["ci95_half_width_percent"] = "one process; an interval takes two"
    elif (centre := sum(interval) / 2) > 0:
        half_width = 100 * (interval[1] - interval[0]) / 2 / centre
    else:
        missing["ci95_half_width_percent"] = "the stage takes less than the clock resolves"
    outliers = _outliers(processes)
    if outliers is None:
        missing["outliers"] = "over half of a process's calls took the same time: no deviation to count by"
    kept = [times[~taken] for times, taken in zip(processes, preempted, strict=True) if not taken.all()]
    if not kept:
        missing["median_unpreempted_ms"] = "every call was preempted"
    return StageStats(
        n=len(pooled),
        mean_ms=float(pooled.mean()),
        median_ms=statistics.median(medians),
        ci95_ms=None if interval is None else list(interval),
        ci95_half_width_percent=half_width,
        **percentiles,
        min_ms=float(pooled.min()),
        max_ms=float(pooled.max()),
        outliers=outliers,
        median_unpreempted_ms=statistics.median(float(np.median(t)) / _MS for t in kept) if kept else None,
        process_medians_ms=medians,
        unavailable_reason=missing,
    )


def throughput(end_to_end: Sequence[Array], batch_size: int) -> Throughput:
    """Return examples a second of calls made one after the other, slow ones included."""
    calls, nanoseconds = sum(map(len, end_to_end)), sum(int(times.sum()) for times in end_to_end)
    return Throughput(
        items_per_s=batch_size * calls * 1e9 / max(1, nanoseconds),
        basis="one caller, one call at a time: all examples over the sum of all end-to-end times",
    )


def _outliers(processes: Sequence[Array]) -> int | None:
    """Within each process, since processes differ from one another for reasons of their own."""
    count = 0
    for times in processes:
        distance = np.abs(times - np.median(times))
        deviation = _NORMAL_MAD * float(np.median(distance))
        if deviation == 0:
            return None
        count += int((distance > _OUTLIER * deviation).sum())
    return count
