"""The benchmark from plan to result: fresh processes in interleaved blocks, one at a time on the machine."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import numpy.typing as npt

from reproof import files
from reproof.benchmark import (
    assemble,
    batches,
    cells,
    conversions,
    hardware,
    kept,
    launcher,
    lock,
    numerics,
)
from reproof.benchmark import subject as subjects
from reproof.benchmark.cells import Cell
from reproof.benchmark.kept import Run, Store
from reproof.benchmark.messages import Job, Profile, Refusal
from reproof.benchmark.progress import Progress, Tally
from reproof.benchmark.schema import CellResult, Harness, Measured, Provenance, Result, Software, unmeasured
from reproof.benchmark.settings import Settings, repeats, rules
from reproof.benchmark.subject import Subject

Array = npt.NDArray[Any]


@dataclass
class _Measured:
    """What the processes gave so far, by cell; `lost` are the cells that failed or are unavailable."""

    runs: dict[Cell, list[Run]] = field(default_factory=dict)
    lost: dict[Cell, CellResult] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)
    profiles: dict[Cell, Profile] = field(default_factory=dict)
    starts: int = 1


def measure(
    subject: Subject,
    settings: Settings,
    *,
    provenance: Provenance,
    samples_file: Path | None,
    seed: int = 0,
    on_progress: Callable[[Progress], None] | None = None,
) -> Result:
    """Measure every cell of the settings on this machine, and return the result.

    Blocks until done; waits first where another benchmark runs on the machine. A cell that cannot run here,
    or whose process fails, is a row with the reason. Ctrl-C ends the running process and goes on upwards;
    the processes that have measured are kept, and the same benchmark goes on from there.

    Args:
        subject: the model and the code around it.
        settings: the cells, and how long to look at them.
        provenance: what the model was made of, for the record.
        samples_file: where to write every call's times as .npz; None writes none.
        seed: of the order of processes, of the processes' own random generators, and of made-up inputs.
        on_progress: called after each process.

    Raises:
        ReproofError: for a subject with missing files or wrong references.
    """
    subjects.check(subject)
    plan = cells.plan(settings)
    with lock.held(lock.PATH):
        name = kept.key({"model": subject}, settings, seed, provenance.model_digests)
        with kept.opened(subject.root, name, len(plan) * repeats(settings)) as store:
            measured = _run_all(subject, settings, plan, store, seed, on_progress)
    if samples_file is not None:
        _write_samples(subject.root / samples_file, measured)
    return Result(
        provenance=provenance,
        subject=describe(subject),
        hardware=hardware.describe(),
        software=software(measured.runs, settings, seed, measured.starts),
        cells={cell.name: _row(cell, plan, measured) for cell in plan},
        raw_samples=None if samples_file is None else _shown(samples_file, subject.root),
    )


def describe(subject: Subject) -> Measured:
    """Return what is measured as the record holds it: no folder of this machine's."""

    def shown(path: Path | None) -> str | None:
        return None if path is None else _shown(path, subject.root)

    return Measured(
        onnx=shown(subject.onnx),
        checkpoint=shown(subject.checkpoint),
        loader=subject.loader,
        preprocess=subject.preprocess,
        postprocess=subject.postprocess,
        samples=shown(subject.samples),
        samples_array=subject.samples_array,
        axes=dict(subject.axes),
    )


def software(runs: Mapping[Cell, Sequence[Run]], settings: Settings, seed: int, starts: int) -> Software:
    """Return what ran: versions as the processes saw them, and the rules of the method.

    Args:
        runs: by cell.
        settings: of the benchmark.
        seed: of the benchmark.
        starts: how often it was started.
    """
    versions = {cell.runtime.partition("_")[0]: group[0].report.facts.version for cell, group in runs.items()}
    return Software(
        python=platform.python_version(),
        os=platform.platform(),
        packages={"numpy": np.__version__, **versions},
        harness=Harness(
            repeats=repeats(settings), quick=settings.quick, seed=seed, rules=rules(settings), starts=starts
        ),
    )


def _run_all(
    subject: Subject,
    settings: Settings,
    plan: list[Cell],
    store: Store,
    seed: int,
    on_progress: Callable[[Progress], None] | None,
) -> _Measured:
    measured = _Measured(starts=store.starts)
    fed = batches.write(subject, settings.batch_sizes, store.scratch("inputs"), seed)
    jobs = {cell: job(subject, settings, cell, fed[cell.batch_size], seed) for cell in plan}
    jobs, measured.lost = conversions.prepare(jobs, store, settings.timeout_s)
    waiting = [(n, cell) for n, cell in cells.order(plan, repeats(settings), seed) if cell in jobs]
    tally = Tally()
    while waiting:
        repeat, cell = waiting.pop(0)
        name = f"{cell.name}.{repeat}"
        began = monotonic()
        run = store.find(name)
        if run is None:
            run = _run_one(jobs[cell], store, name, settings.timeout_s, measured)
            tally.add(cell, monotonic() - began)
        measured.order.append(name)
        if run is not None:
            measured.runs.setdefault(cell, []).append(run)
        else:  # one process without numbers spoils the interval: spare the others
            measured.runs.pop(cell, None)
            waiting = [(n, other) for n, other in waiting if other != cell]
        if on_progress is not None:
            on_progress(tally.progress(plan, [cell for _, cell in waiting], done=len(measured.order)))
    if settings.profile:
        for cell in measured.runs:
            measured.profiles[cell] = _profile(jobs[cell], store, settings.timeout_s)
    return measured


def _run_one(job: Job, store: Store, name: str, timeout_s: float, measured: _Measured) -> Run | None:
    cell = job.cell
    try:
        answer = launcher.run(job.model_copy(update={"folder": store.scratch(name)}), timeout_s)
    except launcher.WorkerFailed as failure:
        measured.lost[cell] = unmeasured(cell, "failed", str(failure))
        return None
    if isinstance(answer, Refusal):
        measured.lost[cell] = unmeasured(cell, "unavailable", answer.unavailable)
        return None
    return store.keep(name)


def _profile(job: Job, store: Store, timeout_s: float) -> Profile:
    folder = store.scratch(f"{job.cell.name}.profile")
    try:
        answer = launcher.run(job.model_copy(update={"task": "profile", "folder": folder}), timeout_s)
    except launcher.WorkerFailed as failure:
        return Profile(reason=str(failure))
    return Profile(reason=answer.unavailable) if isinstance(answer, Refusal) else answer


def job(subject: Subject, settings: Settings, cell: Cell, fed: Path, seed: int) -> Job:
    """Return the job of a cell's processes; each of them gets a folder of its own."""
    root = subject.root.resolve()
    return Job(
        cell=cell,
        rules=rules(settings),
        root=root,
        batches=fed,
        folder=fed.parent,
        onnx=None if subject.onnx is None else root / subject.onnx,
        checkpoint=None if subject.checkpoint is None else root / subject.checkpoint,
        loader=subject.loader,
        preprocess=subject.preprocess,
        postprocess=subject.postprocess,
        seed=seed,
    )


def _row(cell: Cell, plan: list[Cell], measured: _Measured) -> CellResult:
    if cell in measured.lost:
        return measured.lost[cell]
    runs = measured.runs
    reference = numerics.reference_of(cell, [other for other in plan if other in runs])
    compared = numerics.compare(
        runs[cell][0].outputs,
        None if reference is None else runs[reference][0].outputs,
        None if reference is None else reference.name,
    )
    return assemble.cell_result(cell, runs[cell], compared, measured.profiles.get(cell))


def _write_samples(path: Path, measured: _Measured) -> None:
    """Write every call's times, as `cell.repeat.column`, and the order in which the processes ran.

    Each column has the smallest type that holds it: of a fast model there are millions of calls.
    """
    arrays: dict[str, Any] = {
        f"{cell.name}.{repeat}.{column}": times.astype(np.min_scalar_type(int(times.max())))
        for cell, runs in measured.runs.items()
        for repeat, run in enumerate(runs)
        for column, times in run.times.items()
    }
    with files.replacing(path) as stream:
        np.savez_compressed(stream, order=np.array(measured.order, dtype=np.str_), **arrays)


def read_samples(path: Path) -> tuple[dict[str, list[Array]], dict[str, list[Array]]]:
    """Return nanoseconds of every call, end to end, from a samples file: timed ones, and the warm-up's.

    By name of the cell, one array a process.
    """
    timed: dict[str, list[Array]] = {}
    warmups: dict[str, list[Array]] = {}
    with np.load(path, allow_pickle=False) as archive:
        for entry in archive.files:
            process, _, column = entry.rpartition(".")
            if column == "warmup_end_to_end_ns":
                cell = process.rpartition(".")[0]
                parts = (archive[f"{process}.{name}_ns"] for name in ("preprocess", "model", "postprocess"))
                timed.setdefault(cell, []).append(sum(part.astype(np.int64) for part in parts))
                warmups.setdefault(cell, []).append(archive[entry].astype(np.int64))
    return timed, warmups


def _shown(path: Path, root: Path) -> str:
    """The path as the record holds it: relative to the project, and no folder of this machine's."""
    top = root.resolve()
    target = (top / path).resolve()
    return target.relative_to(top).as_posix() if target.is_relative_to(top) else path.name
