"""An ONNX model in another precision, and the proof that it computes in it.

fp16 is ONNX Runtime's converter, int8 its dynamic quantisation: weights in whole numbers ahead of time,
activations on the way. bf16 is made by retyping the graph. Each is worth a row only where the provider has
kernels for it: ONNX Runtime otherwise computes in fp32 with casts around, and a row named fp16 would hold the
times of a slower fp32.
"""

from __future__ import annotations

import logging
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from reproof.benchmark import compute_types
from reproof.benchmark.cells import Cell
from reproof.benchmark.compute_types import Node
from reproof.benchmark.messages import Value
from reproof.benchmark.runtimes import Unavailable, first_line, onnxruntime

_LIMIT = 1 << 31
"""Protobuf's limit for one message, in bytes; the converters hold the whole model as one."""


def convert(source: Path, cell: Cell, target: Path) -> dict[str, Value]:
    """Write the model in the cell's precision; return how it was made and what of it computes so.

    For a process of its own: it starts sessions, and quietens the logging of the converters.

    Args:
        source: the model as it came.
        cell: its precision, and the device whose provider must compute in it.
        target: the file to write.

    Returns:
        `precision`, which the optimised graph showed; how it was made; how many nodes compute, how many of
        them in this precision (percent), the others by operator; and bytes with weights, before and after.

    Raises:
        Unavailable: it cannot be converted, or the provider would compute in another type.
    """
    onnxruntime.import_package()
    provider = onnxruntime.provider(cell.device)
    make = _MAKERS[cell.precision]
    if _bytes(source) > _LIMIT:
        raise Unavailable("models over 2 GiB are not converted")
    try:
        with _quiet(), tempfile.TemporaryDirectory(dir=target.parent) as folder:
            method = make(source, target, Path(folder))
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RuntimeError) as error:
        # The converters are other people's, and end so at graphs that they do not expect.
        told = first_line(error, target.parent, source.parent)
        raise Unavailable(f"this model cannot be converted to {cell.precision}: {told}") from error
    nodes = _proved(target, cell, provider)
    kept = [node.operator for node in nodes if node.type != cell.precision]
    return {
        "precision": cell.precision,
        "method": method,
        "provider": provider,
        "compute_nodes": len(nodes),
        "converted_percent": 100 * (1 - len(kept) / len(nodes)),
        "kept": _counted(kept) or None,
        "bytes_before": _bytes(source),
        "bytes_after": target.stat().st_size,
    }


def _proved(path: Path, cell: Cell, provider: str) -> Sequence[Node]:
    """Return the nodes that compute.

    Raises:
        Unavailable: the provider runs them in another type, or cannot run the model at all.
    """
    precision = cell.precision
    try:
        nodes = compute_types.nodes(path, provider)
    except compute_types.Compiled as error:
        hidden = f"{provider} compiles the graph, and does not show that it computes in {precision}"
        raise Unavailable(hidden) from error
    except Exception as error:  # ONNX Runtime's errors share no class of their own
        told = onnxruntime.told(error, path.parent)
        if told is None:
            raise
        raise Unavailable(f"{provider} cannot run the model in {precision}: {told}") from error
    others = [node for node in nodes if node.type != precision]
    if precision == "int8":
        if len(others) == len(nodes):
            raise Unavailable("nothing in the model to quantise: no Conv, Gemm or MatMul with stored weights")
    elif others or not nodes:
        kinds = ", ".join(sorted({node.operator for node in others})) or "nothing in it"
        types = ", ".join(sorted({node.type or "an unknown type" for node in others})) or "no such type"
        lacks = f"{provider} has no {precision} kernel for {kinds}"
        raise Unavailable(f"the model in {precision} would compute in {types}: {lacks}")
    return nodes


def _fp16(source: Path, target: Path, folder: Path) -> str:  # noqa: ARG001 (one shape)
    import onnx
    from onnxruntime.transformers import float16

    onnx.save(float16.convert_float_to_float16(onnx.load(source), keep_io_types=True), target)
    return "onnxruntime.transformers.float16, fp32 inputs and outputs"


def _bf16(source: Path, target: Path, folder: Path) -> str:  # noqa: ARG001 (one shape)
    import onnx

    from reproof.benchmark import bfloat16

    onnx.save(bfloat16.converted(onnx.load(source)), target)
    return "retyped to bfloat16, fp32 inputs and outputs"


def _int8(source: Path, target: Path, folder: Path) -> str:
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    # From a copy with its weights inside: the quantiser writes files beside what it reads.
    onnx.save(onnx.load(source), folder / "source.onnx")
    quantize_dynamic(folder / "source.onnx", target, weight_type=QuantType.QInt8)
    return "onnxruntime.quantization.quantize_dynamic, QInt8 weights"


_MAKERS = {"fp16": _fp16, "bf16": _bf16, "int8": _int8}


def _bytes(path: Path) -> int:
    """The model's size, with the files beside it that hold its weights."""
    import onnx
    from onnx.external_data_helper import ExternalDataInfo, _get_all_tensors, uses_external_data

    tensors = _get_all_tensors(onnx.load(path, load_external_data=False))
    beside = {ExternalDataInfo(tensor).location for tensor in tensors if uses_external_data(tensor)}
    return path.stat().st_size + sum((path.parent / name).stat().st_size for name in beside)


def _counted(operators: Sequence[str]) -> str:
    return ", ".join(f"{count} × {name}" for name, count in Counter(operators).most_common())


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the converters' advice, which is for people who tune a model."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
