"""One process of `loadgen.py`: python loadgen_loop.py FOLDER SECONDS

It times each model by the benchmark's loop and by MLCommons LoadGen, SingleStream, in turn: the same session,
the same input, the same process.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx_chains
from tight_loop import NS, calls_a_block, collected, in_abba, quiet_collector, tight_ns

from reproof.benchmark import timing

_BLOCKS = 8
"""Blocks of each contender in `seconds`: LoadGen takes some ms to start and to end, so they are long."""

_MEDIAN = re.compile(r'"key": "result_50\.00_percentile_latency_ns", "value": (\d+)')
_COUNT = re.compile(r'"key": "result_query_count", "value": (\d+)')


def single_stream(call: Callable[[], object], expected_ns: float, seconds: float) -> tuple[float, int]:
    """Return LoadGen's median latency in nanoseconds, and the number of its queries.

    Performance mode alone, with a duration of our own choice: no MLPerf result.
    """
    import mlperf_loadgen

    def issue(queries: list[Any]) -> None:
        for query in queries:
            call()
            mlperf_loadgen.QuerySamplesComplete([mlperf_loadgen.QuerySampleResponse(query.id, 0, 0)])

    def nothing(*_: object) -> None:
        pass

    settings = mlperf_loadgen.TestSettings()
    settings.scenario = mlperf_loadgen.TestScenario.SingleStream
    settings.mode = mlperf_loadgen.TestMode.PerformanceOnly
    settings.min_duration_ms = max(1, int(1000 * seconds))
    settings.min_query_count = 1
    # It lays out its queries in advance, by this; fewer than the duration holds would end the test early.
    settings.single_stream_expected_latency_ns = max(1, int(expected_ns / 2))
    with tempfile.TemporaryDirectory(prefix="reproof-loadgen-") as folder:
        logs = mlperf_loadgen.LogSettings()
        logs.enable_trace = False
        output = mlperf_loadgen.LogOutputSettings()
        output.outdir = folder
        output.copy_summary_to_stdout = False
        logs.log_output = output
        system = mlperf_loadgen.ConstructSUT(issue, nothing)
        library = mlperf_loadgen.ConstructQSL(1, 1, nothing, nothing)
        mlperf_loadgen.StartTestWithLogSettings(system, library, settings, logs)
        mlperf_loadgen.DestroyQSL(library)
        mlperf_loadgen.DestroySUT(system)
        told = (Path(folder) / "mlperf_log_detail.txt").read_text()
    median, count = _MEDIAN.search(told), _COUNT.search(told)
    if median is None or count is None:
        raise SystemExit("LoadGen wrote no median latency into its detail log")
    return float(median[1]), int(count[1])


def beside_loadgen(call: onnx_chains.Call, batch: onnx_chains.Array, seconds: float) -> dict[str, float]:
    """Time the same calls both ways.

    Each number is a median over blocks of medians of calls; `off_us` is that of the differences between
    neighbouring blocks, which a drift of the machine does not reach.
    """
    calls_a_block(call, batch)  # warms up
    expected, block = tight_ns(call, batch, 3), seconds / (2 * _BLOCKS)
    ours: list[timing.Nanoseconds] = []
    theirs: list[tuple[float, int]] = []
    in_abba(
        lambda: ours.append(timing.stage_times(collected(call, batch, min_ns=int(block * NS))).model),
        lambda: theirs.append(single_stream(lambda: call(batch), expected, block)),
        seconds,
    )
    reported = np.array([np.median(times) for times in ours]) / 1e3
    loadgen = np.array([median for median, _ in theirs]) / 1e3
    return {
        "blocks": len(ours),
        "calls": sum(map(len, ours)),
        "loadgen_calls": sum(count for _, count in theirs),
        "reported_us": float(np.median(reported)),
        "loadgen_us": float(np.median(loadgen)),
        "off_us": float(np.median(reported - loadgen)),
    }


def main() -> None:
    folder, seconds = Path(sys.argv[1]), float(sys.argv[2])
    quiet_collector()
    told = {
        name: beside_loadgen(onnx_chains.call(folder / f"{name}.onnx"), onnx_chains.batch(chain), seconds)
        for name, chain in onnx_chains.CHAINS.items()
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
