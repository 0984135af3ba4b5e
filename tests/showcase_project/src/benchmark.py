"""Stands in for a measurement: made-up timings, scaled by the size of the model.

So this stage takes no time, and the same run has the same timings wherever it is made.
"""

import json

import numpy as np
from config import Config

from reproof import environment
from reproof.stage import Stage, run_stage

CELL = "onnxruntime-cpu-fp32-b1-t1"
METRICS = {"latency_ms": "median_ms", "p99_ms": "p99_ms"}


def scaled(timings, factor):
    """Every entry that is a time, times `factor`."""
    if isinstance(timings, dict):
        return {
            key: times(value, factor) if key.endswith("_ms") else scaled(value, factor)
            for key, value in timings.items()
        }
    return [scaled(item, factor) for item in timings] if isinstance(timings, list) else timings


def times(value, factor):
    if isinstance(value, list):
        return [times(item, factor) for item in value]
    return round(value * factor, 6) if isinstance(value, int | float) else value


def timed(timings, weights, slower=1.0):
    """The benchmark of a model, with the jitter that a real one has, and its metrics."""
    jitter = 0.99 + 0.02 * (abs(float(weights["w1"].sum())) % 1)
    found = scaled(timings, slower * jitter * (0.8 + len(weights["b1"]) / 80))
    cell = found["cells"][CELL]["stages"]["end_to_end"]
    return found, {f"{CELL}.{name}": cell[key] for name, key in METRICS.items()}


def main(stage: Stage[Config]) -> None:
    with np.load(stage.input("results/latest/checkpoint") / "weights.npz") as archive:
        weights = dict(archive)
    found, metrics = timed(json.loads(stage.input("src/timings.json").read_text()), weights)
    found["hardware"]["fingerprint"] = environment.fingerprint()
    stage.write_json("results/latest/benchmark.json", found)
    for name, value in metrics.items():
        stage.metric(name, value)


if __name__ == "__main__":
    run_stage("benchmark", main, Config)
