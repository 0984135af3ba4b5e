"""Runs read back from Git: every one that a local branch or an experiment holds, each once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from reproof import record_values, recorded
from reproof.git_objects import Objects, objects
from reproof.history.gathering import CHANGED, Gathered, Group, Place, no_garbage_collection
from reproof.history.known import Found, History
from reproof.recorded import Run

_BEST_FIRST = ("success", "partial", "failed")


def collect(root: Path) -> list[Run]:
    """Return the runs of all local branches, of HEAD and of DVC's experiments, by start time and run id.

    A run is what bears one run id. Of several commits that hold it the one counts in which it ended best (a
    run that failed in a late stage, and was run again, is a success); of those an experiment, before a
    commit on a branch; of those the earliest.

    Args:
        root: the project's folder.

    Raises:
        ReproofError: when it is in no Git repository, or Git refuses.
    """
    with objects(root) as held:
        return scan(held).runs


def scan(held: Objects) -> History:
    """Read all that `collect` returns, and where it stands."""
    with no_garbage_collection():
        gathered = Gathered(held.root, cache=True)
    branches, on = _branches(held)
    best: dict[str, tuple[tuple[Any, ...], Place, Group]] = {}
    executions: set[str] = set()
    unreadable: list[str] = []
    for place, group in _places(gathered, on):
        run = group.entry.run
        if not run.run_id:
            unreadable.append(place.commit)
            continue
        executions |= set(group.entry.executions)
        rank = _rank(place, run)
        if run.run_id not in best or rank < best[run.run_id][0]:
            best[run.run_id] = (rank, place, group)
    found = [_found(gathered, place, group.entry.run, branches, on) for _, place, group in best.values()]
    found.sort(key=lambda one: (one.run.start_time or "", one.run.run_id))
    names = frozenset(name for _, name, _ in gathered.refs.experiments)
    return History(found, frozenset(executions), names, unreadable, branches, on)


def _places(gathered: Gathered, on: dict[str, int]) -> Iterator[tuple[Place, Group]]:
    """The commits of experiments, and those on local branches that changed a record."""
    for group in gathered.groups.values():
        for place in group.places:
            if place.experiment or (place.rank == CHANGED and place.commit in on):
                yield place, group


def _found(gathered: Gathered, place: Place, run: Run, branches: list[str], on: dict[str, int]) -> Found:
    held = gathered.live.held[place.commit]
    stands = replace(
        run,
        commit=place.commit,
        experiment=place.experiment or run.experiment,
        branch=_only(branches, on.get(place.baseline or place.commit, 0)) or run.branch,
        baseline=place.baseline or run.baseline,
    )
    return Found(stands, held.files.ids if held.files else {})


def _rank(place: Place, run: Run) -> tuple[Any, ...]:
    return (
        _BEST_FIRST.index(run.status) if run.status in _BEST_FIRST else len(_BEST_FIRST),
        not place.experiment,
        place.experiment != run.experiment,
        place.time,
        place.experiment or "",
        place.commit,
    )


def _branches(held: Objects) -> tuple[list[str], dict[str, int]]:
    """The branches, and for each commit on one or at HEAD those that hold it, as bits."""
    listed = held.repo.git.for_each_ref("--format=%(objectname) %(refname)", "refs/heads")
    tips = [line.split(" ", 1) for line in str(listed).splitlines()]
    names = [ref.removeprefix("refs/heads/") for _, ref in tips]
    on: dict[str, int] = {}
    for bit, (tip, _) in enumerate(tips):
        on[tip] = on.get(tip, 0) | 1 << bit
    for line in _log(held):  # children before their parents
        commit, *parents = line.split()
        on.setdefault(commit, 0)  # of a detached HEAD
        for parent in parents:
            on[parent] = on.get(parent, 0) | on.get(commit, 0)
    return names, on


def _log(held: Objects) -> list[str]:
    own = ["HEAD"] if held.repo.head.is_valid() else []
    if not own and not held.repo.heads:
        return []
    options = ("--topo-order", "--format=%H %P", "--ignore-missing", "--branches")
    return str(held.repo.git.log(*options, *own, "--")).splitlines()


def _only(branches: list[str], bits: int) -> str | None:
    return branches[bits.bit_length() - 1] if bits and not bits & (bits - 1) else None


def of_results(results: Path) -> Run | None:
    """Return the run whose record lies in a folder; None where there is none that can be read."""
    get, stages = record_values.files_of(results)
    return recorded.read(get, [name for name in stages if name not in record_values.NOT_STAGES])
