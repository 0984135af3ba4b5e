"""What the documents of a checked model lack: what was not measured, not declared, not written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reproof.report.missing import NOT_WRITTEN, Gap
from reproof.report.model_check.record import STAGES, Check, part
from reproof.report.notes import OF_ONE_RUN, Notes

SECTIONS = {
    "Research question": "notes/goals.md",
    "Success criteria": "notes/goals.md",
    "Constraints": "notes/goals.md",
    "Summary": "notes/analysis.md",
    "Inference": "notes/analysis.md",
    "Issues and pitfalls": "notes/analysis.md",
    "Conclusions": "notes/analysis.md",
    "Short-term": "notes/analysis.md",
}
"""The sections of notes that experiment.md shows, by the note of this recipe that has them."""


def gaps(check: Check, notes: Notes) -> list[Gap]:
    """Return everything that the documents lack, by kind."""
    return [*_unmeasured(check), *_undeclared(check), *_unwritten(check, notes)]


def _unmeasured(check: Check) -> Iterator[Gap]:
    told = check.source.meta.get("missing") or {}
    for name, reason in told.items():
        if not name.startswith(("infer.inputs.", "benchmark.")):  # told below, by their own files
            yield _measured(name, reason)
    for stage in STAGES:
        record = check.source.stages.get(stage)
        if record is None:
            if stage not in told:
                yield _measured(stage, "the stage has left no record", "dvc exp run")
        elif record["status"] in ("failed", "in_progress"):
            said = (record.get("error") or {}).get("message") or "it has not ended"
            yield _measured(stage, f"{record['status'].replace('_', ' ')}: {said}", "dvc exp run")
    for key, name in (("graph_reason", "graph"), ("ports_reason", "inputs and outputs of the file")):
        if reason := check.examination.get(key):
            yield _measured(name, reason)
    if check.inference.get("synthetic"):
        reason = check.inference.get("synthetic_reason") or "no input was found"
        yield _measured("answers to real inputs", reason, "files into inputs/, then dvc exp run")
    for number, one in check.inputs.items():
        if one.get("status") != "success":
            reason = one.get("reason") or "no reason was recorded"
            yield _measured(f"infer.{one.get('file') or number}", reason)
    for field, one in part(check.contract, "checks").items():
        if one.get("status") == "unchecked":
            yield _measured(f"check of {field}", one.get("hint") or "the file does not tell")
    for name, cell in check.unmeasured.items():
        yield _measured(f"benchmark.{name}", f"{cell['status']}: {cell['reason']}")


def _measured(name: str, reason: Any, remedy: str = "") -> Gap:
    return Gap("measured", name, str(reason), remedy)


def _undeclared(check: Check) -> Iterator[Gap]:
    for field, why in part(check.contract, "open").items():
        yield Gap("declared", field, str(why), "contract.yaml")
    for field in ("repo", "version", "license") if check.examination else ():
        if not check.declared["source"].get(field) and f"source.{field}" not in part(check.contract, "open"):
            yield Gap("declared", f"source.{field}", "not declared", "contract.yaml")
    declared = check.source.declared
    if not declared.inference_targets and not declared.criteria:
        yield Gap("declared", "report.inference_targets", "not declared", "params.yaml")


def _unwritten(check: Check, notes: Notes) -> Iterator[Gap]:
    missing = notes.missing()
    for section, home in SECTIONS.items():
        if section in missing:
            yield Gap("written", section, NOT_WRITTEN, home)
    run_id = check.source.meta["run_id"]
    for passage in notes.passages:
        if passage.section in OF_ONE_RUN and passage.run != run_id:
            about = f"written about {passage.run}" if passage.run else "written about no run that it names"
            yield Gap(
                "written",
                passage.section,
                about,
                f"look whether it holds; then run: {run_id} in {passage.path}",
            )
