"""Metrics under weights are scikit-learn's: on the examples as they are, and on each resample."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn import metrics

from reproof.stats import bootstrap, classifiers, regressors

Array = np.ndarray[Any, Any]


def answers(examples: int, classes: int, *, seed: int = 0, digits: int | None = None) -> tuple[Array, Array]:
    """Labels and probabilities; with few digits many probabilities tie."""
    random = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(classes), random.integers(0, classes, examples - classes)])
    scores = random.normal(size=(examples, classes))
    scores[np.arange(examples), labels] += 1.5
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    return labels, probabilities if digits is None else probabilities.round(digits) + 0.01


def scikit_learns(labels: Array, probabilities: Array, weights: Array) -> dict[str, float]:
    classes = np.arange(probabilities.shape[1])
    predicted = probabilities.argmax(axis=1)
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(
        labels, predicted, labels=classes, sample_weight=weights, average="macro", zero_division=0
    )
    exact = probabilities / probabilities.sum(axis=1, keepdims=True)
    return {
        "accuracy": metrics.accuracy_score(labels, predicted, sample_weight=weights),
        "precision": precision,
        "recall": recall,
        "f1": f1,
        "loss": metrics.log_loss(labels, exact, labels=classes, sample_weight=weights),
        "auc": np.mean(
            [metrics.roc_auc_score(labels == c, probabilities[:, c], sample_weight=weights) for c in classes]
        ),
    }


@pytest.mark.parametrize("digits", [None, 1])
@pytest.mark.parametrize(("examples", "classes"), [(120, 2), (200, 5)])
def test_a_classifiers_metrics_are_scikit_learns_under_any_weights(
    examples: int, classes: int, digits: int | None
) -> None:
    labels, probabilities = answers(examples, classes, digits=digits)
    weights = np.random.default_rng(1).integers(0, 4, (examples, 5)).astype(float)
    weights[:, 0] = 1
    ours = classifiers.scorer(labels, probabilities)(weights)
    assert set(ours) == set(classifiers.METRICS)
    for column in range(5):
        theirs = scikit_learns(labels, probabilities, weights[:, column])
        assert {name: values[column] for name, values in ours.items()} == pytest.approx(theirs)


def test_a_class_that_a_resample_lost_does_not_enter_its_averages() -> None:
    labels = np.array([0, 0, 1, 1, 2])
    probabilities = np.eye(3)[[0, 1, 1, 1, 2]] * 0.7 + 0.1
    weights = np.array([[1.0, 1, 1, 1, 0]]).T
    found = classifiers.scorer(labels, probabilities)(weights)
    assert found["recall"][0] == pytest.approx((1 / 2 + 1) / 2)
    assert found["precision"][0] == pytest.approx((1 + 2 / 3) / 2)
    assert np.isfinite(found["auc"][0])


def test_a_class_without_examples_counts_zero_as_scikit_learn_has_it() -> None:
    labels, probabilities = answers(60, 3)
    wider = np.c_[probabilities, np.full(60, 0.001)]
    found = classifiers.scorer(labels, wider, auc=False)(np.ones((60, 1)))
    theirs = metrics.recall_score(labels, wider.argmax(1), labels=range(4), average="macro", zero_division=0)
    assert found["recall"][0] == pytest.approx(theirs)
    assert "auc" not in found


def test_the_auc_that_would_take_minutes_is_said_to_be_too_costly() -> None:
    assert classifiers.too_costly(10_000, 10) is None
    assert classifiers.too_costly(10_000, 100, 2000) == (
        "too costly: 10,000 examples times 100 classes times 2,000 resamples"
    )


def test_a_certain_and_wrong_answer_costs_36_nats() -> None:
    assert classifiers.losses(np.array([0, 1]), np.array([[0.0, 1.0], [0.0, 2.0]])) == pytest.approx(
        [36.04, 0.0], abs=0.01
    )


def test_intervals_of_a_classifier_are_those_of_the_slow_way() -> None:
    """One resample at a time by scikit-learn, with the same draws: nothing is lost by the sums."""
    labels, probabilities = answers(80, 3)
    (drawn,) = bootstrap.draw([classifiers.scorer(labels, probabilities)], 80, resamples=40)
    seen: list[Array] = []

    def keep(weights: Array) -> dict[str, Array]:
        seen.append(weights)
        return {}

    bootstrap.draw([keep], 80, resamples=40)
    slow = [scikit_learns(labels, probabilities, column) for column in seen[1].T]
    assert len(slow) == 40
    for name, draws in drawn.items():
        assert draws.replicates == pytest.approx(np.array([scores[name] for scores in slow])), name


def test_a_regressors_metrics_are_scikit_learns_under_any_weights() -> None:
    random = np.random.default_rng(2)
    targets = random.normal(1e6, 3, 90)  # far from zero, where sums of squares lose digits
    predicted = targets + random.normal(0.5, 1, 90)
    weights = random.integers(0, 3, (90, 4)).astype(float)
    ours = regressors.scorer(targets, predicted)(weights)
    for column in range(4):
        given = {"sample_weight": weights[:, column]}
        assert ours["rmse"][column] == pytest.approx(
            metrics.root_mean_squared_error(targets, predicted, **given)
        )
        assert ours["mae"][column] == pytest.approx(metrics.mean_absolute_error(targets, predicted, **given))
        assert ours["r2"][column] == pytest.approx(metrics.r2_score(targets, predicted, **given), rel=1e-6)
        bias = np.average(predicted - targets, weights=weights[:, column])
        assert ours["bias"][column] == pytest.approx(bias, abs=1e-6)


def test_equal_targets_leave_r2_undefined_and_the_rest_defined() -> None:
    found = regressors.scorer(np.full(5, 0.1), np.arange(5.0))(np.ones((5, 1)))
    assert np.isnan(found["r2"][0])
    assert found["mae"][0] == pytest.approx(np.abs(np.arange(5) - 0.1).mean())
