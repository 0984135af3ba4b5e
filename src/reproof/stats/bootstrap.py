"""The BCa bootstrap over examples, for many statistics of the same resamples at once.

A resample of n examples is a column of n whole weights that sum to n: how often each example was drawn. A
scorer turns a block of such columns into values, so that no example is ever copied, and scorers that are
given the same columns (a model and its baselines) can be compared in pairs.

BCa: B. Efron, "Better Bootstrap Confidence Intervals", JASA 82 (1987); B. Efron and R. Tibshirani, "An
Introduction to the Bootstrap" (1993), chapter 14.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

Scorer = Callable[["Array"], Mapping[str, "Array"]]
"""From weights, shape (examples, columns), float64, to values by metric, each of shape (columns,)."""

METHOD = "BCa"
RESAMPLES = 2000
CONFIDENCE = 0.95
MAX_DRAWS = 200_000_000
"""Examples times resamples; that many take 5 s of one core for each classifier."""

NO_SPREAD = "no spread in the resamples"

CHUNK_BYTES = 4_000_000
"""Of one block of weights; what is computed from it takes a few times as much."""

_LEAVE_ONE_OUT = 1000
_GROUPS = 500


@dataclass(frozen=True)
class Draws:
    """One metric on the examples and on their resamples.

    Attributes:
        estimate: on the examples as they are.
        replicates: on each resample, shape (resamples,).
        jackknife: without each example, or without each of at most 500 groups of them, shape (parts,).
        scale: the size of the numbers that it was computed from; differences below 1e-12 of it are rounding.
    """

    estimate: float
    replicates: Array
    jackknife: Array
    scale: float

    def __sub__(self, other: Draws) -> Draws:
        """Return the differences in pairs; both must be of the same resamples."""
        return Draws(
            self.estimate - other.estimate,
            self.replicates - other.replicates,
            self.jackknife - other.jackknife,
            max(self.scale, other.scale),
        )


@dataclass(frozen=True)
class Interval:
    """An interval, or why there is none."""

    bounds: tuple[float, float] | None
    missing_reason: str | None = None


def too_many(examples: int, resamples: int = RESAMPLES) -> str | None:
    """Return why so many examples are not resampled; None when they are."""
    if examples * resamples <= MAX_DRAWS:
        return None
    return f"too costly: {examples:,} examples times {resamples:,} resamples"


def draw(
    scorers: Sequence[Scorer], examples: int, *, resamples: int = RESAMPLES, seed: int = 0
) -> list[dict[str, Draws]]:
    """Score the same resamples with every scorer.

    The jackknife leaves out one example at a time up to 1,000 examples, and beyond that one of 500 groups,
    made by chance: sums over groups estimate the same acceleration at a bounded cost.

    Args:
        scorers: what is measured; each is called with blocks of columns.
        examples: how many there are, at least one.
        resamples: how many are drawn.
        seed: of the draws: the same seed and number of examples give the same resamples.

    Returns:
        for each scorer its metrics.
    """
    import numpy as np

    whole = np.ones((examples, 1))
    estimates = [{name: float(value[0]) for name, value in scorer(whole).items()} for scorer in scorers]
    columns = max(1, CHUNK_BYTES // (8 * examples))
    random = np.random.default_rng(seed)
    replicates = _scored(scorers, _resamples(random, examples, resamples, columns))
    jackknife = _scored(scorers, _jackknife(random, examples, columns))
    found = []
    for index, scores in enumerate(estimates):
        own = {}
        for name, estimate in scores.items():
            values, left_out = (
                np.concatenate([np.empty(0), *(block[index][name] for block in blocks)])
                for blocks in (replicates, jackknife)
            )
            finite = np.abs(np.append(values[np.isfinite(values)], estimate))
            own[name] = Draws(estimate, values, left_out, float(finite.max()))
        found.append(own)
    return found


def interval(draws: Draws, confidence: float = CONFIDENCE) -> Interval:
    """Return the BCa interval, or why there is none: no spread, or values that are not defined."""
    import numpy as np

    values, estimate = draws.replicates, draws.estimate
    if not np.isfinite(estimate):
        return Interval(None, "undefined on these examples")
    if undefined := int((~np.isfinite(values)).sum()):
        return Interval(None, f"undefined in {undefined:,} of {len(values):,} resamples")
    rounding = 1e-12 * draws.scale
    if np.ptp(values) <= rounding:
        return Interval(None, NO_SPREAD)
    level = (values < estimate - rounding).mean() + (np.abs(values - estimate) <= rounding).mean() / 2
    if level in (0, 1):
        return Interval(None, "all resamples lie on one side of the estimate")
    normal = NormalDist()
    bias, acceleration = normal.inv_cdf(level), _acceleration(draws.jackknife, rounding)
    levels = []
    for tail in ((1 - confidence) / 2, (1 + confidence) / 2):
        moved = bias + normal.inv_cdf(tail)
        if acceleration * moved >= 1:
            return Interval(None, "too skewed for a BCa interval")
        levels.append(normal.cdf(bias + moved / (1 - acceleration * moved)))
    low, high = np.quantile(values, levels)
    return Interval((float(low), float(high)))


def _acceleration(jackknife: Array, rounding: float) -> float:
    import numpy as np

    influence = jackknife.mean() - jackknife
    if not np.isfinite(influence).all() or np.abs(influence).max(initial=0) <= rounding:
        return 0.0  # without it the interval is the bias-corrected one
    return float((influence**3).sum() / (6 * (influence**2).sum() ** 1.5))


def _scored(scorers: Sequence[Scorer], blocks: Iterator[Array]) -> list[list[Mapping[str, Array]]]:
    return [[scorer(weights) for scorer in scorers] for weights in blocks]


def _resamples(random: Any, examples: int, resamples: int, columns: int) -> Iterator[Array]:
    """Blocks of multinomial counts, each column one resample."""
    import numpy as np

    for start in range(0, resamples, columns):
        width = min(columns, resamples - start)
        drawn = random.integers(0, examples, size=(width, examples))
        drawn += np.arange(width)[:, None] * examples
        counts = np.bincount(drawn.ravel(), minlength=width * examples).reshape(width, examples)
        yield np.ascontiguousarray(counts.T, dtype=np.float64)


def _jackknife(random: Any, examples: int, columns: int) -> Iterator[Array]:
    """Blocks of weights that are 0 for what is left out and 1 elsewhere; nothing where one example is all."""
    import numpy as np

    if examples <= _LEAVE_ONE_OUT:
        parts, part_of = examples, np.arange(examples)
    else:
        parts, part_of = _GROUPS, random.permutation(examples) % _GROUPS
    for start in range(0, parts if examples > 1 else 0, columns):
        left_out = np.arange(start, min(start + columns, parts))
        yield (part_of[:, None] != left_out).astype(np.float64)
