"""One cell's outputs against another's, on the same inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from reproof.benchmark.cells import Cell
from reproof.benchmark.schema import Numerics

Outputs = Mapping[str, npt.NDArray[Any]]


def reference_of(cell: Cell, measured: Sequence[Cell]) -> Cell | None:
    """Return the first of the measured torch cells of the same batch size: the model as it was trained."""
    same = (other for other in measured if other.batch_size == cell.batch_size)
    return next((other for other in same if other.runtime == "torch"), None)


def compare(outputs: Outputs, reference: Outputs | None, name: str | None) -> Numerics:
    """Compare outputs, by batch and output, with those of the cell called `name`.

    NaN and infinity are no numbers to compare: they give null and the reason.
    """
    worst, reason = _worst(outputs, reference)
    return Numerics(max_abs_diff_vs_reference=worst, reference=name, unavailable_reason=reason)


def _worst(outputs: Outputs, reference: Outputs | None) -> tuple[float | None, str | None]:
    bad, total = _not_finite(outputs)
    if bad:
        return None, f"{bad} of {total} output values are NaN or infinite"
    if reference is None:
        return None, "no torch cell of this batch size was measured"
    if reference is outputs:
        return None, "this cell is the reference"
    bad, total = _not_finite(reference)
    if bad:
        return None, f"{bad} of {total} values of the reference are NaN or infinite"
    shapes, expected = _shapes(outputs), _shapes(reference)
    if shapes != expected:
        return None, f"shapes by batch.output are {shapes}, of the reference {expected}"
    # An empty output differs by nothing.
    return max(
        float(np.abs(array.astype(np.float64) - reference[key].astype(np.float64)).max(initial=0.0))
        for key, array in outputs.items()
    ), None


def _not_finite(outputs: Outputs) -> tuple[int, int]:
    return sum(int((~np.isfinite(a)).sum()) for a in outputs.values()), sum(a.size for a in outputs.values())


def _shapes(outputs: Outputs) -> dict[str, tuple[int, ...]]:
    return {key: array.shape for key, array in sorted(outputs.items())}
