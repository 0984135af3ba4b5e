"""Shared memory of an execution's own: what lies in the system's outlives the process that put it there.

Linux keeps it in a file system (`/dev/shm`), in System V segments and in message queues. A mount and an IPC
namespace give an execution empty ones. Not every system lets its users have them; then shared memory that
holds anything is not there for the stages.

Source: namespaces(7), user_namespaces(7), shm_overview(7).
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from pathlib import Path

SHARED_MEMORY = "/dev/shm"  # noqa: S108  # nosec B108

_CLONE_NEWNS, _CLONE_NEWUSER, _CLONE_NEWIPC = 0x00020000, 0x10000000, 0x08000000
_MS_NOSUID, _MS_NODEV, _MS_REC, _MS_PRIVATE = 2, 4, 0x4000, 0x40000
_SEMAPHORE_BYTES = 32


def own_shared_memory() -> bool:
    """Give this process, and what it starts, empty shared memory; False where the system does not let it."""
    if not sys.platform.startswith("linux") or not Path(SHARED_MEMORY).is_dir():
        return False
    # Tried by a child first: some systems let it begin, and then leave it nobody in a place without ids.
    child = os.fork()
    if child == 0:
        os._exit(0 if _enter() else 1)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) == 0 and _enter()


def _enter() -> bool:
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.geteuid(), os.getegid()
    if libc.unshare(_CLONE_NEWNS | _CLONE_NEWIPC) != 0:
        if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNS | _CLONE_NEWIPC) != 0:
            return False
        try:  # the same ids inside: a file's owner is who it was
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
            Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
        except OSError:
            return False
    return _mount(libc.mount)


def is_empty() -> bool:
    """Whether the system's shared memory holds nothing but semaphores, which are too small for a result."""
    folder = Path(SHARED_MEMORY)
    try:
        return all(
            path.name.startswith("sem.") and path.lstat().st_size <= _SEMAPHORE_BYTES
            for path in folder.iterdir()
        )
    except OSError:
        return False


def _mount(mount: Callable[..., int]) -> bool:
    """Hide the system's from here on; nothing of that is seen outside."""
    private = mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None)
    target = SHARED_MEMORY.encode()
    return private == 0 and mount(b"tmpfs", target, b"tmpfs", _MS_NOSUID | _MS_NODEV, b"mode=1777") == 0
