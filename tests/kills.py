"""Runs that are killed, as a power cut or the kernel's out-of-memory killer does it, and what is left."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil
from projects import ENV

from reproof.digest import digest
from reproof.dvc import check_whole
from reproof.errors import ReproofError


def start(project: Path, *command: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """Start a command in a process group of its own, so that all of it can be killed at once."""
    return subprocess.Popen(
        command,
        cwd=project,
        env={**os.environ, **ENV, **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def kill_after(process: subprocess.Popen[str], seconds: float) -> bool:
    """Let a process run for so long, then kill it with all that it started; False when it had ended."""
    try:
        process.communicate(timeout=seconds)
        return False
    except subprocess.TimeoutExpired:
        kill(process)
        return True


def kill(process: subprocess.Popen[str]) -> None:
    """Kill a process with all that it started, and wait until it is gone."""
    started: list[psutil.Process] = []
    with contextlib.suppress(psutil.NoSuchProcess):  # torchrun gives its workers groups of their own
        started = psutil.Process(process.pid).children(recursive=True)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    for child in started:
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()
    process.communicate()


def wait_for(condition: Callable[[], object], process: subprocess.Popen[str], seconds: float = 60) -> None:
    """Wait until something is true while a process runs; fail with its output when it ends first."""
    until = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.002)


def logged(project: Path) -> int:
    """How many lines the metrics of the run in the workspace have."""
    path = project / "results/latest/metrics.ndjson"
    with contextlib.suppress(FileNotFoundError):
        return path.read_bytes().count(b"\n")
    return 0


def kill_in_training(process: subprocess.Popen[str], project: Path, lines: int, rng: random.Random) -> None:
    """Kill a training some milliseconds after it has logged so many lines."""
    wait_for(lambda: logged(project) >= lines, process)
    time.sleep(rng.uniform(0, 0.02))
    kill(process)


def mend(project: Path) -> list[str]:
    """Do what the error says when DVC itself was killed while it wrote a file; return those files."""
    torn = []
    for name in ("dvc.lock", ".dvc/tmp/rwlock"):
        try:
            check_whole(project)
        except ReproofError as error:
            assert error.where == name or name == "dvc.lock", error  # noqa: PT017
            if error.where == name:
                (project / name).unlink()
                torn.append(name)
    return torn


def contents(project: Path, *paths: str) -> dict[str, str]:
    """Content digests of files and folders of the run in the workspace."""
    return {path: digest(project / "results/latest" / path) for path in paths}
