"""Runs beside each other: over seeds, in one param, and in a sweep."""

from __future__ import annotations

from typing import Any

import pytest

from reproof import siblings
from reproof.history import Run
from reproof.stats.intervals import t_interval

# Runs beside each other.


def some(seed: int = 0, accuracy: float = 0.9, **changes: Any) -> Run:
    fields = {key: changes.pop(key) for key in list(changes) if key in Run.__dataclass_fields__}
    flat = {"seed": seed, "train.lr": 0.1, "report.title": f"{seed}"} | {
        k.replace("__", "."): v for k, v in changes.items()
    }
    return Run(
        run_id=fields.pop("run_id", f"{seed}-{sorted(changes.items())}-{accuracy}"),
        **{
            "status": "success",
            "seed": seed,
            "code_tree": "tree",
            "data": "data",
            "fingerprint": "here",
            "start_time": f"2026-01-01T00:00:0{seed}",
            "params": flat,
            "metrics": {"evaluate.test.accuracy": accuracy, "benchmark.latency_ms": accuracy},
            "headline": {"accuracy": accuracy},
        }
        | fields,
    )  # fmt: skip


def test_seeds_are_runs_that_differ_in_nothing_else() -> None:
    own = some(0, 0.90)
    others = [
        some(1, 0.92),
        some(2, 0.94),
        some(3, train__lr=0.2),
        some(4, status="failed"),
        some(8, status="in_progress"),
        some(5, code_tree="other"),
        some(6, data="other"),
        some(7, threads=2),
        some(1, 0.10, run_id="a repetition", start_time="2026-01-02T00:00:00"),
    ]
    group = siblings.seeds(own, others)
    assert group.seeds == (0, 1, 2)
    accuracy = group.headline["accuracy"]
    assert (accuracy.n, accuracy.mean) == (3, pytest.approx(0.92))
    assert accuracy.sd == pytest.approx(0.02)
    assert accuracy.interval == t_interval([0.90, 0.92, 0.94])
    assert siblings.seeds(own, []).headline["accuracy"].interval is None


def test_a_partial_run_counts_for_the_metrics_that_it_has() -> None:
    partial = some(1, status="partial", metrics={"evaluate.test.accuracy": 0.7})
    group = siblings.seeds(some(0), [partial])
    assert group.seeds == (0, 1)
    assert group.metrics["evaluate.test.accuracy"].values == (0.9, 0.7)
    assert group.metrics["benchmark.latency_ms"].n == 1
    others = [some(1), *(some(seed, 0.5, train__lr=0.2) for seed in (0, 1))]
    for one in (some(1, status="partial", train__lr=0.2, metrics={"benchmark.latency_ms": 0.4}), partial):
        own = [other for other in others if (other.seed, other.params) != (one.seed, one.params)]
        (variant,) = siblings.ablations(some(0), [*own, one])[0].variants
        lacks = {"evaluate.test.accuracy", "benchmark.latency_ms"} - set(one.metrics)
        for name, difference in variant.differences.items():
            assert difference.n == (1 if name in lacks else 2)
            means = variant.group.metrics[name].mean - variant.own.metrics[name].mean
            assert difference.mean == pytest.approx(means)


def test_nothing_is_a_sibling_of_a_run_whose_data_or_code_nobody_recorded() -> None:
    for lacking in ({"data": None}, {"code_tree": None}):
        own, other = some(0, **lacking), some(1, **lacking)
        assert siblings.seeds(own, [other]).runs == (own,)


def test_timings_of_another_machine_do_not_count() -> None:
    group = siblings.seeds(some(0), [some(1), some(2, fingerprint="elsewhere")])
    assert group.metrics["benchmark.latency_ms"].n == 2
    assert group.metrics["evaluate.test.accuracy"].n == 3


def test_an_ablation_differs_in_one_param_and_is_paired_by_the_seeds_that_both_have() -> None:
    own = some(0, 0.90)
    others = [some(1, 0.92), some(2, 0.91)]
    others += [some(seed, 0.80 + seed / 100, train__lr=0.2) for seed in (0, 1, 5)]
    others += [
        some(0, 0.5, train__lr=0.2, threads=9),
        some(9, 0.7, train__wd=1),
        some(0, 0.6, train__warm=True),
    ]
    lr, warm = siblings.ablations(own, others)
    (variant,) = lr.variants
    assert (lr.param, lr.value, variant.value) == ("train.lr", 0.1, 0.2)
    assert variant.group.seeds == variant.own.seeds == (0, 1)
    difference = variant.differences["evaluate.test.accuracy"]
    assert difference.values == pytest.approx((-0.10, -0.11))
    assert (warm.param, warm.value, warm.variants[0].group.seeds) == ("train.warm", None, (0,))
    assert warm.variants[0].differences["evaluate.test.accuracy"].interval is None


def test_a_sweep_names_what_varies() -> None:
    found = siblings.sweep(some(0), [some(1), some(0, train__lr=0.2), some(0, code_tree="other", threads=4)])
    assert found.params == ("seed", "train.lr")
    assert len(found.runs) == 3


def test_one_and_one_point_zero_are_one_value_and_true_is_another() -> None:
    assert siblings.varying([some(0, a=1), some(0, a=1.0)]) == []
    assert siblings.varying([some(0, a=1), some(0, a=True)]) == ["a"]
