"""A model's answers and those of its baselines, in memory and as one row an example."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reproof import files

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Predictions:
    """A classifier's answers on one split.

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
        import numpy as np

        return np.asarray(self.probabilities.argmax(axis=1))


@dataclass(frozen=True)
class Regression:
    """A regressor's answers on one split.

    Attributes:
        ids: shape (examples,), strings.
        targets: true values, shape (examples,).
        predicted: shape (examples,), in the same unit.
    """

    ids: Array
    targets: Array
    predicted: Array


@dataclass(frozen=True)
class Baseline:
    """What the model has to beat, fitted on the same training split.

    Attributes:
        name: short, of letters, digits, `_` and `-`; part of metrics' names such as
            `baseline.majority.test.accuracy`.
        description: one line for readers.
        answers: by split, on the same examples as the model's: probabilities of shape (examples, classes),
            or for a regressor values of shape (examples,).
    """

    name: str
    description: str
    answers: Mapping[str, Array]


def write_predictions(
    path: Path,
    splits: Mapping[str, Predictions] | Mapping[str, Regression],
    classes: Sequence[str] | None = None,
    baselines: Sequence[Baseline] = (),
) -> None:
    """Write predictions.parquet: one row an example with id, split, truth, prediction and probabilities.

    For a classifier, columns `label` and `predicted` hold class names; `probability_<index>` follows the
    order of classes, which the file's metadata keeps under `classes`. For a regressor they are `target` and
    `predicted`, numbers. `predicted_by_<baseline>` is null on splits that the baseline did not answer.
    """
    import json

    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = np.asarray(classes or [], dtype=str)
    columns = {
        "id": np.concatenate([p.ids for p in splits.values()]),
        "split": np.concatenate([np.full(len(p.ids), name) for name, p in splits.items()]),
    }
    scores = []
    truths, answers = [], []
    for part in splits.values():
        if isinstance(part, Predictions):
            truths.append(names[part.labels])
            answers.append(names[part.predicted])
            scores.append(part.probabilities)
        else:
            truths.append(part.targets)
            answers.append(part.predicted)
    columns |= {"label" if scores else "target": np.concatenate(truths), "predicted": np.concatenate(answers)}
    if scores:
        probabilities = np.concatenate(scores).astype(np.float32)
        columns |= {f"probability_{index}": probabilities[:, index] for index in range(len(names))}
    arrays = {name: pa.array(values) for name, values in columns.items()}
    for baseline in baselines:
        parts = []
        for split, part in splits.items():
            given = baseline.answers.get(split)
            if given is None:
                parts.append(pa.nulls(len(part.ids), arrays["predicted"].type))
            else:
                parts.append(pa.array(names[given.argmax(axis=1)] if scores else given))
        arrays[f"predicted_by_{baseline.name}"] = pa.concat_arrays(
            [array.cast(arrays["predicted"].type) for array in parts]
        )
    table = pa.table(arrays)
    if scores:
        table = table.replace_schema_metadata({"classes": json.dumps([str(name) for name in names])})
    with files.replacing(path) as stream:
        pq.write_table(table, stream)
