"""The result of a comparison of two models, version 1."""

from __future__ import annotations

from typing import Literal

from reproof.benchmark.schema import CellResult, Group, Hardware, Measured, Software

Decision = Literal["a is faster", "b is faster", "inconclusive"]
Outcome = Literal["slower", "faster", "same", "inconclusive", "noisy"]


class Ratio(Group):
    """Time of a call of B over that of A: over 1, A is faster."""

    b_over_a: float
    """The geometric mean over pairs."""
    ci95: list[float] | None
    pairs: list[float] | None
    """One a pair of processes; null where nothing paired them."""
    unavailable_reason: str | None


class PairedCell(Group):
    """One cell; all after `reason` is null unless `status` is `measured`."""

    status: Literal["measured", "unavailable", "failed"]
    reason: str | None
    a: CellResult | None = None
    b: CellResult | None = None
    ratio: Ratio | None = None
    decision: Decision | None = None
    noisy: dict[str, str] | None = None
    """Why one of the sides is not stable; empty: nothing keeps the ratio from carrying a claim."""
    outcome: Outcome | None = None
    """Of the workspace against a recorded run; null in a comparison of two files."""


class Side(Group):
    """What was compared."""

    name: str
    subject: Measured | None
    model_digests: dict[str, str]


class Comparison(Group):
    """A whole comparison; `a` is what `b` is compared with."""

    schema_version: Literal[1] = 1
    a: Side
    b: Side
    basis: str
    """How the two were brought together."""
    hardware: Hardware
    software: Software
    cells: dict[str, PairedCell]
