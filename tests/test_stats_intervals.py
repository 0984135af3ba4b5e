"""Intervals and tests with a formula are SciPy's."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from reproof.stats import intervals
from reproof.stats.paired import mcnemar


@pytest.mark.parametrize("freedom", [*range(1, 31), 100, 1001])
def test_the_t_quantile_is_scipys(freedom: int) -> None:
    for probability in (0.55, 0.9, 0.975, 0.995):
        ours = intervals.t_quantile(probability, freedom)
        assert ours == pytest.approx(scipy.stats.t.ppf(probability, freedom), rel=1e-9)


def test_the_t_interval_is_scipys() -> None:
    values = [1.0, 1.1, 0.98, 1.3, 1.02]
    expected = scipy.stats.t.interval(0.95, 4, np.mean(values), scipy.stats.sem(values))
    assert intervals.t_interval(values) == pytest.approx(expected)
    assert intervals.t_interval([1.0]) is None


@pytest.mark.parametrize(("hits", "examples"), [(0, 1), (1, 1), (0, 30), (30, 30), (17, 30)])
def test_the_exact_interval_of_a_share_is_scipys(hits: int, examples: int) -> None:
    theirs = scipy.stats.binomtest(hits, examples).proportion_ci(method="exact")
    assert intervals.clopper_pearson(hits, examples) == pytest.approx((theirs.low, theirs.high))


def test_a_share_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no examples"):
        intervals.clopper_pearson(0, 0)


def test_mcnemar_counts_what_only_one_has_right() -> None:
    first = np.array([True] * 9 + [False] * 2 + [True] * 20 + [False] * 4)
    second = np.array([False] * 9 + [True] * 2 + [True] * 20 + [False] * 4)
    found = mcnemar(first, second)
    assert (found.only_first, found.only_second) == (9, 2)
    # The two tails of 11 fair tosses with at least 9 on one side: 2 * (1 + 11 + 55) / 2**11.
    assert found.p_value == pytest.approx(134 / 2048)


def test_mcnemar_of_equals_has_no_p_value() -> None:
    same = np.array([True, False, True])
    assert mcnemar(same, same).p_value is None
