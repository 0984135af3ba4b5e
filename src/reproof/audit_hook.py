"""Refuses to Python, in every process of a verification, files that a stage may not touch, and names them.

This file is copied beside a `sitecustomize.py`, so that each Python that starts there loads it first: it
imports nothing but the standard library, and none of this one. It sees what Python opens; a library that
opens files by itself is seen by Landlock alone.
"""

from __future__ import annotations

import _thread
import errno
import json
import os
import re
import sys
from typing import Any

# ruff: noqa: PTH100, PTH110, PTH114
# No pathlib here: it is no small part of what an empty Python loads.

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_STREAMS = ("/dev/fd/", "/dev/stdin", "/dev/stdout", "/dev/stderr", "/proc/self/fd/", "/proc/thread-self/fd/")
_PATH = re.compile(r"(?<![\w./:-])/[^\s'\"`;|&<>()\[\]{}=,:]+")
"""An absolute path in a command line; not the middle of a relative one or of an address."""

_READ_EVENTS = {"os.listdir": 0, "os.scandir": 0, "ctypes.dlopen": 0, "os.getxattr": 0, "os.listxattr": 0}
_WRITE_EVENTS: dict[str, tuple[tuple[int, int | None], ...]] = {
    # event: its paths, each with the argument that says which folder it is relative to
    "os.rename": ((0, 2), (1, 3)),
    "os.link": ((0, 2), (1, 3)),
    "os.symlink": ((1, 2),),
    "os.remove": ((0, 1),),
    "os.rmdir": ((0, 1),),
    "os.mkdir": ((0, 2),),
    "os.chmod": ((0, 2),),
    "os.chown": ((0, 3),),
    "os.truncate": ((0, None),),
    "os.utime": ((0, 3),),
    "os.setxattr": ((0, None),),
    "os.removexattr": ((0, None),),
    "sqlite3.connect": ((0, None),),
}
_COMMAND_EVENTS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn")


class Guard:
    """The lists of one verification, and what was refused by them in this process.

    `library` are the facts of the library that stages use (`environment.library`), where it is this one.
    """

    def __init__(self, reach: dict[str, Any]) -> None:
        self.read = tuple(reach["read"])
        self.write = tuple(reach["write"])
        self.taken = tuple(reach["taken"])
        self.listed = tuple(reach["listed"])
        self.log = str(reach["log"])
        self.library: dict[str, Any] | None = reach["library"]
        self.refused: list[str] = []
        self._trusted: dict[str, bool] = {}
        self._prefixes = tuple(reach["prefixes"])
        self._hook = str(reach["hook"])
        self._here = _thread._local()

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """The audit hook: raises PermissionError for what may not be touched."""
        if event == "open":
            path, mode, flags = arguments[:3]
            writes = bool((flags or 0) & _WRITES) or (isinstance(mode, str) and bool(set(mode) & set("wax+")))
            self._judge(path, writes)
        elif event in _READ_EVENTS:
            name = arguments[_READ_EVENTS[event]]
            is_library = event == "ctypes.dlopen"
            if name not in self.listed and (not is_library or (isinstance(name, str) and "/" in name)):
                self._judge(name, False)
        elif event == "import":
            self._judge(arguments[1], False)
        elif event in _WRITE_EVENTS:
            for at, folder in _WRITE_EVENTS[event]:
                relative = (
                    folder is not None and len(arguments) > folder and arguments[folder] not in (-1, None)
                )
                if not relative and not _is_no_file(event, arguments[at]):
                    self._judge(arguments[at], True)
        elif event in _COMMAND_EVENTS:
            self._judge_command(arguments)

    def _judge(self, path: Any, writes: bool) -> None:
        if isinstance(path, int) or path is None or getattr(self._here, "busy", False):
            return
        self._here.busy = True  # of this thread: what the check itself opens is not checked
        try:
            name = os.path.abspath(os.fsdecode(path))
            if not self.allows(name, writes):
                self._refuse(os.path.realpath(name), "write" if writes else "read")
        finally:
            self._here.busy = False

    def allows(self, name: str, writes: bool) -> bool:
        """Whether an absolute path may be opened."""
        if name.startswith(_STREAMS):
            return True
        folder, _, _ = name.rpartition(os.sep)
        if not writes and self._trusted.get(folder) and not os.path.islink(name):
            return True
        real = os.path.realpath(name)
        if _below(real, self.taken):
            return False
        if _below(real, self.write):
            return True
        if writes or not _below(real, self.read):
            return False
        if real == name and _below(folder, self._prefixes):
            self._trusted[folder] = True
        return True

    def is_own(self, name: str) -> bool:
        """Whether a module's file is the workplace's, the Python environment's or this hook's."""
        return _below(os.path.realpath(name), (*self.write, *self._prefixes, self._hook))

    def _judge_command(self, arguments: tuple[Any, ...]) -> None:
        """A program that is no Python is not seen here: its command line must name no other file."""
        for text in _texts(arguments[:3]):
            for name in _PATH.findall(text):
                if os.path.exists(name):
                    self._judge(name, False)

    def _refuse(self, name: str, how: str) -> None:
        self.refused.append(name)
        line = {"stage": os.environ.get("DVC_STAGE"), "how": how, "path": name, "process": os.getpid()}
        try:
            descriptor = os.open(self.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | _NO_LINK, 0o600)
            try:
                os.write(descriptor, (json.dumps(line) + "\n").encode())
            finally:
                os.close(descriptor)
        except OSError:
            pass  # a full disk: the error below is what counts
        error = PermissionError(errno.EACCES, f"reproof verify: a stage may not {how} this here", name)
        if hasattr(error, "add_note"):  # what a stage says of it, see `failures.mendable`
            error.add_note(f"a stage that is executed again may not {how} this: declare it in dvc.yaml")
        raise error


def _below(path: str, folders: tuple[str, ...]) -> bool:
    return any(path == folder or path.startswith(folder.rstrip(os.sep) + os.sep) for folder in folders)


def _is_no_file(event: str, name: Any) -> bool:
    text = os.fsdecode(name) if isinstance(name, str | bytes | os.PathLike) else ""
    return event == "sqlite3.connect" and (text in ("", ":memory:") or text.startswith("file:"))


def _texts(value: Any) -> Any:
    if isinstance(value, str | bytes | os.PathLike):
        yield os.fsdecode(value)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)


def installed() -> Guard | None:
    """Return the guard of this process; None where there is none."""
    found: Guard | None = getattr(sys, "_reproof_guard", None)
    return found


def install(path: str) -> Guard:
    """Put this process under the lists in the file at `path`; once is enough."""
    guard = installed()
    if guard is None:
        with open(path, "rb") as stream:
            guard = Guard(json.load(stream))
        sys._reproof_guard = guard  # type: ignore[attr-defined]
        sys.addaudithook(guard)
    return guard
