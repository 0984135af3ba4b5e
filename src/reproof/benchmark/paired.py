"""Two models against each other: interleaved, so that what the machine does meanwhile hits both alike.

Both processes live at the same time, and one of them always waits without using a core. Calls are made in
blocks, A B B A and B A A B in turn: within such a group a steady drift cancels. Measured one after the other
under contention, the wrong model won (ratios of 0.71 to 1.69 where 1.15 was true); interleaved, never.
"""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic

import numpy as np

from reproof.benchmark import assemble, batches, cells, conversions, kept, launcher, lock, numerics, verdict
from reproof.benchmark import subject as subjects
from reproof.benchmark.cells import Cell
from reproof.benchmark.kept import Run, Store
from reproof.benchmark.measuring import job
from reproof.benchmark.messages import Job, Refusal
from reproof.benchmark.paired_schema import Decision, PairedCell, Ratio
from reproof.benchmark.progress import Progress, Tally
from reproof.benchmark.schema import CellResult, unmeasured
from reproof.benchmark.settings import Settings, repeats
from reproof.benchmark.subject import Subject
from reproof.benchmark.timing import NS
from reproof.stats import intervals

BASIS = "both measured here, interleaved in blocks"
SIDES = ("a", "b")
GROUPS = ("abba", "baab")
GROUPS_PER_PROCESS = 6
"""Groups of four blocks; a process measures for its usual time, in blocks of a twelfth of it."""


@dataclass(frozen=True)
class _Pair:
    a: Run
    b: Run


def measure(
    a: Subject,
    b: Subject,
    settings: Settings,
    *,
    model_digests: Mapping[str, str],
    seed: int = 0,
    on_progress: Callable[[Progress], None] | None = None,
) -> dict[str, PairedCell]:
    """Measure two models in every cell of the settings, interleaved; return the cells by name.

    Each repeat is a fresh process for either. What is compared is the time of a call from end to end.
    Ctrl-C keeps the repeats that are done, as `measuring.measure` does.

    Raises:
        ReproofError: for a subject with missing files or wrong references.
    """
    sides = {"a": a, "b": b}
    for subject in sides.values():
        subjects.check(subject)
    plan = cells.plan(settings)
    count = repeats(settings)
    with lock.held(lock.PATH):
        name = kept.key(sides, settings, seed, model_digests)
        with kept.opened(a.root, name, 2 * len(plan) * count) as store:
            jobs, lost = _prepare(sides, settings, plan, store, seed)
            pairs: dict[Cell, list[_Pair]] = {}
            waiting = [(n, cell) for n, cell in cells.order(plan, count, seed) if cell not in lost]
            tally, done = Tally(), 0
            while waiting:
                repeat, cell = waiting.pop(0)
                began = monotonic()
                found = _pair(jobs[cell], store, f"{cell.name}.{repeat}", settings.timeout_s, seed + repeat)
                tally.add(cell, monotonic() - began)
                done += 1
                if isinstance(found, _Pair):
                    pairs.setdefault(cell, []).append(found)
                else:
                    lost[cell] = found
                    pairs.pop(cell, None)
                    waiting = [(n, other) for n, other in waiting if other != cell]
                if on_progress is not None:
                    on_progress(tally.progress(plan, [cell for _, cell in waiting], done))
    return {cell.name: lost[cell] if cell in lost else _row(cell, pairs[cell]) for cell in plan}


def _prepare(
    sides: Mapping[str, Subject], settings: Settings, plan: Sequence[Cell], store: Store, seed: int
) -> tuple[dict[Cell, dict[str, Job]], dict[Cell, PairedCell]]:
    """The jobs of each cell by side, and the cells that one of the sides cannot run."""
    jobs: dict[Cell, dict[str, Job]] = {cell: {} for cell in plan}
    lost: dict[Cell, PairedCell] = {}
    for side, subject in sides.items():
        fed = batches.write(subject, settings.batch_sizes, store.scratch(f"inputs-{side}"), seed)
        made = {cell: job(subject, settings, cell, fed[cell.batch_size], seed) for cell in plan}
        ready, unready = conversions.prepare(made, store, settings.timeout_s, side)
        for cell, found in ready.items():
            jobs[cell][side] = found.model_copy(update={"task": "blocks"})
        for cell, row in unready.items():
            lost.setdefault(cell, _lost(side, row))
    return jobs, lost


def _pair(
    sides: Mapping[str, Job], store: Store, name: str, timeout_s: float, seed: int
) -> _Pair | PairedCell:
    """Run one process of either side, block by block; or the row that says why not."""
    names = {side: f"{name}.{side}" for side in SIDES}
    had = {side: store.find(names[side]) for side in SIDES}
    if had["a"] is not None and had["b"] is not None:
        return _Pair(had["a"], had["b"])
    jobs = {side: sides[side].model_copy(update={"folder": store.scratch(names[side])}) for side in SIDES}
    block_ns = int(jobs["a"].rules.min_seconds * NS / (2 * GROUPS_PER_PROCESS))
    # Which of the two starts, and which group comes first, is drawn anew for each pair.
    rng = random.Random(f"{seed} {name}")  # noqa: S311 (an order, no secret)  # nosec B311
    first = rng.randrange(2)
    order = "".join(GROUPS[(first + turn) % 2] for turn in range(GROUPS_PER_PROCESS))
    with launcher.Worker(jobs["a"]) as a, launcher.Worker(jobs["b"]) as b:
        workers = {"a": a, "b": b}
        # One after the other, and each alone: loading and warming up would disturb the other's.
        for side in rng.sample(SIDES, 2):
            workers[side].begin()
            if workers[side].hear(timeout_s) is None:
                return _broken(side, jobs[side], workers[side])
        for side in order:
            workers[side].tell(str(block_ns))
            if workers[side].hear(timeout_s) is None:
                return _broken(side, jobs[side], workers[side])
        for side in SIDES:
            workers[side].tell("0")
            if (row := _ended(side, jobs[side], workers[side], timeout_s)) is not None:
                return row
    # Both or none: a half of a pair is of no use to the next start.
    found = {side: store.keep(names[side]) for side in SIDES}
    return _Pair(found["a"], found["b"])


def _broken(side: str, of: Job, worker: launcher.Worker) -> PairedCell:
    """The row of a worker that did not say that it is ready: it has ended, or takes too long."""
    return _ended(side, of, worker, timeout_s=1.0) or _lost(
        side, unmeasured(of.cell, "failed", "it left before it had measured")
    )


def _ended(side: str, of: Job, worker: launcher.Worker, timeout_s: float) -> PairedCell | None:
    """Wait for a worker's end; the row where it gave no result, None where it did."""
    try:
        answer = worker.answer(timeout_s)
    except launcher.WorkerFailed as failure:
        return _lost(side, unmeasured(of.cell, "failed", str(failure)))
    if isinstance(answer, Refusal):
        return _lost(side, unmeasured(of.cell, "unavailable", answer.unavailable))
    return None


def _lost(side: str, row: CellResult) -> PairedCell:
    reason = f"{side.upper()}: {row.reason}"
    return PairedCell(status="failed" if row.status == "failed" else "unavailable", reason=reason)


def _row(cell: Cell, pairs: Sequence[_Pair]) -> PairedCell:
    compared = numerics.compare(pairs[0].b.outputs, pairs[0].a.outputs, "a")
    alone = numerics.compare(pairs[0].a.outputs, None, None)
    a = assemble.cell_result(cell, [pair.a for pair in pairs], alone)
    b = assemble.cell_result(cell, [pair.b for pair in pairs], compared)
    found = ratio([log_ratio(pair.a, pair.b) for pair in pairs])
    return PairedCell(
        status="measured",
        reason=None,
        a=a,
        b=b,
        ratio=found,
        decision=decide(found),
        noisy=verdict.of_both(a, b),
    )


def log_ratio(a: Run, b: Run) -> float:
    """Return the logarithm of B's time over A's, from the blocks of one pair of processes.

    The median over groups of four blocks; a block counts by the median of its calls.
    """
    a_blocks, b_blocks = _block_logs(a), _block_logs(b)
    groups = zip(a_blocks.reshape(-1, 2).mean(axis=1), b_blocks.reshape(-1, 2).mean(axis=1), strict=True)
    return statistics.median(float(of_b - of_a) for of_a, of_b in groups)


def _block_logs(run: Run) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    ends = np.cumsum(run.times["calls_of_block"])[:-1]
    blocks = np.split(assemble.stage_ns(run, "end_to_end"), ends)
    return np.log([max(1.0, float(np.median(block))) for block in blocks])


def ratio(log_ratios: Sequence[float]) -> Ratio:
    """Return the ratio of B's time to A's, with the t interval over pairs of processes.

    It is taken of the logarithms, so that A over B is one over B over A.
    """
    centre = statistics.fmean(log_ratios)
    interval = intervals.t_interval(log_ratios)
    return Ratio(
        b_over_a=math.exp(centre),
        ci95=None if interval is None else [math.exp(interval[0]), math.exp(interval[1])],
        pairs=[math.exp(value) for value in log_ratios],
        unavailable_reason=None if interval else "one pair of processes; an interval takes two",
    )


def decide(found: Ratio) -> Decision:
    """Return which is faster; `inconclusive` where the interval holds 1, or there is none."""
    if found.ci95 is None or found.ci95[0] <= 1 <= found.ci95[1]:
        return "inconclusive"
    return "a is faster" if found.ci95[0] > 1 else "b is faster"
