"""Projects with a real model in them, and the stage infer run there as its script runs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from reproof import inference
from reproof.contract.schema import Contract
from reproof.contract.steps import postprocess, preprocess
from reproof.model_files.ports import Port

SIMPLE = Path(onnx.__file__).parent / "backend/test/data/simple"
_TYPES = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64, "string": TensorProto.STRING}


def save(
    path: Path, nodes: Sequence[Any], inputs: Sequence[Port], outputs: Sequence[Port], **weights: Any
) -> None:
    """Write an ONNX model of these nodes."""
    infos = [
        [helper.make_tensor_value_info(port.name, _TYPES[port.dtype], list(port.shape)) for port in side]
        for side in (inputs, outputs)
    ]
    initial = [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()]
    graph = helper.make_graph(list(nodes), "made", *infos, initial)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)


def colour_model(
    path: Path, *, size: int = 8, batch: int | str = "batch", softmax: bool = False
) -> list[Port]:
    """A model of pictures: its three scores are the means of the channels."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["data"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["means" if softmax else "scores"]),
    ]
    if softmax:
        nodes.append(helper.make_node("Softmax", ["means"], ["scores"], axis=1))
    ports = [Port("data", "float32", (batch, 3, size, size)), Port("scores", "float32", (batch, 3))]
    save(path, nodes, ports[:1], ports[1:])
    return ports


def examination(
    contract: Contract, inputs: Sequence[Port] | None, outputs: Sequence[Port] | None = None, **more: Any
) -> dict[str, Any]:
    """What the stage examine records, as far as the stage infer reads it."""

    def side(ports: Sequence[Port] | None) -> dict[str, Any] | None:
        return ports and {port.name: {"dtype": port.dtype, "shape": list(port.shape)} for port in ports}

    return {
        "model": {"path": "models/model.onnx"},
        "runtime": "onnxruntime",
        "inputs": side(inputs),
        "outputs": side(outputs),
        "contract": {"file": "contract.yaml", "declared": contract.model_dump(mode="json")},
    } | more


def run(
    project: Path,
    contract: Contract,
    inputs: Sequence[Port] | None,
    outputs: Sequence[Port] | None = None,
    *,
    batch_size: int = 1,
    settings: Mapping[str, Any] | None = None,
    steps: tuple[Callable[[Any], Any], Callable[[Any], Any]] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Run what is in models/ on what is in inputs/, with the contract's own steps unless others are given."""
    before, after = steps or (
        lambda examples: preprocess(contract, examples, inputs, root=project),
        lambda found: postprocess(contract, found, outputs, root=project),
    )
    return inference.run(
        project,
        examination(contract, inputs, outputs, **more),
        inference.Inputs(**(settings or {})),
        inference.Settings(batch_size=batch_size),
        preprocess=before,
        postprocess=after,
        device="cpu",
        threads=1,
        seed=0,
        outputs=Path("outputs"),
        samples=Path("samples.npz"),
        picture=Path("results/latest/inputs.png"),
        loader=more.get("loader"),
        on_progress=on_progress,
    )
