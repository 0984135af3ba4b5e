"""One process of the benchmark: `python -m reproof.benchmark.worker`, one cell, one repeat.

The first line on stdin is the job, as JSON. Stdin then stays open as the parent's pulse: its end means that
the parent is gone, however it went, and the worker ends too. The result goes to files in the job's folder,
so that what the project's code prints cannot get into it. An error is a traceback on stderr and an exit code
other than 0.
"""

from __future__ import annotations

import gc
import os
import platform
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
from reproof.benchmark.messages import OUTPUTS, REPORT, TIMES, ColdTimes, Facts, Job, MemoryPeaks, Noise, Report
from reproof.errors import EXIT_CODE, ReproofError

_MS = 1e6
_NO_PSI = "this system has no /proc/pressure/cpu"


def main() -> None:
    """Read the job, measure, write the result; then leave without the interpreter's long way out."""
    job = _read_job()
    try:
        report = measure(job)
    except runtimes.Unavailable as reason:
        report = Report(unavailable=str(reason))
    except ReproofError as error:
        print(error, file=sys.stderr)  # noqa: T201
        sys.exit(EXIT_CODE)
    files.write_text(job.folder / REPORT, report.model_dump_json())
    sys.stdout.flush()
    sys.stderr.flush()
    # Threads that the project's code left behind, or a crash while libraries unload, say nothing of latency.
    os._exit(0)


def measure(job: Job) -> Report:
    """Run the job in this process; leave its samples and outputs in the job's folder."""
    random.seed(job.seed)
    np.random.seed(job.seed)  # noqa: NPY002 (the one that projects' code draws from)
    runtime = runtimes.get(job.cell.runtime)
    began = perf_counter_ns()
    runtime.import_package()
    imported = perf_counter_ns()
    preprocess, postprocess = (_step(job, name) for name in (job.preprocess, job.postprocess))
    stacked = np.load(job.batches)
    stacked.flags.writeable = False  # a preprocess that changes its input would feed its own output next
    batches = list(stacked)

    gauge = nvml.open_gauge(job.cell.device)
    was_reset = memory.reset_peak()
    baseline = memory.current()
    load_began = perf_counter_ns()
    model = runtime.load(job)
    loaded = perf_counter_ns()
    nvml.sample(gauge)
    pipeline = timing.Pipeline(preprocess, model.run, postprocess)
    shape = list(np.shape(preprocess(batches[0])))

    gc.collect()
    gc.freeze()
    gc.disable()
    warm = timing.samples(4096)
    timing.collect(pipeline, batches, warm, min_calls=2)
    first, second = timing.stage_times(warm).model[:2]
    nvml.sample(gauge)
    warm.count = 0

    def more(min_calls: int, min_ns: int) -> timing.Nanoseconds:
        timing.collect(pipeline, batches, warm, min_calls=min_calls, min_ns=min_ns)
        return timing.stage_times(warm).end_to_end

    warmed = timing.warm_up(more, int(second), job.rules)
    warmup_ns = timing.stage_times(warm).end_to_end
    # Read here: the same calls ran, and the timed part would add the benchmark's own sample columns.
    ram_peak, ram_source = memory.peak(was_reset)
    nvml.sample(gauge)

    calls = job.rules.min_seconds * timing.NS / max(1.0, float(np.median(warmup_ns)))
    timed = timing.samples(int(max(job.rules.min_calls, 1.2 * calls)) + 1)
    before, timed_began = noise.read(gauge), perf_counter_ns()
    timing.collect(
        pipeline,
        batches,
        timed,
        min_calls=job.rules.min_calls,
        min_ns=int(job.rules.min_seconds * timing.NS),
        cap_ns=int(job.rules.cap_seconds * timing.NS),
    )
    seconds, after = (perf_counter_ns() - timed_began) / timing.NS, noise.read(gauge)
    nvml.sample(gauge)
    gc.enable()

    facts = runtime.facts(model, job)
    _assert_precision(facts, job)
    vram, reasons = runtime.vram_peaks(job)
    nvml_values, nvml_reasons = nvml.memory(gauge)
    if ram_peak is None:
        reasons = reasons | {"peak_ram_bytes": ram_source}
    if baseline is None:
        reasons = reasons | {"baseline_ram_bytes": "this system has no /proc/self/status"}
    _write_samples(job, timed, warmup_ns)
    outputs = [model.run(preprocess(batch)) for batch in batches]
    _write_outputs(job, outputs)
    return Report(
        facts=facts,
        input_shape=shape,
        cold=ColdTimes(
            import_ms=(imported - began) / _MS,
            load_ms=(loaded - load_began) / _MS,
            first_call_ms=int(first) / _MS,
            second_call_ms=int(second) / _MS,
        ),
        warmup_calls=len(warmup_ns),
        warmup_seconds=int(warmup_ns.sum()) / timing.NS,
        warmed=warmed,
        memory=MemoryPeaks(
            peak_ram_bytes=ram_peak,
            baseline_ram_bytes=baseline,
            ram_method=None if ram_peak is None else ram_source,
            **vram,
            **nvml_values,
            unavailable_reason=reasons | nvml_reasons,
        ),
        noise=_noise(before, after, seconds, int(timing.cpu_ns(timed).sum()) / timing.NS),
        python=platform.python_version(),
        numpy=np.__version__,
    )


def _read_job() -> Job:
    # The project's code gets an empty stdin; the pulse moves to a descriptor of its own.
    pulse = os.dup(0)
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    line = b""
    while not line.endswith(b"\n"):
        line += os.read(pulse, 1 << 16) or sys.exit("the parent left before it said what to do")

    def end_with_the_parent() -> None:
        os.read(pulse, 1)
        os.killpg(0, signal.SIGKILL)  # the parent made a group of its own for this process

    threading.Thread(target=end_with_the_parent, daemon=True).start()
    return Job.model_validate_json(line)


def _step(job: Job, reference: str | None) -> Callable[[Any], Any]:
    return references.load(job.root, reference) if reference else lambda arrays: arrays


def _assert_precision(facts: Facts, job: Job) -> None:
    if facts.precision_actual not in (None, job.cell.precision):
        raise ReproofError(
            "the model runs in another precision than the cell's",
            where=job.cell.name,
            expected=job.cell.precision,
            found=facts.precision_actual,
        )


def _noise(before: noise.Reading, after: noise.Reading, seconds: float, cpu_seconds: float) -> Noise:
    stalled, steal = noise.psi_stalled_seconds(before, after), noise.steal_percent(before, after)
    held = noise.throttle_reasons(before, after)
    missing = {
        "psi_stalled_seconds": stalled is None and _NO_PSI,
        "steal_percent": steal is None and "this system has no /proc/stat",
        "cpu_mhz": before.cpu_mhz is None and "this system shows no clock",
        "gpu_sm_mhz": after.gpu_reason,
        "throttle_reasons": held is None and "neither the CPU nor a GPU shows throttling here",
    }
    return Noise(
        seconds=seconds,
        cpu_seconds=cpu_seconds,
        psi_stalled_seconds=stalled,
        steal_percent=steal,
        loadavg_1min=before.loadavg_1min,
        cpu_mhz=after.cpu_mhz,
        gpu_sm_mhz=after.gpu_sm_mhz,
        throttle_reasons=held,
        unavailable_reason={name: reason for name, reason in missing.items() if reason},
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


def _write_outputs(job: Job, outputs: list[runtimes.Outputs]) -> None:
    """Write the model's outputs as `batch.output`, for the comparison of runtimes."""
    flat = {
        f"{b}.{o}": array
        for b, found in enumerate(outputs)
        for o, array in enumerate(found if isinstance(found, tuple) else (found,))
    }
    np.savez(job.folder / OUTPUTS, **flat)


if __name__ == "__main__":
    main()
