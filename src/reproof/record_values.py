"""What stands in the files of a record: values of the kind that is asked for, or none."""

from __future__ import annotations

import functools
import hashlib
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson

from reproof.clean_words import clean, clean_names, data_without_secrets
from reproof.errors import ReproofError
from reproof.plain import plain

ANCHOR = "train"
"""The stage whose execution names the run; without it, the stage that ended last."""
NOT_STAGES = ("report", "summarize")
"""Stages that make the record, or are made of it: they measure nothing."""

_MAX_NAME = 200
_TOP_LEVEL = re.compile(r"^(?=[^\s#-])", flags=re.MULTILINE)

Get = Callable[[str], bytes | None]
"""The bytes of a file of a record, by its path in it; None where there is none."""


def files_of(folder: Path) -> tuple[Get, list[str]]:
    """Return what `read` takes, for a record that lies in `<project>/results/<run>`."""

    def get(name: str) -> bytes | None:
        try:
            return (folder.parents[1] if name == "params.yaml" else folder).joinpath(name).read_bytes()
        except OSError:
            return None

    return get, sorted(path.stem for path in (folder / "stages").glob("*.json"))


def json_of(data: bytes | None) -> dict[str, Any]:
    """Return a JSON object; an empty one for what is none."""
    if data is None:
        return {}
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def mapping(value: Any, *keys: str) -> dict[str, Any]:
    """Return the mapping that stands under `keys` of a value; an empty one where there is none."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def number(value: Any) -> float | None:
    """Return a finite number; None for anything else."""
    if type(value) not in (int, float) or not math.isfinite(value):
        return None
    return float(value) if type(value) is float else int(value)


def words(value: Any) -> str | None:
    """Return words without secrets; None for anything else, and for none."""
    return clean(value) if isinstance(value, str) and value.strip() else None


def name_of(value: Any) -> str | None:
    return _short(value) if type(value) is str else None


@functools.lru_cache(maxsize=4096)
def _short(value: str) -> str | None:
    found = words(value)
    return found and found[:_MAX_NAME]


def is_whole(meta: Mapping[str, Any]) -> bool:
    """Whether `summarize` has written this meta.json: before, it holds run id, status and error alone."""
    return isinstance(meta.get("stages"), dict)


def flat_params(text: bytes | None) -> dict[str, Any]:
    """Return the params of a file, flat, as plain JSON data without secrets; none where it cannot be read."""
    try:
        if text is None:
            return {}
        from reproof import params

        return dict(data_without_secrets(plain(params.flatten(_parsed(text)))))
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
        return _block_of(text)
    return found


@functools.lru_cache(maxsize=4096)
def _block(text: str) -> dict[str, Any]:
    return _block_of(text.encode())


def _block_of(text: bytes) -> dict[str, Any]:
    # Only here: records of today are read without it, and pydantic's models take a tenth of a second.
    from reproof import params

    return params.parse(text, "config.yaml")[0]


def metrics(records: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    found = {stage: mapping(record, "metrics") for stage, record in records.items()}
    return numbers({f"{stage}.{name}": value for stage, one in found.items() for name, value in one.items()})


def numbers(values: Mapping[str, Any]) -> dict[str, float]:
    names = tuple(values)
    found = values.values()
    # Most often all of them are numbers, and a sum of finite numbers is one, or too large to be told by it.
    if clean_names(names) == names and _NUMBERS.issuperset(map(type, found)) and math.isfinite(sum(found)):
        return dict(values)
    return {name: one for name, one in zip(*named_numbers(values), strict=True) if one is not None}


_NUMBERS = frozenset((int, float))


def named_numbers(values: Mapping[str, Any]) -> tuple[tuple[str, ...], list[float | None]]:
    return clean_names(tuple(values)), [number(value) for value in values.values()]


def data_of(checksums: Mapping[str, Any] | None) -> str | None:
    """Return the digest over those of the splits, by split_checksums.json; None where it tells of none."""
    from reproof import digest

    splits = (checksums or {}).get("splits")
    return digest.text_of(splits) if isinstance(splits, dict) and splits else None


def packages_of(meta: Mapping[str, Any]) -> str | None:
    """Return the digest over the installed packages, by meta.json; None where it names none."""
    packages = mapping(meta, "packages")
    if not packages:
        return None
    return f"sha256:{hashlib.sha256(orjson.dumps(packages, option=orjson.OPT_SORT_KEYS)).hexdigest()}"
