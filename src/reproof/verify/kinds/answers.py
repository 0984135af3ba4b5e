"""Answers on single examples, and other tables in parquet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from reproof.params.models import Tolerance
from reproof.verify.kinds.found import IDENTICAL, Found, Standing, different, number

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

    Array = npt.NDArray[Any]

_TRUTHS = ("id", "split", "label", "target")
"""Columns that no computation of a model makes: they must be the same, row by row."""


def compare(recorded: Path, found: Path, tolerance: Tolerance) -> Found:
    """Compare two tables row by row, after bringing both into the order of their ids.

    Numbers may differ by the tolerance. An answer that is a word (`predicted`) may change only where the
    recorded probabilities say that it was a matter of the tolerance: the two highest lie no further apart
    than twice that. Everything else must be the same.
    """
    import pyarrow.parquet as pq

    first, second = pq.read_table(recorded), pq.read_table(found)
    if words := _of_another_form(first, second):
        return different(words)
    first, second = _ordered(first), _ordered(second)
    for name in _TRUTHS:
        if name in first.column_names and first.column(name).to_pylist() != second.column(name).to_pylist():
            return different(f"other examples: the column {name} differs")
    largest, changed = 0.0, 0
    answers = first.num_rows if "predicted" in first.column_names else None
    for name in first.column_names:
        own, words = _column(name, first, second, tolerance)
        largest = max(largest, own.get("largest", 0.0))
        changed += own.get("changed", 0)
        if words:
            return Found(Standing.DIFFERENT, words, largest, changed if answers else None, answers)
    if largest == 0 and changed == 0:
        return IDENTICAL
    words = f"predictions differ (max |Δ| {number(largest)}"
    words += f"; {changed} of {answers} answers changed)" if answers else ")"
    return Found(Standing.CLOSE, words, largest, changed if answers else None, answers)


def _column(name: str, first: pa.Table, second: pa.Table, tolerance: Tolerance) -> tuple[dict[str, Any], str]:
    """How far a column is apart, and what is wrong with that; '' where nothing is."""
    import numpy as np
    import pyarrow.types as types

    one, other = first.column(name), second.column(name)
    if types.is_floating(one.type):
        a, b = (column.to_numpy().astype(np.float64) for column in (one, other))
        largest, within = gap(a, b, tolerance)
        return {"largest": largest}, "" if within else f"{name}: max |Δ| {number(largest)}"
    rows = [
        i for i, pair in enumerate(zip(one.to_pylist(), other.to_pylist(), strict=True)) if pair[0] != pair[1]
    ]
    if not rows:
        return {}, ""
    if name != "predicted":
        return {}, f"{name} differs in {len(rows)} of {first.num_rows} rows"
    unsure = _margins(first)
    if unsure is None or (unsure[rows] > 2 * tolerance.absolute).any():
        return {
            "changed": len(rows)
        }, f"{len(rows)} of {first.num_rows} answers changed, not only close calls"
    return {"changed": len(rows)}, ""


def gap(a: Array, b: Array, tolerance: Tolerance) -> tuple[float, bool]:
    """The largest |difference| of two columns, and whether all are within the tolerance; NaN equals NaN."""
    import numpy as np

    same = (a == b) | (np.isnan(a) & np.isnan(b))
    with np.errstate(invalid="ignore"):
        apart = np.where(same, 0.0, np.abs(b - a))
    apart[np.isnan(apart)] = np.inf
    bound = np.maximum(tolerance.absolute, tolerance.relative * np.abs(np.nan_to_num(a)))
    return float(apart.max(initial=0.0)), bool((apart <= bound).all())


def _margins(table: pa.Table) -> Array | None:
    """How far the two highest probabilities of each row are apart; None where there are no two."""
    import numpy as np

    names = [name for name in table.column_names if name.startswith("probability_")]
    if len(names) < 2:
        return None
    scores = np.sort(np.stack([table.column(name).to_numpy() for name in names]), axis=0)
    return np.asarray(scores[-1] - scores[-2])


def _of_another_form(first: pa.Table, second: pa.Table) -> str:
    if first.num_rows != second.num_rows:
        return f"{first.num_rows} rows were recorded, {second.num_rows} found"
    if first.column_names != second.column_names:
        odd = sorted(set(first.column_names) ^ set(second.column_names))
        return f"other columns: {', '.join(odd) or 'their order'}"
    kinds = [n for n in first.column_names if first.column(n).type != second.column(n).type]
    if kinds:
        return f"{kinds[0]}: {first.column(kinds[0]).type} was recorded, {second.column(kinds[0]).type} found"
    if (first.schema.metadata or {}).get(b"classes") != (second.schema.metadata or {}).get(b"classes"):
        return "other classes"
    return ""


def _ordered(table: pa.Table) -> pa.Table:
    """By split and id, where ids name rows; as it is, where they do not."""
    keys = [name for name in ("split", "id") if name in table.column_names]
    if "id" not in keys or table.select(keys).group_by(keys).aggregate([]).num_rows != table.num_rows:
        return table
    return table.sort_by([(name, "ascending") for name in keys])
