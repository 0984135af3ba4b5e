"""What a comparison says: verdicts, the first sentence, warnings, the front; and how often it is wrong."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

import pytest
from compared import ACCURACY, BASE, LATENCY, LOSS, NO_RULES, RULES, against, benchmark, method, row, verdict

from reproof import params
from reproof.comparison import ModelDifference, compare, rules_of
from reproof.errors import ReproofError
from reproof.history import Row
from reproof.stats import seeds


def test_a_clear_difference_over_enough_seeds_is_really_better() -> None:
    found = against([value + 0.02 + 0.001 * (i % 3) for i, value in enumerate(BASE)])
    told = verdict(found, "new")
    assert (told.kind, told.is_firm, told.test, told.n) == ("better", True, "paired t", (6, 6))
    assert told.difference == pytest.approx(0.021)
    expected = seeds.paired([(v + 0.02 + 0.001 * (i % 3), v) for i, v in enumerate(BASE)])
    assert told.interval == pytest.approx(expected.interval)
    assert told.p_value == pytest.approx(expected.p_value)
    assert told.adjusted_p is not None
    assert verdict(found, "new", "loss").kind == "better"  # lower is better there
    assert found.headline.startswith("new has the best accuracy: 0.9212 ± ")
    assert "really better than main: +0.0210 (95% interval " in found.headline


def test_three_seeds_say_probably_and_show_no_p_value() -> None:
    found = against([0.921, 0.923, 0.918], BASE[:3])
    told = verdict(found, "new")
    assert (told.kind, told.is_firm, told.p_value) == ("better", False, None)
    assert "n = 3 cannot reach p < 0.05 (exact sign-flip test: 0.25 at best)" in told.reason
    assert "probably better than main" in found.headline
    assert "6 seeds can" in found.headline


def test_a_difference_within_the_margin_is_the_same() -> None:
    told = verdict(against([value + 0.001 * (i % 2) for i, value in enumerate(BASE)]), "new")
    assert (told.kind, told.reason) == ("same", "the interval lies within the margin of 0.005")


def test_a_difference_that_may_be_within_the_margin_says_so() -> None:
    told = verdict(against([value + 0.004 + 0.001 * (i % 3) for i, value in enumerate(BASE)]), "new")
    assert (told.kind, told.reason) == ("better", "perhaps by no more than the margin of 0.005")


def test_a_wide_interval_is_inconclusive_and_a_clear_loss_is_worse() -> None:
    noisy = against([0.80, 0.99, 0.91, 0.85, 0.97, 0.93])
    assert (verdict(noisy, "new").kind, verdict(noisy, "new").reason) == (
        "inconclusive",
        "the interval holds 0",
    )
    worse = against([value - 0.05 - 0.001 * (i % 3) for i, value in enumerate(BASE)])
    assert verdict(worse, "new").kind == "worse"
    assert worse.headline.startswith(
        "main has the best accuracy: 0.9002 ± 0.0029 (n = 6): it is the baseline"
    )


def test_seeds_that_are_not_shared_are_compared_by_welch() -> None:
    told = verdict(against([0.93, 0.934, 0.931, 0.929], first_seed=100), "new")
    assert (told.test, told.n) == ("Welch's t", (4, 6))
    expected = seeds.independent([0.93, 0.934, 0.931, 0.929], BASE)
    assert told.interval == pytest.approx(expected.interval)


def test_seeds_that_are_shared_in_part_are_compared_by_welch() -> None:
    told = verdict(against([0.93, 0.934, 0.931, 0.929, 0.93, 0.931], first_seed=3), "new")
    assert told.test == "Welch's t"


def test_other_data_is_not_comparable_and_not_ranked_first() -> None:
    found = against([0.99] * 6, data="other")
    assert (verdict(found, "new").kind, verdict(found, "new").reason) == ("not comparable", "other data")
    assert [one.name for one in found.groups] == ["main", "new"]
    assert "2 versions of the data" in found.warnings[0]
    assert verdict(against([0.99] * 6, data=None), "new-s0").reason == "the data of one is not recorded"


def test_timings_of_another_machine_are_not_comparable_but_scores_are() -> None:
    base = method("main", BASE, latency=1.0)
    new = method("new", [value + 0.03 for value in BASE], train__lr=0.2, latency=2.0, machine="other")
    found = compare([*base, *new], RULES, baseline=base[0])
    assert verdict(found, "new", "latency_ms").reason == "measured on another machine"
    assert verdict(found, "new").difference == pytest.approx(0.03)
    assert found.groups[0].differs == ("machine",)
    assert any("2 machines" in warning for warning in found.warnings)


def test_other_code_is_compared_with_a_warning() -> None:
    found = against([value + 0.03 + 0.001 * (i % 2) for i, value in enumerate(BASE)], code="other")
    assert verdict(found, "new").kind == "better"
    assert any("new of other code than main" in warning for warning in found.warnings)


def test_one_run_against_several_is_judged_by_their_spread() -> None:
    told = verdict(against([0.98]), "new-s0")
    assert (told.test, told.kind, told.is_firm) == ("one run against several", "better", False)
    assert verdict(against([0.903]), "new-s0").kind == "inconclusive"


def test_a_lucky_single_run_does_not_answer_for_several_seeds() -> None:
    rows = [*method("main", BASE), row("lucky", 0.99, train__lr=9.0)]
    rows += method("new", [v + 0.02 + 0.001 * (i % 3) for i, v in enumerate(BASE)], train__lr=0.2)
    found = compare(rows, RULES, baseline=rows[0])
    assert found.groups[0].name == "lucky"
    assert found.headline.startswith(
        "lucky has the best accuracy, 0.9900, but of one run; of those with several seeds it is new: 0.9212"
    )


def test_the_same_numbers_are_the_same_and_a_fixed_one_is_judged_by_counting() -> None:
    same = verdict(against(BASE), "new")
    assert (same.kind, same.difference, same.interval) == ("same", 0.0, None)
    base = method("main", [0.9] * 3)
    new = method("new", [0.8] * 3, train__lr=0.2)
    told = verdict(compare([*base, *new], RULES, baseline=base[0]), "new")
    assert (told.kind, told.interval) == ("inconclusive", None)
    assert told.reason.startswith("it does not vary over the seeds")
    six = verdict(against([0.8] * 6, [0.9] * 6), "new")
    assert (six.kind, six.p_value) == ("worse", 2.0**-5)


def test_many_comparisons_are_corrected() -> None:
    """A difference that alone would count is one of twenty that chance may bring."""
    draw = random.Random(4)
    base = method("main", BASE)
    new = method(
        "new", [value + 0.004 * (1 + (i % 3)) - 0.001 for i, value in enumerate(BASE)], train__lr=0.2
    )
    alone = compare([*base, *new], RULES, baseline=base[0], metrics=["accuracy"])
    assert verdict(alone, "new").kind == "better"
    assert verdict(alone, "new").adjusted_p is None
    others = [
        one
        for i in range(40)
        for one in method(f"other{i}", [draw.gauss(0.9, 0.01) for _ in BASE], train__lr=1.0 + i)
    ]
    found = compare([*base, *new, *others], RULES, baseline=base[0], metrics=["accuracy"])
    told = verdict(found, "new")
    assert found.comparisons == 41
    assert told.kind == "inconclusive"
    assert "some of 41 comparisons" in told.reason
    assert told.adjusted_p is not None
    assert told.p_value is not None
    assert told.p_value < 0.05 < told.adjusted_p


def test_without_a_direction_nothing_is_better() -> None:
    rows = method("main", BASE)
    found = compare(
        [*rows, *method("new", [v + 0.05 for v in BASE], train__lr=0.2)], NO_RULES, baseline=rows[0]
    )
    assert all(told.kind not in ("better", "worse") for one in found.groups for told in one.verdicts.values())
    assert "nobody has declared which way accuracy is better" in found.headline
    assert any("comparison: {metrics: {accuracy: {better: higher}}}" in one for one in found.warnings)


def test_directions_come_from_objectives_where_comparison_says_none() -> None:
    raw = {
        "summary": {"accuracy": ACCURACY, "loss": LOSS},
        "report": {
            "criteria": {
                "a": {"metric": ACCURACY, "operator": ">=", "target": 0.9},
                "low": {"metric": "evaluate.ratio", "operator": ">=", "target": 0.1},
                "high": {"metric": "evaluate.ratio", "operator": "<=", "target": 0.2},
            },
            "inference_targets": {"fast": {"metric": LATENCY, "operator": "<", "target": 1.0}},
        },
        "comparison": {"metrics": {"loss": {"better": "lower", "margin": 0.01}}, "fail_on_regression": True},
    }
    rules = rules_of(raw)
    assert (rules.of("accuracy").better, rules.of("accuracy").source) == ("higher", "report.criteria")
    assert (rules.of(LATENCY).better, rules.of("evaluate.ratio").better) == ("lower", None)
    assert (rules.of(LOSS).better, rules.of("loss").margin) == ("lower", 0.01)
    assert rules.fail_on_regression
    assert rules_of(params.flatten(raw)) == rules


@pytest.mark.parametrize(
    ("said", "where"),
    [
        ({"better": "up"}, "comparison.metrics.loss"),
        ({"margin": 1.0}, "comparison.metrics.loss"),
        ({"better": "lower", "margin": -1}, "comparison.metrics.loss.margin"),
        ({"better": "lower", "margin": float("nan")}, "comparison.metrics.loss.margin"),
        ({"better": "lower", "margin": True}, "comparison.metrics.loss.margin"),
        ({"better": "lower", "margn": 0.1}, "comparison.metrics.loss.margn"),
        ("higher", "comparison.metrics.loss"),
    ],
)
def test_a_rule_that_is_none_is_an_error(said: object, where: str) -> None:
    with pytest.raises(ReproofError) as caught:
        rules_of({"comparison": {"metrics": {"loss": said}}})
    assert caught.value.where == f"params.yaml: {where}"


def test_to_fail_on_a_regression_is_yes_or_no() -> None:
    with pytest.raises(ReproofError, match="neither true nor false"):
        rules_of({"comparison": {"fail_on_regression": "yes"}})


def test_a_difference_without_a_direction_differs_and_is_not_inconclusive() -> None:
    rows = method("main", BASE)
    better = [value + 0.05 + 0.001 * (i % 3) for i, value in enumerate(BASE)]
    found = compare([*rows, *method("new", better, train__lr=0.2)], NO_RULES, baseline=rows[0])
    told = verdict(found, "new")
    assert (told.kind, told.is_firm) == ("differs", True)
    assert told.reason == "nobody has said which way it is better"


def test_runs_without_a_seed_are_no_pairs() -> None:
    values = [0.80, 0.82, 0.84, 0.86, 0.88, 0.90]
    rows = [row(f"a{i}", value, seed=None) for i, value in enumerate(values)]
    new = [row(f"b{i}", value + 0.01, seed=None, train__lr=0.2) for i, value in enumerate(values)]
    found = compare([*rows, *new], RULES, baseline=rows[0])
    told = next(one for one in found.groups if one.n == 6 and one.name.startswith("b")).verdicts["accuracy"]
    assert (told.kind, told.test) == ("inconclusive", "Welch's t")


@pytest.mark.parametrize(("status", "kind"), [("stable", "better"), ("noisy", "inconclusive")])
def test_a_noisy_timing_is_no_better(status: str, kind: str) -> None:
    rows = [row(f"old-s{i}", 0.9, seed=i, latency=2.0 + i / 100) for i in range(6)]
    new = [row(f"new-s{i}", 0.9, seed=i, latency=1.0 + i / 100, train__lr=0.2) for i in range(6)]
    found = compare([*rows, *new], RULES, baseline=rows[0], read=lambda *_: benchmark(status))
    told = verdict(found, "new", "latency_ms")
    assert told.kind == kind
    assert status == "stable" or "is noisy: it can carry no claim" in told.reason


def test_a_training_that_blew_up_has_no_mean() -> None:
    rows = method("main", BASE)
    found = compare([*rows, *method("new", [1e200] * 3, train__lr=0.2)], RULES, baseline=rows[0])
    assert next(one for one in found.groups if one.name == "new").spreads == {}


def test_equal_values_have_no_spread() -> None:
    assert seeds.spread([0.1 + 0.2, 0.3, 0.3]).sd == 0


# Two models.


def test_single_runs_are_compared_as_models() -> None:
    base, new = row("main", 0.9), row("new", 0.95, train__lr=0.2)
    asked: list[tuple[str, str, list[str]]] = []

    def models(first: Row, second: Row, metrics: Sequence[str]) -> Mapping[str, ModelDifference]:
        asked.append((first.name, second.name, list(metrics)))
        return {
            ACCURACY: ModelDifference(0.05, (0.02, 0.08), 0.003, "300 shared test examples"),
            LOSS: ModelDifference(None, None, missing="the answers are not here"),
        }

    found = compare([base, new], RULES, baseline=base, models=models)
    assert asked == [("main", "new", [ACCURACY, LOSS])]
    told = verdict(found, "new")
    assert (told.kind, told.claim, told.p_value) == ("better", "these two models", 0.003)
    assert told.reason == "these two models, on 300 shared test examples"
    assert "as a model it is really better than main's" in found.headline
    missing = verdict(found, "new", "loss")
    assert (missing.kind, missing.interval) == ("inconclusive", None)
    assert missing.reason == "one run a side, without an interval: the answers are not here"


def test_the_first_sentence_agrees_with_the_table_where_the_best_is_the_baseline() -> None:
    base, new = row("main", 0.95), row("new", 0.9, train__lr=0.2)
    found = compare(
        [base, new], RULES, baseline=base,
        models=lambda *_: {ACCURACY: ModelDifference(-0.05, (-0.08, -0.02), 0.003, "300 test examples")},
    )  # fmt: skip
    assert verdict(found, "new").kind == "worse"
    assert "As a model it is better than new (0.9000), the next." in found.headline


def test_an_interval_and_mcnemar_must_agree() -> None:
    base, new = row("main", 0.9), row("new", 0.95, train__lr=0.2)
    found = compare(
        [base, new], RULES, baseline=base,
        models=lambda *_: {ACCURACY: ModelDifference(0.05, (0.01, 0.08), 0.07, "300 test examples")},
    )  # fmt: skip
    assert verdict(found, "new").kind == "inconclusive"
    assert "McNemar" in verdict(found, "new").reason


def test_a_thousand_single_runs_are_not_resampled() -> None:
    rows = [row(f"run{i}", 0.9 + i / 1000, train__lr=1.0 + i) for i in range(20)]

    def models(*_: object) -> Mapping[str, ModelDifference]:
        raise AssertionError("not asked for")

    found = compare(rows, RULES, baseline=rows[0], models=models)
    assert {verdict(found, f"run{i}").kind for i in range(1, 20)} == {"inconclusive"}


# What else differs.


def test_the_baseline_must_have_ended_well() -> None:
    failed = row("main", status="failed")
    with pytest.raises(ReproofError, match="the baseline did not end well: failed"):
        compare([failed, row("new")], RULES, baseline=failed)


def test_pooled_params_are_told_and_compared_in_like_pairs() -> None:
    rows = [
        row(f"lr{lr}-c{channels}", 0.8 + channels / 200 + (0.02 if lr == 0.2 else 0) + 0.001 * (channels % 5),
            train__lr=lr, model__channels=channels)
        for lr in (0.1, 0.2) for channels in (8, 9, 12, 16)
    ]  # fmt: skip
    found = compare(rows, RULES, baseline=rows[0], by=["train.lr"], metrics=["accuracy"])
    (told,) = [one.verdicts["accuracy"] for one in found.groups if one.verdicts]
    assert (told.difference, told.n, told.kind) == (pytest.approx(0.02), (4, 4), "inconclusive")
    assert told.interval is None  # 0.02 in each pair
    assert any("pool runs that also differ in model.channels" in one for one in found.warnings)


def test_simpsons_paradox_is_told() -> None:
    """The new method is worse on each size, and better in the mean: it ran on the better size more often."""
    rows = [row(f"main-small{i}", 0.80 + i / 1000, seed=i, model__channels=8) for i in range(5)]
    rows += [row("main-large", 0.95, seed=0, model__channels=32)]
    rows += [row("new-small", 0.78, seed=0, model__channels=8, train__lr=0.2)]
    rows += [
        row(f"new-large{i}", 0.93 + i / 1000, seed=i, model__channels=32, train__lr=0.2) for i in range(5)
    ]
    found = compare(rows, RULES, baseline=rows[0], by=["train.lr"], metrics=["accuracy"])
    means = {one.params["train.lr"]: one.spreads["accuracy"].mean for one in found.groups}
    assert means[0.2] > means[0.1]
    assert any("Simpson's paradox" in warning for warning in found.warnings)
    like = compare(rows, RULES, baseline=rows[0], by=["train.lr", "model.channels"], metrics=["accuracy"])
    assert not any("Simpson" in warning for warning in like.warnings)


def test_other_packages_are_told() -> None:
    rows = method("main", BASE[:2])
    new = method("new", [0.95, 0.96], train__lr=0.2)
    versions = {id(one): "2.3" for one in rows} | {id(one): "2.4" for one in new}

    def read(one: Row, name: str) -> bytes | None:
        return (
            f'{{"packages": {{"numpy": "{versions[id(one)]}", "torch": "2"}}}}'.encode()
            if name == "meta.json"
            else None
        )

    found = compare([*rows, *new], RULES, baseline=rows[0], read=read)
    assert "new had other packages than main: numpy 2.4 instead of 2.3" in found.warnings
    assert found.groups[0].differs == ("packages",)


def test_a_short_name_that_means_something_else_is_left_out() -> None:
    rows = method("main", BASE[:3])
    other = row("odd", 0.99, train__lr=0.2, summary__accuracy="evaluate.train.accuracy")
    odd = Row(
        type(other.run)(**{**vars(other.run), "metrics": {"evaluate.train.accuracy": 0.99}}),
        "experiment",
        ("odd",),
    )
    found = compare([*rows, odd], RULES, baseline=rows[0], metrics=["accuracy"])
    assert next(one for one in found.groups if one.name == "odd").spreads == {}
    assert any("evaluate.train.accuracy" in warning for warning in found.warnings)
