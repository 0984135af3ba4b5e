"""What inference.md is filled with: the exported model, what it takes and gives, how fast it is here."""

from __future__ import annotations

import json
from typing import Any

from reproof.report import addresses, objectives, results
from reproof.report.markdown import code, number, score, text
from reproof.report.notes import Notes
from reproof.report.source import Source

_KEY_LIBRARIES = ("onnxruntime", "torch", "numpy", "opencv-python", "pillow")
_GROUPS = {
    "Runtime/framework": ("onnxruntime", "torch"),
    "Model-specific libs": ("safetensors", "transformers", "tokenizers", "timm"),
    "Utilities": ("numpy", "pillow", "pandas", "scikit-learn", "opencv-python"),
    "Optional acceleration": ("onnxruntime-gpu", "tensorrt", "openvino", "accelerate"),
}


def context(source: Source, notes: Notes) -> dict[str, Any]:
    """Return the values of the template, by name."""
    cells = (source.benchmark or {}).get("cells", {})
    measured = {name: cell for name, cell in cells.items() if cell["status"] == "measured"}
    packages = source.meta.get("packages", {})
    export = source.stages.get("export", {})
    return {
        "name": results.kind(source),
        "inference_status": _status(source, measured, cells),
        "worked": _worked(source, measured),
        "failed": _failed(source, cells),
        "size_bytes": export.get("metrics", {}).get("size_bytes"),
        "file_sha256": export.get("facts", {}).get("file_sha256"),
        "model_digest": (source.digests or {}).get("artefacts", {}).get("results/latest/model.onnx"),
        "contract": export.get("facts", {}).get("contract"),
        "parity": export.get("facts", {}).get("parity"),
        "parity_metrics": export.get("metrics", {}),
        "remote": addresses.of_remote(source.meta["git"].get("remote")),
        "manager": _manager(source),
        "libraries": {name: packages.get(name) for name in _KEY_LIBRARIES},
        "groups": {
            group: [f"{name} {packages[name]}" for name in names if name in packages]
            for group, names in _GROUPS.items()
        },
        "lock": source.meta.get("requirements_lock"),
        "cells": cells,
        "cell_states": [f"{name}: {cell['status']}" for name, cell in cells.items()],
        "measured_cells": measured,
        "prepare_facts": source.facts("prepare"),
        "quality": source.facts("prepare").get("quality"),
        "device": _devices(measured) or "cpu",
        "modality": _modality(source),
        "channels": _channels(source),
        "mapping": _mapping(source),
        "recommended": _recommended(measured),
        "targets": objectives.judge(source, source.declared.inference_targets),
        "invocation": _invocation(source),
        "pitfalls": _pitfalls(source, cells),
        "runs": _runs(source),
        "written_pitfalls": notes.get("Issues and pitfalls") is not None,
        "code_link": lambda path: addresses.file(source, path),
    }


def _status(source: Source, measured: dict[str, Any], cells: dict[str, Any]) -> str:
    """success, partial or failed, of the inference alone: not of the whole run."""
    if "export" not in source.stages or source.stages["export"]["status"] == "failed" or not cells:
        return "failed"
    evaluated = source.stages.get("evaluate", {}).get("status")
    whole = len(measured) == len(cells) and evaluated in ("success", "partial")
    return "success" if whole else "partial" if measured or evaluated else "failed"


def _worked(source: Source, measured: dict[str, Any]) -> list[str]:
    said = []
    parity = source.facts("export").get("parity")
    if parity:
        said.append(f"the exported model answers as torch does, on {parity['examples']} real inputs")
    test = (source.evaluation or {}).get("splits", {}).get("test")
    if test:
        said.append(f"{test['examples']:,} test examples were answered by ONNX Runtime")
    if measured:
        said.append(f"{len(measured)} combinations of runtime and batch size were timed")
    return said


def _failed(source: Source, cells: dict[str, Any]) -> list[str]:
    said = [f"{name}: {cell['reason']}" for name, cell in cells.items() if cell["status"] != "measured"]
    said += [
        f"the stage {name} has left no record"
        for name in ("export", "evaluate", "benchmark")
        if name not in source.stages
    ]
    return said


def _devices(measured: dict[str, Any]) -> str:
    return ", ".join(sorted({cell["cell"]["device"] for cell in measured.values()}))


def _shape(source: Source) -> list[str]:
    return str((source.facts("prepare").get("quality") or {}).get("feature_shape", "")).split("x")


def _modality(source: Source) -> str:
    return {1: "tensor (a vector of features)", 3: "image"}.get(len(_shape(source)), "tensor")


def _channels(source: Source) -> str:
    shape = _shape(source)
    if len(shape) != 3:
        return "none: not an image"
    kinds = {"1": "grey", "3": "RGB", "4": "RGBA"}
    return f"{kinds.get(shape[0], f'{shape[0]} channels')}, CHW"


def _mapping(source: Source) -> str:
    """A table of a few test examples and what the model answered."""
    evaluation = source.evaluation or {}
    rows = []
    for kind in ("easiest", "hardest"):
        for each in list((evaluation.get(kind) or {}).values())[:3]:
            if "target" in each:
                answer, note = number(each["predicted"]), f"target {number(each['target'])}"
            else:
                answer = text(each["predicted"])
                right = each["predicted"] == each["label"]
                note = "right" if right else f"wrong: it is {text(each['label'])}"
                note += f"; probability of the truth {score(each['probability'])}"
            rows.append(f"| {code(each['id'])} of `prepared/test.npz` | {answer} | {note} |")
    if not rows:
        return "No examples were recorded." if evaluation else "The stage evaluate has left no results."
    return "\n".join(["| Input | Output(s) | Notes |", "|---|---|---|", *rows])


def _recommended(measured: dict[str, Any]) -> str | None:
    """The fastest combination for one example at a time."""
    single = [cell for cell in measured.values() if cell["cell"]["batch_size"] == 1] or list(
        measured.values()
    )
    if not single:
        return None
    best = min(single, key=lambda cell: float(cell["stages"]["end_to_end"]["median_ms"]))
    what = best["cell"]
    threads = f"{what['threads_requested']} thread{'s' if what['threads_requested'] != 1 else ''}"
    took = number(best["stages"]["end_to_end"]["median_ms"], 3)
    return f"{what['runtime']} on {what['device']} with {threads}, {took} ms a call; the command is above"


def _manager(source: Source) -> str:
    python = source.meta.get("python", {})
    inside = python.get("virtual_environment")
    return "venv" if inside else "none: the system's Python" if inside is False else "not recorded"


def _invocation(source: Source) -> str | None:
    contract = source.facts("export").get("contract")
    if not contract:
        return None
    first = next(iter(contract["inputs"]))
    lines = (
        "import numpy as np, onnxruntime as ort, sys; sys.path.insert(0, 'src'); import data",
        "session = ort.InferenceSession('results/latest/model.onnx')",
        "x = data.preprocess(np.load('prepared/test.npz')['x'][:1])",
        f"print(data.postprocess(session.run(None, {{{json.dumps(first)}: x}})[0]))",
    )
    return "python - <<'END'\n" + "\n".join(lines) + "\nEND"


def _pitfalls(source: Source, cells: dict[str, Any]) -> list[dict[str, str]]:
    """What a reader of these numbers would trip over, as measured."""
    found = []
    for name, cell in cells.items():
        if cell["status"] == "measured" and cell["verdict"]["status"] == "noisy":
            why = "; ".join(f"{check} {reason}" for check, reason in cell["verdict"]["reasons"].items())
            found.append(
                {
                    "issue": f"the times of {name} are noisy",
                    "symptom": why,
                    "remedy": "dvc repro --force --single-item benchmark",
                }
            )
        elif cell["status"] != "measured":
            found.append({"issue": f"{name} is {cell['status']}", "symptom": cell["reason"], "remedy": ""})
    fingerprints = {name: stage.get("fingerprint") for name, stage in source.meta.get("stages", {}).items()}
    if len(set(fingerprints.values())) > 1:
        found.append(
            {
                "issue": "the stages ran on different machines",
                "symptom": ", ".join(f"{name} {print_}" for name, print_ in fingerprints.items()),
                "remedy": "dvc repro --force --single-item benchmark measures here",
            }
        )
    return found


def _runs(source: Source) -> list[dict[str, str]]:
    """The run matrix: what the exported model was run by, on what, and what that left."""
    rows = []
    evaluate = source.stages.get("evaluate")
    if evaluate:
        rows.append(
            {
                "id": evaluate["run_id"],
                "script": "src/evaluate_model.py",
                "device": "cpu",
                "params": f"threads {source.params.get('threads')}, fp32",
                "inputs": "prepared/{train,validation,test}.npz",
                "outputs": "results/latest/predictions.parquet, evaluation.json",
            }
        )
    benchmark = source.stages.get("benchmark")
    for name, cell in (source.benchmark or {}).get("cells", {}).items():
        what = cell["cell"]
        rows.append(
            {
                "id": f"{benchmark['run_id'] if benchmark else ''} {name}".strip(),
                "script": "src/benchmark.py",
                "device": what["device"],
                "params": f"{what['runtime']}, batch {what['batch_size']}, {what['precision_requested']}, "
                f"threads {what['threads_requested']}",
                "inputs": "prepared/test.npz",
                "outputs": "results/latest/benchmark.json"
                if cell["status"] == "measured"
                else cell["status"],
            }
        )
    return rows
