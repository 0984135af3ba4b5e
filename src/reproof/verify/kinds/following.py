"""evaluation.json, which the library counts from the predictions: may it differ as these do?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from reproof import files
from reproof.errors import ReproofError
from reproof.verify.kinds.texts import is_number, leaves
from reproof.verify.tolerances import Tolerances, allowed

_OF_SINGLE_ANSWERS = ("hardest", "easiest", "confused", "calibration", "residuals")
"""Lists of examples, and bins: answers that differ in the last bit change places in them."""
_TESTS = ("mcnemar", "p_value")


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
