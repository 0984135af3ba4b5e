"""The export for pyperf, read by pyperf's own commands."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from measured import make_project, run, shorten

from reproof import files
from reproof.benchmark import Result, pyperf_export
from reproof.errors import ReproofError

Times = list[npt.NDArray[np.int64]]

NAME = "onnxruntime-cpu-fp32-b3-t1"


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """A real benchmark of one cell in three processes, and a device that is not there."""
    with pytest.MonkeyPatch.context() as patch:
        shorten(patch, tmp_path_factory.mktemp("lock"))
        project = make_project(tmp_path_factory.mktemp("project"))
        return run(project, {}, devices=["cpu", "mps"], batch_sizes=[3], repeats=3)


def times(centre_us: float, *, processes: int = 5, calls: int = 2000, spread: float = 0.01) -> Times:
    """Nanoseconds of calls; processes differ by `spread`, and calls within one by a tenth of it."""
    rng = np.random.default_rng(0)
    centres = centre_us * 1e3 * (1 + spread * rng.normal(size=processes))
    return [(c * (1 + spread / 10 * np.abs(rng.normal(size=calls)))).astype(np.int64) for c in centres]


def pyperf(*arguments: str | Path) -> str:
    ended = subprocess.run(
        [sys.executable, "-m", "pyperf", *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def export(path: Path, result: Result, samples: Times, warmups: Times | None = None) -> Path:
    warm = None if warmups is None else {NAME: warmups}
    files.write_json(path, pyperf_export.document(result, {NAME: samples}, warm))
    return path


def test_every_command_of_pyperf_reads_it(result: Result, tmp_path: Path) -> None:
    samples = [calls[: 2000 - 10 * n] for n, calls in enumerate(times(250))]  # no two have as many
    path = export(
        tmp_path / "a.json", result, samples, [2 * t[: 1 if n else 70] for n, t in enumerate(samples)]
    )
    assert len(re.findall(r"^ *\d+ us: +\d ", pyperf("hist", path), flags=re.MULTILINE)) > 3
    stats = pyperf("stats", path)
    for words in (
        "Number of run with values: 5",
        "Number of value per run: 1",
        "warmup per run: 2.8 (average)",
    ):
        assert words in stats
    checked = pyperf("check", path)
    assert "The benchmark seems to be stable" in checked
    assert "WARNING" not in checked
    told = pyperf("metadata", path)
    assert result.hardware.fingerprint in told
    assert "end_to_end" in told
    assert "median of the calls of one process" in told
    verdict = result.cells[NAME].verdict
    assert verdict is not None
    assert f"verdict: {verdict.status}" in told
    median = float(np.median([np.median(t) for t in samples])) / 1e3
    shown = re.search(r"Median \+- MAD: +(\d+) us", stats)
    assert shown is not None
    assert int(shown[1]) == pytest.approx(median, abs=1)


def test_two_results_compare(result: Result, tmp_path: Path) -> None:
    fast, slow = (
        export(tmp_path / "a.json", result, times(250)),
        export(tmp_path / "b.json", result, times(500)),
    )
    assert "2.00x slower" in pyperf("compare_to", fast, slow)
    assert "2.00x faster" in pyperf("compare_to", slow, fast)


def test_processes_are_what_pyperf_counts_and_not_calls(result: Result, tmp_path: Path) -> None:
    # 10,000 calls each, 0.2% apart, from processes that differ by 5%: calls as values would be "significant".
    one = export(tmp_path / "a.json", result, times(250, spread=0.05))
    other = export(tmp_path / "b.json", result, times(250.5, spread=0.05))
    assert "not significant" in pyperf("compare_to", one, other)
    assert one.stat().st_size < 20_000


def test_few_unlike_processes_are_unstable_to_pyperf_too(result: Result, tmp_path: Path) -> None:
    path = export(tmp_path / "a.json", result, times(250, processes=3, spread=0.5))
    assert "WARNING" in pyperf("check", path)


def test_one_process_is_read_too(result: Result, tmp_path: Path) -> None:
    path = export(tmp_path / "a.json", result, times(250, processes=1))
    assert "Total number of values: 1\n" in pyperf("stats", path)


def test_a_cell_without_times_is_left_out(result: Result) -> None:
    other = NAME.replace("cpu", "mps")
    assert result.cells[other].status == "unavailable"
    found = pyperf_export.document(result, {NAME: times(1), other: times(1)})
    assert [one["metadata"]["name"] for one in found["benchmarks"]] == [NAME]
    with pytest.raises(ReproofError, match="nothing to export"):
        pyperf_export.document(result, {})


def test_values_are_seconds_and_loops_the_calls_behind_them(result: Result) -> None:
    samples = [np.array([1000, 3000, 2000]), np.array([4000, 4000])]
    found: dict[str, Any] = pyperf_export.document(
        result, {NAME: samples}, {NAME: [samples[0], samples[0][:0]]}
    )
    first, second = found["benchmarks"][0]["runs"]
    assert (first["values"], second["values"]) == ([2e-6], [4e-6])
    assert (first["metadata"]["loops"], second["metadata"]["loops"]) == (3, 2)
    assert (first["metadata"]["duration"], second["metadata"]["duration"]) == (12e-6, 8e-6)
    assert first["warmups"] == [[1, 1e-6], [1, 3e-6], [1, 2e-6]]
    assert "warmups" not in second
    json.dumps(found, allow_nan=False)
