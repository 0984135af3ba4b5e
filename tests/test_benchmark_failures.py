"""Benchmarks that go wrong: code that fails, hangs, leaves or is killed, and what cannot run here."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from measured import PROVENANCE, make_project, only, run, shorten

from reproof.errors import ReproofError


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shorten(monkeypatch, tmp_path)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("project"))


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
        ({"samples": Path("src/data.py")}, "not a readable .npz"),
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


@pytest.mark.parametrize(
    ("changes", "chosen", "words"),
    [
        ({"onnx": Path("fixed.onnx")}, {"batch_sizes": [2]}, "takes batches of 1 only"),
        ({"onnx": None}, {}, "no ONNX model"),
        ({"checkpoint": None}, {"runtimes": ["torch"]}, "no checkpoint, or no loader"),
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
