"""What is measured: a model, the code around it, and the examples that it is fed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reproof import npz
from reproof.benchmark import references
from reproof.errors import ReproofError

BATCHES = 4
"""Different batches a process cycles through: one alone would sit in the cache as no user's input does."""


@dataclass(frozen=True)
class Subject:
    """A model to measure. Paths are absolute, or relative to `root`.

    Args:
        root: the project's folder; processes run there.
        samples: an .npz file with raw examples.
        samples_array: name of the array in it; axis 0 counts the examples.
        onnx: the exported model, for onnxruntime; None leaves those cells unavailable.
        checkpoint: file or folder that `loader` takes, for torch; None leaves those cells unavailable.
        loader: `src/model.py:load`: takes the checkpoint's path, returns a `torch.nn.Module`.
        preprocess: `src/data.py:preprocess`: takes a raw batch, returns the model's input array.
        postprocess: `src/data.py:postprocess`: takes the model's output array (a tuple of arrays where it
            has several outputs), returns arrays. None for either leaves the arrays as they are.
    """

    root: Path
    samples: Path
    samples_array: str
    onnx: Path | None = None
    checkpoint: Path | None = None
    loader: str | None = None
    preprocess: str | None = None
    postprocess: str | None = None


def check(subject: Subject) -> None:
    """Check all paths and references before the first process starts.

    Raises:
        ReproofError: for a missing file, or a reference to no function in the project.
    """
    for path in (subject.onnx, subject.checkpoint, subject.samples):
        if path is not None and not (subject.root / path).exists():
            raise ReproofError("no such file", where=path, hint="run the stage that makes it")
    for reference in (subject.loader, subject.preprocess, subject.postprocess):
        if reference is not None:
            references.check(subject.root, reference)


def write_batches(subject: Subject, batch_sizes: list[int], folder: Path) -> dict[int, Path]:
    """Write `BATCHES` batches of each size as one .npy file, shape (BATCHES, batch, ...); return the files.

    Examples repeat where there are fewer than a batch holds. Workers read these files, never all samples:
    so every cell gets the same inputs, and its memory is its own.
    """
    samples = _samples(subject)
    written = {}
    for size in batch_sizes:
        starts = [k * max(1, len(samples) // BATCHES) for k in range(BATCHES)]
        index = (np.array(starts)[:, None] + np.arange(size)) % len(samples)
        written[size] = folder / f"batches-{size}.npy"
        np.save(written[size], samples[index])
    return written


def _samples(subject: Subject) -> npt.NDArray[Any]:
    path = subject.root / subject.samples
    archive = npz.read(path)
    if subject.samples_array not in archive:
        raise ReproofError(
            "no such array",
            where=subject.samples,
            expected=subject.samples_array,
            found=", ".join(archive),
        )
    array = archive[subject.samples_array]
    if array.ndim == 0 or len(array) == 0:
        raise ReproofError("no examples", where=f"{subject.samples}:{subject.samples_array}")
    return np.asarray(array)
