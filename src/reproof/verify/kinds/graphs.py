"""ONNX models: the graph must be the same, its weights are compared as weights."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reproof import onnx_graph
from reproof.verify.kinds import arrays
from reproof.verify.kinds.found import Found, Standing, different, number

if TYPE_CHECKING:
    from onnx import ModelProto


def compare(recorded: Path, found: Path) -> Found:
    """Compare two ONNX models; the words say of the graph, too, whether it is the same."""
    (graph, weights), (other, others) = _parts(recorded), _parts(found)
    if graph != other:
        return different("onnx graph differs")
    told = arrays.of_weights(weights, others)
    if told.standing is Standing.IDENTICAL:
        return Found(Standing.IDENTICAL, "onnx graph identical")
    if told.standing is Standing.CLOSE:
        words = f"onnx graph identical, its weights differ (max |Δ| {number(told.largest or 0.0)})"
        return Found(Standing.CLOSE, words, told.largest, of_weights=True)
    return different(f"onnx: {told.words}", told.largest)


def _parts(path: Path) -> tuple[str, dict[str, Any]]:
    """A digest of the graph without the values of its floating-point weights, and these by name.

    Weights that stand in nodes as constants, or in inner graphs, are part of the graph: they must be equal.
    """
    import onnx
    from onnx import numpy_helper

    model: ModelProto = onnx.load_model(path)
    weights: dict[str, Any] = {}
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype.kind != "f":
            continue  # shapes, axes and quantised weights: the graph's own
        weights[tensor.name] = values.copy()
        name, kind, shape = tensor.name, tensor.data_type, list(tensor.dims)
        tensor.Clear()
        tensor.name, tensor.data_type = name, kind
        tensor.dims.extend(shape)
    return hashlib.sha256(onnx_graph.canonical_bytes(model)).hexdigest(), weights
