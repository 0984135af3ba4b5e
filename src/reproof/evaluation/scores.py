"""The metrics of one split, as the textbooks have them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reproof.errors import ReproofError
from reproof.evaluation.predictions import Predictions, Regression


def classification(predictions: Predictions, classes: Sequence[str]) -> dict[str, Any]:
    """Return the metrics of one split, as plain JSON.

    `precision`, `recall` and `f1` are macro averages; a class that is never predicted has precision 0.
    `auc` is the macro average of one class against the rest; null with a reason where a class is absent.
    `loss` is the mean negative log-likelihood in nats.

    Raises:
        ReproofError: when probabilities are not finite.
    """
    import numpy as np
    from sklearn import metrics

    truth, probabilities, predicted = predictions.labels, predictions.probabilities, predictions.predicted
    if not np.isfinite(probabilities).all():
        raise ReproofError("the model's probabilities are not all finite", hint="look at the training's loss")
    every = np.arange(len(classes))
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        truth, predicted, labels=every, zero_division=0
    )
    absent = [label for index, label in enumerate(classes) if index not in truth]
    if absent:
        auc, reason = None, f"the split has no example of {', '.join(absent[:5])}"
    else:
        indicator = truth[:, None] == every[None, :]
        auc, reason = float(metrics.roc_auc_score(indicator, probabilities, average="macro")), None
    exact = probabilities.astype(np.float64)
    exact /= exact.sum(axis=1, keepdims=True)  # float32 rows sum to one only nearly, which log_loss minds
    confusion = metrics.confusion_matrix(truth, predicted, labels=every)
    return {
        "examples": len(truth),
        "accuracy": float((truth == predicted).mean()),
        "precision": float(precision.mean()),
        "recall": float(recall.mean()),
        "f1": float(f1.mean()),
        "auc": auc,
        "auc_missing_reason": reason,
        "loss": float(metrics.log_loss(truth, exact, labels=every)),
        "per_class": {
            label: {
                "precision": float(precision[index]),
                "recall": float(recall[index]),
                "f1": float(f1[index]),
                "support": int(support[index]),
            }
            for index, label in enumerate(classes)
        },
        "confusion_matrix": {
            label: {other: int(count) for other, count in zip(classes, row, strict=True)}
            for label, row in zip(classes, confusion, strict=True)
        },
    }


def regression(predictions: Regression) -> dict[str, Any]:
    """Return the metrics of one split, as plain JSON.

    `rmse`, `mae` and `bias` (the mean of predicted minus target) have the target's unit. `r2` is the share
    of the targets' variance that is explained; null with a reason where they do not vary.

    Raises:
        ReproofError: when targets or answers are not finite.
    """
    import numpy as np

    targets, predicted = (array.astype(np.float64) for array in (predictions.targets, predictions.predicted))
    if not (np.isfinite(predicted).all() and np.isfinite(targets).all()):
        raise ReproofError("the targets or the model's answers are not all finite")
    errors = predicted - targets
    varies = len(targets) > 0 and not (targets == targets[0]).all()
    squares = ((targets - targets.mean()) ** 2).sum()
    return {
        "examples": len(targets),
        "rmse": float(np.sqrt((errors**2).mean())),
        "mae": float(np.abs(errors).mean()),
        "r2": float(1 - (errors**2).sum() / squares) if varies else None,
        "r2_missing_reason": None if varies else "all targets are equal",
        "bias": float(errors.mean()),
    }
