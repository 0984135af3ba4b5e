"""Part h: how often an interval over processes covers the truth, and one over calls, on the same samples."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx_chains
import resampling
from claims import claim, script
from measuring import BUILD, Failed, say, summary

from reproof.benchmark import Provenance, Settings, Subject
from reproof.benchmark import measure as measure_cells

NUMBERS = (3, 5)
"""Processes an interval: those of a quick benchmark, and of a full one."""

TARGET = 0.90
"""Of five processes. The nominal coverage is 95%; a few dozen processes cannot tell it from 93%."""

LEAST_PROCESSES = 20
CHAIN = onnx_chains.CHAINS["50 µs"]
_DRAWS = 2000
_REPLICATES = 1000


def measure(processes: int) -> dict[str, Any]:
    """Measure one cell in so many fresh processes, by the benchmark itself; resample its intervals.

    Of fewer than LEAST_PROCESSES no coverage can be told: that is a quick look, with quick processes.

    Raises:
        Failed: when the cell could not be measured.
    """
    quick = processes < LEAST_PROCESSES
    times = measured(BUILD / "coverage", processes, quick=quick)
    medians_us = [float(np.median(each)) / 1e3 for each in times]
    say(f"  {processes} processes: medians from {min(medians_us):.1f} to {max(medians_us):.1f} µs")
    calls = resampling.count(times)
    found = {
        f"K={number}": resampling.coverage(
            calls, number, draws=_DRAWS, replicates=50 if quick else _REPLICATES, seed=number
        )
        for number in NUMBERS
    }
    for name, told in found.items():
        said = ", ".join(f"{kind} {share['median']:.1%}" for kind, share in told.items())
        say(f"  coverage at {name}: {said}")
    return {
        "processes": processes,
        "calls": [len(each) for each in times],
        "process_medians_us": summary(medians_us),
        "nominal": 0.95,
        "coverage": found,
        "claims": {
            "process K=5": claim(
                "coverage of a 95% interval over five processes",
                found["K=5"]["process"], "at least", TARGET, "",
            ),
            **{
                f"difference {name}": claim(
                    f"that coverage less the one of an interval over calls, {name}",
                    told["difference"], "at least", 0.0, "",
                )
                for name, told in found.items()
            },
        },
    }  # fmt: skip


def measured(folder: Path, processes: int, *, quick: bool) -> list[np.ndarray[Any, Any]]:
    """Return the nanoseconds of the model's part in every call, by process."""
    onnx_chains.write(folder / "model.onnx", CHAIN)
    np.savez(folder / "samples.npz", x=onnx_chains.batch(CHAIN, 4))
    # A quick benchmark has three processes at most, whatever it is asked for; so several of them.
    rounds = [min(3, processes - done) for done in range(0, processes, 3)] if quick else [processes]
    times: list[np.ndarray[Any, Any]] = []
    for seed, repeats in enumerate(rounds):
        result = measure_cells(
            Subject(root=folder, samples=Path("samples.npz"), samples_array="x", onnx=Path("model.onnx")),
            Settings(runtimes=["onnxruntime"], batch_sizes=[CHAIN.rows], repeats=repeats, quick=quick),
            provenance=Provenance(
                git_commit=None, git_dirty=None, model_digests={}, params_digest=None, harness_version=""
            ),
            samples_file=Path("calls.npz"),
            seed=seed,
        )
        for name, row in result.cells.items():
            if row.status != "measured":
                raise Failed(f"{name}: {row.reason}")
        with np.load(folder / "calls.npz") as archive:
            times += [archive[name] for name in sorted(archive.files) if name.endswith(".model_ns")]
    return times


if __name__ == "__main__":
    sys.exit(script(lambda amounts: measure(amounts.processes)))
