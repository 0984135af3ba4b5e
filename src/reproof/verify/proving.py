"""What an execution came to: which stage failed and why, or the proof that each of them ran."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from reproof import files, redact
from reproof.errors import ReproofError
from reproof.invocation import LATEST
from reproof.record_values import mapping
from reproof.verify import confined
from reproof.verify.errors import CannotVerify, RerunFailed
from reproof.verify.recorded_run import ENDED, RecordedRun
from reproof.verify.stages import Plan
from reproof.verify.workplace import Workplace

_TAIL_LINES = 15
_OWN_LINE = re.compile(r'File "(?![/<])([^"]+)", line (\d+)')
"""Of a traceback in a record: paths of the project are relative there."""
_CLOCK_SECONDS = 2.0
"""The clock may be set back a little while a stage runs."""


def check_code(
    place: Workplace, plan: Plan, code: int, log: Path, refused: Mapping[str, tuple[str, ...]]
) -> None:
    """Raise what an execution that ended with `code` means; nothing for 0.

    Raises:
        CannotVerify: nothing was started, for it could not be confined.
        RerunFailed: a stage ended with an error, or DVC did.
    """
    if code == 0:
        return
    tail = _tail(place, log)
    if code == confined.NOT_CONFINED:
        raise CannotVerify("the execution cannot be confined to the workplace", found=tail)
    failed, message = _failed(place, plan)
    asked = refused.get(failed or "", [path for paths in refused.values() for path in paths])
    wanted = next((path for path in asked if path in (message or "")), asked[-1] if asked else None)
    found = message or "\n    ".join([f"exit code {code}", *tail.splitlines()])
    hint = (
        "what the run follows from belongs into dvc.yaml's `deps`; data or models elsewhere can be allowed: "
        f"--allow-read {wanted}"
        if wanted
        else None
    )
    raise RerunFailed(
        f"the stage {failed!r} failed when it was executed again"
        if failed
        else "DVC could not execute the stages",
        where=failed and f"{LATEST}/stages/{failed}.json",
        found=f"{found}; it asked for {wanted}" if wanted and wanted not in found else found,
        hint=hint,
    )


def check_external(run: RecordedRun, place: Workplace, plan: Plan) -> None:
    """Check that dependencies outside the repository, which nobody brings, are those that the run had.

    DVC has just hashed them for its lock; the recorded lock says what they were.

    Raises:
        CannotVerify: one is another by now.
    """
    import yaml

    lock = yaml.safe_load((place.project / "dvc.lock").read_bytes())
    for name in plan.executed:
        stage = plan.stages[name]
        outside = {str(path) for path in (*stage.external, *stage.remote)}
        recorded, here = _hashes(run.lock, name), _hashes(lock, name)
        for path in sorted(outside):
            if path not in recorded or recorded[path] != here.get(path):
                raise CannotVerify(
                    "an input outside the repository is not the one that the run read",
                    where=path,
                    expected=str(recorded.get(path) or "its hash in dvc.lock"),
                    found=str(here.get(path) or "none"),
                    hint="restore it; or keep it in DVC: dvc import-url",
                )


def _hashes(lock: Mapping[str, Any], stage: str) -> dict[str, dict[str, Any]]:
    """What dvc.lock says of each dependency of a stage, but for when it was looked at."""
    listed = mapping(lock, "stages", stage).get("deps")
    deps = [dep for dep in listed if isinstance(dep, dict)] if isinstance(listed, list) else []
    return {str(dep.get("path")): {k: v for k, v in dep.items() if k != "mtime"} for dep in deps}


def _failed(place: Workplace, plan: Plan) -> tuple[str | None, str | None]:
    """The first stage without a good end; what its record says of that, and the last line of its code."""
    for name in plan.executed:
        record = _record(place, name)
        if record is None or record.get("status") not in ENDED:
            error = mapping(record or {}, "error")
            if "message" not in error:  # it did not get as far, or was killed
                return name, None
            message, trace = str(error["message"]).partition("\n")[0], str(error.get("traceback") or "")
            lines = _OWN_LINE.findall(trace)
            at = f" ({lines[-1][0]}:{lines[-1][1]})" if lines else ""
            return name, f"{error['type']}: {message}{at}" if trace else message
    return None, None


def _record(place: Workplace, name: str) -> dict[str, Any] | None:
    path = place.project / LATEST / "stages" / f"{name}.json"
    try:
        found = files.read_json(path)
    except (ReproofError, OSError):
        return None
    return found if isinstance(found, dict) else None


def record_of(run: RecordedRun, place: Workplace, name: str, nonce: str, began: str) -> dict[str, Any]:
    """Return a stage's record, when it proves that the stage ran here and now, with the workplace's code.

    Args:
        run: what is executed again.
        place: where it was executed.
        name: of the stage.
        nonce: that it was given.
        began: when the execution began, as `clock.now` writes it.

    Raises:
        CannotVerify: it does not.
    """
    record = _record(place, name)
    proof = mapping(record or {}, "verification")
    where = f"{LATEST}/stages/{name}.json"
    if record is None or proof.get("nonce") != nonce:
        raise CannotVerify(
            f"the stage {name!r} did not prove that it ran",
            where=where,
            expected="this execution's nonce in its record",
            found="no record"
            if record is None
            else "another nonce"
            if "nonce" in proof
            else "a record without one",
            hint=f"its script has to call run_stage({name!r}, …), of this version of the library",
        )
    wrong = None
    if record.get("status") not in ENDED:
        wrong = f"status {record.get('status')}"
    elif record.get("run_id") == run.stages[name].get("run_id") or not _began_after(record, began):
        wrong = "the run id or the start of another execution"
    elif not proof.get("guarded"):
        wrong = "a process without the audit hook"
    if wrong:
        raise CannotVerify(
            f"the record of the stage {name!r} is not this execution's", where=where, found=wrong
        )
    if modules := proof.get("modules"):
        raise CannotVerify(
            f"the stage {name!r} ran code that is neither the commit's nor an installed package's",
            where=redact.text(str(modules[0])),
            found=f"{len(modules)} such modules" if len(modules) > 1 else None,
            hint="keep it in the repository, or install it as a package with a version",
        )
    if not isinstance(record.get("seconds"), int | float):
        raise CannotVerify(f"the record of the stage {name!r} is not whole", where=where, expected="seconds")
    return record


def _began_after(record: Mapping[str, Any], began: str) -> bool:
    try:
        start = datetime.fromisoformat(str(record["start_time"]))
    except (KeyError, ValueError):
        return False
    return (start - datetime.fromisoformat(began)).total_seconds() > -_CLOCK_SECONDS


def _tail(place: Workplace, log: Path) -> str:
    if not log.is_file():
        return f"{place.folder} is gone: something removed it while the stages ran"
    lines = log.read_bytes().decode("utf-8", "replace").splitlines()
    text = "\n".join(line.rstrip() for line in lines if line.strip())
    text = redact.text(text.replace(f"{place.project}{os.sep}", "").replace(str(place.folder), ""))
    return "\n".join(text.splitlines()[-_TAIL_LINES:])
