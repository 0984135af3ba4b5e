"""Two methods over a few seeds: against hand-computed values, against SciPy, and by simulation."""

from __future__ import annotations

import itertools
import math
import random
import statistics

import pytest
from scipy import stats

from reproof.stats import equivalence, multiple, seeds, student
from reproof.stats.intervals import t_interval
from reproof.stats.seeds import Difference


@pytest.mark.parametrize("freedom", [1, 1.0001, 1.7, 2, 2.5, 3.999, 4, 7.3, 18, 55.5, 300.25])
@pytest.mark.parametrize("probability", [0.51, 0.9, 0.95, 0.975, 0.995, 0.9999])
def test_quantiles_are_those_of_scipy(freedom: float, probability: float) -> None:
    assert student.quantile(probability, freedom) == pytest.approx(
        float(stats.t.ppf(probability, freedom)), rel=1e-9
    )


@pytest.mark.parametrize("freedom", [1, 1.3, 2, 2.5, 4, 9.75, 60, 999.5])
@pytest.mark.parametrize("t", [0.0, 1e-6, 0.3, 1, 2.2, 8, 60, 4000])
def test_p_values_are_those_of_scipy(freedom: float, t: float) -> None:
    expected = 2 * float(stats.t.sf(t, freedom))
    assert student.two_sided_p(t, freedom) == pytest.approx(expected, rel=1e-9, abs=1e-290)
    assert student.two_sided_p(-t, freedom) == student.two_sided_p(t, freedom)


def test_what_has_no_quantile_is_refused() -> None:
    for probability, freedom in ((0.5, 3), (1.0, 3), (0.2, 3), (0.9, 0.5)):
        with pytest.raises(ValueError, match="no quantile"):
            student.quantile(probability, freedom)


def test_pairs_by_hand() -> None:
    # Differences 1, 2, 3: mean 2, SD 1, error 1/√3; t = 3.4641, quantile of 2 degrees of freedom 4.30265.
    found = seeds.paired([(11, 10), (14, 12), (12, 9)])
    assert found.estimate == 2
    assert found.interval == pytest.approx((2 - 4.30265 / 3**0.5, 2 + 4.30265 / 3**0.5), abs=1e-4)
    assert found.p_value == pytest.approx(0.0742, abs=1e-4)  # I_{2/(2+12)}(1, 1/2) = 1 - √(12/14)
    assert found.p_value == pytest.approx(1 - math.sqrt(12 / 14))
    assert (found.n, found.freedom, found.test) == ((3, 3), 2, "paired t")


def test_pairs_and_groups_are_those_of_scipy() -> None:
    draw = random.Random(3)
    for n, m in ((2, 2), (3, 3), (5, 3), (3, 9), (10, 10)):
        a, b = [draw.gauss(1, 2) for _ in range(n)], [draw.gauss(0, 0.3) for _ in range(m)]
        expected = stats.ttest_ind(a, b, equal_var=False)
        check(seeds.independent(a, b), expected)
        assert seeds.independent(a, b).freedom == pytest.approx(expected.df)
        if n == m:
            check(seeds.paired(list(zip(a, b, strict=True))), stats.ttest_rel(a, b))


def check(found: Difference, expected: object) -> None:
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-9)  # type: ignore[attr-defined]
    low, high = expected.confidence_interval(0.95)  # type: ignore[attr-defined]
    assert found.interval == pytest.approx((low, high), rel=1e-9)


def test_one_run_against_several_is_the_prediction_of_a_new_one() -> None:
    several = [0.90, 0.92, 0.94]
    found = seeds.independent([0.99], several)
    half = stats.t.ppf(0.975, 2) * 0.02 * (1 + 1 / 3) ** 0.5  # 4.97 standard deviations at n = 3
    assert half / 0.02 == pytest.approx(4.97, abs=0.005)
    assert found.interval == pytest.approx((0.07 - half, 0.07 + half))
    assert seeds.independent(several, [0.99]).interval == pytest.approx((-0.07 - half, -0.07 + half))
    assert found.test == "one run against several"
    pooled = stats.ttest_ind([0.99], several)  # Student's, whose pooled spread is that of the several
    assert found.p_value == pytest.approx(pooled.pvalue)


@pytest.mark.parametrize("n", [2, 3, 5, 6])
def test_the_bound_of_pairs_is_what_a_sign_flip_test_reaches(n: int) -> None:
    differences = [1.0 + 0.01 * i for i in range(n)]
    flipped = [
        sum(sign * value for sign, value in zip(signs, differences, strict=True))
        for signs in itertools.product((1, -1), repeat=n)
    ]
    reached = sum(abs(value) >= sum(differences) - 1e-9 for value in flipped) / len(flipped)
    assert seeds.best_exact_p_of_pairs(n) == reached


@pytest.mark.parametrize(("n", "m"), [(3, 3), (4, 4), (2, 5)])
def test_the_bound_of_groups_is_what_a_permutation_test_reaches(n: int, m: int) -> None:
    a, b = [10.0 + i for i in range(n)], [float(i) for i in range(m)]
    found = stats.permutation_test(
        (a, b),
        lambda x, y: sum(x) / len(x) - sum(y) / len(y),
        permutation_type="independent",
        n_resamples=9999,
    )
    assert seeds.best_exact_p_of_two(n, m) == pytest.approx(min(1, found.pvalue))


def test_few_seeds_are_told_that_they_are_few() -> None:
    three = seeds.paired([(1.0, 0.1), (1.1, 0.2), (1.2, 0.4)])
    assert not three.can_be_significant
    assert three.bound_in_words == "n = 3 cannot reach p < 0.05 (exact sign-flip test: 0.25 at best)"
    groups = seeds.independent([1.0, 1.1, 1.2], [0.1, 0.3])
    assert groups.bound_in_words == (
        "n = 3 and 2 cannot reach p < 0.05 (exact permutation test: 0.2 at best)"
    )
    assert seeds.runs_for_significance(in_pairs=True) == 6
    assert seeds.runs_for_significance(in_pairs=False) == 4
    assert seeds.independent([1.0, 1.1, 1.2, 1.3], [0.1, 0.2, 0.4, 0.3]).can_be_significant


def test_a_spread_is_that_of_statistics() -> None:
    values = [0.91, 0.9, 0.94, 0.905]
    found = seeds.spread(values)
    assert (found.n, found.values) == (4, tuple(values))
    assert found.mean == pytest.approx(statistics.fmean(values), rel=1e-15)
    assert found.sd == pytest.approx(statistics.stdev(values), rel=1e-13)
    assert found.interval == pytest.approx(t_interval(values), rel=1e-12)
    assert seeds.spread([0.5]) == seeds.Spread((0.5,), 0.5, None, None)


def test_what_does_not_vary_has_no_interval_and_is_judged_by_counting() -> None:
    fixed = seeds.paired([(0.96, 0.95)] * 3)
    assert (fixed.interval, fixed.p_value, fixed.test) == (None, 0.25, "exact sign flips")
    # 0.3 - 0.2 and 0.2 - 0.1 differ by their arithmetic alone.
    assert seeds.paired([(0.3, 0.2), (0.2, 0.1), (0.4, 0.3)]).interval is None
    groups = seeds.independent([5.0] * 4, [4.0] * 4)
    assert (groups.interval, groups.p_value) == (None, pytest.approx(2 / 70))
    same = seeds.paired([(0.5, 0.5), (0.7, 0.7)])
    assert (same.estimate, same.p_value, same.missing) == (0.0, None, "the same value in every run")


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(ValueError, match="fewer than two pairs"):
        seeds.paired([(1, 2)])
    for first, second in (([1.0], [2.0]), ([], [1.0, 2.0, 3.0])):
        with pytest.raises(ValueError, match="one value"):
            seeds.independent(first, second)


def test_many_comparisons_are_those_of_scipy() -> None:
    draw = random.Random(5)
    for many in (1, 2, 7, 200):
        values = [draw.random() ** 3 for _ in range(many)] + [0.01, 0.01]
        assert multiple.adjusted(values) == pytest.approx(list(stats.false_discovery_control(values)))
    assert multiple.adjusted([]) == []
    # By hand: 0.01 · 3 / 1, 0.02 · 3 / 2, 0.9 · 3 / 3.
    assert multiple.adjusted([0.9, 0.01, 0.02]) == pytest.approx([0.9, 0.03, 0.03])


def test_a_margin_holds_the_whole_interval() -> None:
    assert equivalence.is_within((-0.004, 0.005), 0.005)
    assert not equivalence.is_within((-0.006, 0.001), 0.005)
    assert equivalence.is_beyond((0.006, 0.2), 0.005)
    assert equivalence.is_beyond((-0.2, -0.006), 0.005)
    assert not equivalence.is_beyond((0.004, 0.2), 0.005)


def coverage(n: int, rounds: int, kind: str, spread: float = 1.0) -> float:
    """How often an interval of a true difference of 0.3 holds it."""
    draw = random.Random(n)
    held = 0
    for _ in range(rounds):
        a, b = [draw.gauss(0.3, 1) for _ in range(n)], [draw.gauss(0, spread) for _ in range(n)]
        if kind == "mean":
            interval = seeds.spread(a).interval
            assert interval is not None
            held += interval[0] <= 0.3 <= interval[1]
            continue
        if kind == "paired":
            shared = [draw.gauss(0, 2) for _ in range(n)]
            found = seeds.paired([(x + s, y + s) for x, y, s in zip(a, b, shared, strict=True)])
        elif kind == "one run":
            found = seeds.independent(a[:1], b)
        else:
            found = seeds.independent(a, b)
        assert found.interval is not None
        held += found.interval[0] <= 0.3 <= found.interval[1]
    return held / rounds


@pytest.mark.soak
@pytest.mark.parametrize(("n", "m"), [(3, 5), (3, 10), (5, 10)])
@pytest.mark.parametrize("spread", [1.0, 3.0])
def test_intervals_of_unlike_groups_cover_what_they_say(n: int, m: int, spread: float) -> None:
    assert unlike(n, m, 20_000, spread) == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize("m", [3, 6, 10])
def test_with_two_runs_on_one_side_the_interval_covers_enough(m: int) -> None:
    assert 0.93 < unlike(2, m, 4000, 1.0) < 0.98


def unlike(n: int, m: int, rounds: int, spread: float) -> float:
    """How often Welch's interval holds the true difference of groups of two sizes."""
    draw = random.Random(100 * n + m)
    held = 0
    for _ in range(rounds):
        first = [draw.gauss(0.3, spread) for _ in range(n)]
        found = seeds.independent(first, [draw.gauss(0, 1) for _ in range(m)])
        assert found.interval is not None
        held += found.interval[0] <= 0.3 <= found.interval[1]
    return held / rounds


@pytest.mark.soak
@pytest.mark.parametrize("n", [3, 5, 10])
@pytest.mark.parametrize("kind", ["mean", "paired", "Welch", "Welch, of other spread", "one run"])
def test_intervals_cover_what_they_say(n: int, kind: str) -> None:
    spread = 3.0 if "other" in kind else 1.0
    assert coverage(n, 20_000, kind, spread) == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize("kind", ["mean", "paired", "Welch", "one run"])
def test_intervals_cover_about_what_they_say(kind: str) -> None:
    assert coverage(3, 2000, kind) == pytest.approx(0.955, abs=0.025)
