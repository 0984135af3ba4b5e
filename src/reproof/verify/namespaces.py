"""An execution's own view of the system: empty shared memory, and all files read-only but its own.

What lies in the system's shared memory outlives the process that put it there. Linux keeps it in a file
system (`/dev/shm`), in System V segments and in message queues. A mount and an IPC namespace give an
execution empty ones. Not every system lets its users have them; then shared memory that holds anything is not
there for the stages.

Source: namespaces(7), user_namespaces(7), shm_overview(7).
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

SHARED_MEMORY = "/dev/shm"  # noqa: S108  # nosec B108

_CLONE_NEWNS, _CLONE_NEWUSER, _CLONE_NEWIPC = 0x00020000, 0x10000000, 0x08000000
_MS_NOSUID, _MS_NODEV, _MS_REC, _MS_PRIVATE = 2, 4, 0x4000, 0x40000
_MS_BIND = 4096
_SYS_MOUNT_SETATTR, _AT_FDCWD, _AT_RECURSIVE, _MOUNT_ATTR_RDONLY = 442, -100, 0x8000, 1
_SEMAPHORE_BYTES = 32


class _MountAttributes(ctypes.Structure):
    """`struct mount_attr` of mount_setattr(2)."""

    _fields_ = tuple((name, ctypes.c_uint64) for name in ("set", "clear", "propagation", "namespace"))


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


def only_writable(folders: Sequence[str]) -> bool:
    """Make all other files read-only for this process, and what it starts; False where that cannot be had.

    Landlock has no rule for modes, owners, times and attributes: a program could change those of any file
    whose path it knows. To be called once `own_shared_memory` has answered True.

    Source: mount_setattr(2), Linux 5.12.
    """
    child = os.fork()  # tried in a namespace of its own first: half of it would leave nothing writable
    if child == 0:
        is_possible = ctypes.CDLL(None).unshare(_CLONE_NEWNS) == 0 and _close(folders)
        os._exit(0 if is_possible and all(os.access(folder, os.W_OK) for folder in folders) else 1)
    _, status = os.waitpid(child, 0)
    if os.waitstatus_to_exitcode(status) != 0 or not _close(folders):
        return False
    os.chdir(Path.cwd())  # the folder that it stood in was found by the mount of before
    return True


def _close(folders: Sequence[str]) -> bool:
    libc = ctypes.CDLL(None, use_errno=True)

    def attributes(path: bytes, **bits: int) -> bool:
        wanted = _MountAttributes(**bits)
        size = ctypes.c_size_t(ctypes.sizeof(wanted))
        flags = ctypes.c_uint(_AT_RECURSIVE)
        done = libc.syscall(_SYS_MOUNT_SETATTR, _AT_FDCWD, path, flags, ctypes.byref(wanted), size)
        return bool(done == 0)

    paths = [os.fsencode(folder) for folder in folders]
    if any(libc.mount(path, path, None, _MS_BIND | _MS_REC, None) != 0 for path in paths):
        return False
    if not attributes(b"/", set=_MOUNT_ATTR_RDONLY):
        return False
    return all(attributes(path, clear=_MOUNT_ATTR_RDONLY) for path in (*paths, b"/proc"))


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
