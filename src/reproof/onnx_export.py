"""torch to ONNX: a file that depends on the model alone, and how far its answers are from torch's."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reproof import files, onnx_graph
from reproof.errors import ReproofError

if TYPE_CHECKING:
    import numpy.typing as npt
    import torch


def export(
    model: torch.nn.Module,
    example: torch.Tensor,
    path: Path,
    *,
    input_name: str = "input",
    output_name: str = "output",
    opset: int = 18,
) -> None:
    """Write `model` as ONNX, stripped of paths and serialised deterministically.

    Args:
        model: on the CPU, takes one tensor, gives one; put into evaluation mode.
        example: an input of shape (batch, …) with a batch of two or more; the first axis becomes dynamic.
        path: the file, replaced in one step.
        input_name: of the graph's input.
        output_name: of the graph's output.
        opset: ONNX operator set.

    Raises:
        ReproofError: when the exporter cannot express the model.
    """
    import onnx
    import torch

    model.eval()
    try:
        with _quiet():
            program = torch.onnx.export(
                model,
                (example,),
                dynamo=True,
                input_names=[input_name],
                output_names=[output_name],
                opset_version=opset,
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                verbose=False,
            )
    except (torch.onnx.errors.OnnxExporterError, RuntimeError) as error:
        raise ReproofError(
            "torch cannot export this model to ONNX",
            where=type(model).__name__,
            found=_first_line(error.__cause__ or error),
            hint="avoid control flow on values and operators that ONNX lacks, or raise export.opset",
        ) from error
    assert program is not None, "dynamo=True returns a program"
    proto = program.model_proto
    onnx.checker.check_model(proto)
    written = next(entry.version for entry in proto.opset_import if entry.domain in ("", "ai.onnx"))
    if written != opset:
        raise ReproofError(
            "this torch cannot write the operator set",
            where="export.opset",
            expected=str(opset),
            found=str(written),
            hint="take the one that it writes, or look for a newer torch",
        )
    files.write_bytes(path, onnx_graph.canonical_bytes(proto))


def contract(path: Path) -> dict[str, Any]:
    """Return what an exported model takes and gives, as ONNX Runtime reads it, and its opset.

    `inputs` and `outputs`: by name, `shape` (such as `batch×1×8×8`) and `dtype` (such as `tensor(float)`).
    """
    import onnx

    session = open_session(path, threads=1)
    opsets = onnx.load_model(path, load_external_data=False).opset_import
    return {
        "inputs": {node.name: _port(node) for node in session.get_inputs()},
        "outputs": {node.name: _port(node) for node in session.get_outputs()},
        "opset": next(entry.version for entry in opsets if entry.domain in ("", "ai.onnx")),
    }


def _port(node: Any) -> dict[str, str]:
    return {"shape": "×".join(str(size) for size in node.shape) or "scalar", "dtype": node.type}


@dataclass(frozen=True)
class Parity:
    """How far ONNX Runtime's answers are from torch's on the same real inputs.

    `max_abs_diff` and `mean_abs_diff` are in the units of the output; `max_abs_output` gives their scale.
    """

    examples: int
    max_abs_diff: float
    mean_abs_diff: float
    max_abs_output: float


def parity(model: torch.nn.Module, path: Path, batches: Sequence[npt.NDArray[Any]], threads: int) -> Parity:
    """Run torch and ONNX Runtime on the same batches and compare.

    Raises:
        ReproofError: no batch, an answer that is not finite, or answers of different shapes.
    """
    import numpy as np
    import torch

    session = open_session(path, threads)
    name = session.get_inputs()[0].name
    model.eval()
    pairs = []
    for batch in batches:
        with torch.inference_mode():
            expected = model(torch.from_numpy(batch)).numpy()
        found = session.run(None, {name: batch})[0]
        if expected.shape != found.shape:
            raise ReproofError(
                "the exported model answers in another shape",
                where=path,
                expected=str(expected.shape),
                found=str(found.shape),
            )
        pairs.append((expected.reshape(-1), found.reshape(-1)))
    if not pairs:
        raise ReproofError("no input to compare the exported model on", where=path)
    expected, found = (np.concatenate(side).astype(np.float64) for side in zip(*pairs, strict=True))
    if not (np.isfinite(expected).all() and np.isfinite(found).all()):
        raise ReproofError(
            "the model's answers are not all finite",
            where=path,
            hint="look at the training's loss, and its weights",
        )
    difference = np.abs(expected - found)
    return Parity(
        sum(len(batch) for batch in batches),
        float(difference.max()),
        float(difference.mean()),
        float(np.abs(expected).max()),
    )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The exporter talks of its progress, of optional packages, and prints whole graphs when it fails."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _first_line(error: BaseException) -> str:
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)[:300]


def predict(session: Any, batch: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the first output of a session on one batch.

    Raises:
        ReproofError: when the model takes another input, such as one that was trained on other data.
    """
    (entry, *_) = session.get_inputs()
    try:
        answer: npt.NDArray[Any] = session.run(None, {entry.name: batch})[0]
        return answer
    except Exception as error:
        # ONNX Runtime's exceptions share no base class.
        raise ReproofError(
            "the exported model does not take this input",
            expected=f"{entry.type} of shape {entry.shape}",
            found=f"{batch.dtype} of shape {list(batch.shape)}",
            hint="was it trained on other data? `dvc repro` makes the checkpoint and the model anew",
        ) from error


def open_session(path: Path, threads: int) -> Any:
    """Open an ONNX model on the CPU with a fixed number of threads.

    Raises:
        ReproofError: when ONNX Runtime cannot read it.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        # ONNX Runtime's exceptions share no base class; what it cannot load, the user can mend.
        raise ReproofError(
            "ONNX Runtime cannot load the model",
            where=path,
            found=str(error).splitlines()[0][:300],
            hint="`dvc checkout` restores the file; `dvc repro -f export` makes it anew",
        ) from error
