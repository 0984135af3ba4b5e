"""Records of the recipe inference: a model that somebody handed over, examined, run and timed."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import seed_documents as seed
import yaml
from PIL import Image

from reproof import files
from reproof.report import render_all

ROOT = Path(__file__).parents[1]
EXAMPLE = Path(__file__).parent / "old_records" / "0.1"
"""A real record of the other recipe, which never changes: environment, code and timings."""

RUN = "20261120-132222-83f879"
SHA = "8f2c" * 16

EXAMINATION: dict[str, Any] = {
    "schema_version": 1,
    "model": {"path": "models/resnet50.onnx", "name": "resnet50", "format": "onnx", "bytes": 102_442_450,
        "sha256": SHA, "digest": f"sha256:{'3b' * 32}", "digest_reason": None, "external_data": None},
    "source": {"repo": "https://github.com/onnx/models", "version": "v1.3", "license": None},
    "graph": {"opset": {"ai.onnx": 17}, "ir_version": 8, "producer": "pytorch", "nodes": 122,
        "operators": {"Conv": 53, "Relu": 49, "Add": 16, "Gemm": 1}, "parameters": 25_557_032,
        "parameter_bytes": 102_228_128, "dtypes": {"float32": 25_557_032}},
    "graph_reason": None,
    "weights": {"tensors": 267, "parameters": 25_557_032, "parameter_bytes": 102_228_128,
        "dtypes": {"float32": 25_557_032}},
    "weights_reason": None,
    "inputs": {"data": {"dtype": "float32", "shape": ["batch", 3, 224, 224], "dynamic": {"0": "batch"}}},
    "outputs": {"logits": {"dtype": "float32", "shape": ["batch", 1000], "dynamic": {"0": "batch"}}},
    "contract": {"file": "contract.yaml",
        "declared": {
            "source": {"repo": "https://github.com/onnx/models", "version": "v1.3", "license": None},
            "input": {"modality": "image", "name": None, "layout": "CHW", "colour": None, "size": [224, 224],
                "resize": "crop", "scale": 255.0, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225],
                "sampling_rate": None, "seconds": None, "tokenizer": None, "max_tokens": None},
            "output": {"kind": "classes", "name": None, "softmax": True, "labels": "models/labels.txt",
                "top_k": 5, "boxes": {"format": "xyxy", "score_threshold": 0.25, "iou_threshold": 0.45}}},
        "found": {"input.layout": "CHW", "input.size": "[224, 224]"},
        "open": {"input.colour": "RGB and BGR give other answers, and no error"},
        "checks": {
            "input.size": {"status": "fits", "declared": "224×224", "found": "224×224", "hint": None},
            "output.labels": {"status": "conflicts", "declared": "999 names", "found": "1000 classes",
                "hint": "one label a line in models/labels.txt"},
            "input.mean": {"status": "unchecked", "declared": "0.485, 0.456, 0.406", "found": None,
                "hint": "a file does not tell its normalisation"}}},
    "dependencies": {
        "required": {"framework": {"onnxruntime": ">=1.20"}, "model": {"tokenizers": None},
            "utilities": {"numpy": ">=1.26", "pillow": ">=11"}, "optional": {"onnxruntime-gpu": None}},
        "installed": {"onnxruntime": "1.31.1", "numpy": "2.4.6", "pillow": "13.0.0"},
        "missing": {"tokenizers": "contract.yaml names a tokenizer"},
        "manager": "venv", "install": "python -m pip install 'tokenizers>=0.19'",
        "choices": {"current": "python -m pip install 'tokenizers>=0.19'",
            "new": "python3 -m venv .venv-model && .venv-model/bin/python -m pip install 'tokenizers>=0.19'"},
        "strategy": "the newest releases that fit together: there is no requirements.lock",
        "notes": {"onnxruntime": "the CPU build is installed: cuda cells are unavailable"}},
    "runtime": "onnxruntime",
    "pitfalls": {"opset": {"symptom": "opset 24 is newer than this runtime reads", "fix": "export with 17"}},
    "planned": {"inputs": {"kinds": "image, array", "usable": 3, "run": 3, "synthetic": False}},
    "plan": "plan.md",
}  # fmt: skip


def _input(number: int, name: str, **changes: Any) -> dict[str, Any]:
    return {"file": f"inputs/{name}", "source": "workspace", "kind": "image", "notes": "640×480 RGB",
        "sha256": f"{number:064x}", "status": "success", "reason": None,
        "outputs": f"outputs/arrays/{number}.npz", "picture": f"outputs/pictures/{number}.png",
        "summary": "tabby 0.83, tiger cat 0.11"} | changes  # fmt: skip


INFERENCE: dict[str, Any] = {
    "schema_version": 1, "runtime": "onnxruntime", "device": "cpu", "device_details": "AMD EPYC",
    "precision": "fp32", "threads": 1, "batch_size": 1,
    "versions": {"onnxruntime": "1.31.1", "numpy": "2.4.6", "pillow": "13.0.0"},
    "providers": "CPUExecutionProvider",
    "smoke": {"status": "success", "import_ms": 93.1, "load_ms": 181.4, "first_call_ms": 61.25,
        "reason": None},
    "search": {"inputs": {"files": 5, "usable": 3, "passed_over": {".heic": 2}},
        "more": {"files": None, "usable": None, "reason": "there is no such folder"}},
    "synthetic": False, "synthetic_reason": None,
    "inputs": {
        "0": _input(0, "cat.jpg"),
        "1": _input(1, "dog.jpg", summary="beagle 0.91"),
        "2": _input(2, "torn.jpg", status="failed", reason="the picture is truncated", outputs=None,
            picture=None, summary=None)},
    "outputs": {"logits": {"dtype": "float32", "shape": [1, 1000], "nan": 0, "infinite": 0, "min": -7.25,
        "max": 14.5, "mean": 0.0125}},
    "timing": {
        stage: {"mean_ms": mean, "median_ms": mean - 0.25, "n": 2}
        for stage, mean in
        (("preprocess", 4.5), ("model", 31.5), ("postprocess", 0.75), ("end_to_end", 36.75))},
    "succeeded": 2, "failed": 1, "left_out": 0, "pitfalls": {},
    "reproducible": {"checked": True, "max_abs_diff": 0.0, "reason": None},
}  # fmt: skip

PARAMS: dict[str, Any] = {
    "seed": 0, "threads": 1, "deterministic": True, "device": "auto", "environment": "warn",
    "model": {"path": "models", "loader": "src/model.py:load"},
    "inputs": {"folders": ["inputs", "more"], "max_inputs": 64, "synthetic": 8},
    "infer": {"batch_size": 1},
    "benchmark": {"runtimes": ["onnxruntime"], "batch_sizes": [1, 8], "quick": True},
    "summary": {"latency_ms": "benchmark.latency_ms"}, "links": {},
    "report": {"inference_targets": {
        "fast": {"metric": "benchmark.latency_ms", "operator": "<=", "target": 50.0},
        "small batches": {"metric": "benchmark.onnxruntime-cpu-fp32-b8-t1.latency_ms", "operator": "<=",
            "target": 0.1}}},
}  # fmt: skip

OWN = {"examine": "examination", "infer": "inference", "benchmark": "benchmark"}
"""The file that each stage is about, by the stage."""
READS = {
    "examine": ["models", "contract.yaml"],
    "infer": ["results/latest/examination.json", "inputs"],
    "benchmark": ["results/latest/examination.json", "samples.npz"],
}
WRITES = {
    "examine": ["plan.md", "results/latest/examination.json"],
    "infer": ["outputs", "samples.npz", "results/latest/inference.json", "results/latest/inputs.png"],
    "benchmark": ["results/latest/benchmark.json", "results/latest/benchmark_samples.npz"],
}
_DIGEST = f"sha256:{'7' * 64}"


def write(root: Path) -> Path:
    """Write a project that holds such a record, whole, with the template's empty notes; return its root."""
    latest = root / "results" / "latest"
    benchmark = _benchmark()
    records = {"examination": EXAMINATION, "inference": INFERENCE, "benchmark": benchmark}
    for name, value in records.items():
        files.write_json(latest / f"{name}.json", value)
    meta = files.read_json(EXAMPLE / "meta.json")
    example = files.read_json(EXAMPLE / "stages" / "benchmark.json")
    cells = {f"{name}.latency_ms": _median(cell) for name, cell in benchmark["cells"].items()}
    metrics = {
        "examine": {"parameters": 25_557_032.0},
        "infer": {"succeeded": 2.0},
        "benchmark": cells | {"latency_ms": next(value for value in cells.values() if value)},
    }
    for name in READS:
        files.write_json(
            latest / "stages" / f"{name}.json",
            example
            | {"stage": name, "argv": f"python src/{name}.py", "reads": dict.fromkeys(READS[name], _DIGEST)}
            | {"writes": dict.fromkeys(WRITES[name], _DIGEST), "metrics": metrics[name], "facts": {}}
            | {"dvc": example["dvc"] | {"stage": name}},
        )
    meta |= {
        "run_id": RUN,
        "stages": dict.fromkeys(READS, meta["stages"]["benchmark"]),
        "missing": {},
        "experiment": {"name": "first-look", "baseline": None},
    }
    files.write_json(latest / "meta.json", meta)
    headline = {"latency_ms": metrics["benchmark"]["latency_ms"]}
    files.write_json(
        latest / "summary.json",
        {"status": "success", "metrics": headline, "runtime_seconds": 50.0, "end_time": meta["end_time"]},
    )
    (latest / "config.yaml").write_text(yaml.safe_dump(PARAMS, sort_keys=False))
    stages = {
        name: {
            "cmd": f"python src/{name}.py",
            "deps": READS[name],
            "outs": [*WRITES[name], f"results/latest/stages/{name}.json"],
        }
        for name in READS
    }
    (root / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    shutil.copytree(ROOT / "template" / "inference" / "notes", root / "notes")
    (root / "plan.md").write_text("# Plan\n")
    for number in (0, 1):
        for place in (f"outputs/arrays/{number}.npz", f"outputs/pictures/{number}.png"):
            (root / place).parent.mkdir(parents=True, exist_ok=True)
            (root / place).write_bytes(b"")
    Image.new("RGB", (64, 48), (200, 120, 40)).save(latest / "inputs.png")
    return root


def _benchmark() -> dict[str, Any]:
    """The example's timings as those of an ONNX model: one stable cell, a noisy one, two that did not run."""
    result = files.read_json(EXAMPLE / "benchmark.json")
    first, second = (result["cells"][f"onnxruntime-cpu-fp32-b{size}-t1"] for size in (1, 32))
    stable, noisy, int8 = copy.deepcopy(first), copy.deepcopy(second), copy.deepcopy(first)
    stable["verdict"] |= {"status": "stable", "reasons": {}}
    noisy["cell"]["batch_size"] = 8
    noisy["verdict"] |= {"status": "noisy", "reasons": {"interval.end_to_end": "±7.1%, over ±3%"}}
    int8["cell"] |= {"precision_requested": "int8", "precision_actual": "int8"}
    int8["verdict"] |= {"status": "stable", "reasons": {}}
    name = "onnxruntime-cpu-fp32-b1-t1"
    stable["numerics"] = _numerics(None, None, name, "this cell is the reference")
    noisy["numerics"] = _numerics(None, None, None, "no fp32 cell of this batch size was measured")
    int8["numerics"] = _numerics(0.375, 14.5, name, None)
    operators = {"Conv": {"calls": 5300, "total_ms": 2800.5, "percent": 88.25},
        "Gemm": {"calls": 100, "total_ms": 200.25, "percent": 6.3}}  # fmt: skip
    stable["profile"] = {
        "method": "ONNX Runtime's profiler",
        "calls": 100,
        "operators": operators,
        "reason": None,
    }
    int8["profile"] = {
        "method": None,
        "calls": None,
        "operators": {},
        "reason": "the profile has no operators",
    }
    gone = {
        "cell": noisy["cell"] | {"device": "cuda"},
        "status": "unavailable",
        "reason": "no CUDA device here",
    }
    dead = {
        "cell": noisy["cell"] | {"precision_requested": "bf16"},
        "status": "failed",
        "reason": "killed by SIGSEGV",
    }
    result["cells"] = {
        name: stable,
        "onnxruntime-cpu-fp32-b8-t1": noisy,
        "onnxruntime-cpu-int8-b1-t1": int8,
        "onnxruntime-cuda-fp32-b8-t1": gone,
        "onnxruntime-cpu-bf16-b8-t1": dead,
    }
    return result | {"schema_version": 2}  # type: ignore[no-any-return]


def _numerics(worst: float | None, largest: float | None, reference: str | None, reason: str | None) -> Any:
    return {
        "max_abs_diff_vs_reference": worst,
        "max_abs_reference": largest,
        "reference": reference,
        "unavailable_reason": reason,
    }


def _median(cell: dict[str, Any]) -> float | None:
    return cell["stages"]["end_to_end"]["median_ms"] if cell["status"] == "measured" else None


def change(root: Path, name: str, edit: Callable[[Any], Any]) -> None:
    """Edit a file of the record in place, or by what `edit` returns."""
    path = root / "results" / "latest" / name
    held = files.read_json(path)
    edited = edit(held)
    files.write_json(path, held if edited is None else edited)


def fail(root: Path, stage: str, message: str, *, after: bool = True) -> None:
    """Let the run have failed in a stage; what an earlier run left stays, as it does where DVC stops.

    Args:
        root: the project.
        stage: that failed.
        message: of its error.
        after: whether it failed after it had written its own file.
    """
    own = OWN[stage]
    told = {"type": "ReproofError", "message": message, "traceback": None}
    writes = {f"results/latest/{own}.json": _DIGEST} if after else {}
    failed = {"status": "failed", "error": told, "writes": writes, "metrics": {}}
    change(
        root, f"stages/{stage}.json", lambda record: record | {"run_id": "20270101-000000-aaaaaa"} | failed
    )
    error = {"stage": stage, "message": message}
    change(
        root, "meta.json", lambda _: {"schema_version": 1, "run_id": RUN, "status": "failed", "error": error}
    )
    change(root, "summary.json", lambda summary: summary | {"status": "failed", "metrics": {}})
    (root / "results/latest/config.yaml").rename(root / "params.yaml")


def rendered(root: Path) -> dict[str, str]:
    """Render the documents; return the Markdown ones by their files' names."""
    written = render_all(root, root / "results/latest", root / "reports")
    return {path.name: path.read_text() for path in written if path.suffix == ".md"}


def sections(root: Path) -> dict[str, str]:
    """Render the documents; return the sections of experiment.md."""
    return seed.sections(rendered(root)["experiment.md"])
