"""Intervals with a formula. The t interval does without SciPy: importing it costs a second in every stage.

For whole degrees of freedom Student's distribution is a finite sum, so that the quantile is exact to
rounding; the tests hold it against SciPy.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence


def t_interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float] | None:
    """Return the t interval of the mean of independent values; None for fewer than two.

    The values are one number a seed, or process medians of a benchmark. Over single calls such an interval
    covered 2 to 54% in fresh processes, over five process medians 96 to 98%.
    """
    if len(values) < 2:
        return None
    mean = statistics.fmean(values)
    half = t_quantile((1 + confidence) / 2, len(values) - 1) * statistics.stdev(values) / len(values) ** 0.5
    return mean - half, mean + half


def t_quantile(probability: float, freedom: int) -> float:
    """Return the quantile of Student's t for a probability in (0.5, 1) and whole degrees of freedom."""
    central = 2 * probability - 1  # the part between -t and t
    low, high = 0.0, math.pi / 2  # t = sqrt(freedom) * tan(angle) turns an infinite range into a finite one
    while (middle := (low + high) / 2) not in (low, high):
        low, high = (middle, high) if _central(middle, freedom) < central else (low, middle)
    return math.sqrt(freedom) * math.tan(middle)


def clopper_pearson(hits: int, examples: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the exact interval of a share, such as an accuracy (Clopper and Pearson, Biometrika 1934).

    It covers at least `confidence`, also where all or none are hits, of which a bootstrap says nothing.

    Raises:
        ValueError: without examples.
    """
    from scipy.stats import beta

    if examples < 1:
        raise ValueError("a share of no examples")
    tail = (1 - confidence) / 2
    low = 0.0 if hits == 0 else float(beta.ppf(tail, hits, examples - hits + 1))
    high = 1.0 if hits == examples else float(beta.ppf(1 - tail, hits + 1, examples - hits))
    return low, high


def _central(angle: float, freedom: int) -> float:
    """P(|T| < sqrt(freedom) * tan(angle)). Abramowitz and Stegun, 26.7.3 (odd) and 26.7.4 (even)."""
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = freedom % 2
    term = cosine if odd else 1.0
    total = term if freedom > 1 else 0.0
    for k in range(2 if odd else 1, freedom - 2, 2):
        term *= cosine**2 * k / (k + 1)
        total += term
    return 2 / math.pi * (angle + sine * total) if odd else sine * total
