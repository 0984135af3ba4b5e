"""ONNX Runtime through its Python API, `InferenceSession.run`, with any execution provider it has."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reproof.benchmark import compute_types
from reproof.benchmark.messages import DeviceTimes, Facts, Job, Value
from reproof.benchmark.runtimes import OURS, Inputs, Outputs, Unavailable, first_line
from reproof.benchmark.settings import DeviceName
from reproof.errors import ReproofError

_PROVIDERS: dict[DeviceName, tuple[str, ...]] = {
    "cpu": ("CPUExecutionProvider",),
    "cuda": ("CUDAExecutionProvider",),
    "tensorrt": ("TensorrtExecutionProvider",),
    "openvino": ("OpenVINOExecutionProvider",),
    "rocm": ("MIGraphXExecutionProvider", "ROCMExecutionProvider"),
    "mps": ("CoreMLExecutionProvider",),
}
"""By device, the providers that reach it; the first one that is there is taken."""

_PRECISIONS = {"tensor(float)": "fp32", "tensor(float16)": "fp16", "tensor(bfloat16)": "bf16"}

_ASSIGNMENT = "session.record_ep_graph_assignment_info"

_CODE = re.compile(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ")
_UNREADABLE = ("InvalidProtobuf", "InvalidArgument", "NoSuchFile", "NoModel")
"""Errors that are the file's fault; with the others this version or this machine cannot run the model."""


@dataclass(frozen=True)
class Model:
    session: Any
    run: Callable[[Inputs], Outputs]
    placed: Mapping[str, int] | None
    """Nodes by provider; None where this version of ONNX Runtime does not tell, or only the CPU is asked."""


def import_package() -> None:
    if importlib.util.find_spec("onnxruntime") is None:
        raise Unavailable("onnxruntime is not installed")
    import onnxruntime  # noqa: F401


def provider(device: DeviceName) -> str:
    """Return the provider that reaches a device.

    Raises:
        Unavailable: the installed ONNX Runtime has none.
    """
    import onnxruntime as ort

    available = ort.get_available_providers()
    for name in _PROVIDERS[device]:
        if name in available:
            return name
    raise Unavailable(f"this onnxruntime {ort.__version__} has no {' and no '.join(_PROVIDERS[device])}")


def load(job: Job) -> Model:
    """Open a session with the cell's provider and threads, and no leave to fall back on another.

    ONNX Runtime falls back on the CPU with no more than a line of text: a GPU's row would hold a CPU's times.

    Raises:
        Unavailable: no model, no such provider here, a model that this version of ONNX Runtime cannot run,
            or one for batches of another size.
        ReproofError: the file is no model, or the provider leaves computing to the CPU.
    """
    import onnxruntime as ort

    if job.onnx is None:
        raise Unavailable("there is no ONNX model to run")
    name = provider(job.cell.device)
    if job.cell.device in ("cuda", "tensorrt") and hasattr(ort, "preload_dlls"):
        ort.preload_dlls()  # CUDA's libraries from their wheels, which torch would have loaded
    options = ort.SessionOptions()
    options.intra_op_num_threads = job.cell.threads
    options.inter_op_num_threads = 1
    if job.cell.device != "cpu":
        options.add_session_config_entry(_ASSIGNMENT, "1")
    if job.task == "profile":
        options.enable_profiling = True
        options.profile_file_prefix = os.fspath(job.folder / "profile")
    session = _session(job, job.onnx, options, [(name, _provider_options(job))])
    if name not in (found := session.get_providers()):
        raise Unavailable(f"onnxruntime could not start its {name} here, and took {', '.join(found)}")
    _check_batch(session, job.cell.batch_size)
    placed = None if job.cell.device == "cpu" else _placed(session, name, job.cell.name)
    return Model(session, _run(session), placed)


def facts(model: Model, job: Job) -> Facts:
    import onnxruntime as ort

    name = provider(job.cell.device)
    options = model.session.get_session_options()
    own = model.session.get_provider_options().get(name, {})
    omp = os.environ.get("OMP_NUM_THREADS")
    shown: dict[str, Value] = {
        "graph_optimization_level": options.graph_optimization_level.name,
        "execution_mode": options.execution_mode.name,
        # Pre- or postprocessing may import it; its threads and memory are then in the numbers.
        "torch_imported": "torch" in sys.modules,
        # Such as `use_tf32`, on by default, which rounds fp32 products; and how kernels are searched for.
        **{f"{job.cell.device}_{key}": value for key, value in own.items() if value and os.sep not in value},
        **{f"{job.cell.device}_{key}_asked": value for key, value in _provider_options(job).items()},
        **{f"nodes_on_{key}": count for key, count in (model.placed or {}).items()},
        **{f"conversion_{key}": value for key, value in (job.conversion or {}).items() if key != "precision"},
    }
    if job.cell.device not in OURS:
        shown["untested_by_us"] = True
    return Facts(
        version=ort.__version__,
        providers_requested=[name],
        providers_actual=model.session.get_providers(),
        precision_actual=_precision(model.session, job),
        threads_intra_op=int(own.get("num_of_threads") or options.intra_op_num_threads),
        threads_inter_op=options.inter_op_num_threads,
        omp_num_threads=int(omp) if omp else None,
        options=shown,
    )


def vram_peaks(job: Job) -> tuple[dict[str, int | None], dict[str, str]]:  # noqa: ARG001 (one shape)
    names = ("torch_allocated_peak_bytes", "torch_reserved_peak_bytes")
    return dict.fromkeys(names), dict.fromkeys(names, "torch does not run this cell")


def device_times(model: Model, inputs: Inputs, job: Job) -> DeviceTimes:  # noqa: ARG001 (one shape)
    if job.cell.device == "cpu":
        return DeviceTimes(reason="the cell runs on the CPU: its clock is the host's")
    return DeviceTimes(reason="ONNX Runtime's Python API has no events of the device")


def told(error: BaseException, *folders: Path) -> str | None:
    """Return what an error of ONNX Runtime says, without its codes; None for an error that is not its own."""
    if not type(error).__module__.startswith("onnxruntime."):
        return None
    return _CODE.sub("", first_line(error, *folders))


def _session(job: Job, path: Path, options: Any, providers: list[tuple[str, dict[str, str]]]) -> Any:
    import onnxruntime as ort

    try:
        return ort.InferenceSession(os.fspath(path), options, providers=providers, enable_fallback=0)
    except Exception as error:  # ONNX Runtime's errors share no class of their own
        reason = told(error, job.root, job.folder)
        if reason is None:
            raise
        if type(error).__name__ in _UNREADABLE:
            raise ReproofError(
                "ONNX Runtime cannot read the model",
                where=path.name,
                expected="an ONNX file, whole",
                found=reason,
                hint="copy or export the model again",
            ) from error
        raise Unavailable(f"onnxruntime {ort.__version__} cannot run the model: {reason}") from error


def _provider_options(job: Job) -> dict[str, str]:
    if job.cell.device != "openvino":
        return {}
    # OpenVINO has threads and a precision of its own, and takes half precision on some devices by default.
    return {"device_type": "CPU", "num_of_threads": str(job.cell.threads), "precision": "ACCURACY"}


def _check_batch(session: Any, size: int) -> None:
    """A first axis that may vary takes any size; where the first axes are fixed, one must be the size."""
    first = [node.shape[0] for node in session.get_inputs() if node.shape]
    if first and all(isinstance(axis, int) for axis in first) and size not in first:
        raise Unavailable(f"the ONNX model takes batches of {first[0]} only")


def _placed(session: Any, name: str, cell: str) -> dict[str, int] | None:
    """Count the nodes of each provider.

    Raises:
        ReproofError: nodes that compute are the CPU's, or none are the provider's.
    """
    if not hasattr(session, "get_provider_graph_assignment_info"):
        return None
    nodes = [
        (part.ep_name, node.op_type)
        for part in session.get_provider_graph_assignment_info()
        for node in part.get_nodes()
    ]
    counts = Counter(owner for owner, _ in nodes)
    # Shapes and other small things may well be worked out by the CPU.
    left = Counter(
        f"{kind} on {owner}" for owner, kind in nodes if owner != name and compute_types.computes(kind)
    )
    if left or not counts[name]:
        found = ", ".join(f"{count} × {what}" for what, count in left.most_common(4))
        raise ReproofError(
            "the execution provider leaves computing to another one, in silence",
            where=cell,
            expected=f"convolutions and matrix products on {name}",
            found=found or f"no node on {name}",
            hint="a model that this provider takes as a whole, or the device cpu",
        )
    return dict(counts)


def _run(session: Any) -> Callable[[Inputs], Outputs]:
    # The result is in host memory when `run` returns, from a GPU too: it needs no synchronisation.
    call, names = session.run, [node.name for node in session.get_inputs()]
    outputs = [node.name for node in session.get_outputs()]

    def fed(inputs: Inputs) -> dict[str, Any]:
        if isinstance(inputs, dict):
            return inputs
        if len(names) != 1:
            raise ReproofError(
                "one array for a model with several inputs",
                expected=f"a mapping from input to array out of preprocess, for {', '.join(names)}",
                found="one array",
            )
        return {names[0]: inputs}

    if len(outputs) == 1:
        return lambda inputs: call(outputs, fed(inputs))[0]
    return lambda inputs: tuple(call(outputs, fed(inputs)))


def _precision(session: Any, job: Job) -> str | None:
    """What the graph of a converted model showed, whose ends stay fp32; else the type at the ends."""
    if job.conversion is not None:
        return str(job.conversion["precision"])
    types = [node.type for node in (*session.get_inputs(), *session.get_outputs())]
    found = sorted({_PRECISIONS[kind] for kind in types if kind in _PRECISIONS})
    return ", ".join(found) or None
