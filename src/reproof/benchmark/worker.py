"""One process of the benchmark: `python -m reproof.benchmark.worker [REPLY]`.

The first line on stdin is the job, as JSON. Stdin then stays open: its lines are what the parent says next,
and it is the parent's pulse: its end means that the parent is gone, however it went, and the worker ends
too. REPLY is the descriptor of a pipe to the parent, for jobs that are made of blocks. The result goes to
files in the job's folder, so that what the project's code prints cannot get into it. An error is a traceback
on stderr and an exit code other than 0.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from queue import SimpleQueue

from pydantic import BaseModel

from reproof import files
from reproof.benchmark import one_process, runtimes
from reproof.benchmark.messages import REPORT, Converted, Job, Refusal
from reproof.errors import EXIT_CODE, ReproofError


def main() -> None:
    """Read the job, do it, write the result; then leave without the interpreter's long way out."""
    lines = _listen()
    job = Job.model_validate_json(lines.get())
    try:
        answer = _do(job, lines)
    except runtimes.Unavailable as reason:
        answer = Refusal(unavailable=str(reason))
    except ReproofError as error:
        print(error, file=sys.stderr)  # noqa: T201
        sys.exit(EXIT_CODE)
    files.write_text(job.folder / REPORT, answer.model_dump_json())
    sys.stdout.flush()
    sys.stderr.flush()
    # Threads that the project's code left behind, or a crash while libraries unload, say nothing of latency.
    os._exit(0)


def _do(job: Job, lines: SimpleQueue[bytes]) -> BaseModel:
    if job.task == "convert":
        from reproof.benchmark import precisions

        assert job.onnx is not None
        target = job.folder / f"model.{job.cell.precision}.onnx"
        return Converted(path=target, facts=precisions.convert(job.onnx, job.cell, target))
    if job.task == "profile":
        from reproof.benchmark import profiling

        found: BaseModel = profiling.profile(job)
        return found
    if job.task == "measure":
        return one_process.measure(job)
    reply = int(sys.argv[1])

    def next_block() -> int:
        os.write(reply, b"ready\n")
        return int(lines.get())  # blocks: while the other side of the comparison runs, this one takes no core

    return one_process.measure(job, next_block)


def _listen() -> SimpleQueue[bytes]:
    """Hand over the lines of stdin as they come; end this process when stdin ends."""
    # The project's code gets an empty stdin; the pulse moves to a descriptor of its own.
    pulse = os.dup(0)
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    lines: SimpleQueue[bytes] = SimpleQueue()

    def listen() -> None:
        with os.fdopen(pulse, "rb") as stream:
            for line in stream:
                lines.put(line)
        if os.getpgrp() == os.getpid():  # so the launcher starts it: what this process started ends too
            os.killpg(0, signal.SIGKILL)
        os._exit(1)

    threading.Thread(target=listen, daemon=True).start()
    return lines


if __name__ == "__main__":
    main()
