"""Starts a worker, waits without using the CPU, and makes sure that it is gone."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading

from pydantic import TypeAdapter

from reproof import redact
from reproof.benchmark.cells import Cell
from reproof.benchmark.messages import REPORT, Job, Refusal, Report

_LOG = "log.txt"
_LAST_LINES = 4
_MAX_LINE = 300


_ANSWER: TypeAdapter[Report | Refusal] = TypeAdapter(Report | Refusal)


class WorkerFailed(Exception):
    """A worker ended without a result; the text says how, with its last words."""


def run(job: Job, timeout_s: float) -> Report | Refusal:
    """Run one job in a fresh process, and return its answer.

    The worker leads a process group of its own, which is killed whatever happens here, Ctrl-C included.

    Raises:
        WorkerFailed: when it crashed, was killed, took too long, or left without a result.
    """
    with (job.folder / _LOG).open("wb") as log:
        process = subprocess.Popen(
            # -P: the project's folder, where the worker runs, must not hide installed modules.
            [sys.executable, "-P", "-m", "reproof.benchmark.worker"],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            cwd=job.root,
            env=_environment(job.cell),
            start_new_session=True,
        )
    try:
        _tell(process, job)
        # A thread that blocks in wait(): Popen.wait(timeout) would wake up twenty times a second, and a
        # parent that polls took half of a two-thread model's speed.
        waiter = threading.Thread(target=_await_end, args=(process,), daemon=True)
        waiter.start()
        waiter.join(timeout_s)
        timed_out = waiter.is_alive()
    finally:
        _end(process)
    report = job.folder / REPORT
    if timed_out:
        ended = f"no result after {timeout_s:g} s, stopped"
    elif process.returncode < 0:
        ended = f"killed by {_signal_name(-process.returncode)}"
    elif process.returncode > 0:
        ended = f"exit code {process.returncode}"
    elif report.exists():
        return _ANSWER.validate_json(report.read_bytes())
    else:
        ended = "it left without a result"
    raise WorkerFailed(_reason(ended, job))


def _tell(process: subprocess.Popen[bytes], job: Job) -> None:
    """Write the job; stdin stays open until the worker has ended, see `worker`."""
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):  # it is dead already, and its log says why
        process.stdin.write(job.model_dump_json().encode() + b"\n")
        process.stdin.flush()


def _await_end(process: subprocess.Popen[bytes]) -> None:
    if hasattr(os, "waitid"):  # leaves the ended process in place, so that its group's number stays its own
        with contextlib.suppress(ChildProcessError):  # killed and reaped before this thread woke up
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    else:
        process.wait()


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of the worker's group, and reap the worker."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: EPERM for one that has ended
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdin is not None:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()


def _environment(cell: Cell) -> dict[str, str]:
    threads = str(cell.threads)
    pinned = {
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "PYTHONHASHSEED": "0",
    }
    # CUDA's default order is by speed, NVML's by bus: the memory gauge must look at the GPU that runs.
    return {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"} | os.environ | pinned


def _reason(ended: str, job: Job) -> str:
    lines = (job.folder / _LOG).read_text(errors="replace").splitlines()
    last = [line.strip() for line in lines if line.strip()][-_LAST_LINES:]
    # Hidden before it is cut: a part of a secret would not be known for one.
    told = [redact.text(line)[:_MAX_LINE] for line in last]
    return "; ".join([ended, *told]).replace(f"{job.root}{os.sep}", "")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
