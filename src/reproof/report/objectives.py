"""Criteria that were declared before the run, beside what the run measured."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from reproof.params import Criterion
from reproof.report import measured
from reproof.report.measured import Measured
from reproof.report.source import Source

Status = Literal["met", "partial", "not met", "not measured"]

_HOLDS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    ">": operator.gt,
    "<=": operator.le,
    "<": operator.lt,
}
SIGNS = {"met": "✅ Met", "partial": "⚠️ Partial", "not met": "❌ Not met", "not measured": "– Not measured"}


@dataclass(frozen=True)
class Objective:
    """A criterion and what became of it.

    `status` follows the 95% interval: met or not met where the whole of it lies on one side of the target,
    partial where the target lies inside. Where there is no interval, the value alone decides.
    """

    name: str
    criterion: Criterion
    found: Measured | None
    status: Status
    note: str

    @property
    def sign(self) -> str:
        return SIGNS[self.status]


def judge(source: Source, criteria: Mapping[str, Criterion]) -> list[Objective]:
    """Return each criterion with its status, in the order of their declaration."""
    return [_judge(source, name, criterion) for name, criterion in criteria.items()]


def _judge(source: Source, name: str, criterion: Criterion) -> Objective:
    found = measured.find(source, criterion.metric)
    if found is None:
        stage = criterion.metric.partition(".")[0]
        why = source.stages.get(stage, {}).get("missing", {}).get(criterion.metric.partition(".")[2])
        note = why or f"no stage of this run recorded {criterion.metric}"
        return Objective(name, criterion, None, "not measured", note)
    holds = _HOLDS[criterion.operator]
    value = holds(found.value, criterion.target)
    if found.interval is None:
        status: Status = "met" if value else "not met"
        return Objective(name, criterion, found, status, f"by the value alone; {found.on}")
    ends = [holds(end, criterion.target) for end in found.interval]
    if all(ends):
        return Objective(name, criterion, found, "met", f"by the whole 95% interval; {found.on}")
    if not any(ends):
        return Objective(name, criterion, found, "not met", f"by the whole 95% interval; {found.on}")
    words = "the value meets it" if value else "the value misses it"
    note = f"{words}, and the 95% interval holds the target: more measurement would tell; {found.on}"
    return Objective(name, criterion, found, "partial", note)
