"""Whole benchmarks: real processes, a real ONNX model, a real torch module; no absolute times."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import psutil
import pytest
from onnx import TensorProto, helper, numpy_helper

from reproof.benchmark import Progress, Provenance, Result, Settings, Subject, lock, measure, settings
from reproof.errors import ReproofError

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


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shorten(monkeypatch, tmp_path)


def shorten(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Set rules short enough for a test, and a lock that no real benchmark holds."""
    rules = settings.Rules(
        warmup_min_seconds=0.02, warmup_cap_seconds=0.3, min_calls=40, min_seconds=0.02, cap_seconds=5.0
    )
    patch.setattr(settings, "QUICK", rules)
    patch.setattr(lock, "PATH", folder / "lock")


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("project")
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


@pytest.fixture(scope="module")
def both(project: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, list[Progress]]:
    """Both runtimes on the CPU, in two repeats, and a CUDA device that a CPU machine has not."""
    seen: list[Progress] = []
    with pytest.MonkeyPatch.context() as patch:
        shorten(patch, tmp_path_factory.mktemp("lock"))
        result = measure(
            subject(project),
            Settings(devices=["cpu", "cuda"], batch_sizes=[3], repeats=2, quick=True),
            provenance=PROVENANCE,
            samples_file=Path("results/samples.npz"),
            seed=1,
            on_progress=seen.append,
        )
    return result, seen


def test_both_runtimes_give_times_memory_and_a_verdict(both: tuple[Result, list[Progress]]) -> None:
    for name in ("torch-cpu-fp32-b3-t1", "onnxruntime-cpu-fp32-b3-t1"):
        cell = both[0].cells[name]
        assert (cell.status, cell.reason) == ("measured", None)
        assert cell.cell.input_shape == [3, 4]
        assert (cell.cell.threads_intra_op, cell.cell.threads_inter_op, cell.cell.omp_num_threads) == (
            1,
            1,
            1,
        )
        assert cell.cell.precision_actual == "fp32"
        assert cell.cold is not None
        assert cell.cold.import_ms > 0
        assert cell.stages is not None
        whole = cell.stages.end_to_end
        assert whole.n >= 2 * 40
        assert len(whole.process_medians_ms) == 2
        assert whole.min_ms <= whole.median_ms <= whole.max_ms
        assert whole.ci95_ms is not None
        assert whole.ci95_ms[0] <= whole.median_ms <= whole.ci95_ms[1]
        parts = (cell.stages.preprocess, cell.stages.model, cell.stages.postprocess)
        assert sum(part.mean_ms for part in parts) == pytest.approx(whole.mean_ms)
        assert cell.throughput is not None
        assert cell.throughput.items_per_s == pytest.approx(3 * 1000 / whole.mean_ms)
        assert cell.memory is not None
        assert set(cell.memory.unavailable_reason) == {f for f, v in dict(cell.memory).items() if v is None}
        assert cell.verdict is not None
        assert cell.environment is not None
        assert len(cell.environment.loadavg_1min) == 2


def test_outputs_are_compared_with_torch(both: tuple[Result, list[Progress]]) -> None:
    torch, ort = (both[0].cells[f"{name}-cpu-fp32-b3-t1"].numerics for name in ("torch", "onnxruntime"))
    assert ort is not None
    assert ort.reference == "torch-cpu-fp32-b3-t1"
    assert ort.max_abs_diff_vs_reference is not None
    assert ort.max_abs_diff_vs_reference < 1e-5
    assert torch is not None
    assert torch.max_abs_diff_vs_reference is None
    assert torch.unavailable_reason == "this cell is the reference"


@pytest.mark.skipif(Path("/dev/nvidiactl").exists(), reason="this machine has a GPU")
def test_a_device_that_is_not_here_is_a_row_with_the_reason(both: tuple[Result, list[Progress]]) -> None:
    for name, word in (("torch", "CUDA"), ("onnxruntime", "CUDAExecutionProvider")):
        cell = both[0].cells[f"{name}-cuda-fp32-b3-t1"]
        assert cell.status == "unavailable"
        assert cell.reason is not None
        assert word in cell.reason
        assert cell.stages is None


def test_the_json_reads_back_and_holds_no_list_of_objects(both: tuple[Result, list[Progress]]) -> None:
    text = json.dumps(both[0].model_dump(mode="json"), allow_nan=False)
    assert Result.model_validate_json(text) == both[0]
    lists = []

    def walk(value: Any) -> None:
        if isinstance(value, list):
            lists.append(value)
        for part in value if isinstance(value, list) else value.values() if isinstance(value, dict) else ():
            walk(part)

    walk(json.loads(text))
    assert lists
    assert not [value for value in lists if not value or any(isinstance(part, dict | list) for part in value)]


def test_every_call_is_in_the_samples_file(both: tuple[Result, list[Progress]], project: Path) -> None:
    result = both[0]
    assert result.raw_samples == "results/samples.npz"
    name = "onnxruntime-cpu-fp32-b3-t1"
    stages = result.cells[name].stages
    assert stages is not None
    with np.load(project / result.raw_samples) as samples:
        model = np.concatenate([samples[f"{name}.{repeat}.model_ns"] for repeat in range(2)])
        assert len(samples["order"]) == 6  # two cells twice, and two that gave up at once
    assert len(model) == stages.model.n
    assert model.max() / 1e6 == stages.model.max_ms


def test_progress_counts_processes_and_cells(both: tuple[Result, list[Progress]]) -> None:
    seen = both[1]
    assert [p.processes_done for p in seen] == list(range(1, 7))
    assert (seen[-1].cells_done, seen[-1].cells, seen[-1].processes, seen[-1].remaining_s) == (4, 4, 6, 0)
    assert all(p.remaining_s > 0 for p in seen[:-1])


def test_the_onnx_worker_never_loads_torch(project: Path) -> None:
    cell = only(run(project, {"postprocess": "src/data.py:without_torch"}))
    assert (cell.status, cell.reason) == ("measured", None)
    assert cell.cell.options["torch_imported"] is False


def test_the_parent_loads_no_runtime() -> None:
    code = (
        "import sys, reproof.benchmark; sys.exit(bool({'torch', 'onnxruntime', 'scipy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("src/model.py", "not a reference"),
        ("src/model.py:lod", "no such function"),
        ("src/absent.py:load", "cannot read the file"),
        ("../elsewhere.py:load", "leads out of the project"),
    ],
)
def test_a_wrong_reference_stops_before_any_process(project: Path, reference: str, words: str) -> None:
    with pytest.raises(ReproofError, match=words):
        run(project, {"loader": reference})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"onnx": Path("absent.onnx")}, "no such file"),
        ({"samples_array": "y"}, "no such array"),
        ({"samples": Path("src/data.py")}, "not an .npz"),
    ],
)
def test_missing_inputs_stop_before_any_process(project: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ReproofError, match=words):
        run(project, changes)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("raises", "exit code 1; .*ValueError: no such layer in weights.npz"),
        ("leaves", "exit code 3"),
        ("number", "not a function"),
        ("takes_more_threads", "another number of threads"),
        ("half", "another precision"),
    ],
)
def test_a_loader_that_fails_fails_its_cell(project: Path, function: str, words: str) -> None:
    cell = only(run(project, {"loader": f"src/model.py:{function}"}, runtimes=["torch"]))
    assert cell.status == "failed"
    assert cell.verdict is None
    assert re.search(words, cell.reason), cell.reason


def test_a_process_that_hangs_leaves_or_is_killed_costs_no_other_cell(project: Path) -> None:
    result = run(
        project, {"preprocess": "src/data.py:misbehaves"}, batch_sizes=[1, 2, 3, 4], repeats=2, timeout_s=5.0
    )
    cells = {cell.cell.batch_size: cell for cell in result.cells.values()}
    assert {size: cell.status for size, cell in cells.items()} == {
        1: "measured",
        2: "failed",
        3: "failed",
        4: "failed",
    }
    reasons = [str(cells[size].reason) for size in (2, 3, 4)]
    assert reasons == ["no result after 5 s, stopped", "exit code 3", "killed by SIGKILL"]


def test_a_preprocess_that_changes_its_input_fails(project: Path) -> None:
    cell = only(run(project, {"preprocess": "src/data.py:in_place"}))
    assert cell.status == "failed"
    assert "read-only" in cell.reason


def test_nan_is_recorded_and_no_crash(project: Path) -> None:
    cell = only(run(project, {"onnx": Path("nan.onnx")}))
    assert cell.status == "measured"
    assert cell.numerics.max_abs_diff_vs_reference is None
    assert cell.numerics.unavailable_reason == "12 of 12 output values are NaN or infinite"


@pytest.mark.parametrize(
    ("changes", "chosen", "words"),
    [
        ({"onnx": Path("fixed.onnx")}, {"batch_sizes": [2]}, "takes batches of 1 only"),
        ({"onnx": None}, {}, "no ONNX model"),
        ({"loader": None}, {"runtimes": ["torch"]}, "no checkpoint, or no loader"),
        ({}, {"threads": [9999]}, "9999 threads asked for"),
    ],
)
def test_what_cannot_run_is_unavailable(
    project: Path, changes: dict[str, Any], chosen: dict[str, Any], words: str
) -> None:
    cell = only(run(project, changes, **chosen))
    assert cell.status == "unavailable"
    assert words in cell.reason


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_the_end_of_the_parent_ends_its_worker(project: Path, tmp_path: Path, number: signal.Signals) -> None:
    marker = project / "worker.pid"
    marker.unlink(missing_ok=True)
    code = f"""
from pathlib import Path
from reproof.benchmark import *
from reproof.benchmark import lock
lock.PATH = Path({str(tmp_path / "lock")!r})
measure(
    Subject(root=Path({str(project)!r}), samples=Path("samples.npz"), samples_array="x",
            onnx=Path("model.onnx"), preprocess="src/data.py:hangs"),
    Settings(runtimes=["onnxruntime"], repeats=1),
    provenance=Provenance.model_validate({PROVENANCE.model_dump()!r}), samples_file=None,
)
"""
    parent = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, start_new_session=True)
    try:
        worker = int(eventually(lambda: marker.exists() and marker.read_text()))
        assert psutil.pid_exists(worker)
        os.kill(parent.pid, number)
        _, stderr = parent.communicate(timeout=30)
        assert parent.returncode == -number
        assert (number == signal.SIGINT) == (b"KeyboardInterrupt" in stderr)
        assert eventually(
            lambda: not psutil.pid_exists(worker) or psutil.Process(worker).status() == "zombie"
        )
    finally:
        parent.kill()
        parent.wait()


def eventually(condition: Any) -> Any:
    for _ in range(600):
        if found := condition():
            return found
        time.sleep(0.05)
    pytest.fail("it did not happen within 30 s")
