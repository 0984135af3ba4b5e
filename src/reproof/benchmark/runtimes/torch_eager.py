"""PyTorch, eager: the project's own loader and `module(inputs)` in inference mode."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reproof.benchmark import references
from reproof.benchmark.messages import Facts, Job
from reproof.benchmark.runtimes import Array, Outputs, Unavailable

if TYPE_CHECKING:
    import torch

_PRECISIONS = {"torch.float32": "fp32", "torch.float16": "fp16", "torch.bfloat16": "bf16"}


@dataclass(frozen=True)
class Model:
    module: torch.nn.Module
    run: Callable[[Array], Outputs]


def import_package() -> None:
    if importlib.util.find_spec("torch") is None:
        raise Unavailable("torch is not installed")
    import torch  # noqa: F401


def load(job: Job) -> Model:
    """Call the project's loader, and put the module on the cell's device, in evaluation mode.

    Raises:
        TypeError: when the loader gives something other than a module.
    """
    import torch

    if job.checkpoint is None or job.loader is None:
        raise Unavailable("there is no checkpoint, or no loader for it, to run in torch")
    if job.cell.device == "cuda" and not torch.cuda.is_available():
        raise Unavailable(f"this torch {torch.__version__} sees no CUDA device")
    torch.set_num_threads(job.cell.threads)
    torch.set_num_interop_threads(1)
    torch.manual_seed(job.seed)
    module = references.load(job.root, job.loader)(job.checkpoint)
    if not isinstance(module, torch.nn.Module):
        raise TypeError(f"{job.loader} gave {type(module).__name__}, not a torch.nn.Module")
    module = module.to(job.cell.device).eval()
    return Model(module, _run(module, job.cell.device))


def facts(model: Model, job: Job) -> Facts:
    import torch

    omp = os.environ.get("OMP_NUM_THREADS")
    weights = list(model.module.parameters())
    tensors = [*weights, *model.module.buffers()]
    kinds = {str(tensor.dtype) for tensor in weights if tensor.is_floating_point()}
    devices = {tensor.device.type for tensor in tensors} or {job.cell.device}
    return Facts(
        version=torch.__version__,
        providers_requested=[job.cell.device],
        providers_actual=sorted(devices),
        precision_actual=", ".join(sorted(_PRECISIONS.get(kind, kind) for kind in kinds)) or None,
        threads_intra_op=torch.get_num_threads(),
        threads_inter_op=torch.get_num_interop_threads(),
        omp_num_threads=int(omp) if omp else None,
        options={
            # TF32 rounds fp32 products on newer GPUs; cudnn.benchmark picks kernels by timing them.
            "cuda_matmul_fp32_precision": torch.backends.cuda.matmul.fp32_precision,
            "cudnn_conv_fp32_precision": torch.backends.cudnn.conv.fp32_precision,  # type: ignore[attr-defined]
            "cudnn_benchmark": torch.backends.cudnn.benchmark,
            "onednn": bool(torch.backends.mkldnn.enabled),
        },
    )


def vram_peaks(job: Job) -> tuple[dict[str, int | None], dict[str, str]]:
    import torch

    names = ("torch_allocated_peak_bytes", "torch_reserved_peak_bytes")
    if job.cell.device != "cuda":
        return dict.fromkeys(names), dict.fromkeys(names, "the cell runs on the CPU")
    peaks = (torch.cuda.max_memory_allocated(), torch.cuda.max_memory_reserved())
    values = {name: peak or None for name, peak in zip(names, peaks, strict=True)}
    # A model that ran has allocated something: 0 means that this allocator does not count.
    return values, {name: "torch counted nothing" for name, peak in values.items() if peak is None}


def _run(module: torch.nn.Module, device: str) -> Callable[[Array], Outputs]:
    import torch

    from_numpy, inference_mode = torch.from_numpy, torch.inference_mode
    if device == "cpu":

        def on_cpu(inputs: Array) -> Outputs:
            with inference_mode():
                return _arrays(module(from_numpy(inputs)))

        return on_cpu
    synchronize = torch.cuda.synchronize

    def on_cuda(inputs: Array) -> Outputs:
        with inference_mode():
            outputs = _arrays(module(from_numpy(inputs).to(device)))
            synchronize()
            return outputs

    return on_cuda


def _arrays(outputs: Any) -> Outputs:
    """The output's tensors as arrays in host memory: one as such, several as a flat tuple."""
    if hasattr(outputs, "detach"):
        return outputs.cpu().numpy()  # type: ignore[no-any-return]
    flat: list[Array] = []
    for part in outputs.values() if isinstance(outputs, Mapping) else outputs:
        if part is not None:
            found = _arrays(part)
            flat.extend(found if isinstance(found, tuple) else (found,))
    return flat[0] if len(flat) == 1 else tuple(flat)
