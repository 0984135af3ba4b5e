"""Models of a chosen length to time: chains of MatMul, as ONNX, and what runs them on one thread."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
Call = Callable[[Array], Array]


class Chain(NamedTuple):
    """A chain of `layers` products of a (rows, width) array with a (width, width) one."""

    layers: int
    width: int
    rows: int


CHAINS = {
    "5 µs": Chain(layers=4, width=32, rows=4),
    "50 µs": Chain(layers=20, width=64, rows=64),
    "500 µs": Chain(layers=15, width=128, rows=256),
    "5 ms": Chain(layers=40, width=256, rows=256),
}
"""By how long a call takes, about, on a core of 2024."""


def write_all(folder: Path) -> None:
    """Write the CHAINS as `folder`/<name>.onnx."""
    for name, chain in CHAINS.items():
        write(folder / f"{name}.onnx", chain)


def write(path: Path, chain: Chain) -> Path:
    """Write the model, with the rows as its free batch axis.

    The weights are orthogonal: the numbers neither grow nor fade, so that no product is slow for being of
    denormal numbers.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    generator = np.random.default_rng(0)
    square = (chain.width, chain.width)
    weights = [np.linalg.qr(generator.normal(size=square))[0].astype("float32") for _ in range(chain.layers)]
    shape = ["batch", chain.width]
    graph = helper.make_graph(
        [helper.make_node("MatMul", [f"x{i}", f"w{i}"], [f"x{i + 1}"]) for i in range(chain.layers)],
        "chain",
        [helper.make_tensor_value_info("x0", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(f"x{chain.layers}", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(array, f"w{i}") for i, array in enumerate(weights)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)
    return path


def batch(chain: Chain, batches: int = 1) -> Array:
    """Return an input for the chain, or the rows of several."""
    size = (batches * chain.rows, chain.width)
    return np.random.default_rng(1).normal(size=size).astype("float32")


def call(path: Path) -> Call:
    """Return the model as a function of one array, on one thread of the CPU."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session: Any = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    run = session.run
    return lambda array: run(None, {"x0": array})[0]
