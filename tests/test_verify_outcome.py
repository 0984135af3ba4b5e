"""An attempt beside the record: nothing that differs passes for the same, and what may differ is told."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import verify_pair as files
from onnx import TensorProto, helper, numpy_helper, save_model
from verify_pair import LATEST, Pair, pair

from reproof.errors import ReproofError
from reproof.params.models import Tolerance
from reproof.verify import chain, kinds, snapshot
from reproof.verify.divergence import of_logs
from reproof.verify.errors import CannotVerify, Contradiction
from reproof.verify.kinds import Standing
from reproof.verify.levels import Exit, Level, Verdict, exit_code
from reproof.verify.outcome import Outcome
from reproof.verify.tolerances import Tolerances, is_within, read

CHECKPOINT, WEIGHTS = f"{LATEST}/checkpoint", f"{LATEST}/checkpoint/model.safetensors"
LOG, PREDICTIONS = f"{LATEST}/metrics.ndjson", f"{LATEST}/predictions.parquet"


@pytest.fixture
def both(tmp_path: Path) -> Pair:
    return pair(tmp_path)


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


Change = Callable[[Pair], None]


def metric(name: str, value: float | None) -> Change:
    stage, _, rest = name.partition(".")
    return lambda both: both.metrics_made[stage].update({rest: value})


def without_metric(both: Pair) -> None:
    del both.metrics_made["evaluate"]["test.loss"]


def more_metrics(both: Pair) -> None:
    both.metrics_made["evaluate"]["test.f1"] = 0.9


def recorded_metric(both: Pair) -> None:
    both.metrics["evaluate"]["test.accuracy"] = 0.99


def weights(shift: float, *, side: str = "made") -> Change:
    return lambda both: files.write_weights(getattr(both, side) / WEIGHTS, shift=shift)


def other_model(both: Pair) -> None:
    files.write_weights(both.made / WEIGHTS, seed=4)


def state(both: Pair) -> None:
    files.write_weights(both.made / CHECKPOINT / "state.safetensors", seed=10)


def log(changed: int, shift: float = 1e-12) -> Change:
    return lambda both: files.write_log(both.made / LOG, moment=2, changed=changed, shift=shift)


def params(**values: object) -> Change:
    return lambda both: files.write_params(both.made / LATEST / "params.ndjson", moment=2, **values)


def predictions(shift: float = 0.0, **columns: list[object]) -> Change:
    return lambda both: files.write_predictions(both.made / PREDICTIONS, shift=shift, **columns)


def json_file(name: str, value: object) -> Change:
    return lambda both: files.write_json(both.made / LATEST / name, value)


def text(name: str, words: str) -> Change:
    return lambda both: (both.made / name).write_text(words) and None


def gone(name: str) -> Change:
    return lambda both: (both.made / name).unlink()


def split_data(both: Pair) -> None:
    held = dict(np.load(both.made / "prepared/train.npz"))
    np.savez(both.made / "prepared/train.npz", x=held["x"] + 1e-9, y=held["y"])


def extra_file(both: Pair) -> None:
    (both.made / "prepared/leak.npz").write_bytes(b"test examples")


def undeclared_output(both: Pair) -> None:
    both.writes_made = files.WRITES | {"train": [*files.WRITES["train"], f"{LATEST}/more.json"]}
    files.write_json(both.made / LATEST / "more.json", 1)


def other_input(both: Pair) -> None:
    both.reads_made = {"data/raw.csv": "sha256:00"}


def further_input(both: Pair) -> None:
    both.reads_made = {"data/answers.csv": "sha256:00"}


def with_answers(shift: float, name: str, value: object) -> Change:
    def change(both: Pair) -> None:
        predictions(shift)(both)
        files.write_json(both.made / LATEST / name, value)

    return change


def picture_of_others(both: Pair) -> None:
    predictions(-0.0005)(both)
    text(f"{LATEST}/examples.png", "another picture")(both)


def another_size(both: Pair) -> None:
    predictions(-0.0005)(both)
    for side, width in ((both.recorded, 8), (both.made, 9)):
        head = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + width.to_bytes(4) + (8).to_bytes(4)
        (side / LATEST / "examples.png").write_bytes(head)


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
    "an optimiser's state": (state, Verdict.NUMERIC),
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


def test_tolerances_are_those_of_the_metric(both: Pair) -> None:
    metric("evaluate.test.loss", 0.15)(both)
    by_metric = {"evaluate.test.loss": Tolerance(absolute=0.1)}
    both.tolerances = dataclasses.replace(both.tolerances, by_metric=by_metric)
    assert both.outcome().verdict is Verdict.NUMERIC
    metric("train.validation.loss", 0.3)(both)
    assert both.outcome().verdict is Verdict.DIFFERENT


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


def test_predictions_in_another_order_are_the_same_predictions(both: Pair, tmp_path: Path) -> None:
    table = pq.read_table(both.made / PREDICTIONS)
    pq.write_table(table.take(list(range(table.num_rows))[::-1]), tmp_path / "turned.parquet")
    found = kinds.compare(both.recorded / PREDICTIONS, tmp_path / "turned.parquet", both.tolerances)
    assert found.standing is Standing.IDENTICAL
    shutil.copyfile(tmp_path / "turned.parquet", both.made / PREDICTIONS)
    assert both.outcome().verdict is Verdict.NUMERIC, "its bytes are others, so it is no bit match"


def graph(path: Path, weight: float, *, op: str = "Add", steps: int = 2) -> Path:
    tensors = [
        numpy_helper.from_array(np.full((2, 3), weight, np.float32), "w"),
        numpy_helper.from_array(np.array([steps], np.int64), "n"),
    ]
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, 3]) for name in ("x", "y")]
    nodes = [helper.make_node(op, ["x", "w"], ["y"])]
    made = helper.make_graph(nodes, "g", value[:1], value[1:], tensors)
    save_model(helper.make_model(made, producer_name=path.stem), path)
    return path


@pytest.mark.parametrize(
    ("other", "expected", "words"),
    [
        ({"weight": 1.0}, Standing.IDENTICAL, "graph identical"),
        ({"weight": 1.0001}, Standing.CLOSE, "its weights differ"),
        ({"weight": 3.0}, Standing.DIFFERENT, "another model"),
        ({"weight": 1.0, "op": "Mul"}, Standing.DIFFERENT, "graph differs"),
        ({"weight": 1.0, "steps": 3}, Standing.DIFFERENT, "graph differs"),
    ],
)
def test_onnx_graphs_must_be_the_same_and_their_weights_close(
    tmp_path: Path, other: dict[str, float], expected: Standing, words: str
) -> None:
    one, two = graph(tmp_path / "one.onnx", 1.0), graph(tmp_path / "two.onnx", **other)  # type: ignore[arg-type]
    found = kinds.compare(one, two, Tolerances())
    assert found.standing is expected
    assert words in found.words


@pytest.mark.parametrize(
    ("name", "one", "other", "expected"),
    [
        ("a.json", '{"a": 1.0}', '{"a": 1.0005}', Standing.CLOSE),
        ("a.json", '{"a": 1.0}', '{"a": 1.1}', Standing.DIFFERENT),
        ("a.json", '{"a": [1, 2]}', '{"a": [1]}', Standing.DIFFERENT),
        ("a.json", '{"a": true}', '{"a": 1}', Standing.DIFFERENT),
        ("a.json", '{"a": "x"}', '{"a": "y"}', Standing.DIFFERENT),
        ("a.json", '{"a": 1, "runtime_seconds": 2}', '{"a": 1, "runtime_seconds": 9}', Standing.FOLLOWS),
        ("a.json", '{"a": 1, "mae_seconds": 2}', '{"a": 1, "mae_seconds": 9}', Standing.DIFFERENT),
        ("a.json", "{", "{}", Standing.DIFFERENT),
        ("a.csv", "a,b\n1,x\n", "a,b\n1.0001,x\n", Standing.CLOSE),
        ("a.csv", "a,b\n1,x\n", "a,b\n1,y\n", Standing.DIFFERENT),
        ("a.csv", "a,b\n1,x\n", "a,b\n1,x\n2,x\n", Standing.DIFFERENT),
        ("a.csv", "a,b\n1,x\n", "a,c\n1,x\n", Standing.DIFFERENT),
        ("a.joblib", "one", "two", Standing.DIFFERENT),
        ("a", "one", "two", Standing.DIFFERENT),
        ("a.svg", "<svg/>", "<svg />", Standing.FOLLOWS),
    ],
)
def test_files_are_compared_by_what_their_kind_can_tell(
    tmp_path: Path, name: str, one: str, other: str, expected: Standing
) -> None:
    for side, words in (("one", one), ("other", other)):
        (tmp_path / side).mkdir()
        (tmp_path / side / name).write_text(words)
    found = kinds.compare(tmp_path / "one" / name, tmp_path / "other" / name, Tolerances())
    assert found.standing is expected
    assert found.words


def test_brain_floats_are_compared_as_numbers(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    values = torch.linspace(1, 2, 16, dtype=torch.bfloat16)
    save_file({"w": values}, tmp_path / "one.safetensors")
    save_file({"w": values * 1.01}, tmp_path / "two.safetensors")
    found = kinds.compare(tmp_path / "one.safetensors", tmp_path / "two.safetensors", Tolerances())
    assert found.standing is Standing.CLOSE
    assert found.largest == pytest.approx(((values * 1.01).float() - values.float()).abs().max().item())


def test_the_md5_of_a_folder_is_that_of_dvc(tmp_path: Path) -> None:
    for name in ("b/two.txt", "a.txt", "b/one.txt", "ü.txt"):
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    for command in (["git", "init", "-q"], ["dvc", "init", "-q"], ["dvc", "add", "-q", "data"]):
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    import yaml

    out = yaml.safe_load((tmp_path / "data.dvc").read_text())["outs"][0]
    assert snapshot._md5(tmp_path / "data") == out["md5"]
    assert snapshot._md5(tmp_path / "data/a.txt") == files._out(tmp_path, "data/a.txt")["md5"]


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


def test_two_attempts_are_compared_by_content_not_by_time(both: Pair) -> None:
    recorded, made = both.snapshots()
    assert snapshot.differing(recorded, made) == ()
    log(7)(both)
    metric("evaluate.test.loss", 0.1 + 1e-17 + 1e-9)(both)
    assert snapshot.differing(*both.snapshots()) == (LOG, "evaluate.test.loss")
