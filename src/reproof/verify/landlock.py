"""Linux's Landlock: a process and all that it starts can open what is listed, and nothing else.

Source: Linux, Documentation/userspace-api/landlock.rst, include/uapi/linux/landlock.h. No library binds it,
so the three system calls are made by number: they are the same on every architecture.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import sys
from collections.abc import Iterable

LEAST_ABI = 2
"""The first version forbids every rename from one folder to another: programs break that do no harm."""

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_FLAG = 1
_PATH_BENEATH = 1
_PR_SET_NO_NEW_PRIVS = 38

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REMOVE_TO_REFER = sum(1 << bit for bit in range(4, 14))
_TRUNCATE = 1 << 14
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE


class _Ruleset(ctypes.Structure):
    _fields_ = (("handled_access_fs", ctypes.c_uint64),)


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def abi() -> int | None:
    """Return the version of Landlock that this kernel has in force; None where there is none."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        version = _call(_CREATE_RULESET, None, 0, _VERSION_FLAG)
    except OSError:
        return None
    return version


def restrict(read: Iterable[str], write: Iterable[str], listed: Iterable[str] = ()) -> int:
    """Let this process, and all that it starts from now on, open only what lies below these paths.

    Args:
        read: paths to read, and to execute programs of.
        write: paths to read and to change, files to be made and removed below them included.
        listed: folders of which the names in them may be read.

    Returns:
        The version of Landlock in force.

    Raises:
        OSError: when the kernel has no Landlock, or refuses.
    """
    version = abi()
    if version is None or version < LEAST_ABI:
        raise OSError(errno.ENOTSUP, "this kernel has no Landlock that could be used")
    changes = _WRITE_FILE | _REMOVE_TO_REFER | (_TRUNCATE if version >= 3 else 0)
    handled = _READ | changes
    attributes = _Ruleset(handled)
    ruleset = _call(_CREATE_RULESET, ctypes.byref(attributes), ctypes.sizeof(attributes), 0)
    try:
        for path in read:
            _allow(ruleset, path, _READ)
        for path in write:
            _allow(ruleset, path, handled)
        for path in listed:
            _allow(ruleset, path, _READ_DIR)
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
            raise _error()
        _call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)
    return version


def _allow(ruleset: int, path: str, access: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what is not there, or not ours to look at, needs no permission
    try:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            access &= _OF_FILES
        rule = _PathBeneath(access, descriptor)
        _call(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.byref(rule), 0)
    finally:
        os.close(descriptor)


def _call(number: int, *arguments: object) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    syscall = libc.syscall
    syscall.restype = ctypes.c_long
    result = int(syscall(ctypes.c_long(number), *map(_as_argument, arguments)))
    if result < 0:
        raise _error()
    return result


def _as_argument(value: object) -> object:
    """Numbers at a register's width: `syscall` takes any arguments, so ctypes knows no types of its own."""
    return ctypes.c_long(value) if isinstance(value, int) else value


def _error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))
