"""Which runs belong together, and which are compared."""

from __future__ import annotations

import pytest
from compared import ACCURACY, RULES, method, row

from reproof.comparison import compare, groups
from reproof.errors import ReproofError


def names(rows: list[groups.Row], by: list[str] | None = None) -> list[str]:
    return [one.name for one in groups.group(rows, by).groups]


def test_runs_that_differ_in_their_seed_alone_are_one_group() -> None:
    rows = [
        *method("wide", [0.9, 0.91], report__title="a"),
        row("wide-s2", 0.92, seed=2, report__title="another", comparison__fail_on_regression=True),
        row("wide-2t", threads=2),
        row("lr", train__lr=0.2),
        row("code", code="other"),
        row("data", data="other"),
        row("unknown", code=None),
        row("unknown too", code=None),
    ]
    found = groups.group(rows)
    assert [(one.name, one.seeds) for one in found.groups] == [
        ("wide", (0, 1, 2)),
        *((name, (0,)) for name in ("wide-2t", "lr", "code", "data", "unknown", "unknown too")),
    ]
    assert found.varying == ("threads", "train.lr")
    assert found.groups[1].params == {"threads": 2, "train.lr": 0.1}


def test_one_and_one_point_naught_are_the_same_value_and_true_is_not() -> None:
    rows = [
        row("a", model__channels=1),
        row("b", seed=1, model__channels=1.0),
        row("c", model__channels=True),
    ]
    assert [one.n for one in groups.group(rows).groups] == [2, 1]


def test_params_that_are_lists_group_too() -> None:
    rows = [row("a", sizes=[1, 2]), row("b", seed=1, sizes=[1, 2]), row("c", sizes=[2, 1]), row("d")]
    assert [one.n for one in groups.group(rows).groups] == [2, 1, 1]


def test_a_second_run_of_a_seed_is_a_repetition_and_does_not_count() -> None:
    rows = [*method("m", [0.90, 0.92, 0.94]), row("m-again", 0.5, seed=1)]
    (one,) = groups.group(rows).groups
    assert (one.n, [r.name for r in one.repetitions]) == (3, ["m-again"])
    found = compare(rows, RULES, baseline=rows[-1])
    assert found.baseline is not None  # though the run itself does not count
    assert found.baseline.spreads["accuracy"].mean == pytest.approx(0.92)


def test_runs_without_a_seed_are_no_repetitions_of_each_other() -> None:
    rows = [row("a", 0.9, seed=None), row("b", 0.8, seed=None)]
    (one,) = groups.group(rows).groups
    assert one.n == 2
    found = compare([*rows, row("c", 0.85, train__lr=0.2)], RULES, baseline=rows[0])
    assert found.baseline is not None
    assert found.baseline.spreads["accuracy"].values == (0.9, 0.8)


def test_failed_runs_and_those_in_progress_are_told_and_not_compared() -> None:
    rows = [row("good"), row("bad", 0.1, status="failed"), row("now", status="in_progress", kind="running")]
    found = compare([*rows, row("part", status="partial", train__lr=0.2)], RULES, baseline=rows[0])
    assert [one.name for one in found.groups] == ["good", "part"]
    assert [one.name for one in found.left_out] == ["bad", "now"]


def test_a_group_has_what_its_runs_names_share() -> None:
    assert names(method("seed", [0.1, 0.2])) == ["seed"]
    assert names([row("gamic-pika"), row("pudgy-lion", seed=1)]) == ["gamic-pika +1"]
    assert names([row("main", kind="commit"), row("zig", seed=1), row("zag", seed=2)]) == ["main +2"]
    both = [*method("exp", [0.1, 0.2]), *method("exp", [0.3, 0.4], train__lr=0.2)]
    assert len(set(names(both))) == 2


def test_by_makes_groups_of_params_and_of_blocks() -> None:
    rows = [
        row("a", 0.91, model__channels=8, model__depth=1, train__lr=0.1),
        row("b", 0.92, model__channels=8, model__depth=1, train__lr=0.2),
        row("c", model__channels=8, model__depth=2, train__lr=0.1),
        row("d", model__channels=8, model__depth=2, train__lr=0.1, data="other"),
    ]
    found = groups.group(rows, ["model"])
    assert [one.n for one in found.groups] == [2, 1, 1]
    assert found.pooled == ("train.lr",)
    assert found.groups[0].params == {"model.depth": 1}
    assert len(groups.group(rows, ["params.train.lr"]).groups) == 3
    assert len(groups.group(rows[:3], ["threads"]).groups) == 1  # the same everywhere
    assert len(groups.group([row("a"), row("b", seed=1)], ["seed"]).groups) == 2
    # Two threads give the same numbers: that is one run of the seed, and not two.
    (pooled,) = groups.group([row("one", threads=1), row("two", threads=2)], ["model"]).groups
    assert (pooled.n, len(pooled.repetitions)) == (1, 1)
    with pytest.raises(ReproofError) as caught:
        groups.group(rows, ["modle"])
    assert caught.value.hint is not None
    assert "model" in caught.value.hint


def test_metrics_are_found_by_short_and_by_full_names() -> None:
    rows = method("m", [0.9, 0.91])
    for name in ("accuracy", ACCURACY, "metrics.accuracy", f"metrics.{ACCURACY}"):
        (metric,) = compare(rows, RULES, metrics=[name]).metrics
        assert (metric.name, metric.full, metric.rule.better) == ("accuracy", ACCURACY, "higher")
    assert [one.name for one in compare(rows, RULES).metrics] == ["accuracy", "loss"]
    with pytest.raises(ReproofError, match="no run here has the metric 'acuracy'") as caught:
        compare(rows, RULES, metrics=["acuracy"])
    assert caught.value.hint is not None
    assert "accuracy" in caught.value.hint


def test_the_ranking_follows_the_metric_and_its_direction() -> None:
    rows = [
        row("a", 0.90, latency=1.0),
        row("b", 0.95, latency=3.0, train__lr=0.2),
        row("c", None, train__lr=0.3),
    ]
    assert [one.name for one in compare(rows, RULES).groups] == ["b", "a", "c"]
    assert [one.name for one in compare(rows, RULES, sort="latency_ms").groups] == ["a", "b", "c"]
    assert [one.name for one in compare(rows, RULES, sort="loss").groups] == ["b", "a", "c"]


def test_a_comparison_of_nothing_says_so() -> None:
    assert compare([], RULES).headline == "No run here has a metric to compare."
    alone = compare([row("a")], RULES)
    assert alone.headline == "a has the best accuracy: 0.9000 (one run); there is nothing to compare it with."
    failed = compare([row("a", status="failed")], RULES)
    assert failed.groups == ()
    assert len(failed.left_out) == 1


def test_repeated_and_mixed_machines_within_a_group_keep_timings_of_one() -> None:
    rows = [
        row("m-s0", 0.9, seed=0, latency=1.0),
        row("m-s1", 0.9, seed=1, latency=1.1),
        row("m-s2", 0.9, seed=2, latency=9.0, machine="other"),
    ]
    found = compare(rows, RULES, baseline=rows[0])
    assert found.baseline is not None
    assert found.baseline.machine == "machine"
    assert found.baseline.spreads["latency_ms"].values == (1.0, 1.1)
    assert found.baseline.spreads["accuracy"].n == 3
