"""What documents are made of: a run's record, the declared params, and other runs where a file holds them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from reproof import files, params
from reproof.errors import ReproofError
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
_MAKES_INPUTS = ("prepare", "train", "export")
_FILES = {
    "prepare": ("split_manifest", "split_checksums"),
    "evaluate": ("evaluation",),
    "benchmark": ("benchmark",),
    "robustness": ("robustness",),
}
"""What each stage leaves beside its record."""


@dataclass(frozen=True)
class Source:
    """The record of one run, read whole. What a run does not have is None.

    Attributes:
        results: the folder that it was read from.
        params: the run's params, flat, such as `{"train.lr": 0.01}`.
        blocks: the same, nested.
        rationale: the comment beside each param, by its flat name.
        declared: the block `report` of the params.
        stages: the stages' own records, by name.
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
    config = _config(results)
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
    records = {n: _object(results / "stages" / f"{n}.json") for n in STAGES}
    found = {name: _EMPTY_STAGE | record for name, record in records.items() if record}
    meta = _object(results / "meta.json") or {}
    stages = _of_this_run(meta, found)
    files_of = {
        name: _object(results / f"{name}.json") if stage in stages or stage not in found else None
        for stage, names in _FILES.items()
        for name in names
    }
    ended = meta.get("status") not in ("failed", "in_progress")
    return Source(
        results=results,
        params=params.flatten(raw),
        blocks=raw,
        rationale=_rationale(text, node),
        declared=_declared(raw, config),
        meta=unended.whole(meta, stages, raw),
        summary={"status": meta.get("status"), "metrics": {}, "runtime_seconds": None}
        | (_object(results / "summary.json") or {}),
        stages=stages,
        evaluation=files_of["evaluation"],
        benchmark=files_of["benchmark"],
        robustness=files_of["robustness"],
        split_manifest=files_of["split_manifest"],
        split_checksums=files_of["split_checksums"],
        digests=_object(results / "digests.json") if ended else None,
    )


def _config(results: Path) -> Path | None:
    """The run's params file; of a run that failed, the project's own: no stage has copied it yet."""
    own, projects = results / "config.yaml", results.parent.parent / "params.yaml"
    meta = _object(results / "meta.json") or {}
    ended = meta.get("status") not in ("failed", "in_progress")
    return (
        own
        if own.is_file() and (ended or not projects.is_file())
        else projects
        if projects.is_file()
        else None
    )


def _of_this_run(meta: dict[str, Any], stages: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The records without those that an earlier run left: where a run fails, DVC keeps what it had after it.

    A stage that makes what others read, and failed, leaves theirs about another model or other data.
    """
    failed = (meta.get("error") or {}).get("stage")
    if failed not in _MAKES_INPUTS or failed not in stages:
        return stages
    after = STAGES[STAGES.index(failed) + 1 :]
    began = str(stages[failed].get("start_time"))
    return {n: r for n, r in stages.items() if n not in after or str(r.get("start_time")) > began}


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
