"""What the parent tells a worker on its stdin, and what the worker leaves in its folder. JSON both ways."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from reproof.benchmark.cells import Cell
from reproof.benchmark.settings import Rules

REPORT = "report.json"
TIMES = "times.npz"
OUTPUTS = "outputs.npz"
"""Names of the files in a worker's folder; the report is written last, so it stands for a whole result."""

Value = str | int | float | bool | None


class Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Job(Message):
    """One process: one cell, one repeat. All paths are absolute.

    `task` says what it is for: `measure` a cell; `blocks`: the same, but timed calls are made in blocks, each
    when the parent says so; `profile` its operators; `convert` the ONNX model to the cell's precision.
    """

    task: Literal["measure", "blocks", "profile", "convert"] = "measure"
    cell: Cell
    rules: Rules
    root: Path
    batches: Path
    folder: Path
    onnx: Path | None
    """In the cell's precision."""
    conversion: dict[str, Value] | None = None
    """What is known of it where it was made for this benchmark; `precision` is what it computes in."""
    checkpoint: Path | None
    loader: str | None
    preprocess: str | None
    postprocess: str | None
    seed: int


class Facts(Message):
    """What a runtime really does, read back from it."""

    version: str
    providers_requested: list[str]
    providers_actual: list[str]
    precision_actual: str | None
    """None where the runtime shows no floating-point type, as a model of whole numbers."""
    threads_intra_op: int
    threads_inter_op: int
    omp_num_threads: int | None
    options: dict[str, Value]


class ColdTimes(Message):
    """Milliseconds of the first steps in a fresh process."""

    import_ms: float
    load_ms: float
    first_call_ms: float
    second_call_ms: float


class MemoryPeaks(Message):
    """Bytes; null where `unavailable_reason` says why, by field."""

    peak_ram_bytes: int | None = None
    baseline_ram_bytes: int | None = None
    ram_method: str | None = None
    torch_allocated_peak_bytes: int | None = None
    torch_reserved_peak_bytes: int | None = None
    nvml_process_peak_bytes: int | None = None
    nvml_device_delta_bytes: int | None = None
    unavailable_reason: dict[str, str] = {}


class Noise(Message):
    """What else the machine did while one process was timed; null where `unavailable_reason` says why."""

    seconds: float
    """Wall time of the timed part."""
    loadavg_1min: float
    psi_stalled_seconds: float | None = None
    steal_percent: float | None = None
    cpu_mhz: float | None = None
    gpu_sm_mhz: float | None = None
    throttle_reasons: list[str] | None = None
    unavailable_reason: dict[str, str] = {}


class DeviceTimes(Message):
    """The model's part of a call by the device's own clock, in a pass after the timed one."""

    median_ms: float | None = None
    calls: int | None = None
    reason: str | None = None
    """Why there is none."""


class Report(Message):
    """What a worker measured, beside the arrays in its folder."""

    facts: Facts
    input_shapes: dict[str, list[int]]
    cold: ColdTimes
    warmup_calls: int
    warmup_seconds: float
    warmed: bool
    memory: MemoryPeaks
    noise: Noise
    device: DeviceTimes


class Operator(Message):
    """One kind of operator, over all calls of a profile."""

    calls: int
    total_ms: float
    percent: float


class Profile(Message):
    """Where a cell's time goes, from a process of its own; null and the reason where it cannot be told."""

    method: str | None = None
    calls: int | None = None
    operators: dict[str, Operator] = {}
    """By name, those that took longest first."""
    reason: str | None = None


class Converted(Message):
    """A model in another precision, and what is known of it."""

    path: Path
    facts: dict[str, Value]


class Refusal(Message):
    """Instead of a report: the cell cannot run on this machine, and why."""

    unavailable: str
