"""Which commits hold which record: from commits down to the files' ids, every object read once."""

from __future__ import annotations

import functools
import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from reproof import recorded
from reproof.history.repository import Repository
from reproof.history.store import FILES, FOLDERS, Entry, Store, entries
from reproof.invocation import LATEST

_PARAMS, _STAGES = b"params.yaml", b"stages"
_ID = re.compile("[0-9a-f]{40}(?:[0-9a-f]{24})?")


@dataclass(frozen=True)
class Files:
    """The files of a record, and what it is known by.

    Attributes:
        ids: object ids by name in results/latest.
        key: equal where all that was recorded is: the report, drawn again of the same run, is no part of it.
    """

    ids: Mapping[str, str]
    key: str


@dataclass(frozen=True)
class Held:
    """What a commit holds.

    Attributes:
        time: of the commit, in seconds since 1970.
        files: None where it holds no results/latest with a meta.json.
        params: the id of its params.yaml.
    """

    time: int
    files: Files | None = None
    params: str | None = None


@dataclass
class Seen:
    """What commits hold, and what could not be read.

    Attributes:
        held: by commit.
        named: the commit that each asked id stands for: a tag's own object stands for the tagged one.
        lacking: commits whose commit object or folders are not here, such as in a partial clone.
    """

    held: dict[str, Held] = field(default_factory=dict)
    named: dict[str, str] = field(default_factory=dict)
    lacking: set[str] = field(default_factory=set)


def look(store: Store, repository: Repository, asked: Iterable[str]) -> Seen:
    """Look at what commits hold.

    Args:
        store: of the objects.
        repository: that they are of.
        asked: ids of commits, or of annotated tags.
    """
    seen = Seen()
    times, at = _commits(store, list(dict.fromkeys(asked)), seen)
    kind = repository.object_format
    params: dict[str, str] = {}
    *above, first, last = (*filter(None, repository.prefix.split("/")), *LATEST.split("/"))
    for part in above:
        at = _step(store, kind, at, part, seen)
    at = _step(store, kind, at, first, seen, params)
    at = _step(store, kind, at, last, seen)
    records = _records(store, kind, at.values())
    for commit, tree in at.items():
        if tree not in records:
            seen.lacking.add(commit)
    for commit, time in times.items():
        seen.held[commit] = Held(time, records.get(at.get(commit, "")), params.get(commit))
    return seen


def _commits(store: Store, ids: list[str], seen: Seen) -> tuple[dict[str, int], dict[str, str]]:
    """The times of commits, and their top folders."""
    times, trees = {}, {}
    stands_for = {one: {one} for one in ids}  # an object, and the asked ids that it stands for
    while stands_for:
        behind: dict[str, set[str]] = {}
        left = dict(stands_for)
        for one, kind, data in store.read(list(stands_for)):
            askers = left.pop(one, set())
            if kind == "tag":
                behind.setdefault(_id_after(b"object ", data), set()).update(askers)
            if kind != "commit":
                continue
            head = data.partition(b"\n\n")[0]
            trees[one] = _id_after(b"tree ", head)
            times[one] = _time(head)
            seen.named |= dict.fromkeys(askers, one)
        seen.lacking |= {asker for askers in left.values() for asker in askers}
        stands_for = {one: askers for one, askers in behind.items() if one not in times}
        for one in behind.keys() & times.keys():
            seen.named |= dict.fromkeys(behind[one], one)
    return times, trees


def _id_after(word: bytes, data: bytes) -> str:
    """The id in an object's first line; zeros, which no object has, where that holds something else."""
    line = data.partition(b"\n")[0]
    found = line.removeprefix(word).decode("ascii", "replace")
    return found if line.startswith(word) and _ID.fullmatch(found) else "0" * 40


def _time(head: bytes) -> int:
    start = head.find(b"\ncommitter ")
    words = head[start + 1 :].split(b"\n", 1)[0].rsplit(b" ", 2) if start >= 0 else []
    return int(words[1]) if len(words) == 3 and words[1].isdigit() else 0


def _step(
    store: Store,
    object_format: str,
    at: Mapping[str, str],
    name: str,
    seen: Seen,
    params: dict[str, str] | None = None,
) -> dict[str, str]:
    """Go from each commit's folder into the one called `name`; `params` takes the params.yaml beside it."""
    wanted = os.fsencode(name)
    inner: dict[str, str | None] = {}
    beside: dict[str, str] = {}
    for tree, kind, data in store.read(list(dict.fromkeys(at.values()))):
        if kind != "tree":
            continue
        inner[tree] = None
        for mode, entry, one in entries(data, object_format):
            if entry == wanted and mode in FOLDERS:
                inner[tree] = one.hex()
            elif entry == _PARAMS and mode in FILES:
                beside[tree] = one.hex()
    if params is not None:
        params |= {commit: beside[tree] for commit, tree in at.items() if tree in beside}
    seen.lacking |= {commit for commit, tree in at.items() if tree not in inner}
    return {commit: found for commit, tree in at.items() if (found := inner.get(tree)) is not None}


def _records(store: Store, object_format: str, trees: Iterable[str]) -> dict[str, Files | None]:
    """The records in folders, None where one holds no meta.json; one that is not all here is left out."""
    tops: dict[str, list[Entry]] = {}
    stages: dict[str, str] = {}
    for tree, kind, data in store.read(list(dict.fromkeys(trees))):
        if kind == "tree":
            tops[tree] = entries(data, object_format)
            for mode, name, one in tops[tree]:
                if name == _STAGES and mode in FOLDERS:
                    stages[tree] = one.hex()
    inner: dict[str, list[Entry]] = {}
    for tree, kind, data in store.read(list(dict.fromkeys(stages.values()))):
        if kind == "tree":
            inner[tree] = entries(data, object_format)
    found: dict[str, Files | None] = {}
    for tree, top in tops.items():
        below = inner.get(stages[tree]) if tree in stages else []
        if below is not None:
            found[tree] = _files(top, below)
    return found


def _files(top: Iterable[Entry], below: Iterable[Entry]) -> Files | None:
    """The files of a record, by what its folder and its folder `stages` hold."""
    ids = {_text(name): one.hex() for mode, name, one in top if mode in FILES}
    if "meta.json" not in ids:
        return None
    ids |= {_stage_file(name): one.hex() for mode, name, one in below if mode in FILES}
    told = [f"{one} {name}" for name, one in ids.items() if name not in recorded.NOT_COUNTED]
    return Files(ids, hashlib.sha256("\n".join(told).encode()).hexdigest())


@functools.lru_cache(maxsize=4096)
def _text(name: bytes) -> str:
    """A file's name; what is no UTF-8 comes as escapes."""
    return name.decode("utf-8", "backslashreplace")


@functools.lru_cache(maxsize=4096)
def _stage_file(name: bytes) -> str:
    return f"stages/{_text(name)}"
