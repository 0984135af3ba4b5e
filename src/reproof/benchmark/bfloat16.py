"""An ONNX model retyped from fp32 to bfloat16, with fp32 inputs and outputs: there is no converter for it."""

from __future__ import annotations

from typing import Any

from reproof.benchmark.runtimes import Unavailable, first_line

_OPSET = 22
"""The first in which convolutions and pooling may be of bfloat16."""


def converted(model: Any) -> Any:
    """Return the model with all fp32 weights and constants in bfloat16, and casts at inputs and outputs.

    Args:
        model: an `onnx.ModelProto` with its weights loaded; it may be changed.

    Raises:
        Unavailable: a part of the model has no bfloat16 form in ONNX.
    """
    import onnx
    from onnx import TensorProto

    model = _newer(model)
    graph = model.graph
    for tensor in graph.initializer:
        _retype(tensor)
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g") or attribute.graphs:
                raise Unavailable(f"bf16: {node.op_type} holds a graph of its own")
            if attribute.HasField("t"):
                _retype(attribute.t)
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i == TensorProto.FLOAT:
                attribute.i = TensorProto.BFLOAT16
    del graph.value_info[:]
    _cast_ends(graph)
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise Unavailable(f"bf16: no such operator in ONNX: {_told(error)}") from error
    return model


def _newer(model: Any) -> Any:
    import onnx
    from onnx import version_converter

    opset = next((one.version for one in model.opset_import if one.domain in ("", "ai.onnx")), _OPSET)
    if opset >= _OPSET:
        return model
    try:
        newer = version_converter.convert_version(model, _OPSET)
    except (RuntimeError, onnx.checker.ValidationError) as error:
        raise Unavailable(f"bf16 takes opset {_OPSET}, and the model has {opset}: {_told(error)}") from error
    # What newer versions of ONNX Runtime read; the converter leaves the old one.
    newer.ir_version = max(newer.ir_version, 10)
    return newer


def _retype(tensor: Any) -> None:
    import ml_dtypes
    from onnx import TensorProto, numpy_helper

    if tensor.data_type == TensorProto.FLOAT:
        array = numpy_helper.to_array(tensor).astype(ml_dtypes.bfloat16)
        tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))


def _cast_ends(graph: Any) -> None:
    """Keep fp32 at the model's inputs and outputs: cast behind the one, and before the other."""
    from onnx import TensorProto, helper

    weights = {tensor.name for tensor in graph.initializer}
    floats = [v.name for v in graph.input if v.type.tensor_type.elem_type == TensorProto.FLOAT]
    inputs = {name: f"{name}/bf16" for name in floats if name not in weights}
    given = {v.name for v in graph.output if v.type.tensor_type.elem_type == TensorProto.FLOAT}
    outputs = {name: f"{name}/bf16" for name in sorted(given - set(inputs))}
    renamed = inputs | outputs
    for node in graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
        node.output[:] = [renamed.get(name, name) for name in node.output]
    before = [helper.make_node("Cast", [a], [b], to=TensorProto.BFLOAT16) for a, b in inputs.items()]
    after = [helper.make_node("Cast", [b], [a], to=TensorProto.FLOAT) for a, b in outputs.items()]
    nodes = [*before, *graph.node, *after]
    del graph.node[:]
    graph.node.extend(nodes)


def _told(error: Exception) -> str:
    return first_line(error)
