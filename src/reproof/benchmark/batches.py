"""The batches that every cell of one size is fed, as a file that its processes read.

A batch is what `preprocess` takes: one array, a list of arrays (examples with shapes of their own), or a
mapping from the model's inputs to arrays.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reproof import npz
from reproof.benchmark.subject import Subject
from reproof.errors import ReproofError
from reproof.model_files.ports import Port

Array = npt.NDArray[Any]
Batch = Array | list[Array] | dict[str, Array]

BATCHES = 4
"""Different batches a process cycles through: one alone would sit in the cache as no user's input does."""


def write(subject: Subject, sizes: Sequence[int], folder: Path, seed: int) -> dict[int, Path]:
    """Write `BATCHES` batches of each size as one .npz file; return the files.

    Examples repeat where there are fewer than a batch holds. Workers read these files, never all samples:
    so every cell gets the same inputs, and its memory is its own.

    Raises:
        ReproofError: when the samples cannot be read, or the array is not in them.
    """
    files = {size: folder / f"batches-{size}.npz" for size in sizes}
    examples = None if subject.samples is None else _examples(subject)
    for size, path in files.items():
        if examples is None:
            found: list[Batch] = _made_up(subject, size, seed)
        else:
            count = len(examples)
            starts = [k * max(1, count // BATCHES) for k in range(BATCHES)]
            found = [_batch(examples, [(start + i) % count for i in range(size)]) for start in starts]
            if subject.preprocess is None:
                found = [_stacked(batch, subject) for batch in found]
        entries: dict[str, Any] = dict(_entries(found))
        np.savez(path, **entries)
    return files


def read(path: Path) -> list[Batch]:
    """Read the batches back, read-only: a preprocess that changes its input would be fed its own output."""
    found: dict[int, Batch] = {}
    with np.load(path, allow_pickle=False) as archive:
        for entry in archive.files:  # in the order in which they were written
            array = archive[entry]
            array.flags.writeable = False
            number, kind, rest = _ENTRY.fullmatch(entry).groups()  # type: ignore[union-attr]
            if kind == "#":
                found.setdefault(int(number), []).append(array)  # type: ignore[union-attr]
            elif kind == "/":
                found.setdefault(int(number), {})[rest] = array  # type: ignore[index]
            else:
                found[int(number)] = array
    return list(found.values())


_ENTRY = re.compile(r"(\d+)(?:([#/])(.*))?", re.DOTALL)


def _entries(batches: Sequence[Batch]) -> dict[str, Array]:
    """`0` for an array, `0#0`, `0#1`, … for a list, `0/<input>`, … for a mapping."""
    entries: dict[str, Array] = {}
    for number, batch in enumerate(batches):
        if isinstance(batch, dict):
            entries |= {f"{number}/{name}": array for name, array in batch.items()}
        elif isinstance(batch, list):
            entries |= {f"{number}#{index}": array for index, array in enumerate(batch)}
        else:
            entries[str(number)] = batch
    return entries


def _batch(examples: Array | list[Array] | list[dict[str, Array]], index: list[int]) -> Batch:
    if isinstance(examples, np.ndarray):
        return np.asarray(examples[index])
    chosen = [examples[i] for i in index]
    if isinstance(chosen[0], dict):
        return {name: np.stack([one[name] for one in chosen]) for name in chosen[0]}
    return chosen  # type: ignore[return-value]


def _stacked(batch: Batch, subject: Subject) -> Batch:
    """Without a preprocess, what goes into the model: one array."""
    if not isinstance(batch, list):
        return batch
    try:
        return np.stack(batch)
    except ValueError as error:
        raise ReproofError(
            "examples of different shapes, and no preprocess that makes one array of them",
            where=subject.samples,
            found="; ".join(sorted({"×".join(map(str, array.shape)) or "scalar" for array in batch})),
            hint="make them of one shape, or measure batches of 1",
        ) from error


def _examples(subject: Subject) -> Array | list[Array] | list[dict[str, Array]]:
    assert subject.samples is not None
    archive = npz.read(subject.root / subject.samples)
    if subject.samples_array is not None:
        return _named(archive, subject.samples_array, subject.samples)
    by_example: dict[int, dict[str, Array]] = {}
    for name, array in archive.items():
        number, _, rest = name.partition("/")
        if not number.isdecimal():
            raise ReproofError(
                "an entry that is no example",
                where=subject.samples,
                expected="entries named 0, 1, …, or 0/<input>, 1/<input>, …",
                found=name,
            )
        by_example.setdefault(int(number), {})[rest] = array
    if not by_example:
        raise ReproofError(
            "no examples", where=subject.samples, expected="entries named 0, 1, …, or 0/<input>, 1/<input>, …"
        )
    examples = [by_example[number] for number in sorted(by_example)]
    if len({frozenset(parts) for parts in examples}) > 1:
        raise ReproofError(
            "examples of different kinds",
            where=subject.samples,
            expected="the same inputs in each",
            found="; ".join(sorted({", ".join(sorted(parts)) or "one array" for parts in examples})),
        )
    return [parts[""] for parts in examples] if "" in examples[0] else examples


def _named(archive: Mapping[str, Array], name: str, path: Path) -> Array:
    if name not in archive:
        raise ReproofError("no such array", where=path, expected=name, found=", ".join(archive))
    array = archive[name]
    if array.ndim == 0 or len(array) == 0:
        raise ReproofError("no examples", where=f"{path}:{name}")
    return np.asarray(array)


def inputs_of(subject: Subject) -> list[Port]:
    """Return the inputs of a subject's ONNX model.

    Raises:
        ReproofError: it has none, or one that is no tensor of a known number of axes.
    """
    from reproof import model_files

    assert subject.onnx is not None
    facts = model_files.read(subject.root / subject.onnx, subject.root)
    if facts.other_inputs or not facts.inputs:
        found = "; ".join(f"{name}: {kind}" for name, kind in facts.other_inputs.items())
        raise ReproofError(
            "no inputs can be made up for this model",
            where=subject.onnx,
            expected="inputs that are tensors of a known number of axes",
            found=found or facts.ports_reason or "a model without inputs",
            hint="name an .npz file with examples",
        )
    return list(facts.inputs.values())


def _made_up(subject: Subject, size: int, seed: int) -> list[Batch]:
    from reproof.inference import synthetic

    ports = inputs_of(subject)
    return [synthetic.batch(ports, size, seed + number, subject.axes) for number in range(BATCHES)]
