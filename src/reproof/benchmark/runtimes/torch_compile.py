"""PyTorch, `torch.compile` with the inductor backend, for the shapes of the first call.

Every process compiles from nothing, in the first call: inductor's caches lie in the process's own folder, so
that a cold start does not depend on what ran on this machine before.
"""

from __future__ import annotations

import os

from reproof.benchmark.messages import Facts, Job
from reproof.benchmark.runtimes import Unavailable, first_line, torch_common
from reproof.benchmark.runtimes.torch_common import Call, Model, device_times, import_package, vram_peaks

__all__ = ["device_times", "facts", "import_package", "load", "vram_peaks"]


def load(job: Job) -> Model:
    """Load the module, to be compiled in the first call.

    Raises:
        Unavailable: as in `torch_common.load_module`; or for a module that is compiled already.
    """
    import torch

    module = torch_common.load_module(job)
    if isinstance(module, torch.jit.ScriptModule):
        raise Unavailable("torch.compile leaves TorchScript as it is")
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = os.fspath(job.folder / "inductor")
    os.environ["TRITON_CACHE_DIR"] = os.fspath(job.folder / "triton")
    import torch._dynamo
    import torch._inductor.config

    torch._inductor.config.compile_threads = 1  # otherwise helpers stay alive beside the timed calls
    torch._inductor.config.cpp_cache_precompile_headers = False  # pays over many compilations; this is one
    # Past the limit dynamo would run the module eager, in silence.
    torch._dynamo.config.fail_on_recompile_limit_hit = True

    def prepare(call: Call, args: object, named: object) -> Call:  # noqa: ARG001 (one shape)
        compiled = torch.compile(call, dynamic=False, fullgraph=False, backend="inductor")

        def first_call(*args: object, **named: object) -> object:
            try:
                return compiled(*args, **named)
            except torch._dynamo.exc.TorchDynamoException as error:
                raise Unavailable(f"torch.compile: {first_line(error, job.root, job.folder)}") from error
            finally:
                loaded.call = compiled

        return first_call

    loaded = torch_common.model(job, module, prepare)
    return loaded


def facts(model: Model, job: Job) -> Facts:
    """As of every torch cell, and what the compiler made of the module.

    Raises:
        Unavailable: it was called, and the compiler left all of it as it was.
    """
    import torch._dynamo
    from torch._dynamo.utils import counters

    graphs = counters["stats"]["unique_graphs"]
    if model.call is not None and not graphs:
        raise Unavailable("torch.compile found nothing in the module that it can compile")
    found = torch_common.facts(model, job)
    return found.model_copy(
        update={
            "options": found.options
            | {
                "backend": "inductor",
                "fullgraph": False,
                "dynamic": False,
                "graphs": graphs if model.call is not None else None,
                "graph_breaks": sum(counters["graph_break"].values()) if model.call is not None else None,
                "recompile_limit": torch._dynamo.config.recompile_limit,
                "compile_cache": "none",
            }
        }
    )
