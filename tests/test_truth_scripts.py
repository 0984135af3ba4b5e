"""The scripts that hold the benchmark's clock, intervals and comparisons against others: what they print.

No test looks at an absolute time, nor at whether a claim holds on the machine that runs the tests.
"""

from __future__ import annotations

import importlib
import json
import math
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import psutil
import pytest
from measured import shorten
from projects import ROOT

BENCHMARKS = ROOT / "benchmarks"
NAMES = sorted(path.stem for path in BENCHMARKS.glob("*.py"))
VERDICTS = {"met", "not met", "noisy"}


@pytest.fixture(scope="module", autouse=True)
def _as_a_script_sees_it(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Put the folder on sys.path; build elsewhere, with rules and a lock of the tests' own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        for name in NAMES:
            sys.modules.pop(name, None)
        folder = tmp_path_factory.mktemp("build")
        script("measuring").BUILD = folder
        shorten(patch, folder)
        yield
    for name in NAMES:
        sys.modules.pop(name, None)


def script(name: str) -> ModuleType:
    return importlib.import_module(name)


# Each of them, as small as it goes.

PARTS = {
    "timing": ("timing_overhead", lambda module, a: module.measure(a.repeats, a.seconds)),
    "loadgen": ("loadgen", lambda module, a: module.measure(a.repeats, a.seconds)),
    "coverage": ("interval_coverage", lambda module, a: module.measure(a.processes)),
    "ab": ("ab_trials", lambda module, a: module.measure(a.repeats, a.seconds, a.trials)),
}


@pytest.fixture(scope="module")
def quick() -> dict[str, Any]:
    """What every script finds in quick mode, and the exit code of its command line, by part."""
    if importlib.util.find_spec("mlperf_loadgen") is None:
        pytest.skip("mlcommons-loadgen is not installed")
    amounts = script("amounts").QUICK
    return {part: call(script(name), amounts) for part, (name, call) in PARTS.items()}


def test_every_claim_has_what_was_measured_of_it(quick: dict[str, Any]) -> None:
    for found in quick.values():
        assert found["claims"]
        for claim in found["claims"].values():
            assert claim["verdict"] in VERDICTS
            measured = claim["measured"]
            assert math.isfinite(measured["median"])
            assert measured["low"] <= measured["high"]


def test_the_clock_is_held_against_a_tight_loop_and_loadgen(quick: dict[str, Any]) -> None:
    chains = script("onnx_chains").CHAINS
    for part, other in (("timing", "tight_us"), ("loadgen", "loadgen_us")):
        models = quick[part]["models"]
        assert list(models) == list(chains)
        for told in models.values():
            assert 0.2 < told["reported_us"]["median"] / told[other]["median"] < 5, "the same calls"
        medians = [told["reported_us"]["median"] for told in models.values()]
        assert medians == sorted(medians)
    no_op = quick["timing"]["no_op"]
    assert 0 < no_op["model_us"]["median"] <= no_op["end_to_end_us"]["median"] <= no_op["wall_us"]["median"]


def test_coverage_is_a_share_with_an_interval(quick: dict[str, Any]) -> None:
    found = quick["coverage"]
    assert (found["processes"], len(found["calls"])) == (2, 2)
    assert list(found["coverage"]) == ["K=3", "K=5"]
    for told in found["coverage"].values():
        for kind in ("process", "call"):
            assert 0 <= told[kind]["low"] <= told[kind]["high"] <= 1


def test_every_trial_has_both_methods(quick: dict[str, Any]) -> None:
    found = quick["ab"]
    for condition in ("quiet", "burner"):
        (trial,) = found["trials"][condition].values()
        assert trial["interleaved"]["low"] <= trial["interleaved"]["ratio"] <= trial["interleaved"]["high"]
        assert trial["sequential"]["ratio"] > 0
        for method in ("interleaved", "sequential"):
            assert found["outcomes"][condition][method][trial[method]["outcome"]] == 1
            assert sum(found["outcomes"][condition][method].values()) == 1


def test_the_page_shows_them(quick: dict[str, Any], tmp_path: Path) -> None:
    performance = script("performance")
    whole = performance.measure(script("amounts").QUICK, []) | {"parts": quick}
    (tmp_path / "performance.json").write_text(json.dumps(whole, allow_nan=False))
    script("performance_report").write(tmp_path / "performance.json", tmp_path)
    page = (tmp_path / "performance.md").read_text()
    claims = [claim for found in quick.values() for claim in found["claims"].values()]
    rows = [line for line in page.splitlines() if line.startswith("| ") and line.endswith(" |")]
    for claim in claims:
        assert any(line.startswith(f"| {claim['what']} |") for line in rows), claim["what"]
    assert "no MLPerf results" in " ".join(page.split())
    assert (tmp_path / "performance" / "ab.svg").read_text().startswith("<svg")


def test_no_list_of_theirs_is_empty_or_holds_objects(quick: dict[str, Any]) -> None:
    def walk(value: Any) -> None:
        if isinstance(value, list):
            assert value
            assert not any(isinstance(part, dict | list) for part in value)
        for part in value.values() if isinstance(value, dict) else ():
            walk(part)

    walk(quick)


@pytest.mark.parametrize(("median", "code"), [(1.0, 0), (3.0, 1)])
def test_a_script_prints_json_and_its_exit_code_is_its_claims(
    median: float, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    claims = script("claims")
    found = script("measuring").summary([median])

    def part(amounts: Any) -> dict[str, Any]:
        script("measuring").say(f"{amounts.repeats} repeat")
        return {"claims": {"one": claims.claim("a time", found, "at most", 2.0, "µs")}}

    assert claims.script(part, ["--quick"]) == code
    printed = capsys.readouterr()
    told = json.loads(printed.out)
    assert told["found"]["claims"]["one"]["measured"]["values"] == [median]
    assert told["machine"]["cpu"]
    assert printed.err == "1 repeat\n"


def test_a_script_that_cannot_measure_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    def part(amounts: Any) -> dict[str, Any]:
        raise script("measuring").Failed("no LoadGen here")

    assert script("claims").script(part, ["--quick"]) == 1
    assert json.loads(capsys.readouterr().out)["failed"] == "no LoadGen here"


def test_a_script_runs_by_itself() -> None:
    done = subprocess.run(
        [sys.executable, BENCHMARKS / "timing_overhead.py", "--quick"], capture_output=True, text=True
    )
    told = json.loads(done.stdout)
    verdicts = {claim["verdict"] for claim in told["found"]["claims"].values()}
    assert done.returncode == (0 if verdicts == {"met"} else 1)


# What they compute.


@pytest.mark.parametrize(("sense", "ends", "told"), [
    ("at most", (1.0, 2.0), "met"), ("at most", (1.0, 2.1), "noisy"), ("at most", (2.1, 3.0), "not met"),
    ("at least", (2.0, 3.0), "met"), ("at least", (1.9, 3.0), "noisy"), ("at least", (1.0, 1.9), "not met"),
])  # fmt: skip
def test_a_claim_needs_the_whole_interval(sense: str, ends: tuple[float, float], told: str) -> None:
    found = {"median": sum(ends) / 2, "low": ends[0], "high": ends[1]}
    assert script("claims").claim("x", found, sense, 2.0, "")["verdict"] == told


def simulated(spread: float, processes: int = 30, calls: int = 2000) -> list[np.ndarray[Any, Any]]:
    """Calls of processes whose medians differ by `spread` times the spread of the calls of one."""
    generator = np.random.default_rng(0)
    middles = generator.normal(1e6, spread * 1e4, processes)
    return [np.rint(generator.normal(middle, 1e4, calls)).astype(np.int64) for middle in middles]


def test_an_interval_over_calls_covers_when_processes_do_not_differ_and_fails_when_they_do() -> None:
    resampling = script("resampling")
    alike, apart = (
        resampling.coverage(resampling.count(simulated(s)), 5, draws=500, replicates=20, seed=0)
        for s in (0.0, 1.0)
    )
    assert alike["call"]["median"] > 0.9
    assert apart["call"]["median"] < 0.3
    assert alike["process"]["median"] > 0.9
    assert apart["process"]["median"] > 0.9


@pytest.mark.parametrize("side", [-1.0, 0.0, 1.0])
def test_the_counted_quantile_is_that_of_the_pooled_calls(side: float) -> None:
    resampling = script("resampling")
    processes = simulated(0.5, processes=6, calls=501)
    drawn = np.random.default_rng(1).integers(6, size=(20, 3))
    pooled = [np.sort(np.concatenate([processes[i] for i in row])) for row in drawn]
    rank = math.ceil(1503 / 2 + side * 1.959964 * math.sqrt(1503) / 2)
    found = resampling._quantile(resampling.count(processes), drawn, side)
    assert found.tolist() == [times[rank - 1] for times in pooled]


@pytest.mark.parametrize(("turned", "winner", "outcome"), [
    (False, "first", "right"), (False, "second", "wrong"), (False, None, "inconclusive"),
    (True, "second", "right"), (True, "first", "wrong"),
])  # fmt: skip
def test_a_trial_is_told_from_the_faster_models_side(turned: bool, winner: str | None, outcome: str) -> None:
    ratio = 1 / 1.25 if turned else 1.25
    decided = {"calls": 9, "noisy": False, "ratio": ratio, "low": ratio / 2, "high": 2 * ratio}
    told = script("ab_trials").told_of(
        decided | {"winner": winner},
        {"ratio_of_means": 1 / ratio, "ratio_of_medians": ratio},
        turned=turned,
    )
    assert told["interleaved"]["ratio"] == pytest.approx(1.25)
    assert (told["interleaved"]["low"], told["interleaved"]["high"]) == pytest.approx((0.625, 2.5))
    assert told["interleaved"]["outcome"] == outcome
    assert told["sequential"]["outcome"] == "wrong"
    assert told["sequential"]["outcome_of_medians"] == "right"


def test_burners_burn_and_end_with_the_block() -> None:
    me = psutil.Process()
    before = {child.pid for child in me.children()}
    with script("burner").burning(2, seed=0):
        started = [child for child in me.children() if child.pid not in before]
        assert len(started) == 2
        ends = time.monotonic() + 30
        while min(child.cpu_times().user for child in started) < 0.3:
            assert time.monotonic() < ends, "they never burnt"
            time.sleep(0.1)
    assert not any(child.is_running() for child in started)
