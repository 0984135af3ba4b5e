"""A run that broke off has no meta.json but for its status: what its stages recorded stands in for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproof.record import ANCHOR

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


def whole(
    meta: Mapping[str, Any], stages: Mapping[str, dict[str, Any]], raw: Mapping[str, Any]
) -> dict[str, Any]:
    """Return meta.json with everything that documents ask of it.

    Args:
        meta: as it is; that of a run that ended is whole by itself.
        stages: the stages' records, in their order.
        raw: the params.
    """
    if "git" in meta and "stages" in meta:
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
