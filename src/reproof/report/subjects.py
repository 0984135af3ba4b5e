"""The run that a document is about: the workspace's own, or one that Git holds, whole or broken off."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from reproof import dvc, files, git, history, recorded
from reproof.errors import ReproofError
from reproof.git_objects import BESIDE, objects, record_at
from reproof.invocation import LATEST
from reproof.recorded import Run
from reproof.report import source
from reproof.report.source import Source

_LARGEST = 20_000_000
_SMALL = (".json", ".yaml", ".csv", ".ndjson")
_FROM_STAGE = {"start_time": None, "end_time": None, "argv": None, "pinned": None, "overrides": None}


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
            if not recorded.is_whole(recorded.json_of((results / "meta.json").read_bytes())):
                results = _copy(
                    root, Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="reproof-")))
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
    if isinstance(meta, dict) and isinstance(meta.get("run_id"), str) and not recorded.is_whole(meta):
        _complete(results, meta)
    run = history.of_results(results)
    if run is None or not isinstance(files.read_json(results / "meta.json").get("git"), dict):
        raise ReproofError("no record of a run", where=f"{LATEST}/meta.json")
    return run, source.read(results)


@dataclass(frozen=True)
class _Place:
    commit: str | None
    experiment: str | None


def _resolved(root: Path, rev: str) -> _Place:
    with git.open_repository(root) as repo:
        found = git.resolve(repo, rev)
    return _Place(found.commit, found.experiment)


def _commit(root: Path, run_id: str) -> _Place:
    """The commit that holds the workspace's run, where there is one."""
    try:
        with objects(root) as held:
            head = held.blob(f"HEAD:{held.prefix}{LATEST}/meta.json")
            if recorded.json_of(head).get("run_id") == run_id:
                return _Place(str(held.repo.head.commit.hexsha), None)
            known = next((run for run in history.scan(held).runs if run.run_id == run_id), None)
    except ReproofError:  # no repository: the record says so itself
        return _Place(None, None)
    return _Place(known.commit, known.experiment) if known else _Place(None, None)


def _copy(root: Path, into: Path) -> Path:
    """A copy of the workspace's small files, to leave out of it what is not this run's."""
    results = into.resolve() / LATEST
    for path in sorted((root / LATEST).rglob("*")):
        if path.suffix in _SMALL and path.is_file() and path.stat().st_size <= _LARGEST:
            target = results / path.relative_to(root / LATEST)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    for name in BESIDE:
        if (root / name).is_file():
            shutil.copyfile(root / name, results.parents[1] / name)
    return results


def _complete(results: Path, meta: dict[str, Any]) -> None:
    """Make of a run that broke off a record with every part, out of the stage in which it did."""
    project = results.parents[1]
    stage, record = _broken_stage(results, meta)
    stages = dvc.pipeline(project) if (project / "dvc.yaml").is_file() else {}
    known = {stage, *(dvc.upstream(stages, stage) if stage in stages else ())}
    ours = {path for name in known if name in stages for path in stages[name].outs}
    ours |= {f"{LATEST}/{name}" for name in ("meta.json", "summary.json", f"stages/{stage}.json")}
    for path in [path for path in results.rglob("*") if path.is_file()]:
        name = path.relative_to(project).as_posix()
        if not any(name == one or name.startswith(f"{one}/") for one in ours):
            path.unlink()
    if (project / "params.yaml").is_file():
        shutil.copyfile(project / "params.yaml", results / "config.yaml")
    code = record.get("code")
    facts = record.get("facts")
    unknown: Mapping[str, Any] = {"commit": None, "code_tree": None, "branch": None, "dirty": None}
    unknown = {**unknown, "changed": {}, "remote": None, "reason": "the run left no record of its code"}
    whole = {
        **{key: record.get(key, absent) for key, absent in _FROM_STAGE.items()},
        "runtime_seconds": None,
        "device": facts.get("device") if isinstance(facts, dict) else None,
        "seed": None,
        "overrides_against": None,
        "experiment": record.get("dvc") or {},
        "git": {
            **unknown,
            **(code if isinstance(code, dict) else {}),
            "pull_request": record.get("pull_request"),
        },
        "links": {"job": record.get("job")},
        "stages": {},
        "missing": {},
        **meta,
    }
    files.write_json(results / "meta.json", whole)
    if not (results / "summary.json").is_file():
        summary: dict[str, Any] = {
            "status": meta.get("status"),
            "metrics": {},
            "runtime_seconds": None,
            "end_time": None,
        }
        files.write_json(results / "summary.json", summary)


def _broken_stage(results: Path, meta: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    error = meta.get("error")
    if isinstance(error, dict) and isinstance(error.get("stage"), str):
        stage = str(error["stage"])
        path = files.inside(results, f"stages/{stage}.json", where="meta.json: error.stage")
        return stage, recorded.json_of(path.read_bytes() if path.is_file() else None)
    for path in sorted((results / "stages").glob("*.json")):
        record = recorded.json_of(path.read_bytes())
        if record.get("run_id") == meta["run_id"]:
            return path.stem, record
    return "train", {}
