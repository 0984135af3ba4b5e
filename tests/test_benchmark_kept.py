"""A benchmark that is stopped goes on with the processes that had measured."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from measured import PROVENANCE, make_project, shorten, subject

from reproof.benchmark import Settings, kept, measure

SCRIPT = """
import sys
from pathlib import Path
from reproof.benchmark import Provenance, Settings, Subject, lock, measure, settings
root, told = Path(sys.argv[1]), Path(sys.argv[2])
settings.QUICK = settings.Rules(warmup_min_seconds=0.02, warmup_cap_seconds=0.3, min_calls=40,
                                min_seconds=0.02, cap_seconds=5.0)
lock.PATH = root.parent / "lock"
def show(progress):
    with told.open("a") as out:
        out.write(f"{progress.processes_done}/{progress.processes}\\n")
result = measure(
    Subject(root=root, samples=Path("samples.npz"), samples_array="x", onnx=Path("model.onnx"),
            preprocess="src/data.py:preprocess", postprocess="src/data.py:postprocess"),
    Settings(runtimes=["onnxruntime"], batch_sizes=[1, 2], repeats=3, quick=True),
    provenance=Provenance.model_validate_json(sys.argv[3]), samples_file=None, on_progress=show,
)
(root / "benchmark.json").write_text(result.model_dump_json())
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    make_project(root)
    (root / ".dvc").mkdir()
    return root


def start(project: Path, told: Path) -> subprocess.Popen[str]:
    arguments = [str(project), str(told), PROVENANCE.model_dump_json()]
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, *arguments], stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def stop_after(process: subprocess.Popen[str], told: Path, processes: int, number: signal.Signals) -> str:
    until = time.monotonic() + 60
    while not told.exists() or len(told.read_text().splitlines()) < processes:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < until, "it measured too slowly"
        time.sleep(0.02)
    os.kill(process.pid, number)
    return process.communicate(timeout=60)[1]


def folders(project: Path) -> list[Path]:
    place = project / ".dvc" / "tmp" / "reproof" / "benchmark"
    return list(place.iterdir()) if place.exists() else []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_what_had_measured_is_not_measured_again(
    project: Path, tmp_path: Path, number: signal.Signals
) -> None:
    first = start(project, tmp_path / "first")
    told = stop_after(first, tmp_path / "first", 3, number)
    assert first.returncode == -number
    if number == signal.SIGINT:
        assert "of 6 processes are kept, and the same command goes on from there" in told
    (folder,) = folders(project)
    kept_then = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    assert len(kept_then) >= 3
    before = {name: (folder / name / "report.json").stat().st_mtime_ns for name in kept_then}
    assert before

    second = start(project, tmp_path / "second")
    _, told = second.communicate(timeout=120)
    assert second.returncode == 0
    assert f"goes on: {len(kept_then)} of 6 processes had measured" in told
    result = json.loads((project / "benchmark.json").read_text())
    assert result["software"]["harness"]["starts"] == 2
    assert {cell["status"] for cell in result["cells"].values()} == {"measured"}
    assert all(len(c["stages"]["model"]["process_medians_ms"]) == 3 for c in result["cells"].values())
    assert folders(project) == []  # nothing stays of a benchmark that is done


def test_a_whole_benchmark_is_measured_anew(
    project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shorten(monkeypatch, tmp_path)
    chosen = Settings(runtimes=["onnxruntime"], repeats=1, quick=True)
    results = [measure(subject(project), chosen, provenance=PROVENANCE, samples_file=None) for _ in range(2)]
    assert [result.software.harness.starts for result in results] == [1, 1]
    medians = [next(iter(r.cells.values())).stages.model.process_medians_ms for r in results]  # type: ignore[union-attr]
    assert medians[0] != medians[1]


@pytest.mark.parametrize(
    "change",
    ["model", "samples", "script", "settings", "seed"],
)
def test_what_was_kept_belongs_to_one_benchmark_alone(project: Path, change: str) -> None:
    chosen: dict[str, Any] = {"repeats": 2}
    seed = 0

    def key() -> str:
        return kept.key({"model": subject(project)}, Settings(**chosen), seed, PROVENANCE.model_digests)

    before = key()
    assert key() == before
    if change == "model":
        (project / "model.onnx").write_bytes((project / "nan.onnx").read_bytes())
    if change == "samples":
        (project / "samples.npz").write_bytes((project / "weights.npz").read_bytes())
    if change == "script":  # beside the one that is named
        (project / "src" / "shapes.py").write_text("FEATURES = 4  # as before\n")
    if change == "settings":
        chosen["repeats"] = 3
    if change == "seed":
        seed = 1
    assert key() != before


def test_a_torn_folder_is_measured_again(tmp_path: Path) -> None:
    with kept.opened(tmp_path, "key", 1) as store:
        folder = store.folder / "cell.0"
        folder.mkdir()
        (folder / "report.json").write_text("{")
        assert store.find("cell.0") is None
        assert store.find("cell.1") is None


def test_folders_that_nobody_came_back_for_go_after_a_week(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    place = tmp_path / "cache" / "reproof" / "benchmark"
    old, young = place / "old", place / "young"
    for folder in (old, young):
        folder.mkdir(parents=True)
        (folder / "x").write_text("x")
    long_ago = time.time() - 8 * 24 * 3600
    os.utime(old, (long_ago, long_ago))
    with kept.opened(tmp_path / "no-project", "ours", 1) as store:
        assert store.folder == place / "ours"
        assert (old.exists(), young.exists()) == (False, True)
    assert not (place / "ours").exists()
