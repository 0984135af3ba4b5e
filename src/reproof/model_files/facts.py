"""What a model file says of itself, in one shape for all formats."""

from __future__ import annotations

from dataclasses import dataclass, field

from reproof.model_files.formats import Format
from reproof.model_files.ports import Port


@dataclass(frozen=True)
class Weights:
    """What is stored.

    Args:
        tensors: how many.
        parameters: values in them, all together.
        parameter_bytes: what these take in memory.
        dtypes: values by type, the most frequent first.
    """

    tensors: int
    parameters: int
    parameter_bytes: int
    dtypes: dict[str, int]


@dataclass(frozen=True)
class Graph:
    """What is computed.

    Args:
        opset: version by domain; `ai.onnx` is ONNX's own, `aten` that of torch.
        ir_version: of ONNX's file format; None for other formats.
        producer: what wrote the file, as it says.
        nodes: operations, those of subgraphs and functions too.
        operators: nodes by operator, the most frequent first.
    """

    opset: dict[str, int]
    ir_version: int | None
    producer: str | None
    nodes: int
    operators: dict[str, int]


@dataclass(frozen=True)
class Facts:
    """All that is known of a model without running it. What is None has its reason beside it.

    Args:
        format: of the file.
        weights: what is stored.
        weights_reason: why that is unknown.
        graph: what is computed.
        graph_reason: why there is none.
        inputs: what must be given: tensors of a known number of axes, by name.
        outputs: what comes out, likewise.
        ports_reason: why inputs and outputs are unknown.
        other_inputs: inputs that are no such tensor, with what they are.
        other_outputs: such outputs.
        external: bytes of each file beside the model that belongs to it.
        made_by: the operator that makes an output, by the output's name.
        own_functions: operators that the model itself defines.
    """

    format: Format
    weights: Weights | None = None
    weights_reason: str | None = None
    graph: Graph | None = None
    graph_reason: str | None = None
    inputs: dict[str, Port] | None = None
    outputs: dict[str, Port] | None = None
    ports_reason: str | None = None
    other_inputs: dict[str, str] = field(default_factory=dict)
    other_outputs: dict[str, str] = field(default_factory=dict)
    external: dict[str, int] = field(default_factory=dict)
    made_by: dict[str, str] = field(default_factory=dict)
    own_functions: int = 0
