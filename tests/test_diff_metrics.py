"""What may be said of each metric of two runs: of scores, of timings, and of what is one number a side."""

from __future__ import annotations

import json
import shutil
import statistics
from pathlib import Path

import diff_runs as runs
import pytest
from diff_runs import Made, answers, run_of
from scipy.stats import ttest_ind

from reproof import history
from reproof.comparison import Rules, rules_of
from reproof.difference import metrics, sides
from reproof.difference.contents import Contents
from reproof.difference.metrics import Line, Metrics

CELL = "torch-cpu-fp32-b1-t1"
LATENCY = f"benchmark.{CELL}.latency_ms"
TIMES = [1.00, 1.02, 1.01]


def timed(medians: list[float], *, status: str = "stable", fingerprint: str | None = None) -> Made:
    made = run_of()
    cell = made.benchmark["cells"][CELL]
    cell["verdict"]["status"] = status
    found = {"process_medians_ms": medians, "median_ms": statistics.median(medians)}
    cell["stages"]["end_to_end"] |= found
    if fingerprint:
        made.meta["fingerprint"] = fingerprint
    return made


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = runs.project(tmp_path_factory.mktemp("metrics") / "project")
    runs.add(project, "a", timed(TIMES))
    return project


@pytest.fixture
def project(first: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(first, tmp_path / "project"))


def compared(project: Path, made: Made, rules: Rules | None = None) -> Metrics:
    runs.add(project, "b", made)
    rows = history.read_rows(project)
    both = (sides.side(project, rows.find(name)) for name in ("a", "b"))
    rules = rules_of(made.params) if rules is None else rules
    return metrics.compare(project, *both, rules, Contents(project))


def line(found: Metrics, name: str) -> Line:
    return next(one for one in found.lines if name in (one.name, one.full))


def test_timings_of_one_machine_are_compared_over_processes(project: Path) -> None:
    later = [1.50, 1.53, 1.49]
    found = line(compared(project, timed(later)), "latency_ms").verdict
    expected = ttest_ind(later, TIMES, equal_var=False).confidence_interval()
    assert found.kind == "worse"
    assert found.interval == pytest.approx((expected.low, expected.high))
    assert found.difference == pytest.approx(1.50 - 1.01)
    assert found.test == "Welch's t over processes"
    assert "3 and 3 processes of one machine, at two times" in found.reason


@pytest.mark.parametrize(
    ("made", "kind", "reason"),
    [
        (timed(TIMES, fingerprint="0" * 12), "not comparable", "timed on another machine"),
        (
            timed([2.0, 2.0, 2.1], status="noisy"),
            "inconclusive",
            "the timings of b are not stable: they can carry no claim",
        ),
        (timed([2.0]), "inconclusive", "one process on a side, which tells no spread"),
        (timed([1.001, 1.021, 1.011]), "inconclusive", "the interval holds 0"),
    ],
)
def test_timings_that_carry_no_claim_are_said_to_carry_none(
    project: Path, made: Made, kind: str, reason: str
) -> None:
    found = line(compared(project, made), "latency_ms").verdict
    assert (found.kind, found.reason.partition(";")[0]) == (kind, reason)


def test_a_difference_within_the_declared_margin_is_none(project: Path) -> None:
    made = timed([1.0001, 1.0201, 1.0101])
    made.params["comparison"]["metrics"]["latency_ms"]["margin"] = 0.5
    assert line(compared(project, made), "latency_ms").verdict.kind == "same"


def test_a_stage_that_the_run_cache_gave_both_is_one_measurement(project: Path) -> None:
    meta = json.loads((project / "results" / "latest" / "meta.json").read_text())
    made = timed([9.0, 9.1, 9.2])
    made.executions = {"benchmark": meta["stages"]["benchmark"]["run_id"]}
    found = line(compared(project, made), "latency_ms").verdict
    assert found.kind == "same"
    assert found.reason == "the stage benchmark ran once for both: it is one measurement"


def test_a_metric_without_a_declared_direction_differs_and_is_neither_better_nor_worse(project: Path) -> None:
    made = run_of(answers={"train": answers(60, 5, first=1000), "test": answers(seed=3, right=0.5)})
    found = compared(project, made, Rules())
    assert found.undeclared == ("accuracy", "loss", "latency_ms")
    accuracy = line(found, "accuracy")
    assert (accuracy.word, accuracy.is_judged) == ("differs", False)
    assert accuracy.verdict.interval is not None
    assert accuracy.verdict.interval[1] < 0


def test_what_a_stage_records_beside_is_one_number_a_side(project: Path) -> None:
    found = line(compared(project, run_of()), "train.loss").verdict
    assert (found.kind, found.interval) == ("inconclusive", None)
    assert found.reason.startswith("one number a side, which tells no spread")


def test_a_metric_that_one_run_lacks_is_not_compared(project: Path) -> None:
    made = run_of(metrics={"test.extra": 0.5})
    found = line(compared(project, made), "evaluate.test.extra")
    assert (found.a, found.b, found.verdict.kind) == (None, 0.5, "not comparable")
    assert found.verdict.reason == "a has no such number"


def test_scores_on_other_examples_do_not_compare(project: Path) -> None:
    made = run_of(answers={"train": answers(60, 5, first=1000), "test": answers(first=500)})
    found = line(compared(project, made), "accuracy").verdict
    assert (found.kind, found.interval) == ("not comparable", None)
    assert found.reason == "measured on other examples; they share 0 examples of the split test"


def test_on_some_shared_examples_the_scores_on_these_are_told(project: Path) -> None:
    made = run_of(answers={"train": answers(60, 5, first=1000), "test": answers(seed=2, first=100)})
    found = line(compared(project, made), "accuracy")
    assert found.on == "100 shared test examples (200 left out)"
    own, other = answers(), made.answers["test"]
    a, b = (own.predicted == own.labels)[100:].mean(), (other.predicted == other.labels)[:100].mean()
    assert found.verdict.difference == pytest.approx(b - a)
    assert f"on these {a:.4g} → {b:.4g}" in found.verdict.reason


def test_the_exact_test_can_take_back_what_the_interval_says(project: Path) -> None:
    """Of five answers that one alone has right, none less than all five would be so uneven by chance."""
    own = answers()
    given = own.probabilities.copy()
    wrong = [row for row in range(200) if own.predicted[row] != own.labels[row]][:5]
    given[wrong] = 0.01
    given[wrong, own.labels[wrong]] = 0.98
    better = type(own)(own.ids, own.labels, given)
    made = run_of(answers={"train": answers(60, 5, first=1000), "test": better})
    found = line(compared(project, made), "accuracy").verdict
    assert found.interval is not None
    assert found.interval[0] > 0
    assert found.p_value == pytest.approx(0.0625)
    assert found.kind == "inconclusive"
    assert found.reason.startswith("the interval leaves out 0, the exact McNemar test does not")
