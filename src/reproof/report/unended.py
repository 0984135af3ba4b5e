"""A run that broke off: what of its record is its own, and what stands in for its meta.json.

Until `summarize` has run, a record is the stages' own: some of this run, others of the one before it, which
DVC keeps where it does not get to a stage. dvc.yaml tells them apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from reproof import dvc, record_values
from reproof.dvc import Declared
from reproof.invocation import LATEST
from reproof.record import ANCHOR

Records = Mapping[str, dict[str, Any]]

_NOT_RECORDED = "not recorded"
_EMPTY: dict[str, Any] = {
    "run_id": None,
    "status": "in_progress",
    "start_time": None,
    "end_time": None,
    "device": None,
    "seed": None,
    "pinned": None,
    "argv": None,
    "overrides": None,
    "overrides_against": None,
    "experiment": {"name": None, "baseline": None},
    "git": {
        "commit": None,
        "code_tree": None,
        "branch": None,
        "dirty": None,
        "changed": {},
        "remote": None,
        "reason": "the run broke off before its code was recorded",
        "pull_request": None,
    },
    "links": {},
    "os": {"name": _NOT_RECORDED},
    "python": {"version": _NOT_RECORDED},
    "cpu": {"model": _NOT_RECORDED, "usable_cores": None, "isa": None},
    "ram_bytes": None,
    "gpus": None,
    "gpus_missing_reason": _NOT_RECORDED,
    "library": {"version": _NOT_RECORDED, "commit": None},
    "packages": {},
    "missing": {},
    "stages": {},
}
"""What documents ask of meta.json."""


_MARKED = (f"{LATEST}/meta.json", f"{LATEST}/summary.json")
"""What `record.mark` has written of the run."""


def own(results: Path, meta: Mapping[str, Any], records: Records) -> tuple[Records, frozenset[str] | None]:
    """Return the stages' records that are of the run itself, in their order, and the paths that they wrote.

    Of a run that broke off these are the stage in which it did and those before it, by the dvc.yaml that lies
    beside the record; and of the others those that read the same contents, so that they tell of the same data
    and model.

    Args:
        results: the record's folder, `<project>/results/<run>`.
        meta: its meta.json, as it is.
        records: of all stages that left one.

    Returns:
        The records; and outputs by their paths from the project's root, as dvc.yaml has them, or None where
        everything in the record's folder is of this run.

    Raises:
        ReproofError: for a dvc.yaml that cannot be read.
    """
    if record_values.is_whole(meta):
        return _in_order(records, meta["stages"]), None
    project = results.parents[1]
    stages = dvc.pipeline(project) if (project / "dvc.yaml").is_file() else {}
    broken = _broken(meta, records)
    known = set() if broken is None else {broken}
    if broken in stages:
        known |= dvc.upstream(stages, broken)
        known |= {*_beside(broken, known, stages, records)}
    outs = {*_MARKED, *(out for name in known if name in stages for out in stages[name].outs)}
    found = {name: record for name, record in records.items() if name in known}
    return _in_order(found, stages), frozenset(outs)


def _in_order(records: Records, order: Mapping[str, Any]) -> Records:
    names = [*(name for name in order if name in records), *(name for name in records if name not in order)]
    return {name: records[name] for name in names}


def _broken(meta: Mapping[str, Any], records: Records) -> str | None:
    """The stage that failed, or that runs; None where it has not come as far as saying so."""
    stage = (meta.get("error") or {}).get("stage")
    running = (name for name, record in records.items() if record.get("run_id") == meta.get("run_id"))
    return str(stage) if stage else next(running, None)


def _beside(broken: str, known: set[str], stages: Mapping[str, Declared], records: Records) -> Iterator[str]:
    """Stages that ended without the broken one, and read what it and those before it read or wrote."""
    contents: dict[str, Any] = {}
    for name in known & records.keys():
        contents |= (records[name].get("reads") or {}) | (records[name].get("writes") or {})
    for name in stages.keys() & records.keys() - known:
        reads = records[name].get("reads") or {}
        shared = reads.keys() & contents.keys()
        ended = records[name].get("status") in ("success", "partial")
        same = bool(shared) and all(reads[path] == contents[path] for path in shared)
        if ended and same and broken not in dvc.upstream(stages, name):
            yield name


def whole(meta: Mapping[str, Any], stages: Records, raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return meta.json with everything that documents ask of it.

    Args:
        meta: as it is; that of a run that ended is whole by itself.
        stages: the stages' records, in their order.
        raw: the params.
    """
    if record_values.is_whole(meta):
        return _EMPTY | dict(meta)
    anchor = stages.get(ANCHOR) or next(reversed([*stages.values()]), {})
    code, environment = anchor.get("code") or {}, anchor.get("environment") or {}
    caller = anchor.get("dvc") or {}
    found = {
        "start_time": anchor.get("start_time"),
        "device": (anchor.get("facts") or {}).get("device"),
        "seed": raw.get("seed"),
        "pinned": anchor.get("pinned"),
        "argv": anchor.get("argv"),
        "overrides": anchor.get("overrides"),
        "overrides_against": code.get("commit"),
        "experiment": {"name": caller.get("experiment"), "baseline": caller.get("baseline")},
        "git": {**_EMPTY["git"], **code, "pull_request": anchor.get("pull_request")},
        "links": {"job": anchor.get("job"), **(anchor.get("links") or {})},
        "stages": {name: _row(record) for name, record in stages.items()},
        **{key: value for key, value in environment.items() if key != "schema_version"},
    }
    return _EMPTY | found | {key: value for key, value in meta.items() if value is not None}


def _row(record: Mapping[str, Any]) -> dict[str, Any]:
    keys = ("run_id", "status", "start_time", "end_time", "seconds", "error")
    return {key: record.get(key) for key in keys} | {
        "code_tree": (record.get("code") or {}).get("code_tree"),
        "fingerprint": (record.get("environment") or {}).get("fingerprint"),
        "continued": (record.get("resume") or {}).get("continued"),
    }
