"""Two models on the examples that both answered: which ones, the intervals, the exact test, and why not."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import diff_runs as runs
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from diff_runs import CLASSES, LATEST, answers, run_of
from scipy.stats import binomtest

from reproof import evaluation, history
from reproof.difference import answers as answers_of
from reproof.difference.models import CLAIM, TwoModels, two_models
from reproof.difference.scoring import Side, scored
from reproof.errors import ReproofError
from reproof.evaluation import compare, tasks
from reproof.stats import bootstrap

ACCURACY, LOSS = "evaluate.test.accuracy", "evaluate.test.loss"
BETTER = answers(seed=1, right=0.9)
Pair = Callable[..., TwoModels]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with one run, `a`; for copies."""
    project = runs.project(tmp_path_factory.mktemp("models") / "project")
    runs.add(project, "a", run_of())
    return project


@pytest.fixture
def pair(first: Path, tmp_path: Path) -> Pair:
    """Compare the run `a` with another, whose attributes are given."""
    project = tmp_path / "project"
    shutil.copytree(first, project)

    def compared(
        asked: tuple[str, ...] = ("accuracy", "loss"),
        *,
        prepare: Callable[[Path], None] = lambda _: None,
        **changes: Any,
    ) -> TwoModels:
        runs.add(project, "b", run_of(**changes))
        runs.forget(project)
        prepare(project)
        rows = history.read_rows(project)
        return two_models(project, rows.find("a"), rows.find("b"), asked)

    return compared


def with_test(part: Any) -> dict[str, Any]:
    return {"train": answers(60, 5, first=1000), "test": part}


def test_the_intervals_are_those_of_the_paired_bootstrap_of_the_evaluation(pair: Pair) -> None:
    every = ("accuracy", "loss", *(f"evaluate.test.{name}" for name in ("f1", "auc", "precision", "recall")))
    found = pair(every, answers=with_test(BETTER))
    task = tasks.of({"test": BETTER}, CLASSES, 2000)
    theirs, ours = compare.score(task, [BETTER, answers()], resamples=2000, seed=0)
    expected = compare.comparison(task, theirs, ours, name="a", split="test")["differences"]
    assert {name.removeprefix("evaluate.test.") for name in found.splits["test"].metrics} == set(task.metrics)
    for name, one in expected.items():
        metric = found.metric(f"evaluate.test.{name}")
        assert metric is not None
        assert metric.difference == pytest.approx(one["difference"], abs=1e-6)  # stored as float32
        assert metric.interval == pytest.approx(one["interval"], abs=1e-6)
        assert metric.missing_reason is None
    assert found.claim == CLAIM == "these two models"
    assert (found.splits["test"].examples, found.splits["test"].same_content) == (200, True)


def test_mcnemar_is_the_exact_binomial_test_of_the_answers_that_one_alone_has_right(pair: Pair) -> None:
    test = pair(answers=with_test(BETTER)).splits["test"].mcnemar
    a, b = (part.predicted == part.labels for part in (answers(), BETTER))
    only_a, only_b = int((a & ~b).sum()), int((~a & b).sum())
    assert test is not None
    assert (test.only_first, test.only_second) == (only_a, only_b)
    assert 0 < only_a < only_b
    assert test.p_value == pytest.approx(binomtest(only_a, only_a + only_b).pvalue)


def test_the_same_answers_are_no_difference_and_no_interval(pair: Pair) -> None:
    found = pair()
    metric = found.metric(ACCURACY)
    assert found.identical
    assert metric is not None
    assert (metric.difference, metric.interval) == (0, None)
    assert metric.missing_reason == "no spread in the resamples"
    assert found.splits["test"].mcnemar is None
    assert found.splits["test"].mcnemar_missing_reason == "both have the same examples right"


def test_only_shared_examples_are_compared_whatever_their_order(pair: Pair) -> None:
    later = answers(220, 3, first=50)
    shuffled = np.random.default_rng(0).permutation(220)
    part = evaluation.Predictions(later.ids[shuffled], later.labels[shuffled], later.probabilities[shuffled])
    found = pair(answers=with_test(part))
    shared = found.splits["test"]
    assert (shared.examples, shared.only_a, shared.only_b, shared.changed) == (150, 50, 70, 0)
    assert shared.same_content
    assert shared.on == "150 shared test examples (120 left out)"
    own, other = answers(), later
    metric = found.metric(ACCURACY)
    assert metric is not None
    assert metric.a == pytest.approx((own.predicted == own.labels)[50:].mean())
    assert metric.b == pytest.approx((other.predicted == other.labels)[:150].mean())


def test_an_example_whose_truth_has_changed_is_another_one(pair: Pair) -> None:
    labels = BETTER.labels.copy()
    labels[:7] = (labels[:7] + 1) % 3
    found = pair(answers=with_test(replace(BETTER, labels=labels))).splits["test"]
    assert (found.examples, found.changed) == (193, 7)


def test_an_example_whose_content_has_changed_is_another_one(pair: Pair) -> None:
    def moved(name: str) -> float:
        return -1.0 if name in ("x0003", "x0004") else float(name[1:])

    found = pair(answers=with_test(BETTER), x=moved).splits["test"]
    assert (found.examples, found.changed, found.same_content) == (198, 2, True)


def test_without_the_split_files_examples_are_known_by_id_and_truth_alone(pair: Pair) -> None:
    def without_splits(project: Path) -> None:
        lock = yaml.safe_load((project / "dvc.lock").read_text())
        md5 = next(out["md5"] for out in lock["stages"]["prepare"]["outs"] if "test" in out["path"])
        (project / ".dvc" / "cache" / "files" / "md5" / md5[:2] / md5[2:]).unlink()

    found = pair(answers=with_test(BETTER), x=lambda name: -float(name[1:]), prepare=without_splits)
    assert (found.splits["test"].examples, found.splits["test"].same_content) == (200, False)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"answers": with_test(answers(first=500))}, "they share 0 examples of the split test"),
        ({"answers": with_test(answers(10, first=199))}, "they share 1 examples of the split test"),
        ({"answers": {"train": answers(60, 5)}}, "the second run kept no answers on the split test"),
        (
            {"answers": with_test(replace(BETTER, ids=np.array(["x0001"] * 200)))},
            "an id stands for several examples: answers cannot be paired",
        ),
        (
            {"metrics": {"test.accuracy": 0.5}},
            "b recorded 0.5, and its answers give 0.79: it is computed in another way",
        ),
        (
            {
                "answers": {
                    "test": evaluation.Regression(BETTER.ids, np.arange(200.0), np.arange(200.0) + 1)
                },
                "classes": None,
            },
            "one is a classifier and the other a regressor",
        ),
        (
            {"drop": ("digests.json",)},
            "this run recorded no answers on single examples (b)",
        ),
    ],
)
def test_what_cannot_be_compared_has_a_reason(pair: Pair, changes: dict[str, Any], reason: str) -> None:
    found = pair(("accuracy",), **changes)
    assert found.metric(ACCURACY) is None
    assert found.reason(ACCURACY) == reason


def test_answers_that_neither_cache_nor_remote_has_are_a_reason(pair: Pair) -> None:
    found = pair(answers=with_test(BETTER), prepare=lambda project: shutil.rmtree(project / ".dvc" / "cache"))
    assert found.splits == {}
    assert str(found.reason(LOSS)).startswith(
        f"neither DVC's cache nor its remote has it ({LATEST}/predictions.parquet at "
    )


def test_answers_that_are_not_those_of_the_record_are_not_used(pair: Pair) -> None:
    def corrupt(project: Path) -> None:
        lock = yaml.safe_load((project / "dvc.lock").read_text())
        (out,) = lock["stages"]["evaluate"]["outs"]
        cached = project / ".dvc" / "cache" / "files" / "md5" / out["md5"][:2] / out["md5"][2:]
        evaluation.write_predictions(cached, with_test(answers(seed=9)), CLASSES)
        cached.chmod(0o444)  # DVC trusts such a file

    found = pair(answers=with_test(BETTER), prepare=corrupt)
    told = f"a file is not what the run recorded ({LATEST}/predictions.parquet at "
    assert str(found.reason(ACCURACY)).startswith(told)


def test_classes_in_another_order_are_the_same_classes(pair: Pair) -> None:
    order = [2, 0, 1]
    part = evaluation.Predictions(
        BETTER.ids, np.argsort(order)[BETTER.labels], BETTER.probabilities[:, order]
    )
    names = tuple(CLASSES[index] for index in order)
    found = pair(
        ("loss", "accuracy"),
        answers={"test": part},
        classes=names,
    )
    expected = scored(
        "",
        ["loss", "accuracy"],
        Side(answers(), CLASSES, np.arange(200)),
        Side(BETTER, CLASSES, np.arange(200)),
        resamples=2000,
        seed=0,
    )
    for name in ("loss", "accuracy"):
        metric = found.metric(f"evaluate.test.{name}")
        assert metric is not None
        assert metric.b == pytest.approx(expected[name].b, abs=1e-6)
        assert metric.interval == pytest.approx(expected[name].interval, abs=1e-6)


def test_of_other_classes_right_and_wrong_alone_are_compared(pair: Pair) -> None:
    part = evaluation.Predictions(
        BETTER.ids, BETTER.labels, np.c_[BETTER.probabilities, np.zeros(200, np.float32)]
    )
    found = pair(("accuracy", "evaluate.test.f1"), answers={"test": part}, classes=(*CLASSES, "dog"))
    accuracy, f1 = found.metric(ACCURACY), found.metric("evaluate.test.f1")
    assert accuracy is not None
    assert accuracy.interval is not None
    assert f1 is not None
    assert (f1.difference, f1.missing_reason) == (None, "the classes differ")


def test_regressors_are_compared_by_their_errors(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    ids, targets = np.array([f"x{i:04d}" for i in range(80)]), random.normal(size=80)
    noise = random.normal(size=80)
    project = runs.project(tmp_path / "project")
    summary = {"mae": "evaluate.test.mae"}
    for name, scale in (("a", 1.0), ("b", 0.5)):
        made = run_of(
            classes=None, answers={"test": evaluation.Regression(ids, targets, targets + scale * noise)}
        )
        made.params["summary"] = summary
        runs.add(project, name, made)
    rows = history.read_rows(project)
    found = two_models(
        project, rows.find("a"), rows.find("b"), ["mae", "evaluate.test.r2", "evaluate.test.accuracy"]
    )
    mae = found.metric("evaluate.test.mae")
    assert mae is not None
    assert mae.difference == pytest.approx(-0.5 * np.abs(noise).mean())
    assert mae.interval is not None
    assert mae.interval[1] < 0
    accuracy = found.metric("evaluate.test.accuracy")
    assert accuracy is not None
    assert accuracy.missing_reason == "these are regressors"
    assert found.splits["test"].mcnemar_missing_reason is not None


def test_a_metric_that_does_not_follow_from_answers_is_named(pair: Pair) -> None:
    found = pair(("latency_ms", "evaluate.test.ece"))
    assert found.splits == {}
    assert set(found.missing) == {"benchmark.torch-cpu-fp32-b1-t1.latency_ms", "evaluate.test.ece"}


def test_the_workspaces_own_answers_count_and_not_those_of_another_run(first: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(first, project)
    runs.write(project, "b", run_of(answers=with_test(BETTER)))
    shutil.rmtree(project / ".dvc" / "cache" / "files" / "md5", ignore_errors=True)
    shutil.copytree(first / ".dvc" / "cache", project / ".dvc" / "cache", dirs_exist_ok=True)
    rows = history.read_rows(project)
    found = two_models(project, rows.find("a"), rows.find("workspace"), ["accuracy"])
    assert found.metric(ACCURACY) is not None
    evaluation.write_predictions(
        project / LATEST / "predictions.parquet", with_test(answers(seed=8)), CLASSES
    )
    found = two_models(project, rows.find("a"), rows.find("workspace"), ["accuracy"])
    assert str(found.reason(ACCURACY)).startswith("the answers in this workspace are not those that the run")


@pytest.mark.parametrize("data", [b"", b"PAR1", b"PAR1" + bytes(60) + b"PAR1"])
def test_a_torn_file_in_the_workspace_is_no_answer_and_no_end(
    first: Path, tmp_path: Path, data: bytes
) -> None:
    project = tmp_path / "project"
    shutil.copytree(first, project)
    (project / LATEST / "predictions.parquet").write_bytes(data)
    row = history.read_rows(project).find("a")
    assert two_models(project, row, row, ["accuracy"]).identical  # the cache has the whole one
    shutil.rmtree(project / ".dvc" / "cache")
    answers_of._of_commit.cache_clear()
    assert two_models(project, row, row, ["accuracy"]).reason(ACCURACY)


CLASSES_OF = {"classes": '["ant", "bee"]'}
WHOLE = {"id": ["1", "2"], "split": ["test"] * 2, "predicted": ["ant"] * 2, "label": ["ant", "bee"]}
SURE = {"probability_0": [0.9, 0.8], "probability_1": [0.1, 0.2]}


@pytest.mark.parametrize(
    ("columns", "metadata"),
    [
        ({"a": [1]}, None),
        ({**WHOLE, **SURE}, {"classes": "["}),
        ({**WHOLE, **SURE}, {"classes": "{}"}),
        ({**WHOLE}, CLASSES_OF),
        ({**WHOLE, **SURE, "label": ["ant", "cow"]}, CLASSES_OF),
        ({**WHOLE, **SURE, "label": ["ant", None]}, CLASSES_OF),
        ({**WHOLE, **SURE, "probability_1": ["x", "y"]}, CLASSES_OF),
        ({**WHOLE, **SURE, "split": [1, 2]}, CLASSES_OF),
        ({"id": ["1"], "split": ["test"], "predicted": ["x"], "target": ["y"]}, None),
    ],
)
def test_a_table_of_another_form_is_refused_with_a_reason(
    tmp_path: Path, columns: dict[str, list[Any]], metadata: dict[str, str] | None
) -> None:
    path = tmp_path / "predictions.parquet"
    pq.write_table(pa.table(columns).replace_schema_metadata(metadata), path)
    with pytest.raises(ReproofError, match="not a file of answers"):
        answers_of._read(path, "here", ["test"], "sha256:x")


def test_probabilities_that_are_no_numbers_leave_the_exact_test_alone(pair: Pair) -> None:
    given = BETTER.probabilities.copy()
    given[3, 0] = np.nan
    part = evaluation.Predictions(BETTER.ids, BETTER.labels, given)
    side = Side(part, CLASSES, np.arange(200))
    for name, metric in scored("", ["accuracy", "auc"], side, side, resamples=50, seed=0).items():
        assert (metric.a, metric.interval, metric.missing_reason) == (
            None,
            None,
            "probabilities are not all finite",
        ), name


def test_so_many_examples_that_no_bootstrap_is_drawn_still_have_their_values(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bootstrap, "MAX_DRAWS", 1000)
    sides = [Side(part, CLASSES, np.arange(200)) for part in (answers(), BETTER)]
    (metric,) = scored("", ["accuracy"], *sides, resamples=2000, seed=0).values()
    assert metric.difference == pytest.approx(
        np.mean(BETTER.predicted == BETTER.labels) - np.mean(answers().predicted == answers().labels)
    )
    assert metric.interval is None
    assert metric.missing_reason == "too costly: 200 examples times 2,000 resamples"
