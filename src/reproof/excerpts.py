"""What meta.json repeats of the files beside it, so that a run is read from one file: the excerpt.

With it stand the Git object ids of the files that it was taken from. Where Git holds these very objects
beside it, it is believed; else the files themselves are read.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from reproof.clean_words import clean
from reproof.record_values import (
    ANCHOR,
    Get,
    data_of,
    flat_params,
    is_whole,
    json_of,
    mapping,
    metrics,
    name_of,
    number,
)

_MODELS = ("results/latest/model.onnx", "results/latest/checkpoint")
_COPIED = ("summary.json", "digests.json", "config.yaml", "split_checksums.json")
"""Files beside meta.json that a run is read from, with those of its stages."""
_SCHEMA_VERSION = 1


def excerpt(get: Get, stages: Iterable[str]) -> dict[str, Any]:
    """Return what meta.json repeats of the other files, and the Git object id of each one's bytes (SHA-1).

    Args:
        get: the record's files.
        stages: the stages that `meta.json` names.
    """
    found = Files(get, [])
    names = list(stages)
    records = {name: found.json(f"stages/{name}.json") for name in names}
    data = {name: get(name) for name in read_from(tuple(names))}
    taken = {name: blob_id(one) for name, one in data.items() if one is not None}
    return {**copied_from(found, records), "reads": taken}


@functools.lru_cache(maxsize=1024)
def read_from(stages: tuple[str, ...]) -> tuple[str, ...]:
    """Return the files beside meta.json that a whole run is read from."""
    return (*_COPIED, *(f"stages/{name}.json" for name in stages))


def needed(meta: Mapping[str, Any], names: Iterable[str]) -> Iterable[str]:
    """Return the files that `of_meta` is going to ask for, where it has no excerpt.

    Args:
        meta: parsed.
        names: of the stages that left a record.
    """
    if not is_whole(meta):
        return [f"stages/{name}.json" for name in names]
    return read_from(tuple(name for name in names if name in meta["stages"]))


def excerpt_in(meta: Mapping[str, Any], ids: Mapping[str, str]) -> dict[str, Any] | None:
    """Return the excerpt in meta.json, where beside it lies what it was taken from; else None.

    Args:
        meta: parsed.
        ids: the object ids of the record's files, by name.
    """
    copied = meta.get("excerpt")
    taken = mapping(copied, "reads")
    if not taken or not is_whole(meta):
        return None
    names = read_from(tuple(meta["stages"]))
    return copied if list(map(taken.get, names)) == list(map(ids.get, names)) else None


def blob_id(data: bytes) -> str:
    """Return the id that Git gives a file's bytes in a repository of SHA-1 (gitformat: `blob <size>\\0`)."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def copied_from(found: Files, records: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What a whole run is read from beside meta.json."""
    summary = found.json("summary.json", needed=True)
    artefacts = mapping(found.json("digests.json", needed=True), "artefacts")
    ran = mapping(anchor_of(records), "dvc")
    return {
        "params": found.params(),
        "metrics": metrics(records),
        "headline": {clean(name): number(value) for name, value in mapping(summary, "metrics").items()},
        "end_time": name_of(summary.get("end_time")),
        "data": data_of(found.json("split_checksums.json")),
        "model_digest": name_of(next(filter(None, map(artefacts.get, _MODELS)), None)),
        "experiment": name_of(ran.get("experiment")),
        "baseline": name_of(ran.get("baseline")),
    }


def anchor_of(records: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    return records.get(ANCHOR) or next(iter(records.values()), {})


class Files:
    """The files of a record, and what could not be read of them."""

    def __init__(self, get: Get, problems: list[str]) -> None:
        self.get, self._problems = get, problems

    def json(self, name: str, *, needed: bool = False) -> dict[str, Any]:
        data = self.get(name)
        found = json_of(data)
        if data is None and needed:
            self.miss([name])
        elif data is not None and not found and data.strip() != b"{}":
            self._problems.append(f"{name} is no JSON object")
        return found

    def params(self) -> dict[str, Any]:
        data = self.get("config.yaml")
        found = flat_params(data)
        if not found:
            self._problems.append(f"config.yaml {'is missing' if data is None else 'cannot be read'}")
        return found

    def miss(self, names: Iterable[str]) -> None:
        self._problems += [f"{name} is missing" for name in names]

    def look_at_schema(self, meta: Mapping[str, Any]) -> None:
        version = meta.get("schema_version")
        if not isinstance(version, int) or version < _SCHEMA_VERSION:
            self._problems.append("meta.json is of an older schema: what it calls otherwise is not shown")
        elif version > _SCHEMA_VERSION:
            newer = f"meta.json is of a newer schema ({version}): what only that one has is not shown"
            self._problems.append(f"{newer}; update the library")
