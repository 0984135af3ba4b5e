"""The data of two runs, by content: which splits differ, and which examples came, went or moved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from reproof.difference.contents import Contents
from reproof.difference.sides import Side
from reproof.record_values import mapping

_MAX_NAMED = 5


@dataclass(frozen=True)
class Split:
    """One split that is not the same content in both runs.

    Attributes:
        name: such as `test`.
        size_a: how many examples the first run's has; None where no record says.
        size_b: of the second.
        came: examples that only the second run's has; None where no record lists them.
        went: examples that only the first run's has.
        came_from: of those that came, how many stood in another split of the first run, by its name.
        went_to: of those that went, how many stand in another split of the second, by its name.
        examples_came: a few of them.
        examples_went: a few of them.
        changed: ids that both have and whose content differs; None where the contents cannot be had.
        content_came: examples whose content only the second run's has, under whatever id.
        content_went: examples whose content only the first run's has.
        note: what the lists do not tell, in words.
    """

    name: str
    size_a: int | None
    size_b: int | None
    came: int | None
    went: int | None
    came_from: Mapping[str, int]
    went_to: Mapping[str, int]
    examples_came: tuple[str, ...]
    examples_went: tuple[str, ...]
    note: str | None
    changed: int | None = None
    content_came: int | None = None
    content_went: int | None = None


@dataclass(frozen=True)
class Input:
    """A file of raw data whose content differs; None on a side that did not read it."""

    path: str
    a: str | None
    b: str | None


@dataclass(frozen=True)
class Data:
    """What differs in the data.

    Attributes:
        same: whether all splits have the same content; None where a record does not tell.
        missing_reason: why it is not known.
        splits: those that differ.
        inputs: raw files that differ.
        is_other_split: whether both runs have the same examples by their ids, divided otherwise.
    """

    same: bool | None
    missing_reason: str | None
    splits: tuple[Split, ...]
    inputs: tuple[Input, ...]
    is_other_split: bool = False

    @property
    def from_train_to_test(self) -> int:
        """How many examples that one run trained on are tested on by the other: scores of theirs mislead."""
        return sum(
            count
            for split in self.splits
            if split.name == "test"
            for moved in (split.came_from, split.went_to)
            for name, count in moved.items()
            if name == "train"
        )


def compare(a: Side, b: Side, contents: Contents) -> Data:
    """Return what differs in the data: by the splits' checksums, by the ids, and by the examples' content."""
    first, second = mapping(a.checksums, "splits"), mapping(b.checksums, "splits")
    inputs = _inputs(a, b)
    lacking = [one.row.name for one, sums in ((a, first), (b, second)) if not sums]
    if lacking:
        reason = f"the record of {' and of '.join(lacking)} has no checksums of its splits"
        return Data(None, reason, (), inputs)
    names = [name for name in dict.fromkeys([*first, *second]) if first.get(name) != second.get(name)]
    listed = _ids(a), _ids(b)
    splits = tuple(
        _by_content(_split(name, (a, b), listed, (name in first, name in second)), a, b, contents)
        for name in names
    )
    moved = any(one.came or one.went for one in splits)
    return Data(not names, None, splits, inputs, moved and _everyone(listed[0]) == _everyone(listed[1]))


def _everyone(listed: dict[str, list[str]] | None) -> set[str]:
    return {one for ids in (listed or {}).values() for one in ids}


def _inputs(a: Side, b: Side) -> tuple[Input, ...]:
    first, second = (mapping(one.digests, "inputs") for one in (a, b))
    return tuple(
        Input(path, first.get(path), second.get(path))
        for path in sorted({*first, *second})
        if first.get(path) != second.get(path)
    )


def _ids(one: Side) -> dict[str, list[str]] | None:
    """The examples of each split; None where the manifest lists none, as of more than 20,000."""
    found = one.manifest.get("ids")
    if not isinstance(found, dict):
        return None
    return {name: [str(each) for each in ids] for name, ids in found.items() if isinstance(ids, list)}


def _split(
    name: str,
    sides: tuple[Side, Side],
    listed: tuple[dict[str, list[str]] | None, dict[str, list[str]] | None],
    has: tuple[bool, bool],
) -> Split:
    sizes = [_size(side, ids, name) for side, ids in zip(sides, listed, strict=True)]
    before, after = listed
    if not all(has):
        only = "second" if has[1] else "first"
        return _unlisted(name, sizes, f"only the {only} run has this split")
    if before is None or after is None or name not in before or name not in after:
        return _unlisted(name, sizes, _by_digest(sides, name))
    here, there = set(before[name]), set(after[name])
    came, went = [i for i in after[name] if i not in here], [i for i in before[name] if i not in there]
    note = None
    if not came and not went:
        order = before[name] != after[name]
        note = "the same examples in another order, or with other content" if order else _OTHER_CONTENT
    return Split(
        name,
        sizes[0],
        sizes[1],
        len(came),
        len(went),
        _elsewhere(came, before, name),
        _elsewhere(went, after, name),
        tuple(came[:_MAX_NAMED]),
        tuple(went[:_MAX_NAMED]),
        note,
    )


def _by_content(found: Split, a: Side, b: Side, contents: Contents) -> Split:
    """The same, with what the examples themselves tell, where both files of the split can be had."""
    first, second = contents.of(a.row, found.name), contents.of(b.row, found.name)
    if isinstance(first, str) or isinstance(second, str):
        why = first if isinstance(first, str) else second
        return replace(found, note="; ".join(filter(None, (found.note, f"not compared by content: {why}"))))
    before, after = (Counter(one.whole for one in side.values()) for side in (first, second))
    changed = sum(first[name] != second[name] for name in first.keys() & second.keys())
    reordered = not changed and first.keys() == second.keys()
    return replace(
        found,
        changed=changed,
        content_came=(after - before).total(),
        content_went=(before - after).total(),
        note="the same examples in another order, or under other names of columns" if reordered else None,
    )


_OTHER_CONTENT = "the same ids, and other content: features, labels or groups"


def _unlisted(name: str, sizes: list[int | None], note: str) -> Split:
    return Split(name, sizes[0], sizes[1], None, None, {}, {}, (), (), note)


def _by_digest(sides: tuple[Side, Side], name: str) -> str:
    digests = [mapping(side.manifest, "ids_digest").get(name) for side in sides]
    if None in digests:
        return "the records do not list who is in it"
    same = digests[0] == digests[1]
    return _OTHER_CONTENT if same else "other ids; too many for the record to list them"


def _size(side: Side, listed: dict[str, list[str]] | None, name: str) -> int | None:
    found: Any = mapping(side.manifest, "sizes").get(name)
    if isinstance(found, int) and not isinstance(found, bool):
        return found
    return len(listed[name]) if listed and name in listed else None


def _elsewhere(ids: list[str], splits: Mapping[str, list[str]], own: str) -> dict[str, int]:
    wanted = set(ids)
    found = {name: len(wanted.intersection(held)) for name, held in splits.items() if name != own}
    return {name: count for name, count in found.items() if count}
