"""The interval of two models' difference, simulated: it covers what it says; equal models seldom differ."""

from __future__ import annotations

import numpy as np
import pytest

from reproof import evaluation
from reproof.difference.scoring import Side, scored


def equally_good(random: np.random.Generator, examples: int, hard: float) -> tuple[Side, Side]:
    """Two models that err on the same hard examples more often, and equally often on the whole."""
    labels = random.integers(0, 2, examples)
    difficulty = np.where(random.random(examples) < hard, 0.4, 0.05)
    sides = []
    for _ in range(2):
        wrong = random.random(examples) < difficulty
        given = np.eye(2)[np.where(wrong, 1 - labels, labels)]
        part = evaluation.Predictions(np.arange(examples).astype(str), labels, given)
        sides.append(Side(part, ("a", "b"), np.arange(examples)))
    return sides[0], sides[1]


def outside(examples: int, trials: int) -> tuple[int, int]:
    """How many intervals of a difference that is zero lie above it, and below it."""
    random = np.random.default_rng(1)
    above = below = 0
    for trial in range(trials):
        first, second = equally_good(random, examples, 0.3)
        found = scored("", ["accuracy"], first, second, resamples=1000, seed=trial)["accuracy"]
        low, high = found.interval or (0.0, 0.0)
        above, below = above + (low > 0), below + (high < 0)
    return above, below


def test_two_equal_models_seldom_seem_to_differ() -> None:
    above, below = outside(300, 300)
    assert above <= 0.05 * 300
    assert below <= 0.05 * 300


@pytest.mark.soak
@pytest.mark.parametrize("examples", [100, 300, 1000])
def test_the_interval_covers_what_it_says(examples: int) -> None:
    above, below = outside(examples, 2000)
    assert 0.93 <= 1 - (above + below) / 2000 <= 0.97
