"""Profiles of real models, in processes of their own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import run_once
from onnx import TensorProto, helper, numpy_helper

from reproof.benchmark import profiling
from reproof.benchmark.messages import Profile
from reproof.benchmark.profiling import TOP

CODE = """
import sys
from pathlib import Path
from reproof.benchmark import profiling
from reproof.benchmark.messages import Job

job = Job.model_validate_json(Path(sys.argv[1]).read_text())
(job.folder / "told.json").write_text(profiling.profile(job).model_dump_json())
"""

MODEL = """
import time
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(256, 256)

    def forward(self, x):
        for _ in range(4):
            x = torch.tanh(self.linear(x))
        return x

def load(path):
    return Net()

def preprocess(raw):
    return raw * 2
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("project")
    (root / "model.py").write_text(MODEL)
    rng = np.random.default_rng(0)
    run_once.write_batches(root, *rng.normal(size=(3, 64, 256)).astype(np.float32))
    return root


def profiled(project: Path, folder: Path, **changes: Any) -> Profile:
    fields = {"task": "profile", "batch_size": 64, "preprocess": "model.py:preprocess"}
    told, _ = run_once.run(run_once.job(project, folder, **(fields | changes)), CODE)
    return Profile.model_validate(told)


def write_onnx(path: Path, *, kinds: int = 1) -> Path:
    """Four products in a row, each within a branch, and as many other operators as asked for."""
    w = np.random.default_rng(0).normal(size=(256, 256)).astype(np.float32) / 16
    others = ["Tanh", "Relu", "Sigmoid", "Neg", "Abs", "Exp", "Sqrt", "Sin", "Cos", "Ceil", "Floor", "Erf",
              "Sign", "Softplus", "Softsign", "Elu", "Round"]  # fmt: skip
    nodes, last = [], "x"
    for n in range(4):
        nodes.append(helper.make_node("MatMul", [last, "w"], [f"m{n}"]))
        last = f"m{n}"
    for n, kind in enumerate(others[:kinds]):
        nodes.append(helper.make_node(kind, [last], [f"o{n}"]))
        last = f"o{n}"
    body = helper.make_graph(
        nodes, "body", [], [helper.make_tensor_value_info(last, TensorProto.FLOAT, None)]
    )
    other = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["same"])],
        "other",
        [],
        [helper.make_tensor_value_info("same", TensorProto.FLOAT, None)],
    )
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMax", ["x"], ["top"], keepdims=0),
            helper.make_node("Greater", ["top", "zero"], ["yes"]),
            helper.make_node("If", ["yes"], ["y"], then_branch=body, else_branch=other),
        ],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 256])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 256])],
        [numpy_helper.from_array(w, "w"), numpy_helper.from_array(np.array(0, np.float32), "zero")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
    return path


def test_onnxruntime_tells_where_the_time_goes(project: Path, tmp_path: Path) -> None:
    found = profiled(project, tmp_path, onnx=write_onnx(project / "net.onnx"))
    assert found.method == "ONNX Runtime profiling, self time of nodes"
    assert found.calls is not None
    assert 3 <= found.calls <= 200
    # The warm-up's calls are not counted, and the If is its body.
    assert found.operators["MatMul"].calls == 4 * found.calls
    assert "If" not in found.operators
    assert next(iter(found.operators)) == "MatMul"
    assert 50 < found.operators["MatMul"].percent < 100
    assert sum(one.percent for one in found.operators.values()) == pytest.approx(100)
    longest = [one.total_ms for one in found.operators.values()]
    assert longest == sorted(longest, reverse=True)
    assert not list(Path.cwd().glob("*profile*.json"))


def test_only_the_longest_are_listed_and_percentages_are_of_all(project: Path, tmp_path: Path) -> None:
    found = profiled(project, tmp_path, onnx=write_onnx(project / "many.onnx", kinds=17))
    assert len(found.operators) == TOP
    assert sum(one.percent for one in found.operators.values()) < 100


@pytest.mark.torch
def test_torch_tells_where_the_time_goes(project: Path, tmp_path: Path) -> None:
    found = profiled(
        project, tmp_path, runtime="torch", checkpoint=project / "model.py", loader="model.py:load"
    )
    assert found.method == "torch.profiler, self CPU time"
    assert found.calls is not None
    assert found.operators["aten::addmm"].calls == 4 * found.calls
    assert found.operators["aten::tanh"].calls == 4 * found.calls
    assert len(found.operators) <= TOP
    text = json.dumps(found.model_dump(mode="json"), allow_nan=False)
    assert str(project) not in text
    assert "[" not in text  # DVC takes lists of objects for plots


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("aten::conv2d", "aten::conv2d"),
        ("/home/ada/secret/net.py(12): forward", "net.py(12): forward"),
        ("C:\\Users\\ada\\net.py(12): forward", "net.py(12): forward"),
        (f"## Call CompiledFxGraph f{'a1' * 25} ##", "Call CompiledFxGraph …"),
        ("Torch-Compiled Region: 0/0", "Torch-Compiled Region: 0/0"),
        ("##", "unnamed"),
    ],
)
def test_names_hold_no_folder_and_no_hash(name: str, clean: str) -> None:
    assert profiling._clean(name) == clean


def test_a_profile_without_times_has_a_reason() -> None:
    found = profiling._summed("a profiler", 3, [profiling._Time("Conv", 3, 0.0)])
    assert (found.method, found.calls, found.operators) == (None, None, {})
    assert found.reason == "the profiler saw no operator that took any time"
