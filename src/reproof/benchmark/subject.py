"""What is measured: a model, the code around it, and the examples that it is fed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from reproof.benchmark import references
from reproof.errors import ReproofError


@dataclass(frozen=True)
class Subject:
    """A model to measure. Paths are absolute, or relative to `root`.

    Args:
        root: the project's folder; processes run there.
        samples: an .npz file with raw examples. None: inputs that fit the ONNX model are made up, of
            random numbers, and go into it as they are.
        samples_array: name of the array in it; axis 0 counts the examples. None: each entry is one example,
            named `0`, `1`, … (a batch is then a list of arrays of any shapes), or `0/<input>`, `0/<other>`,
            … for the arrays that go into a model with several inputs as they are (a batch is then a mapping).
        onnx: the exported model, for onnxruntime; None leaves those cells unavailable.
        checkpoint: file or folder that `loader` takes, for torch; None leaves those cells unavailable.
        loader: `src/model.py:load`: takes the checkpoint's path, returns a `torch.nn.Module`. None where the
            checkpoint is TorchScript or a program of torch.export, which need no code.
        preprocess: `src/data.py:preprocess`: takes a raw batch, returns the model's input array, or a
            mapping from the model's inputs to arrays.
        postprocess: `src/data.py:postprocess`: takes the model's output array (a tuple of arrays where it
            has several outputs), returns arrays. None for either leaves the arrays as they are.
        axes: sizes of made-up inputs along axes that may vary, by the axis's name.
    """

    root: Path
    samples: Path | None = None
    samples_array: str | None = None
    onnx: Path | None = None
    checkpoint: Path | None = None
    loader: str | None = None
    preprocess: str | None = None
    postprocess: str | None = None
    axes: Mapping[str, int] = field(default_factory=dict)

    def references(self) -> list[str]:
        """The functions in the project's scripts that it names."""
        return [name for name in (self.loader, self.preprocess, self.postprocess) if name is not None]


def check(subject: Subject) -> None:
    """Check all paths and references before the first process starts.

    Raises:
        ReproofError: for a missing file, a reference to no function in the project, or no examples at all.
    """
    for path in (subject.onnx, subject.checkpoint, subject.samples):
        if path is not None and not (subject.root / path).exists():
            raise ReproofError(
                "no such file", where=path, hint="check the name; in a project, run the stage that makes it"
            )
    for reference in subject.references():
        references.check(subject.root, reference)
    if subject.samples is None and subject.onnx is None:
        raise ReproofError(
            "there are no examples to feed the model, and only of an ONNX model is it known what fits",
            where=subject.checkpoint,
            hint="name an .npz file with examples",
        )
