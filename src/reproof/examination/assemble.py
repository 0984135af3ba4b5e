"""examination.json: everything that is known of a model before it runs."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from reproof import benchmark, contract, environment, files, inference, model_files
from reproof.contract.steps import FILE
from reproof.errors import ReproofError
from reproof.examination import dependencies, pitfalls, planned
from reproof.examination.settings import Settings
from reproof.model_files import ports
from reproof.model_files.facts import Facts
from reproof.plain import plain

SCHEMA_VERSION = 1


def examine(
    root: Path, settings: Settings, *, benchmark: benchmark.Settings, inputs: inference.Inputs
) -> dict[str, Any]:
    """Return what examination.json holds, as plain JSON data; paths are relative to the project.

    Nothing of the model is run. What the file does not tell is None, with the reason beside it.

    Args:
        root: the project's folder.
        settings: the block `model` of params.yaml.
        benchmark: the block `benchmark`, for the plan.
        inputs: the block `inputs`, for the plan.

    Raises:
        ReproofError: no model, several, one that cannot be read or must not be opened, or a contract.yaml
            that cannot be read.
    """
    said = contract.load(root / FILE)
    path = model_files.find(root, settings.path)
    shown = Path(os.path.relpath(path, root)).as_posix()
    facts = model_files.read(path, root, where=shown)
    runtime = "onnxruntime" if facts.format == "onnx" else "torch"
    size = path.stat().st_size
    digest, digest_reason = _digest(path, root, facts)
    record = {
        "schema_version": SCHEMA_VERSION,
        "model": {
            "path": shown,
            "name": path.stem,
            "format": facts.format,
            "bytes": size,
            "sha256": files.sha256(path),
            "digest": digest,
            "digest_reason": digest_reason,
            "external_data": facts.external or None,
        },
        "source": said.source.model_dump(mode="json"),
        **_of_file(facts),
        "contract": {
            "file": FILE,
            "declared": said.model_dump(mode="json"),
            "found": contract.found(said, facts),
            "open": contract.open_fields(said, facts),
            "checks": contract.check(said, facts, root),
        },
        "dependencies": dependencies.examine(said, facts, root),
        "runtime": runtime,
        "pitfalls": pitfalls.find(facts, size + sum(facts.external.values())),
        "planned": {
            "machine": _machine(),
            "inputs": planned.inputs(root, said, facts, inputs),
            "benchmark": planned.measured(benchmark, runtime, facts),
        },
        "plan": "plan.md",
    }
    clean: dict[str, Any] = plain(record)
    return clean


def _of_file(facts: Facts) -> dict[str, Any]:
    weights = asdict(facts.weights) if facts.weights else None
    graph = None
    if facts.graph:
        stored = {name: (weights or {}).get(name) for name in ("parameters", "parameter_bytes", "dtypes")}
        graph = asdict(facts.graph) | stored
    return {
        "weights": weights,
        "weights_reason": facts.weights_reason,
        "graph": graph,
        "graph_reason": facts.graph_reason,
        "inputs": None if facts.inputs is None else ports.as_json(facts.inputs),
        "outputs": None if facts.outputs is None else ports.as_json(facts.outputs),
        "other_inputs": facts.other_inputs or None,
        "other_outputs": facts.other_outputs or None,
        "ports_reason": facts.ports_reason,
    }


def _digest(path: Path, root: Path, facts: Facts) -> tuple[str | None, str | None]:
    if facts.format == "onnx" and facts.weights is None:
        return None, facts.weights_reason  # without onnx there is no reading it
    try:
        return model_files.digest(path, root), None
    except ReproofError as error:
        return None, error.found or error.what


def _machine() -> dict[str, Any]:
    cpu = environment.cpu_facts()
    gpus, reason, _ = environment.gpu_facts()
    names = {index: str(gpu.get("name")) for index, gpu in (gpus or {}).items()}
    return {
        "cpu": cpu["model"],
        "cores": cpu["usable_cores"],
        "gpus": names or None,
        "gpus_reason": None if names else reason,
    }
