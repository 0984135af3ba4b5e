"""The record of a run: what `summarize` assembles from the stages' own records.

It is a function of params.yaml, of those records and of the experiment that it is made in: no clock, no
machine of its own. So the record tells of the execution that really computed, also when DVC brought that
one back from its run cache.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from reproof import clock, digest, dvc, excerpts, files, git, params, record_values, redact
from reproof.errors import ReproofError
from reproof.plain import plain
from reproof.record_values import ANCHOR

__all__ = ["ANCHOR", "SCHEMA_VERSION", "end_dead", "mark", "overrides", "summarize"]

SCHEMA_VERSION = 1


def overrides(root: Path, raw: Mapping[str, Any]) -> dict[str, dict[str, Any]] | None:
    """Return the params that differ from params.yaml at HEAD, with both values; None where there is no HEAD.

    Inside `dvc exp run` HEAD is the baseline, so these are the values that `-S` set.
    """
    try:
        with git.open_repository(root) as repo:
            before = git.file_at(repo, "HEAD", git.prefix(repo, root) + "params.yaml")
        return None if before is None else params.differences(params.parse(before, "HEAD")[0], raw)
    except ReproofError:
        return None


def mark(
    results: Path, status: str, *, run_id: str | None = None, error: Mapping[str, str] | None = None
) -> None:
    """Say at once that the run in `results` is in progress or failed: no crash leaves the last success.

    Numbers stay only where a stage after `summarize` failed: they were measured by this very run.
    """
    summary_path, meta_path = results / "summary.json", results / "meta.json"
    summary = _summary(status, {}, None, None)
    meta: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "run_id": run_id,
        "status": status,
        "error": error,
    }
    if status == "failed":
        summary = _read(summary_path) | {"status": status, "end_time": clock.now()}
        meta = _read(meta_path) | {"status": status, "error": error}
    files.write_json(summary_path, summary)
    files.write_json(meta_path, meta)


def end_dead(results: Path, stage: str, message: str) -> None:
    """Say of a stage that was killed, and could not itself, that it failed."""
    path = results / "stages" / f"{stage}.json"
    told = {"type": "Killed", "message": message, "traceback": None}
    if path.is_file():
        files.write_json(path, _read(path) | {"status": "failed", "end_time": clock.now(), "error": told})
    mark(results, "failed", error={"stage": stage, "message": message})


def summarize(
    results: Path,
    stages: Sequence[str],
    config: bytes,
    model: params.RunParams,
    changed: Mapping[str, Any] | None,
) -> str:
    """Write config.yaml, meta.json, digests.json and summary.json of the run in `results`.

    Args:
        results: the run's folder; `stages/<name>.json` lie in it.
        stages: the stages that a whole run has, in their order.
        config: the params file, byte for byte.
        model: the same, read.
        changed: the params that differ from HEAD's (see `overrides`).

    Returns:
        The run's status.

    Raises:
        ReproofError: when no stage has a record, or `params.summary` names a metric that no stage has.
    """
    records = {
        name: _record(results, name) for name in stages if (results / "stages" / f"{name}.json").exists()
    }
    if not records:
        raise ReproofError("no stage has left a record", where=results / "stages", hint="dvc repro")
    absent = {name: "the stage has not run" for name in stages if name not in records}
    missing = absent | {
        f"{name}.{part}": why for name, record in records.items() for part, why in record["missing"].items()
    }
    status = _status(records, missing)
    anchor = records.get(ANCHOR) or max(records.values(), key=lambda record: record["end_time"] or "")
    headline, unknown = _headline(model.summary, records, absent)
    missing |= unknown
    if headline and all(value is None for value in headline.values()):
        headline |= anchor["metrics"]  # a training alone, by hand: its own numbers are what there is
    ends = [record["end_time"] for record in records.values() if record["end_time"]]
    seconds = sum(_seconds(record) for record in records.values())
    end_time = max(ends, default=None)
    meta = _meta(records, anchor, model, changed, git.head(results)) | {
        "status": status,
        "end_time": end_time,
        "runtime_seconds": seconds,
        "missing": missing,
        "params_digest": digest.text_of(plain(model.model_dump(mode="json"))),
    }
    made = {
        "config.yaml": config,
        "digests.json": _json(_digests(records)),
        "summary.json": _json(_summary(status, headline, seconds, end_time)),
    }
    beside, _ = record_values.files_of(results)
    meta["excerpt"] = excerpts.excerpt(lambda name: made.get(name) or beside(name), records)
    files.write_bytes(results / "config.yaml", config)
    files.write_json(results / "meta.json", {"schema_version": SCHEMA_VERSION, **_ordered(meta)})
    files.write_bytes(results / "digests.json", made["digests.json"])
    # Last: what it says becomes true only with the files above.
    files.write_bytes(results / "summary.json", made["summary.json"])
    return status


def _json(value: Any) -> bytes:
    """The bytes of a file, before it is there."""
    return (files.json_text(value) + "\n").encode("utf-8", "backslashreplace")


def _summary(
    status: str, metrics: Mapping[str, float | None], seconds: float | None, end_time: str | None
) -> dict[str, Any]:
    return {"status": status, "metrics": dict(metrics), "runtime_seconds": seconds, "end_time": end_time}


def _continued(record: Mapping[str, Any]) -> dict[str, Any] | None:
    """What a stage went on from after a crash; None also in records of the library's version 0.1.0."""
    return (record.get("resume") or {}).get("continued")


def _seconds(record: Mapping[str, Any]) -> float:
    """Seconds that a stage's result took: those of earlier attempts too, up to where the last one went on."""
    before = (_continued(record) or {}).get("seconds_before", 0.0)
    return float(before + (record["seconds"] or 0.0))


def _status(records: Mapping[str, dict[str, Any]], missing: Mapping[str, str]) -> str:
    found = {record["status"] for record in records.values()}
    for status in ("failed", "in_progress"):
        if status in found:
            return status
    return "partial" if missing else "success"


def _headline(
    wanted: Mapping[str, str], records: Mapping[str, dict[str, Any]], absent: Mapping[str, str]
) -> tuple[dict[str, float | None], dict[str, str]]:
    """The metrics that params.yaml names; and those of stages that have not run, with that reason."""
    known = {f"{stage}.{name}": value for stage, r in records.items() for name, value in r["metrics"].items()}
    headline: dict[str, float | None] = {}
    unknown: dict[str, str] = {}
    for short, path in wanted.items():
        stage = path.partition(".")[0]
        if path in known:
            headline[short] = known[path]
        elif stage in absent or (stage in records and records[stage]["status"] in ("failed", "in_progress")):
            headline[short] = None
            unknown[f"summary.{short}"] = f"the stage {stage!r} has not run to its end"
        else:
            raise ReproofError(
                f"summary.{short} names a metric that no stage has recorded",
                where="params.yaml",
                expected="one of: " + ", ".join(sorted(known)),
                found=path,
            )
    return headline, unknown


def _meta(
    records: Mapping[str, dict[str, Any]],
    anchor: Mapping[str, Any],
    model: params.RunParams,
    changed: Mapping[str, Any] | None,
    against: str | None,
) -> dict[str, Any]:
    caller = dvc.caller()
    code = anchor["code"]
    environment = anchor["environment"]
    return {
        "run_id": anchor["run_id"],
        "start_time": anchor["start_time"],
        "device": anchor["facts"].get("device"),
        "argv": anchor.get("argv"),
        "seed": model.seed,
        "pinned": anchor.get("pinned"),
        "overrides": redact.data(plain(changed)),
        "overrides_against": against,
        "experiment": {
            "name": caller.experiment,
            "baseline": caller.baseline,
        },
        "git": {**code, "pull_request": anchor.get("pull_request")},
        "links": {
            "job": anchor.get("job"),
            **(anchor.get("links") or {}),
            **{name: redact.url(url) for name, url in model.links.items()},
        },
        **{name: environment[name] for name in environment if name != "schema_version"},
        "stages": {
            name: {
                key: record.get(key)
                for key in ("run_id", "status", "start_time", "end_time", "seconds", "error")
            }
            | {
                "experiment": record["dvc"]["experiment"],
                "commit": record["code"]["commit"],
                "code_tree": record["code"]["code_tree"],
                "fingerprint": record["environment"]["fingerprint"],
                "continued": _continued(record),
            }
            for name, record in records.items()
        },
    }


_META_ORDER = ("run_id", "status", "start_time", "end_time", "runtime_seconds", "device", "seed", "argv")


def _ordered(meta: Mapping[str, Any]) -> dict[str, Any]:
    return {key: meta[key] for key in (*_META_ORDER, *(key for key in meta if key not in _META_ORDER))}


def _digests(records: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Every file that a stage read or wrote, once; inputs are those that came from no stage.

    A stage may write a folder and another read files of it: those are artefacts too.
    """
    written = {path: value for record in records.values() for path, value in record["writes"].items()}
    read = {path: value for record in records.values() for path, value in record["reads"].items()}
    stale = {path for path in read if path in written and read[path] != written[path]}
    if stale:
        raise ReproofError(
            "stages disagree on what a file holds: one read it before another wrote it anew",
            where=", ".join(sorted(stale)),
            hint="run the stages again in their order, whatever DVC holds of them: dvc repro --force",
        )
    inputs = {path for path in read if not any(path == own or path.startswith(f"{own}/") for own in written)}
    return {
        "schema_version": SCHEMA_VERSION,
        "algorithm": "sha256 over content (reproof.digest)",
        "inputs": {path: read[path] for path in sorted(inputs)},
        "artefacts": {path: value for path, value in sorted((read | written).items()) if path not in inputs},
    }


def _record(results: Path, name: str) -> dict[str, Any]:
    path = results / "stages" / f"{name}.json"
    found = files.read_json(path)
    version = found.get("schema_version") if isinstance(found, dict) else None
    if not isinstance(version, int):
        raise ReproofError("not a stage's record", where=path)
    if version > SCHEMA_VERSION:
        raise ReproofError(
            "a record of a newer schema",
            where=path,
            expected=f"schema_version at most {SCHEMA_VERSION}",
            found=str(version),
            hint="update the library: `copier update`, then `make setup`",
        )
    absent = _FORM.keys() - found.keys() - {"resume"}
    wrong = [key for key, fits in _FORM.items() if key in absent or not fits(found.get(key))]
    if wrong:
        raise ReproofError(
            "not a stage's record: something in it is missing, or of another kind",
            where=path,
            found=", ".join(f"{key}: {json.dumps(found.get(key))[:40]}" for key in wrong),
            hint=f"the stage writes it anew: dvc repro --force --single-item {name}",
        )
    return dict(found)


def _is_mapping_with(*names: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, dict) and all(name in value for name in names)


def _is_words(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(item, str) for item in value.values())


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _is_resume(value: Any) -> bool:
    if not isinstance(value, dict):
        return value is None
    continued = value.get("continued")
    if not isinstance(continued, dict):
        return continued is None
    return isinstance(continued.get("seconds_before", 0.0), int | float)


_FORM: dict[str, Callable[[Any], bool]] = {
    "run_id": lambda value: isinstance(value, str),
    "status": lambda value: isinstance(value, str),
    "start_time": lambda value: isinstance(value, str),
    "end_time": lambda value: value is None or isinstance(value, str),
    "seconds": _is_number,
    "metrics": lambda value: isinstance(value, dict) and all(map(_is_number, value.values())),
    "facts": _is_mapping_with(),
    "missing": _is_words,
    "reads": _is_words,
    "writes": _is_words,
    "code": _is_mapping_with("commit", "code_tree"),
    "dvc": _is_mapping_with("experiment"),
    "environment": _is_mapping_with("fingerprint"),
    "resume": _is_resume,
}
"""What `summarize` relies on: a merge, an editor or another program can have changed the file."""


def _read(path: Path) -> dict[str, Any]:
    try:
        found = files.read_json(path)
    except ReproofError:
        found = None
    return found if isinstance(found, dict) else {}
