"""Workplaces that a killed verification left behind: found by their lock, removed with what runs in them."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reproof import locks

PREFIX = "reproof-verify-"
LOCK = "lock"
_BEING_MADE_SECONDS = 60.0
_TRIES = 5
_OURS = frozenset(
    (LOCK, "attempts", "cache", "canary", "environment", "hook", "inside", "pristine", "recorded", "site")
)
"""What lies in a workplace; a folder that holds anything else is somebody's own."""


def claim(folder: Path) -> locks.Lock:
    """Lock a new workplace for as long as this process lives, however it ends.

    Raises:
        OSError: when the lock's file cannot be made.
    """
    taken = locks.take(folder / LOCK, "verify")
    if isinstance(taken, locks.Holder):
        raise OSError(f"another process has locked {folder}")
    return taken


def sweep(parent: Path | None = None) -> list[Path]:
    """Remove workplaces of this user whose process is dead; return them.

    Args:
        parent: folder that they lie in; by default the system's temporary one.
    """
    removed = []
    for folder in sorted((parent or Path(tempfile.gettempdir())).glob(f"{PREFIX}*")):
        with contextlib.suppress(OSError):
            about = folder.lstat()
            if not stat.S_ISDIR(about.st_mode) or (hasattr(os, "getuid") and about.st_uid != os.getuid()):
                continue
            if not (folder / LOCK).is_file():
                # Killed before it was locked, it is empty; what is not empty is somebody's own folder.
                if time.time() - about.st_mtime >= _BEING_MADE_SECONDS:
                    folder.rmdir()
                    removed.append(folder)
                continue
            if any(path.name not in _OURS for path in folder.iterdir()):
                continue
            taken = locks.take(folder / LOCK, "sweep")
            if isinstance(taken, locks.Lock):
                remove(folder)
                taken.release()
                removed.append(folder)
    return removed


def remove(folder: Path) -> None:
    """End what still runs in a workplace, and remove it, whatever modes a stage has given to its files."""
    for _ in range(_TRIES):
        end_processes(folder)
        if not folder.exists():
            return
        try:
            shutil.rmtree(folder, onerror=functools.partial(_open_and_retry, folder))
        except RecursionError:  # folders in folders, more than Python goes down
            subprocess.run(["rm", "-rf", "--", str(folder)], capture_output=True, check=False)


def end_processes(folder: Path) -> None:
    """Kill processes that work in a folder: stages that outlived a killed verification."""
    import psutil

    mark = str(folder.resolve())
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.cwd().startswith(mark + os.sep):
                process.kill()


def _open_and_retry(top: Path, function: Callable[..., Any], path: str, _info: Any) -> None:
    """For `shutil.rmtree`: a folder that its owner may not read or change is opened first."""
    with contextlib.suppress(OSError):
        if Path(path) != top:  # the folder that the workplace lies in is not ours
            Path(path).parent.chmod(stat.S_IRWXU)
        if Path(path).is_dir() and not Path(path).is_symlink():
            Path(path).chmod(stat.S_IRWXU)
            shutil.rmtree(path, ignore_errors=True)
        else:
            function(path)
