"""The packages that a model and its contract need, those that are here, and how to get the others."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reproof import environment, lock
from reproof.contract.schema import Contract
from reproof.examination import managers
from reproof.model_files.facts import Facts

# The oldest releases that this library is made for; pyproject.toml names the same.
_LEAST = {
    "nvidia-ml-py": "12",
    "numpy": "1.26",
    "onnx": "1.17",
    "onnxruntime": "1.20",
    "onnxruntime-extensions": "0.13",
    "onnxruntime-gpu": "1.20",
    "pillow": "11",
    "safetensors": "0.5",
    "scipy": "1.12",
    "tokenizers": "0.19",
    "torch": "2.9",
    "torchvision": "0.24",
}
ONNX_RUNTIMES = (
    "onnxruntime",
    "onnxruntime-gpu",
    "onnxruntime-directml",
    "onnxruntime-openvino",
    "onnxruntime-rocm",
    "onnxruntime-qnn",
)
"""Distributions that all install the one package `onnxruntime`."""
EXTENSIONS = "ai.onnx.contrib"
"""The domain of onnxruntime-extensions."""


def examine(contract: Contract, facts: Facts, root: Path) -> dict[str, Any]:
    """Return what examination.json holds of packages: required, installed, missing, and how to get them.

    Args:
        contract: what contract.yaml says.
        facts: what the model's file says.
        root: the project's folder, for its lock.
    """
    groups = required(contract, facts)
    reasons = {name: why for group in groups.values() for name, why in group.items()}
    needed = {name for group, names in groups.items() if group != "optional" for name in names}
    here = {name: version for name in reasons if (version := _installed(name)) is not None}
    missing = {name: reasons[name] for name in sorted(needed - here.keys())}
    for name in sorted(needed & here.keys()):
        if _parts(here[name]) < _parts(_LEAST[name]):
            missing[name] = f"{here[name]} is installed, and {_LEAST[name]} or newer is needed"
    manager = managers.manager()
    ways = managers.commands(manager, [f"{name}>={_LEAST[name]}" for name in missing], root)
    return {
        "required": {group: {name: f">={_LEAST[name]}" for name in names} for group, names in groups.items()},
        "installed": dict(sorted(here.items())),
        "missing": missing,
        "manager": manager,
        "install": ways["current"] if missing else None,
        "choices": ways if missing else None,
        "strategy": _strategy(missing, root),
        "notes": _notes(missing, root),
    }


def required(contract: Contract, facts: Facts) -> dict[str, dict[str, str]]:
    """Return the packages by group, each with why it is needed: framework, model, utilities, optional."""
    runs = facts.format == "onnx"
    operators = " ".join((facts.graph.operators if facts.graph else {}) or {})
    model: dict[str, str] = {}
    utilities = {"numpy": "arrays go in and come out", "pillow": "pictures are read and drawn"}
    if facts.format == "safetensors":
        model["safetensors"] = "the weights are a safetensors file"
    if "torchvision." in operators:
        model["torchvision"] = "the graph calls operators of torchvision"
    if contract.input.tokenizer:
        model["tokenizers"] = "contract.yaml names a tokenizer"
    if facts.graph and EXTENSIONS in facts.graph.opset:
        model["onnxruntime-extensions"] = f"the graph uses the domain {EXTENSIONS}"
    if runs:
        utilities["onnx"] = "the model file is read with it"
    if contract.input.modality == "audio":
        utilities["scipy"] = "audio of another sampling rate is resampled"
    optional: dict[str, str] = {}
    if environment.gpu_facts()[0]:
        optional["nvidia-ml-py"] = "the memory of the GPU is measured with it"
        if runs:
            optional["onnxruntime-gpu"] = "it runs ONNX models on the GPU that is here"
    name, why = ("onnxruntime", "it runs ONNX models") if runs else ("torch", "it runs the model")
    return {"framework": {name: why}, "model": model, "utilities": utilities, "optional": optional}


def _installed(name: str) -> str | None:
    for candidate in ONNX_RUNTIMES if name == "onnxruntime" else (name,):
        try:
            return importlib.metadata.version(candidate)
        except importlib.metadata.PackageNotFoundError:
            continue
    return None


def _parts(version: str) -> tuple[int, ...]:
    """The leading numbers of a release: enough to hold it against a plain one such as 1.20."""
    return tuple(int(part) for part in re.findall(r"\d+", re.split(r"[^\d.]", version, maxsplit=1)[0]))


def _strategy(missing: Mapping[str, str], root: Path) -> str:
    """Which versions are taken, in words."""
    path = root / lock.LOCK
    if not missing:
        return "nothing to install: the versions that are here are used"
    if not path.is_file():
        return f"the newest releases that fit together: there is no {lock.LOCK}"
    pinned = lock.read(path)
    named = sorted(name for name in missing if name in pinned)
    others = sorted(name for name in missing if name not in pinned)
    words = [f"{', '.join(named)} as {lock.LOCK} pins"] if named else []
    words += [f"{', '.join(others)} in the newest release that {lock.LOCK} allows"] if others else []
    return "; ".join(words)


def _notes(missing: Mapping[str, str], root: Path) -> dict[str, str]:
    """What goes wrong with these packages, by a short name."""
    notes: dict[str, str] = {}
    several = [name for name in ONNX_RUNTIMES if _has(name)]
    if len(several) > 1:
        notes["onnxruntime twice"] = (
            f"{' and '.join(several)} are installed, and write over each other's files: uninstall all of "
            "them, then install one"
        )
    if missing and (root / lock.LOCK).is_file():
        notes["lock"] = f"after the installation, `reproof lock` writes the new packages into {lock.LOCK}"
    if "torch" in missing:
        notes["torch"] = (
            "PyPI's torch for Linux brings CUDA's libraries; https://pytorch.org names the index of others"
        )
    return notes


def _has(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
