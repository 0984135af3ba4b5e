"""How good a classifier is: every metric by split, and one row an example to check them by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from reproof import files
from reproof.errors import ReproofError

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Predictions:
    """A model's answers on one split.

    Attributes:
        ids: shape (examples,), strings.
        labels: true class indices, shape (examples,).
        probabilities: shape (examples, classes), rows that sum to one.
    """

    ids: Array
    labels: Array
    probabilities: Array

    @property
    def predicted(self) -> Array:
        """The most probable class of each example, shape (examples,)."""
        return np.asarray(self.probabilities.argmax(axis=1))


def classification(predictions: Predictions, classes: Sequence[str]) -> dict[str, Any]:
    """Return the metrics of one split, as plain JSON.

    `precision`, `recall` and `f1` are macro averages; a class that is never predicted has precision 0.
    `auc` is the macro average of one class against the rest; null with a reason where a class is absent.
    `loss` is the mean negative log-likelihood in nats.

    Raises:
        ReproofError: when probabilities are not finite.
    """
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


def write_predictions(path: Path, splits: Mapping[str, Predictions], classes: Sequence[str]) -> None:
    """Write predictions.parquet: one row an example with id, split, label, prediction and probabilities.

    Columns `label` and `predicted` hold class names; `probability_<index>` follows the order of classes,
    which the file's metadata keeps under `classes`.
    """
    import json

    import pyarrow as pa
    import pyarrow.parquet as pq

    names = np.asarray(classes, dtype=str)
    columns = {
        "id": np.concatenate([p.ids for p in splits.values()]),
        "split": np.concatenate([np.full(len(p.ids), name) for name, p in splits.items()]),
        "label": np.concatenate([names[p.labels] for p in splits.values()]),
        "predicted": np.concatenate([names[p.predicted] for p in splits.values()]),
    }
    scores = np.concatenate([p.probabilities for p in splits.values()]).astype(np.float32)
    columns |= {f"probability_{index}": scores[:, index] for index in range(len(classes))}
    table = pa.table({name: pa.array(values) for name, values in columns.items()})
    table = table.replace_schema_metadata({"classes": json.dumps(list(classes))})
    with files.replacing(path) as stream:
        pq.write_table(table, stream)
