"""All runs of a repository as rows: those in Git, the workspace's, and those in progress."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from reproof.history import standing
from reproof.history.entries import UNKNOWN
from reproof.history.gathering import Gathered, Group, no_garbage_collection
from reproof.history.repository import HEADS, REMOTES, TAGS, open_at, resolve
from reproof.history.rows import COMMIT, EXPERIMENT, WORKSPACE, Row, Rows
from reproof.history.store import Store
from reproof.history.unrecorded import running, with_workspace
from reproof.invocation import LATEST
from reproof.recorded import Run

_SHOWN = 5
_LAST_SECOND = 253_402_300_799
"""Of the year 9999: a commit's time is whatever its author says."""


def read_rows(root: Path, *, cache: bool = True) -> Rows:
    """Return every run that can be seen from a project: in Git, in the workspace, and in progress.

    Nothing is fetched, checked out or written, but for the cache in the repository's own folder.

    Args:
        root: the project's folder, or a bare repository.
        cache: whether to use what was read before, and to keep what is read now.

    Raises:
        ReproofError: when it is in no Git repository, or Git refuses.
    """
    with no_garbage_collection():
        return _rows(Gathered(root, cache=cache))


def blob(root: Path, row: Row, name: str) -> bytes | None:
    """Return a file of a row's record, such as evaluation.json; None where there is none.

    What DVC holds of a record is there for the workspace's own alone.

    Args:
        root: the project's folder, or a bare repository.
        row: of it.
        name: in results/latest.

    Raises:
        ReproofError: when Git refuses.
    """
    if name in row.files:
        found = _store_at(root.absolute()).read([row.files[name]])
        return next((data for _, kind, data in found if kind == "blob"), None)
    if WORKSPACE not in row.names or ".." in Path(name).parts or Path(name).is_absolute():
        return None
    try:
        return (root / LATEST / name).read_bytes()
    except OSError:
        return None


@functools.lru_cache(maxsize=8)
def _store_at(root: Path) -> Store:
    # Whoever compares asks for a file of each of hundreds of rows.
    return Store(open_at(root))


def _rows(gathered: Gathered) -> Rows:
    repository, groups = gathered.repository, gathered.groups
    names = _names(gathered)
    rows = [_row(gathered, group, names) for group in groups.values()]
    rows += _without_record(gathered)
    rows = with_workspace(repository, rows)
    executions = frozenset(one for group in groups.values() for one in group.entry.executions)
    rows += running(repository, rows, executions, {name for _, name, _ in gathered.refs.experiments})
    rows.sort(key=lambda row: (_time(gathered, row), row.run.run_id, row.name))
    by_commit = {commit: number for number, row in enumerate(rows) for commit in row.commits}

    def locate(rev: str) -> tuple[str | None, int | None]:
        """The commit of a revision, and the number of the row whose record it holds."""
        commit = resolve(repository, rev)
        if commit is None or commit in by_commit:
            return commit, by_commit.get(commit or "")
        gathered.look([commit])
        if (same := gathered.live.held.get(commit)) is None or same.files is None:
            return commit, None
        group = groups.get(gathered.key(same.files, same.params))
        return commit, by_commit.get(group.places[0].commit) if group else None

    return Rows(tuple(rows), tuple(_notices(gathered, rows)), locate)


def _names(gathered: Gathered) -> dict[str, list[str]]:
    """The names of commits, the best first."""
    found: dict[str, list[str]] = {}
    for kind in (TAGS, HEADS, REMOTES):
        for name in sorted(name for name in gathered.refs.tips if name.startswith(kind)):
            commit = gathered.refs.tips[name]
            found.setdefault(gathered.live.tags.get(commit, commit), []).append(standing.short(name))
    return found


def _row(gathered: Gathered, group: Group, names: Mapping[str, list[str]]) -> Row:
    own = group.entry.run.experiment
    places = group.places
    if len(places) > 1:
        places.sort(key=lambda p: (p.rank, p.experiment != own, p.time, p.experiment or "", p.commit))
    first = places[0]
    commits = tuple(dict.fromkeys(place.commit for place in places))
    baselines = tuple(dict.fromkeys(place.baseline for place in places if place.baseline))
    called = [place.experiment for place in places if place.experiment]
    called += [name for commit in commits for name in names.get(commit, ())]
    held = gathered.live.held[first.commit]
    run = replace(
        group.entry.run,
        commit=first.commit,
        experiment=first.experiment or own,
        branch=gathered.where.branch(first.baseline or first.commit) or group.entry.run.branch,
        baseline=first.baseline or group.entry.run.baseline,
    )
    return Row(
        run,
        EXPERIMENT if first.experiment else COMMIT,
        tuple(dict.fromkeys(called)),
        commits,
        baselines,
        gathered.where.names((*commits, *baselines)),
        held.files.ids if held.files else {},
        group.entry.problems,
    )


def _without_record(gathered: Gathered) -> Iterator[Row]:
    """Experiments that hold no record, or none that is here."""
    for commit, name, baseline in gathered.refs.experiments:
        held = gathered.live.held.get(commit)
        if held is not None and held.files is not None:
            continue
        problem = (
            f"its {LATEST} is not in this clone"
            if commit in gathered.lacking
            else f"it holds no {LATEST}/meta.json"
        )
        run = Run("", commit, name, gathered.where.branch(baseline), baseline, status=UNKNOWN)
        yield Row(
            run,
            EXPERIMENT,
            (name,),
            (commit,),
            (baseline,),
            gathered.where.names([baseline]),
            warnings=(problem,),
        )


def _time(gathered: Gathered, row: Row) -> str:
    held = gathered.live.held.get(row.run.commit or "")
    return row.run.start_time or (_iso(held.time) if held else "")


def _notices(gathered: Gathered, rows: Iterable[Row]) -> Iterator[str]:
    if gathered.repository.is_shallow:
        yield "a shallow clone: runs of older commits are not here; `git fetch --unshallow` brings them"
    if gathered.lacking:
        some = ", ".join(sorted(commit[:10] for commit in gathered.lacking)[:_SHOWN])
        yield (
            f"{_many(len(gathered.lacking), 'commit')} cannot be read: not all of their objects are in this "
            f"clone ({some}); `git fetch --refetch --no-filter` brings them"
        )
    if odd := [row for row in rows if row.run.status == UNKNOWN]:
        some = ", ".join(row.name for row in odd[:_SHOWN])
        yield f"{_many(len(odd), 'run')} whose record cannot be read: {some}"


def _iso(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(min(seconds, _LAST_SECOND)))


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
