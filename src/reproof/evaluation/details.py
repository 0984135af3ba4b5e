"""The answers to look at one by one: calibration, confused classes, the hardest and the easiest examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from reproof.evaluation.predictions import Predictions, Regression
from reproof.stats import bootstrap, calibration, classifiers

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

CONFUSED = 10
EXAMPLES = 12
RESIDUAL_BINS = 20
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
MAX_CLASSES = 50  # of a confusion matrix on the split that is looked at
MAX_CLASSES_ELSEWHERE = 20
MAX_LISTED_CLASSES = 200


def of(
    answers: Predictions | Regression,
    classes: Sequence[str] | None,
    *,
    split: str,
    resamples: int,
    seed: int,
) -> dict[str, Any]:
    """Return the last keys of evaluation.json, for either task.

    Args:
        answers: on the split that is looked at.
        classes: their names; None for a regressor.
        split: its name.
        resamples: for the ECE that chance alone gives.
        seed: of these.
    """
    if isinstance(answers, Regression):
        return {
            "calibration": None,
            "calibration_missing_reason": "a regressor gives no probabilities",
            "residuals": residuals(answers),
            **_of_regressor(answers),
        }
    assert classes is not None
    return {
        "calibration": _calibration(answers, split, resamples, seed),
        "calibration_missing_reason": None,
        "confused": confused(answers, classes),
        **_of_classifier(answers, classes),
    }


def without_classes(scores: dict[str, Any]) -> dict[str, Any]:
    """Return a split's scores without what goes class by class."""
    return {name: value for name, value in scores.items() if name not in ("per_class", "confusion_matrix")}


def small_enough(scores: dict[str, Any], looked_at: bool) -> dict[str, Any]:
    """Return a split's scores without what grows with the classes until Git should not hold it."""
    if "per_class" not in scores:
        return scores
    classes, rest = len(scores["per_class"]), "predictions.parquet has every answer"
    reason = None
    if classes > MAX_CLASSES:
        reason = f"more than {MAX_CLASSES} classes: {rest}"
    elif classes > MAX_CLASSES_ELSEWHERE and not looked_at:
        reason = f"more than {MAX_CLASSES_ELSEWHERE} classes, and not the test split: {rest}"
    kept = scores | {"confusion_matrix_missing_reason": reason}
    if reason:
        kept["confusion_matrix"] = None
    if classes > MAX_LISTED_CLASSES:
        kept["per_class"] = None
        kept["per_class_missing_reason"] = f"more than {MAX_LISTED_CLASSES} classes: {rest}"
    return kept


def confused(answers: Predictions, classes: Sequence[str]) -> dict[str, Any]:
    """Return the pairs of a class and what it was taken for, the most frequent first; at most 10.

    `share` is of the examples with that label.
    """
    import numpy as np

    wrong = answers.predicted != answers.labels
    pairs = answers.labels[wrong].astype(np.int64) * len(classes) + answers.predicted[wrong]
    found, counts = np.unique(pairs, return_counts=True)
    support = np.bincount(answers.labels, minlength=len(classes))
    order = np.argsort(-counts, kind="stable")[:CONFUSED]
    listed = [(*divmod(int(found[i]), len(classes)), int(counts[i])) for i in order]
    return _numbered(
        {
            "label": str(classes[label]),
            "predicted": str(classes[predicted]),
            "examples": count,
            "share": count / int(support[label]),
        }
        for label, predicted, count in listed
    )


def residuals(answers: Regression) -> dict[str, Any]:
    """Return how errors (predicted minus target) are distributed: quantiles, and 20 bins of equal width."""
    import numpy as np

    errors = answers.predicted.astype(np.float64) - answers.targets
    counts, edges = np.histogram(errors, bins=RESIDUAL_BINS)
    return {
        "quantiles": {str(q): float(np.quantile(errors, q)) for q in QUANTILES},
        "bins": _numbered(
            {"low": float(low), "high": float(high), "examples": int(count)}
            for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True)
        ),
    }


def _calibration(answers: Predictions, split: str, resamples: int, seed: int) -> dict[str, Any]:
    labels, probabilities = answers.labels, answers.probabilities
    bins = calibration.reliability(labels, probabilities)
    reason = bootstrap.too_many(len(labels), resamples)
    chance: dict[str, float | None] = {"ece_if_calibrated": None}
    if reason is None:
        mean, high = calibration.ece_if_calibrated(labels, probabilities, resamples=resamples, seed=seed)
        chance = {"ece_if_calibrated": mean, "ece_if_calibrated_95": high}
    return {
        "split": split,
        "description": calibration.DESCRIPTION,
        "ece": calibration.ece(bins),
        "ece_interval": None,
        "ece_interval_missing_reason": calibration.NO_INTERVAL,
        **chance,
        "ece_if_calibrated_missing_reason": reason,
        "bins": _numbered(asdict(one) for one in bins),
    }


def _of_classifier(answers: Predictions, classes: Sequence[str]) -> dict[str, Any]:
    losses = classifiers.losses(answers.labels, answers.probabilities)

    def entry(index: int) -> dict[str, Any]:
        label = int(answers.labels[index])
        return {
            "id": str(answers.ids[index]),
            "label": str(classes[label]),
            "predicted": str(classes[int(answers.predicted[index])]),
            "probability": float(answers.probabilities[index, label]),
            "loss": float(losses[index]),
        }

    return _extremes(losses, entry)


def _of_regressor(answers: Regression) -> dict[str, Any]:
    import numpy as np

    errors = answers.predicted.astype(np.float64) - answers.targets

    def entry(index: int) -> dict[str, Any]:
        return {
            "id": str(answers.ids[index]),
            "target": float(answers.targets[index]),
            "predicted": float(answers.predicted[index]),
            "error": float(errors[index]),
        }

    return _extremes(np.abs(errors), entry)


def _extremes(badness: Array, entry: Any) -> dict[str, Any]:
    """The worst and the best examples, at most 12 of each and none in both; equal ones in their order."""
    import numpy as np

    hardest = np.argsort(-badness, kind="stable")[: min(EXAMPLES, (len(badness) + 1) // 2)]
    chosen = set(hardest.tolist())
    rest = [int(index) for index in np.argsort(badness, kind="stable") if int(index) not in chosen]
    return {
        "hardest": _numbered(entry(int(index)) for index in hardest),
        "easiest": _numbered(entry(index) for index in rest[:EXAMPLES]),
    }


def _numbered(entries: Any) -> dict[str, Any]:
    """A list as a mapping: DVC would draw a list of objects, and fails on an empty one."""
    return {str(index): entry for index, entry in enumerate(entries)}
