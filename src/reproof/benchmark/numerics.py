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
    """Return the measured cell that this one is compared with: in fp32, of the same batch size.

    Torch comes first, the model as it was trained; then the CPU; then the order in which they are listed.
    """
    same = [one for one in measured if one.batch_size == cell.batch_size and one.precision == "fp32"]
    return min(same, key=lambda one: (one.runtime != "torch", one.device != "cpu"), default=None)


def compare(outputs: Outputs, reference: Outputs | None, name: str | None) -> Numerics:
    """Compare outputs, by batch and output, with those of the cell called `name`.

    NaN and infinity are no numbers to compare: they give null and the reason.
    """
    worst, largest, reason = _worst(outputs, reference)
    return Numerics(
        max_abs_diff_vs_reference=worst,
        max_abs_reference=largest,
        reference=name,
        unavailable_reason=reason,
    )


def _worst(outputs: Outputs, reference: Outputs | None) -> tuple[float | None, float | None, str | None]:
    if not outputs:
        return None, None, "the model gives no array of numbers"
    bad, total = _not_finite(outputs)
    if bad:
        return None, None, f"{bad} of {total} output values are NaN or infinite"
    if reference is None:
        return None, None, "no fp32 cell of this batch size was measured"
    if reference is outputs:
        return None, None, "this cell is the reference"
    bad, total = _not_finite(reference)
    if bad:
        return None, None, f"{bad} of {total} values of the reference are NaN or infinite"
    shapes, expected = _shapes(outputs), _shapes(reference)
    if shapes != expected:
        return None, None, f"shapes by batch.output are {shapes}, of the reference {expected}"
    # An empty output differs by nothing.
    differences = (
        float(np.abs(array.astype(np.float64) - reference[key].astype(np.float64)).max(initial=0.0))
        for key, array in outputs.items()
    )
    sizes = (float(np.abs(array.astype(np.float64)).max(initial=0.0)) for array in reference.values())
    return max(differences), max(sizes), None


def _not_finite(outputs: Outputs) -> tuple[int, int]:
    return sum(int((~np.isfinite(a)).sum()) for a in outputs.values()), sum(a.size for a in outputs.values())


def _shapes(outputs: Outputs) -> dict[str, tuple[int, ...]]:
    return {key: array.shape for key, array in sorted(outputs.items())}
