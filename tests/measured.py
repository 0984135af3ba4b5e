"""A small project to measure: a torch module, the same as ONNX, and code that misbehaves in many ways."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from reproof.benchmark import Provenance, Result, Settings, Subject, lock, measure, settings

PROVENANCE = Provenance(
    git_commit="a" * 40,
    git_dirty=False,
    model_digests={"onnx": "sha256:0"},
    params_digest=None,
    harness_version="0.1.0",
)

MODEL = """
import os
import time
import numpy as np
import torch
from shapes import FEATURES

class Net(torch.nn.Module):
    def __init__(self, w, b):
        super().__init__()
        self.linear = torch.nn.Linear(FEATURES, 3)
        self.linear.weight.data = torch.from_numpy(w.T.copy())
        self.linear.bias.data = torch.from_numpy(b)

    def forward(self, x):
        return self.linear(x)

def load(path):
    print("the project's code may print {} what it likes")
    weights = np.load(path)
    return Net(weights["w"], weights["b"])

def raises(path):
    raise ValueError(f"no such layer in {path.name}")

def leaves(path):
    os._exit(3)

def takes_more_threads(path):
    torch.set_num_threads(2)
    return load(path)

def half(path):
    return load(path).half()

number = 7
"""

DATA = """
import os
import sys
import time
from pathlib import Path
import numpy as np
from shapes import FEATURES

def preprocess(raw):
    return raw.reshape(len(raw), FEATURES).astype(np.float32)

def postprocess(logits):
    return logits.argmax(axis=1)

def without_torch(logits):
    assert "torch" not in sys.modules, "torch is loaded beside onnxruntime"
    return logits

def misbehaves(raw):
    if len(raw) == 2:
        time.sleep(600)
    if len(raw) == 3:
        os._exit(3)
    if len(raw) == 4:
        os.kill(os.getpid(), 9)
    return preprocess(raw)

def in_place(raw):
    raw /= 2
    return raw

def hangs(raw):
    Path("worker.pid").write_text(str(os.getpid()))
    time.sleep(600)
"""


def shorten(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Set rules short enough for a test, and a lock that no real benchmark holds."""
    rules = settings.Rules(
        warmup_min_seconds=0.02, warmup_cap_seconds=0.3, min_calls=40, min_seconds=0.02, cap_seconds=5.0
    )
    patch.setattr(settings, "QUICK", rules)
    patch.setattr(lock, "PATH", folder / "lock")


def make_project(root: Path) -> Path:
    """Write the project into the folder `root`."""
    (root / "src").mkdir()
    (root / "src/model.py").write_text(MODEL)
    (root / "src/data.py").write_text(DATA)
    (root / "src/shapes.py").write_text("FEATURES = 4\n")
    (root / "json.py").write_text("raise RuntimeError('the project hides an installed module')\n")
    rng = np.random.default_rng(0)
    w, b = rng.normal(size=(4, 3)).astype(np.float32), rng.normal(size=3).astype(np.float32)
    np.savez(root / "weights.npz", w=w, b=b)
    np.savez(root / "samples.npz", x=rng.normal(size=(10, 2, 2)).astype(np.float32))
    write_onnx(root / "model.onnx", w, b, batch="batch")
    write_onnx(root / "fixed.onnx", w, b, batch=1)
    write_onnx(root / "nan.onnx", w * np.nan, b, batch="batch")
    return root


def write_onnx(path: Path, w: np.ndarray, b: np.ndarray, batch: str | int) -> None:
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", "w", "b"], ["y"])],
        "linear",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, 3])],
        [numpy_helper.from_array(w, "w"), numpy_helper.from_array(b, "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def subject(root: Path, **changes: Any) -> Subject:
    usual = {
        "onnx": Path("model.onnx"),
        "checkpoint": Path("weights.npz"),
        "loader": "src/model.py:load",
        "preprocess": "src/data.py:preprocess",
        "postprocess": "src/data.py:postprocess",
        "samples": Path("samples.npz"),
        "samples_array": "x",
    }
    return Subject(root=root, **(usual | changes))


def run(root: Path, changes: dict[str, Any] | None = None, **chosen: Any) -> Result:
    """Measure with one repeat of the ONNX model, unless told otherwise."""
    chosen = {"runtimes": ["onnxruntime"], "repeats": 1, "quick": True, **chosen}
    return measure(
        subject(root, **(changes or {})), Settings(**chosen), provenance=PROVENANCE, samples_file=None
    )


def only(result: Result) -> Any:
    (cell,) = result.cells.values()
    return cell
