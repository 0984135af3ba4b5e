"""Starts a worker, waits without using the CPU, and makes sure that it is gone."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import threading
from types import TracebackType
from typing import Any

from pydantic import TypeAdapter

from reproof import redact
from reproof.benchmark.cells import Cell
from reproof.benchmark.messages import REPORT, Converted, Job, Profile, Refusal, Report

_LOG = "log.txt"
_LAST_LINES = 4
_MAX_LINE = 300

_ANSWERS: dict[str, TypeAdapter[Any]] = {
    "measure": TypeAdapter(Report | Refusal),
    "blocks": TypeAdapter(Report | Refusal),
    "profile": TypeAdapter(Profile | Refusal),
    "convert": TypeAdapter(Converted | Refusal),
}


class WorkerFailed(Exception):
    """A worker ended without a result; the text says how, with its last words."""


def run(job: Job, timeout_s: float) -> Any:
    """Run one job in a fresh process, and return its answer: `Refusal`, or what its task gives.

    Raises:
        WorkerFailed: when it crashed, was killed, took too long, or left without a result.
    """
    with Worker(job) as worker:
        worker.begin()
        return worker.answer(timeout_s)


class Worker:
    """A process that does one job; it is gone when the block ends, Ctrl-C included.

    It leads a process group of its own, which is killed as a whole.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._heard = b""
        hear, reply = os.pipe()
        try:
            with (job.folder / _LOG).open("wb") as log:
                self._process = subprocess.Popen(
                    # -P: the project's folder, where the worker runs, must not hide installed modules.
                    [sys.executable, "-P", "-m", "reproof.benchmark.worker", str(reply)],
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                    cwd=job.root,
                    env=_environment(job.cell),
                    start_new_session=True,
                    pass_fds=(reply,),
                )
        except BaseException:
            os.close(hear)
            raise
        finally:
            os.close(reply)
        self._pipe = hear

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()
        os.close(self._pipe)

    def begin(self) -> None:
        """Say what to do; until then it waits."""
        self.tell(self._job.model_dump_json())

    def tell(self, line: str) -> None:
        """Write one line to it; stdin stays open until it has ended, see `worker`."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it is dead already, and its log says why
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()

    def hear(self, timeout_s: float) -> str | None:
        """Return the next line that it says, without using the CPU; None when it has ended, or is late."""
        while b"\n" not in self._heard:
            ready, _, _ = select.select([self._pipe], [], [], timeout_s)
            part = os.read(self._pipe, 4096) if ready else b""
            if not part:
                return None
            self._heard += part
        line, _, self._heard = self._heard.partition(b"\n")
        return line.decode()

    def answer(self, timeout_s: float) -> Any:
        """Wait for its end, and return its answer.

        Raises:
            WorkerFailed: when it crashed, was killed, took too long, or left without a result.
        """
        # A thread that blocks in wait(): Popen.wait(timeout) would wake up twenty times a second, and a
        # parent that polls took half of a two-thread model's speed.
        waiter = threading.Thread(target=_await_end, args=(self._process,), daemon=True)
        waiter.start()
        waiter.join(timeout_s)
        timed_out = waiter.is_alive()
        self._end()
        report = self._job.folder / REPORT
        code = self._process.returncode
        if timed_out:
            ended = f"no result after {timeout_s:g} s, stopped"
        elif code < 0:
            ended = f"killed by {_signal_name(-code)}"
        elif code > 0:
            ended = f"exit code {code}"
        elif report.exists():
            return _ANSWERS[self._job.task].validate_json(report.read_bytes())
        else:
            ended = "it left without a result"
        raise WorkerFailed(_reason(ended, self._job))

    def _end(self) -> None:
        """Kill what is left of its group, and reap it."""
        process = self._process
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: EPERM for an ended one
                os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()


def _await_end(process: subprocess.Popen[bytes]) -> None:
    if hasattr(os, "waitid"):  # leaves the ended process in place, so that its group's number stays its own
        with contextlib.suppress(ChildProcessError):  # killed and reaped before this thread woke up
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    else:
        process.wait()


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
    text = "; ".join([ended, *told])
    for folder in (job.root, sys.prefix, sys.base_prefix):  # no folder of this machine's in a record
        text = text.replace(f"{folder}{os.sep}", "")
    return text


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
