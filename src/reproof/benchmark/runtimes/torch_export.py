"""PyTorch, `torch.export`: the program traced from the module in the first call, then called as a module."""

from __future__ import annotations

from typing import Any

from reproof.benchmark.messages import Facts, Job
from reproof.benchmark.runtimes import Unavailable, first_line, torch_common
from reproof.benchmark.runtimes.torch_common import Call, Model, device_times, import_package, vram_peaks

__all__ = ["device_times", "facts", "import_package", "load", "vram_peaks"]


def load(job: Job) -> Model:
    """Load the module, to be exported in the first call, for its shapes.

    Raises:
        Unavailable: as in `torch_common.load_module`; or for TorchScript, which cannot be exported.
    """
    import torch

    module = torch_common.load_module(job)
    if isinstance(module, torch.jit.ScriptModule):
        raise Unavailable("torch.export takes no TorchScript")

    def prepare(call: Call, args: tuple[Any, ...], named: dict[str, Any]) -> Call:
        assert isinstance(call, torch.nn.Module)
        if torch_common.is_exported(call):  # it came as an exported program
            return call
        try:
            program = torch.export.export(call, args, named or None, strict=False)
        except Exception as error:
            raise Unavailable(f"torch.export: {first_line(error, job.root, job.folder)}") from error
        exported = program.module()
        loaded.module = exported
        return exported

    loaded = torch_common.model(job, module, prepare)
    return loaded


def facts(model: Model, job: Job) -> Facts:
    """As of every torch cell, and how the module was exported."""
    found = torch_common.facts(model, job)
    return found.model_copy(update={"options": found.options | {"strict": False, "dynamic": False}})
