"""However a verification ends, the user's repository is byte for byte as it was, and nothing runs on."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from kills import start
from test_bad_disks import AS_ROOT_OF_IT, NAMESPACE, can_mount
from verify_places import changed, shared_project, state_of

from reproof.verify import leftovers

PROGRAM = (sys.executable, str(Path(__file__).with_name("verify_places.py")))
LONGEST_SECONDS = 120.0
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recorded project; no test may change a byte of it."""
    return shared_project(tmp_path_factory)


@pytest.fixture(scope="module")
def seconds(made: Path, tmp_path_factory: pytest.TempPathFactory) -> float:
    """How long a verification takes here."""
    begin = time.perf_counter()
    process = verification(made, tmp_path_factory.mktemp("temporary"))
    output, _ = process.communicate(timeout=LONGEST_SECONDS)
    assert process.returncode == 0, output
    return time.perf_counter() - begin


def verification(project: Path, temporary: Path, *before: str, **env: str) -> subprocess.Popen[str]:
    """Start one as a program, with temporary files in a folder of its own."""
    return start(project, *before, *PROGRAM, str(project), env={"TMPDIR": str(temporary), **env})


def interrupt(made: Path, temporary: Path, after: float, number: signal.Signals) -> None:
    """Send a signal so many seconds after the start; check what is left of it and of the project."""
    before = state_of(made)
    process = verification(made, temporary)
    try:
        process.communicate(timeout=after)
    except subprocess.TimeoutExpired:
        process.send_signal(number)
    output, _ = process.communicate(timeout=LONGEST_SECONDS)
    told = f"{number.name} after {after:.2f} s\n{output}"
    until = time.monotonic() + 20
    while running_in(temporary):
        assert time.monotonic() < until, f"processes run on: {running_in(temporary)}; {told}"
        time.sleep(0.05)
    assert changed(before, state_of(made)) == [], told
    if number == signal.SIGKILL:
        for folder in temporary.glob(f"{leftovers.PREFIX}*"):
            os.utime(folder, (0, 0))  # it may have been killed before it could lock the folder
        leftovers.sweep(temporary)
    kept = [path for path in temporary.iterdir() if path.name.startswith(leftovers.PREFIX)]
    assert kept == [], told


def running_in(folder: Path) -> list[psutil.Process]:
    """The processes that work below a folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()).is_relative_to(folder):
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


@pytest.mark.parametrize("attempt", range(5))
def test_an_interrupt_at_any_moment_changes_nothing(
    made: Path, tmp_path: Path, seconds: float, attempt: int
) -> None:
    number = SIGNALS[attempt % len(SIGNALS)]
    interrupt(made, tmp_path, random.Random(attempt).uniform(0.02, 1.0) * seconds, number)


@pytest.mark.soak
@pytest.mark.parametrize("attempt", range(5, 55))
def test_fifty_interrupts_change_nothing(made: Path, tmp_path: Path, seconds: float, attempt: int) -> None:
    number = SIGNALS[attempt % len(SIGNALS)]
    interrupt(made, tmp_path, random.Random(attempt).uniform(0.02, 1.0) * seconds, number)


def test_what_a_kill_left_is_removed_by_the_next_one(made: Path, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    process = verification(made, tmp_path, REPROOF_TEST_READY=str(ready))
    until = time.monotonic() + LONGEST_SECONDS
    while not (ready.exists() and list(tmp_path.glob("*/inside/checkout/results/latest/stages"))):
        assert time.monotonic() < until
        assert process.poll() is None
        time.sleep(0.02)
    folder = Path(ready.read_text())
    process.kill()
    process.communicate()
    assert folder.is_dir()
    again = verification(made, tmp_path)
    output, _ = again.communicate(timeout=LONGEST_SECONDS)
    assert again.returncode == 0, output
    assert not folder.exists()
    assert [path for path in tmp_path.iterdir() if path.name.startswith(leftovers.PREFIX)] == []


def test_a_second_interrupt_does_not_tear_the_end_of_the_first(made: Path, tmp_path: Path) -> None:
    before = state_of(made)
    ready = tmp_path / "ready"
    process = verification(made, tmp_path, REPROOF_TEST_READY=str(ready))
    until = time.monotonic() + LONGEST_SECONDS
    while not ready.exists():
        assert time.monotonic() < until
        time.sleep(0.02)
    for _ in range(10):
        process.send_signal(signal.SIGINT)
        time.sleep(0.01)
    process.communicate(timeout=LONGEST_SECONDS)
    assert changed(before, state_of(made)) == []
    assert list(tmp_path.glob(f"{leftovers.PREFIX}*")) == []


@pytest.mark.skipif(not can_mount(), reason="no file system can be mounted here")
@pytest.mark.parametrize("size", ["40k", "400k"])
def test_a_full_disk_changes_nothing(made: Path, tmp_path: Path, size: str) -> None:
    before = state_of(made)
    script = f"mount -t tmpfs -o size={size} tmpfs {tmp_path} && exec {' '.join(PROGRAM)} {made}"
    process = start(made, *NAMESPACE, *AS_ROOT_OF_IT, "bash", "-c", script, env={"TMPDIR": str(tmp_path)})
    output, _ = process.communicate(timeout=LONGEST_SECONDS)
    assert process.returncode != 0
    told = ("CannotVerify", "RerunFailed")
    assert any(word in output for word in told), output
    assert "space" in output or "full" in output, output
    assert changed(before, state_of(made)) == []


def test_files_that_may_not_grow_change_nothing(made: Path, tmp_path: Path) -> None:
    before = state_of(made)
    limit = (3000, resource.getrlimit(resource.RLIMIT_FSIZE)[1])
    process = subprocess.Popen(
        [*PROGRAM, str(made)],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit),
    )
    output, _ = process.communicate(timeout=LONGEST_SECONDS)
    assert process.returncode != 0
    assert "CannotVerify" in output, output
    assert changed(before, state_of(made)) == []
    assert list(tmp_path.glob(f"{leftovers.PREFIX}*")) == []
