"""The files of a pass: a table with a row an input, and each input's arrays and picture."""

from __future__ import annotations

import csv
import io
import os
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reproof import files
from reproof.inference.passes import Row
from reproof.model_files.ports import Arrays

Array = npt.NDArray[Any]

TABLE, ARRAYS, PICTURES = "results.csv", "arrays", "pictures"
_COLUMNS = ("id", "file", "source", "kind", "status", "reason", "notes", "summary")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_SUFFIXES = {ARRAYS: ".npz", PICTURES: ".png"}


def prepare(folder: Path) -> None:
    """Make the folders, without the arrays and pictures of a former pass in them."""
    for name, suffix in _SUFFIXES.items():
        files.make_folder(folder / name)
        for path in (folder / name).glob(f"*{suffix}"):
            if path.stem.isdecimal():
                path.unlink()


def name_in(root: Path, path: Path) -> str:
    """Return a path as records have it: from the project, with forward slashes."""
    return Path(os.path.relpath(root / path, root)).as_posix()


def write_archive(path: Path, arrays: Mapping[str, Array]) -> None:
    """Write an .npz file; the same arrays give the same bytes, and any name will do for one."""
    with files.replacing(path) as stream, zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            # Without a date of its own, an entry has that of the format's first day.
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as entry:
                np.lib.format.write_array(
                    entry, np.ascontiguousarray(array).reshape(array.shape), allow_pickle=False
                )


def write_samples(path: Path, rows: Iterable[Row]) -> None:
    """Write the examples as they were decoded: `<id>`, or `<id>/<input>` for a model with several inputs."""
    entries: Arrays = {}
    for row in rows:
        if isinstance(row.example, Mapping):
            entries |= {f"{row.id}/{name}": np.asarray(array) for name, array in row.example.items()}
        elif row.example is not None:
            entries[row.id] = np.asarray(row.example)
    write_archive(path, entries)


def write_table(path: Path, rows: Sequence[Row]) -> None:
    """Write results.csv: what `_COLUMNS` say, and then the numbers that the answers have, one a column."""
    answers = [columns(row.answer) if row.status == "success" and row.answer else {} for row in rows]
    more = list(dict.fromkeys(name for answer in answers for name in answer))
    stream = io.StringIO()
    writer = csv.writer(stream)  # with lines as RFC 4180 has them: others leave a name's own \r bare
    writer.writerow([*_COLUMNS, *map(_cell, more)])
    for row, answer in zip(rows, answers, strict=True):
        summary = told(row.answer) if row.status == "success" else None
        own = (row.id, row.file, row.source, row.kind, row.status, row.reason, row.notes, summary)
        writer.writerow([_cell(value) for value in (*own, *(answer.get(name) for name in more))])
    files.write_text(path, stream.getvalue())


def columns(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return an answer as columns of a table."""
    kind = answer.get("kind")
    if kind == "classes":
        found: dict[str, Any] = {}
        for rank, entry in answer["top"].items():
            found |= {f"top{rank}": entry["label"], f"top{rank}_score": entry["score"]}
        return found
    if kind == "array":
        return {
            f"{name}_{fact}": value
            for name, facts in answer["arrays"].items()
            for fact, value in facts.items()
            if fact in ("shape", "min", "max", "mean", "first")
        }
    if kind == "mask":
        return {f"share_{name}": share for name, share in answer["shares"].items()}
    hidden = ("kind", "summary", "boxes")
    plain = {name: value for name, value in answer.items() if name not in hidden}
    return {name: _number(value) for name, value in plain.items() if np.ndim(value) == 0}


def told(answer: Mapping[str, Any] | None) -> str | None:
    """Return an answer in a line: its own summary, or its fields."""
    if answer is None:
        return None
    if isinstance(answer.get("summary"), str):
        return " ".join(str(answer["summary"]).split())[:300]
    fields = (f"{name} {_shown(value)}" for name, value in answer.items())
    return " ".join(", ".join(fields).split())[:300]


def _shown(value: Any) -> str:
    if np.ndim(value):
        array = np.asarray(value)
        return f"{array.dtype} of shape {'×'.join(map(str, array.shape))}"
    number = _number(value)
    return f"{number:.4g}" if isinstance(number, float) else str(number)


def _number(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic | np.ndarray) else value


def _cell(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula: such a text gets an apostrophe before it."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
