"""In which type the nodes of an ONNX model really compute, on one execution provider.

The file alone does not say: where a provider has no kernel for half precision, ONNX Runtime puts casts to
fp32 around the node, in silence. The graph that it saves after optimising shows them.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_COMPUTES = re.compile(r"Conv|Gemm|MatMul|Attention|LSTM|GRU|RNN|Einsum")
_QUANTISED = re.compile(r"Integer|Quantize|QLinear|NBits|^QAttention|^QGemm")
_OF_INT8 = re.compile(r"^(DynamicQuantizeLinear|QuantizeLinear|DequantizeLinear)$")

_TYPES = {1: "fp32", 10: "fp16", 16: "bf16", 11: "fp64"}
"""Floating-point types of ONNX by their numbers in TensorProto.DataType."""

_OPTIMISED, _WEIGHTS = "optimised.onnx", "weights.bin"


class Compiled(Exception):
    """The provider turns nodes into something of its own, whose types are not shown."""


@dataclass(frozen=True)
class Node:
    """A node that does arithmetic: its operator, and the type it computes in (None where unknown)."""

    operator: str
    type: str | None


def computes(operator: str) -> bool:
    """Whether the operator is one in which models spend their time: convolutions, products, their kin."""
    return bool(_COMPUTES.search(operator))


def nodes(path: Path, provider: str) -> list[Node]:
    """Return the nodes that compute, of the graph as ONNX Runtime optimises it for a provider.

    Where none is a convolution, a product or their kin, all nodes that take or give numbers count, but casts.
    Quantised kin are of type `int8`. Starts a session: for a process of its own.

    Raises:
        Compiled: the provider shows no types.
        onnxruntime's own errors: it cannot run the model.
    """
    found = _nodes(_optimised(path, provider).graph, {})
    heavy = [node for node in found if computes(node.operator)]
    return heavy or [node for node in found if node.type is not None and node.operator != "Cast"]


def _optimised(path: Path, provider: str) -> Any:
    import onnx
    import onnxruntime as ort

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        options = ort.SessionOptions()
        options.log_severity_level = 3  # "the optimised model is for this machine only": so it is
        options.optimized_model_filepath = os.fspath(folder / _OPTIMISED)
        # Weights in a file of their own, which is not read back: the types are in the graph.
        options.add_session_config_entry("session.optimized_model_external_initializers_file_name", _WEIGHTS)
        try:
            ort.InferenceSession(os.fspath(path), options, providers=[provider], enable_fallback=0)
        except Exception as error:
            if "compiled nodes" in str(error):
                raise Compiled(provider) from error
            raise
        return onnx.load(folder / _OPTIMISED, load_external_data=False)


def _nodes(graph: Any, outer: Mapping[str, str]) -> list[Node]:
    """Walk the nodes in their order, and pass types on: from inputs, weights and casts to what uses them."""
    types = dict(outer)
    for value in (*graph.input, *graph.value_info, *graph.output):
        if kind := _TYPES.get(value.type.tensor_type.elem_type):
            types[value.name] = kind
    types |= {one.name: _TYPES[one.data_type] for one in graph.initializer if one.data_type in _TYPES}
    found: list[Node] = []
    for node in graph.node:
        taken = [types[name] for name in node.input if name in types]
        given = _given(node, taken)
        if given is not None:
            for name in node.output:
                types.setdefault(name, given)
        found.append(Node(node.op_type, _type(node, taken)))
        for attribute in node.attribute:
            for part in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])):
                found += _nodes(part, types)
    return found


def _type(node: Any, taken: Sequence[str]) -> str | None:
    if _QUANTISED.search(node.op_type) and not _OF_INT8.match(node.op_type):
        return "int8"
    return _widest(taken)


def _given(node: Any, taken: Sequence[str]) -> str | None:
    """The floating-point type of a node's outputs, as far as its attributes and inputs show it."""
    for attribute in node.attribute:
        if node.op_type == "Cast" and attribute.name == "to":
            return _TYPES.get(attribute.i)
        if node.op_type in ("Constant", "ConstantOfShape") and attribute.HasField("t"):
            return _TYPES.get(attribute.t.data_type)
    return _widest(taken)


def _widest(types: Iterable[str]) -> str | None:
    """A node with mixed inputs, such as fp16 data and an fp32 scale, does not compute in the smaller type."""
    return max(types, key=("bf16", "fp16", "fp32", "fp64").index, default=None)
