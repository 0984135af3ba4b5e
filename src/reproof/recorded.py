"""One run as a row: what a dozen files of its record say, in one flat dataclass.

Made for records that nobody looks after any more: of older versions, of a failed run, edited or torn by a
merge. What cannot be read is absent; only a record without a run id is no run.

meta.json holds an excerpt of the other files, with the Git object ids of what it was taken from. Where Git
holds these very objects beside it, meta.json is all that has to be read; else the files themselves are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from reproof.clean_words import clean, data_without_secrets, flat_without_secrets
from reproof.excerpts import Files, anchor_of, copied_from, excerpt_in
from reproof.record_values import (
    ANCHOR,
    NOT_STAGES,
    Get,
    flat_params,
    is_whole,
    json_of,
    mapping,
    metrics,
    name_of,
    named_numbers,
    number,
    numbers,
    packages_of,
)

NOT_COUNTED = frozenset(f"stages/{name}.json" for name in NOT_STAGES)
"""Files by which two records of one run may differ: the report was drawn again."""

_MAX_WORDS = 300


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
        packages: digest over the names and versions of all installed packages.
        certificate: the best one that says what came out when it was run again: `verdict`, `relation`, `when`
            and `file`. No record holds it: a history file does.
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
    packages: str | None = None
    certificate: Mapping[str, str] | None = None

    @property
    def name(self) -> str:
        """What people call it: the experiment's name, else the run id."""
        return self.experiment or self.run_id


def read(
    get: Get,
    stages: Iterable[str],
    *,
    ids: Mapping[str, str] | None = None,
    problems: list[str] | None = None,
    **place: str | None,
) -> Run | None:
    """Return the run that a record tells of; None where it names none.

    Args:
        get: the record's files; and `params.yaml`, the project's own, for a run that has not come as far as
            copying it.
        stages: the names of the stages that left a record of their own in it.
        ids: the object ids of the record's files, by name, where Git holds it.
        problems: takes what could not be read, in words.
        place: `commit`, `experiment`, `branch` and `baseline`, which take the place of what the record says.
    """
    meta = json_of(get("meta.json"))
    copied = None if ids is None else excerpt_in(meta, ids)
    return of_meta(meta, get, stages, copied=copied, problems=problems, **place)


def of_meta(
    meta: Mapping[str, Any],
    get: Get,
    stages: Iterable[str],
    *,
    copied: Mapping[str, Any] | None = None,
    problems: list[str] | None = None,
    **place: str | None,
) -> Run | None:
    """Return as `read` does the run whose meta.json has been parsed already; `copied` is of `excerpt_in`."""
    run_id = name_of(meta.get("run_id"))
    if not run_id:
        return None
    found = Files(get, [] if problems is None else problems)
    found.look_at_schema(meta)
    whole, error = is_whole(meta), mapping(meta, "error")
    if copied is not None:
        records: dict[str, dict[str, Any]] = {}
    else:
        # Of a run that has not ended, other files may be those of the run before it.
        named = meta["stages"] if whole else [own] if (own := error.get("stage")) else stages
        left = [name for name in stages if name in named]
        records = {name: found.json(f"stages/{name}.json") for name in left}
        if whole:
            found.miss(f"stages/{name}.json" for name in named if name not in left)
            copied = copied_from(found, records)
        else:
            records = {name: one for name, one in records.items() if one.get("run_id") == run_id}
            copied = {"params": flat_params(get("params.yaml")), "metrics": metrics(records)}
    anchor = anchor_of(records)
    flat = flat_without_secrets(mapping(copied, "params"))
    experiment, code = mapping(meta, "experiment"), mapping(meta, "git") or mapping(anchor, "code")
    continued = mapping(meta, "stages", ANCHOR, "continued") or mapping(
        records.get(ANCHOR, {}), "resume", "continued"
    )
    ran = mapping(anchor, "dvc")
    job = {"job": anchor["job"]} if isinstance(anchor.get("job"), dict) else {}
    recorded: dict[str, Any] = {
        "experiment": experiment.get("name") or copied.get("experiment") or ran.get("experiment"),
        "branch": code.get("branch"),
        "baseline": experiment.get("baseline") or copied.get("baseline") or ran.get("baseline"),
    }
    seed = meta.get("seed", flat.get("seed"))
    return Run(
        run_id=run_id,
        commit=place.get("commit"),
        experiment=place.get("experiment") or name_of(recorded["experiment"]),
        branch=place.get("branch") or name_of(recorded["branch"]),
        baseline=place.get("baseline") or name_of(recorded["baseline"]),
        status=name_of(meta.get("status")) or "in_progress",
        start_time=name_of(meta.get("start_time") or anchor.get("start_time")),
        end_time=name_of(meta.get("end_time") or copied.get("end_time") or anchor.get("end_time")),
        runtime_seconds=number(meta.get("runtime_seconds")),
        seed=seed if isinstance(seed, int) and not isinstance(seed, bool) else None,
        device=name_of(meta.get("device") or mapping(anchor, "facts").get("device")),
        code_tree=name_of(code.get("code_tree")),
        data=name_of(copied.get("data")),
        fingerprint=name_of(
            mapping(meta, "stages", "benchmark").get("fingerprint")
            or meta.get("fingerprint")
            or mapping(anchor, "environment").get("fingerprint")
        ),
        params=flat,
        metrics=numbers(mapping(copied, "metrics")),
        headline=dict(zip(*named_numbers(mapping(copied, "headline")), strict=True)),
        links=data_without_secrets(job | ({} if whole else _links(flat)) | mapping(meta, "links")),
        argv=name_of(meta.get("argv") or anchor.get("argv")),
        pull_request=name_of(code.get("pull_request") or anchor.get("pull_request")),
        model_digest=name_of(copied.get("model_digest")),
        error={key: clean(str(value))[:_MAX_WORDS] for key, value in error.items()} or None,
        continues=name_of(continued.get("run_id")),
        packages=packages_of(meta),
        certificate=None,
    )


def _links(flat: Mapping[str, Any]) -> dict[str, str]:
    """Of a run that failed before meta.json had them."""
    return {
        key.removeprefix("links."): value
        for key, value in flat.items()
        if key.startswith("links.") and isinstance(value, str)
    }
