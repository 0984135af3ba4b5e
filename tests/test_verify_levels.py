"""Tolerances, levels and exit codes; the step at which two logs part."""

from __future__ import annotations

import dataclasses
import json

import pytest
from verify_changes import LOG, log, metric
from verify_pair import LATEST, Pair

from reproof.params.models import Tolerance
from reproof.verify.divergence import of_logs
from reproof.verify.errors import CannotVerify
from reproof.verify.levels import Exit, Level, Verdict, exit_code
from reproof.verify.tolerances import Tolerances, is_within, read


def test_tolerances_are_those_of_the_metric(both: Pair) -> None:
    metric("evaluate.test.loss", 0.15)(both)
    by_metric = {"evaluate.test.loss": Tolerance(absolute=0.1)}
    both.tolerances = dataclasses.replace(both.tolerances, by_metric=by_metric)
    assert both.outcome().verdict is Verdict.NUMERIC
    metric("train.validation.loss", 0.3)(both)
    assert both.outcome().verdict is Verdict.DIFFERENT


def test_divergence_is_the_first_step_that_differs_in_any_bit(both: Pair) -> None:
    log(7, 1e-16)(both)
    assert 1 / 7 + 1e-16 != 1 / 7
    found = both.outcome().divergence
    assert found is not None
    assert (found.step, found.steps, found.metric, found.at_most) == (7, 30, "train.loss", False)
    assert str(found) == "step 7 of 30 (train.loss)"


def test_without_the_log_curves_say_no_later_than_when(both: Pair) -> None:
    log(7)(both)
    (both.made / LATEST / "curves.csv").write_text("step,train_loss\n10,0.9\n20,0.80001\n")
    both.at_hand = lambda path: path != LOG
    found = both.outcome().divergence
    assert str(found) == "at or before step 20 of 20 (train_loss)"


def test_logged_speeds_are_told_and_are_no_divergence(both: Pair) -> None:
    for side, speed in ((both.recorded, 100.0), (both.made, 170.0)):
        record = {"schema_version": 1, "step": 1, "split": "train", "value": speed}
        record["metric"] = "samples_per_second"
        with (side / LOG).open("a") as stream:
            stream.write(json.dumps(record) + "\n")
    found = both.outcome()
    assert (found.verdict, found.divergence) == (Verdict.NUMERIC, None)
    assert found.reasons == (f"{LOG}: only logged speeds differ",)


def test_equal_logs_do_not_diverge(both: Pair) -> None:
    assert of_logs(both.recorded / LOG, both.made / LOG) is None


@pytest.mark.parametrize(
    ("recorded", "found", "expected"),
    [
        (1.0, 1.001, True), (1.0, 1.0011, False), (100.0, 100.09, True), (-100.0, -100.09, True),
        (0.0, 0.001, True), (0.0, 0.0011, False), (float("nan"), float("nan"), False),
        (float("inf"), float("inf"), False), (1.0, float("nan"), False),
    ],
)  # fmt: skip
def test_a_tolerance_is_the_larger_of_both(recorded: float, found: float, expected: bool) -> None:
    assert is_within(recorded, found, Tolerance(absolute=0.001, relative=0.001)) is expected


def test_tolerances_come_from_the_record_and_say_whether_they_were_declared() -> None:
    own = read(b"seed: 0\nverify:\n  metrics: {absolute: 0}\n  by_metric: {a.b: {relative: 1e-2}}\n")
    assert own.declared
    assert own.of("x.y") == Tolerance(absolute=0.0, relative=0.0)
    assert own.of("a.b") == Tolerance(absolute=0.0, relative=0.01)
    assert own.predictions == Tolerance(absolute=0.01)
    assert read(b"seed: 0\n") == Tolerances()
    assert not read(b"seed: 0\n").declared
    assert "library's defaults" in Tolerances().source


@pytest.mark.parametrize(
    "words",
    ["{metrics: {absolute: -1}}", "{metrics: 3}", "{metric: {absolute: 1}}", "{metrics: {absolute: .inf}}"],
)
def test_a_tolerance_that_is_none_cannot_be_verified_with(words: str) -> None:
    with pytest.raises(CannotVerify, match="tolerance that is none") as told:
        read(f"seed: 0\nverify: {words}\n".encode())
    assert told.value.code == Exit.CANNOT_VERIFY


def test_levels_have_an_order_and_exit_codes_follow_it() -> None:
    assert Level.BIT > Level.NUMERIC > Level.STATISTICAL
    for verdict in (Verdict.BIT, Verdict.NUMERIC, Verdict.STATISTICAL):
        assert verdict.level is not None
        for level in Level:
            assert exit_code(verdict, level) == (Exit.MET if verdict.level >= level else Exit.DIFFERS)
    assert {exit_code(Verdict.DIFFERENT, level) for level in Level} == {Exit.DIFFERS}
    assert {exit_code(Verdict.UNVERIFIABLE, level) for level in Level} == {Exit.CANNOT_VERIFY}
    assert [Verdict.of(level) for level in (*Level, None)] == [
        Verdict.STATISTICAL, Verdict.NUMERIC, Verdict.BIT, Verdict.DIFFERENT,
    ]  # fmt: skip
