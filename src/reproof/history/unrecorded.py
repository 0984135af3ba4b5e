"""Runs that Git does not hold: the workspace's own, those in progress, and those that died."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace

from reproof import dvc, excerpts, record_values, recorded
from reproof.history.entries import UNKNOWN
from reproof.history.known import Found, History
from reproof.history.repository import Repository
from reproof.history.rows import RUNNING, WORKSPACE, Row
from reproof.invocation import LATEST
from reproof.recorded import Run


def with_workspace(repository: Repository, rows: list[Row]) -> list[Row]:
    """Return the rows with the workspace's run: a row of its own, or a name of the one that is the same."""
    folder = repository.root / LATEST
    if repository.is_bare or not (folder / "meta.json").is_file():
        return rows
    get, stages = record_values.files_of(folder)
    meta = record_values.json_of(get("meta.json"))
    for number, row in enumerate(rows):
        if row.run.run_id == meta.get("run_id") != "" and _is_same(get, row, repository.object_format):
            return [*rows[:number], replace(row, names=(*row.names, WORKSPACE)), *rows[number + 1 :]]
    names = [name for name in stages if name not in record_values.NOT_STAGES]
    problems: list[str] = []
    beside = {name: data for name in excerpts.read_from(tuple(names)) if (data := get(name)) is not None}
    copied = excerpts.excerpt_in(meta, {name: excerpts.blob_id(data) for name, data in beside.items()})
    run = recorded.of_meta(meta, get, names, copied=copied, problems=problems)
    if run is not None:
        return [*rows, Row(run, WORKSPACE, (WORKSPACE,), warnings=tuple(problems))]
    if meta.get("status") == "in_progress":
        return rows  # a stage has only begun, and the registry knows it
    what = "meta.json names no run" if meta else "meta.json is no JSON object"
    return [*rows, Row(Run("", status=UNKNOWN), WORKSPACE, (WORKSPACE,), warnings=(what,))]


def _is_same(get: record_values.Get, row: Row, object_format: str) -> bool:
    """Whether the files that Git holds of a record are, byte for byte, those of the workspace."""
    for name, one in row.files.items():
        if name in recorded.NOT_COUNTED:
            continue
        data = get(name)
        if data is None or hashlib.new(object_format, b"blob %d\0" % len(data) + data).hexdigest() != one:
            return False
    return bool(row.files)


def running(
    repository: Repository, rows: Iterable[Row], executions: frozenset[str], experiments: Iterable[str]
) -> list[Row]:
    """Return the runs that the registry alone knows: in progress, failed or killed.

    Args:
        repository: of the project.
        rows: of the runs that Git and the workspace hold.
        executions: the run ids of all stages of all records.
        experiments: the names of all experiments.
    """
    main = dvc.caller().main_root or repository.root
    registry = dvc.private_folder(main) / "registry"
    if repository.is_bare or next(registry.glob("*.json"), None) is None:
        return []
    from reproof import unfinished  # it stands on this package's table of finished runs

    found = [Found(row.run, row.files) for row in rows]
    known = History(found, executions, frozenset(experiments), [], [], {})
    return [
        Row(one.run, RUNNING, (one.run.experiment,) if one.run.experiment else ())
        for one in unfinished.runs(main, known)
        if one.stage is not None
    ]
