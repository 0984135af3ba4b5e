"""Runs one command so that it reaches only what it may, and leaves no process behind.

    python -m reproof.verify.confined REACH.json -- dvc repro …

It confines itself by Landlock, where the list says so, starts the command and waits. It adopts what the
command's children leave running, and ends that with the command; it ends all when its own parent dies.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from reproof.verify import landlock, namespaces

NOT_CONFINED = 125
"""Exit code when the confinement that was asked for cannot be had: nothing was started."""

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36


def main(arguments: list[str]) -> int:
    """Run the command after `--`; return its exit code, or 128 + the signal that ended it."""
    with open(arguments[0], "rb") as stream:
        reach = json.load(stream)
    command = arguments[arguments.index("--") + 1 :]
    _end_with_parent(reach["parent"])
    try:
        _confine(Path(arguments[0]), reach)
    except OSError as error:
        sys.stderr.write(f"reproof: not confined: {error}\n")
        return NOT_CONFINED
    child = os.fork()
    if child == 0:
        _become(command, {**os.environ, "PYTHONPATH": reach["hook"]})
    signal.signal(signal.SIGTERM, _end_all)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides, and sends SIGTERM
    code = _wait(child)
    _kill_children()
    return code


def _confine(path: Path, reach: dict[str, Any]) -> None:
    """Confine this process, and write into the lists what came of it."""
    private = namespaces.own_shared_memory()
    if private:
        reach["taken"] = []
    elif reach["landlock"] and not namespaces.is_empty():
        # What lies there cannot be told from what will: the kernel's rules are for whole folders.
        reach["write"] = [name for name in reach["write"] if name != namespaces.SHARED_MEMORY]
    shared = "own" if private else "open" if namespaces.SHARED_MEMORY in reach["write"] else "none"
    path.write_text(json.dumps(reach | {"shared_memory": shared}))
    if private:
        namespaces.only_writable([name for name in reach["write"] if Path(name).is_dir()])
    if reach["landlock"]:
        landlock.restrict(reach["read"], reach["write"], reach["listed"])
        _check(reach["canary"])


def _end_with_parent(parent: int) -> None:
    """Also when the parent is killed without a chance to say so; Linux alone can."""
    if not sys.platform.startswith("linux"):
        return
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:  # it died before we asked
        sys.exit(128 + signal.SIGTERM)


def _check(canary: str) -> None:
    """Try a file that lies outside the list: what is not refused here would not be refused there."""
    try:
        os.close(os.open(canary, os.O_RDONLY))
    except PermissionError:
        return
    raise OSError("Landlock is in force by its own word, and refuses nothing")


def _become(command: list[str], env: dict[str, str]) -> NoReturn:
    try:
        os.execvpe(command[0], command, env)  # noqa: S606 (the caller's own command)  # nosec B606
    except OSError as error:
        sys.stderr.write(f"reproof: {command[0]}: {error.strerror}\n")
        sys.stderr.flush()
    os._exit(NOT_CONFINED)


def _wait(child: int) -> int:
    """Reap adopted processes too until the command itself has ended."""
    while True:
        with contextlib.suppress(InterruptedError):
            ended, status = os.wait()
            if ended == child:
                return (
                    os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)
                )


def _end_all(_number: int, _frame: FrameType | None) -> None:
    _kill_children()
    os._exit(128 + signal.SIGTERM)


def _kill_children() -> None:
    """Kill what is left, generation by generation: orphans of what was killed are adopted by this process."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while children := _children():
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        for _ in children:
            with contextlib.suppress(ChildProcessError, InterruptedError):
                os.wait()


def _children() -> list[int]:
    """The living and unreaped children of this process."""
    import psutil

    return [child.pid for child in psutil.Process().children()]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
