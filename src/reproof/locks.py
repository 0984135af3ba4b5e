"""Locks on files (flock): the system drops them when their holder ends, however it ends.

The file holds a note of who has it, for the message that the second one gets. Windows has no flock: there
nothing is locked.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

from reproof import clock

_PAUSE_SECONDS = 0.05


@dataclass(frozen=True)
class Holder:
    """Who holds a lock, as its note says; all None when it holds the lock and has not written yet."""

    pid: int | None = None
    since: str | None = None
    what: str | None = None

    def __str__(self) -> str:
        if self.pid is None:
            return "it has just begun"
        return f"process {self.pid}, since {self.since}"


class Lock:
    """A lock that this process holds until `release` or its end."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        _HELD.add(descriptor)

    def release(self) -> None:
        if self._descriptor >= 0:
            _HELD.discard(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1


_HELD: set[int] = set()
"""Descriptors of the locks that this process holds."""


def _let_go_in_child() -> None:
    # A forked child shares the lock, and would hold it when its parent, the trainer, is long dead.
    for descriptor in _HELD:
        os.close(descriptor)
    _HELD.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go_in_child)


def take(path: Path, what: str, *, wait_seconds: float = 0.0) -> Lock | Holder:
    """Take the lock on `path`, or say who holds it.

    Args:
        path: of the lock's file, made if need be.
        what: what is done under it, for others to read.
        wait_seconds: how long to wait for another holder.

    Raises:
        OSError: when the file cannot be opened.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + wait_seconds
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
        if try_flock(descriptor):
            if _is_still(path, descriptor):
                write_note(descriptor, what)
                return Lock(descriptor)
            os.close(descriptor)  # its holder removed the file when it ended: another one counts now
            continue
        holder = read_note(descriptor)
        os.close(descriptor)
        if time.monotonic() >= until:
            return holder
        time.sleep(_PAUSE_SECONDS)


def holder_of(path: Path) -> Holder | None:
    """Return who holds the lock on `path`; None when nobody does."""
    try:
        descriptor = os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
    except OSError:
        return None
    try:
        # Shared: two that look at the same time must not take each other for the holder.
        return None if try_flock(descriptor, shared=True) else read_note(descriptor)
    finally:
        os.close(descriptor)


def try_flock(descriptor: int, *, shared: bool = False) -> bool:
    """Lock an open file at once; False when another process holds it."""
    try:
        import fcntl
    except ImportError:  # Windows
        return True
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def write_note(descriptor: int, what: str) -> None:
    """Note in a locked file who holds it."""
    note = json.dumps({"pid": os.getpid(), "since": clock.now(), "what": what}).encode()
    os.pwrite(descriptor, note, 0)
    os.ftruncate(descriptor, len(note))


def read_note(descriptor: int) -> Holder:
    """Read who holds an open file's lock."""
    try:
        note = json.loads(os.pread(descriptor, 1000, 0))
        return Holder(int(note["pid"]), str(note["since"]), str(note["what"]))
    except (ValueError, KeyError, TypeError):
        return Holder()


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except OSError:
        return False
