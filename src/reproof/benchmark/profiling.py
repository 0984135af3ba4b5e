"""Where a cell's time goes, by operator: ONNX Runtime's profiler or torch.profiler, in a process of its own.

A profiler makes calls slower, so nothing here is timed for the record, and no timed process is profiled.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

from reproof.benchmark import batches, references, runtimes
from reproof.benchmark.messages import Job, Operator, Profile
from reproof.benchmark.runtimes import Inputs, Model

TOP = 15
_WARMUP_CALLS = 5
_SECONDS, _MIN_CALLS, _MAX_CALLS = 1.0, 3, 200

_BODIES = ("If", "Loop", "Scan")
"""ONNX operators whose time is that of the nodes inside them, which are listed themselves."""


class _Time(NamedTuple):
    """Self time of one kind of operator, in microseconds."""

    name: str
    calls: int
    us: float


def profile(job: Job) -> Profile:
    """Return the operators that take most of the model's part of a call, by self time.

    Percentages are of all operators' self time, those that are not listed too.

    Raises:
        runtimes.Unavailable: the cell cannot run here.
    """
    runtime = runtimes.get(job.cell.runtime)
    runtime.import_package()
    model = runtime.load(job)
    fed: list[Any] = list(batches.read(job.batches))
    if job.preprocess is not None:
        preprocess = references.load(job.root, job.preprocess)
        fed = [preprocess(batch) for batch in fed]
    began = perf_counter()
    for n in range(_WARMUP_CALLS):
        model.run(fed[n % len(fed)])
        slow = perf_counter() - began
        if n and slow > _SECONDS:
            break
    began = perf_counter()
    model.run(fed[0])
    taken = max(perf_counter() - began, 1e-9)
    calls = int(min(_MAX_CALLS, max(_MIN_CALLS, _SECONDS / taken)))
    inputs = [fed[n % len(fed)] for n in range(calls)]
    if job.cell.runtime == "onnxruntime":
        return _summed("ONNX Runtime profiling, self time of nodes", calls, _onnx(model, inputs))
    gpu = job.cell.device in ("cuda", "rocm")
    method = f"torch.profiler, self {'GPU' if gpu else 'CPU'} time"
    return _summed(method, calls, _torch(model, inputs, gpu=gpu))


def _summed(method: str, calls: int, times: Iterable[_Time]) -> Profile:
    by_name: dict[str, list[_Time]] = defaultdict(list)
    for time in times:
        by_name[_clean(time.name)].append(time)
    sums = [_Time(name, sum(t.calls for t in own), sum(t.us for t in own)) for name, own in by_name.items()]
    whole = sum(time.us for time in sums)
    if not whole:
        return Profile(reason="the profiler saw no operator that took any time")
    longest = sorted(sums, key=lambda time: (-time.us, time.name))[:TOP]
    return Profile(
        method=method,
        calls=calls,
        operators={
            time.name: Operator(calls=time.calls, total_ms=time.us / 1e3, percent=100 * time.us / whole)
            for time in longest
        },
    )


def _onnx(model: Any, inputs: list[Inputs]) -> list[_Time]:
    """Read the events of the last calls out of the file that the session writes in the job's folder."""
    for array in inputs:
        model.run(array)
    events = json.loads(Path(model.session.end_profiling()).read_text(encoding="utf-8"))
    runs = sorted(event["ts"] for event in events if event["name"] == "model_run")
    since = runs[-len(inputs)]  # the earlier ones are the warm-up
    return [
        _Time(_operator(event), 1, event["dur"])
        for event in events
        if event.get("cat") == "Node" and event["ts"] >= since and _operator(event) not in _BODIES
    ]


def _operator(event: Mapping[str, Any]) -> str:
    return str(event["args"].get("op_name") or event["name"])


def _torch(model: Model, inputs: list[Inputs], *, gpu: bool) -> list[_Time]:
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as torch_profile

    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if gpu else [])]
    with torch_profile(activities=activities) as profiler:
        for array in inputs:
            model.run(array)
    return [
        _Time(event.key, event.count, event.self_device_time_total if gpu else event.self_cpu_time_total)
        for event in profiler.key_averages()
    ]


_PATH = re.compile(r"(?:[A-Za-z]:)?(?:[/\\][^/\\\s:]+)+[/\\]")
_HASH = re.compile(r"\b[0-9a-z]{32,}\b")


def _clean(name: str) -> str:
    """An operator's name without folders of this machine, and without hashes that differ by process."""
    return _HASH.sub("…", _PATH.sub("", name)).strip("# ")[:120] or "unnamed"
