"""The result of a benchmark, version 2: what benchmark.json holds.

Cells are a mapping by name, and no list is empty or holds objects: DVC takes such a list for a plot. A field
that could not be measured is null, and `unavailable_reason` of its group says why, by field. Version 1 had no
`subject`, `profile`, `device`, `input_shapes` and `starts`, and its only precision was fp32.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from reproof.benchmark.cells import Cell
from reproof.benchmark.messages import DeviceTimes, MemoryPeaks, Profile
from reproof.benchmark.settings import Rules

LABEL = "Python-API latency"
"""What the times are: the call as Python sees it. A C++ caller of the same runtime is some µs faster."""


class Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Provenance(Group):
    """What was measured; the caller knows it."""

    git_commit: str | None
    git_dirty: bool | None
    model_digests: dict[str, str]
    """Content digests of the artefacts that ran, such as `{"onnx": "sha256:…", "checkpoint": "sha256:…"}`."""
    params_digest: str | None
    harness_version: str


class Measured(Group):
    """What was run, as the `Subject` says it: paths relative to the project; null where it has none."""

    onnx: str | None
    checkpoint: str | None
    loader: str | None
    preprocess: str | None
    postprocess: str | None
    samples: str | None
    """Null: inputs were made up, of random numbers that fit the model."""
    samples_array: str | None
    axes: dict[str, int]


class Hardware(Group):
    """The machine that the result holds for."""

    fingerprint: str
    cpu: str
    usable_cores: int
    quota_cores: float | None
    governor: str | None
    gpus: list[str] | None
    driver: str | None
    unavailable_reason: dict[str, str]


class Harness(Group):
    """How it was measured."""

    repeats: int
    quick: bool
    seed: int
    rules: Rules
    starts: int = 1
    """More than one: it was stopped, and went on with what had been measured."""


class Software(Group):
    """What ran, and by which rules; `packages` are versions as the workers saw them."""

    python: str
    os: str
    packages: dict[str, str]
    harness: Harness


class CellFacts(Group):
    """What was asked for, and what the runtime really did; the latter is null where nothing ran."""

    runtime: str
    device: str
    providers_requested: list[str] | None = None
    providers_actual: list[str] | None = None
    precision_requested: str
    precision_actual: str | None = None
    batch_size: int
    input_shape: list[int] | None = None
    """Of the first input; `input_shapes` has all, by name."""
    input_shapes: dict[str, list[int]] | None = None
    threads_requested: int
    threads_intra_op: int | None = None
    threads_inter_op: int | None = None
    omp_num_threads: int | None = None
    options: dict[str, str | int | float | bool | None] = {}


class Cold(Group):
    """First steps of a fresh process, medians over processes; files may be in the system's cache.

    `first_call_ms` and `second_call_ms` are the model's part of the call.
    """

    import_ms: float
    load_ms: float
    first_call_ms: float
    second_call_ms: float


class Warmup(Group):
    """By process. `warmed` is false where the time of a call had not settled within the cap."""

    calls: list[int]
    seconds: list[float]
    warmed: list[bool]


class StageStats(Group):
    """Times of one stage in milliseconds, no call dropped.

    `median_ms` is the median of process medians, `ci95_ms` the t interval over them (of their mean): the
    process is the unit. Mean, percentiles, min and max are over the pooled calls of all processes.
    """

    n: int
    mean_ms: float
    median_ms: float
    ci95_ms: list[float] | None
    ci95_half_width_percent: float | None
    p90_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    p999_ms: float | None
    min_ms: float
    max_ms: float
    outliers: int | None
    """Calls over 3.5 robust standard deviations from their process's median (Iglewicz and Hoaglin 1993)."""
    median_unpreempted_ms: float | None
    process_medians_ms: list[float]
    unavailable_reason: dict[str, str]


class Stages(Group):
    """One call, in parts; `model` is from the input array to the output array, both in host memory."""

    preprocess: StageStats
    model: StageStats
    postprocess: StageStats
    end_to_end: StageStats


class Throughput(Group):
    """Examples a second; `basis` says how they were called."""

    items_per_s: float
    basis: str


class Memory(MemoryPeaks):
    """The highest of all processes, in bytes.

    RAM is the whole process from the load to the end of the warm-up; the baseline is what it held before the
    load, with Python, the runtime and the inputs.
    """


class Environment(Group):
    """What the machine did while calls were timed, over all processes of the cell."""

    psi_percent: float | None
    """Share of the time in which some task on the machine waited for a core."""
    steal_percent: float | None
    nivcsw: int
    preempted_percent: float
    """Share of calls in which the system took a core from the process."""
    mean_busy_threads: float
    """CPU time of all threads inside calls, over the calls' wall time."""
    loadavg_1min: list[float]
    cpu_mhz: list[float] | None
    gpu_sm_mhz: list[float] | None
    throttled: dict[str, bool] | None
    """Reasons that held the clocks down in some process; empty: none did."""
    unavailable_reason: dict[str, str]


class Verdict(Group):
    """Whether the numbers can carry a claim.

    `reasons` says by check why they cannot; `unchecked` by check why it could not be made here.
    """

    status: Literal["stable", "noisy"]
    reasons: dict[str, str]
    unchecked: dict[str, str]


class Numerics(Group):
    """The model's output against another cell's on the same inputs; null and the reason where impossible."""

    max_abs_diff_vs_reference: float | None
    max_abs_reference: float | None = None
    """The largest value of the reference, which gives the difference its scale."""
    reference: str | None
    unavailable_reason: str | None


class CellResult(Group):
    """One cell; everything after `cell` is null unless `status` is `measured`."""

    status: Literal["measured", "unavailable", "failed"]
    reason: str | None
    cell: CellFacts
    cold: Cold | None = None
    warmup: Warmup | None = None
    stages: Stages | None = None
    throughput: Throughput | None = None
    memory: Memory | None = None
    environment: Environment | None = None
    verdict: Verdict | None = None
    numerics: Numerics | None = None
    device: DeviceTimes | None = None
    """The model's part by the device's own clock; `stages` hold the wall's."""
    profile: Profile | None = None
    """Null where none was asked for."""


class Result(Group):
    """A whole benchmark; write it with `files.write_json(path, result.model_dump(mode="json"))`."""

    schema_version: Literal[2] = 2
    label: str = LABEL
    provenance: Provenance
    subject: Measured
    hardware: Hardware
    software: Software
    cells: dict[str, CellResult]
    raw_samples: str | None
    """The .npz file with every call's times, relative to the project."""


def unmeasured(cell: Cell, status: Literal["unavailable", "failed"], reason: str) -> CellResult:
    """Return the row of a cell without numbers."""
    return CellResult(status=status, reason=reason, cell=requested(cell))


def requested(cell: Cell) -> CellFacts:
    """Return what is known of a cell before it runs."""
    return CellFacts(
        runtime=cell.runtime,
        device=cell.device,
        precision_requested=cell.precision,
        batch_size=cell.batch_size,
        threads_requested=cell.threads,
    )
