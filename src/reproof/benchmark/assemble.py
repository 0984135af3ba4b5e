"""From the reports and samples of a cell's processes to its row in the result."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from reproof.benchmark import summaries, verdict
from reproof.benchmark.cells import Cell
from reproof.benchmark.kept import Run
from reproof.benchmark.messages import DeviceTimes, MemoryPeaks, Profile, Report
from reproof.benchmark.schema import (
    CellFacts,
    CellResult,
    Cold,
    Environment,
    Memory,
    Numerics,
    Stages,
    Warmup,
    requested,
)

Array = npt.NDArray[Any]

HEADLINES = ("model", "end_to_end")
"""Stages whose interval the verdict looks at; the others may take less than the clock's own noise."""


def cell_result(
    cell: Cell, runs: Sequence[Run], numerics: Numerics, profile: Profile | None = None
) -> CellResult:
    """Return the row of a cell all of whose processes measured."""
    reports = [run.report for run in runs]
    preempted = [run.times["involuntary_switches"] > 0 for run in runs]
    times = {name: [stage_ns(run, name) for run in runs] for name in Stages.model_fields}
    stages = Stages(**{name: summaries.stage(arrays, preempted) for name, arrays in times.items()})
    environment = _environment(runs, preempted)
    return CellResult(
        status="measured",
        reason=None,
        cell=_facts(cell, reports[0]),
        cold=Cold(
            **{name: statistics.median(getattr(r.cold, name) for r in reports) for name in Cold.model_fields}
        ),
        warmup=Warmup(
            calls=[report.warmup_calls for report in reports],
            seconds=[report.warmup_seconds for report in reports],
            warmed=[report.warmed for report in reports],
        ),
        stages=stages,
        throughput=summaries.throughput(times["end_to_end"], cell.batch_size),
        memory=_memory([report.memory for report in reports]),
        environment=environment,
        verdict=verdict.judge(
            half_width_percent={name: getattr(stages, name).ci95_half_width_percent for name in HEADLINES},
            psi_percent=environment.psi_percent,
            preempted_percent=environment.preempted_percent,
            throttle_reasons=environment.throttled,
            warmed=[report.warmed for report in reports],
        ),
        numerics=numerics,
        device=_device([report.device for report in reports]),
        profile=profile,
    )


def stage_ns(run: Run, name: str) -> Array:
    """Return the nanoseconds of each call of one stage, or `end_to_end`."""
    if name == "end_to_end":  # the stamps have no gap between them
        return run.times["preprocess_ns"] + run.times["model_ns"] + run.times["postprocess_ns"]
    return run.times[f"{name}_ns"]


def _facts(cell: Cell, report: Report) -> CellFacts:
    actual = report.facts.model_dump(exclude={"version"})
    shapes = report.input_shapes
    shown = {"input_shapes": shapes, "input_shape": next(iter(shapes.values()), None)}
    return requested(cell).model_copy(update=actual | shown)


def _device(times: Sequence[DeviceTimes]) -> DeviceTimes:
    """The median over processes; null, and the first reason, where one of them has none."""
    if reason := next((one.reason for one in times if one.median_ms is None), None):
        return DeviceTimes(reason=reason)
    return DeviceTimes(
        median_ms=statistics.median(one.median_ms for one in times if one.median_ms is not None),
        calls=sum(one.calls or 0 for one in times),
    )


def _memory(peaks: Sequence[MemoryPeaks]) -> Memory:
    """The highest of all processes; a field that one of them lacks is null, with that one's reason."""
    reasons = {name: text for peak in peaks for name, text in peak.unavailable_reason.items()}
    numbers = {
        name: max(getattr(peak, name) for peak in peaks)
        for name in MemoryPeaks.model_fields
        if name.endswith("_bytes") and name not in reasons
    }
    return Memory(**numbers, ram_method=peaks[0].ram_method, unavailable_reason=reasons)


def _environment(runs: Sequence[Run], preempted: Sequence[Array]) -> Environment:
    """Sums over processes, by the time or the calls that each of them measured."""
    noises = [run.report.noise for run in runs]
    seconds = sum(noise.seconds for noise in noises)
    calls_ns = sum(int(stage_ns(run, "end_to_end").sum()) for run in runs)
    reasons = {name: text for noise in noises for name, text in noise.unavailable_reason.items()}
    stalled = [noise.psi_stalled_seconds for noise in noises if noise.psi_stalled_seconds is not None]
    stolen = [n.steal_percent * n.seconds for n in noises if n.steal_percent is not None]
    held = [n.throttle_reasons for n in noises if n.throttle_reasons is not None]
    if "psi_stalled_seconds" in reasons:
        reasons["psi_percent"] = reasons.pop("psi_stalled_seconds")
    if "throttle_reasons" in reasons:
        reasons["throttled"] = reasons.pop("throttle_reasons")
    return Environment(
        psi_percent=100 * sum(stalled) / seconds if len(stalled) == len(runs) else None,
        steal_percent=sum(stolen) / seconds if len(stolen) == len(runs) else None,
        nivcsw=int(sum(run.times["involuntary_switches"].sum() for run in runs)),
        preempted_percent=100 * float(np.concatenate(preempted).mean()),
        mean_busy_threads=sum(int(run.times["cpu_ns"].sum()) for run in runs) / max(1, calls_ns),
        loadavg_1min=[n.loadavg_1min for n in noises],
        cpu_mhz=[n.cpu_mhz for n in noises if n.cpu_mhz is not None] or None,
        gpu_sm_mhz=[n.gpu_sm_mhz for n in noises if n.gpu_sm_mhz is not None] or None,
        throttled=dict.fromkeys(sorted({reason for each in held for reason in each}), True) if held else None,
        unavailable_reason=reasons,
    )
