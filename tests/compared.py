"""Rows of a history made up for comparisons: runs with a seed, params and scores."""

from __future__ import annotations

import itertools
import json
from typing import Any

from reproof.comparison import (
    Comparison,
    Rules,
    Verdict,
    compare,
    rules_of,
)
from reproof.history import Row, Run

ACCURACY, LOSS = "evaluate.test.accuracy", "evaluate.test.loss"
LATENCY = "benchmark.onnxruntime-cpu-fp32-b1-t1.latency_ms"
SUMMARY = {"summary.accuracy": ACCURACY, "summary.loss": LOSS, "summary.latency_ms": LATENCY}
PARAMS = {"train.lr": 0.1, "model.channels": 16, "threads": 1, **SUMMARY}

RULES = rules_of(
    {
        "comparison": {
            "metrics": {
                "accuracy": {"better": "higher", "margin": 0.005},
                "loss": {"better": "lower"},
                "latency_ms": {"better": "lower"},
            }
        },
        "summary": {"accuracy": ACCURACY, "loss": LOSS, "latency_ms": LATENCY},
    }
)
NO_RULES = Rules()

_numbers = itertools.count()


def row(
    name: str,
    accuracy: float | None = 0.9,
    *,
    seed: int | None = 0,
    latency: float | None = None,
    kind: str = "experiment",
    status: str = "success",
    code: str | None = "code",
    data: str | None = "data",
    machine: str | None = "machine",
    **params: Any,
) -> Row:
    """A row; `train__lr=0.2` sets train.lr."""
    number = next(_numbers)
    commit = f"{number:05x}".ljust(40, "a")
    flat = {**PARAMS, "seed": seed} | {key.replace("__", "."): value for key, value in params.items()}
    metrics = {} if accuracy is None else {ACCURACY: accuracy, LOSS: round(1 - accuracy, 6)}
    metrics |= {} if latency is None else {LATENCY: latency}
    short = {full: name.removeprefix("summary.") for name, full in SUMMARY.items()}
    run = Run(
        run_id=f"20260101-{number:06d}-abcdef",
        commit=commit,
        experiment=name if kind == "experiment" else None,
        status=status,
        start_time=f"2026-01-01T00:00:00.{number:06d}Z",
        seed=seed,
        code_tree=code,
        data=data,
        fingerprint=machine,
        params=flat,
        metrics=metrics,
        headline={short[full]: value for full, value in metrics.items()},
    )
    return Row(run, kind, (name,), (commit,))


def method(name: str, accuracies: list[float], *, first_seed: int = 0, **params: Any) -> list[Row]:
    """Runs of one method over seeds."""
    return [
        row(f"{name}-s{seed}", accuracy, seed=seed, **params)
        for seed, accuracy in enumerate(accuracies, start=first_seed)
    ]


def benchmark(status: str = "stable") -> bytes:
    """A benchmark.json with the verdict of the one cell that LATENCY names."""
    cells = {LATENCY.split(".")[1]: {"verdict": {"status": status}}}
    return json.dumps({"cells": cells}).encode()


BASE = [0.900, 0.904, 0.896, 0.902, 0.898, 0.901]


def verdict(found: Comparison, name: str, metric: str = "accuracy") -> Verdict:
    return next(one for one in found.groups if one.name == name).verdicts[metric]


def against(accuracies: list[float], base: list[float] = BASE, **changes: Any) -> Comparison:
    rows = method("main", base)
    return compare([*rows, *method("new", accuracies, train__lr=0.2, **changes)], RULES, baseline=rows[0])
