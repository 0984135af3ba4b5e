"""Stages in progress, and those that died: runs that Git does not see yet.

A small file for each execution of a stage in the main repository's `.dvc/tmp/reproof/registry/`, with a
heartbeat. It is a convenience for people who look: no result depends on it, so a folder that cannot be
written costs a warning and not the run.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reproof import clock, files, links, locks, params, redact
from reproof.dvc import Caller
from reproof.errors import ReproofError
from reproof.git import CodeState
from reproof.plain import plain

SCHEMA_VERSION = 1
HEARTBEAT_SECONDS = 5.0
_MAX_ENTRIES = 500
_SILENT_SECONDS = 60.0


class Heartbeat:
    """The registry's entry of one execution, kept fresh by a thread until `end`."""

    def __init__(self, folder: Path, facts: dict[str, Any]) -> None:
        self._lock = threading.Lock()
        self._first: tuple[int, float] | None = None
        self._done = threading.Event()
        self._path = folder / "registry" / f"{facts['run_id']}.{facts['stage']}.json"
        self._entry = {
            "schema_version": SCHEMA_VERSION,
            **facts,
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "status": "in_progress",
            "step": None,
            "total_steps": None,
            "seconds_left": None,
            "heartbeat": None,
            "error": None,
        }
        self._write()
        self._thread = threading.Thread(target=self._beat, name="reproof-heartbeat", daemon=True)
        self._thread.start()

    def know(self, **facts: Any) -> None:
        """Add what the stage has found out about its run, such as its params; written at once."""
        with self._lock:
            self._entry |= facts
        if not self._done.is_set():
            self._write()

    def step(self, step: int, total: int | None) -> None:
        """Note how far the stage is; written with the next heartbeat."""
        now = time.monotonic()
        with self._lock:
            self._entry["step"], self._entry["total_steps"] = step, total
            if self._first is None:
                self._first = (step, now)
            done, seconds = step - self._first[0], now - self._first[1]
            if total is not None and done > 0:
                self._entry["seconds_left"] = round((total - step) * seconds / done, 1)

    def end(self, status: str, error: str | None) -> None:
        """Write the last state and stop."""
        self._done.set()
        self._thread.join(timeout=HEARTBEAT_SECONDS)
        with self._lock:
            self._entry["status"], self._entry["error"] = status, error
            self._entry["seconds_left"] = None
        self._write()
        with contextlib.suppress(OSError):
            _forget_oldest(self._path.parent)

    def _beat(self) -> None:
        while not self._done.wait(HEARTBEAT_SECONDS):
            self._write()

    def _write(self) -> None:
        with self._lock:
            self._entry["heartbeat"] = clock.now()
            entry = dict(self._entry)
        try:
            files.write_json(self._path, entry)
        except OSError as error:
            warnings.warn(f"the registry of runs cannot be written: {error}", stacklevel=2)
            self._done.set()


def of_run(raw: Mapping[str, Any], code: CodeState, caller: Caller) -> dict[str, Any]:
    """Return what an entry says of its run, for documents about runs that have no commit yet.

    `params` are flat and without secrets; `baseline` is the commit that the run started from.
    """
    return {
        "params": redact.data(plain(params.flatten(raw))),
        "job": links.job(),
        "baseline": caller.baseline or code.commit,
        "branch": code.branch,
        "code_tree": code.code_tree,
    }


def entries(folder: Path) -> list[dict[str, Any]]:
    """Return the registry's entries, oldest first; a torn or foreign file is passed over."""
    found = []
    for path in sorted((folder / "registry").glob("*.json")):
        with contextlib.suppress(ReproofError, OSError):
            entry = files.read_json(path)
            if isinstance(entry, dict) and entry.get("schema_version") == SCHEMA_VERSION:
                found.append(entry)
    return sorted(found, key=lambda entry: str(entry.get("start_time", entry.get("run_id"))))


def lock_path(folder: Path, name: str) -> Path:
    """Return the path of the lock that a stage holds while it runs, with its run id as the note."""
    return folder / "locks" / name


def is_alive(folder: Path, entry: dict[str, Any]) -> bool:
    """Whether the process of an entry in progress still runs.

    Its lock tells, whatever the clock does and whoever has its process id now. Of another host, and where
    there is no lock, the age of the last heartbeat does.
    """
    import psutil

    if entry["host"] == socket.gethostname():
        if entry.get("lock") and os.name != "nt":
            holder = locks.holder_of(lock_path(folder, entry["lock"]))
            return holder is not None and holder.what == entry["run_id"]
        return bool(psutil.pid_exists(entry["pid"]))
    return clock.seconds_since(entry["heartbeat"]) < _SILENT_SECONDS


def _forget_oldest(folder: Path) -> None:
    # Names begin with the time, so their order is the order of starts.
    for path in sorted(folder.glob("*.json"))[:-_MAX_ENTRIES]:
        path.unlink(missing_ok=True)
