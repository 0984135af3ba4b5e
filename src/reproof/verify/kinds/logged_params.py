"""params.ndjson: what a training was given, as far as it depends on it.

The training logs all params. Some no stage computes anything from, such as a title or a tolerance: they may
change afterwards, and DVC rightly leaves the training as it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reproof import runlog
from reproof.errors import ReproofError
from reproof.verify.kinds.texts import leaves

_OF_THE_EXECUTION = ("timestamp", "run_id")


def same(recorded: Path, found: Path, declared: Sequence[str] | None) -> bool:
    """Whether both logs hold the same params, and the same that was derived from them.

    Args:
        recorded: of the record.
        found: of the attempt.
        declared: the params that dvc.yaml names for the stage; None where it names none, or all.
    """
    try:
        first, second = ([_of(line, declared) for line in runlog.read(path)] for path in (recorded, found))
    except ReproofError:
        return False
    return first == second and bool(first)


def _of(record: dict[str, Any], declared: Sequence[str] | None) -> dict[str, Any]:
    named = {key: value for key, value in record.items() if key not in _OF_THE_EXECUTION}
    if record.get("kind") != "config" or declared is None:
        return named
    values = leaves(record.get("params"))
    named["params"] = {
        name: repr(value)
        for name, value in values.items()
        if any(name == key or name.startswith(f"{key}.") for key in declared)
    }
    return named
