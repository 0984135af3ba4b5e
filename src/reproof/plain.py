"""Params and facts as JSON that every reader takes as it is meant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class RepeatedName(ValueError):
    """A name stands twice in one JSON object: of its two values each reader takes another."""


def named_once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Return the object of these pairs, for `json.loads(…, object_pairs_hook=named_once)`.

    Raises:
        RepeatedName: when a name stands twice in it.
    """
    found = dict(pairs)
    if len(found) != len(pairs):
        raise RepeatedName("a name stands twice in one object")
    return found


def plain(value: Any) -> Any:
    """Return a value whose JSON is valid, and that DVC takes for no plot.

    NaN and infinity, which are no JSON, become words. A list that is empty or holds objects becomes a
    mapping by index: DVC draws a list of objects, and fails on an empty one.
    """
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        items = [plain(item) for item in value]
        whole = items and not any(isinstance(item, dict) for item in items)
        return items if whole else {str(index): item for index, item in enumerate(items)}
    if isinstance(value, float) and value - value != 0:
        return str(value)
    return value
