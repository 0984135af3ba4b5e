"""Quality against latency: the runs that no other beats in both. Of one machine, and stable timings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reproof import record_values
from reproof.comparison.caveats import Read
from reproof.comparison.groups import Group
from reproof.comparison.metrics import TIMED, Metric

STABLE = "stable"


@dataclass(frozen=True)
class Pareto:
    """A Pareto front.

    Attributes:
        quality: the metric on one side; None where there is no front.
        speed: the timing on the other.
        machine: the fingerprint of the machine on which all of it was measured.
        front: the names of the groups that no other beats in both, by quality, the best first.
        beaten: by name, one on the front that is at least as good in both.
        left_out: by name, why a group is not compared.
        missing: why there is no front.
    """

    quality: Metric | None = None
    speed: Metric | None = None
    machine: str | None = None
    front: tuple[str, ...] = ()
    beaten: dict[str, str] | None = None
    left_out: dict[str, str] | None = None
    missing: str | None = None


def pareto(
    groups: Sequence[Group], metrics: Sequence[Metric], base: Group | None, read: Read | None
) -> Pareto:
    """Return the front of the first quality that has a direction, and the first timing.

    Benchmarks are read only of groups on the front, one front after the other until all on it are stable: of
    a thousand runs these are a few.

    Args:
        groups: to compare; their machines are those of their timings.
        metrics: those of the comparison, the first first.
        base: the baseline, whose machine and data count; None: those of most groups.
        read: of the runs' benchmark.json.
    """
    quality = next((one for one in metrics if not one.is_timing and one.rule.better), None)
    speed = next((one for one in metrics if one.is_timing and one.rule.better), None)
    if quality is None or speed is None:
        lacking = "quality" if quality is None else "timing"
        return Pareto(missing=f"no {lacking} among the metrics whose direction is declared")
    if read is None:
        return Pareto(quality, speed, missing="the benchmarks' verdicts were not looked at")
    having = [one for one in groups if quality.name in one.spreads and speed.name in one.spreads]
    data = [one.distinct("data") for one in having]
    own_data = base.distinct("data") if base else max(set(data), key=data.count, default=None)
    left_out = {one.name: "other data" for one in having if one.distinct("data") != own_data}
    having = [one for one in having if one.name not in left_out]
    machines = [one.machine for one in having if one.machine]
    if not machines:
        return Pareto(quality, speed, missing="no group has both on a known machine")
    own = base.machine if base and base.machine in machines else max(set(machines), key=machines.count)
    left_out |= {one.name: "measured on another machine" for one in having if one.machine != own}
    points = {one.name: (_cost(quality, one), _cost(speed, one)) for one in having if one.machine == own}
    by_name = {one.name: one for one in having}
    stable: set[str] = set()
    while True:
        front = front_of(points)
        unknown = [name for name in front if name not in stable]
        if not unknown:
            break
        for name in unknown:
            if reason := unstable(by_name[name], speed, own, read):
                left_out[name] = reason
                del points[name]
            else:
                stable.add(name)
    if len(points) < 2:
        few = "no group" if not points else "one group alone"
        return Pareto(
            quality, speed, own, left_out=left_out, missing=f"{few} has a stable timing on this machine"
        )
    beaten = {
        name: next(other for other in front if _beats(points[other], points[name]))
        for name in points
        if name not in front
    }
    return Pareto(quality, speed, own, tuple(front), beaten, left_out)


def front_of(points: dict[str, tuple[float, float]]) -> list[str]:
    """Return the names whose costs no other's are at or below in both and below in one; by first cost."""
    front: list[str] = []
    least = float("inf")
    last: tuple[float, float] | None = None
    for name, costs in sorted(points.items(), key=lambda item: item[1]):
        if costs[1] < least or costs == last:
            front.append(name)
            least, last = costs[1], costs
    return front


def _beats(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one[0] <= other[0] and one[1] <= other[1]


def _cost(metric: Metric, one: Group) -> float:
    mean = one.spreads[metric.name].mean
    return -mean if metric.is_higher_better() else mean


def unstable(one: Group, speed: Metric, machine: str | None, read: Read) -> str | None:
    """Why a group's timing carries no claim; None where all its runs' benchmarks were stable."""
    for row in one.rows:
        if row.run.fingerprint != machine or speed.of(row.run) is None:
            continue
        cells = record_values.mapping(record_values.json_of(read(row, "benchmark.json")), "cells")
        name = (speed.full or "").removeprefix(TIMED).rpartition(".")[0]
        measured = (key for key, cell in cells.items() if record_values.mapping(cell, "verdict"))
        status = record_values.mapping(cells.get(name or next(measured, "")), "verdict").get("status")
        if status != STABLE:
            said = f"is {status}" if isinstance(status, str) else "has no verdict"
            return f"the benchmark of {row.name} {said}"
    return None
