"""How far a benchmark is, and how long it may still take."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import monotonic

from reproof.benchmark.cells import Cell


@dataclass(frozen=True)
class Progress:
    """Given to `on_progress` after each process. Blocks are interleaved: most cells are done near the end."""

    cells_done: int
    cells: int
    processes_done: int
    processes: int
    elapsed_s: float
    remaining_s: float


@dataclass
class Tally:
    """Seconds of the processes so far, by cell; a cell that failed needs no more."""

    began: float = field(default_factory=monotonic)
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def add(self, cell: Cell, seconds: float) -> None:
        self.seconds.setdefault(cell.name, []).append(seconds)

    def progress(self, cells: Sequence[Cell], waiting: Sequence[Cell], done: int) -> Progress:
        """Return the state, with `waiting` the processes still to come, one entry each, and `done` over.

        The estimate takes each cell at its own mean, one that has not run at the mean of all.
        """
        every = [seconds for times in self.seconds.values() for seconds in times]
        usual = statistics.fmean(every) if every else 0.0
        left = (statistics.fmean(self.seconds.get(cell.name) or [usual]) for cell in waiting)
        unfinished = {cell.name for cell in waiting}
        return Progress(
            cells_done=len(cells) - len(unfinished),
            cells=len(cells),
            processes_done=done,
            processes=done + len(waiting),
            elapsed_s=monotonic() - self.began,
            remaining_s=sum(left, 0.0),
        )
