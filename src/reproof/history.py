"""Runs read back from Git: every one that a branch or an experiment holds, as one table.

A plain first version: it reads what Git holds, and asks neither DVC nor its cache. `results/history.json` is
a snapshot of that table, written on request. Reports show other runs from it and from nothing else: from
Git's history they would look different in every workspace.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from reproof import clock, files, git, recorded
from reproof.errors import ReproofError
from reproof.git_objects import Entry, Objects, objects
from reproof.invocation import LATEST
from reproof.recorded import Run

__all__ = ["FILE", "History", "Run", "collect", "of_results", "read", "scan", "write"]

SCHEMA_VERSION = 1
FILE = "results/history.json"
_EXPERIMENT = re.compile(rf"{git.EXPERIMENT_REFS}([0-9a-f]{{2}})/([0-9a-f]{{38,62}})/(.+)")
_NOT_COMPARED = ("report.", "links.", "comparison.")
_BEST_FIRST = ("success", "partial", "failed")


@dataclass(frozen=True)
class Found:
    """A run, and the objects that hold its record: `files` by their names in results/latest."""

    run: Run
    files: Mapping[str, str]


@dataclass(frozen=True)
class History:
    """All runs that Git holds.

    Attributes:
        found: each run once, by start time and run id.
        executions: the run ids of all stages of all records, of those too that were passed over because
            another commit holds the same run.
        experiments: the names of all experiments.
        unreadable: commits that hold something under the name of a record, and no run that can be read.
        branches: the branches' names.
        on: the branches that hold each commit, as bits in the order of `branches`.
    """

    found: list[Found]
    executions: frozenset[str]
    experiments: frozenset[str]
    unreadable: list[str]
    branches: list[str]
    on: Mapping[str, int]

    @property
    def runs(self) -> list[Run]:
        """The runs alone."""
        return [found.run for found in self.found]

    def is_on(self, commit: str | None, branch: str) -> bool:
        """Whether a branch holds a commit."""
        return bool(self.on.get(commit or "", 0) >> self.branches.index(branch) & 1)


@dataclass(frozen=True)
class _Place:
    """A commit that may hold a run."""

    commit: str
    time: int
    experiment: str | None = None
    baseline: str | None = None


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
    reader = _Reader(held)
    branches, on = _branches(held)
    best: dict[str, tuple[tuple[Any, ...], _Place, dict[str, Entry]]] = {}
    executions: set[str] = set()
    unreadable: list[str] = []
    places = [*_experiments(held), *_commits(held)]
    for place in places:
        entries = held.folder(f"{place.commit}:{held.prefix}{LATEST}") or {}
        if "meta.json" not in entries:
            continue
        meta = reader.json(entries["meta.json"].id)
        run_id = meta.get("run_id")
        if not isinstance(run_id, str) or not run_id:
            unreadable.append(place.commit)
            continue
        executions |= {run_id, *_ids(meta)}
        rank = _rank(place, meta)
        if run_id not in best or rank < best[run_id][0]:
            best[run_id] = (rank, place, entries)
    found = [
        reader.run(place, entries, _only(branches, on.get(place.baseline or place.commit, 0)))
        for _, place, entries in best.values()
    ]
    found.sort(key=lambda one: (one.run.start_time or "", one.run.run_id))
    names = frozenset(place.experiment for place in places if place.experiment)
    return History(found, frozenset(executions), names, unreadable, branches, on)


def _rank(place: _Place, meta: Mapping[str, Any]) -> tuple[Any, ...]:
    status, experiment = meta.get("status"), meta.get("experiment")
    named = experiment.get("name") if isinstance(experiment, dict) else None
    return (
        _BEST_FIRST.index(status) if status in _BEST_FIRST else len(_BEST_FIRST),
        not place.experiment,
        place.experiment != named,
        place.time,
        place.experiment or "",
        place.commit,
    )


def _ids(meta: Mapping[str, Any]) -> Iterable[str]:
    stages = meta.get("stages")
    for stage in stages.values() if isinstance(stages, dict) else ():
        if isinstance(stage, dict) and isinstance(stage.get("run_id"), str):
            yield stage["run_id"]


class _Reader:
    """Records out of Git's objects; what many commits share is read once."""

    def __init__(self, held: Objects) -> None:
        self._held = held
        self._blob = functools.lru_cache(maxsize=512)(held.blob)
        self._folder = functools.lru_cache(maxsize=512)(held.folder)

    def json(self, object_id: str) -> dict[str, Any]:
        return recorded.json_of(self._blob(object_id))

    def run(self, place: _Place, entries: Mapping[str, Entry], branch: str | None) -> Found:
        ids = {name: entry.id for name, entry in entries.items() if entry.is_file}
        inner = self._folder(entries["stages"].id) if "stages" in entries else None
        ids |= {f"stages/{name}": entry.id for name, entry in (inner or {}).items() if entry.is_file}
        stages = [n[7:-5] for n in ids if n.startswith("stages/") and n.endswith(".json")]

        def get(name: str) -> bytes | None:
            if name == "params.yaml":
                return self._held.blob(f"{place.commit}:{self._held.prefix}params.yaml")
            return self._blob(ids[name]) if name in ids else None

        run = recorded.read(
            get,
            [name for name in stages if name not in recorded.NOT_STAGES],
            commit=place.commit,
            experiment=place.experiment,
            branch=branch,
            baseline=place.baseline,
        )
        assert run is not None  # `scan` has seen its run id
        return Found(run, ids)


def _experiments(held: Objects) -> list[_Place]:
    listed = held.repo.git.for_each_ref(
        "--format=%(objectname) %(committerdate:unix) %(refname)", git.EXPERIMENT_REFS
    )
    found = []
    for line in str(listed).splitlines():
        commit, time, ref = line.split(" ", 2)
        if match := _EXPERIMENT.fullmatch(ref):
            found.append(_Place(commit, int(time or 0), match.group(3), match.group(1) + match.group(2)))
    return found


def _commits(held: Objects) -> list[_Place]:
    """The commits on branches that changed the run's record."""
    path = f":(top,literal){held.prefix}{LATEST}/meta.json"
    listed = _log(held, "--full-history", "--format=%H %ct", path=path)
    return [_Place(commit, int(time)) for commit, time in (line.split() for line in listed)]


def _branches(held: Objects) -> tuple[list[str], dict[str, int]]:
    """The branches, and for each commit those that hold it, as bits."""
    listed = held.repo.git.for_each_ref("--format=%(objectname) %(refname)", "refs/heads")
    tips = [line.split(" ", 1) for line in str(listed).splitlines()]
    names = [ref.removeprefix("refs/heads/") for _, ref in tips]
    on: dict[str, int] = {}
    for bit, (tip, _) in enumerate(tips):
        on[tip] = on.get(tip, 0) | 1 << bit
    for line in _log(held, "--topo-order", "--format=%H %P"):  # children before their parents
        commit, *parents = line.split()
        for parent in parents:
            on[parent] = on.get(parent, 0) | on.get(commit, 0)
    return names, on


def _log(held: Objects, *options: str, path: str | None = None) -> list[str]:
    own = ["HEAD"] if held.repo.head.is_valid() else []
    if not own and not held.repo.heads:
        return []
    return str(held.repo.git.log(*options, "--branches", *own, "--", *([path] if path else []))).splitlines()


def _only(branches: list[str], bits: int) -> str | None:
    return branches[bits.bit_length() - 1] if bits and not bits & (bits - 1) else None


def of_results(results: Path) -> Run | None:
    """Return the run whose record lies in a folder; None where there is none that can be read."""
    get, stages = recorded.files_of(results)
    return recorded.read(get, [name for name in stages if name not in recorded.NOT_STAGES])


def write(path: Path, runs: Iterable[Run]) -> bool:
    """Write runs as JSON, a line each; a file that holds the same runs already stays as it is.

    Returns:
        Whether the file was written: then DVC runs the report again.
    """
    rows = {run.run_id: _row(run) for run in runs}
    if path.exists():
        try:
            if json.dumps(files.read_json(path)["runs"]) == json.dumps(rows):
                return False
        except (ReproofError, KeyError, TypeError):
            pass  # no history: it is written anew
    lines = [f"{json.dumps(key)}: {_compact(row)}" for key, row in rows.items()]
    head = f'{{"schema_version": {SCHEMA_VERSION}, "written_at": "{clock.now()}", "runs": {{'
    files.write_text(path, head + "\n" + ",\n".join(lines) + ("\n" if lines else "") + "}}\n")
    return True


def _compact(row: Mapping[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _row(run: Run) -> dict[str, Any]:
    row = {one.name: getattr(run, one.name) for one in fields(run) if one.name != "run_id"}
    row["params"] = {key: value for key, value in run.params.items() if not key.startswith(_NOT_COMPARED)}
    return row


def read(path: Path) -> list[Run]:
    """Read a file that `write` wrote.

    Raises:
        ReproofError: when it is missing, no such file, or of a newer schema.
    """
    found = files.read_json(path)
    version = found.get("schema_version") if isinstance(found, dict) else None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise ReproofError(
            "a history of a newer schema",
            where=path,
            expected=f"schema_version at most {SCHEMA_VERSION}",
            found=str(version),
            hint="update the library, or write it anew: reproof history",
        )
    known = {one.name for one in fields(Run)} - {"run_id"}
    try:
        rows = found["runs"].items()
        return [Run(run_id=key, **{name: row[name] for name in known & row.keys()}) for key, row in rows]
    except (KeyError, TypeError, AttributeError) as error:
        raise ReproofError(
            "not a history of runs", where=path, hint="write it anew: reproof history"
        ) from error
