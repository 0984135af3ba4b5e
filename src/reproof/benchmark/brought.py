"""A model file that somebody hands over, as what the benchmark measures: no project around it is needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from reproof import environment, model_files
from reproof.benchmark import hardware, paired
from reproof.benchmark.measuring import describe, software
from reproof.benchmark.paired_schema import Comparison, Side
from reproof.benchmark.progress import Progress
from reproof.benchmark.schema import Provenance
from reproof.benchmark.settings import Settings
from reproof.benchmark.subject import Subject
from reproof.errors import ReproofError
from reproof.model_files.ports import Port, fixed_batch


def subject(path: Path, samples: Path | None, axes: Mapping[str, int]) -> Subject:
    """Return what there is to measure in a model file.

    Args:
        path: ONNX, TorchScript, or a program of torch.export.
        samples: an .npz file with inputs (see `Subject`); None makes some up, for ONNX.
        axes: sizes of made-up inputs along axes that vary.

    Raises:
        ReproofError: no model, weights without a graph, or no inputs for a model that does not say what
            it takes.
    """
    kind = model_files.detect(path)
    root = path.parent
    if kind == "onnx":
        return Subject(root=root, samples=samples, onnx=path, axes=axes)
    if kind not in ("torchscript", "torch-export"):
        raise ReproofError(
            "these are weights without a graph: nothing says how to compute with them",
            where=path,
            expected="ONNX, TorchScript, or a program of torch.export",
            found=kind,
            hint="copier copy … -d recipe=inference, where src/model.py:load makes a module of them",
        )
    if samples is None:
        raise ReproofError(
            "only of an ONNX model is it known what it takes", where=path, hint="--samples FILE.npz"
        )
    return Subject(root=root, samples=samples, checkpoint=path)


def settings(of: Subject, chosen: Mapping[str, Any]) -> Settings:
    """Return settings that suit a model: its runtime, and the batch size that it takes, unless chosen.

    Raises:
        ReproofError: for a value that is none.
    """
    usual: dict[str, Any] = {"runtimes": ["torch" if of.onnx is None else "onnxruntime"]}
    if of.onnx is not None:
        facts = model_files.read(of.onnx, of.root)
        _check_axes(of.axes, list((facts.inputs or {}).values()))
        usual["batch_sizes"] = [fixed_batch(list((facts.inputs or {}).values())) or 1]
    return checked({**usual, **chosen})


def _check_axes(axes: Mapping[str, int], ports: Sequence[Port]) -> None:
    known = sorted({name for port in ports for axis, name in port.varies.items() if axis})
    if unknown := sorted(set(axes) - set(known)):
        raise ReproofError(
            "the model has no such axis that varies",
            where=f"--axis {unknown[0]}={axes[unknown[0]]}",
            expected=", ".join(known) or "no --axis: all axes but the first are fixed",
        )


def checked(values: Mapping[str, Any]) -> Settings:
    """Return settings out of a command's options.

    Raises:
        ReproofError: for a value that is none.
    """
    try:
        return Settings.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        key = str(first["loc"][0]) if first["loc"] else "benchmark"
        raise ReproofError(
            "not a setting of the benchmark",
            where=f"--{key.removesuffix('_s').replace('_', '-')}",
            expected=expected(first["msg"]),
            found=str(first["input"]),
        ) from error


def expected(message: str) -> str:
    """Return what pydantic says of a wrong value, as what was expected."""
    return message.removeprefix("Value error, ").removeprefix("Input should be ")


def provenance(of: Subject) -> Provenance:
    """Return the digest of a model that comes from nowhere that is known."""
    path = of.onnx or of.checkpoint
    assert path is not None
    library = environment.library()
    return Provenance(
        git_commit=None,
        git_dirty=None,
        model_digests={path.name: model_files.digest(path)},
        params_digest=None,
        harness_version="+".join(filter(None, map(library.get, ("version", "commit")))),
    )


def compare(
    a: Subject,
    b: Subject,
    chosen: Mapping[str, Any],
    *,
    seed: int = 0,
    on_progress: Callable[[Progress], None] | None = None,
) -> Comparison:
    """Measure two models, interleaved; the ratio is B's time over A's.

    Raises:
        ReproofError: for a value that is no setting, or models of two kinds of runtime.
    """
    if (a.onnx is None) != (b.onnx is None) and "runtimes" not in chosen:
        raise ReproofError(
            "the two need different runtimes, and a ratio would be of those",
            expected="two ONNX models, or two of torch",
        )
    both = settings(a, chosen)
    provenances = {"a": provenance(a), "b": provenance(b)}
    digests = {f"{side}.{n}": d for side, p in provenances.items() for n, d in p.model_digests.items()}
    cells = paired.measure(a, b, both, model_digests=digests, seed=seed, on_progress=on_progress)

    def side(name: str, of: Subject) -> Side:
        path = of.onnx or of.checkpoint
        assert path is not None
        return Side(name=path.name, subject=describe(of), model_digests=provenances[name].model_digests)

    return Comparison(
        a=side("a", a),
        b=side("b", b),
        basis=paired.BASIS,
        hardware=hardware.describe(),
        software=software({}, both, seed, 1),
        cells=cells,
    )
