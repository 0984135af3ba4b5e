"""What the library counts from the predictions: may it differ as these do?"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reproof import files
from reproof.errors import ReproofError
from reproof.verify.kinds.texts import is_number, leaves
from reproof.verify.tolerances import Tolerances, allowed

_OF_SINGLE_ANSWERS = ("hardest", "easiest", "confused", "calibration", "residuals")
"""Lists of examples, and bins: answers that differ in the last bit change places in them."""
_TESTS = ("mcnemar", "p_value")
_ROUNDING = 1e-6
"""Of a sum of quotients of whole numbers, in examples."""


def scores(recorded: Path, found: Path, tolerances: Tolerances, changed: int) -> bool:
    """Whether two evaluations can be those of predictions that are as close as the tolerance.

    Where no answer changed, nothing that counts answers may, and no score by more than a tolerance. Where
    some did, a count may by as many, and a score of a small class by any amount: its metrics are judged.

    Args:
        recorded: evaluation.json of the record.
        found: the one made here.
        tolerances: that the run declared.
        changed: how many answers are others.
    """
    try:
        first, second = (_of_all(files.read_json(path)) for path in (recorded, found))
    except ReproofError:
        return False
    if first.keys() != second.keys():
        return False
    return all(_follows(one, second[name], tolerances, changed) for name, one in first.items())


def confusion(recorded: Path, found: Path, _tolerances: Tolerances, changed: int) -> bool:
    """Whether two confusion.csv can be counted from answers of which so many are others."""
    first, second = (_rows(path) for path in (recorded, found))
    one, other = (
        {(row["label"], row["predicted"]): int(row["examples"]) for row in rows} for rows in (first, second)
    )
    if one.keys() != other.keys():
        return False
    moved = sum(abs(count - other[cell]) for cell, count in one.items())
    return moved <= 2 * changed and _of_labels(one) == _of_labels(other)


def calibration(recorded: Path, found: Path, tolerances: Tolerances, changed: int) -> bool:
    """Whether two calibration.csv can be of answers that are as close as the tolerance.

    A probability that moves in its last digit may fall into the next bin, so that bins are not compared. Over
    all of them there are as many examples, as many right answers but for those that changed, and as much
    confidence but for the tolerance.
    """
    first, second = (_rows(path) for path in (recorded, found))
    examples = _total(first, None)
    bound = examples * allowed(1.0, tolerances.predictions) + changed
    return (
        examples == _total(second, None)
        and abs(_total(first, "accuracy") - _total(second, "accuracy")) <= changed + _ROUNDING
        and abs(_total(first, "confidence") - _total(second, "confidence")) <= bound
    )


def _total(rows: list[dict[str, str]], name: str | None) -> float:
    """The examples of all bins, each as often as its column says."""
    return sum(float(row["examples"]) * (float(row[name]) if name else 1.0) for row in rows)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def _of_labels(counts: Mapping[tuple[str, str], int]) -> Counter[str]:
    found: Counter[str] = Counter()
    for (label, _), count in counts.items():
        found[label] += count
    return found


def _of_all(value: Any) -> dict[str, Any]:
    """What is counted over all examples."""
    found = leaves(value)
    return {
        name: one
        for name, one in found.items()
        if name.split(".")[0] not in _OF_SINGLE_ANSWERS and not set(name.split(".")) & set(_TESTS)
    }


def _follows(one: Any, other: Any, tolerances: Tolerances, changed: int) -> bool:
    if not (is_number(one) and is_number(other)):
        return bool(one == other and type(one) is type(other))
    if isinstance(one, int) and isinstance(other, int):
        return abs(other - one) <= changed
    bound = max(allowed(one, tolerances.metrics), allowed(one, tolerances.predictions))
    return changed > 0 or abs(other - one) <= bound
