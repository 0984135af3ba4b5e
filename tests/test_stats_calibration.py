"""Calibration: the textbook's bins and error, and how much of the error is chance."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from reproof.stats import calibration

Array = np.ndarray[Any, Any]


def two_classes(confidence: Array, right: Array) -> tuple[Array, Array]:
    """Answers of class 1 with these confidences, right or not."""
    return right.astype(np.int64), np.stack([1 - confidence, confidence], axis=1)


def test_bins_and_error_are_what_one_computes_by_hand() -> None:
    confidence = np.array([0.91, 0.92, 0.99, 0.61, 0.62, 1.0])
    labels, probabilities = two_classes(confidence, np.array([1, 0, 1, 1, 0, 1]))
    bins = calibration.reliability(labels, probabilities)
    assert [(round(b.low * 15), round(b.high * 15), b.examples) for b in bins] == [
        (9, 10, 2),
        (13, 14, 2),
        (14, 15, 2),
    ]
    assert [b.accuracy for b in bins] == [0.5, 0.5, 1.0]
    assert [b.confidence for b in bins] == pytest.approx([0.615, 0.915, 0.995])
    assert calibration.ece(bins) == pytest.approx((2 * 0.115 + 2 * 0.415 + 2 * 0.005) / 6)


def test_a_confidence_on_an_edge_is_in_the_bin_below_it() -> None:
    (one,) = calibration.reliability(*two_classes(np.array([0.6]), np.array([1])))
    assert (one.low, one.high) == (8 / 15, 9 / 15)


def test_chance_alone_gives_a_calibrated_classifier_an_error_that_shrinks_with_examples() -> None:
    random = np.random.default_rng(1)
    found = {}
    for examples in (100, 10_000):
        confidence = random.uniform(0.5, 1, examples)
        labels, probabilities = two_classes(confidence, random.random(examples) < confidence)
        ece = calibration.ece(calibration.reliability(labels, probabilities))
        chance, high = calibration.ece_if_calibrated(labels, probabilities, resamples=300, seed=0)
        assert chance < high < 2 * chance
        assert ece == pytest.approx(chance, rel=0.5), "this classifier is calibrated"
        found[examples] = chance
    assert found[100] == pytest.approx(10 * found[10_000], rel=0.2)
    assert found[100] > 0.08


def test_chance_alone_exceeds_its_95th_percentile_in_one_case_of_20() -> None:
    random = np.random.default_rng(3)
    confidence = random.uniform(0.5, 1, 200)
    over = 0
    for _ in range(400):
        labels, probabilities = two_classes(confidence, random.random(200) < confidence)
        _, high = calibration.ece_if_calibrated(labels, probabilities, resamples=200, seed=0)
        over += calibration.ece(calibration.reliability(labels, probabilities)) > high
    assert 5 <= over <= 40


def test_the_error_of_an_overconfident_classifier_is_far_from_chance() -> None:
    random = np.random.default_rng(2)
    confidence = random.uniform(0.9, 1, 500)
    labels, probabilities = two_classes(confidence, random.random(500) < 0.7)
    ece = calibration.ece(calibration.reliability(labels, probabilities))
    assert ece == pytest.approx(0.25, abs=0.04)
    assert ece > 3 * calibration.ece_if_calibrated(labels, probabilities, resamples=300, seed=0)[1]
