"""ONNX Runtime through its Python API, `InferenceSession.run`."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from reproof.benchmark.messages import Facts, Job
from reproof.benchmark.runtimes import Array, Outputs, Unavailable

_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
_PRECISIONS = {"tensor(float)": "fp32", "tensor(float16)": "fp16", "tensor(bfloat16)": "bf16"}

_CUDA_OPTIONS = ("use_tf32", "cudnn_conv_algo_search")
"""TF32 rounds fp32 products, and is on by default; the search picks kernels by timing them."""


@dataclass(frozen=True)
class Model:
    session: Any
    run: Callable[[Array], Outputs]


def import_package() -> None:
    if importlib.util.find_spec("onnxruntime") is None:
        raise Unavailable("onnxruntime is not installed")
    import onnxruntime  # noqa: F401


def load(job: Job) -> Model:
    """Open a session with the cell's provider and threads, and no leave to fall back on another.

    ONNX Runtime falls back on the CPU with no more than a line of text: a GPU's row would hold a CPU's times.
    """
    import onnxruntime as ort

    if job.onnx is None:
        raise Unavailable("there is no ONNX model to run")
    provider = _PROVIDERS[job.cell.device]
    if provider not in ort.get_available_providers():
        raise Unavailable(f"this onnxruntime {ort.__version__} has no {provider}")
    if job.cell.device == "cuda" and hasattr(ort, "preload_dlls"):
        ort.preload_dlls()  # CUDA's libraries from their wheels, which torch would have loaded
    options = ort.SessionOptions()
    options.intra_op_num_threads = job.cell.threads
    options.inter_op_num_threads = 1
    session = ort.InferenceSession(os.fspath(job.onnx), options, providers=[provider], enable_fallback=0)
    inputs = session.get_inputs()
    if len(inputs) != 1:
        raise Unavailable(f"the ONNX model has {len(inputs)} inputs; models with one can be measured")
    batch = inputs[0].shape[0] if inputs[0].shape else None
    if isinstance(batch, int) and batch != job.cell.batch_size:
        raise Unavailable(f"the ONNX model takes batches of {batch} only")
    return Model(session, _run(session, inputs[0].name, [output.name for output in session.get_outputs()]))


def facts(model: Model, job: Job) -> Facts:
    import onnxruntime as ort

    options = model.session.get_session_options()
    cuda = model.session.get_provider_options().get("CUDAExecutionProvider", {})
    omp = os.environ.get("OMP_NUM_THREADS")
    return Facts(
        version=ort.__version__,
        providers_requested=[_PROVIDERS[job.cell.device]],
        providers_actual=model.session.get_providers(),
        precision_actual=_precision(model.session),
        threads_intra_op=options.intra_op_num_threads,
        threads_inter_op=options.inter_op_num_threads,
        omp_num_threads=int(omp) if omp else None,
        options={
            "graph_optimization_level": options.graph_optimization_level.name,
            "execution_mode": options.execution_mode.name,
            # Pre- or postprocessing may import it; its threads and memory are then in the numbers.
            "torch_imported": "torch" in sys.modules,
            **{f"cuda_{name}": cuda[name] for name in _CUDA_OPTIONS if name in cuda},
        },
    )


def vram_peaks(job: Job) -> tuple[dict[str, int | None], dict[str, str]]:  # noqa: ARG001 (one shape)
    names = ("torch_allocated_peak_bytes", "torch_reserved_peak_bytes")
    return dict.fromkeys(names), dict.fromkeys(names, "torch does not run this cell")


def _run(session: Any, name: str, outputs: list[str]) -> Callable[[Array], Outputs]:
    # The result is in host memory when `run` returns, from a GPU too: it needs no synchronisation.
    call = session.run
    if len(outputs) == 1:
        return lambda inputs: call(outputs, {name: inputs})[0]
    return lambda inputs: tuple(call(outputs, {name: inputs}))


def _precision(session: Any) -> str | None:
    """The floating-point type at the model's inputs and outputs; what it holds inside is not shown."""
    types = [node.type for node in (*session.get_inputs(), *session.get_outputs())]
    found = sorted({_PRECISIONS[name] for name in types if name in _PRECISIONS})
    return ", ".join(found) or None
