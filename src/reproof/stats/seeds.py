"""Two methods, each run with a few seeds: how far their means are apart, and how sure that is.

In pairs where both ran the same seeds on the same splits (Student's paired t); otherwise Welch's t, which
does not suppose that both spread alike (B. L. Welch, Biometrika 34, 1947). One run against several: Student's
t with the spread of the several, which says whether it would be an ordinary one of them.

A t test takes its small p-values from the form of the normal distribution. With few seeds that form is all it
has: a permutation test, which supposes nothing of it (E. J. G. Pitman, 1937), cannot go below 0.25 over 3
pairs, or below 0.1 over 3 and 3 runs. `Difference.best_exact_p` is that bound. Where it is over 5%, a p-value
would say something of the normal distribution and not of the runs, so that none is shown.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from reproof.stats import student

CONFIDENCE = 0.95
ALPHA = 0.05

PAIRED, WELCH, ONE_RUN = "paired t", "Welch's t", "one run against several"
SIGN_FLIPS, PERMUTATIONS = "exact sign flips", "exact permutations"

_ROUNDING = 1e-12
"""Of the size of the values: a spread below it is that of their arithmetic."""


@dataclass(frozen=True)
class Spread:
    """A metric over runs.

    Attributes:
        values: one a run.
        mean: of them.
        sd: standard deviation (n - 1); None for fewer than two.
        interval: 95% t interval of the mean; None for fewer than two.
    """

    values: tuple[float, ...]
    mean: float
    sd: float | None
    interval: tuple[float, float] | None

    @property
    def n(self) -> int:
        """How many runs."""
        return len(self.values)


@dataclass(frozen=True)
class Difference:
    """The difference of two means.

    Attributes:
        estimate: the first mean minus the second; in pairs the mean of their differences.
        n: runs on each side; both are the number of pairs where these are.
        test: by which the interval and the p-value are got.
        freedom: degrees of freedom; None for an exact test.
        interval: for the difference, with the confidence asked for; None where nothing spreads.
        p_value: two-sided, of no difference; None where nothing differs.
        best_exact_p: the smallest p-value that so few runs can reach without supposing a distribution.
        missing: why there is no interval.
    """

    estimate: float
    n: tuple[int, int]
    test: str
    freedom: float | None = None
    interval: tuple[float, float] | None = None
    p_value: float | None = None
    best_exact_p: float = 1.0
    missing: str | None = None

    @property
    def can_be_significant(self) -> bool:
        """Whether so many runs can show a difference at the 5% level without supposing a distribution."""
        return self.best_exact_p <= ALPHA

    @property
    def bound_in_words(self) -> str:
        """Why no p-value is shown, such as `n = 3 pairs cannot reach p < 0.05`, and the test that says so."""
        test = "sign-flip" if self.test in (PAIRED, SIGN_FLIPS) else "permutation"
        many = self._count
        return f"{many} cannot reach p < {ALPHA:g} (exact {test} test: {self.best_exact_p:.3g} at best)"

    @property
    def _count(self) -> str:
        if self.test in (PAIRED, SIGN_FLIPS):
            return f"n = {self.n[0]}"
        return f"n = {self.n[0]}" if self.n[0] == self.n[1] else f"n = {self.n[0]} and {self.n[1]}"


def spread(values: Sequence[float], confidence: float = CONFIDENCE) -> Spread:
    """Return how a metric spreads over runs.

    Args:
        values: one a run, at least one.
        confidence: of the t interval.
    """
    mean, variance = _moments(values)
    if len(values) < 2:
        return Spread(tuple(values), mean, None, None)
    if math.sqrt(variance) <= _ROUNDING * max(map(abs, values)):
        variance = 0.0
    half = student.quantile((1 + confidence) / 2, len(values) - 1) * math.sqrt(variance / len(values))
    return Spread(tuple(values), mean, math.sqrt(variance), (mean - half, mean + half))


def paired(pairs: Sequence[tuple[float, float]], confidence: float = CONFIDENCE) -> Difference:
    """Compare two methods that ran the same seeds on the same splits.

    Args:
        pairs: of each seed the first method's value and the second's; at least two.
        confidence: of the interval.

    Raises:
        ValueError: for fewer pairs.
    """
    if len(pairs) < 2:
        raise ValueError("a paired comparison of fewer than two pairs")
    n = len(pairs)
    differences = [first - second for first, second in pairs]
    estimate, variance = _moments(differences)
    bound = best_exact_p_of_pairs(n)
    scale = max(abs(value) for pair in pairs for value in pair)
    if math.sqrt(variance) <= _ROUNDING * scale:
        return _without_spread(estimate, (n, n), SIGN_FLIPS, bound, scale)
    return _by_t(estimate, math.sqrt(variance / n), n - 1, (n, n), PAIRED, bound, confidence)


def independent(
    first: Sequence[float], second: Sequence[float], confidence: float = CONFIDENCE
) -> Difference:
    """Compare two methods whose runs share nothing: by Welch's t, or by Student's where one side is one run.

    Args:
        first: a value a run, at least one; with `second` at least three.
        second: likewise.
        confidence: of the interval.

    Raises:
        ValueError: for fewer values.
    """
    n = len(first), len(second)
    if min(n) < 1 or sum(n) < 3:
        raise ValueError("a comparison of one value with one value")
    (mean, variance), (other_mean, other_variance) = _moments(first), _moments(second)
    estimate = mean - other_mean
    bound = best_exact_p_of_two(*n)
    scale = max(abs(value) for value in (*first, *second))
    errors = [variance / n[0], other_variance / n[1]]
    if math.sqrt(sum(errors)) <= _ROUNDING * scale:
        return _without_spread(estimate, n, PERMUTATIONS, bound, scale)
    if min(n) == 1:
        several = max(n)
        error = math.sqrt(
            (variance + other_variance) * (1 + 1 / several)
        )  # one of them is that of one run: 0
        return _by_t(estimate, error, several - 1, n, ONE_RUN, bound, confidence)
    parts = sum(error**2 / (count - 1) for error, count in zip(errors, n, strict=True))
    freedom = max(sum(errors) ** 2 / parts, float(min(n) - 1))
    if min(n) == 2:  # of 2 runs and 10 that spread alike, Welch's own covers 90%, with at most 3 degrees 94%
        freedom = min(freedom, 3.0)
    return _by_t(estimate, math.sqrt(sum(errors)), freedom, n, WELCH, bound, confidence)


def best_exact_p_of_pairs(pairs: int) -> float:
    """Return the smallest two-sided p-value of a sign-flip test: that of differences of one sign."""
    return 2.0 ** (1 - pairs)


def best_exact_p_of_two(first: int, second: int) -> float:
    """Return the smallest two-sided p-value of a permutation test: that of groups that do not overlap."""
    return min(1.0, 2 / math.comb(first + second, first))


def runs_for_significance(*, in_pairs: bool) -> int:
    """Return how many seeds a side can reach p < 0.05 whatever the distribution: 6 pairs, or 4 and 4."""
    n = 2
    while (best_exact_p_of_pairs(n) if in_pairs else best_exact_p_of_two(n, n)) > ALPHA:
        n += 1
    return n


def _moments(values: Sequence[float]) -> tuple[float, float]:
    """Mean and variance (n - 1), 0 of one value. `statistics` counts in fractions, ten times slower."""
    mean = math.fsum(values) / len(values)
    if len(values) < 2:
        return mean, 0.0
    return mean, math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)


def _by_t(
    estimate: float,
    error: float,
    freedom: float,
    n: tuple[int, int],
    test: str,
    bound: float,
    confidence: float,
) -> Difference:
    half = student.quantile((1 + confidence) / 2, freedom) * error
    p_value = student.two_sided_p(estimate / error, freedom)
    interval = (estimate - half, estimate + half)
    return Difference(estimate, n, test, freedom, interval, p_value, bound)


def _without_spread(estimate: float, n: tuple[int, int], test: str, bound: float, scale: float) -> Difference:
    """What never varies has no t; how often chance would deal all values so unevenly can still be counted."""
    if abs(estimate) <= _ROUNDING * scale:
        return Difference(0.0, n, test, best_exact_p=bound, missing="the same value in every run")
    return Difference(
        estimate, n, test, p_value=bound, best_exact_p=bound, missing="it does not vary over these runs"
    )
