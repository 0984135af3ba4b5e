"""What one process measures: cold steps, warm-up, timed calls, memory, noise; and the model's outputs."""

from __future__ import annotations

import gc
import random
from collections.abc import Callable, Mapping
from time import perf_counter_ns
from typing import Any

import numpy as np
import numpy.typing as npt

from reproof.benchmark import batches, memory, noise, nvml, references, runtimes, timing
from reproof.benchmark.batches import Batch
from reproof.benchmark.cells import Cell
from reproof.benchmark.messages import OUTPUTS, TIMES, ColdTimes, Facts, Job, Noise, Report
from reproof.benchmark.settings import Rules
from reproof.errors import ReproofError

_MS = 1e6

Array = npt.NDArray[Any]


def measure(job: Job, next_block: Callable[[], int] | None = None) -> Report:
    """Run the job in this process; leave its samples and outputs in the job's folder.

    Args:
        job: the cell, and the code around the model.
        next_block: for calls in blocks: waits for the parent, and returns how many nanoseconds the next
            block is to take, 0 for none. Without it all calls are made at once.

    Raises:
        runtimes.Unavailable: the cell cannot run here.
        ReproofError: the runtime does otherwise than asked, or the model gives no arrays of numbers.
    """
    random.seed(job.seed)
    np.random.seed(job.seed)
    runtime = runtimes.get(job.cell.runtime)
    began = perf_counter_ns()
    runtime.import_package()
    imported = perf_counter_ns()
    preprocess, postprocess = step(job, job.preprocess), step(job, job.postprocess)
    fed = batches.read(job.batches)

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
    first, second = _first_calls(pipeline, fed)
    nvml.sample(gauge)
    warmup_ns, warmed = _warm_up(pipeline, fed, second, job.rules)
    nvml.sample(gauge)
    # Read now: the same calls ran, and the timed part would add the benchmark's own sample columns.
    ram = memory.peaks(was_reset, baseline)
    calls, blocks, noise_found = _timed(pipeline, fed, warmup_ns, job.rules, gauge, next_block)
    nvml.sample(gauge)
    gc.enable()

    facts = runtime.facts(model, job)
    assert_as_asked(facts, job.cell)  # again: the project's code could have changed it in a call
    vram, vram_reasons = runtime.vram_peaks(job)
    nvml_memory, nvml_reasons = nvml.memory(gauge)
    _write_samples(job, calls, blocks, warmup_ns)
    inputs = [preprocess(batch) for batch in fed]
    _write_outputs(job, pipeline, inputs)
    return Report(
        facts=facts,
        input_shapes=_shapes(inputs[0]),
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
        device=runtime.device_times(model, inputs[0], job),
    )


def step(job: Job, reference: str | None) -> Callable[[Any], Any]:
    """Return the project's function, or one that gives back what it takes."""
    return references.load(job.root, reference) if reference else lambda arrays: arrays


def _first_calls(pipeline: timing.Pipeline, fed: list[Batch]) -> tuple[int, int]:
    """Nanoseconds of the model's part in the first two calls."""
    calls = timing.samples(2)
    timing.collect(pipeline, fed, calls, min_calls=2)
    first, second = timing.stage_times(calls).model
    return int(first), int(second)


def _warm_up(
    pipeline: timing.Pipeline, fed: list[Batch], second_call_ns: int, rules: Rules
) -> tuple[timing.Nanoseconds, bool]:
    """Nanoseconds of each call of the warm-up, end to end, and whether the time has settled."""
    calls = timing.samples(4096)

    def more(min_calls: int, min_ns: int) -> timing.Nanoseconds:
        timing.collect(pipeline, fed, calls, min_calls=min_calls, min_ns=min_ns)
        return timing.stage_times(calls).end_to_end

    warmed = timing.warm_up(more, second_call_ns, rules)
    return timing.stage_times(calls).end_to_end, warmed


def _timed(
    pipeline: timing.Pipeline,
    fed: list[Batch],
    warmup_ns: timing.Nanoseconds,
    rules: Rules,
    gauge: nvml.Gauge,
    next_block: Callable[[], int] | None,
) -> tuple[timing.Samples, list[int], Noise]:
    """The calls that count, how many of them each block has, and what else the machine did meanwhile."""
    expected = rules.min_seconds * timing.NS / max(1.0, float(np.median(warmup_ns)))
    calls = timing.samples(int(max(rules.min_calls, 1.2 * expected)))
    before, began = noise.read(gauge), perf_counter_ns()
    blocks: list[int] = []
    if next_block is None:
        timing.collect(
            pipeline,
            fed,
            calls,
            min_calls=rules.min_calls,
            min_ns=int(rules.min_seconds * timing.NS),
            cap_ns=int(rules.cap_seconds * timing.NS),
        )
        blocks.append(calls.count)
    else:
        while block_ns := next_block():
            had = calls.count
            # The first call after a pause finds cold caches and a sleeping core: it is made, and not counted.
            timing.collect(pipeline, fed, timing.samples(1), min_calls=1)
            timing.collect(pipeline, fed, calls, min_calls=1, min_ns=block_ns)
            blocks.append(calls.count - had)
    seconds, after = (perf_counter_ns() - began) / timing.NS, noise.read(gauge)
    return calls, blocks, noise.between(before, after, seconds)


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


def _write_samples(job: Job, timed: timing.Samples, blocks: list[int], warmup_ns: timing.Nanoseconds) -> None:
    stages = timing.stage_times(timed)
    np.savez(
        job.folder / TIMES,
        preprocess_ns=stages.preprocess,
        model_ns=stages.model,
        postprocess_ns=stages.postprocess,
        cpu_ns=timing.cpu_ns(timed),
        involuntary_switches=timing.switches(timed),
        warmup_end_to_end_ns=warmup_ns,
        calls_of_block=np.array(blocks, dtype=np.int64),
    )


def _shapes(inputs: Any) -> dict[str, list[int]]:
    named = inputs if isinstance(inputs, Mapping) else {"input": inputs}
    return {name: list(np.shape(array)) for name, array in named.items()}


def _write_outputs(job: Job, pipeline: timing.Pipeline, inputs: list[Any]) -> None:
    """Write the model's outputs as `batch.output`, to compare runtimes by."""
    found = [pipeline.model(array) for array in inputs]
    flat = {
        f"{b}.{o}": array
        for b, outputs in enumerate(found)
        for o, array in enumerate(outputs if isinstance(outputs, tuple) else (outputs,))
    }
    if odd := [key for key, array in flat.items() if np.asarray(array).dtype.kind not in "biufUO"]:
        raise ReproofError(
            "the model gives something other than arrays",
            where=job.cell.name,
            found=type(flat[odd[0]]).__name__,
        )
    # Texts, sequences and maps are no numbers to compare; an archive of objects would be a pickle.
    numbers = {key: array for key, array in flat.items() if np.asarray(array).dtype.kind in "biuf"}
    np.savez(job.folder / OUTPUTS, **numbers)
