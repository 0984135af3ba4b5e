"""A run's answers on single examples: predictions.parquet, from the workspace, DVC's cache or its remote."""

from __future__ import annotations

import functools
import json
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reproof import history, npz
from reproof.difference import held
from reproof.errors import ReproofError
from reproof.evaluation.predictions import Predictions, Regression
from reproof.history import Row
from reproof.invocation import LATEST
from reproof.record_values import is_whole, json_of, mapping

if TYPE_CHECKING:
    import pyarrow as pa

FILE = f"{LATEST}/predictions.parquet"
_MAX_BYTES = 4_000_000_000
"""Of a file that is read whole; its examples are far more than a bootstrap takes."""


@dataclass(frozen=True)
class Answers:
    """What one model said.

    Attributes:
        splits: by name; labels and probabilities follow the order of `classes`.
        classes: their names; None for a regressor.
        digest: of the content of the file.
    """

    splits: Mapping[str, Predictions] | Mapping[str, Regression]
    classes: tuple[str, ...] | None
    digest: str


def recorded_digest(root: Path, row: Row) -> str | None:
    """Return the content digest of a run's predictions, as its record has it; None where it has none.

    A run that has not ended has none: beside its record may lie the answers of the run before.
    """
    if not is_whole(json_of(history.blob(root, row, "meta.json"))):
        return None
    found = mapping(json_of(history.blob(root, row, "digests.json")), "artefacts").get(FILE)
    return found if isinstance(found, str) else None


def read(root: Path, row: Row, splits: Collection[str]) -> Answers:
    """Return a run's answers on some splits.

    Args:
        root: the project.
        row: the run.
        splits: their names; one that the file has not is left out.

    Raises:
        ReproofError: the run kept no predictions, neither cache nor remote has them, they are not those that
            the run recorded, or the file is not one of `evaluation.write_predictions`.
    """
    expected = recorded_digest(root, row)
    if expected is None:
        raise ReproofError(
            "this run recorded no answers on single examples",
            where=row.name,
            expected=f"{FILE} in its digests.json",
            hint="the stage evaluate writes it: evaluation.write_predictions",
        )
    own = root / FILE
    if held.is_content(own, expected):  # also where another run left the same
        return _read(own, FILE, splits, expected)
    if row.run.commit is None:
        raise ReproofError(
            "the answers in this workspace are not those that the run recorded",
            where=FILE,
            expected=expected,
            hint="dvc repro evaluate",
        )
    return _of_commit(root, row.run.commit, frozenset(splits), expected)


@functools.lru_cache(maxsize=4)
def _of_commit(root: Path, commit: str, splits: frozenset[str], expected: str) -> Answers:
    """Kept, since a baseline is compared with one run after another; what was checked cannot change."""
    with tempfile.TemporaryDirectory(prefix="reproof-answers-") as folder:
        path = Path(folder, "predictions.parquet")
        held.bring(root, commit, FILE, expected, path, max_bytes=_MAX_BYTES)
        return _read(path, f"{FILE} at {commit[:10]}", splits, expected)


def _read(path: Path, where: str, splits: Collection[str], content: str) -> Answers:
    import pyarrow as pa
    import pyarrow.parquet as pq
    from pyarrow import compute

    try:
        with pq.ParquetFile(path) as file:  # `read_table` imports pandas, which takes half a second
            table = file.read()
        table = table.filter(compute.is_in(table.column("split"), pa.array(sorted(splits))))
    except (*npz.UNREADABLE, pa.ArrowException) as error:
        raise ReproofError("not a file of answers", where=where, found=npz.told(error)) from error
    names = _classes(table)
    columns = set(table.column_names)
    if not {"id", "split", "predicted"} <= columns or not ({"label"} if names else {"target"}) <= columns:
        raise ReproofError(
            "not a file of answers",
            where=where,
            expected="columns id, split, predicted, and label (with the classes in its metadata) or target",
            found=", ".join(table.column_names[:20]),
        )
    names_held = [str(name) for name in table.column("split").unique().to_pylist()]
    try:
        parts: dict[str, Any] = {
            name: _part(table.filter(compute.equal(table.column("split"), name)), names)
            for name in sorted(names_held)
        }
    except (KeyError, TypeError, ValueError, pa.ArrowException) as error:
        raise ReproofError("not a file of answers", where=where, found=npz.told(error)) from error
    return Answers(parts, names, content)


def _classes(table: pa.Table) -> tuple[str, ...] | None:
    try:
        found = json.loads((table.schema.metadata or {}).get(b"classes", b"null"))
    except ValueError:
        return None
    return tuple(map(str, found)) if isinstance(found, list) and found else None


def _part(table: pa.Table, classes: tuple[str, ...] | None) -> Predictions | Regression:
    import numpy as np

    ids = np.asarray(table.column("id").to_pylist(), dtype=str)
    if classes is None:
        target, predicted = (
            np.asarray(table.column(name).to_numpy(), dtype=np.float64) for name in ("target", "predicted")
        )
        return Regression(ids, target, predicted)
    index = {name: position for position, name in enumerate(classes)}
    labels = np.asarray([index[str(name)] for name in table.column("label").to_pylist()], dtype=np.int64)
    columns = [table.column(f"probability_{position}").to_numpy() for position in range(len(classes))]
    probabilities = np.stack(columns, axis=1)
    if probabilities.dtype.kind != "f":
        raise ValueError("probabilities that are no numbers")
    return Predictions(ids, labels, probabilities)
