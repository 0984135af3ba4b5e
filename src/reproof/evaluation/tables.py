"""Small tables that `dvc plots` draws."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from reproof import files
from reproof.errors import ReproofError
from reproof.evaluation.predictions import Predictions

MAX_CLASSES = 50
MAX_ROWS = MAX_CLASSES**2


def write_confusion(path: Path, answers: Predictions, classes: Sequence[str]) -> None:
    """Write confusion.csv: how often each label was answered with each class.

    Columns are label, predicted and examples. Up to 50 classes every pair has a row, in the order of the
    classes; beyond that only the most frequent pairs, at most 2,500.
    """
    import numpy as np

    size = len(classes)
    pairs = answers.labels.astype(np.int64) * size + answers.predicted
    found, counts = np.unique(pairs, return_counts=True)
    if size <= MAX_CLASSES:
        every = np.zeros(size**2, np.int64)
        every[found] = counts
        found, counts = np.arange(size**2), every
    kept = np.sort(np.argsort(-counts, kind="stable")[:MAX_ROWS])
    rows = []
    for index in kept:
        label, predicted = divmod(int(found[index]), size)
        rows.append((classes[label], classes[predicted], int(counts[index])))
    _write(path, ("label", "predicted", "examples"), rows)


def write_calibration(path: Path, report: Mapping[str, Any]) -> None:
    """Write calibration.csv: the bins of a report's calibration, by rising confidence.

    Columns are confidence, accuracy and examples.

    Raises:
        ReproofError: for a regressor, which has no calibration.
    """
    if not report["calibration"]:
        hint = "leave this file out, here and in dvc.yaml"
        raise ReproofError(report["calibration_missing_reason"], where=path.name, hint=hint)
    columns = ("confidence", "accuracy", "examples")
    bins = report["calibration"]["bins"].values()
    _write(path, columns, ([one[column] for column in columns] for one in bins))


def _write(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    files.write_text(path, text.getvalue())
