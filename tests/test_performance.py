"""The measurement of speed runs, books every moment, and its page says what its numbers say."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from conftest import run
from projects import ENV, ROOT, executed, small_project

BENCHMARKS = ROOT / "benchmarks"
REPORTS = ROOT / "reports"
SCRIPTS = sorted(path.stem for path in BENCHMARKS.glob("*.py"))


@pytest.fixture(autouse=True)
def _as_a_script_sees_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Put the folder on sys.path, as `python benchmarks/performance.py` does; and build elsewhere."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    for name in SCRIPTS:
        sys.modules.pop(name, None)
    script("measuring").BUILD = tmp_path
    yield
    for name in SCRIPTS:
        sys.modules.pop(name, None)


def script(name: str) -> ModuleType:
    return importlib.import_module(name)


@pytest.mark.parametrize("name", SCRIPTS)
def test_no_script_hides_a_module(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry != str(BENCHMARKS)])
    monkeypatch.delitem(sys.modules, name, raising=False)
    assert importlib.util.find_spec(name) is None


# The parts, as small as they go.


def test_every_sink_has_numbers_or_a_reason() -> None:
    found = script("sinks").measure(repeats=1, steps=10)
    assert found["verdict"] in ("met", "not met", "noisy")
    assert list(found["contenders"]) == ["reproof", "orjson", "trackio", "tensorboard", "mlflow", "dvclive"]
    for name, told in found["contenders"].items():
        if told["step_us"] is None:
            assert name not in ("reproof", "orjson")
            assert told["reason"]
        else:
            assert told["step_us"]["values"][0] > 0
            assert told["version"]


def test_a_sink_logs_what_it_says(tmp_path: Path) -> None:
    run(sys.executable, BENCHMARKS / "sink_loop.py", "reproof", "10", tmp_path, cwd=tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "metrics.ndjson").read_text().splitlines()]
    assert len(lines) == 5 * (1 + 10)
    assert len({line["metric"] for line in lines}) == 5


def test_help_imports_nothing_heavy() -> None:
    found = script("startup").measure(repeats=1)
    assert found["loaded"] == []
    assert set(found["forbidden"]) >= {"torch", "pandas", "dvc", "onnxruntime", "git", "numpy"}


def test_capture_and_digests_have_numbers() -> None:
    found = script("capture_and_digests").measure(repeats=1, megabytes=1)
    assert found["capture"]["capture_s"]["median"] > 0
    assert len(found["digests"]) == 7
    assert all(told["ratio"]["median"] > 0 for told in found["digests"].values())


@pytest.fixture(scope="module")
def probed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float, list[str]]:
    """A small pipeline under DVC with the probe: what that left, the wall time, and the stages that ran."""
    folder = tmp_path_factory.mktemp("probed")
    project, probe = small_project(folder / "project"), folder / "probe"
    probe.mkdir()
    env = ENV | {"PYTHONPATH": str(BENCHMARKS / "probe"), "REPROOF_PROBE": str(probe)}
    begin = time.perf_counter()
    done = run("dvc", "repro", cwd=project, env=env)
    return probe, time.perf_counter() - begin, executed(done.stdout)


def test_the_probe_books_every_moment_of_a_pipeline(probed: tuple[Path, float, list[str]]) -> None:
    probe, wall, stages = probed
    spent, missing = script("pipeline_time").attribution(probe, wall)
    assert list(spent) == [*stages, "DVC"]
    assert len(stages) > 2
    assert sum(sum(kinds.values()) for kinds in spent.values()) == pytest.approx(wall)
    assert all(seconds >= 0 for kinds in spent.values() for seconds in kinds.values())
    known = {name for names in script("pipeline_time").GROUPS.values() for name in names}
    assert {kind for kinds in spent.values() for kind in kinds} <= known
    for stage in stages:
        assert {"restart", "imports of the library", "code state", "environment", "interpreter"} <= set(
            spent[stage]
        )
    assert missing == set(), "the probe lists functions that the library no longer has"


# Statistics and the page.


@pytest.mark.parametrize(("count", "low", "high", "coverage"), [
    (1, 1, 1, 0.0), (3, 1, 3, 0.75), (5, 1, 5, 0.9375), (15, 4, 12, 0.9648)
])  # fmt: skip
def test_the_interval_of_a_median(count: int, low: int, high: int, coverage: float) -> None:
    found = script("measuring").summary([float(value) for value in range(count, 0, -1)])
    assert (found["low"], found["high"]) == (low, high)
    assert found["coverage"] == pytest.approx(coverage, abs=1e-4)
    assert found["values"][0] == count, "in the order of the repeats"


@pytest.mark.parametrize(("values", "told"), [
    ([1.0, 1.5, 2.0], "met"), ([1.0, 1.5, 2.1], "noisy"), ([2.1, 3.0, 4.0], "not met")
])  # fmt: skip
def test_a_verdict_needs_the_whole_interval(values: list[float], told: str) -> None:
    measuring = script("measuring")
    assert measuring.verdict(measuring.summary(values), 2.0) == told


def test_everyone_is_first_equally_often() -> None:
    in_turn = script("measuring").in_turn
    assert [in_turn(["a", "b"], repeat) for repeat in range(3)] == [["a", "b"], ["b", "a"], ["a", "b"]]


committed = pytest.mark.skipif(
    not (REPORTS / "performance.json").exists(), reason="nothing has been measured yet: make performance"
)


@committed
def test_the_page_is_what_the_numbers_say() -> None:
    found = json.loads((REPORTS / "performance.json").read_text())
    page = script("performance_report").render(found)
    assert page == (REPORTS / "performance.md").read_text(), "python benchmarks/performance.py --render"


@committed
def test_the_pictures_are_what_the_numbers_say(tmp_path: Path) -> None:
    shutil.copy(REPORTS / "performance.json", tmp_path)
    script("performance_report").write(tmp_path / "performance.json", tmp_path)
    drawn = sorted(path.name for path in (tmp_path / "performance").iterdir())
    assert drawn == sorted(path.name for path in (REPORTS / "performance").iterdir()) != []
    for name in drawn:
        assert (tmp_path / "performance" / name).read_bytes() == (REPORTS / "performance" / name).read_bytes()


def test_a_page_of_what_could_not_be_measured_says_why(tmp_path: Path) -> None:
    performance = script("performance")
    amounts = script("amounts").QUICK

    def broken(_amounts: object) -> dict[str, object]:
        raise script("measuring").Failed("no dvc here")

    performance.PARTS["pipeline"] = broken
    found = performance.measure(amounts, ["startup", "pipeline"])
    page = script("performance_report").render(found)
    assert "not measured: no dvc here" in page
    assert "## The command" in page
