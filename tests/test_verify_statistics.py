"""Fresh seeds, repetitions, and causes: what is said of them, and what is not."""

from __future__ import annotations

import math
import random
import statistics as plain
from collections.abc import Mapping

import pytest

from reproof.verify import control, explain, factors, interventions
from reproof.verify.errors import RerunFailed
from reproof.verify.execution import Changes
from reproof.verify.factors import Factor
from reproof.verify.snapshot import Held, Snapshot
from reproof.verify.statistics import fresh_seeds, replicate

HEADLINE = {"accuracy": "evaluate.test.accuracy", "loss": "evaluate.test.loss"}


def runs(values: list[float], name: str = "evaluate.test.accuracy") -> list[Mapping[str, float | None]]:
    return [{name: value} for value in values]


def test_the_interval_is_that_of_one_more_run() -> None:
    values = [0.95, 0.96, 0.97]
    found = replicate(
        {"a": "evaluate.test.accuracy"}, {"evaluate.test.accuracy": 0.9}, [1, 2, 3], runs(values), {}
    )
    (one,) = found.metrics
    half = 4.302652729911275 * 0.01 * math.sqrt(4 / 3)  # t of 2 degrees of freedom, by tables
    assert one.interval == pytest.approx((0.96 - half, 0.96 + half))
    assert found.half_width == pytest.approx(4.97, abs=0.01)
    assert found.confidence == 0.95
    assert one.inside is False
    assert found.replicates is False


def test_a_true_record_is_inside_in_95_of_100_cases_and_an_edited_one_is_not() -> None:
    draw = random.Random(5)
    inside = caught = 0
    for _ in range(2000):
        values = [draw.gauss(0.96, 0.005) for _ in range(6)]
        truth = draw.gauss(0.96, 0.005)
        for recorded, edited in ((truth, False), (truth + 0.05, True)):
            record = {"evaluate.test.accuracy": recorded}
            found = replicate({"a": "evaluate.test.accuracy"}, record, range(5), runs(values[:5]), {})
            if edited:
                caught += not found.replicates
            else:
                inside += bool(found.replicates)
    assert 0.94 < inside / 2000 < 0.96
    assert caught / 2000 > 0.99


def test_several_metrics_share_the_five_percent() -> None:
    draw = random.Random(6)
    names = {f"m{index}": f"evaluate.m{index}" for index in range(4)}
    all_inside = 0
    for _ in range(1500):
        seeds = [{metric: draw.gauss(0, 1) for metric in names.values()} for _ in range(5)]
        recorded = {metric: draw.gauss(0, 1) for metric in names.values()}
        found = replicate(names, recorded, range(5), seeds, {})
        assert found.confidence == pytest.approx(1 - 0.05 / 4)
        all_inside += bool(found.replicates)
    assert 0.94 < all_inside / 1500 < 0.97


def test_what_does_not_vary_with_the_seed_predicts_itself_alone() -> None:
    for recorded, expected in ((0.5, True), (0.5 + 1e-9, False)):
        record = {"evaluate.test.accuracy": recorded}
        found = replicate({"a": "evaluate.test.accuracy"}, record, [1, 2, 3], runs([0.5] * 3), {})
        assert found.replicates is expected


def test_a_coarse_metric_that_did_not_vary_by_chance_is_not_judged() -> None:
    headline = {"a": "evaluate.test.accuracy"}
    made = [{"evaluate.test.accuracy": 0.5, "evaluate.test.loss": loss} for loss in (0.3, 0.4, 0.5)]
    for recorded, inside in ((0.5, True), (0.52, None)):
        found = replicate(headline, {"evaluate.test.accuracy": recorded}, [1, 2, 3], made, {})
        assert found.metrics[0].inside is found.replicates is inside
    both = {**headline, "b": "evaluate.test.loss"}
    record = {"evaluate.test.accuracy": 0.52, "evaluate.test.loss": 9.0}
    assert replicate(both, record, [1, 2, 3], made, {}).replicates is False
    assert replicate(both, {**record, "evaluate.test.loss": 0.4}, [1, 2, 3], made, {}).replicates is None


def test_what_cannot_be_judged_is_named_and_alone_is_no_match() -> None:
    record = {"evaluate.test.accuracy": 0.9, "evaluate.test.loss": None}
    made: list[Mapping[str, float | None]] = [{"evaluate.test.accuracy": None}] * 3
    headline = HEADLINE | {"latency": "benchmark.b1.latency_ms"}
    found = replicate(headline, record, [1, 2, 3], made, {"benchmark.b1.latency_ms": "a timing"})
    assert found.replicates is None
    assert found.missing == {
        "accuracy": "3 of 3 fresh runs have no value",
        "loss": "the record has no value, or its stage was not executed",
        "latency": "a timing",
    }


def test_fewer_than_three_seeds_predict_nothing() -> None:
    with pytest.raises(ValueError, match="2 fresh runs"):
        replicate(HEADLINE, {}, [1, 2], runs([0.1, 0.2]), {})


def test_fresh_seeds_follow_from_the_commit_and_are_never_the_recorded_one() -> None:
    seeds = fresh_seeds("3f2c1ab", 0, 20)
    assert seeds == fresh_seeds("3f2c1ab", 0, 20)
    assert len(set(seeds)) == 20
    assert all(0 <= seed < 2**32 for seed in seeds)
    assert set(seeds).isdisjoint(fresh_seeds("another", 0, 20))
    assert seeds[0] not in fresh_seeds("3f2c1ab", seeds[0], 20)
    assert plain.fmean(seeds) / 2**32 == pytest.approx(0.5, abs=0.25)


def shot(weights: str = "w", log: str = "l", accuracy: float = 0.9) -> Snapshot:
    artefacts = {"weights": Held("train", weights, None), "log": Held("train", log, None)}
    return Snapshot(artefacts, {"evaluate.accuracy": accuracy}, {})


def test_repetitions_that_differ_are_called_racy_by_what_differs() -> None:
    assert control.of([shot()]) is None
    same = control.of([shot(), shot(), shot()])
    assert same is not None
    assert (same.identical, same.runs, str(same)) == (True, 3, "A = A  identical (3 runs)")
    odd = control.of([shot(), shot(), shot("other")])
    assert odd is not None
    assert odd.differing == ("weights",)
    assert str(odd).startswith("A ≠ A  racy: weights differ")


ISA = Factor("ISA", "isa", "AVX2", "AVX512")
CPU = Factor("CPU", "machine", "EPYC", "Xeon")
NUMPY = Factor("numpy", "package", "1.26.0", "2.4.6")
THREADS = Factor("threads", "threads", "1", "8")
HASH = Factor("PYTHONHASHSEED", "variable", "0", "random")


def test_a_cause_is_confirmed_where_setting_it_brings_the_record_back() -> None:
    asked: list[Changes] = []

    def execute(changes: Changes) -> Snapshot:
        asked.append(changes)
        if "ATEN_CPU_CAPABILITY" in changes.env:
            return shot()
        return shot("here") if changes.params else shot("third")

    found = explain.explain(shot(), shot("here"), None, [ISA, CPU, NUMPY, THREADS, HASH], execute)
    by_name = {cause.factor: cause for cause in found}
    assert str(by_name["ISA"]) == "ISA  [confirmed: this machine limited to AVX2 reproduces the record]"
    assert found[0] is by_name["ISA"]
    assert by_name["threads"].status == "ruled out"
    assert by_name["PYTHONHASHSEED"].status == "candidate"
    assert by_name["CPU"].words == "EPYC was recorded, Xeon is here; it cannot be set"
    assert "--recreate-env" in by_name["packages"].words
    assert [dict(one.params) for one in asked if one.params] == [{"threads": 1}]
    assert [dict(one.env) for one in asked if "PYTHONHASHSEED" in one.env] == [{"PYTHONHASHSEED": "0"}]


def test_a_metric_that_comes_back_alone_confirms_nothing() -> None:
    made = shot("here", "here", 0.8)
    found = explain.explain(shot(), made, None, [THREADS], lambda _: shot("third", "third", 0.9))
    assert [cause.status for cause in found] == ["candidate"]


def test_an_artefact_that_comes_back_confirms_a_part() -> None:
    made = shot("here", "here", 0.8)
    (found,) = explain.explain(shot(), made, None, [THREADS], lambda _: shot("w", "here", 0.8))
    assert found.status == "confirmed"
    assert "1 of 2 artefacts" in found.words
    assert "not the only cause" in found.words


def test_nothing_is_explained_where_nothing_differs() -> None:
    def never(_: Changes) -> Snapshot:
        raise AssertionError

    assert explain.explain(shot(), shot(), None, [ISA], never) == ()


def test_without_a_factor_that_differs_the_record_is_the_suspect() -> None:
    (found,) = explain.explain(shot(), shot("here"), None, [], lambda _: shot())
    assert (found.factor, found.status) == ("unknown", "candidate")
    assert "look at the record itself" in found.words


def test_an_intervention_that_fails_stays_a_candidate() -> None:
    def fails(_: Changes) -> Snapshot:
        raise RerunFailed("the stage 'train' failed")

    (found,) = explain.explain(shot(), shot("here"), None, [THREADS], fails)
    assert (found.status, found.words) == (
        "candidate",
        "threads: 1: the run fails so (the stage 'train' failed)",
    )


def test_racy_code_is_made_steady_one_setting_at_a_time() -> None:
    draw = random.Random(1)
    racy = control.of([shot("a"), shot("b")])

    def execute(changes: Changes) -> Snapshot:
        return shot("steady" if changes.params == {"deterministic": True} else str(draw.random()))

    found = explain.explain(shot(), shot("a"), racy, [ISA], execute)
    told = {cause.factor: cause.status for cause in found}
    assert told == {"deterministic": "confirmed", "threads": "ruled out"}
    found = explain.explain(shot(), shot("a"), racy, [], lambda _: shot(str(draw.random())))
    assert [cause.status for cause in found] == ["candidate", "ruled out", "ruled out"]


@pytest.mark.parametrize(
    ("recreated", "here", "status"),
    [
        (shot(), shot("new"), "confirmed"),
        (shot("a"), shot("a"), "ruled out"),
        (shot("w", "x"), shot("y", "x"), "confirmed"),
        (shot("a"), shot("b"), "candidate"),
    ],
)
def test_packages_are_confirmed_by_running_with_both(
    recreated: Snapshot, here: Snapshot, status: str
) -> None:
    found = explain.of_packages(shot(), recreated, here, [NUMPY])
    assert found is not None
    assert found.status == status
    assert "numpy" in found.words
    assert explain.of_packages(shot(), recreated, here, []) is None


def test_a_processor_is_limited_but_never_raised() -> None:
    higher = Factor("ISA", "isa", "AVX512", "AVX2")
    other = Factor("ISA", "isa", "NEON", "AVX512")
    possible, not_possible = interventions.possible([higher])
    assert possible == []
    assert not_possible["ISA"] == "AVX512 was recorded, and this processor has no more than AVX2"
    assert interventions.possible([other])[0] == []
    (limit,), _ = interventions.possible([Factor("ISA", "isa", "DEFAULT", "AVX512")])
    assert limit.changes.env["ATEN_CPU_CAPABILITY"] == "default"


def test_numpy_is_asked_to_leave_only_what_it_has() -> None:
    (limit,), _ = interventions.possible([ISA])
    named = (limit.changes.env.get("NPY_DISABLE_CPU_FEATURES") or "").split()
    from numpy._core import _multiarray_umath as core  # type: ignore[attr-defined]

    assert set(named) <= {name for name in core.__cpu_dispatch__ if core.__cpu_features__[name]}
    assert all(name.startswith(("AVX512", "X86_V4")) for name in named)


def record(**changes: object) -> dict[str, object]:
    environment: dict[str, object] = {
        "packages": {"torch": "2.13.0", "numpy": "2.4.6", "rich": "14.0"},
        "python": {"version": "3.11.7"},
        "cpu": {"model": "EPYC", "isa": "AVX512", "usable_cores": 8},
        "variables": {"OMP_NUM_THREADS": "1"},
        "gpus": None,
    }
    pinned = {"threads": 1, "torch": {"threads": 1, "cpu_capability": "AVX512"}}
    environment |= changes
    return {"environment": environment, "pinned": pinned, "facts": {}}


def test_the_environment_names_what_differs_and_what_people_look_for() -> None:
    here = record(packages={"torch": "2.13.0", "numpy": "2.4.7"}, variables={"PYTHONHASHSEED": "0"})
    here["pinned"] = {"threads": 2, "torch": {"threads": 2, "cpu_capability": "AVX2"}}
    found = {one.name: one for one in factors.between({"train": record()}, {"train": here})}
    assert [name for name, one in found.items() if one.same is False] == [
        "numpy", "rich", "threads", "torch's threads", "ISA", "OMP_NUM_THREADS", "PYTHONHASHSEED",
    ]  # fmt: skip
    assert (found["rich"].recorded, found["rich"].here) == ("14.0", None)
    assert (found["ISA"].recorded, found["ISA"].here) == ("AVX512", "AVX2")
    assert found["torch"].same is True
    assert found["GPU"].same is None


def test_a_difference_in_any_stage_is_a_difference() -> None:
    here = {"train": record(), "evaluate": record(cpu={"model": "Xeon", "isa": "AVX512", "usable_cores": 8})}
    found = factors.between({"train": record(), "evaluate": record()}, here)
    assert {one.name for one in found if one.same is False} == {"CPU"}
