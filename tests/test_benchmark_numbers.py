"""The benchmark's arithmetic and its rules, without processes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats

from reproof import params
from reproof.benchmark import Settings, cells, memory, numerics, nvml, summaries, timing, verdict
from reproof.benchmark.messages import Facts
from reproof.benchmark.one_process import assert_as_asked
from reproof.benchmark.settings import FULL, QUICK, repeats, rules
from reproof.errors import ReproofError

MS = 1_000_000


@pytest.mark.parametrize(("probability", "samples"), [(0.9, 36), (0.95, 72), (0.99, 368), (0.999, 3688)])
def test_percentiles_need_this_many_samples(probability: float, samples: int) -> None:
    assert summaries.min_samples(probability) == samples


def stage(*processes: Any) -> Any:
    arrays = [np.asarray(p, dtype=np.int64) for p in processes]
    return summaries.stage(arrays, [np.zeros(len(a), dtype=bool) for a in arrays])


def test_a_percentile_of_too_few_calls_is_null_with_the_reason() -> None:
    rng = np.random.default_rng(0)
    few = stage(*rng.normal(10 * MS, MS, size=(2, 36)))
    assert few.p95_ms is not None
    assert (few.p99_ms, few.p999_ms) == (None, None)
    assert few.unavailable_reason == {
        "p99_ms": "72 calls; it takes 368",
        "p999_ms": "72 calls; it takes 3688",
    }


def test_the_headline_is_the_median_of_process_medians() -> None:
    # Pooled, the long second process would decide; and its outlier stays in mean and max.
    found = stage([1 * MS] * 9 + [2 * MS], [3 * MS] * 99 + [500 * MS], [2 * MS] * 10)
    assert found.process_medians_ms == [1, 3, 2]
    assert found.median_ms == 2
    assert found.max_ms == 500
    assert found.ci95_ms == pytest.approx(scipy.stats.t.interval(0.95, 2, 2, scipy.stats.sem([1, 3, 2])))
    assert found.outliers is None
    assert "no deviation" in found.unavailable_reason["outliers"]


def test_outliers_are_counted_within_each_process() -> None:
    rng = np.random.default_rng(0)
    slow, fast = rng.normal(50 * MS, MS / 10, 100), rng.normal(10 * MS, MS / 10, 100)
    fast[7] *= 3
    assert stage(slow, fast).outliers == 1


def test_one_process_gives_no_interval() -> None:
    found = stage(np.arange(1, 100) * MS)
    assert (found.ci95_ms, found.ci95_half_width_percent) == (None, None)
    assert "takes two" in found.unavailable_reason["ci95_ms"]


def test_the_median_without_preempted_calls() -> None:
    times = np.array([1, 1, 1, 9, 9, 9, 9]) * MS
    assert summaries.stage([times], [times > 5 * MS]).median_unpreempted_ms == 1
    assert summaries.stage([times], [times > 0]).median_unpreempted_ms is None


QUIET: dict[str, Any] = {
    "half_width_percent": {"model": 1.0},
    "psi_percent": 0.5,
    "preempted_percent": 0.1,
    "throttle_reasons": [],
    "warmed": [True, True],
}


def test_a_quiet_cell_is_stable() -> None:
    found = verdict.judge(**QUIET)
    assert (found.status, found.reasons, found.unchecked) == ("stable", {}, {})


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"half_width_percent": {"model": 3.01}}, {"interval.model": "±3.0%, over ±3%"}),
        ({"half_width_percent": {"model": None}}, {"interval.model": "no interval"}),
        ({"psi_percent": 5.0}, {"cpu_pressure": "5.0% of the time, not under 5%"}),
        ({"preempted_percent": 12.0}, {"preempted": "12.0% of calls, not under 5%"}),
        ({"throttle_reasons": ["GPU: power cap"]}, {"throttled": "GPU: power cap"}),
        ({"warmed": [True, False]}, {"not_warmed": "1 of 2 processes"}),
    ],
)
def test_one_reason_makes_a_cell_noisy(change: dict[str, Any], reason: dict[str, str]) -> None:
    found = verdict.judge(**(QUIET | change))
    assert (found.status, found.reasons) == ("noisy", reason)


def test_what_the_machine_does_not_show_is_named() -> None:
    found = verdict.judge(**(QUIET | {"psi_percent": None, "throttle_reasons": None}))
    assert found.status == "stable"
    assert found.unchecked.keys() == {"cpu_pressure", "throttled"}


class Calls:
    """A process whose n-th call takes `duration(n)` nanoseconds."""

    def __init__(self, duration: Any) -> None:
        self.duration, self.taken = duration, np.zeros(0, dtype=np.int64)

    def more(self, min_calls: int, min_ns: int) -> timing.Nanoseconds:
        new: list[int] = []
        while len(new) < min_calls or sum(new) < min_ns:
            new.append(int(self.duration(len(self.taken) + len(new))))
        self.taken = np.concatenate([self.taken, np.array(new, dtype=np.int64)])
        return self.taken


def test_steady_calls_have_warmed_up_after_the_minimum() -> None:
    fast, slow = Calls(lambda n: MS), Calls(lambda n: 100 * MS)
    assert timing.warm_up(fast.more, MS, FULL)
    assert fast.taken.sum() == 500 * MS
    assert timing.warm_up(slow.more, 100 * MS, FULL)
    assert len(slow.taken) == 20


def test_calls_over_a_second_warm_up_in_three() -> None:
    calls = Calls(lambda n: 1500 * MS)
    assert timing.warm_up(calls.more, 1500 * MS, FULL)
    assert len(calls.taken) == 3


def test_a_warm_up_that_settles_late_goes_on_until_then() -> None:
    calls = Calls(lambda n: MS * max(1.0, 10 - n / 20))
    assert timing.warm_up(calls.more, 10 * MS, FULL)
    assert len(calls.taken) > 180


def test_a_warm_up_that_never_settles_stops_at_the_cap_and_says_so() -> None:
    calls = Calls(lambda n: MS * 1.01**n)
    assert not timing.warm_up(calls.more, MS, FULL)
    assert calls.taken.sum() >= 10 * timing.NS


def spin(_: Any) -> None:
    end = time.perf_counter_ns() + 200_000
    while time.perf_counter_ns() < end:
        pass


def test_the_loop_adds_next_to_nothing_to_what_it_times() -> None:
    calls = timing.samples(1)  # grows between calls
    pipeline = timing.Pipeline(lambda x: x, spin, lambda x: x)
    timing.collect(pipeline, [np.zeros(1)], calls, min_calls=100, min_ns=0)
    times = timing.stage_times(calls)
    assert calls.count == 100
    assert (times.preprocess + times.model + times.postprocess == times.end_to_end).all()
    assert 1.0 <= np.median(times.model) / 200_000 < 1.25
    assert np.median(times.preprocess) < 0.05 * np.median(times.model)


def test_timing_stops_at_the_cap_whatever_is_missing() -> None:
    calls = timing.samples(10)
    pipeline = timing.Pipeline(lambda x: x, spin, lambda x: x)
    timing.collect(pipeline, [np.zeros(1)], calls, min_calls=10**9, cap_ns=5 * MS)
    assert 0 < calls.count <= 25


def test_blocks_hold_every_cell_in_an_order_of_their_own() -> None:
    plan = cells.plan(Settings(batch_sizes=[1, 2, 3], threads=[1, 2]))
    assert len(plan) == 12
    order = cells.order(plan, 5, seed=3)
    blocks = [[cell for repeat, cell in order if repeat == k] for k in range(5)]
    assert all(sorted(map(repr, block)) == sorted(map(repr, plan)) for block in blocks)
    assert len({tuple(block) for block in blocks}) == 5
    assert order == cells.order(plan, 5, seed=3)
    assert order != cells.order(plan, 5, seed=4)


def test_quick_is_shorter_and_has_at_most_three_repeats() -> None:
    assert (repeats(Settings()), rules(Settings())) == (5, FULL)
    assert (repeats(Settings(quick=True)), rules(Settings(quick=True))) == (3, QUICK)
    assert repeats(Settings(quick=True, repeats=2)) == 2


class _Block(params.Params):
    benchmark: Settings


def test_the_block_may_be_one_word(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("benchmark: full\n")
    full = params.load(path, _Block).model.benchmark
    assert (full.batch_sizes, full.quick, full.profile) == ([1, 8, 32], False, True)
    assert "onnxruntime-cpu-fp32-b1-t1" in [cell.name for cell in cells.plan(full)]  # the headline's
    path.write_text("benchmark: quick\n")
    assert params.load(path, _Block).model.benchmark.quick
    path.write_text("benchmark: slow\n")
    with pytest.raises(ReproofError, match="a mapping, or one of quick, full"):
        params.load(path, _Block)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("batch_sizes: [0]", "batch_sizes.0: expected greater than or equal to 1; found int 0"),
        ("threads: [1, 1]", "threads: expected each value once"),
        ("runtimes: []", "runtimes"),
        ("devices: [tpu]", "'tensorrt' or 'openvino'; found str 'tpu'"),
        ("batches: [1]", "did you mean 'batch_sizes'?"),
    ],
)
def test_wrong_settings_name_the_key(tmp_path: Path, line: str, words: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(line + "\n")
    with pytest.raises(ReproofError) as caught:
        params.load(path, Settings)
    assert words in str(caught.value)


def test_outputs_are_compared_only_where_that_means_something() -> None:
    ours, theirs = {"0.0": np.array([1.0, 2.0])}, {"0.0": np.array([1.0, 2.5])}
    assert numerics.compare(ours, theirs, "torch").max_abs_diff_vs_reference == 0.5
    for mine, reference, words in (
        (ours, None, "no fp32 cell"),
        (ours, {"0.0": np.array([1.0])}, "shapes"),
        ({"0.0": np.array([1.0, np.inf])}, theirs, "1 of 2 output values"),
        (ours, {"0.0": np.array([np.nan, 1.0])}, "values of the reference"),
    ):
        found = numerics.compare(mine, reference, "torch")
        assert found.max_abs_diff_vs_reference is None
        assert words in str(found.unavailable_reason)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"providers_actual": ["CPUExecutionProvider"]}, "another provider"),
        ({"precision_actual": "fp16"}, "another precision"),
        ({"threads_intra_op": 8}, "another number of threads"),
    ],
)
def test_a_silent_fallback_is_an_error(change: dict[str, Any], words: str) -> None:
    cell = cells.Cell(runtime="onnxruntime", device="cuda", batch_size=1, threads=1)
    facts = Facts(
        version="1",
        providers_requested=["CUDAExecutionProvider"],
        providers_actual=["CUDAExecutionProvider", "CPUExecutionProvider"],
        precision_actual="fp32",
        threads_intra_op=1,
        threads_inter_op=1,
        omp_num_threads=1,
        options={},
    )
    assert_as_asked(facts, cell)
    with pytest.raises(ReproofError, match=words):
        assert_as_asked(facts.model_copy(update=change), cell)


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="Linux only")
def test_the_peak_of_ram_is_of_its_phase() -> None:
    np.ones(30_000_000)  # 240 MB, freed at once
    was_reset, before = memory.reset_peak(), memory.current()
    assert was_reset
    assert before is not None
    assert memory.peaks(was_reset, before).peak_ram_bytes < before + 50_000_000
    np.ones(10_000_000)
    found = memory.peaks(was_reset, before)
    assert before + 70_000_000 < found.peak_ram_bytes < before + 130_000_000


def test_gpu_memory_of_a_cell_on_the_cpu_is_null_with_the_reason() -> None:
    values, reasons = nvml.memory(nvml.open_gauge("cpu"))
    assert set(values.values()) == {None}
    assert reasons == dict.fromkeys(values, "the cell runs on the CPU")
