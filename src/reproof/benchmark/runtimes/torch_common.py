"""What the runtimes of PyTorch have in common: device, precision, threads, the call, and facts read back."""

from __future__ import annotations

import importlib.util
import os
import re
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reproof.benchmark import references
from reproof.benchmark.messages import DeviceTimes, Facts, Job, Value
from reproof.benchmark.runtimes import OURS, Array, Inputs, Outputs, Unavailable, first_line

if TYPE_CHECKING:
    import torch

_PRECISIONS = {"torch.float32": "fp32", "torch.float16": "fp16", "torch.bfloat16": "bf16"}
_DEVICE_CALLS = 30
_MISFIT = re.compile(r"Guard failed|Expected input")
"""How exported programs say that they were exported for other shapes or types."""

Call = Callable[..., Any]
"""From tensors on the device to the module's outputs, on the device."""

Prepare = Callable[[Call, tuple[Any, ...], dict[str, Any]], Call]
"""Makes what is called from the module and the arguments of the first call."""


@dataclass
class Model:
    """A module on its device; `call` is what runs, None until the first call has prepared it."""

    module: torch.nn.Module
    run: Callable[[Inputs], Outputs]
    arguments: Callable[[Inputs], tuple[tuple[Any, ...], dict[str, Any]]]
    call: Call | None = None


def import_package() -> None:
    if importlib.util.find_spec("torch") is None:
        raise Unavailable("torch is not installed")
    import torch  # noqa: F401


def load_module(job: Job) -> torch.nn.Module:
    """Call the project's loader, and put the module on the cell's device, in its precision, to evaluate.

    Raises:
        Unavailable: no checkpoint, no such device here, or a precision that is not torch's.
        TypeError: when the loader gives something other than a module.
    """
    import torch

    if job.checkpoint is None:
        raise Unavailable(
            "there is no checkpoint, or no loader for it, to run in torch; ONNX is for onnxruntime"
        )
    device = _device(job)
    if job.cell.precision == "int8":
        raise Unavailable("int8 is ONNX Runtime's dynamic quantisation here")
    torch.set_num_threads(job.cell.threads)
    torch.set_num_interop_threads(1)
    torch.manual_seed(job.seed)
    if job.loader is None:
        from reproof import model_files

        module: Any = model_files.load_module(job.checkpoint, job.root, None)
    else:
        module = references.load(job.root, job.loader)(job.checkpoint)
    if not isinstance(module, torch.nn.Module):
        raise TypeError(f"{job.loader} gave {type(module).__name__}, not a torch.nn.Module")
    if not is_exported(module):  # an exported program has but one mode, and refuses `eval`
        module.eval()
    if job.cell.precision != "fp32":
        module.to(_dtype(job))
    return module.to(device)


def model(job: Job, module: torch.nn.Module, prepare: Prepare) -> Model:
    """Return the model; `prepare` is called once, in the first call."""
    import torch

    arguments = _arguments(job, module)
    inference_mode, synchronize = torch.inference_mode, _synchronize(job)

    def run(inputs: Inputs) -> Outputs:
        with inference_mode():
            args, named = arguments(inputs)
            try:
                if loaded.call is None:
                    loaded.call = prepare(module, args, named)
                outputs = loaded.call(*args, **named)
            except (RuntimeError, AssertionError) as error:
                raise _told(error, job, is_exported(module)) from error
            arrays = _arrays(outputs)
            if synchronize is not None:
                synchronize()
            return arrays

    loaded = Model(module, run, arguments)
    return loaded


def facts(model: Model, job: Job) -> Facts:
    import torch

    omp = os.environ.get("OMP_NUM_THREADS")
    weights = list(model.module.parameters())
    tensors = [*weights, *model.module.buffers()]
    kinds = {str(tensor.dtype) for tensor in weights if tensor.is_floating_point()}
    hip = torch.version.hip is not None
    # ROCm's torch calls its devices `cuda`.
    devices = {"rocm" if hip and t.device.type == "cuda" else t.device.type for t in tensors}
    options: dict[str, Value] = {
        # TF32 rounds fp32 products on newer GPUs; cudnn.benchmark picks kernels by timing them.
        "cuda_matmul_fp32_precision": torch.backends.cuda.matmul.fp32_precision,
        "cudnn_conv_fp32_precision": torch.backends.cudnn.conv.fp32_precision,  # type: ignore[attr-defined]
        "cudnn_benchmark": torch.backends.cudnn.benchmark,
        "onednn": bool(torch.backends.mkldnn.enabled),
        "cuda": torch.version.cuda,
        "hip": torch.version.hip,
    }
    if job.cell.device not in OURS:
        options["untested_by_us"] = True
    return Facts(
        version=torch.__version__,
        providers_requested=[job.cell.device],
        providers_actual=sorted(devices or {job.cell.device}),
        precision_actual=", ".join(sorted(_PRECISIONS.get(kind, kind) for kind in kinds)) or None,
        threads_intra_op=torch.get_num_threads(),
        threads_inter_op=torch.get_num_interop_threads(),
        omp_num_threads=int(omp) if omp else None,
        options=options,
    )


def vram_peaks(job: Job) -> tuple[dict[str, int | None], dict[str, str]]:
    import torch

    names = ("torch_allocated_peak_bytes", "torch_reserved_peak_bytes")
    if job.cell.device == "mps":
        return dict.fromkeys(names), dict.fromkeys(names, "torch keeps no peak of an MPS device")
    if job.cell.device not in ("cuda", "rocm"):
        return dict.fromkeys(names), dict.fromkeys(names, "the cell runs on the CPU")
    peaks = (torch.cuda.max_memory_allocated(), torch.cuda.max_memory_reserved())
    values = {name: peak or None for name, peak in zip(names, peaks, strict=True)}
    # A model that ran has allocated something: 0 means that this allocator does not count.
    return values, {name: "torch counted nothing" for name, peak in values.items() if peak is None}


def device_times(model: Model, inputs: Inputs, job: Job) -> DeviceTimes:
    """Time the module alone by events in the GPU's own queue: its inputs and outputs stay on the device.

    The cell's headline is the host's clock, around copies and synchronisation too; the difference is what
    the host adds. Written by PyTorch's documentation of `torch.cuda.Event`; our machines have no GPU to test
    it on.
    """
    if job.cell.device == "cpu":
        return DeviceTimes(reason="the cell runs on the CPU: its clock is the host's")
    if job.cell.device == "mps":
        return DeviceTimes(reason="events are taken on CUDA and ROCm only")
    if model.call is None:
        return DeviceTimes(reason="the model has not been called")
    import torch

    pairs = []
    with torch.inference_mode():
        args, named = model.arguments(inputs)
        torch.cuda.synchronize()
        for _ in range(_DEVICE_CALLS):
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
            begin.record()
            model.call(*args, **named)
            end.record()
            pairs.append((begin, end))
            torch.cuda.synchronize()  # one call at a time, as the timed ones are
    times = [begin.elapsed_time(end) for begin, end in pairs]
    return DeviceTimes(median_ms=statistics.median(times), calls=len(times))


def _device(job: Job) -> str:
    """Torch's name for the cell's device.

    Raises:
        Unavailable: it is not here, or torch would take another one in silence.
    """
    import torch

    device, version = job.cell.device, torch.__version__
    if device in ("tensorrt", "openvino"):
        raise Unavailable(f"torch has no {device}; onnxruntime has")
    hip = torch.version.hip is not None
    if device == "cuda" and (hip or not torch.cuda.is_available()):
        raise Unavailable(f"this torch {version} sees no CUDA device")
    if device == "rocm" and not (hip and torch.cuda.is_available()):
        raise Unavailable(f"this torch {version} sees no ROCm device")
    if device == "mps":
        if not torch.backends.mps.is_available():
            raise Unavailable(f"this torch {version} sees no MPS device")
        if os.environ.get("PYTORCH_ENABLE_MPS_FALLBACK") == "1":
            raise Unavailable("PYTORCH_ENABLE_MPS_FALLBACK=1 lets operators run on the CPU in silence")
    return "cuda" if device == "rocm" else device


def _dtype(job: Job) -> torch.dtype:
    import torch

    return torch.float16 if job.cell.precision == "fp16" else torch.bfloat16


def _arguments(
    job: Job, module: torch.nn.Module
) -> Callable[[Inputs], tuple[tuple[Any, ...], dict[str, Any]]]:
    """From arrays to the module's arguments: one array by position, several by the names of the inputs."""
    import torch

    from_numpy, device = torch.from_numpy, _device(job)
    dtype = None if job.cell.precision == "fp32" else _dtype(job)
    order = _positions(module)

    def tensor(array: Array) -> torch.Tensor:
        found = from_numpy(array)
        if device != "cpu":
            found = found.to(device)
        return found if dtype is None or not found.is_floating_point() else found.to(dtype)

    def arguments(inputs: Inputs) -> tuple[tuple[Any, ...], dict[str, Any]]:
        if not isinstance(inputs, dict):
            return (tensor(inputs),), {}
        named = {name: tensor(array) for name, array in inputs.items()}
        if order is not None and set(order) == set(named):
            return tuple(named[name] for name in order), {}
        return (), named

    return arguments


def is_exported(module: torch.nn.Module) -> bool:
    """Whether the module is the graph of an exported program."""
    import torch

    return isinstance(module, torch.fx.GraphModule)


def _positions(module: torch.nn.Module) -> list[str] | None:
    """The inputs of an exported program that takes them by position only; None where names will do."""
    import torch

    spec = getattr(module, "_in_spec", None)
    if not isinstance(module, torch.fx.GraphModule) or spec is None or spec.child(1).num_children:
        return None
    return [str(node.target) for node in module.graph.nodes if node.op == "placeholder"]


def _synchronize(job: Job) -> Callable[[], None] | None:
    import torch

    if job.cell.device == "mps":
        return torch.mps.synchronize
    return torch.cuda.synchronize if job.cell.device in ("cuda", "rocm") else None


def _told(error: Exception, job: Job, model_is_exported: bool) -> Exception:
    """What a failed call means: a shape or a precision that the model cannot take, or just an error."""
    import torch

    told = first_line(error, job.root, job.folder)
    if model_is_exported and _MISFIT.search(told):
        return Unavailable(f"the exported program does not take this input: {told}")
    lost = isinstance(error, AssertionError | torch.OutOfMemoryError | torch.AcceleratorError)
    if job.cell.precision == "fp32" or lost:
        return error
    return Unavailable(f"torch cannot run the module in {job.cell.precision} on {job.cell.device}: {told}")


def _arrays(outputs: Any) -> Outputs:
    """The output's tensors as arrays in host memory: one as such, several as a flat tuple.

    Half precisions come back as fp32: numpy has no bf16, and a model in ONNX gives fp32 in its place too.
    """
    if hasattr(outputs, "detach"):
        found = outputs.cpu()
        return (found.float() if str(found.dtype) in _HALVES else found).numpy()  # type: ignore[no-any-return]
    flat: list[Array] = []
    for part in outputs.values() if isinstance(outputs, Mapping) else outputs:
        if part is not None:
            arrays = _arrays(part)
            flat.extend(arrays if isinstance(arrays, tuple) else (arrays,))
    return flat[0] if len(flat) == 1 else tuple(flat)


_HALVES = ("torch.float16", "torch.bfloat16")
