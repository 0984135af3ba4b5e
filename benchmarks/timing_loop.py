"""One process of `timing_overhead.py`: python timing_loop.py FOLDER SECONDS

It times a call that does nothing, and each model, by the benchmark's loop and by a tight one in turn.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import numpy as np
import onnx_chains
from tight_loop import NS, Call, calls_a_block, collected, in_abba, quiet_collector, tight_ns

from reproof.benchmark import timing

_NO_OPS_A_BLOCK = 20_000


def no_op(seconds: float) -> dict[str, float]:
    """Time a call that does nothing.

    `model_us` is the median that the loop reports of the model's stage, and `end_to_end_us` that of all three
    stages, which do nothing each; `wall_us` is how long the loop takes for a call, the work between the
    stamps of two calls included.
    """

    def nothing(array: Any) -> Any:
        return array

    models, wholes, walls = [], [], []
    ends = perf_counter_ns() + int(seconds * NS)
    while not walls or perf_counter_ns() < ends:
        into = timing.samples(_NO_OPS_A_BLOCK)
        began = perf_counter_ns()
        timing.collect(timing.Pipeline(nothing, nothing, nothing), [None], into, min_calls=_NO_OPS_A_BLOCK)
        walls.append((perf_counter_ns() - began) / _NO_OPS_A_BLOCK)
        stages = timing.stage_times(into)
        models.append(stages.model)
        wholes.append(stages.end_to_end)
    return {
        "calls": len(walls) * _NO_OPS_A_BLOCK,
        "model_us": float(np.median(np.concatenate(models))) / 1e3,
        "end_to_end_us": float(np.median(np.concatenate(wholes))) / 1e3,
        "wall_us": float(np.median(walls)) / 1e3,
    }


def beside_a_tight_loop(call: Call, batch: Any, seconds: float) -> dict[str, float]:
    """Time the same calls both ways.

    Returns the median of all calls that the benchmark's loop timed, and the median over blocks of a tight
    loop's time a call.
    """
    calls = calls_a_block(call, batch)
    reported: list[timing.Nanoseconds] = []
    tight: list[float] = []
    in_abba(
        lambda: reported.append(timing.stage_times(collected(call, batch, calls=calls)).model),
        lambda: tight.append(tight_ns(call, batch, calls)),
        seconds,
    )
    return {
        "calls_a_block": calls,
        "blocks": len(tight),
        "reported_us": float(np.median(np.concatenate(reported))) / 1e3,
        "tight_us": float(np.median(tight)) / 1e3,
    }


def main() -> None:
    folder, seconds = Path(sys.argv[1]), float(sys.argv[2])
    quiet_collector()
    told: dict[str, Any] = {"no_op": no_op(seconds), "models": {}}
    for name, chain in onnx_chains.CHAINS.items():
        call, batch = onnx_chains.call(folder / f"{name}.onnx"), onnx_chains.batch(chain)
        told["models"][name] = beside_a_tight_loop(call, batch, seconds)
    print(json.dumps(told))


if __name__ == "__main__":
    main()
