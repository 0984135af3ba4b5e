"""One thing that was looked at in a record, and the list that they are collected in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

Weight = Literal["contradiction", "obstacle"]
"""What a failed check means: the record contradicts itself, or what it was made from is not all here."""

_MAX_SHOWN = 90


@dataclass(frozen=True)
class Checked:
    """One agreement that a record has to have.

    Attributes:
        what: in words, such as `summary.json: metrics.accuracy`.
        ok: whether it holds; None where it could not be looked at, and `reason` says why.
        expected: what the one side says, where it does not hold.
        found: what the other side says.
        reason: why it was not looked at; or what it means that it does not hold.
        weight: what it means that it does not hold.
    """

    what: str
    ok: bool | None
    expected: str | None = None
    found: str | None = None
    reason: str | None = None
    weight: Weight = "contradiction"

    def __str__(self) -> str:
        sides = f"expected {self.expected}, found {self.found}" if self.expected or self.found else ""
        return ": ".join(filter(None, (self.what, sides, self.reason)))


class Findings:
    """A list of `Checked` that grows."""

    def __init__(self) -> None:
        self._all: list[Checked] = []

    def __iter__(self) -> Iterator[Checked]:
        return iter(self._all)

    def same(
        self,
        what: str,
        expected: Any,
        found: Any,
        reason: str | None = None,
        weight: Weight = "contradiction",
    ) -> bool:
        """Note whether two sides agree; return it. Both are plain data; 1 is not true, and NaN is NaN."""
        ok = key(expected) == key(found)
        if ok:
            self._all.append(Checked(what, True, weight=weight))
        else:
            sides = shown(expected), shown(found)
            self._all.append(Checked(what, False, *sides, reason=reason, weight=weight))
        return ok

    def wrong(self, what: str, reason: str, weight: Weight = "contradiction") -> None:
        """Note something that does not hold, of which there are no two sides to show."""
        self._all.append(Checked(what, False, reason=reason, weight=weight))

    def unknown(self, what: str, reason: str) -> None:
        """Note something that could not be looked at, and why."""
        self._all.append(Checked(what, None, reason=reason))

    def right(self, what: str) -> None:
        """Note something that holds."""
        self._all.append(Checked(what, True))


def key(value: Any) -> str:
    """Return text that is equal for equal plain data: 1 and 1.0 are the same number, 1 and true are not."""
    return json.dumps(_numbers(value), sort_keys=True, default=str)


def _numbers(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(name): _numbers(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_numbers(item) for item in value]
    if type(value) is float and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value


def shown(value: Any) -> str:
    """Return plain data as short words."""
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= _MAX_SHOWN else f"{text[: _MAX_SHOWN - 1]}…"
