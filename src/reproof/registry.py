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
import warnings
from pathlib import Path
from typing import Any

from reproof import clock, files
from reproof.errors import ReproofError

SCHEMA_VERSION = 1
HEARTBEAT_SECONDS = 5.0
_MAX_ENTRIES = 500


class Heartbeat:
    """The registry's entry of one execution, kept fresh by a thread until `end`."""

    def __init__(self, folder: Path, facts: dict[str, Any]) -> None:
        self._lock = threading.Lock()
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
            "heartbeat": None,
            "error": None,
        }
        self._write()
        self._thread = threading.Thread(target=self._beat, name="reproof-heartbeat", daemon=True)
        self._thread.start()

    def step(self, step: int, total: int | None) -> None:
        """Note how far the stage is; written with the next heartbeat."""
        with self._lock:
            self._entry["step"], self._entry["total_steps"] = step, total

    def end(self, status: str, error: str | None) -> None:
        """Write the last state and stop."""
        self._done.set()
        self._thread.join(timeout=HEARTBEAT_SECONDS)
        with self._lock:
            self._entry["status"], self._entry["error"] = status, error
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


def entries(folder: Path) -> list[dict[str, Any]]:
    """Return the registry's entries, oldest first; a torn or foreign file is passed over."""
    found = []
    for path in sorted((folder / "registry").glob("*.json")):
        with contextlib.suppress(ReproofError, OSError):
            entry = files.read_json(path)
            if isinstance(entry, dict) and entry.get("schema_version") == SCHEMA_VERSION:
                found.append(entry)
    return found


def _forget_oldest(folder: Path) -> None:
    # Names begin with the time, so their order is the order of starts.
    for path in sorted(folder.glob("*.json"))[:-_MAX_ENTRIES]:
        path.unlink(missing_ok=True)
