"""Whole benchmarks: real processes, a real ONNX model, a real torch module; no absolute times."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from measured import PROVENANCE, make_project, only, run, shorten, subject

from reproof.benchmark import Progress, Result, Settings, measure


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shorten(monkeypatch, tmp_path)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("project"))


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


def test_nan_is_recorded_and_no_crash(project: Path) -> None:
    cell = only(run(project, {"onnx": Path("nan.onnx")}))
    assert cell.status == "measured"
    assert cell.numerics.max_abs_diff_vs_reference is None
    assert cell.numerics.unavailable_reason == "12 of 12 output values are NaN or infinite"
