"""An attempt beside the record: nothing that differs passes for the same, and what may differ is told."""

from __future__ import annotations

import contextlib
import json
import random
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import verify_pair as files
from verify_changes import (
    CHECKPOINT,
    LOG,
    WEIGHTS,
    Change,
    another_size,
    extra_file,
    further_input,
    gone,
    json_file,
    log,
    metric,
    more_metrics,
    other_input,
    other_model,
    params,
    picture_of_others,
    predictions,
    recorded_metric,
    split_data,
    state,
    text,
    undeclared_output,
    weights,
    with_answers,
    without_metric,
)
from verify_pair import LATEST, Pair

from reproof.errors import ReproofError
from reproof.verify import chain, snapshot
from reproof.verify.errors import Contradiction
from reproof.verify.kinds import Standing
from reproof.verify.levels import Exit, Level, Verdict
from reproof.verify.outcome import Outcome


def standing(both: Pair, path: str) -> Standing:
    return next(line.standing for line in both.outcome().artefacts if line.path == path)


def test_what_was_made_again_is_a_bit_match_though_times_and_run_ids_differ(both: Pair) -> None:
    found = both.outcome()
    assert (found.verdict, found.level, found.reasons) == (Verdict.BIT, Level.BIT, ())
    assert found.splits_identical is True
    assert found.divergence is None
    assert {line.standing for line in (*found.metrics, *found.artefacts)} == {Standing.IDENTICAL}
    assert {line.path for line in found.artefacts} >= {"prepared", f"{LATEST}/notes.txt", CHECKPOINT, LOG}


def test_timings_and_records_of_executions_are_left_out_and_named(both: Pair) -> None:
    found = both.outcome(("prepare", "train", "evaluate", "benchmark"))
    assert found.verdict is Verdict.BIT
    assert found.left_out.keys() == {
        f"{LATEST}/stages/{name}.json" for name in ("prepare", "train", "evaluate")
    } | {f"{LATEST}/benchmark.json", "benchmark.b1.latency_ms"}


def test_only_what_was_executed_is_compared(both: Pair) -> None:
    files.write_json(both.made / LATEST / "evaluation.json", {"test": {}})
    assert both.outcome(("train",)).verdict is Verdict.BIT
    assert both.outcome(("train",)).splits_identical is None


def test_stages_that_record_nothing_cannot_be_verified(both: Pair) -> None:
    both.metrics = both.metrics_made = {name: {} for name in files.WRITES}
    run = both.run()
    run.lock["stages"]["train"]["outs"] = []
    run.stages["train"]["writes"] = {}
    attempt = both.attempt(("train",))
    attempt.stages["train"]["writes"] = {}
    from reproof.verify.outcome import compare

    found = compare(run, attempt, both.tolerances, both.fetch)
    assert found.verdict is Verdict.UNVERIFIABLE
    assert "nothing to compare" in found.reasons[0]


EVALUATION = {"test": {"accuracy": 0.9673, "confusion": [[5, 1], [1, 3]]}, "hardest": ["e1", "e2"]}
WORST = {"test": {"accuracy": 0.9673, "confusion": [[5, 1], [0, 4]]}}
CASES: dict[str, tuple[Change, Verdict]] = {
    "a metric within its tolerance": (metric("evaluate.test.loss", 0.1005), Verdict.NUMERIC),
    "a metric one bit further": (metric("evaluate.test.loss", float(np.nextafter(0.1, 1))), Verdict.NUMERIC),
    "a metric beyond its tolerance": (metric("evaluate.test.loss", 0.1011), Verdict.DIFFERENT),
    "a metric of another sign": (metric("evaluate.test.loss", -0.1), Verdict.DIFFERENT),
    "a metric that is no number now": (metric("evaluate.test.loss", None), Verdict.DIFFERENT),
    "a metric that was none": (metric("evaluate.test.auc", 0.9), Verdict.DIFFERENT),
    "a metric that is gone": (without_metric, Verdict.DIFFERENT),
    "a metric that nobody recorded": (more_metrics, Verdict.DIFFERENT),
    "a metric in seconds": (metric("train.mae_seconds", 3.5), Verdict.DIFFERENT),
    "a metric that was forged": (recorded_metric, Verdict.DIFFERENT),
    "a param that the training does not depend on": (params(report={"title": "Digits"}), Verdict.BIT),
    "a param that it depends on": (params(train={"lr": 0.25}), Verdict.DIFFERENT),
    "a param that differs by less than a tolerance": (params(train={"lr": 0.5001}), Verdict.DIFFERENT),
    "a param of another type": (params(seed=0.0), Verdict.DIFFERENT),
    "weights a little apart": (weights(1e-4), Verdict.NUMERIC),
    "weights far apart": (weights(0.5), Verdict.DIFFERENT),
    "weights of another seed": (other_model, Verdict.DIFFERENT),
    "weights that are not finite": (weights(np.nan), Verdict.DIFFERENT),
    "an optimiser's state, and the same weights": (state, Verdict.DIFFERENT),
    "a log that drifts": (log(7), Verdict.NUMERIC),
    "a log of another training": (log(1, 5.0), Verdict.DIFFERENT),
    "predictions a little apart": (predictions(-0.0005), Verdict.NUMERIC),
    "predictions with a changed close call": (predictions(-0.003), Verdict.NUMERIC),
    "predictions beyond the tolerance": (predictions(0.05), Verdict.DIFFERENT),
    "an answer that changed by itself": (
        predictions(predicted=["y", "y", "x", "y", "x", "x"]), Verdict.DIFFERENT,
    ),
    "a truth that changed": (predictions(label=["y", "y", "x", "y", "x", "x"]), Verdict.DIFFERENT),
    "other examples": (predictions(id=[f"z{index}" for index in range(6)]), Verdict.DIFFERENT),
    "evaluation that follows changed answers": (
        with_answers(-0.003, "evaluation.json", EVALUATION), Verdict.NUMERIC,
    ),
    "evaluation that changed more than the answers": (
        with_answers(-0.0005, "evaluation.json", EVALUATION), Verdict.DIFFERENT,
    ),
    "evaluation with other fields": (
        with_answers(-0.003, "evaluation.json", {"test": {"accuracy": 0.9673}}), Verdict.DIFFERENT,
    ),
    "evaluation with another order of the hardest": (
        with_answers(-0.0005, "evaluation.json", WORST | {"hardest": ["e2", "e1"]}), Verdict.NUMERIC,
    ),
    "evaluation that changed by itself": (json_file("evaluation.json", EVALUATION), Verdict.DIFFERENT),
    "a picture of the same numbers": (text(f"{LATEST}/examples.png", "another picture"), Verdict.DIFFERENT),
    "a picture of other numbers": (picture_of_others, Verdict.NUMERIC),
    "a picture of another size": (another_size, Verdict.DIFFERENT),
    "a hostname in a text": (text(f"{LATEST}/notes.txt", "host-17"), Verdict.DIFFERENT),
    "a hostname in JSON": (
        json_file("checkpoint/config.json", {"channels": 16, "host": "a"}), Verdict.DIFFERENT,
    ),
    "an artefact that is gone": (gone(f"{LATEST}/notes.txt"), Verdict.DIFFERENT),
    "a torn artefact": (text(WEIGHTS, "torn"), Verdict.DIFFERENT),
    "an artefact that nobody recorded": (undeclared_output, Verdict.DIFFERENT),
    "a file more in a folder": (extra_file, Verdict.DIFFERENT),
    "a split's data, by less than any tolerance": (split_data, Verdict.DIFFERENT),
    "a split's checksum": (
        json_file("split_checksums.json", {"splits": {"train": "sha256:cc", "test": "sha256:bb"}}),
        Verdict.DIFFERENT,
    ),
    "a split's member": (
        json_file("split_manifest.json", {"seed": 0, "ids": {"train": ["a"], "test": ["c"]}}),
        Verdict.DIFFERENT,
    ),
    "another input": (other_input, Verdict.DIFFERENT),
    "a further input": (further_input, Verdict.DIFFERENT),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_each_change_has_its_verdict_and_its_reason(both: Pair, case: str) -> None:
    change, verdict = CASES[case]
    change(both)
    found = both.outcome()
    assert found.verdict is verdict
    assert bool(found.reasons) is (verdict is not Verdict.BIT)


def test_no_single_change_anywhere_passes_for_a_bit_match(both: Pair) -> None:
    """Of either side, at random places: one byte, or one number, at a time."""
    draw = random.Random(11)
    paths = [p.relative_to(both.made) for p in both.made.rglob("*") if p.is_file()]
    unseen = ("stages", "benchmark.json", "raw.csv")
    paths = [path for path in paths if not any(part in path.parts for part in unseen)]
    assert len(paths) >= 12
    for path in paths:
        for side in (both.recorded, both.made):
            whole = (side / path).read_bytes()
            for _ in range(4):
                place = draw.randrange(len(whole))
                changed = bytearray(whole)
                changed[place] ^= 1 << draw.randrange(8)
                (side / path).write_bytes(changed)
                verdict = None
                with contextlib.suppress(Contradiction, ReproofError, ValueError):
                    # Of a recorded file that is torn so, no record could have been made.
                    verdict = both.outcome().verdict
                if verdict is Verdict.BIT:
                    told = (_content(both.recorded / path), _content(both.made / path))
                    assert told[0] == told[1], f"{path}, byte {place}"
            (side / path).write_bytes(whole)
    assert both.outcome().verdict is Verdict.BIT


def _content(path: Path) -> object:
    """What a file means, read by other means than the digest's: bytes that mean nothing may differ."""
    if path.suffix == ".ndjson":
        skipped = ("timestamp", "run_id")
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        return [{key: value for key, value in line.items() if key not in skipped} for line in lines]
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pydict()
    if path.suffix == ".npz":
        return {name: (array.dtype, array.tobytes()) for name, array in np.load(path).items()}
    return path.read_bytes()


def test_what_is_not_at_hand_and_differs_cannot_be_verified(both: Pair) -> None:
    weights(1e-4)(both)
    both.at_hand = lambda path: path != CHECKPOINT
    found = both.outcome()
    assert (found.verdict, found.level, found.unknown) == (Verdict.UNVERIFIABLE, None, True)
    assert "not at hand" in found.reasons[0]
    metric("evaluate.test.loss", 0.2)(both)
    assert both.outcome().verdict is Verdict.DIFFERENT, "what is known to differ decides"


def test_identical_digests_need_no_recorded_file(both: Pair) -> None:
    both.at_hand = lambda _: False
    assert both.outcome().verdict is Verdict.BIT


def test_exchanged_weights_under_a_true_digest_are_a_contradiction(both: Pair) -> None:
    """dvc.lock and DVC's cache have other weights; the stage's record still tells of the true ones."""
    run = both.run()
    weights(0.3, side="recorded")(both)
    forged = both.run()
    run.lock["stages"]["train"]["outs"][:] = forged.lock["stages"]["train"]["outs"]
    from reproof.verify.outcome import compare

    with pytest.raises(Contradiction, match="exchanged") as told:
        compare(run, both.attempt(), both.tolerances, both.fetch)
    assert told.value.code == Exit.CONTRADICTION
    assert told.value.where == CHECKPOINT


def test_exchanged_weights_that_nobody_has_are_no_match(both: Pair) -> None:
    run = both.run()
    outs = run.lock["stages"]["train"]["outs"]
    outs[0]["md5"] = "0" * 32 + ".dir"
    from reproof.verify.outcome import compare

    found = compare(run, both.attempt(), both.tolerances, lambda _: None)
    assert found.verdict is Verdict.UNVERIFIABLE


def test_weights_that_differ_and_that_nothing_reads_cannot_be_judged(both: Pair) -> None:
    weights(1e-4)(both)
    assert both.outcome().verdict is Verdict.NUMERIC
    found = both.outcome(("prepare", "train"))
    assert found.verdict is Verdict.UNVERIFIABLE
    assert "no executed stage that reads them" in found.reasons[0]


def test_a_stage_that_read_other_files_is_executed_again_from_the_recorded_ones(both: Pair) -> None:
    assert chain.check(both.attempt(), both.outcome(), lambda _: pytest.fail("nothing differs")) == ()
    weights(1e-4)(both)
    before, asked = both.outcome(), list[str]()

    def same(stage: str) -> Outcome:
        asked.append(stage)
        files.copy(both, WEIGHTS)
        return both.outcome((stage,))

    (link,) = chain.check(both.attempt(), before, same)
    assert asked == ["evaluate"]
    assert (link.stage, link.files, link.verdict, link.reason) == ("evaluate", (CHECKPOINT,), Verdict.BIT, "")


@pytest.mark.parametrize(
    ("shift", "words"), [(-0.0005, "these are not theirs"), (0.3, "does not give its recorded")]
)
def test_results_of_other_weights_than_the_recorded_ones_are_found_out(
    both: Pair, shift: float, words: str
) -> None:
    """The record's weights were exchanged for close ones, and its results left as they were."""
    weights(1e-4)(both)
    before = both.outcome()

    def from_recorded(stage: str) -> Outcome:
        files.copy(both, WEIGHTS)
        predictions(shift)(both)
        return both.outcome((stage,))

    (link,) = chain.check(both.attempt(), before, from_recorded)
    assert link.verdict is Verdict.DIFFERENT
    assert words in link.reason


def test_a_picture_may_differ_where_another_package_drew_it(both: Pair) -> None:
    text(f"{LATEST}/examples.png", "another picture")(both)
    run, attempt = both.run(), both.attempt()
    attempt.stages["evaluate"]["environment"] = {"packages": {"pillow": "12.1.0"}}
    from reproof.verify.outcome import compare

    assert compare(run, attempt, both.tolerances, both.fetch).verdict is Verdict.NUMERIC


def test_changed_answers_are_counted(both: Pair) -> None:
    predictions(-0.003)(both)
    found = both.outcome()
    assert (found.answers_changed, found.answers) == (1, 6)


def test_two_attempts_are_compared_by_content_not_by_time(both: Pair) -> None:
    recorded, made = both.snapshots()
    assert snapshot.differing(recorded, made) == ()
    log(7)(both)
    metric("evaluate.test.loss", 0.1 + 1e-17 + 1e-9)(both)
    assert snapshot.differing(*both.snapshots()) == (LOG, "evaluate.test.loss")
