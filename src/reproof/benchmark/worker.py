"""One process of the benchmark: `python -m reproof.benchmark.worker`, one cell, one repeat.

The first line on stdin is the job, as JSON. Stdin then stays open as the parent's pulse: its end means that
the parent is gone, however it went, and the worker ends too. The result goes to files in the job's folder,
so that what the project's code prints cannot get into it. An error is a traceback on stderr and an exit code
other than 0.
"""

from __future__ import annotations

import gc
import os
import random
import signal
import sys
import threading
from collections.abc import Callable
from time import perf_counter_ns
from typing import Any

import numpy as np

from reproof import files
from reproof.benchmark import memory, noise, nvml, references, runtimes, timing
from reproof.benchmark.cells import Cell
from reproof.benchmark.messages import (
    OUTPUTS,
    REPORT,
    TIMES,
    ColdTimes,
    Facts,
    Job,
    Noise,
    Refusal,
    Report,
)
from reproof.benchmark.runtimes import Array
from reproof.benchmark.settings import Rules
from reproof.errors import EXIT_CODE, ReproofError

_MS = 1e6


def main() -> None:
    """Read the job, measure, write the result; then leave without the interpreter's long way out."""
    job = _read_job()
    try:
        answer: Report | Refusal = measure(job)
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


def measure(job: Job) -> Report:
    """Run the job in this process; leave its samples and outputs in the job's folder."""
    random.seed(job.seed)
    np.random.seed(job.seed)
    runtime = runtimes.get(job.cell.runtime)
    began = perf_counter_ns()
    runtime.import_package()
    imported = perf_counter_ns()
    preprocess, postprocess = _step(job, job.preprocess), _step(job, job.postprocess)
    batches = _batches(job)

    gauge = nvml.open_gauge(job.cell.device)
    was_reset, baseline = memory.reset_peak(), memory.current()
    load_began = perf_counter_ns()
    model = runtime.load(job)
    loaded = perf_counter_ns()
    nvml.sample(gauge)
    assert_as_asked(runtime.facts(model, job), job.cell)

    pipeline = timing.Pipeline(preprocess, model.run, postprocess)
    gc.collect()
    gc.freeze()
    gc.disable()
    first, second = _first_calls(pipeline, batches)
    nvml.sample(gauge)
    warmup_ns, warmed = _warm_up(pipeline, batches, second, job.rules)
    nvml.sample(gauge)
    # Read now: the same calls ran, and the timed part would add the benchmark's own sample columns.
    ram = memory.peaks(was_reset, baseline)
    timed, noise_found = _timed(pipeline, batches, warmup_ns, job.rules, gauge)
    nvml.sample(gauge)
    gc.enable()

    facts = runtime.facts(model, job)
    assert_as_asked(facts, job.cell)  # again: the project's code could have changed it in a call
    vram, vram_reasons = runtime.vram_peaks(job)
    nvml_memory, nvml_reasons = nvml.memory(gauge)
    _write_samples(job, timed, warmup_ns)
    shape = _write_outputs(job, pipeline, batches)
    return Report(
        facts=facts,
        input_shape=shape,
        cold=ColdTimes(
            import_ms=(imported - began) / _MS,
            load_ms=(loaded - load_began) / _MS,
            first_call_ms=first / _MS,
            second_call_ms=second / _MS,
        ),
        warmup_calls=len(warmup_ns),
        warmup_seconds=int(warmup_ns.sum()) / timing.NS,
        warmed=warmed,
        memory=ram.model_copy(
            update={
                **vram,
                **nvml_memory,
                "unavailable_reason": ram.unavailable_reason | vram_reasons | nvml_reasons,
            }
        ),
        noise=noise_found,
    )


def _batches(job: Job) -> list[Array]:
    stacked = np.load(job.batches)
    stacked.flags.writeable = False  # a preprocess that changes its input would be fed its own output next
    return list(stacked)


def _first_calls(pipeline: timing.Pipeline, batches: list[Array]) -> tuple[int, int]:
    """Nanoseconds of the model's part in the first two calls."""
    calls = timing.samples(2)
    timing.collect(pipeline, batches, calls, min_calls=2)
    first, second = timing.stage_times(calls).model
    return int(first), int(second)


def _warm_up(
    pipeline: timing.Pipeline, batches: list[Array], second_call_ns: int, rules: Rules
) -> tuple[timing.Nanoseconds, bool]:
    """Nanoseconds of each call of the warm-up, end to end, and whether the time has settled."""
    calls = timing.samples(4096)

    def more(min_calls: int, min_ns: int) -> timing.Nanoseconds:
        timing.collect(pipeline, batches, calls, min_calls=min_calls, min_ns=min_ns)
        return timing.stage_times(calls).end_to_end

    warmed = timing.warm_up(more, second_call_ns, rules)
    return timing.stage_times(calls).end_to_end, warmed


def _timed(
    pipeline: timing.Pipeline,
    batches: list[Array],
    warmup_ns: timing.Nanoseconds,
    rules: Rules,
    gauge: nvml.Gauge,
) -> tuple[timing.Samples, Noise]:
    """The calls that count, and what else the machine did meanwhile."""
    expected = rules.min_seconds * timing.NS / max(1.0, float(np.median(warmup_ns)))
    calls = timing.samples(int(max(rules.min_calls, 1.2 * expected)))
    before, began = noise.read(gauge), perf_counter_ns()
    timing.collect(
        pipeline,
        batches,
        calls,
        min_calls=rules.min_calls,
        min_ns=int(rules.min_seconds * timing.NS),
        cap_ns=int(rules.cap_seconds * timing.NS),
    )
    seconds, after = (perf_counter_ns() - began) / timing.NS, noise.read(gauge)
    return calls, noise.between(before, after, seconds)


def _read_job() -> Job:
    # The project's code gets an empty stdin; the pulse moves to a descriptor of its own.
    pulse = os.dup(0)
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    line = b""
    while not line.endswith(b"\n"):
        part = os.read(pulse, 1 << 16)
        if not part:
            sys.exit("the parent left before it said what to do")
        line += part

    def end_with_the_parent() -> None:
        os.read(pulse, 1)
        if os.getpgrp() == os.getpid():  # so the launcher starts it: what this process started ends too
            os.killpg(0, signal.SIGKILL)
        os._exit(1)

    threading.Thread(target=end_with_the_parent, daemon=True).start()
    return Job.model_validate_json(line)


def _step(job: Job, reference: str | None) -> Callable[[Any], Any]:
    return references.load(job.root, reference) if reference else lambda arrays: arrays


def assert_as_asked(facts: Facts, cell: Cell) -> None:
    """Compare what the runtime does with what the cell says: a silent fallback is an error, not a number.

    Raises:
        ReproofError: when provider, precision or threads are others than asked for.
    """
    asked = facts.providers_requested
    for what, expected, found in (
        ("provider", ", ".join(asked), ", ".join(facts.providers_actual[: len(asked)])),
        ("precision", cell.precision, facts.precision_actual or cell.precision),
        ("number of threads", str(cell.threads), str(facts.threads_intra_op)),
    ):
        if found != expected:
            raise ReproofError(
                f"the runtime took another {what}", where=cell.name, expected=expected, found=found
            )


def _write_samples(job: Job, timed: timing.Samples, warmup_ns: timing.Nanoseconds) -> None:
    stages = timing.stage_times(timed)
    np.savez(
        job.folder / TIMES,
        preprocess_ns=stages.preprocess,
        model_ns=stages.model,
        postprocess_ns=stages.postprocess,
        cpu_ns=timing.cpu_ns(timed),
        involuntary_switches=timing.switches(timed),
        warmup_end_to_end_ns=warmup_ns,
    )


def _write_outputs(job: Job, pipeline: timing.Pipeline, batches: list[Array]) -> list[int]:
    """Write the model's outputs as `batch.output`, to compare runtimes by; return its input's shape."""
    inputs = [pipeline.preprocess(batch) for batch in batches]
    found = [pipeline.model(array) for array in inputs]
    flat = {
        f"{b}.{o}": array
        for b, outputs in enumerate(found)
        for o, array in enumerate(outputs if isinstance(outputs, tuple) else (outputs,))
    }
    if odd := [key for key, array in flat.items() if np.asarray(array).dtype.kind not in "biuf"]:
        raise ReproofError(
            "the model gives something other than arrays of numbers",
            where=job.cell.name,
            found=type(flat[odd[0]]).__name__,
        )
    np.savez(job.folder / OUTPUTS, **flat)
    return list(np.shape(inputs[0]))


if __name__ == "__main__":
    main()
