"""Records and the commits that hold them, gathered from a repository and from what was read of it before."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from reproof.history import standing
from reproof.history.cache import Cache, Entry, Known
from reproof.history.entries import entry_key, read_entries
from reproof.history.holding import Files, look
from reproof.history.repository import Walk, open_at, refs, start_points
from reproof.history.standing import Standing
from reproof.history.store import Store

OF_EXPERIMENT, CHANGED, TIP = 0, 1, 2
"""How a commit came to be looked at."""


@dataclass(frozen=True)
class Place:
    """A commit that holds a record; `rank` says how it came to be looked at, the one that is named first."""

    commit: str
    time: int
    rank: int
    experiment: str | None = None
    baseline: str | None = None


@dataclass
class Group:
    """A record, and all places where it stands."""

    entry: Entry
    places: list[Place] = field(default_factory=list)


class Gathered:
    """One reading of a repository.

    Attributes:
        repository: that was read.
        refs: its refs.
        where: on which branches and tags commits are.
        groups: the records, each once, by their keys.
        live: all that was come upon.
        lacking: commits not all of whose objects are here.
    """

    def __init__(self, root: Path, *, cache: bool) -> None:
        self.repository = open_at(root)
        found = self.refs = refs(self.repository)
        self._cache = Cache(self.repository, wanted=cache)
        self._known = self._cache.load()
        self._new, self.live = Known(), Known()
        self._store = Store(self.repository)
        self.lacking: set[str] = set()
        key = standing.key_of(self.repository, found)
        walk = None if key in self._known.walks else Walk(self.repository, start_points(found))
        self.look([*start_points(found), *(commit for commit, _, _ in found.experiments)])
        if walk is None:
            changed, on = self.live.walks[key] = self._known.walks[key]
        else:
            changed, on = standing.stand(found, walk, self.live.tags)
            if not walk.is_cut:
                self.live.walks[key] = self._new.walks[key] = (changed, on)
        self.look(changed)
        self.where = Standing(sorted(found.tips), on, changed)
        self.groups = self._groups(self._places())
        self._cache.save(self._new, self.live)

    def look(self, asked: Iterable[str]) -> None:
        """Find out what commits hold, and keep it."""
        live, known = self.live, self._known
        unknown = []
        for one in asked:
            commit = known.tags.get(one, one)
            if commit != one:
                live.tags[one] = commit
            if commit in known.held:
                live.held[commit] = known.held[commit]
            elif commit not in live.held:
                unknown.append(one)
        if not unknown:
            return
        seen = look(self._store, self.repository, unknown)
        self.lacking |= seen.lacking
        held = {commit: one for commit, one in seen.held.items() if commit not in seen.lacking}
        tags = {one: commit for one, commit in seen.named.items() if one != commit}
        for part in (live, self._new):
            part.held |= held
            part.tags |= tags

    def _places(self) -> Iterator[Place]:
        held, tags = self.live.held, self.live.tags
        for commit, name, baseline in self.refs.experiments:
            if commit in held:
                yield Place(commit, held[commit].time, OF_EXPERIMENT, name, baseline)
        for commit in self.where.changed:
            if commit in held:
                yield Place(commit, held[commit].time, CHANGED)
        for one in start_points(self.refs):
            commit = tags.get(one, one)
            if commit in held:
                yield Place(commit, held[commit].time, TIP)

    def key(self, files: Files, params: str | None) -> str:
        """The key of a record among `groups`, by its files and the params.yaml beside them."""
        return files.key if files.key in self.live.entries else entry_key(files.key, params)

    def _groups(self, places: Iterable[Place]) -> dict[str, Group]:
        """The records, each once, by their keys."""
        live, known = self.live, self._known
        recorded = [(place, one, one.files) for place in places if (one := live.held[place.commit]).files]
        wanted: dict[str, tuple[Files, str | None]] = {}
        for _, one, files in recorded:
            assert files is not None
            full = entry_key(files.key, one.params)
            for key in (files.key, full):
                if key in known.entries:
                    live.entries[key] = known.entries[key]
                    break
            else:
                wanted[full] = (files, one.params)
        if wanted:
            read = read_entries(self._store, self.repository, wanted)
            live.entries |= read
            self._new.entries |= {key: entry for key, entry in read.items() if not self._is_absent(entry)}
        groups: dict[str, Group] = {}
        for place, one, files in recorded:
            assert files is not None
            key = self.key(files, one.params)
            if key not in groups:
                groups[key] = Group(live.entries[key])
            groups[key].places.append(place)
        return groups

    def _is_absent(self, entry: Entry) -> bool:
        """Whether it may be read another time: a file was not here, as in a partial clone."""
        return self.repository.is_partial and bool(entry.problems)


@contextlib.contextmanager
def no_garbage_collection() -> Iterator[None]:
    """What is read stays, and has no cycles: to look through it again and again takes a third of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
