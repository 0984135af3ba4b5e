"""Criteria that were declared before the run: met, partial or not met, by the whole interval."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from reproof import files
from reproof.params import Criterion
from reproof.report import measured, objectives, source, training

EXAMPLE = Path(__file__).parents[1] / "reports" / "example" / "results" / "latest"


@pytest.fixture
def record(tmp_path: Path) -> Path:
    return Path(shutil.copytree(EXAMPLE, tmp_path / "results" / "latest"))


def judged(record: Path, metric: str, sign: str, target: float) -> objectives.Objective:
    criterion = Criterion(metric=metric, operator=sign, target=target)  # type: ignore[arg-type]
    (found,) = objectives.judge(source.read(record), {"it": criterion})
    return found


def with_interval(record: Path, value: float, low: float, high: float) -> Path:
    evaluation = files.read_json(record / "evaluation.json")
    test = evaluation["splits"]["test"]
    test["accuracy"], test["intervals"] = value, {"accuracy": [low, high]}
    files.write_json(record / "evaluation.json", evaluation)
    stage = files.read_json(record / "stages/evaluate.json")
    stage["metrics"]["test.accuracy"] = value
    files.write_json(record / "stages/evaluate.json", stage)
    return record


@pytest.mark.parametrize(
    ("sign", "target", "status"),
    [
        (">=", 0.90, "met"),
        (">=", 0.92, "met"),
        (">", 0.92, "partial"),
        (">=", 0.94, "partial"),
        (">=", 0.96, "partial"),
        (">=", 0.981, "not met"),
        ("<", 0.98, "partial"),
        ("<=", 0.98, "met"),
        ("<", 0.92, "not met"),
    ],
)
def test_the_whole_interval_decides(record: Path, sign: str, target: float, status: str) -> None:
    found = judged(with_interval(record, 0.95, 0.92, 0.98), "evaluate.test.accuracy", sign, target)
    assert found.status == status
    assert found.found == measured.Measured(0.95, (0.92, 0.98), "270 test examples")


def test_without_an_interval_the_value_decides_and_says_so(record: Path) -> None:
    assert judged(record, "export.size_bytes", "<=", 1e6).status == "met"
    found = judged(record, "export.size_bytes", "<=", 1)
    assert (found.status, found.note) == ("not met", "by the value alone; recorded by the stage export")


def test_a_latency_has_the_interval_over_processes_and_its_machine(record: Path) -> None:
    found = judged(record, "benchmark.onnxruntime-cpu-fp32-b1-t1.latency_ms", "<=", 10)
    assert found.status == "met"
    assert found.found is not None
    low, high = found.found.interval or (0, 0)
    assert low < found.found.value < high
    assert "fresh processes on" in found.note


def test_what_no_stage_recorded_is_not_measured_and_never_zero(record: Path) -> None:
    found = judged(record, "evaluate.test.bleu", ">=", 0)
    assert (found.status, found.found) == ("not measured", None)
    assert found.note == "no stage of this run recorded evaluate.test.bleu"


def declare(record: Path, text: str) -> source.Source:
    with (record / "config.yaml").open("a") as stream:
        kept = (record / "config.yaml").read_text().partition("\nreport:")[0]
        stream.truncate(0)
        stream.write(f"{kept}\n{text}")
    return source.read(record)


def test_cost_is_the_declared_price_times_the_measured_time(record: Path) -> None:
    run = declare(
        record, "report:\n  price: {per_hour: 3.6, currency: EUR}\n  budget: {hours: 1, cost: 0.001}\n"
    )
    seconds = files.read_json(record / "summary.json")["runtime_seconds"]
    assert training.cost(run) == (pytest.approx(seconds / 1000), "EUR")
    rows = {what: kept for what, _, _, kept in training.budget(run)}
    assert rows == {"computing time": True, "money": seconds / 1000 <= 0.001}


def test_without_a_price_there_is_no_cost(record: Path) -> None:
    run = declare(record, "report:\n  budget: {cost: 5}\n")
    assert training.cost(run) is None
    assert training.budget(run) == [("money", "5", "no price declared: report.price", None)]


def test_the_comment_beside_a_value_is_its_reason_unless_the_run_set_another(record: Path) -> None:
    meta: dict[str, Any] = files.read_json(record / "meta.json")
    meta["overrides"] = {"train.batch_size": {"from": 32, "to": 64}}
    files.write_json(record / "meta.json", meta)
    why = {one.name: one.rationale for one in training.hyperparameters(source.read(record))}
    assert why["model.channels"] == "of the first layer; the second has twice as many"
    assert why["train.batch_size"] == "set for this run; at the commit it is 32"
    assert set(why) >= {"seed", "train.lr", "model.dropout"}
    assert not any(name.startswith(("data.", "benchmark.", "report.")) for name in why)


def test_every_interval_that_was_measured_is_found(tmp_path: Path) -> None:
    latest = Path(__file__).parents[1] / "reports" / "example" / "results" / "latest"
    run = source.read(latest)
    evaluation, robustness = run.evaluation or {}, run.robustness or {}
    wanted = {
        "evaluate.test.ece": [],  # a bootstrap would be no interval for it
        "evaluate.baseline.logistic.test.accuracy":
            evaluation["baselines"]["logistic"]["splits"]["test"]["intervals"]["accuracy"],
        "robustness.clean.accuracy": robustness["clean"]["interval"],
        "robustness.gaussian_noise.2.accuracy":
            robustness["corruptions"]["gaussian_noise"]["strengths"]["2"]["interval"],
        "robustness.fgsm.2.accuracy": robustness["adversarial"]["strengths"]["2"]["interval"],
    }  # fmt: skip
    found = {name: measured.find(run, name) for name in wanted}
    assert {name: list(one.interval or ()) for name, one in found.items() if one} == wanted
    assert {one.on for one in found.values() if one} == {"270 test examples", "270 examples"}
