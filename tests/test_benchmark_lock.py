"""One benchmark at a time on a machine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from reproof.benchmark import lock


def test_the_lock_keeps_a_second_process_out(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    code = f"""
from pathlib import Path
from reproof.benchmark import lock
with lock.held(Path({str(path)!r})):
    print("in", flush=True)
"""
    with lock.held(path):
        assert path.stat().st_mode & 0o777 == 0o666
        second = subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert second.stderr is not None
        line = second.stderr.readline().decode()  # blocks until the second has found the lock taken
        assert f"waiting: another benchmark measures on this machine (process {os.getpid()}, since 20" in line
        assert second.poll() is None
    stdout, _ = second.communicate(timeout=30)
    assert (stdout, second.returncode) == (b"in\n", 0)


def test_the_lock_ends_with_its_holder(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    code = f"""
import os
from pathlib import Path
from reproof.benchmark import lock
with lock.held(Path({str(path)!r})):
    os.kill(os.getpid(), 9)
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == -signal.SIGKILL
    with lock.held(path):
        assert json.loads(path.read_text())["pid"] == os.getpid()
