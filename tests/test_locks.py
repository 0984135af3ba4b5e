"""One writer at a time, and none left over when its process is gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from reproof import locks

HOLD = """
import sys, time
from pathlib import Path
from reproof import locks
print(type(locks.take(Path(sys.argv[1]), "train 1", wait_seconds=float(sys.argv[2]))).__name__, flush=True)
time.sleep(60)
"""


def holder(path: Path, wait: float = 0.0) -> tuple[subprocess.Popen[str], str]:
    """A process that takes the lock, and whether it got it."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path), str(wait)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def test_a_second_process_learns_who_has_it(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "lock"
    first, got = holder(path)
    found = locks.take(path, "train 2")
    assert got == "Lock"
    assert isinstance(found, locks.Holder)
    assert (found.pid, found.what) == (first.pid, "train 1")
    assert str(found).startswith(f"process {first.pid}, since 20")
    assert locks.holder_of(path) == found
    end(first)
    assert locks.holder_of(path) is None


def test_it_waits_for_a_holder_that_ends_in_time(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    first, _ = holder(path)
    os.kill(first.pid, signal.SIGKILL)
    taken = locks.take(path, "train 2", wait_seconds=10)
    first.communicate()
    assert isinstance(taken, locks.Lock)
    taken.release()


def test_it_waits_no_longer_than_it_was_told(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    first, _ = holder(path)
    begin = time.monotonic()
    assert isinstance(locks.take(path, "train 2", wait_seconds=0.3), locks.Holder)
    assert time.monotonic() - begin >= 0.3
    end(first)


def test_a_lock_whose_file_was_removed_is_another_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    first = locks.take(path, "train 1")
    path.unlink()
    second = locks.take(path, "train 2")
    assert isinstance(first, locks.Lock)
    assert isinstance(second, locks.Lock)
    third = locks.take(path, "train 3")
    assert isinstance(third, locks.Holder)
    assert third.what == "train 2"
    first.release()
    second.release()
    second.release()  # twice is once


def test_no_file_is_no_holder(tmp_path: Path) -> None:
    assert locks.holder_of(tmp_path / "absent") is None
    (tmp_path / "half").write_text('{"pid": 1')
    assert locks.holder_of(tmp_path / "half") is None


FORK = """
import os, sys, time
from pathlib import Path
from reproof import locks
lock = locks.take(Path(sys.argv[1]), "train 1")
if os.fork() == 0:
    time.sleep(60)  # a worker of a data loader, which outlives its trainer for a while
print("forked", flush=True)
time.sleep(60)
"""


def test_a_forked_child_does_not_hold_the_lock_of_its_dead_parent(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    parent = subprocess.Popen(
        [sys.executable, "-c", FORK, str(path)], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert parent.stdout is not None
    parent.stdout.readline()
    assert locks.holder_of(path) is not None
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    # The child lets go as the first thing that it does, but it may not have run yet.
    taken = locks.take(path, "train 2", wait_seconds=10)
    os.killpg(parent.pid, signal.SIGKILL)
    parent.stdout.close()
    assert isinstance(taken, locks.Lock)
    taken.release()


def test_those_who_look_do_not_take_each_other_for_the_holder(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.write_text('{"pid": 1, "since": "2026-01-31T12:00:00Z", "what": "train"}')
    descriptor = os.open(path, os.O_RDWR)
    assert locks.try_flock(descriptor, shared=True)
    assert locks.holder_of(path) is None
    os.close(descriptor)
