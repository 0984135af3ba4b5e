"""The ONNX model in the precisions of the cells, each made once, in a process of its own.

A conversion holds the model several times in memory and may crash: neither may touch what is measured.
"""

from __future__ import annotations

from collections.abc import Mapping

from reproof.benchmark import cells, launcher
from reproof.benchmark.cells import Cell
from reproof.benchmark.kept import Store
from reproof.benchmark.messages import Converted, Job, Refusal
from reproof.benchmark.schema import CellResult, requested, unmeasured

_Lost = dict[Cell, CellResult]


def prepare(
    jobs: Mapping[Cell, Job], store: Store, timeout_s: float, side: str = ""
) -> tuple[dict[Cell, Job], _Lost]:
    """Return the jobs with the model that each is to run, and the rows of cells that cannot.

    `side` keeps the files of two models apart.
    """
    ready: dict[Cell, Job] = {}
    lost: _Lost = {}
    made: dict[tuple[str, str], Converted | CellResult] = {}
    for cell, job in jobs.items():
        if reason := cells.unavailable(cell):
            lost[cell] = unmeasured(cell, "unavailable", reason)
            continue
        if cell.runtime != "onnxruntime" or cell.precision == "fp32" or job.onnx is None:
            ready[cell] = job
            continue
        kind = (cell.device, cell.precision)
        if kind not in made:
            made[kind] = _convert(job, store, timeout_s, side)
        found = made[kind]
        if isinstance(found, Converted):
            ready[cell] = job.model_copy(update={"onnx": found.path, "conversion": found.facts})
        else:
            lost[cell] = found.model_copy(update={"cell": requested(cell)})
    return ready, lost


def _convert(job: Job, store: Store, timeout_s: float, side: str) -> Converted | CellResult:
    cell = job.cell
    folder = store.scratch(f"convert{side}-{cell.device}-{cell.precision}")
    try:
        answer = launcher.run(job.model_copy(update={"task": "convert", "folder": folder}), timeout_s)
    except launcher.WorkerFailed as failure:
        return unmeasured(cell, "failed", f"the conversion to {cell.precision} failed: {failure}")
    return unmeasured(cell, "unavailable", answer.unavailable) if isinstance(answer, Refusal) else answer
