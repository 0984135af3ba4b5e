"""What would spoil a number shows beside it: noise, spikes, cold processes, crashes, broken files, ties."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from measured import make_project, only, run, shorten
from onnx import TensorProto, helper, numpy_helper

from reproof import environment
from reproof.benchmark import Settings, Subject, paired

SPIKE_BYTES = 200_000_000
STEPS = f"""
import ctypes
import time
import numpy as np
from shapes import FEATURES

began = time.monotonic()
calls = 0

def plain(raw):
    return raw.reshape(len(raw), FEATURES).astype(np.float32)

def spikes(raw):
    global calls
    calls += 1
    if calls == 3:
        np.ones({SPIKE_BYTES}, dtype=np.uint8)
    return plain(raw)

def grows_slower(raw):
    time.sleep(min(0.02, 0.002 * (1 + 20 * (time.monotonic() - began))))
    return plain(raw)

def crashes(raw):
    if len(raw) == 2:
        ctypes.string_at(0)
    return plain(raw)

def too_wide(raw):
    return np.concatenate([plain(raw)] * 2, axis=1)

def doubles(raw):
    return plain(raw).astype(np.float64)
"""
NETS = """
import ctypes
import os
import torch

class Net(torch.nn.Module):
    def forward(self, x):
        if len(x) == 2:
            ctypes.string_at(0)
        if len(x) == 3:
            os._exit(5)
        return x

def load(path):
    return Net()
"""


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shorten(monkeypatch, tmp_path)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = make_project(tmp_path_factory.mktemp("project"))
    (root / "src/steps.py").write_text(STEPS)
    (root / "src/nets.py").write_text(NETS)
    whole = (root / "model.onnx").read_bytes()
    (root / "truncated.onnx").write_bytes(whole[: len(whole) // 2])
    (root / "empty.onnx").write_bytes(b"")
    (root / "text.onnx").write_text("version https://git-lfs.github.com/spec/v1\n")
    np.savez(root / "rows.npz", x=np.random.default_rng(0).normal(size=(64, 64)).astype("float32"))
    for name, layers in (("short.onnx", 20), ("long.onnx", 40)):
        write_chain(root / name, layers)
    return root


def write_chain(path: Path, layers: int) -> None:
    """Products with a 64 by 64 array, so many of them: the time is that of the products."""
    generator = np.random.default_rng(0)
    weights = [np.linalg.qr(generator.normal(size=(64, 64)))[0].astype("float32") for _ in range(layers)]
    graph = helper.make_graph(
        [helper.make_node("MatMul", [f"x{i}", f"w{i}"], [f"x{i + 1}"]) for i in range(layers)],
        "chain",
        [helper.make_tensor_value_info("x0", TensorProto.FLOAT, ["batch", 64])],
        [helper.make_tensor_value_info(f"x{layers}", TensorProto.FLOAT, ["batch", 64])],
        [numpy_helper.from_array(array, f"w{i}") for i, array in enumerate(weights)],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)


@contextlib.contextmanager
def burning(processes: int) -> Iterator[None]:
    started = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in started:
            process.kill()
        for process in started:
            process.wait()


# Noise, memory, warm-up.


@pytest.mark.skipif(not Path("/proc/pressure/cpu").exists(), reason="the system does not tell CPU pressure")
def test_a_machine_under_load_makes_the_verdict_noisy_and_says_why(project: Path) -> None:
    with burning(2 * environment.usable_cores()):
        cell = only(run(project, repeats=2))
    assert cell.verdict.status == "noisy"
    assert re.fullmatch(r"[\d.]+% of the time, not under 5%", cell.verdict.reasons["cpu_pressure"])
    assert cell.environment.psi_percent > 50


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from /proc")
def test_a_spike_of_memory_inside_preprocess_shows_in_the_peak(project: Path) -> None:
    usual, spiked = (
        only(run(project, {"preprocess": f"src/steps.py:{step}"})).memory for step in ("plain", "spikes")
    )
    grown = spiked.peak_ram_bytes - usual.peak_ram_bytes
    assert 0.9 * SPIKE_BYTES < grown < 1.3 * SPIKE_BYTES
    assert abs(spiked.baseline_ram_bytes - usual.baseline_ram_bytes) < 0.1 * SPIKE_BYTES


def test_a_process_that_does_not_warm_up_is_named(project: Path) -> None:
    cell = only(run(project, {"preprocess": "src/steps.py:grows_slower"}))
    assert cell.status == "measured"
    assert cell.warmup.warmed == [False]
    assert cell.verdict.status == "noisy"
    assert cell.verdict.reasons["not_warmed"] == "1 of 1 processes"


# Crashes. What hangs, leaves or is killed in preprocess is in test_benchmark_failures.py.


def test_a_segmentation_fault_costs_its_own_cell_only(project: Path) -> None:
    result = run(project, {"preprocess": "src/steps.py:crashes"}, batch_sizes=[1, 2], repeats=2)
    cells = {cell.cell.batch_size: cell for cell in result.cells.values()}
    assert (cells[1].status, cells[2].status) == ("measured", "failed")
    assert cells[1].stages.end_to_end.n >= 2 * 40
    assert cells[2].reason.startswith("killed by SIGSEGV")
    assert cells[2].stages is None


def test_a_model_that_crashes_or_leaves_costs_its_own_cell_only(project: Path) -> None:
    changes = {"loader": "src/nets.py:load", "postprocess": None}
    result = run(project, changes, runtimes=["torch"], batch_sizes=[1, 2, 3])
    cells = {cell.cell.batch_size: cell for cell in result.cells.values()}
    assert {size: cell.status for size, cell in cells.items()} == {1: "measured", 2: "failed", 3: "failed"}
    assert cells[2].reason.startswith("killed by SIGSEGV")
    assert cells[3].reason.startswith("exit code 5")


# Files and inputs that are not what the model takes.


@pytest.mark.parametrize("name", ["truncated.onnx", "empty.onnx", "text.onnx"])
def test_a_broken_model_file_is_a_reason_and_no_number(project: Path, name: str) -> None:
    cell = only(run(project, {"onnx": Path(name)}))
    assert (cell.status, cell.stages) == ("failed", None)
    assert name in cell.reason


@pytest.mark.parametrize(("step", "words"), [
    ("too_wide", r"x .*Got: 8 Expected: 4"), ("doubles", r"double.*float")
])  # fmt: skip
def test_an_input_that_does_not_fit_is_a_reason_and_no_number(project: Path, step: str, words: str) -> None:
    cell = only(run(project, {"preprocess": f"src/steps.py:{step}"}))
    assert (cell.status, cell.stages) == ("failed", None)
    assert re.search(words, cell.reason), cell.reason


# A model against itself, and against one of twice its length.


def compared(project: Path, a: str, b: str, seed: int, **chosen: Any) -> Any:
    subjects = (
        Subject(root=project, samples=Path("rows.npz"), samples_array="x", onnx=Path(name)) for name in (a, b)
    )
    settings = Settings(runtimes=["onnxruntime"], batch_sizes=[64], quick=True, **chosen)
    (cell,) = paired.measure(*subjects, settings, model_digests={"a": a, "b": b}, seed=seed).values()
    assert (cell.status, cell.reason) == ("measured", None)
    return cell


def test_a_model_is_not_faster_than_itself(project: Path) -> None:
    # At 95% one of these trials in twenty names a winner by chance; three of four would, once in 2,000 times.
    trials = [compared(project, "short.onnx", "short.onnx", seed) for seed in range(4)]
    for cell in trials:
        low, high = cell.ratio.ci95
        assert (cell.decision == "inconclusive") == (low <= 1 <= high)
    assert [cell.decision for cell in trials].count("inconclusive") >= 2


@pytest.mark.parametrize(("a", "b", "winner"), [
    ("short.onnx", "long.onnx", "a is faster"), ("long.onnx", "short.onnx", "b is faster")
])  # fmt: skip
def test_twice_the_layers_take_about_twice_the_time(project: Path, a: str, b: str, winner: str) -> None:
    cell = compared(project, a, b, seed=0)
    ratio = cell.ratio.b_over_a if a == "short.onnx" else 1 / cell.ratio.b_over_a
    assert 1.5 < ratio < 2.5
    assert cell.decision in (winner, "inconclusive")


def test_a_comparison_on_a_loaded_machine_says_so(project: Path) -> None:
    with burning(2 * environment.usable_cores()):
        cell = compared(project, "short.onnx", "long.onnx", seed=0, repeats=2)
    assert {"a.cpu_pressure", "b.cpu_pressure"} <= set(cell.noisy)
    assert cell.decision in ("a is faster", "inconclusive")
