"""How often a comparison calls better what is not, and how often it finds what is."""

from __future__ import annotations

import random

import pytest
from compared import ACCURACY, RULES, method

from reproof.comparison import Metric, compare, verdicts

# How often it is wrong.


@pytest.mark.parametrize("n", [2, 3, 5, 10])
def test_a_null_experiment_is_seldom_called_better(n: int) -> None:
    """The same method again, 1,000 times, each in a table of its own: at most 5% are called better."""
    draw = random.Random(n)
    better = 0
    for _ in range(1000):
        shared = [draw.gauss(0.9, 0.01) for _ in range(n)]
        base = {(seed,): value + draw.gauss(0, 0.01) for seed, value in enumerate(shared)}
        new = {(seed,): value + draw.gauss(0, 0.01) for seed, value in enumerate(shared)}
        found = verdicts.difference_of(new, base)
        assert found is not None
        metric = Metric("accuracy", ACCURACY, RULES.of("accuracy"))
        told = verdicts.judge({(0, "accuracy"): found}, {"accuracy": metric})[0, "accuracy"]
        better += told.kind == "better"
    assert better <= 50


def test_a_null_table_of_a_thousand_lines_says_better_of_hardly_any() -> None:
    draw = random.Random(11)
    base = method("main", [draw.gauss(0.9, 0.01) for _ in range(5)])
    others = [
        one
        for i in range(1000)
        for one in method(f"again{i}x", [draw.gauss(0.9, 0.01) for _ in range(5)], train__lr=1.0 + i)
    ]
    found = compare([*base, *others], RULES, baseline=base[0], metrics=["accuracy"])
    kinds = [one.verdicts["accuracy"].kind for one in found.groups if one.verdicts]
    assert len(kinds) == 1000
    assert kinds.count("better") <= 50
    assert "looks better than it is" in found.warnings[-1]


def test_real_differences_are_found_among_many() -> None:
    """The correction does not make the comparison blind."""
    draw = random.Random(12)
    base = method("main", [draw.gauss(0.9, 0.005) for _ in range(6)])
    others = [
        one
        for i in range(50)
        for one in method(
            f"m{i}x", [draw.gauss(0.9 + 0.04 * (i < 25), 0.005) for _ in range(6)], train__lr=1.0 + i
        )
    ]
    found = compare([*base, *others], RULES, baseline=base[0], metrics=["accuracy"])
    better = {one.name for one in found.groups if one.verdicts and one.verdicts["accuracy"].kind == "better"}
    truly = {f"m{i}x" for i in range(25)}
    assert len(better & truly) >= 24
    assert len(better - truly) <= 2
