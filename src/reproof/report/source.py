"""What documents are made of: a run's record, the declared params, and other runs where a file holds them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from reproof import files, params, record_values
from reproof.errors import ReproofError
from reproof.invocation import LATEST
from reproof.params import Report, comments
from reproof.report import unended

STAGES = ("prepare", "train", "export", "evaluate", "benchmark", "robustness")

NEEDED = ("meta.json", "summary.json")
"""Of a record, beside the params: a run that failed has no config.yaml of its own."""
_EMPTY_STAGE: dict[str, Any] = {
    "metrics": {},
    "facts": {},
    "missing": {},
    "pinned": None,
    "status": "not known",
}


@dataclass(frozen=True)
class Source:
    """The record of one run, read whole. What a run does not have is None.

    Attributes:
        results: the folder that it was read from.
        params: the run's params, flat, such as `{"train.lr": 0.01}`.
        blocks: the same, nested.
        rationale: the comment beside each param, by its flat name.
        declared: the block `report` of the params.
        stages: the stages' own records, by name, in their order.
        outs: what of a record that broke off is its own; None where all of it is (see `unended.own`).
    """

    results: Path
    params: dict[str, Any]
    blocks: dict[str, Any]
    rationale: dict[str, str]
    declared: Report
    meta: dict[str, Any]
    summary: dict[str, Any]
    stages: dict[str, dict[str, Any]]
    evaluation: dict[str, Any] | None
    benchmark: dict[str, Any] | None
    robustness: dict[str, Any] | None
    split_manifest: dict[str, Any] | None
    split_checksums: dict[str, Any] | None
    digests: dict[str, Any] | None
    examination: dict[str, Any] | None
    inference: dict[str, Any] | None
    outs: frozenset[str] | None

    def file(self, name: str) -> Path | None:
        """Return a file of the record, by its path in it; None where there is none of this run."""
        path = self.results / name
        return path if path.is_file() and _is_own(name, self.outs) else None

    @property
    def dataset(self) -> str:
        """The data's name."""
        for part in (self.split_manifest, self.evaluation):
            if part:
                return str(part["dataset"])
        return str(self.params.get("data.name", "the data"))

    def metric(self, name: str) -> float | None:
        """Return what a stage recorded as `<stage>.<metric>`; None where it did not."""
        stage, _, metric = name.partition(".")
        found = self.stages.get(stage, {}).get("metrics", {}).get(metric)
        return None if found is None else float(found)

    def facts(self, stage: str) -> dict[str, Any]:
        """Return the facts that a stage recorded; none where it left no record."""
        return dict(self.stages.get(stage, {}).get("facts", {}))


def read(results: Path) -> Source:
    """Read the record of the run in `results`, of this schema or an older one.

    Raises:
        ReproofError: when it lacks meta.json, summary.json or its params, or one is unreadable.
    """
    meta = _object(results / "meta.json") or {}
    config = _config(results, meta)
    absent = [name for name in NEEDED if not (results / name).is_file()]
    if absent or config is None:
        raise ReproofError(
            "no run is recorded there",
            where=results,
            expected=", ".join((*NEEDED, "config.yaml")),
            found=f"no {', no '.join([*absent, *(['config.yaml'] if config is None else [])])}",
            hint="`dvc exp run` makes one",
        )
    text = config.read_bytes()
    raw, node = params.parse(text, config)
    names = [name for name in record_values.files_of(results)[1] if name not in record_values.NOT_STAGES]
    found = {name: _object(results / "stages" / f"{name}.json") for name in names}
    records = {name: _EMPTY_STAGE | record for name, record in found.items() if record}
    stages, outs = unended.own(results, meta, records)

    def part(name: str) -> dict[str, Any] | None:
        return _object(results / f"{name}.json") if _is_own(f"{name}.json", outs) else None

    return Source(
        results=results,
        params=params.flatten(raw),
        blocks=raw,
        rationale=_rationale(text, node),
        declared=_declared(raw, config),
        meta=unended.whole(meta, stages, raw),
        summary={"status": meta.get("status"), "metrics": {}, "runtime_seconds": None}
        | (_object(results / "summary.json") or {}),
        stages=dict(stages),
        evaluation=part("evaluation"),
        benchmark=part("benchmark"),
        robustness=part("robustness"),
        split_manifest=part("split_manifest"),
        split_checksums=part("split_checksums"),
        digests=part("digests"),
        examination=part("examination"),
        inference=part("inference"),
        outs=outs,
    )


def _config(results: Path, meta: dict[str, Any]) -> Path | None:
    """The run's params file; of a run that broke off, the project's own: no stage has copied it yet."""
    places = [results / "config.yaml", results.parents[1] / "params.yaml"]
    found = places if record_values.is_whole(meta) else reversed(places)
    return next((path for path in found if path.is_file()), None)


def _is_own(name: str, outs: frozenset[str] | None) -> bool:
    path = f"{LATEST}/{name}"
    return outs is None or any(path == out or path.startswith(f"{out}/") for out in outs)


def _object(path: Path) -> dict[str, Any] | None:
    if not path.exists():
        return None
    found = files.read_json(path)
    if not isinstance(found, dict):
        raise ReproofError("not a record", where=path, expected="a JSON object", found=type(found).__name__)
    return found or None


def _rationale(text: bytes, node: yaml.Node) -> dict[str, str]:
    return comments.beside(text.decode("utf-8-sig"), node)


def _declared(raw: dict[str, Any], where: Path) -> Report:
    try:
        return Report.model_validate(raw.get("report") or {})
    except ValueError as error:
        raise ReproofError(
            "the block `report` cannot be read", where=where, found=str(error)[:300]
        ) from error
