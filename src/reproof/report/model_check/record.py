"""What these documents are made of: the record of one check of a model, and nothing of an earlier run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from reproof.invocation import LATEST
from reproof.report import source
from reproof.report.markdown import code, text
from reproof.report.source import Source
from reproof.report.web import quoted

STAGES = ("examine", "infer", "benchmark")
"""Those that measure, in their order."""
_FILES = {"examine": "examination", "infer": "inference", "benchmark": "benchmark"}


@dataclass(frozen=True)
class Check:
    """The record of one run of this recipe. What it does not hold is an empty mapping.

    Attributes:
        source: the record as every document reads it.
        is_here: whether it is the workspace's own run: then plan.md, models/ and outputs/ of the project are
            those that it read and wrote, and documents link to them.
        examination: examination.json.
        inference: inference.json.
        cells: the benchmark's, by name; of these `measured` are those with numbers.
    """

    source: Source
    is_here: bool
    examination: dict[str, Any]
    inference: dict[str, Any]
    cells: dict[str, dict[str, Any]]

    @property
    def measured(self) -> dict[str, dict[str, Any]]:
        return {name: cell for name, cell in self.cells.items() if cell["status"] == "measured"}

    @property
    def unmeasured(self) -> dict[str, dict[str, Any]]:
        return {name: cell for name, cell in self.cells.items() if cell["status"] != "measured"}

    @property
    def model(self) -> dict[str, Any]:
        return part(self.examination, "model")

    @property
    def contract(self) -> dict[str, Any]:
        return part(self.examination, "contract")

    @property
    def declared(self) -> dict[str, Any]:
        """The blocks of contract.yaml: `source`, `input` and `output`."""
        found = part(self.contract, "declared")
        return {name: part(found, name) for name in ("source", "input", "output")}

    @property
    def said(self) -> dict[str, Any]:
        """What contract.yaml says, by block, without what the output's kind does not use."""
        kind = self.declared["output"].get("kind")
        unused = {"boxes"} if kind != "boxes" else set()
        unused |= {"top_k"} if kind != "classes" else set()
        blocks = {
            block: {key: value for key, value in fields.items() if value is not None and key not in unused}
            for block, fields in self.declared.items()
        }
        return {block: fields for block, fields in blocks.items() if fields}

    @property
    def dependencies(self) -> dict[str, Any]:
        return part(self.examination, "dependencies")

    @property
    def name(self) -> str:
        """What people call the model."""
        return str(self.model.get("name") or "a model that was not read")

    @property
    def inputs(self) -> dict[str, dict[str, Any]]:
        """The inputs that were run, by their id."""
        return part(self.inference, "inputs")

    @property
    def succeeded(self) -> int:
        return sum(one.get("status") == "success" for one in self.inputs.values())

    def stage_status(self, stage: str) -> str | None:
        """Return the status of a stage; None where it has left no record."""
        found = self.source.stages.get(stage)
        return None if found is None else str(found["status"])

    def argv(self, stage: str) -> str | None:
        """Return the command that ran a stage, as it ran."""
        return self.source.stages.get(stage, {}).get("argv") or None

    def file(self, path: Any) -> str:
        """Return a file of the run as Markdown: a link where the document can lead to it, else its name."""
        name = str(path)
        recorded = name.startswith(f"{LATEST}/") and Path(name).suffix not in (".npz", ".onnx")
        plain = not name.startswith("/") and ".." not in Path(name).parts
        if plain and (self.is_here or recorded):
            return f"[{text(name)}](<../{quoted(name)}>)"
        return code(name)


def read(root: Path, results: Path) -> Check:
    """Read the record of the run in `results`.

    What a stage left counts only where that stage ended, or noted before it failed that it had written it: a
    file of an earlier run may lie there.

    Raises:
        ReproofError: as `source.read` does.
    """
    found = source.read(results)
    stale = {
        name: None
        for stage, name in _FILES.items()
        if (record := found.stages.get(stage))
        and record["status"] in ("failed", "in_progress")
        and f"{LATEST}/{name}.json" not in (record.get("writes") or {})
    }
    found = replace(found, **stale)  # type: ignore[arg-type]
    return Check(
        source=found,
        is_here=results.resolve() == (root / LATEST).resolve(),
        examination=found.examination or {},
        inference=found.inference or {},
        cells=part(found.benchmark or {}, "cells"),
    )


def part(record: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a mapping that a record holds under a name; an empty one where it holds null or nothing."""
    found = record.get(name)
    return found if isinstance(found, dict) else {}


def is_one(results: Path) -> bool:
    """Return whether a record is one of this recipe: its first stage has left something there."""
    return any((results / name).is_file() for name in ("examination.json", "stages/examine.json"))
