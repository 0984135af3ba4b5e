"""What a user of this model would trip over, as far as its file and this environment tell before a run."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

from reproof import environment
from reproof.contract.shapes import only_batch_size
from reproof.examination.dependencies import EXTENSIONS
from reproof.model_files.facts import Facts, Graph

_KNOWN_DOMAINS = {"ai.onnx", "ai.onnx.ml", "ai.onnx.training", EXTENSIONS}
_OF_ONNXRUNTIME = ("com.microsoft", "ai.onnx.preview")
_OLDEST_OPSET = 7
"""That ONNX Runtime promises to run."""
_LARGE = 0.5
"""Of the free memory: a model is in it twice while it loads."""

Pitfall = tuple[str, str, str]


def find(facts: Facts, size: int) -> dict[str, dict[str, str]]:
    """Return pitfalls by a short name, each with `symptom` and `fix`.

    Args:
        facts: what the model's file says.
        size: of the model in bytes, with what lies beside it.
    """
    found = [*_of_onnx(facts), *_of_types(facts), *_of_ports(facts), *_of_size(size), *_of_torch(facts)]
    return {name: {"symptom": symptom, "fix": fix} for name, symptom, fix in found}


def _of_onnx(facts: Facts) -> Iterator[Pitfall]:
    graph = facts.graph
    if facts.format != "onnx" or graph is None:
        return
    version = graph.opset.get("ai.onnx")
    reason = refused_by_runtime(graph)
    if reason:
        yield (
            "opset too new",
            f"the onnxruntime that is installed refuses it: {reason}",
            "install a newer onnxruntime, or export the model with a lower opset (opset_version=17)",
        )
    if version is not None and version < _OLDEST_OPSET:
        yield (
            "opset too old",
            f"the model says opset {version}, and ONNX Runtime promises {_OLDEST_OPSET} and newer",
            "if it does not load: onnx.version_converter.convert_version(model, 17)",
        )
    used = {name.rpartition(".")[0] for name in graph.operators} - {""}
    own = sorted(domain for domain in used if not _is_known(domain))
    if own and not facts.own_functions:
        yield (
            "custom operators",
            f"the graph uses operators of {', '.join(own)[:200]}, which ONNX Runtime does not have",
            "take the library of operators from where the model came from, or a model without them",
        )
    contrib = sorted(domain for domain in used if domain.startswith(_OF_ONNXRUNTIME))
    if contrib:
        yield (
            "operators of one runtime",
            f"the graph uses operators of {', '.join(contrib)[:200]}, which other runtimes do not have",
            "run it in ONNX Runtime, or export it again without its optimiser",
        )


def _is_known(domain: str) -> bool:
    return domain in _KNOWN_DOMAINS or domain.startswith(_OF_ONNXRUNTIME)


def refused_by_runtime(graph: Graph) -> str | None:
    """Return why the installed ONNX Runtime takes no model of this opset and format; None where it does.

    It is asked itself, with a model of one `Identity` that says the same versions: no table goes out of date.
    """
    versions = tuple(sorted((d, v) for d, v in graph.opset.items() if d in ("ai.onnx", "ai.onnx.ml")))
    return _refused(versions, graph.ir_version or 0)


@functools.cache
def _refused(versions: tuple[tuple[str, int], ...], ir_version: int) -> str | None:
    try:
        import onnxruntime as ort
        from onnx import TensorProto, helper
    except ImportError:
        return None  # `missing` says that it is not installed
    port = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])],
        "probe",
        [port("x", TensorProto.FLOAT, [1])],
        [port("y", TensorProto.FLOAT, [1])],
    )
    # A model may import ai.onnx.ml alone; the probe's operator is one of ai.onnx.
    sets = {"ai.onnx": 17} | dict(versions)
    options = ort.SessionOptions()
    options.log_severity_level = 4
    try:
        opsets = [helper.make_opsetid("" if name == "ai.onnx" else name, v) for name, v in sets.items()]
        model = helper.make_model(graph, opset_imports=opsets)
        model.ir_version = ir_version
        ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # noqa: BLE001 (ONNX Runtime's exceptions share no base class; it is the answer)
        return _words(error, sets, ir_version)
    return None


def _words(error: Exception, sets: dict[str, int], ir_version: int) -> str:
    """Its own last words, without the paths of the machine that it was built on."""
    text = " ".join(str(error).split())
    said = text.rpartition("&) ")[2] or text
    said = said if "/onnxruntime_src/" not in said else "no reason given"
    versions = ", ".join(f"{name} {version}" for name, version in sets.items())
    return f"{said[:200]} (the model says {versions}, IR version {ir_version})"


def _of_types(facts: Facts) -> Iterator[Pitfall]:
    dtypes = facts.weights.dtypes if facts.weights else {}
    half = [name for name in ("float16", "bfloat16") if name in dtypes]
    if half and not environment.gpu_facts()[0]:
        yield (
            "half precision without a GPU",
            f"the weights are {' and '.join(half)}, and no GPU is here: CPUs convert them, or refuse",
            "take the float32 model where one exists, or a machine with a GPU",
        )
    ports = (facts.inputs or {}).values()
    integers = [port.name for port in ports if port.dtype == "int64"]
    if integers and facts.format == "onnx":
        yield (
            "int64 inputs",
            f"{', '.join(integers)[:200]}: ONNX Runtime refuses int32, numpy's default on Windows before 2.0",
            "array.astype('int64'); steps of contract.yaml do so by themselves",
        )


def _of_ports(facts: Facts) -> Iterator[Pitfall]:
    if facts.other_inputs:
        told = "; ".join(f"{name} is {kind}" for name, kind in facts.other_inputs.items())
        yield (
            "inputs that are not fed here",
            told[:300],
            "export the model with tensors of known axes for inputs",
        )
    batch = only_batch_size(list((facts.inputs or {}).values()))
    if batch is not None:
        yield (
            "fixed batch size",
            f"the model takes batches of {batch}; other sizes are refused",
            "export it with a dynamic first axis where other sizes are wanted",
        )


def _of_size(size: int) -> Iterator[Pitfall]:
    import psutil

    free = int(psutil.virtual_memory().available)
    if size > free * _LARGE:
        yield (
            "memory",
            f"the model has {size / 1e9:.3g} GB, and {free / 1e9:.3g} GB of memory are free",
            "close other programs, or take a machine with more memory",
        )


def _of_torch(facts: Facts) -> Iterator[Pitfall]:
    if facts.format == "torchscript":
        yield (
            "TorchScript is deprecated",
            "newer releases of torch warn, and may drop it",
            "export the model with torch.export, or to ONNX",
        )
    producer = facts.graph.producer if facts.graph else None
    if facts.format == "torch-export" and producer:
        here: Any = environment.packages().get("torch", "").partition("+")[0]
        made = producer.removeprefix("torch ").partition("+")[0]
        if here and _release(made) > _release(here):
            yield (
                "made by a newer torch",
                f"torch {made} wrote the file, and {here} is installed",
                f"install torch {made}, or export the model again with this one",
            )


def _release(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
