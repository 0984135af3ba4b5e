"""Student's t for any degrees of freedom, as Welch's test needs it. Without SciPy, whose import costs more
than the whole comparison of two thousand runs; the tests hold it against SciPy.
"""

from __future__ import annotations

import functools
import math

from reproof.stats.intervals import t_quantile

_TINY = 1e-300
_MOST_TERMS = 400


def two_sided_p(t: float, freedom: float) -> float:
    """Return the probability that |T| is at least |t|: the p-value of a two-sided t test."""
    if math.isinf(t):
        return 0.0
    x = freedom / (freedom + t * t)
    return min(1.0, _incomplete_beta(freedom / 2, 0.5, x))


def quantile(probability: float, freedom: float) -> float:
    """Return the quantile of Student's t for a probability in (0.5, 1) and at least one degree of freedom.

    Raises:
        ValueError: outside these.
    """
    if not 0.5 < probability < 1 or freedom < 1:
        raise ValueError(f"no quantile of {probability} at {freedom} degrees of freedom")
    whole = math.floor(freedom)
    low = _whole(probability, whole)
    if whole == freedom:
        return low
    # Quantiles are nearly straight over 1 / freedom, and so is the tail over the quantile where both are
    # logarithms: so Newton's method there, from there.
    high, tail = _whole(probability, whole + 1), 2 * (1 - probability)
    t = high + (low - high) * (1 / freedom - 1 / (whole + 1)) / (1 / whole - 1 / (whole + 1))
    for _ in range(20):
        p = two_sided_p(t, freedom)
        step = math.log(p / tail) * p / (2 * t * _density(t, freedom))
        t *= math.exp(step)
        if abs(step) <= 1e-13:
            break
    return t


@functools.lru_cache(maxsize=1024)
def _whole(probability: float, freedom: int) -> float:
    return t_quantile(probability, freedom)


def _density(t: float, freedom: float) -> float:
    logarithm = math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2) - math.log(freedom * math.pi) / 2
    return math.exp(logarithm - (freedom + 1) / 2 * math.log1p(t * t / freedom))


def _incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function I_x(a, b), for x from 0 to 1.

    By its continued fraction (Abramowitz and Stegun, 26.5.8), evaluated as W. Lentz does (Applied Optics 15,
    1976), on the side where it converges fast.
    """
    if x <= 0 or x >= 1:
        return float(x >= 1)
    front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    if x < (a + 1) / (a + b + 2):
        return math.exp(front) * _fraction(a, b, x) / a
    return 1 - math.exp(front) * _fraction(b, a, 1 - x) / b


def _fraction(a: float, b: float, x: float) -> float:
    c, d = 1.0, 1 / _away_from_zero(1 - (a + b) * x / (a + 1))
    found = d
    for m in range(1, _MOST_TERMS):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / _away_from_zero(1 + term * d)
            c = _away_from_zero(1 + term / c)
            found *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return found


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
