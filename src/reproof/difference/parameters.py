"""The params that two runs do not share, sorted by what they decide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from reproof import siblings
from reproof.difference.sides import Side

Kind = Literal["seed", "machine", "method"]

MACHINE = ("threads", "device", "deterministic")
"""Those that say how a run is computed, and not what."""


@dataclass(frozen=True)
class Param:
    """A param that differs; a side that lacks it has None, and False for `in_a` or `in_b`."""

    name: str
    kind: Kind
    a: Any
    b: Any
    in_a: bool
    in_b: bool


@dataclass(frozen=True)
class Params:
    """The params that differ, `method` first; `missing_reason` where a record does not tell its params.

    What only shows or judges a run is no difference (`siblings.is_compared`).
    """

    changed: tuple[Param, ...]
    missing_reason: str | None

    def of(self, kind: Kind) -> tuple[Param, ...]:
        """Return those of one kind."""
        return tuple(one for one in self.changed if one.kind == kind)

    @property
    def same(self) -> bool | None:
        """Whether all that decide what is computed are the same, the seed included; None where not known."""
        return None if self.missing_reason else not (self.of("method") or self.of("seed"))


_ORDER: dict[Kind, int] = {"method": 0, "seed": 1, "machine": 2}


def compare(a: Side, b: Side) -> Params:
    """Return the params that differ."""
    lacking = [one.row.name for one in (a, b) if not one.run.params]
    if lacking:
        return Params((), f"the record of {' and of '.join(lacking)} tells no params that can be read")
    first, second = a.run.params, b.run.params
    found = [
        Param(name, _kind(name), first.get(name), second.get(name), name in first, name in second)
        for name in siblings.varying([a.run, b.run])
    ]
    return Params(tuple(sorted(found, key=lambda one: (_ORDER[one.kind], one.name))), None)


def _kind(name: str) -> Kind:
    if name == "seed":
        return "seed"
    return "machine" if name in MACHINE else "method"
