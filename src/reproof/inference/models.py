"""A model that is loaded and can be called: ONNX through ONNX Runtime, all else through torch."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from reproof import environment
from reproof.errors import ReproofError
from reproof.inference import reasons
from reproof.model_files.ports import Arrays

if TYPE_CHECKING:
    import torch

Array = npt.NDArray[Any]

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "mps": "CoreMLExecutionProvider",
}
PRECISIONS = {"float64": "fp64", "float32": "fp32", "float16": "fp16", "bfloat16": "bf16"}
_MS = 1000


@dataclass(frozen=True)
class Loaded:
    """A model in memory.

    Attributes:
        call: takes an array, or arrays by the names of the inputs; returns the outputs by name.
        device: cpu, cuda or mps.
        precision: of the floats at its inputs and outputs, or of its weights; None where it has none.
        providers: of ONNX Runtime, those that run it; None for torch.
        import_ms: the package's import, next to nothing where something else had imported it.
        load_ms: from the file to a model that can be called.
    """

    call: Callable[[Array | Mapping[str, Array]], Arrays]
    device: str
    precision: str | None
    providers: str | None
    import_ms: float
    load_ms: float


def load(path: Path, runtime: str, *, root: Path, loader: str | None, device: str, threads: int) -> Loaded:
    """Load a model on a device, and on no other.

    Args:
        path: of the model file.
        runtime: onnxruntime or torch.
        root: the project.
        loader: `src/model.py:load`, for weights without a graph.
        device: auto, cpu, cuda or mps; auto is a GPU where the runtime can use one.
        threads: of the CPU, in one operator.

    Raises:
        ReproofError: a package or a device that is missing, or a file that the runtime does not load.
    """
    began = perf_counter()
    try:
        importlib.import_module(runtime)
    except ImportError as error:
        raise ReproofError(
            f"{runtime} is not installed", hint="install it: plan.md has the command"
        ) from error
    import_ms = (perf_counter() - began) * _MS
    began = perf_counter()
    if runtime == "onnxruntime":
        call, device, precision, providers = _onnx(path, device, threads)
    else:
        call, device, precision = _torch(path, root, loader, device, threads)
        providers = None
    return Loaded(call, device, precision, providers, import_ms, (perf_counter() - began) * _MS)


def device_details(device: str) -> str | None:
    """Return the model of the processor that a device is."""
    if device != "cuda":
        model: str | None = environment.cpu_facts()["model"]
        return model
    gpus, _, _ = environment.gpu_facts()
    return ", ".join(gpu["name"] for gpu in gpus.values()) if gpus else None


def _onnx(path: Path, device: str, threads: int) -> tuple[Callable[..., Arrays], str, str | None, str]:
    import onnxruntime as ort

    available = ort.get_available_providers()
    if device == "auto":
        gpus = environment.gpu_facts()[0] if PROVIDERS["cuda"] in available else None
        device = "cuda" if gpus else "cpu"
    provider = PROVIDERS[device]
    if provider not in available:
        raise ReproofError(
            "this onnxruntime cannot use the device",
            where="params.yaml: device",
            expected=provider,
            found=", ".join(available),
            hint="device: cpu, or install the onnxruntime that has it",
        )
    if device == "cuda" and hasattr(ort, "preload_dlls"):
        ort.preload_dlls()  # CUDA's libraries from their wheels
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        # Without `enable_fallback=0` it would run on the CPU with no more than a line of text.
        session = ort.InferenceSession(str(path), options, providers=[provider], enable_fallback=0)
    except Exception as error:
        # ONNX Runtime's exceptions share no base class; what it cannot load, the user can mend.
        raise ReproofError(
            "ONNX Runtime cannot load the model", where=path.name, found=reasons.first_line(error, path)
        ) from error
    if session.get_providers()[0] != provider:
        raise ReproofError(
            "ONNX Runtime took another device",
            where="params.yaml: device",
            expected=provider,
            found=", ".join(session.get_providers()),
        )
    inputs = [node.name for node in session.get_inputs()]
    outputs = [node.name for node in session.get_outputs()]
    types = {node.type for node in (*session.get_inputs(), *session.get_outputs())}
    words = {
        "tensor(double)": "fp64",
        "tensor(float)": "fp32",
        "tensor(float16)": "fp16",
        "tensor(bfloat16)": "bf16",
    }
    precision = ", ".join(sorted(words[name] for name in types if name in words)) or None

    def call(given: Array | Mapping[str, Array]) -> Arrays:
        fed = dict(given) if isinstance(given, Mapping) else {inputs[0]: given}
        return _flat(dict(zip(outputs, session.run(outputs, fed), strict=True)))

    return call, device, precision, ", ".join(session.get_providers())


def _torch(
    path: Path, root: Path, loader: str | None, device: str, threads: int
) -> tuple[Callable[..., Arrays], str, str | None]:
    import torch

    from reproof import model_files

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    usable = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not usable[device]:
        raise ReproofError(
            f"this torch {torch.__version__} sees no such device",
            where="params.yaml: device",
            found=device,
            hint="device: cpu",
        )
    torch.set_num_threads(threads)
    module = model_files.load_module(path, root, loader)
    kinds = {str(weight.dtype).removeprefix("torch.") for weight in _weights(module)}
    precision = ", ".join(sorted(PRECISIONS[kind] for kind in kinds if kind in PRECISIONS)) or None
    moved = _moved(module, device)

    def call(given: Array | Mapping[str, Array]) -> Arrays:
        arrays = list(given.values()) if isinstance(given, Mapping) else [given]
        with torch.inference_mode():
            found = moved(*(torch.from_numpy(np.ascontiguousarray(array)).to(device) for array in arrays))
        return _of_tensors(found)

    return call, device, precision


def _weights(module: torch.nn.Module) -> list[torch.Tensor]:
    return list(module.parameters())


def _moved(module: torch.nn.Module, device: str) -> torch.nn.Module:
    module = module.to(device)
    try:
        return module.eval()
    except NotImplementedError:  # an exported program has no modes: it was exported in one
        return module


def _of_tensors(found: Any) -> Arrays:
    if hasattr(found, "detach"):
        return {"output": found.detach().cpu().numpy()}
    parts = found if isinstance(found, Mapping) else {f"output_{i}": part for i, part in enumerate(found)}
    return {str(name): part.detach().cpu().numpy() for name, part in parts.items() if hasattr(part, "detach")}


def _flat(outputs: Mapping[str, Any]) -> Arrays:
    """Sequences as an array an element; the maps of scikit-learn's classifiers as an array of scores."""
    flat: Arrays = {}
    for name, value in outputs.items():
        if not isinstance(value, list):
            flat[name] = _array(value)
        elif value and all(isinstance(item, Mapping) and set(item) == set(value[0]) for item in value):
            flat[name] = np.array([[item[key] for key in value[0]] for item in value])
        else:
            flat |= {f"{name}.{index}": _array(item) for index, item in enumerate(value)}
    return flat


def _array(value: Any) -> Array:
    """Texts, which come as objects, get a type of their own: objects cannot be saved without a pickle."""
    array = np.asarray(value)
    return array.astype(np.str_) if array.dtype == object else array
