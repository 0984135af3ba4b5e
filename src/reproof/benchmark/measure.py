"""The benchmark from plan to result: fresh processes in interleaved blocks, one at a time on the machine."""

from __future__ import annotations

import platform
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import numpy.typing as npt

from reproof import files
from reproof.benchmark import assemble, cells, hardware, launcher, lock, numerics
from reproof.benchmark import subject as subjects
from reproof.benchmark.assemble import Run
from reproof.benchmark.cells import Cell
from reproof.benchmark.messages import OUTPUTS, TIMES, Job, Refusal
from reproof.benchmark.progress import Progress, Tally
from reproof.benchmark.schema import CellResult, Harness, Provenance, Result, Software, unmeasured
from reproof.benchmark.settings import Settings, repeats, rules
from reproof.benchmark.subject import Subject

Arrays = dict[str, npt.NDArray[Any]]


@dataclass
class _Measured:
    """What the processes gave so far, by cell; `lost` are the cells that failed or are unavailable."""

    runs: dict[Cell, list[Run]] = field(default_factory=dict)
    outputs: dict[Cell, Arrays] = field(default_factory=dict)
    lost: dict[Cell, CellResult] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)


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
    or whose process fails, is a row with the reason. Ctrl-C ends the running process and goes on upwards.

    Args:
        subject: the model and the code around it.
        settings: the cells, and how long to look at them.
        provenance: what the model was made of, for the record.
        samples_file: where to write every call's times as .npz; None writes none.
        seed: of the order of processes, and of the processes' own random generators.
        on_progress: called after each process.

    Raises:
        ReproofError: for a subject with missing files or wrong references.
    """
    subjects.check(subject)
    plan = cells.plan(settings)
    with tempfile.TemporaryDirectory(prefix="reproof-benchmark-") as name:
        batches = subjects.write_batches(subject, settings.batch_sizes, Path(name))
        with lock.held(lock.PATH):
            measured = _run_all(subject, settings, plan, batches, Path(name), seed, on_progress)
    if samples_file is not None:
        _write_samples(subject.root / samples_file, measured)
    versions: dict[str, str] = {
        cell.runtime: runs[0].report.facts.version for cell, runs in measured.runs.items()
    }
    return Result(
        provenance=provenance,
        hardware=hardware.describe(),
        software=Software(
            python=platform.python_version(),
            os=platform.platform(),
            packages={"numpy": np.__version__, **versions},
            harness=Harness(
                repeats=repeats(settings), quick=settings.quick, seed=seed, rules=rules(settings)
            ),
        ),
        cells={cell.name: _row(cell, plan, measured) for cell in plan},
        raw_samples=None if samples_file is None else _shown(samples_file, subject.root),
    )


def _run_all(
    subject: Subject,
    settings: Settings,
    plan: list[Cell],
    batches: dict[int, Path],
    scratch: Path,
    seed: int,
    on_progress: Callable[[Progress], None] | None,
) -> _Measured:
    measured = _Measured()
    for cell in plan:
        if reason := cells.unavailable(cell):
            measured.lost[cell] = unmeasured(cell, "unavailable", reason)
    waiting = [
        (n, cell) for n, cell in cells.order(plan, repeats(settings), seed) if cell not in measured.lost
    ]
    tally = Tally()
    while waiting:
        repeat, cell = waiting.pop(0)
        folder = scratch / f"{cell.name}.{repeat}"
        folder.mkdir()
        began = monotonic()
        _run_one(_job(subject, settings, cell, batches[cell.batch_size], folder, seed), settings, measured)
        tally.add(cell, monotonic() - began)
        shutil.rmtree(folder)
        measured.order.append(f"{cell.name}.{repeat}")
        if cell in measured.lost:  # one process without numbers spoils the interval: spare the others
            measured.runs.pop(cell, None)
            waiting = [(n, other) for n, other in waiting if other != cell]
        if on_progress is not None:
            on_progress(tally.progress(plan, [cell for _, cell in waiting]))
    return measured


def _run_one(job: Job, settings: Settings, measured: _Measured) -> None:
    cell = job.cell
    try:
        answer = launcher.run(job, settings.timeout_s)
    except launcher.WorkerFailed as failure:
        measured.lost[cell] = unmeasured(cell, "failed", str(failure))
        return
    if isinstance(answer, Refusal):
        measured.lost[cell] = unmeasured(cell, "unavailable", answer.unavailable)
        return
    measured.runs.setdefault(cell, []).append(Run(answer, _arrays(job.folder / TIMES)))
    if cell not in measured.outputs:
        measured.outputs[cell] = _arrays(job.folder / OUTPUTS)


def _job(subject: Subject, settings: Settings, cell: Cell, batches: Path, folder: Path, seed: int) -> Job:
    root = subject.root.resolve()
    return Job(
        cell=cell,
        rules=rules(settings),
        root=root,
        batches=batches,
        folder=folder,
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
    reference = numerics.reference_of(cell, [other for other in plan if other in measured.runs])
    compared = numerics.compare(
        measured.outputs[cell],
        None if reference is None else measured.outputs[reference],
        None if reference is None else reference.name,
    )
    return assemble.cell_result(cell, measured.runs[cell], compared)


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


def _shown(path: Path, root: Path) -> str:
    """The path as the record holds it: relative to the project, and no folder of this machine's."""
    top = root.resolve()
    target = (top / path).resolve()
    return target.relative_to(top).as_posix() if target.is_relative_to(top) else path.name


def _arrays(path: Path) -> Arrays:
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}
