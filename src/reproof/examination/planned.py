"""What a run will do: inputs that are there, and cells of the benchmark, with how long they take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from reproof import benchmark, inference
from reproof.benchmark import cells
from reproof.benchmark.settings import RuntimeName, repeats, rules
from reproof.contract.schema import Contract
from reproof.contract.shapes import only_batch_size
from reproof.inference import finding
from reproof.model_files.facts import Facts

_START_S = 3.0
"""About what a process takes to start, to import its runtime and to load a model."""
_MOST_CELLS = 200


def inputs(root: Path, contract: Contract, facts: Facts, settings: inference.Inputs) -> dict[str, Any]:
    """Return what the folders hold that this model takes, and what will be run of it.

    Raises:
        ReproofError: a folder outside the project.
    """
    ports = None if facts.inputs is None else list(facts.inputs.values())
    kinds = finding.kinds_for(contract.input, ports)
    found = finding.search(root, settings.folders, kinds)
    usable = [one for one in found.candidates if one.problem is None]
    run = min(len(usable), settings.max_inputs)
    return {
        "kinds": ", ".join(kinds),
        "folders": found.folders,
        "usable": len(usable),
        "run": run or settings.synthetic,
        "synthetic": not run,
    }


def measured(settings: benchmark.Settings, runtime: str, facts: Facts) -> dict[str, Any]:
    """Return the cells of the benchmark, with why one cannot run, and about how many seconds they take.

    Of the settings, what this model's format or its batch size does not allow is left out, as the stage
    benchmark leaves it out.
    """
    able: tuple[RuntimeName, ...] = ("onnxruntime",)
    if runtime == "torch":
        able = ("torch", "torch_compile", "torch_export")
    names = [name for name in settings.runtimes if name in able] or [able[0]]
    size = only_batch_size(list((facts.inputs or {}).values()))
    sizes = settings.batch_sizes if size is None else [size]
    suited = settings.model_copy(update={"runtimes": names, "batch_sizes": sizes})
    planned = cells.plan(suited)
    reasons = {cell.name: cells.unavailable(cell) for cell in planned[:_MOST_CELLS]}
    rule, count = rules(suited), repeats(suited)
    running = len([cell for cell in planned if cells.unavailable(cell) is None])
    return {
        "cells": reasons,
        "more_cells": max(0, len(planned) - _MOST_CELLS),
        "repeats": count,
        "seconds": round(running * count * (_START_S + rule.warmup_min_seconds + rule.min_seconds)),
    }
