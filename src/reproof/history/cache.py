"""What was read before, by object ids: nothing in it can go stale, and nothing is lost with it.

It lies in the repository's own folder, which all worktrees share. A writer adds a file of its own and changes
none, so that several can write at once; a file's name holds the digest of its content, so that a torn one is
no file. A bare repository has none: it is somebody's server.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import orjson

from reproof import clean_words, excerpts, record_values, recorded, redact
from reproof.history.holding import Files, Held
from reproof.history.repository import Repository
from reproof.recorded import Run

FOLDER = "reproof/history"
_MAX_BYTES = 128_000_000
_MAX_FILES = 8
_FORGOTTEN_SECONDS = 30 * 86_400
_MAPPINGS = ("params", "metrics", "headline")
_PLAIN = tuple(one.name for one in fields(Run) if one.name not in _MAPPINGS)


@dataclass(frozen=True)
class Entry:
    """What a record says, wherever it stands.

    Attributes:
        run: without its place, but for what the record itself says of it.
        executions: the run ids of its stages.
        problems: what could not be read, in words.
        by_params: whether the project's params.yaml was read too: the run has not come as far as copying it.
    """

    run: Run
    executions: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    by_params: bool = False


@dataclass
class Known:
    """What has been read.

    Attributes:
        held: what commits hold; `tags` the commits that tags' own objects stand for.
        entries: by the key of the record, followed by the id of params.yaml where that was read too.
        walks: the commits that changed a record, and on which tips commits are, by what the walk began with.
    """

    held: dict[str, Held] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    entries: dict[str, Entry] = field(default_factory=dict)
    walks: dict[str, tuple[list[str], dict[str, int]]] = field(default_factory=dict)


class Cache:
    """The files of what was read before; without a folder, none."""

    def __init__(self, repository: Repository, *, wanted: bool = True) -> None:
        own = wanted and not repository.is_bare
        # Two projects of one repository have other records in the same commits.
        where = hashlib.sha256(f"{_reader()}\n{repository.prefix}".encode()).hexdigest()[:16]
        self._folder = repository.common / FOLDER if own else None
        self._version = where
        self._read: list[Path] = []

    def load(self) -> Known:
        """Return what all files hold; one that is torn, or holds what is a secret now, is passed over."""
        known = Known()
        if self._folder is None:
            return known
        with contextlib.suppress(OSError):
            for path in sorted(self._folder.glob(f"{self._version}-*.json")):
                self._read.append(path)
                text = _content(path)
                if text is None:
                    continue
                try:
                    _decode(orjson.loads(text), known)
                except (ValueError, KeyError, TypeError, IndexError, AttributeError):
                    continue  # no file that `_encode` wrote
        return known

    def save(self, new: Known, live: Known) -> None:
        """Add what is new; where there are many files, write what is live in their place.

        Args:
            new: what no file held.
            live: all that this reading came upon.
        """
        if self._folder is None or not (new.held or new.tags or new.entries or new.walks):
            return
        merged = len(self._read) >= _MAX_FILES or self._size() > _MAX_BYTES
        with contextlib.suppress(OSError, TypeError):  # TypeError: what is no JSON, such as half a character
            text = orjson.dumps(_encode(live if merged else new))
            if len(text) > _MAX_BYTES:
                return
            self._folder.mkdir(parents=True, exist_ok=True)
            kept = self._write(text)
            for path in [*(self._read if merged else ()), *self._forgotten()]:
                if path != kept:
                    path.unlink(missing_ok=True)

    def _write(self, text: bytes) -> Path:
        assert self._folder is not None
        target = self._folder / f"{self._version}-{hashlib.sha256(text).hexdigest()}.json"
        # Not flushed to disk, as results are: what a power cut tears is not read, and costs another reading.
        descriptor, beside = tempfile.mkstemp(dir=self._folder, suffix=".tmp")
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(text)
            Path(beside).replace(target)
        except BaseException:
            Path(beside).unlink(missing_ok=True)
            raise
        return target

    def _size(self) -> int:
        return sum(path.stat().st_size for path in self._read if path.exists())

    def _forgotten(self) -> Iterable[Path]:
        """Files of other versions, and beginnings of files, that nobody has written for a month."""
        assert self._folder is not None
        for path in self._folder.iterdir():
            with contextlib.suppress(OSError):
                if (
                    not path.name.startswith(self._version)
                    and time.time() - path.stat().st_mtime > _FORGOTTEN_SECONDS
                ):
                    yield path


def _content(path: Path) -> bytes | None:
    """The bytes of a file that is whole."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            return None
        text = path.read_bytes()
    except OSError:
        return None  # another process has put a newer one in its place
    if path.stem.rpartition("-")[2] != hashlib.sha256(text).hexdigest():
        with contextlib.suppress(OSError):
            path.unlink()
        return None
    return None if redact.holds_secret(text.decode("utf-8", "replace")) else text


@functools.lru_cache(maxsize=1)
def _reader() -> str:
    """What the entries depend on beside the objects: the code that reads them."""
    modules = [
        Path(str(one.__file__)) for one in (recorded, record_values, excerpts, clean_words, redact)
    ] + [Path(__file__)]
    modules += [
        Path(__file__).with_name("holding.py"),
        Path(recorded.__file__).parent / "params" / "reading.py",
    ]
    return hashlib.sha256(b"".join(path.read_bytes() for path in modules if path.exists())).hexdigest()


def _encode(known: Known) -> dict[str, Any]:
    shapes: dict[tuple[str, ...], int] = {}

    def shaped(value: Mapping[str, Any]) -> list[Any]:
        """The number of its keys among `shapes`, and its values: most runs have the keys of another."""
        return [shapes.setdefault(tuple(value), len(shapes)), list(value.values())]

    records: dict[str, Any] = {}
    numbers: dict[int, int] = {}  # of records, by the objects that commits share
    held = {}
    for commit, one in known.held.items():
        number = None
        if one.files is not None:
            number = numbers.setdefault(id(one.files), len(numbers))
            if str(number) not in records:
                records[str(number)] = [one.files.key, *shaped(one.files.ids)]
        held[commit] = [one.time, number, one.params]
    entries = {
        key: [
            [getattr(entry.run, name) for name in _PLAIN],
            [shaped(getattr(entry.run, name)) for name in _MAPPINGS],
            entry.executions,
            entry.problems,
            entry.by_params,
        ]
        for key, entry in known.entries.items()
    }
    walks = {
        start: [changed, {commit: hex(bits) for commit, bits in on.items()}]
        for start, (changed, on) in known.walks.items()
    }
    parts = {"held": held, "records": records, "tags": known.tags, "entries": entries, "walks": walks}
    return {**parts, "shapes": [list(keys) for keys in shapes]}


def _decode(found: Mapping[str, Any], known: Known) -> None:
    shapes = found["shapes"]

    def mapping(shape: int, values: list[Any]) -> dict[str, Any]:
        return dict(zip(shapes[shape], values, strict=True))

    records = {number: Files(mapping(*rest), key) for number, (key, *rest) in found["records"].items()}
    for commit, (at, number, params) in found["held"].items():
        known.held[commit] = Held(at, None if number is None else records[str(number)], params)
    for key, (plain, mappings, executions, problems, by_params) in found["entries"].items():
        told = dict(zip(_PLAIN, plain, strict=True))
        for name, shaped in zip(_MAPPINGS, mappings, strict=True):
            told[name] = mapping(*shaped)
        known.entries[key] = Entry(Run(**told), tuple(executions), tuple(problems), by_params)
    known.tags |= found["tags"]
    for start, (changed, on) in found["walks"].items():
        known.walks[start] = (changed, {commit: int(bits, 16) for commit, bits in on.items()})
