"""What an ONNX file says of itself: ports, operators, weights, versions. Nothing is run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reproof.errors import ReproofError
from reproof.model_files import external
from reproof.model_files.facts import Facts, Graph, Weights
from reproof.model_files.ports import Port

_WEIGHTS_FROM = 100
"""Values from which on a Constant node counts as weights: exporters write small ones for shapes and axes."""
_MAX_NAME = 500
_MAX_PORTS = 1000
_MAX_OPERATORS = 200
_MAX_PRODUCER = 100
_MAX_AXIS_NAME = 60

_NAMES = {"float": "float32", "double": "float64"}
_BITS = {"float32": 32, "float64": 64, "float16": 16, "bfloat16": 16, "bool": 8, "string": 0}


def read(path: Path, root: Path, shown: str) -> Facts:
    """Read an ONNX model without its weights' bytes, and check that its external data is there.

    Raises:
        ReproofError: no ONNX model that protobuf can read, no input or output of a name that can be used, or
            external data that is missing, cut short, or outside.
        ImportError: onnx is not installed.
    """
    from google.protobuf.message import DecodeError

    try:
        model = external.load(path)
    except DecodeError as error:
        raise ReproofError(
            "not an ONNX model, or damaged",
            where=shown,
            found=str(error)[:200],
            hint="copy or download the file again; where DVC holds it, `dvc checkout --force` restores it",
        ) from error
    beside = external.sizes(model, path, root, shown)
    initial = {tensor.name for tensor in model.graph.initializer}
    initial |= {sparse.values.name for sparse in model.graph.sparse_initializer}
    given = [value for value in model.graph.input if value.name not in initial]
    if len(given) > _MAX_PORTS or len(model.graph.output) > _MAX_PORTS:
        raise ReproofError(f"over {_MAX_PORTS:,} inputs or outputs", where=shown)
    if not len(model.graph.output):
        raise ReproofError(
            "an ONNX model without an output", where=shown, hint="export it again, with its outputs named"
        )
    inputs, other_inputs = _ports(given, shown)
    outputs, other_outputs = _ports(model.graph.output, shown)
    weights = _weights(model)
    nodes = list(_nodes(model))
    return Facts(
        format="onnx",
        weights=weights,
        graph=Graph(
            opset={entry.domain[:_MAX_NAME] or "ai.onnx": entry.version for entry in model.opset_import},
            ir_version=model.ir_version,
            producer=_producer(model),
            nodes=len(nodes),
            operators=_counted(nodes),
        ),
        inputs=inputs,
        outputs=outputs,
        other_inputs=other_inputs,
        other_outputs=other_outputs,
        external=beside,
        made_by=_made_by(model.graph),
        own_functions=len(model.functions),
    )


def _producer(model: Any) -> str | None:
    words = f"{model.producer_name[:_MAX_PRODUCER]} {model.producer_version[:_MAX_PRODUCER]}".strip()
    return " ".join(words.split()) or None


def _made_by(graph: Any) -> dict[str, str]:
    makers = {name: node.op_type for node in graph.node for name in node.output}
    return {value.name: makers[value.name][:_MAX_NAME] for value in graph.output if value.name in makers}


def _ports(values: Any, shown: str) -> tuple[dict[str, Port], dict[str, str]]:
    """The tensors whose number of axes is known; and what the others are, in words."""
    ports: dict[str, Port] = {}
    others: dict[str, str] = {}
    for value in values:
        if len(value.name) > _MAX_NAME:
            raise ReproofError(
                f"an input or output whose name has {len(value.name):,} characters",
                where=shown,
                expected=f"at most {_MAX_NAME}",
                hint="rename it: onnx.compose.add_prefix, or input_names=[…] of the exporter",
            )
        kind = value.type.WhichOneof("value")
        dtype = _dtype(value.type.tensor_type.elem_type) if kind == "tensor_type" else None
        if dtype is None:
            others[value.name] = _kind(value.type)
        elif not value.type.tensor_type.HasField("shape"):
            others[value.name] = f"a {dtype} tensor; the file does not tell its shape"
        else:
            shape = value.type.tensor_type.shape.dim
            axes = tuple(_axis(index, axis) for index, axis in enumerate(shape))
            ports[value.name] = Port(value.name, dtype, axes)
    return ports, others


def _axis(index: int, axis: Any) -> int | str:
    """A size; or the name of an axis that varies, its own or one by its place. Below 0 means "varies"."""
    if axis.WhichOneof("value") == "dim_value" and axis.dim_value >= 0:
        return int(axis.dim_value)
    return " ".join(axis.dim_param.split())[:_MAX_AXIS_NAME] or f"axis{index}"


def _kind(kind: Any) -> str:
    """A type that is no tensor of a known dtype, in words."""
    found = kind.WhichOneof("value")
    if found == "tensor_type":
        return f"a tensor of the type {kind.tensor_type.elem_type}, which this onnx does not know"
    if found in ("sequence_type", "optional_type"):
        inner = getattr(kind, found).elem_type
        of = _dtype(inner.tensor_type.elem_type) if inner.WhichOneof("value") == "tensor_type" else None
        words = "a sequence" if found == "sequence_type" else "an optional value"
        return f"{words} of {of} tensors" if of else words
    names = {"map_type": "a map", "sparse_tensor_type": "a sparse tensor"}
    return names.get(str(found), "of no type that the file tells")


def _dtype(number: int) -> str | None:
    """Numpy's name of an element type; None for one that this onnx does not know, or none at all."""
    from onnx import TensorProto

    if number not in TensorProto.DataType.values() or number == TensorProto.UNDEFINED:
        return None
    name = str(TensorProto.DataType.Name(number)).lower()
    return _NAMES.get(name, name)


def _weights(model: Any) -> Weights:
    """Initializers, of subgraphs too, and Constant nodes of `_WEIGHTS_FROM` values and more."""
    tensors = parameters = 0
    bits = 0
    dtypes: Counter[str] = Counter()
    for tensor, small in _stored(model):
        count = 1
        for size in tensor.dims:
            count *= max(0, size)
        if small and count < _WEIGHTS_FROM:
            continue
        dtype = _dtype(tensor.data_type) or "unknown"
        tensors += 1
        parameters += count
        dtypes[dtype] += count
        bits += count * _bits(dtype)
    return Weights(tensors, parameters, -(-bits // 8), dict(dtypes.most_common()))


def _stored(model: Any) -> Iterator[tuple[Any, bool]]:
    """Every stored tensor, and whether it is a Constant node's."""
    for graph in _graphs(model.graph):
        for tensor in graph.initializer:
            yield tensor, False
        for sparse in graph.sparse_initializer:
            yield sparse.values, False
    for node in _nodes(model):
        if node.op_type == "Constant":
            for attribute in node.attribute:
                if attribute.HasField("t"):
                    yield attribute.t, True


def _graphs(graph: Any) -> Iterator[Any]:
    """A graph and those inside it: the branches of If, the bodies of Loop and Scan."""
    yield graph
    for inner in _subgraphs(graph.node):
        yield from _graphs(inner)


def _subgraphs(nodes: Any) -> Iterator[Any]:
    for node in nodes:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield attribute.g
            yield from attribute.graphs


def _nodes(model: Any) -> Iterator[Any]:
    """Every node: of the graph, of subgraphs, and of the model's own functions, once each."""
    for graph in _graphs(model.graph):
        yield from graph.node
    for function in model.functions:
        yield from function.node
        for inner in _subgraphs(function.node):
            for graph in _graphs(inner):
                yield from graph.node


def _bits(dtype: str) -> int:
    digits = "".join(letter for letter in dtype if letter.isdigit())
    if dtype.startswith("float8"):
        return 8
    if dtype.startswith("float4"):
        return 4
    return _BITS.get(dtype) or (int(digits) if digits else 8)


def _counted(nodes: list[Any]) -> dict[str, int]:
    """Nodes by operator, the most frequent first; operators of other domains with their domain."""
    found = Counter(
        (f"{node.domain}.{node.op_type}" if node.domain not in ("", "ai.onnx") else node.op_type)[:_MAX_NAME]
        for node in nodes
    )
    shown = dict(found.most_common(_MAX_OPERATORS))
    if rest := sum(found.values()) - sum(shown.values()):
        shown[f"({len(found) - _MAX_OPERATORS} further operators)"] = rest
    return shown
