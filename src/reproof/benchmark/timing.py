"""The timed loop, and when it has warmed up. Nothing here knows a runtime.

A call is preprocess, model, postprocess, with a stamp of `perf_counter_ns` at each end: four stamps. CPU time
and involuntary context switches are read outside of them. Nothing is printed, allocated or decided between
two stamps, and no call is dropped.
"""

from __future__ import annotations

import resource
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter_ns, process_time_ns
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from reproof.benchmark.settings import Rules

NS = 1_000_000_000
SLOW_CALL_NS = NS
SLOW_CALLS = 3
WINDOW_NS = NS // 10
AGREEMENT = 0.02

Nanoseconds = npt.NDArray[np.int64]


class Pipeline(NamedTuple):
    """The three steps of a call, arrays in and arrays out."""

    preprocess: Callable[[Any], Any]
    model: Callable[[Any], Any]
    postprocess: Callable[[Any], Any]


@dataclass
class Samples:
    """One entry a call in each column, allocated in advance; `count` are filled."""

    start: array[int]
    preprocessed: array[int]
    modelled: array[int]
    end: array[int]
    cpu_ns: array[int]
    switches: array[int]
    count: int = field(default=0, kw_only=True)


class StageTimes(NamedTuple):
    """Nanoseconds of each call by stage. End to end is their sum: the stamps have no gap between them."""

    preprocess: Nanoseconds
    model: Nanoseconds
    postprocess: Nanoseconds
    end_to_end: Nanoseconds


def samples(capacity: int) -> Samples:
    """Return room for `capacity` calls; it doubles, between two calls, where that is not enough."""
    return Samples(*[array("q", bytes(8 * max(1, capacity))) for _ in range(6)])


def collect(
    pipeline: Pipeline,
    batches: Sequence[Any],
    into: Samples,
    *,
    min_calls: int,
    min_ns: int = 0,
    cap_ns: int | None = None,
) -> None:
    """Call until there are `min_calls` more and `min_ns` have passed, or `cap_ns` have."""
    preprocess, model, postprocess = pipeline
    involuntary, who = resource.getrusage, resource.RUSAGE_SELF
    first = index = into.count
    began = perf_counter_ns()
    while True:
        if index == len(into.start):
            _double(into)
        batch = batches[index % len(batches)]
        switches = involuntary(who).ru_nivcsw
        cpu = process_time_ns()
        t0 = perf_counter_ns()
        inputs = preprocess(batch)
        t1 = perf_counter_ns()
        outputs = model(inputs)
        t2 = perf_counter_ns()
        result = postprocess(outputs)
        t3 = perf_counter_ns()
        into.cpu_ns[index] = process_time_ns() - cpu
        into.switches[index] = involuntary(who).ru_nivcsw - switches
        into.start[index], into.preprocessed[index], into.modelled[index], into.end[index] = t0, t1, t2, t3
        # Freed here, not by the next call's assignments between its stamps.
        del inputs, outputs, result
        index += 1
        elapsed = t3 - began
        if (index - first >= min_calls and elapsed >= min_ns) or (cap_ns is not None and elapsed >= cap_ns):
            break
    into.count = index


def stage_times(filled: Samples) -> StageTimes:
    """Return the time of each call by stage."""
    columns = (filled.start, filled.preprocessed, filled.modelled, filled.end)
    t0, t1, t2, t3 = (_numbers(column, filled.count) for column in columns)
    return StageTimes(t1 - t0, t2 - t1, t3 - t2, t3 - t0)


def cpu_ns(filled: Samples) -> Nanoseconds:
    """Return the CPU time of each call, over all threads of the process."""
    return _numbers(filled.cpu_ns, filled.count)


def switches(filled: Samples) -> Nanoseconds:
    """Return how often the system took a core from the process, in each call."""
    return _numbers(filled.switches, filled.count)


def warm_up(more: Callable[[int, int], Nanoseconds], second_call_ns: int, rules: Rules) -> bool:
    """Call until the time of a call has settled; False where it has not within the cap.

    First 20 calls and half a second, or 3 calls where a call takes over a second. Then window by window, up
    to the cap, until the medians of the last two windows agree within 2%. A window is a tenth of a second
    and at least 5 calls, for slow models one call.

    Args:
        more: makes at least so many calls for at least so many nanoseconds; returns the times in
            nanoseconds of all calls so far.
        second_call_ns: the time of the second call; the first one says nothing.
    """
    slow = second_call_ns > SLOW_CALL_NS
    taken = more(SLOW_CALLS, 0) if slow else more(rules.warmup_min_calls, int(rules.warmup_min_seconds * NS))
    window = 1 if slow else max(5, int(WINDOW_NS / max(1.0, float(np.median(taken)))))
    limit = int(taken.sum()) + rules.warmup_cap_seconds * NS
    while not settled(taken, window):
        if taken.sum() >= limit:
            return False
        taken = more(window, 0)
    return True


def settled(taken: Nanoseconds, window: int) -> bool:
    """Whether the medians of the last two windows of calls agree within 2%."""
    if len(taken) < 2 * window:
        return False
    before, last = float(np.median(taken[-2 * window : -window])), float(np.median(taken[-window:]))
    return abs(last - before) <= AGREEMENT * before


def _numbers(column: array[int], count: int) -> Nanoseconds:
    return np.frombuffer(column, dtype=np.int64, count=count).copy()


def _double(into: Samples) -> None:
    more = bytes(8 * len(into.start))
    for column in (
        into.start,
        into.preprocessed,
        into.modelled,
        into.end,
        into.cpu_ns,
        into.switches,
    ):
        column.frombytes(more)
