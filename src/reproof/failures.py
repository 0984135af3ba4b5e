"""What becomes of a stage's error: its words in the record, and its exit code."""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
import traceback
from pathlib import Path
from types import FrameType
from typing import Any

from reproof import redact
from reproof.errors import ReproofError

INTERRUPTED = 130
TERMINATED = 128 + signal.SIGTERM
_MAX_TRACEBACK_LINES = 40

_OF_THE_DISK = {
    errno.ENOSPC: ("the disk is full", "make room (`dvc gc --workspace` drops what no run here needs)"),
    errno.EDQUOT: ("your disk quota is used up", "make room, or ask for more"),
    errno.EFBIG: ("the file grows larger than this system allows", "raise the limit: ulimit -f"),
    errno.EROFS: ("the file system can only be read", "work in a folder that can be written"),
    errno.EACCES: ("no permission", "change its owner or its mode"),
    errno.EPERM: ("no permission", "change its owner or its mode"),
    errno.ENAMETOOLONG: ("the name is too long", "take a shorter one: most systems allow 255 bytes"),
    errno.EMFILE: ("too many open files", "raise the limit: ulimit -n"),
}


class ThreadErrors:
    """Keeps the first exception of a thread: a stage must not end well when a part of it did not."""

    def __init__(self) -> None:
        self.first: BaseException | None = None
        threading.excepthook = self._keep

    def wait(self) -> None:
        """Wait for the threads that Python waits for at its end: they may still fail, or write outputs."""
        # The workers of a pool that was left open wait for work, and Python sends them home only later.
        workers = getattr(sys.modules.get("concurrent.futures.thread"), "_threads_queues", ())
        for thread in threading.enumerate():
            if not thread.daemon and thread not in workers and thread is not threading.current_thread():
                thread.join()

    def _keep(self, args: threading.ExceptHookArgs, /) -> None:
        redact.excepthook(args.exc_type, args.exc_value, args.exc_traceback)
        if self.first is None and args.exc_value is not None:
            self.first = args.exc_value


def mendable(error: OSError) -> ReproofError | None:
    """Return the error of a disk that is full, cannot be written and the like; None for other ones.

    A note on the error (`add_note`, see `files.replacing`) is `what: hint`.
    """
    notes = getattr(error, "__notes__", [])
    of_permission = error.errno in (errno.EACCES, errno.EPERM)
    if not notes and (error.errno not in _OF_THE_DISK or (of_permission and not error.filename)):
        return None
    what, hint = notes[0].split(": ", 1) if notes else _OF_THE_DISK[error.errno or 0]
    return ReproofError(what, where=error.filename, hint=hint)


def facts(error: BaseException, root: Path) -> dict[str, Any]:
    """Return type, message and traceback of an error for the record: no secrets, no path of the user's."""
    lines = [] if isinstance(error, ReproofError) else traceback.format_exception(error)
    # Hidden before it is cut: a part of a secret would not be known for one.
    text = redact.text("".join(lines)).replace(f"{root}{os.sep}", "").splitlines()[-_MAX_TRACEBACK_LINES:]
    message = str(error).replace(f"{root}{os.sep}", "") or type(error).__name__
    if isinstance(error, KeyboardInterrupt):
        message = "stopped by Ctrl-C"
    if isinstance(error, SystemExit):
        message = "stopped by SIGTERM" if error.code == TERMINATED else f"ended with exit code {error.code}"
    return {
        "type": type(error).__name__,
        "message": redact.text(message),
        "traceback": "\n".join(text) or None,
    }


def terminate(_number: int, _frame: FrameType | None) -> None:
    """Handle SIGTERM as an exception, so that the record is kept; DVC and schedulers stop a stage by it."""
    sys.exit(TERMINATED)
