"""Two classifiers on the same examples: the exact McNemar test."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]


@dataclass(frozen=True)
class McNemar:
    """How often exactly one of two is right, and how probable so uneven a split is by chance.

    Attributes:
        only_first: examples that the first alone has right.
        only_second: examples that the second alone has right.
        p_value: two-sided; None where there is no such example.
    """

    only_first: int
    only_second: int
    p_value: float | None


def mcnemar(first: Array, second: Array) -> McNemar:
    """Compare two classifiers by the examples that only one of them has right.

    The test is the exact binomial one (Q. McNemar, Psychometrika 12, 1947; exact: Dietterich, Neural
    Computation 10, 1998, names its assumptions), not its chi-squared approximation.

    Args:
        first: whether the first is right, shape (examples,), booleans.
        second: the same of the second, on the same examples in the same order.
    """
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    differing = only_first + only_second
    p_value = _by_chance(min(only_first, only_second), differing) if differing else None
    return McNemar(only_first, only_second, p_value)


def _by_chance(fewer: int, of: int) -> float:
    """Twice the probability of so few heads or fewer of fair coins: importing SciPy's takes a second."""
    import numpy as np

    k = np.arange(1, fewer + 1)
    ways = np.concatenate([[0.0], np.cumsum(np.log(of - k + 1) - np.log(k))])  # log of `of` over k
    return min(1.0, 2 * float(np.exp(ways - of * math.log(2)).sum()))
