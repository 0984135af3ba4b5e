"""How often an interval over a few processes covers what many processes say. Pure functions over arrays.

The population is the processes that were measured, each as likely as any other; a draw takes K of them with
replacement, as K fresh processes would be taken from all that could run. An interval covers when the
population's own value lies inside it. How far the measured processes stand for all others is a bootstrap over
them: the whole is done again with the processes themselves drawn anew (Efron and Tibshirani, "An Introduction
to the Bootstrap", 6).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from reproof.stats import intervals

Array = npt.NDArray[Any]

_NORMAL_975 = 1.959964
_NEAR = (0.3, 0.7)
"""Between which quantiles of a process the median of several, and its interval, can lie."""


class Calls(NamedTuple):
    """Every process's calls, counted: what a median over calls and its interval need, and no more."""

    medians: Array
    """(P,) nanoseconds."""
    sizes: Array
    """(P,) calls."""
    values: Array
    """(V,) nanoseconds, ascending: those that lie where a median can."""
    below: Array
    """(P, V) how many calls of a process take at most so long."""


def count(processes: Sequence[Array]) -> Calls:
    """Count the calls of each process, nanoseconds in whole numbers."""
    low = min(np.quantile(times, _NEAR[0], method="lower") for times in processes)
    high = max(np.quantile(times, _NEAR[1], method="higher") for times in processes)
    values = np.unique(np.concatenate([times[(times >= low) & (times <= high)] for times in processes]))
    ordered = [np.sort(times) for times in processes]
    return Calls(
        medians=np.array([np.median(times) for times in processes]),
        sizes=np.array([len(times) for times in processes]),
        values=values,
        below=np.stack([np.searchsorted(times, values, side="right") for times in ordered]),
    )


def covered_by_processes(calls: Calls, population: Array, drawn: Array) -> Array:
    """Whether the t interval over the K process medians covers the mean of the population's medians.

    Args:
        population: (P,) indices of the processes that are the population.
        drawn: (draws, K) indices of processes.
    """
    medians = calls.medians[drawn]
    number = drawn.shape[1]
    half = intervals.t_quantile(0.975, number - 1) * medians.std(axis=1, ddof=1) / math.sqrt(number)
    off: Array = np.abs(medians.mean(axis=1) - calls.medians[population].mean())
    return off <= half


def covered_by_calls(calls: Calls, population: Array, drawn: Array) -> Array:
    """Whether the interval over all calls of the K processes covers the median of the population's calls.

    The interval is the one between two order statistics, which holds for any distribution of independent
    calls (David and Nagaraja, "Order Statistics", 7.1); that they are independent is the mistake.
    """
    truth = _quantile(calls, population[None, :], 0.0)[0]
    return (_quantile(calls, drawn, -1.0) <= truth) & (truth <= _quantile(calls, drawn, 1.0))


def _quantile(calls: Calls, drawn: Array, side: float) -> Array:
    """The pooled median of each draw's calls; `side` -1 and 1 give the ends of its interval."""
    sizes = calls.sizes[drawn].sum(axis=1)
    ranks = np.ceil(sizes / 2 + side * _NORMAL_975 * np.sqrt(sizes) / 2)
    found = np.zeros(len(drawn), dtype=np.intp)
    step = 1 << (len(calls.values) - 1).bit_length()
    while step := step >> 1:  # the first value with as many calls at or below it, by bisection
        there = np.minimum(found + step, len(calls.values)) - 1
        enough = calls.below[drawn, there[:, None]].sum(axis=1) >= ranks
        found = np.where(enough, found, there + 1)
    result: Array = calls.values[np.minimum(found, len(calls.values) - 1)]
    return result


def coverage(calls: Calls, number: int, *, draws: int, replicates: int, seed: int) -> dict[str, Any]:
    """Return the coverage of both intervals over `number` processes, and of their difference.

    Each with `low` and `high`: a 95% bootstrap interval over processes, the chance of the draws included.
    """
    generator = np.random.default_rng(seed)
    processes = len(calls.sizes)
    kinds = {"process": covered_by_processes, "call": covered_by_calls}
    everyone = np.arange(processes)
    drawn = everyone[generator.integers(processes, size=(10 * draws, number))]
    shares = {name: float(covered(calls, everyone, drawn).mean()) for name, covered in kinds.items()}
    again: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(replicates):
        population = generator.integers(processes, size=processes)
        drawn = population[generator.integers(processes, size=(draws, number))]
        for name, covered in kinds.items():
            again[name].append(float(covered(calls, population, drawn).mean()))
    shares["difference"] = shares["process"] - shares["call"]
    spread = {name: np.array(values) for name, values in again.items()}
    spread["difference"] = spread["process"] - spread["call"]
    return {name: _told(share, spread[name]) for name, share in shares.items()}


def _told(share: float, again: Array) -> dict[str, float]:
    low, high = np.quantile(again, [0.025, 0.975])
    return {"median": share, "low": float(low), "high": float(high)}
