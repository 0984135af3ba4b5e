"""The first step at which two trainings went different ways, by what they logged at full precision."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reproof import runlog
from reproof.errors import ReproofError
from reproof.verify.kinds.texts import is_speed


@dataclass(frozen=True)
class Divergence:
    """Where two logs part.

    Attributes:
        step: the first one with another number.
        steps: the last step of the recorded log.
        metric: split and name of what differs there, such as `train.loss`.
        recorded: its value; None for one that is not finite, or not there.
        found: likewise, here.
        at_most: it may have been earlier: the log was not at hand, and curves have points only now and then.
    """

    step: int
    steps: int
    metric: str
    recorded: float | None
    found: float | None
    at_most: bool = False

    def __str__(self) -> str:
        return (
            f"{'at or before ' if self.at_most else ''}step {self.step:,} of {self.steps:,} ({self.metric})"
        )


def of_logs(recorded: Path, found: Path) -> Divergence | None:
    """Compare two metrics.ndjson, without what tells of the execution; None where no number differs.

    Raises:
        ReproofError: one of them is no log.
    """
    return _first(_logged(recorded), _logged(found), at_most=False)


def of_curves(recorded: Path, found: Path) -> Divergence | None:
    """Compare two curves.csv, which are thinned logs."""
    return _first(_drawn(recorded), _drawn(found), at_most=True)


Points = dict[tuple[int, str], Any]


def _first(recorded: Points, found: Points, *, at_most: bool) -> Divergence | None:
    steps = max((step for step, _ in recorded), default=0)
    for step, metric in sorted(recorded.keys() | found.keys()):
        one, other = (points.get((step, metric), "absent") for points in (recorded, found))
        if one != other or type(one) is not type(other):
            return Divergence(step, steps, metric, _number(one), _number(other), at_most)
    return None


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) else None


def _logged(path: Path) -> Points:
    found: Points = {}
    for record in runlog.read(path):
        step, name = record.get("step"), f"{record.get('split')}.{record.get('metric')}"
        if type(step) is not int:
            raise ReproofError("not a record of a metric", where=path, found=repr(record)[:80])
        if is_speed(name):
            continue
        value = record.get("value")
        found[step, name] = value if value is not None else record.get("flag")
    return found


def _drawn(path: Path) -> Points:
    with path.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    try:
        return {
            (int(row["step"]), name): float(text)
            for row in rows
            for name, text in row.items()
            if name != "step" and text
        }
    except (KeyError, TypeError, ValueError) as error:
        raise ReproofError("not curves", where=path) from error
