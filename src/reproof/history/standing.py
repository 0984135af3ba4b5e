"""Where runs stand: on which branches and tags commits are, and what they are called."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from reproof.history.repository import HEADS, REMOTES, TAGS, Refs, Repository, Walk, start_points


@dataclass
class Standing:
    """Branches and tags, and the commits on them.

    Attributes:
        tips: full names, in the order of their bits.
        on: for each commit the tips that hold it, as bits.
        changed: the commits that changed a record.
    """

    tips: list[str]
    on: Mapping[str, int]
    changed: list[str]
    _names: dict[int, tuple[str, ...]] = field(default_factory=dict)
    _branch: dict[int, str | None] = field(default_factory=dict)

    def names(self, commits: Iterable[str]) -> tuple[str, ...]:
        """The short names of the branches and tags that hold one of the commits."""
        bits = 0
        for commit in commits:
            bits |= self.on.get(commit, 0)
        if bits not in self._names:
            found = (short(name) for bit, name in enumerate(self.tips) if bits >> bit & 1)
            self._names[bits] = tuple(dict.fromkeys(found))
        return self._names[bits]

    def branch(self, commit: str | None) -> str | None:
        """The local branch that holds a commit, where it is only one."""
        bits = self.on.get(commit or "", 0)
        if bits not in self._branch:
            held = [name for bit, name in enumerate(self.tips) if bits >> bit & 1 and name.startswith(HEADS)]
            self._branch[bits] = short(held[0]) if len(held) == 1 else None
        return self._branch[bits]


def short(name: str) -> str:
    """Return a ref's name as people write it: main, v1.0, origin/main."""
    for kind in (HEADS, TAGS, REMOTES):
        name = name.removeprefix(kind)
    return name


def key_of(repository: Repository, found: Refs) -> str:
    """Return what a walk over all commits depends on: where it begins, and where the clone ends."""
    shallow = Path(repository.common, "shallow")
    ends = shallow.read_bytes() if repository.is_shallow and shallow.is_file() else b""
    told = [f"{one} {name}" for name, one in sorted(found.tips.items())]
    return hashlib.sha256("\n".join([*told, *sorted(start_points(found))]).encode() + ends).hexdigest()


def stand(found: Refs, walk: Walk, named: Mapping[str, str]) -> tuple[list[str], dict[str, int]]:
    """Return the commits that changed a record; and for each of them and each baseline the tips that hold it.

    Args:
        found: the refs.
        walk: over all commits that they reach.
        named: the commits that tags' own objects stand for.
    """
    on: dict[str, int] = {}
    for bit, name in enumerate(sorted(found.tips)):
        tip = named.get(found.tips[name], found.tips[name])
        on[tip] = on.get(tip, 0) | 1 << bit
    for commit, *parents in walk.parents():  # children before their parents
        bits = on.get(commit, 0)
        for parent in parents:
            on[parent] = on.get(parent, 0) | bits
    changed = walk.changed()
    asked = {*changed, *(named.get(one, one) for one in start_points(found))}
    return changed, {commit: on[commit] for commit in asked if on.get(commit)}
