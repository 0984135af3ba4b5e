"""What a report lacks, gathered: nobody should have to find it between the lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from reproof.report import notes as notes_module
from reproof.report.notes import OF_ONE_RUN, Notes
from reproof.report.source import STAGES, Source

Kind = Literal["measured", "declared", "written"]
NOT_WRITTEN = "not written yet"

_DECLARED = {
    "report.authors": "authors",
    "report.criteria": "criteria",
    "report.dataset.source": "dataset.source",
    "report.dataset.license": "dataset.license",
    "report.license": "license",
    "report.budget": "budget",
    "report.price": "price",
}


@dataclass(frozen=True)
class Gap:
    """Something that a document has a place for: which of the three sources lacks it, why, and what to do."""

    kind: Kind
    part: str
    reason: str
    remedy: str


def gaps(source: Source, notes: Notes, *, has_history: bool) -> list[Gap]:
    """Return everything that the documents of this run lack, by kind."""
    return [
        *_unmeasured(source, has_history=has_history),
        *_undeclared(source),
        *_unwritten(source, notes),
    ]


def _unmeasured(source: Source, *, has_history: bool) -> Iterator[Gap]:
    for part, reason in (source.meta.get("missing") or {}).items():
        yield _measured(part, reason)
    for stage in STAGES:
        if stage not in source.stages and f"{stage}" not in (source.meta.get("missing") or {}):
            yield _measured(stage, "the stage has left no record", "dvc repro")
    for stage, record in source.stages.items():
        if record["status"] in ("failed", "in_progress"):
            said = (record.get("error") or {}).get("message") or "it has not ended"
            yield _measured(stage, f"{record['status'].replace('_', ' ')}: {said}", "dvc repro")
    yield from _of_evaluation(source.evaluation)
    yield from _of_robustness(source.robustness)
    for name, cell in (source.benchmark or {}).get("cells", {}).items():
        if cell["status"] != "measured":
            yield _measured(f"benchmark.{name}", f"{cell['status']}: {cell['reason']}")
    for stage, record in source.stages.items():
        for part, reason in ((record.get("resources") or {}).get("missing") or {}).items():
            if stage == "train":
                yield _measured(f"{stage}.{part}", reason)
    if not has_history:
        reason = "results/history.json holds no other run"
        yield _measured("several seeds, ablations, sweeps", reason, "reproof history && dvc repro report")


def _of_evaluation(evaluation: dict[str, Any] | None) -> Iterator[Gap]:
    if evaluation is None:
        return
    if evaluation.get("schema_version", 1) < 2:
        reason = "the run was evaluated by a version of the library that did not measure them"
        remedy = "dvc repro --force --single-item evaluate, with today's src/evaluate_model.py"
        yield _measured("intervals, comparison with baselines, calibration", reason, remedy)
    for split, found in evaluation.get("splits", {}).items():
        for metric, reason in (found.get("intervals_missing") or {}).items():
            yield _measured(f"interval of evaluate.{split}.{metric}", reason)
        if reason := found.get("confusion_matrix_missing_reason"):
            yield _measured(f"confusion matrix of {split}", reason)


def _of_robustness(robustness: dict[str, Any] | None) -> Iterator[Gap]:
    if robustness is None:
        return
    if robustness["status"] == "skipped":
        yield _measured("robustness", robustness["reason"], "dvc exp run -S robustness.enabled=true")
        return
    for key, reason in robustness.items():
        if key.endswith("_missing_reason") and reason:
            yield _measured(f"robustness: {key.removesuffix('_missing_reason').replace('_', ' ')}", reason)


def _measured(part: str, reason: Any, remedy: str = "") -> Gap:
    return Gap("measured", part, str(reason), remedy)


def _undeclared(source: Source) -> Iterator[Gap]:
    for name, path in _DECLARED.items():
        value: Any = source.declared
        for key in path.split("."):
            value = getattr(value, key)
        empty = not value or (path == "budget" and value == type(value)())
        if empty:
            yield Gap("declared", name, "not declared", "params.yaml")


def _unwritten(source: Source, notes: Notes) -> Iterator[Gap]:
    for section in notes.missing():
        yield Gap("written", section, NOT_WRITTEN, notes_module.home(section))
    for passage in notes.passages:
        if passage.section in OF_ONE_RUN and passage.run != source.meta["run_id"]:
            about = f"written about {passage.run}" if passage.run else "written about no run that it names"
            remedy = f"look whether it holds; then run: {source.meta['run_id']} in {passage.path}"
            yield Gap("written", passage.section, about, remedy)
