"""The run that a document is about: the workspace's own, or one that Git holds, whole or broken off."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from reproof import files, git, history, record_values, revisions
from reproof.errors import ReproofError
from reproof.git_objects import objects, record_at
from reproof.invocation import LATEST
from reproof.recorded import Run
from reproof.report import source
from reproof.report.source import Source


@dataclass(frozen=True)
class Subject:
    """A run to write about.

    Attributes:
        source: its record.
        run: the same as a row, with the commit that holds it (None: none does).
        folder: that holds the record as a project does: `results/latest`, dvc.yaml, dvc.lock.
    """

    source: Source
    run: Run
    folder: Path


@contextlib.contextmanager
def open_run(root: Path, rev: str | None) -> Iterator[Subject]:
    """Open the run that a revision holds; None for the workspace's own.

    Of a run that broke off, files that may be an earlier run's are left out.

    Raises:
        ReproofError: no such revision, no run there, or a record that cannot be read.
    """
    with contextlib.ExitStack() as stack:
        if rev is None:
            results = root / LATEST
            if not (results / "meta.json").is_file():
                raise ReproofError(
                    "no run is recorded here",
                    where=LATEST,
                    hint="dvc exp run; or name an experiment, a branch, a tag or a commit",
                )
        else:
            results = stack.enter_context(record_at(root, rev))
        shown = f" of {rev}" if rev else ""
        try:
            run, found = _read(results)
        except ReproofError as error:  # the folder is a passing one, which says nothing to the user
            where = str(error.where).replace(f"{results.parents[1]}/", "")
            raise ReproofError(
                error.what,
                where=f"{where}{shown}",
                expected=error.expected,
                found=error.found,
                hint=error.hint,
            ) from error
        place = _commit(root, run.run_id) if rev is None else _resolved(root, rev)
        run = replace(run, commit=place.commit, experiment=place.experiment or run.experiment)
        yield Subject(found, run, results.parents[1])


def _read(results: Path) -> tuple[Run, Source]:
    meta = files.read_json(results / "meta.json")
    run = history.of_results(results)
    if run is None or (record_values.is_whole(meta) and not isinstance(meta.get("git"), dict)):
        raise ReproofError("no record of a run", where=f"{LATEST}/meta.json")
    found = source.read(results)
    data = record_values.data_of(found.split_checksums)
    return replace(run, data=data), found


@dataclass(frozen=True)
class _Place:
    commit: str | None
    experiment: str | None


def _resolved(root: Path, rev: str) -> _Place:
    with git.open_repository(root) as repo:
        found = revisions.resolve(repo, rev)
    return _Place(found.commit, found.experiment)


def _commit(root: Path, run_id: str) -> _Place:
    """The commit that holds the workspace's run, where there is one."""
    try:
        with objects(root) as held:
            head = held.blob(f"HEAD:{held.prefix}{LATEST}/meta.json")
            if record_values.json_of(head).get("run_id") == run_id:
                return _Place(str(held.repo.head.commit.hexsha), None)
            known = next((run for run in history.scan(held).runs if run.run_id == run_id), None)
    except ReproofError:  # no repository: the record says so itself
        return _Place(None, None)
    return _Place(known.commit, known.experiment) if known else _Place(None, None)
