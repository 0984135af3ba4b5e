"""PyTorch, eager: the module as the project's loader gives it, called in inference mode."""

from __future__ import annotations

from reproof.benchmark.messages import Job
from reproof.benchmark.runtimes import torch_common
from reproof.benchmark.runtimes.torch_common import (
    Model,
    device_times,
    facts,
    import_package,
    vram_peaks,
)

__all__ = ["device_times", "facts", "import_package", "load", "vram_peaks"]


def load(job: Job) -> Model:
    """Return the module as it is; see `torch_common.load_module` for what it raises."""
    return torch_common.model(job, torch_common.load_module(job), lambda module, *_: module)
