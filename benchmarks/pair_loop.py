"""One process of `ab_trials.py`: two models, timed without the benchmark.

    python pair_loop.py alternated FOLDER SECONDS     # in blocks, in turn: the true ratio
    python pair_loop.py sequential FOLDER CALLS       # so many calls of one, then of the other

It prints the times of `second.onnx` over those of `first.onnx`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import onnx_chains
from tight_loop import Call, calls_a_block, collected, in_abba, quiet_collector, tight_ns

from reproof.benchmark import timing

_WARM_UP_CALLS = 50


def alternated(first: Call, second: Call, batch: onnx_chains.Array, seconds: float) -> dict[str, float]:
    """Return the median of the ratios of neighbouring blocks of a tight loop."""
    blocks: list[list[float]] = [[], []]
    calls = max(calls_a_block(call, batch) for call in (first, second))
    in_abba(
        lambda: blocks[0].append(tight_ns(first, batch, calls)),
        lambda: blocks[1].append(tight_ns(second, batch, calls)),
        seconds,
    )
    firsts, seconds_of = (np.array(times).reshape(-1, 2).mean(axis=1) for times in blocks)
    return {"ratio": float(np.median(seconds_of / firsts)), "quads": len(firsts)}


def sequential(first: Call, second: Call, batch: onnx_chains.Array, calls: int) -> dict[str, float]:
    """Time all calls of one model and then all of the other; return the ratio of their medians and means."""
    found = []
    for call in (first, second):
        tight_ns(call, batch, _WARM_UP_CALLS)
        found.append(timing.stage_times(collected(call, batch, calls=calls)).model)
    return {
        "ratio_of_medians": float(np.median(found[1]) / np.median(found[0])),
        "ratio_of_means": float(found[1].mean() / found[0].mean()),
        "calls": calls,
    }


def main() -> None:
    mode, folder, amount = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    quiet_collector()
    first, second = (onnx_chains.call(folder / f"{name}.onnx") for name in ("first", "second"))
    batch = np.load(folder / "samples.npz")["x"]
    if mode == "alternated":
        told = alternated(first, second, batch, float(amount))
    else:
        told = sequential(first, second, batch, int(amount))
    print(json.dumps(told))


if __name__ == "__main__":
    main()
