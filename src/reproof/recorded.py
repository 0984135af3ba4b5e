"""One run as a row: what a dozen files of its record say, in one flat dataclass.

Made for records that nobody looks after any more: of older versions, of a failed run, edited or torn by a
merge. What cannot be read is absent; only a record without a run id is no run.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from reproof import digest, params, redact
from reproof.errors import ReproofError
from reproof.plain import plain
from reproof.record import ANCHOR

NOT_STAGES = ("report", "summarize")
"""Stages that make the record, or are made of it: they measure nothing."""

_MODELS = ("results/latest/model.onnx", "results/latest/checkpoint")
_MAX_WORDS = 300
_MAX_NAME = 200
_TOP_LEVEL = re.compile(r"^(?=[^\s#-])", flags=re.MULTILINE)


@dataclass(frozen=True)
class Run:
    """One run. What its record does not hold is None, or an empty mapping.

    Attributes:
        run_id: the execution that computed it (docs/decisions/0002).
        commit: that holds its record; None for one that only the workspace has.
        experiment: DVC's name for it.
        branch: that holds it, or from which the experiment started, where it is only one.
        baseline: the commit that the experiment started from.
        code_tree: of the code as it ran.
        data: digest over the digests of its splits.
        fingerprint: of the machine whose timings it holds: that of the stage benchmark, where it ran.
        params: flat, such as `{"train.lr": 0.01}`. Those that were read from a history file lack `report.*`
            and `links.*`, which no comparison looks at.
        metrics: every number that a stage recorded, such as `evaluate.test.accuracy`.
        headline: those that `summary` names, by their short names.
        links: `job` is a mapping, the others are addresses.
        pull_request: its number.
        model_digest: of the exported model, else of the checkpoint.
        error: `stage` and `message`, of a run that failed.
        continues: the execution that was killed, and from whose state this one went on.
    """

    run_id: str
    commit: str | None = None
    experiment: str | None = None
    branch: str | None = None
    baseline: str | None = None
    status: str = "in_progress"
    start_time: str | None = None
    end_time: str | None = None
    runtime_seconds: float | None = None
    seed: int | None = None
    device: str | None = None
    code_tree: str | None = None
    data: str | None = None
    fingerprint: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    headline: Mapping[str, float | None] = field(default_factory=dict)
    links: Mapping[str, Any] = field(default_factory=dict)
    argv: str | None = None
    pull_request: str | None = None
    model_digest: str | None = None
    error: Mapping[str, str] | None = None
    continues: str | None = None

    @property
    def name(self) -> str:
        """What people call it: the experiment's name, else the run id."""
        return self.experiment or self.run_id


Get = Callable[[str], bytes | None]
"""The bytes of a file of a record, by its path in it; None where there is none."""


def json_of(data: bytes | None) -> dict[str, Any]:
    """Return a JSON object; an empty one for what is none."""
    if data is None:
        return {}
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def read(get: Get, stages: Iterable[str], **place: str | None) -> Run | None:
    """Return the run that a record tells of; None where it names none.

    Args:
        get: the record's files; and `params.yaml`, the project's own, for a run that has not come as far as
            copying it.
        stages: the names of the stages that left a record of their own in it.
        place: `commit`, `experiment`, `branch` and `baseline`, which take the place of what the record says.
    """
    meta = json_of(get("meta.json"))
    run_id = _name(meta.get("run_id"))
    if not run_id:
        return None
    summary, digests = json_of(get("summary.json")), json_of(get("digests.json"))
    whole, error = is_whole(meta), mapping(meta, "error")
    # Of a run that has not ended, other files may be those of the run before it.
    named = meta["stages"] if whole else [own] if (own := error.get("stage")) else stages
    records = {name: json_of(get(f"stages/{name}.json")) for name in stages if name in named}
    if not whole:
        records = {name: one for name, one in records.items() if one.get("run_id") == run_id}
    anchor = records.get(ANCHOR) or next(iter(records.values()), {})
    flat = flat_params(get("config.yaml") if whole else get("params.yaml"))
    experiment, code = mapping(meta, "experiment"), mapping(meta, "git") or mapping(anchor, "code")
    continued = mapping(records.get(ANCHOR, {}), "resume", "continued")
    job = {"job": anchor["job"]} if isinstance(anchor.get("job"), dict) else {}
    recorded = {
        "experiment": experiment.get("name") or mapping(anchor, "dvc").get("experiment"),
        "branch": code.get("branch"),
        "baseline": experiment.get("baseline") or mapping(anchor, "dvc").get("baseline"),
    }
    seed = meta.get("seed", flat.get("seed"))
    return Run(
        run_id=run_id,
        commit=place.get("commit"),
        **{key: place.get(key) or _name(value) for key, value in recorded.items()},
        status=_name(meta.get("status")) or "in_progress",
        start_time=_name(meta.get("start_time") or anchor.get("start_time")),
        end_time=_name(meta.get("end_time") or summary.get("end_time") or anchor.get("end_time")),
        runtime_seconds=number(meta.get("runtime_seconds")),
        seed=seed if isinstance(seed, int) and not isinstance(seed, bool) else None,
        device=_name(meta.get("device") or mapping(anchor, "facts").get("device")),
        code_tree=_name(code.get("code_tree")),
        data=data_of(json_of(get("split_checksums.json"))) if whole else None,
        fingerprint=_name(
            mapping(meta, "stages", "benchmark").get("fingerprint")
            or meta.get("fingerprint")
            or mapping(anchor, "environment").get("fingerprint")
        ),
        params=flat,
        metrics=_metrics(records),
        headline={clean(name): number(value) for name, value in mapping(summary, "metrics").items() if whole},
        links=_data_without_secrets(job | _links(flat) | mapping(meta, "links")),
        argv=_name(meta.get("argv") or anchor.get("argv")),
        pull_request=_name(code.get("pull_request") or anchor.get("pull_request")),
        model_digest=_name(
            next(filter(None, map(mapping(digests, "artefacts").get, _MODELS)), None) if whole else None
        ),
        error={key: clean(str(value))[:_MAX_WORDS] for key, value in error.items()} or None,
        continues=_name(continued.get("run_id")),
    )


def is_whole(meta: Mapping[str, Any]) -> bool:
    """Whether `summarize` has written this meta.json: before, it holds run id, status and error alone."""
    return isinstance(meta.get("stages"), dict)


def flat_params(text: bytes | None) -> dict[str, Any]:
    """Return the params of a file, flat, as plain JSON data without secrets; none where it cannot be read."""
    try:
        return {} if text is None else dict(_data_without_secrets(plain(params.flatten(_parsed(text)))))
    except ReproofError:
        return {}


def _parsed(text: bytes) -> dict[str, Any]:
    """Parse a params file block by block: of hundreds of runs, most blocks are those of another run.

    Whatever is no plain series of top-level blocks, such as a file with aliases, is parsed whole.
    """
    try:
        head, *blocks = _TOP_LEVEL.split(text.decode())
        found: dict[str, Any] = {}
        keys = 0
        for block in blocks:
            own = _block(block)
            found |= own
            keys += len(own)
        if any(line.strip() and not line.startswith("#") for line in head.splitlines()) or keys != len(found):
            raise ReproofError("not a plain series of blocks")
    except (ReproofError, UnicodeDecodeError):
        return params.parse(text, "config.yaml")[0]
    return found


@functools.lru_cache(maxsize=4096)
def _block(text: str) -> dict[str, Any]:
    return params.parse(text.encode(), "config.yaml")[0]


def _metrics(records: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    found = {}
    for stage, record in records.items():
        for name, value in mapping(record, "metrics").items():
            if (found_number := number(value)) is not None:
                found[clean(f"{stage}.{name}")] = found_number
    return found


def data_of(checksums: Mapping[str, Any] | None) -> str | None:
    """Return the digest over those of the splits, by split_checksums.json; None where it tells of none."""
    splits = (checksums or {}).get("splits")
    return digest.text_of(splits) if isinstance(splits, dict) and splits else None


def _links(flat: Mapping[str, Any]) -> dict[str, str]:
    """Of a run that failed before meta.json had them."""
    return {
        key.removeprefix("links."): value
        for key, value in flat.items()
        if key.startswith("links.") and isinstance(value, str)
    }


def mapping(value: Any, *keys: str) -> dict[str, Any]:
    """Return the mapping that stands under `keys` of a value; an empty one where there is none."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def number(value: Any) -> float | None:
    """Return a finite number; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return value


def words(value: Any) -> str | None:
    """Return words without secrets; None for anything else, and for none."""
    return clean(value) if isinstance(value, str) and value.strip() else None


def _name(value: Any) -> str | None:
    found = words(value)
    return found and found[:_MAX_NAME]


@functools.lru_cache(maxsize=16384)
def clean(text: str) -> str:
    """Return `redact.text`, remembered: the same words stand in hundreds of records."""
    return redact.text(text)


def _data_without_secrets(value: Any) -> Any:
    """As `redact.data`; remembered, since the same words stand in hundreds of records."""
    if isinstance(value, Mapping):
        return {clean(str(key)): _data_without_secrets(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_data_without_secrets(item) for item in value]
    return clean(value) if isinstance(value, str) else value


def files_of(folder: Path) -> tuple[Get, list[str]]:
    """Return what `read` takes, for a record that lies in `<project>/results/<run>`."""

    def get(name: str) -> bytes | None:
        try:
            return (folder.parents[1] if name == "params.yaml" else folder).joinpath(name).read_bytes()
        except OSError:
            return None

    return get, sorted(path.stem for path in (folder / "stages").glob("*.json"))
