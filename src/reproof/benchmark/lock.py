"""One benchmark at a time on a machine: two would measure each other.

The lock is `flock` on a file that every user may lock. The system drops it when its holder ends, however it
ends. Containers with a /tmp of their own do not see each other's.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from reproof import locks
from reproof.errors import ReproofError

# Not tempfile.gettempdir(): TMPDIR differs by user and by job, and the lock must not.
PATH = Path("/tmp/reproof-benchmark.lock")  # noqa: S108 (links are not followed)  # nosec B108


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the lock during the block. Waits for another holder, after one line on stderr that names it.

    Raises:
        ReproofError: on Windows, which has no flock, and when the file cannot be opened.
    """
    if sys.platform == "win32":
        raise ReproofError("the benchmark does not run on Windows", hint="run it under Linux, macOS or WSL")
    import fcntl

    descriptor = _open(path)
    try:
        if not locks.try_flock(descriptor):
            holder = locks.read_note(descriptor)
            sys.stderr.write(f"waiting: another benchmark measures on this machine ({holder})\n")
            sys.stderr.flush()
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        locks.write_note(descriptor, "benchmark")
        yield
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    """Open the file, and make it if need be, for all users.

    An existing file is opened without O_CREAT, which Linux refuses for another user's file in /tmp
    (fs.protected_regular).
    """
    flags = os.O_RDWR | os.O_NOFOLLOW
    for _ in range(10):
        try:
            return os.open(path, flags)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise ReproofError(
                f"cannot open the benchmark's lock: {error.strerror}",
                where=path,
                expected="a file that everyone may read and write",
                hint="remove it, or have its owner remove it",
            ) from error
        with contextlib.suppress(FileExistsError):
            descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o666)
            os.fchmod(descriptor, 0o666)  # the umask has taken bits away  # nosec B103
            return descriptor
    raise ReproofError("the benchmark's lock vanishes as often as it is made", where=path)
