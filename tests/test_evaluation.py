"""Metrics are those of the textbooks, and every one can be checked by the rows beside them."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from reproof import digest
from reproof.errors import ReproofError
from reproof.evaluation import (
    Baseline,
    Predictions,
    Regression,
    assess,
    classification,
    regression,
    write_confusion,
    write_predictions,
)

CLASSES = ["cat", "dog", "eel"]
# Six examples by hand: predicted cat, cat, dog, dog, cat, cat.
ANSWERS = Predictions(
    ids=np.array([f"row-{i}" for i in range(6)]),
    labels=np.array([0, 0, 1, 1, 1, 2]),
    probabilities=np.array(
        [
            [0.8, 0.1, 0.1],
            [0.5, 0.25, 0.25],
            [0.2, 0.7, 0.1],
            [0.1, 0.8, 0.1],
            [0.6, 0.3, 0.1],
            [0.5, 0.2, 0.3],
        ],
        dtype=np.float32,
    ),
)


def test_metrics_are_what_one_computes_by_hand() -> None:
    scores = classification(ANSWERS, CLASSES)
    assert scores["examples"] == 6
    assert scores["accuracy"] == pytest.approx(4 / 6)
    assert scores["per_class"]["cat"] == {
        "precision": pytest.approx(2 / 4),
        "recall": pytest.approx(1.0),
        "f1": pytest.approx(2 / 3),
        "support": 2,
    }
    assert scores["per_class"]["dog"]["recall"] == pytest.approx(2 / 3)
    assert scores["precision"] == pytest.approx((0.5 + 1 + 0) / 3)
    assert scores["recall"] == pytest.approx((1 + 2 / 3 + 0) / 3)
    assert scores["f1"] == pytest.approx((2 / 3 + 0.8 + 0) / 3)
    # One class against the rest: the share of pairs in the right order.
    assert scores["auc"] == pytest.approx((6.5 / 8 + 9 / 9 + 5 / 5) / 3)
    truth = [0.8, 0.5, 0.7, 0.8, 0.3, 0.3]
    assert scores["loss"] == pytest.approx(-sum(map(math.log, truth)) / 6, rel=1e-6)


def test_the_confusion_matrix_goes_from_truth_to_answer() -> None:
    assert classification(ANSWERS, CLASSES)["confusion_matrix"] == {
        "cat": {"cat": 2, "dog": 0, "eel": 0},
        "dog": {"cat": 1, "dog": 2, "eel": 0},
        "eel": {"cat": 1, "dog": 0, "eel": 0},
    }


def test_a_class_that_is_never_predicted_has_precision_zero_and_no_warning(
    recwarn: pytest.WarningsRecorder,
) -> None:
    assert classification(ANSWERS, CLASSES)["per_class"]["eel"]["precision"] == 0.0
    assert [str(warning.message) for warning in recwarn] == []


def test_an_absent_class_leaves_no_auc_and_says_why() -> None:
    some = Predictions(ANSWERS.ids[:5], ANSWERS.labels[:5], ANSWERS.probabilities[:5])
    scores = classification(some, CLASSES)
    assert scores["auc"] is None
    assert scores["auc_missing_reason"] == "the split has no example of eel"
    assert scores["per_class"]["eel"]["support"] == 0
    assert scores["accuracy"] == pytest.approx(4 / 5)


def test_two_classes_are_scored_like_more() -> None:
    answers = Predictions(
        np.array(list("abcd")),
        np.array([0, 1, 0, 1]),
        np.array([[0.9, 0.1], [0.4, 0.6], [0.3, 0.7], [0.2, 0.8]]),
    )
    scores = classification(answers, ["no", "yes"])
    assert scores["accuracy"] == 0.75
    assert scores["auc"] == pytest.approx(3 / 4)


def test_metrics_are_plain_json() -> None:
    scores = classification(ANSWERS, CLASSES)
    assert json.loads(json.dumps(scores, allow_nan=False)) == scores


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_answers_that_are_not_finite_are_refused(bad: float) -> None:
    probabilities = ANSWERS.probabilities.copy()
    probabilities[2, 1] = bad
    with pytest.raises(ReproofError, match="not all finite"):
        classification(Predictions(ANSWERS.ids, ANSWERS.labels, probabilities), CLASSES)


def test_a_certain_and_wrong_answer_has_a_finite_loss() -> None:
    answers = Predictions(
        np.array(["a", "b"]), np.array([0, 1]), np.array([[0.0, 1.0], [0.0, 1.0]], np.float32)
    )
    assert 1 < classification(answers, ["no", "yes"])["loss"] < 1000


def test_predictions_have_one_row_an_example_with_names_of_classes(tmp_path: Path) -> None:
    path = tmp_path / "predictions.parquet"
    test = Predictions(np.array(["t-0"]), np.array([2]), np.array([[0.1, 0.2, 0.7]]))
    write_predictions(path, {"train": ANSWERS, "test": test}, CLASSES)
    table = pq.read_table(path)
    rows = table.to_pylist()
    assert len(rows) == 7
    assert (rows[4]["label"], rows[4]["predicted"]) == ("dog", "cat")
    assert {key: rows[6][key] for key in ("id", "split", "label", "predicted")} == {
        "id": "t-0",
        "split": "test",
        "label": "eel",
        "predicted": "eel",
    }
    assert rows[6]["probability_2"] == pytest.approx(0.7)
    assert json.loads(table.schema.metadata[b"classes"]) == CLASSES


def test_the_accuracy_can_be_computed_again_from_the_rows(tmp_path: Path) -> None:
    path = tmp_path / "predictions.parquet"
    write_predictions(path, {"test": ANSWERS}, CLASSES)
    rows = pq.read_table(path).to_pylist()
    again = sum(row["label"] == row["predicted"] for row in rows) / len(rows)
    assert again == classification(ANSWERS, CLASSES)["accuracy"]


def test_the_same_predictions_give_the_same_digest(tmp_path: Path) -> None:
    for name in ("one", "other"):
        write_predictions(tmp_path / f"{name}.parquet", {"test": ANSWERS}, CLASSES)
    shuffled = Predictions(ANSWERS.ids[::-1], ANSWERS.labels[::-1], ANSWERS.probabilities[::-1])
    write_predictions(tmp_path / "shuffled.parquet", {"test": shuffled}, CLASSES)
    one, other, third = (digest.digest(tmp_path / f"{n}.parquet") for n in ("one", "other", "shuffled"))
    assert one == other
    assert one != third


def test_a_regressor_on_equal_targets_has_no_r2() -> None:
    same = Regression(np.array(["a", "b"]), np.array([2.0, 2.0]), np.array([1.0, 3.5]))
    found = regression(same)
    assert (found["r2"], found["r2_missing_reason"]) == (None, "all targets are equal")
    assert found["bias"] == pytest.approx(0.25)
    scores = assess({"test": same}, dataset="two")["splits"]["test"]
    assert scores["intervals_missing"]["r2"] == "all targets are equal"


def test_rows_say_what_each_baseline_answered(tmp_path: Path) -> None:
    path = tmp_path / "predictions.parquet"
    always = Baseline("majority", "Always dog", {"test": np.tile([0.2, 0.5, 0.3], (6, 1))})
    write_predictions(path, {"train": ANSWERS, "test": ANSWERS}, CLASSES, [always])
    rows = pq.read_table(path).to_pylist()
    assert [row["predicted_by_majority"] for row in rows] == [None] * 6 + ["dog"] * 6


def test_the_table_of_many_classes_holds_the_pairs_that_occur(tmp_path: Path) -> None:
    labels = np.arange(60)
    many = Predictions(labels.astype(str), labels, np.eye(60)[labels])
    write_confusion(tmp_path / "confusion.csv", many, [f"class {i}" for i in range(60)])
    assert len((tmp_path / "confusion.csv").read_text().splitlines()) == 61
