"""From a model's answers to one number with an interval, for classifiers and regressors alike."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reproof.stats.intervals import t_interval

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

BATCH_SIZE = 256
"""Examples of one pass; as in the template's evaluate_model.py, so that the clean number is the same one."""

Score = Callable[["Array", "Array"], "Array"]
"""Raw examples and their targets, both with the same first axis, to one number for each example."""


@dataclass(frozen=True)
class Metric:
    """One number over many examples.

    Attributes:
        name: as in evaluation.json.
        sign: 1 where more is better, -1 where less is.
        interval: how the interval is made, and what it is over.
        of_each: answers (classes' probabilities, or predictions) and targets to one number an example.
        value: those numbers to the metric.
        bounds: those numbers to its 95% interval, None for too few examples.
        graded_name: what `graded` is.
        graded: as `of_each`, but finer: it sees a change that tips no answer over.
    """

    name: str
    sign: int
    interval: str
    of_each: Score
    value: Callable[[Array], float]
    bounds: Callable[[Array], tuple[float, float] | None]
    graded_name: str
    graded: Score


def wilson(share: float, examples: int) -> tuple[float, float]:
    """Return the 95% score interval of a share of `examples`, at least one.

    E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", JASA 22 (1927).
    """
    z = 1.959963984540054
    middle = share + z * z / (2 * examples)
    half = z * math.sqrt(share * (1 - share) / examples + z * z / (4 * examples * examples))
    low, high = ((middle + side * half) / (1 + z * z / examples) for side in (-1, 1))
    # At the ends rounding leaves 1e-17; the interval is exact there, and holds the share itself.
    return min(max(low, 0.0), share), max(min(high, 1.0), share)


def _is_right(probabilities: Array, targets: Array) -> Array:
    import numpy as np

    return np.asarray(probabilities.argmax(axis=1) == targets, dtype=float)


def _of_the_truth(probabilities: Array, targets: Array) -> Array:
    import numpy as np

    return np.asarray(probabilities[np.arange(len(targets)), targets], dtype=float)


def _mean(values: Array) -> float:
    return float(values.mean())


def _bounds_of_share(right: Array) -> tuple[float, float]:
    return wilson(_mean(right), len(right))


def _error(predictions: Array, targets: Array) -> Array:
    return predictions.reshape(len(targets)).astype(float) - targets


def _squared(predictions: Array, targets: Array) -> Array:
    return _error(predictions, targets) ** 2


def _absolute(predictions: Array, targets: Array) -> Array:
    error: Array = abs(_error(predictions, targets))
    return error


def _root(squares: Array) -> float:
    return math.sqrt(squares.mean())


def _bounds_of_root(squares: Array) -> tuple[float, float] | None:
    interval = t_interval(squares.tolist())
    return interval and (math.sqrt(max(0.0, interval[0])), math.sqrt(interval[1]))


ACCURACY = Metric(
    name="accuracy",
    sign=1,
    interval="95%, Wilson's score interval over examples",
    of_each=_is_right,
    value=_mean,
    bounds=_bounds_of_share,
    graded_name="probability of the true class",
    graded=_of_the_truth,
)
RMSE = Metric(
    name="rmse",
    sign=-1,
    interval="95%, roots of the ends of the t interval of the squared error over examples",
    of_each=_squared,
    value=_root,
    bounds=_bounds_of_root,
    graded_name="absolute error",
    graded=_absolute,
)


def batches(examples: int, size: int = BATCH_SIZE) -> Iterator[slice]:
    """Yield slices that cover the examples, in order."""
    yield from (slice(start, start + size) for start in range(0, examples, size))


def scored(score: Score, x: Array, targets: Array, change: Callable[[Array], Array] | None = None) -> Array:
    """Score examples in batches, each after `change`: never more than one changed batch is in memory."""
    import numpy as np

    return np.concatenate(
        [score(x[part] if change is None else change(x[part]), targets[part]) for part in batches(len(x))]
    )


def summary(metric: Metric, values: Array) -> dict[str, Any]:
    """Return `value` and `interval` as plain JSON."""
    bounds = metric.bounds(values)
    return {"value": metric.value(values), "interval": None if bounds is None else list(bounds)}


def sampled(examples: int, count: int, seed: int) -> Array:
    """Return the rows of at most `count` of the examples, drawn without replacement, in their order."""
    import numpy as np

    if examples <= count:
        return np.arange(examples)
    return np.sort(np.random.default_rng(seed).choice(examples, count, replace=False))
