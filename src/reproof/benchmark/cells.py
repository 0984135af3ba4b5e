"""Cells: the combinations that are measured, their names, and the order of their processes."""

from __future__ import annotations

import itertools
import random

from pydantic import BaseModel, ConfigDict

from reproof import environment
from reproof.benchmark.settings import DeviceName, PrecisionName, RuntimeName, Settings


class Cell(BaseModel):
    """One combination; each of its repeats runs in a process of its own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    runtime: RuntimeName
    device: DeviceName
    precision: PrecisionName = "fp32"
    batch_size: int
    threads: int

    @property
    def name(self) -> str:
        """The cell's key in the result, such as `onnxruntime-cpu-fp32-b1-t1`."""
        return f"{self.runtime}-{self.device}-{self.precision}-b{self.batch_size}-t{self.threads}"


def plan(settings: Settings) -> list[Cell]:
    """Return all cells, in the order in which the settings list their parts."""
    parts = itertools.product(
        settings.runtimes, settings.devices, settings.precisions, settings.batch_sizes, settings.threads
    )
    return [Cell(runtime=r, device=d, precision=p, batch_size=b, threads=t) for r, d, p, b, t in parts]


def order(cells: list[Cell], repeats: int, seed: int) -> list[tuple[int, Cell]]:
    """Return (repeat, cell) for every process: blocks of all cells, each block in a random order of its own.

    So a drift of the machine hits all cells alike. Measured one cell after the other under contention, the
    wrong runtime won.
    """
    rng = random.Random(seed)  # noqa: S311 (an order, no secret)  # nosec B311
    return [(repeat, cell) for repeat in range(repeats) for cell in rng.sample(cells, len(cells))]


def unavailable(cell: Cell) -> str | None:
    """Return why a cell cannot run on this machine, as far as that is known without its runtime."""
    usable = environment.usable_cores()
    if cell.threads > usable:
        return f"{cell.threads} threads asked for, and this process may use {usable} cores"
    return None
