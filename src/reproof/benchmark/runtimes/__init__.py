"""Runtimes: one file each, with the same five functions. A new runtime is a new file and a line here.

| function | does |
|---|---|
| `import_package()` | imports the package; its time is the cold import |
| `load(job)` | returns the model, loaded, on its device, threads set; its time is the cold load |
| `facts(model, job)` | what it really does, read back: version, providers, precision, threads, options |
| `vram_peaks(job)` | the runtime's own peak counters of GPU memory, and why they are null |
| `device_times(model, inputs, job)` | the model's part of a call by the device's clock, in an own pass |

A model is any object with `run(inputs)`: an array, or a mapping from the model's inputs to arrays, to the
output array, or to a tuple of arrays where the model has several outputs. It returns when the result is in
the host's memory. What compiles does so in the first call, whose time is then the cold first call. No file
imports its package at the top: the worker of one runtime must not load another.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, cast

import numpy.typing as npt

from reproof import redact
from reproof.benchmark.messages import DeviceTimes, Facts, Job
from reproof.benchmark.settings import DeviceName, RuntimeName

Array = npt.NDArray[Any]
Inputs = Array | dict[str, Array]
Outputs = Array | tuple[Array, ...]

_FILES: dict[RuntimeName, str] = {
    "torch": "torch_eager",
    "torch_compile": "torch_compile",
    "torch_export": "torch_export",
    "onnxruntime": "onnxruntime",
}

OURS: tuple[DeviceName, ...] = ("cpu", "cuda")
"""Devices that the method was made for; `untested_by_us` in a cell's options marks the others."""

_MAX_REASON = 300


class Unavailable(Exception):
    """The cell cannot run on this machine, or with this subject; the text says why."""


class Model(Protocol):
    """A loaded model."""

    @property
    def run(self) -> Callable[[Inputs], Outputs]: ...


class Runtime(Protocol):
    """The functions of a runtime's file, as in the table above."""

    def import_package(self) -> None: ...

    def load(self, job: Job) -> Model: ...

    def facts(self, model: Any, job: Job) -> Facts: ...

    def vram_peaks(self, job: Job) -> tuple[dict[str, int | None], dict[str, str]]: ...

    def device_times(self, model: Any, inputs: Inputs, job: Job) -> DeviceTimes: ...


def get(name: RuntimeName) -> Runtime:
    """Import and return a runtime's file; not yet its package."""
    return cast(Runtime, importlib.import_module(f"{__name__}.{_FILES[name]}"))


def first_line(error: BaseException, *folders: Path) -> str:
    """Return the first line of an error as a reason: no secrets, and paths relative to these folders."""
    lines = str(error).strip().splitlines()
    line = redact.text(lines[0].strip() if lines else type(error).__name__)
    for folder in folders:
        line = line.replace(f"{folder}{os.sep}", "")
    return line[:_MAX_REASON]
