"""Two models side by side: interleaved in blocks, the ratio with its interval, and no claim without one."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats
from measured import make_project, shorten, subject

from reproof.benchmark import Settings, against, kept, paired
from reproof.benchmark.messages import Report
from reproof.benchmark.paired_schema import PairedCell, Ratio

SLOW = """
import time
import numpy as np

def preprocess(raw):
    return raw.reshape(len(raw), 4).astype(np.float32)

def slow(raw):
    until = time.perf_counter() + 0.002
    while time.perf_counter() < until:
        pass
    return preprocess(raw)

def slower(raw):
    until = time.perf_counter() + 0.004
    while time.perf_counter() < until:
        pass
    return preprocess(raw)

def leaves(raw):
    raise SystemExit(4)
"""


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shorten(monkeypatch, tmp_path)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = make_project(tmp_path_factory.mktemp("project"))
    (root / "src" / "slow.py").write_text(SLOW)
    return root


def compare(project: Path, a: dict[str, Any], b: dict[str, Any], **chosen: Any) -> PairedCell:
    settings = Settings(**{"runtimes": ["onnxruntime"], "repeats": 3, "quick": True, **chosen})
    (cell,) = paired.measure(
        subject(project, **a), subject(project, **b), settings, model_digests={"a": "1"}
    ).values()
    return cell


def is_decided(cell: PairedCell, decision: str) -> bool:
    """Twice the time is found where it is quiet; elsewhere the comparison says so, and is never wrong."""
    assert cell.ratio is not None
    twice = cell.ratio.b_over_a if decision == "a is faster" else 1 / cell.ratio.b_over_a
    if cell.noisy:
        return cell.decision in (decision, "inconclusive") and twice > 1.2
    return cell.decision == decision and 1.7 < twice < 2.3


def test_a_model_that_takes_twice_as_long_is_found(project: Path) -> None:
    cell = compare(project, {"preprocess": "src/slow.py:slow"}, {"preprocess": "src/slow.py:slower"})
    assert cell.ratio is not None
    assert is_decided(cell, "a is faster")
    assert cell.outcome is None  # of a comparison of files
    assert cell.a is not None
    assert cell.b is not None
    assert cell.b.numerics is not None
    assert cell.b.numerics.max_abs_diff_vs_reference == 0
    for side in (cell.a, cell.b):
        assert side.stages is not None
        assert len(side.stages.end_to_end.process_medians_ms) == 3


def test_turned_round_the_ratio_is_its_inverse(project: Path) -> None:
    cell = compare(project, {"preprocess": "src/slow.py:slower"}, {"preprocess": "src/slow.py:slow"})
    assert cell.ratio is not None
    assert is_decided(cell, "b is faster")


def test_a_side_that_fails_is_named_and_leaves_no_number(project: Path) -> None:
    cell = compare(project, {}, {"preprocess": "src/slow.py:leaves"})
    assert (cell.status, cell.ratio, cell.decision) == ("failed", None, None)
    assert str(cell.reason).startswith("B: exit code 4")


def test_a_side_that_cannot_run_is_unavailable(project: Path) -> None:
    cell = compare(project, {"onnx": Path("fixed.onnx")}, {}, batch_sizes=[2])
    assert cell.status == "unavailable"
    assert str(cell.reason).startswith("A: the ONNX model takes batches of 1 only")


def test_a_side_that_hangs_is_stopped(project: Path) -> None:
    cell = compare(
        project, {"preprocess": "src/data.py:misbehaves"}, {}, batch_sizes=[2], repeats=1, timeout_s=4.0
    )
    assert cell.status == "failed"
    assert "A: no result after" in str(cell.reason)


def run(order: str, side: str, seconds: list[float], calls: int = 5) -> kept.Run:
    """A run whose blocks took so long a call, in the order of the letters."""
    times = [value for letter, value in zip(order, seconds, strict=True) if letter == side]
    ns = np.repeat(np.array(times) * 1e9, calls).astype(np.int64)
    zeros = np.zeros_like(ns)
    columns = {
        "preprocess_ns": zeros,
        "model_ns": ns,
        "postprocess_ns": zeros,
        "calls_of_block": np.full(len(times), calls),
    }
    return kept.Run(Report.model_construct(), columns, {})


def test_a_steady_drift_cancels_within_a_group() -> None:
    order = "abbabaab"
    # Every block takes 3% longer than the one before it; B takes 1.15 times as long as A.
    drift = [0.001 * 1.03**place * (1.15 if side == "b" else 1.0) for place, side in enumerate(order)]
    found = paired.log_ratio(run(order, "a", drift), run(order, "b", drift))
    assert math.exp(found) == pytest.approx(1.15, rel=1e-6)
    # One after the other, as people do it, the drift would have given another ratio.
    one_after_the_other = [0.001 * 1.03**place * (1.15 if place >= 4 else 1.0) for place in range(8)]
    naive = np.median(one_after_the_other[4:]) / np.median(one_after_the_other[:4])
    assert naive > 1.25


def test_a_block_that_was_disturbed_decides_nothing() -> None:
    order = "abba" * 6
    times = [0.0012 if side == "b" else 0.001 for side in order]
    times[5] *= 30
    times[10] *= 20
    found = paired.log_ratio(run(order, "a", times), run(order, "b", times))
    assert math.exp(found) == pytest.approx(1.2, rel=1e-6)


def test_the_interval_is_students_over_pairs() -> None:
    logs = [0.10, 0.14, 0.15, 0.12, 0.11]
    found = paired.ratio(logs)
    expected = scipy.stats.t.interval(0.95, 4, np.mean(logs), scipy.stats.sem(logs))
    assert found.ci95 == pytest.approx([math.exp(value) for value in expected])
    assert found.b_over_a == pytest.approx(math.exp(np.mean(logs)))
    assert paired.ratio([0.1]).ci95 is None


@pytest.mark.parametrize(
    ("ci95", "decision"),
    [
        ([1.01, 1.2], "a is faster"),
        ([0.8, 0.99], "b is faster"),
        ([0.99, 1.2], "inconclusive"),
        (None, "inconclusive"),
    ],
)
def test_a_winner_needs_an_interval_without_one(ci95: list[float] | None, decision: str) -> None:
    assert paired.decide(Ratio(b_over_a=1.1, ci95=ci95, pairs=None, unavailable_reason=None)) == decision


@pytest.mark.parametrize(
    ("ci95", "noisy", "outcome"),
    [
        ([1.06, 1.2], {}, "slower"),
        ([1.06, 1.2], {"a.cpu_pressure": "9% of the time"}, "noisy"),
        ([1.04, 1.2], {}, "inconclusive"),
        ([0.97, 1.04], {}, "same"),
        ([0.80, 0.95], {}, "faster"),
        ([0.80, 0.96], {}, "inconclusive"),
    ],
)
def test_a_regression_is_beyond_five_percent_on_a_quiet_machine(
    ci95: list[float], noisy: dict[str, str], outcome: str
) -> None:
    ratio = Ratio(b_over_a=1.1, ci95=ci95, pairs=None, unavailable_reason=None)
    assert against.outcome(PairedCell(status="measured", reason=None, ratio=ratio, noisy=noisy)) == outcome


def test_recorded_numbers_are_compared_by_welch() -> None:
    then, now = [1.00, 1.02, 0.99, 1.01, 1.00], [1.10, 1.14, 1.09]
    found = against.welch(then, now)
    expected = scipy.stats.ttest_ind(np.log(now), np.log(then), equal_var=False).confidence_interval(0.95)
    assert found.ci95 is not None
    # Degrees of freedom are rounded down: the interval is a little wider, never narrower.
    assert found.ci95[0] <= math.exp(expected.low)
    assert found.ci95[1] >= math.exp(expected.high)
    assert found.ci95 == pytest.approx([math.exp(expected.low), math.exp(expected.high)], rel=0.02)
    assert against.welch([1.0], [1.1, 1.2]).ci95 is None
