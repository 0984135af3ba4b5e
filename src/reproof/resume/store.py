"""The folders of resume state in the main repository's `.dvc/tmp/reproof/resume/`.

One for each training that has not come to its end, named `<stage>-<key of its identity>`:

- `about.json`: whose state it is, with the identity in full;
- `step-000000312.rank0.safetensors`: the state before the step after 312; that of another process beside it;
- `metrics.ndjson`: the log up to there.

The lock of a folder lies beside it, `<name>.lock`.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reproof import files, locks
from reproof.errors import ReproofError

SCHEMA_VERSION = 1
MAX_STATES = 10
MAX_BYTES = 20_000_000_000
ABOUT, LOG = "about.json", "metrics.ndjson"
_STEP = re.compile(r"step-(\d+)\.rank0\.safetensors")
_WAIT_FOR_THE_DEAD_SECONDS = 10.0
_WAIT_FOR_A_LOOK_SECONDS = 0.5


@dataclass(frozen=True)
class State:
    """One folder of resume state, as it is now.

    Attributes:
        name: of the folder.
        step: the last saved one; None before the first save.
        age_seconds: since it was saved.
        holder: the process that trains on it; None when nobody does.
        about: what about.json holds.
    """

    name: str
    folder: Path
    step: int | None
    age_seconds: float
    size_bytes: int
    holder: locks.Holder | None
    about: dict[str, Any]


def home(private: Path) -> Path:
    """Return the folder of all states in DVC's private folder of the main repository."""
    return private / "resume"


def states(top: Path) -> list[State]:
    """Return all states, the last saved first; a folder without a readable about.json counts too."""
    found = [_state(path) for path in top.iterdir() if path.is_dir()] if top.is_dir() else []
    return sorted(found, key=lambda state: state.age_seconds)


def step_file(folder: Path, step: int, rank: int) -> Path:
    """Return the file of one process's state at a step."""
    return folder / f"step-{step:09d}.rank{rank}.safetensors"


def steps(folder: Path) -> list[int]:
    """Return the steps that are saved in full, the last first. Rank 0 writes last, so its file tells."""
    found = [_STEP.fullmatch(path.name) for path in folder.glob("step-*.rank0.safetensors")]
    return sorted((int(match.group(1)) for match in found if match), reverse=True)


def keep_only(folder: Path, step: int) -> None:
    """Remove the states of other steps."""
    for path in folder.glob("step-*.safetensors"):
        if not path.name.startswith(f"step-{step:09d}."):
            path.unlink(missing_ok=True)


def take(folder: Path, what: str) -> locks.Lock | locks.Holder:
    """Lock a state; a holder that has just been killed may need a moment to be gone."""
    return locks.take(_lock_of(folder), what, wait_seconds=_WAIT_FOR_THE_DEAD_SECONDS)


def about(folder: Path) -> dict[str, Any]:
    """Return whose state the folder holds; nothing where that cannot be read."""
    with contextlib.suppress(ReproofError, OSError):
        found = files.read_json(folder / ABOUT)
        return found if isinstance(found, dict) else {}
    return {}


def write_about(folder: Path, facts: dict[str, Any]) -> None:
    """Say whose state the folder holds."""
    files.write_json(folder / ABOUT, {"schema_version": SCHEMA_VERSION, **facts})


def remove(folder: Path) -> None:
    """Remove a state, its files first seen to be gone: a half removed one has no step to go on from."""
    for step in steps(folder):
        step_file(folder, step, 0).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    _lock_of(folder).unlink(missing_ok=True)


def clear(top: Path, names: list[str] | None = None) -> tuple[list[State], list[State]]:
    """Remove the states that nobody trains on; those called `names`, or all.

    Returns:
        The removed ones, and those that are in use.

    Raises:
        ReproofError: when there is no state of one of the names.
    """
    all_states = states(top)
    known = {state.name for state in all_states}
    if missing := [name for name in names or [] if name not in known]:
        raise ReproofError(
            f"no such resume state: {missing[0]!r}",
            expected=f"one of: {', '.join(sorted(known))}" if known else "there is none",
        )
    removed, used = [], []
    for state in all_states:
        if names is None or state.name in names:
            lock = locks.take(_lock_of(state.folder), "clear", wait_seconds=_WAIT_FOR_A_LOOK_SECONDS)
            if isinstance(lock, locks.Holder):
                used.append(state)
                continue
            remove(state.folder)
            lock.release()
            removed.append(state)
    return removed, used


def trim(top: Path, keep: Path) -> list[State]:
    """Remove the oldest states beyond `MAX_STATES` and `MAX_BYTES`; return them."""
    found = states(top)
    others = [state for state in found if state.folder != keep]
    kept, size, old = 1, sum(state.size_bytes for state in found if state.folder == keep), []
    for state in others:
        if state.holder is None and (kept >= MAX_STATES or size + state.size_bytes > MAX_BYTES):
            old.append(state)
        else:
            kept, size = kept + 1, size + state.size_bytes
    removed: list[State] = []
    for state in old:
        with contextlib.suppress(ReproofError):  # another training has just removed it
            removed += clear(top, [state.name])[0]
    return removed


def _lock_of(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.lock")


def _state(folder: Path) -> State:
    found = steps(folder)
    last = step_file(folder, found[0], 0) if found else folder
    size, saved = 0, 0.0
    with contextlib.suppress(OSError):  # removed while we look
        saved = last.stat().st_mtime
        size = sum(path.stat().st_size for path in folder.iterdir())
    return State(
        name=folder.name,
        folder=folder,
        step=found[0] if found else None,
        age_seconds=max(0.0, time.time() - saved),
        size_bytes=size,
        holder=locks.holder_of(_lock_of(folder)),
        about=about(folder),
    )
