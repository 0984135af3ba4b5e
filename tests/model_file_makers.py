"""Model files for tests: one small network in each format, and ONNX models made by hand or by others."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import save_file

OF_OTHERS = Path(onnx.__file__).parent / "backend" / "test" / "data"
"""Models that nobody here made: ONNX's own backend tests, in its package."""


def network() -> torch.nn.Sequential:
    torch.manual_seed(0)
    layers = (torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(144, 5))
    return torch.nn.Sequential(*layers).eval()


PARAMETERS = 4 * 3 * 9 + 4 + 144 * 5 + 5


def exported(path: Path) -> None:
    batch = {0: torch.export.Dim("batch")}
    program = torch.export.export(network(), (torch.zeros(2, 3, 8, 8),), dynamic_shapes=(batch,))
    torch.export.save(program, path)


def scripted(path: Path) -> None:
    torch.jit.save(torch.jit.trace(network(), torch.zeros(2, 3, 8, 8)), str(path))


def onnx_picture(path: Path, *, last: str = "Softmax", channels: int = 3, batch: Any = "batch") -> None:
    """A classifier of pictures of 8 × 8 into five classes."""
    rng = np.random.default_rng(0)
    pixels = channels * 64
    weight = numpy_helper.from_array(rng.normal(size=(pixels, 5)).astype(np.float32), "weight")
    nodes = [
        helper.make_node("Flatten", ["pixels"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weight"], ["logits"]),
        helper.make_node(last, ["logits"], ["scores"]),
    ]
    save(
        path,
        nodes,
        [port("pixels", [batch, channels, 8, 8])],
        [port("scores", [batch, 5])],
        initializer=[weight],
    )


def port(name: str, shape: Sequence[Any] | None, kind: int = TensorProto.FLOAT) -> Any:
    return helper.make_tensor_value_info(name, kind, shape)


def save(
    path: Path,
    nodes: Sequence[Any],
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    *,
    initializer: Sequence[Any] = (),
    change: Callable[[Any], None] = lambda model: None,
) -> None:
    graph = helper.make_graph(nodes, "graph", inputs, outputs, initializer=list(initializer))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    change(model)
    path.write_bytes(model.SerializeToString())


def external(folder: Path, location: str = "weights.bin") -> Path:
    """A model whose weights, 400 bytes, lie beside it; its file names `location` for them."""
    weight = numpy_helper.from_array(np.ones((10, 10), np.float32), "w")
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, "offset": "0", "length": "400"}.items():
        weight.external_data.add(key=key, value=value)
    path = folder / "model.onnx"
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    save(path, nodes, [port("x", ["n", 10])], [port("y", ["n", 10])], initializer=[weight])
    return path


def rewritten(source: Path, target: Path, name: str, change: Callable[[Any], Any]) -> None:
    """A copy of an archive with one JSON part of it, whose name ends so, changed."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for entry in old.infolist():
            data = old.read(entry)
            if entry.filename.endswith(name):
                value = json.loads(data)
                data = json.dumps(change(value) or value).encode()
            new.writestr(entry.filename, data)


def every_format(folder: Path) -> dict[str, Path]:
    """The same network in each format that runs here, by format."""
    files = {
        "onnx": folder / "net.onnx",
        "safetensors": folder / "net.safetensors",
        "torchscript": folder / "script.pt",
        "torch-export": folder / "net.pt2",
        "torch-weights": folder / "weights.pt",
    }
    onnx_picture(files["onnx"])
    save_file(network().state_dict(), files["safetensors"])
    scripted(files["torchscript"])
    exported(files["torch-export"])
    torch.save(network().state_dict(), files["torch-weights"])
    return files
