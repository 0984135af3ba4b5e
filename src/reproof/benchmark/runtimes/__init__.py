"""Runtimes: one file each, with the same four functions. A new runtime is a new file and a line here.

| function | does |
|---|---|
| `import_package()` | imports the package; its time is the cold import |
| `load(job)` | returns the model, loaded, on its device, threads set; its time is the cold load |
| `facts(model, job)` | what it really does, read back: version, providers, precision, threads, options |
| `vram_peaks(job)` | the runtime's own peak counters of GPU memory, and why they are null |

A model is any object with `run(inputs)`: the input array to the output array, or to a tuple of arrays where
the model has several outputs. It returns when the result is in the host's memory. No file imports its
package at the top: the worker of one runtime must not load another.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, Protocol, cast

import numpy.typing as npt

from reproof.benchmark.messages import Facts, Job
from reproof.benchmark.settings import RuntimeName

Array = npt.NDArray[Any]
Outputs = Array | tuple[Array, ...]

_FILES: dict[RuntimeName, str] = {"torch": "torch_eager", "onnxruntime": "onnxruntime"}


class Unavailable(Exception):
    """The cell cannot run on this machine, or with this subject; the text says why."""


class Model(Protocol):
    """A loaded model."""

    run: Callable[[Array], Outputs]


class Runtime(Protocol):
    """The functions of a runtime's file, as in the table above."""

    def import_package(self) -> None: ...

    def load(self, job: Job) -> Model: ...

    def facts(self, model: Any, job: Job) -> Facts: ...

    def vram_peaks(self, job: Job) -> tuple[dict[str, int | None], dict[str, str]]: ...


def get(name: RuntimeName) -> Runtime:
    """Import and return a runtime's file; not yet its package."""
    return cast(Runtime, importlib.import_module(f"{__name__}.{_FILES[name]}"))
