"""results/history.json: a snapshot of the runs that Git holds, written on request.

Reports show other runs from it and from nothing else: from Git's history they would look different in every
workspace.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from reproof import clock, files, siblings
from reproof.errors import ReproofError
from reproof.recorded import Run

SCHEMA_VERSION = 1
FILE = "results/history.json"


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
    row["params"] = {
        name: value
        for name, value in run.params.items()
        if siblings.is_compared(name) or name.startswith("summary.")  # short names of metrics
    }
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
