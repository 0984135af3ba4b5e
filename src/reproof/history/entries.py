"""Records read out of Git's objects, a few hundred at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from reproof import excerpts, record_values, recorded
from reproof.clean_words import remember_clean
from reproof.history.cache import Entry
from reproof.history.holding import Files
from reproof.history.repository import Repository
from reproof.history.store import Store
from reproof.recorded import Run

UNKNOWN = "unknown"
"""The status of a run whose record names none: no word of the record's own."""

_TOGETHER = 32
"""Records that are in memory at once: so few that the next ones find it warm."""

Wanted = Mapping[str, tuple[Files, str | None]]
"""The files of records, and the ids of the params.yaml beside them, by `entry_key`."""


def read_entries(store: Store, repository: Repository, wanted: Wanted) -> dict[str, Entry]:
    """Read records.

    Returns:
        What each says, by its key; followed by the id of params.yaml where that was read too.
    """
    found: dict[str, Entry] = {}
    keys: dict[str, list[str]] = {}
    for key, (files, _) in wanted.items():
        keys.setdefault(files.ids["meta.json"], []).append(key)
    beside = Store(repository)  # the first one is still answering
    metas: dict[str, bytes] = {}
    for one, kind, data in store.read(list(keys)):
        if kind == "blob":
            metas[one] = data
        if len(metas) == _TOGETHER:
            found |= _read(beside, {key: wanted[key] for one in metas for key in keys.pop(one)}, metas)
            metas = {}
    # And those whose meta.json is not here.
    return found | _read(beside, {key: wanted[key] for left in keys.values() for key in left}, metas)


def entry_key(key: str, params: str | None) -> str:
    """Return the key of a record that was read together with a params.yaml."""
    return f"{key}:{params or ''}"


def _read(store: Store, wanted: Wanted, blobs: dict[str, bytes]) -> dict[str, Entry]:
    """Read records whose meta.json are in `blobs` already."""
    metas = {
        key: record_values.json_of(blobs.get(files.ids["meta.json"])) for key, (files, _) in wanted.items()
    }
    remember_clean(text for meta in metas.values() for text in _texts(meta))
    held = {key: excerpts.excerpt_in(meta, wanted[key][0].ids) for key, meta in metas.items()}
    needed: set[str] = set()
    for key, meta in metas.items():
        if held[key] is None:
            files, params = wanted[key]
            names = excerpts.needed(meta, _stages(files))
            needed |= {files.ids[name] for name in names if name in files.ids}
            if params and not record_values.is_whole(meta):
                needed.add(params)
    if needed:
        _fetch(store, blobs, needed)
    found = {}
    for key, meta in metas.items():
        entry = _entry(meta, held[key], *wanted[key], blobs)
        found[key if entry.by_params else wanted[key][0].key] = entry
    return found


def _fetch(store: Store, blobs: dict[str, bytes], ids: set[str]) -> None:
    for one, kind, data in store.read(sorted(ids - blobs.keys())):
        if kind == "blob":
            blobs[one] = data


def _entry(
    meta: dict[str, Any],
    copied: Mapping[str, Any] | None,
    files: Files,
    params: str | None,
    blobs: Mapping[str, bytes],
) -> Entry:
    ids = files.ids

    def get(name: str) -> bytes | None:
        if name == "params.yaml":
            return blobs.get(params or "")
        return blobs.get(ids.get(name, ""))

    problems: list[str] = []
    stages = _stages(files) if copied is None else []
    run = recorded.of_meta(meta, get, stages, copied=copied, problems=problems)
    by_params = not record_values.is_whole(meta)
    if run is not None:
        return Entry(run, tuple({run.run_id, *executions(meta)}), tuple(problems), by_params)
    if ids["meta.json"] not in blobs:
        problem = "meta.json is not in this clone, or too large for one"
    else:
        problem = "meta.json names no run" if meta else "meta.json is no JSON object"
    flat = record_values.flat_params(get("params.yaml"))
    seed = flat.get("seed")
    run = Run("", status=UNKNOWN, params=flat, seed=seed if type(seed) is int else None)
    return Entry(run, problems=(problem,), by_params=True)


def executions(meta: Mapping[str, Any]) -> Iterator[str]:
    """Yield the run ids of a record's stages."""
    for stage in record_values.mapping(meta, "stages").values():
        if isinstance(stage, dict) and isinstance(stage.get("run_id"), str):
            yield stage["run_id"]


def _stages(files: Files) -> list[str]:
    found = [name[7:-5] for name in files.ids if name.startswith("stages/") and name.endswith(".json")]
    return [name for name in found if name not in record_values.NOT_STAGES]


def _texts(meta: Mapping[str, Any]) -> Iterable[str]:
    """What is another in every run, and stands in its row."""
    told = [meta.get(name) for name in ("run_id", "start_time", "end_time")]
    told += [
        record_values.mapping(meta, "experiment").get("name"),
        record_values.mapping(meta, "links", "job").get("id"),
    ]
    excerpt = record_values.mapping(meta, "excerpt")
    told += [excerpt.get("model_digest"), excerpt.get("end_time")]
    return [text for text in told if isinstance(text, str)]
