"""Two ways to time the same calls in one process: a clock around a tight loop of them, and ours."""

from __future__ import annotations

import gc
from collections.abc import Callable
from time import perf_counter_ns
from typing import Any

from reproof.benchmark import timing

NS = 1_000_000_000
_WARM_UP_NS = NS // 5
_BLOCK_NS = 500_000
_LEAST_CALLS = 3

Call = Callable[[Any], Any]


def quiet_collector() -> None:
    """Hold the garbage collector still, as the benchmark's worker does."""
    gc.collect()
    gc.freeze()
    gc.disable()


def tight_ns(call: Call, batch: Any, calls: int) -> float:
    """Return the nanoseconds a call in a loop that does nothing else."""
    began = perf_counter_ns()
    for _ in range(calls):
        call(batch)
    return (perf_counter_ns() - began) / calls


def collected(call: Call, batch: Any, *, calls: int = 1, min_ns: int = 0) -> timing.Samples:
    """Return the times of calls through the benchmark's own loop; the steps around the model do nothing."""
    into = timing.samples(max(calls, 1024))
    pipeline = timing.Pipeline(_as_it_is, call, _as_it_is)
    timing.collect(pipeline, [batch], into, min_calls=calls, min_ns=min_ns)
    return into


def calls_a_block(call: Call, batch: Any) -> int:
    """Warm up; return how many calls make a block: half a millisecond of them, at least 3.

    Short, so that what disturbs the machine now and then spoils few blocks.
    """
    calls, taken = 0, 0
    while taken < _WARM_UP_NS or calls < _LEAST_CALLS:
        last = tight_ns(call, batch, _LEAST_CALLS)
        calls, taken = calls + _LEAST_CALLS, taken + int(last * _LEAST_CALLS)
    return max(_LEAST_CALLS, int(_BLOCK_NS / last))


def in_abba(first: Callable[[], None], second: Callable[[], None], seconds: float) -> None:
    """Run the two in quads ABBA and BAAB for so long, two quads at least: a drift hits both alike."""
    ends, quads = perf_counter_ns() + int(seconds * NS), 0
    while quads < 2 or perf_counter_ns() < ends:
        outer, inner = (first, second) if quads % 2 == 0 else (second, first)
        for turn in (outer, inner, inner, outer):
            turn()
        quads += 1


def _as_it_is(array: Any) -> Any:
    return array
