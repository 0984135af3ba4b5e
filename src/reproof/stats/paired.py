"""Two classifiers on the same examples: the exact McNemar test."""

from __future__ import annotations

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
    from scipy.stats import binomtest

    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    differing = only_first + only_second
    p_value = float(binomtest(only_first, differing).pvalue) if differing else None
    return McNemar(only_first, only_second, p_value)
