"""What `assess` says of real classifiers and a real regressor: intervals, comparisons, answers to look at."""

from __future__ import annotations

import csv
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import scipy.stats

from reproof.errors import ReproofError
from reproof.evaluation import (
    Baseline,
    Predictions,
    Regression,
    assess,
    classification,
    metrics,
    write_calibration,
    write_confusion,
    write_predictions,
)
from reproof.plain import plain
from reproof.stats import bootstrap, classifiers
from reproof.stats.bootstrap import NO_SPREAD

Wine = tuple[dict[str, Predictions], list[str], list[Baseline]]

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


@pytest.fixture(scope="module")
def wine() -> Wine:
    """A decision tree on the wines, which is wrong now and then, and a forest to compare it with."""
    from sklearn.datasets import load_wine
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import train_test_split
    from sklearn.tree import DecisionTreeClassifier

    data = load_wine()
    rows = dict(zip(("train", "rest"), train_test_split(np.arange(178), random_state=0), strict=True))
    rows["validation"], rows["test"] = train_test_split(rows.pop("rest"), train_size=10, random_state=0)
    models = [
        DecisionTreeClassifier(max_depth=2, random_state=0),
        RandomForestClassifier(n_estimators=20, random_state=0),
    ]
    tree, forest = (model.fit(data.data[rows["train"]], data.target[rows["train"]]) for model in models)
    answers = {
        name: Predictions(
            np.array([f"wine-{i}" for i in index]), data.target[index], tree.predict_proba(data.data[index])
        )
        for name, index in rows.items()
    }
    other = {name: forest.predict_proba(data.data[index]) for name, index in rows.items()}
    return answers, data.target_names.tolist(), [Baseline("forest", "20 trees", other)]


@pytest.fixture(scope="module")
def tasted(wine: Wine) -> dict[str, Any]:
    return assess(*wine, dataset="wine")


def test_every_held_out_metric_has_an_interval_around_it_or_a_reason(tasted: dict[str, Any]) -> None:
    assert (tasted["schema_version"], tasted["task"], tasted["dataset"]) == (2, "classification", "wine")
    assert "intervals" not in tasted["splits"]["train"]
    for split in ("validation", "test"):
        scores = tasted["splits"][split]
        for metric in classifiers.METRICS:
            if metric in scores["intervals"]:
                low, high = scores["intervals"][metric]
                assert low <= scores[metric] <= high
            else:
                assert scores["intervals_missing"][metric]
    assert set(tasted["splits"]["test"]["intervals"]) == set(classifiers.METRICS)


def test_metrics_of_a_split_are_the_textbooks_also_beside_intervals(
    wine: Wine, tasted: dict[str, Any]
) -> None:
    answers, classes, baselines = wine
    for split, predictions in answers.items():
        expected = classification(predictions, classes)
        assert {name: tasted["splits"][split][name] for name in expected} == expected
    forest = Predictions(answers["test"].ids, answers["test"].labels, baselines[0].answers["test"])
    assert tasted["baselines"]["forest"]["splits"]["test"]["loss"] == classification(forest, classes)["loss"]


def test_a_baseline_is_compared_in_pairs_with_what_the_comparison_means(tasted: dict[str, Any]) -> None:
    forest = tasted["baselines"]["forest"]
    assert forest["description"] == "20 trees"
    assert set(forest["splits"]) == {"validation", "test"}
    assert "per_class" not in forest["splits"]["test"]
    comparison = forest["comparison"]
    accuracy = comparison["differences"]["accuracy"]
    ours, theirs = (scores["splits"]["test"]["accuracy"] for scores in (tasted, forest))
    assert accuracy["difference"] == ours - theirs < 0
    assert accuracy["interval"][0] < ours - theirs < accuracy["interval"][1]
    assert accuracy["missing_reason"] is None
    mcnemar = comparison["mcnemar"]
    assert (mcnemar["only_model"] - mcnemar["only_baseline"]) / 35 == pytest.approx(ours - theirs)
    assert 0 < mcnemar["p_value"] <= 1
    assert "two trained models" in comparison["claim"]
    assert "several seeds" in comparison["claim"]


def test_a_paired_interval_is_that_of_resampling_pairs(wine: Wine, tasted: dict[str, Any]) -> None:
    test, forest = wine[0]["test"], wine[2][0].answers["test"]
    gains = (test.predicted == test.labels).astype(float) - (forest.argmax(axis=1) == test.labels)
    theirs = scipy.stats.bootstrap((gains,), np.mean, n_resamples=20_000, method="BCa", rng=0)
    found = tasted["baselines"]["forest"]["comparison"]["differences"]["accuracy"]["interval"]
    assert found == pytest.approx(list(theirs.confidence_interval), abs=1.01 / len(gains))


def test_calibration_confused_pairs_and_examples_are_told_from_the_answers(
    wine: Wine, tasted: dict[str, Any]
) -> None:
    test = wine[0]["test"]
    calibration = tasted["calibration"]
    bins = calibration["bins"].values()
    assert sum(one["examples"] for one in bins) == len(test.ids)
    gaps = sum(one["examples"] * abs(one["accuracy"] - one["confidence"]) for one in bins)
    assert calibration["ece"] == pytest.approx(gaps / len(test.ids))
    assert calibration["ece_interval"] is None
    assert "ece_if_calibrated" in calibration["ece_interval_missing_reason"]
    assert 0 < calibration["ece_if_calibrated"] < calibration["ece_if_calibrated_95"] < 1
    assert "biased upward" in calibration["description"]

    wrong = int((test.predicted != test.labels).sum())
    assert sum(pair["examples"] for pair in tasted["confused"].values()) == wrong > 1
    matrix, first = tasted["splits"]["test"]["confusion_matrix"], tasted["confused"]["0"]
    assert matrix[first["label"]][first["predicted"]] == first["examples"]
    assert first["share"] == first["examples"] / sum(matrix[first["label"]].values())

    losses = [entry["loss"] for entry in tasted["hardest"].values()]
    assert len(losses) == 12
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] >= max(entry["loss"] for entry in tasted["easiest"].values())
    hardest = tasted["hardest"]["0"]
    index = test.ids.tolist().index(hardest["id"])
    assert hardest["probability"] == test.probabilities[index, test.labels[index]]
    assert hardest["label"] == wine[1][test.labels[index]]


def test_the_same_answers_give_the_same_report_and_it_holds_no_list_that_dvc_would_draw(
    wine: Wine, tasted: dict[str, Any]
) -> None:
    again = assess(*wine, dataset="wine")
    assert json.dumps(again, allow_nan=False) == json.dumps(tasted, allow_nan=False)
    assert plain(tasted) == tasted, "no empty list, and no list of objects"


def test_the_stages_metrics_are_those_of_the_report(tasted: dict[str, Any]) -> None:
    found = metrics(tasted)
    assert found["test.accuracy"] == (tasted["splits"]["test"]["accuracy"], None)
    assert found["test.ece"] == (tasted["calibration"]["ece"], None)
    assert found["baseline.forest.validation.accuracy"][0] is not None
    assert len(found) == 3 * 6 + 1 + 2


def test_all_right_is_no_certainty_of_one() -> None:
    right = Predictions(
        np.arange(30).astype(str), np.arange(30) % 2, np.eye(2)[np.arange(30) % 2] * 0.8 + 0.1
    )
    report = assess({"test": right}, ["no", "yes"], dataset="easy")
    scores = report["splits"]["test"]
    assert scores["accuracy"] == 1
    # With 30 of 30 right, an accuracy of 0.884 would have shown as much with a chance of 2.5%.
    assert scores["intervals"]["accuracy"] == pytest.approx([0.025 ** (1 / 30), 1])
    assert scores["intervals_method"] == {"accuracy": "Clopper-Pearson: no spread in the resamples"}
    assert scores["intervals_missing"]["f1"] == scores["intervals_missing"]["auc"] == NO_SPREAD
    assert report["confused"] == {}


def test_one_example_is_assessed_and_says_how_little_it_shows() -> None:
    one = Predictions(np.array(["only"]), np.array([0]), np.array([[0.6, 0.4]]))
    report = assess({"test": one}, ["a", "b"], dataset="one")
    scores = report["splits"]["test"]
    assert scores["intervals"] == {"accuracy": [pytest.approx(0.025), 1.0]}
    assert scores["auc"] is None
    assert scores["intervals_missing"]["auc"] == "the split has no example of b"
    assert scores["intervals_missing"]["loss"] == NO_SPREAD
    assert report["calibration"]["ece_if_calibrated_95"] >= report["calibration"]["ece_if_calibrated"] > 0
    assert (list(report["hardest"]), list(report["easiest"])) == (["0"], [])
    assert metrics(report)["test.auc"] == (None, "the split has no example of b")


def test_equal_models_differ_by_nothing_and_no_test_is_made_of_it(wine: Wine) -> None:
    test = wine[0]["test"]
    twin = Baseline("twin", "The same", {"test": test.probabilities})
    comparison = assess({"test": test}, wine[1], [twin], dataset="wine")["baselines"]["twin"]["comparison"]
    for found in comparison["differences"].values():
        assert found == {"difference": 0, "interval": None, "missing_reason": NO_SPREAD}
    assert comparison["mcnemar"] is None
    assert comparison["mcnemar_missing_reason"] == "both have the same examples right"


def test_what_is_too_costly_is_missing_with_that_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifiers, "MAX_RANKED", 6 * 3 * 2000 - 1)
    scores = assess({"test": ANSWERS}, CLASSES, dataset="six")["splits"]["test"]
    assert scores["auc"] is not None
    assert scores["intervals_missing"]["auc"].startswith("too costly: 6 examples times 3 classes")
    assert "accuracy" in scores["intervals"]
    monkeypatch.setattr(bootstrap, "MAX_DRAWS", 6 * 2000 - 1)
    report = assess({"test": ANSWERS}, CLASSES, dataset="six")
    scores = report["splits"]["test"]
    assert set(scores["intervals_missing"]) == set(classifiers.METRICS) - {"accuracy"}
    assert scores["intervals_method"]["accuracy"].startswith("Clopper-Pearson: too costly")
    assert report["calibration"]["ece_interval"] is report["calibration"]["ece_if_calibrated"] is None
    assert report["calibration"]["ece_if_calibrated_missing_reason"].startswith("too costly")
    assert "ece_if_calibrated_95" not in report["calibration"]


def test_accuracy_has_an_interval_over_more_examples_than_are_resampled() -> None:
    count = 100_001
    labels = np.arange(count) % 2
    given = np.eye(2)[np.where(np.arange(count) % 10 == 0, 1 - labels, labels)] * 0.8 + 0.1
    report = assess(
        {"test": Predictions(np.arange(count).astype(str), labels, given)}, CLASSES[:2], dataset="big"
    )
    scores = report["splits"]["test"]
    low, high = scores["intervals"]["accuracy"]
    assert set(scores["intervals"]) == {"accuracy"}
    assert low < scores["accuracy"] < high
    # Over so many examples the exact interval is that of the normal distribution.
    assert high - low == pytest.approx(2 * 1.96 * (0.9 * 0.1 / count) ** 0.5, rel=0.01)
    assert scores["intervals_method"]["accuracy"].startswith("Clopper-Pearson: too costly: 100,001 examples")


@pytest.mark.parametrize(("classes", "held"), [(20, "matrices"), (21, "matrix of test"), (51, "no matrix")])
def test_what_grows_with_the_classes_is_left_to_the_rows(classes: int, held: str) -> None:
    labels = np.arange(2 * classes) % classes
    answers = Predictions(labels.astype(str), labels, np.eye(classes)[labels] * 0.5 + 0.5 / classes)
    splits = assess(
        {"train": answers, "test": answers}, [str(i) for i in range(classes)], dataset="many", resamples=20
    )["splits"]
    here = [name for name, scores in splits.items() if scores["confusion_matrix"]]
    assert here == {"matrices": ["train", "test"], "matrix of test": ["test"], "no matrix": []}[held]
    for name in {"train", "test"} - set(here):
        assert "predictions.parquet has every answer" in splits[name]["confusion_matrix_missing_reason"]


@pytest.mark.parametrize(
    ("baseline", "message"),
    [
        (Baseline("a.b", "", {"test": ANSWERS.probabilities}), "cannot be called so"),
        (
            Baseline("a", "", {"test": ANSWERS.probabilities[:5]}),
            "baseline a, test: answers of another shape",
        ),
        (Baseline("a", "", {"test": ANSWERS.probabilities * np.nan}), "not all finite"),
        (Baseline("a", "", {"validation": ANSWERS.probabilities}), "no answers on the split `test`"),
    ],
)
def test_a_baseline_that_cannot_be_compared_is_named(baseline: Baseline, message: str) -> None:
    with pytest.raises(ReproofError, match=message):
        assess({"test": ANSWERS}, CLASSES, [baseline], dataset="six")


def test_answers_that_cannot_be_assessed_are_refused() -> None:
    with pytest.raises(ReproofError, match="no split to assess"):
        assess({"train": ANSWERS}, CLASSES, dataset="six")
    with pytest.raises(ReproofError, match="another shape"):
        assess({"test": ANSWERS}, ["cat", "dog"], dataset="six")
    with pytest.raises(ReproofError, match="not of one kind"):
        assess({}, CLASSES, dataset="six")
    with pytest.raises(ReproofError, match="classes do not fit"):
        assess({"test": ANSWERS}, dataset="six")
    empty = Predictions(ANSWERS.ids[:0], ANSWERS.labels[:0], ANSWERS.probabilities[:0])
    with pytest.raises(ReproofError, match="a split without examples"):
        assess({"test": empty}, CLASSES, dataset="six")


def test_a_regressor_is_assessed_like_a_classifier(tmp_path: Path) -> None:
    from sklearn.datasets import load_diabetes
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.linear_model import LinearRegression

    x, y = load_diabetes(return_X_y=True)
    rows = {"train": slice(0, 300), "validation": slice(300, 350), "test": slice(350, None)}
    model = RandomForestRegressor(n_estimators=20, random_state=0).fit(x[:300], y[:300])
    line = LinearRegression().fit(x[:300], y[:300])
    ids = np.array([f"patient-{i}" for i in range(len(y))])
    answers = {name: Regression(ids[own], y[own], model.predict(x[own])) for name, own in rows.items()}
    mean = {name: np.full(len(y[own]), y[:300].mean()) for name, own in rows.items()}
    linear = {name: line.predict(x[own]) for name, own in rows.items()}
    baselines = [Baseline("mean", "The mean target", mean), Baseline("linear", "Least squares", linear)]
    report = assess(answers, None, baselines, dataset="diabetes")

    assert (report["task"], report["classes"], report["calibration"]) == ("regression", None, None)
    scores = report["splits"]["test"]
    for metric in ("rmse", "mae", "r2", "bias"):
        low, high = scores["intervals"][metric]
        assert low < scores[metric] < high
    assert scores["rmse"] == pytest.approx(np.sqrt(((answers["test"].predicted - y[350:]) ** 2).mean()))
    assert report["baselines"]["mean"]["splits"]["test"]["r2"] <= 0
    comparison = report["baselines"]["mean"]["comparison"]
    assert comparison["differences"]["rmse"]["interval"][1] < 0, "it beats the mean"
    assert comparison["mcnemar"] is None
    low, high = report["baselines"]["linear"]["comparison"]["differences"]["rmse"]["interval"]
    assert 0 < low < high, "the line beats it"
    errors = [abs(entry["error"]) for entry in report["hardest"].values()]
    assert errors == sorted(errors, reverse=True)
    worst = report["hardest"]["0"]
    assert worst["error"] == pytest.approx(worst["predicted"] - worst["target"])
    assert sum(one["examples"] for one in report["residuals"]["bins"].values()) == 92
    assert plain(report) == report
    assert (
        metrics(report)["baseline.linear.test.rmse"][0]
        == report["baselines"]["linear"]["splits"]["test"]["rmse"]
    )

    write_predictions(tmp_path / "rows.parquet", answers, baselines=baselines)
    table = pq.read_table(tmp_path / "rows.parquet")
    assert table.column_names == [
        "id", "split", "target", "predicted", "predicted_by_mean", "predicted_by_linear"
    ]  # fmt: skip
    assert table.num_rows == len(y)
    with pytest.raises(ReproofError, match="a regressor gives no probabilities"):
        write_calibration(tmp_path / "calibration.csv", report)


def test_the_tables_for_plots_hold_every_pair_and_bin(tmp_path: Path, tasted: dict[str, Any]) -> None:
    write_confusion(tmp_path / "confusion.csv", ANSWERS, ["a,b", 'say "c"', "d\ne"])
    with (tmp_path / "confusion.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 9
    assert rows[0] == {"label": "a,b", "predicted": "a,b", "examples": "2"}
    assert rows[6] == {"label": "d\ne", "predicted": "a,b", "examples": "1"}
    assert sum(int(row["examples"]) for row in rows) == 6
    write_calibration(tmp_path / "calibration.csv", tasted)
    with (tmp_path / "calibration.csv").open(newline="") as stream:
        bins = list(csv.DictReader(stream))
    assert [float(one["accuracy"]) for one in bins] == [
        one["accuracy"] for one in tasted["calibration"]["bins"].values()
    ]


def test_ten_thousand_examples_take_seconds_and_little_memory() -> None:
    import tracemalloc

    random = np.random.default_rng(0)
    labels = random.integers(0, 10, 10_000)
    scores = np.exp(random.normal(size=(10_000, 10)) + 3 * np.eye(10)[labels])
    answers = Predictions(np.arange(10_000).astype(str), labels, scores / scores.sum(axis=1, keepdims=True))
    tracemalloc.start()
    started = time.process_time()
    report = assess({"test": answers}, [str(i) for i in range(10)], dataset="large")
    seconds, peak = time.process_time() - started, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert report["splits"]["test"]["intervals"]["auc"]
    assert peak < 200e6
    assert seconds < 15, "1.5 s where nothing else runs"
