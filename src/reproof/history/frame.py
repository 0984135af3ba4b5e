"""Rows as one typed pandas table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from reproof.history.rows import Row

if TYPE_CHECKING:
    import pandas as pd


def frame_of(rows: Sequence[Row]) -> pd.DataFrame:
    """Return one line a row, in their order.

    Columns: run_id, name, kind, status, commit, experiment, branch, device, fingerprint, code_tree, data,
    packages (strings), start_time (UTC), runtime_seconds (float, s), seed (Int64), `params.<key>` (float,
    Int64, boolean, string or object, as the values are) and `metrics.<name>` (float), by short headline names
    and by full ones.
    """
    import pandas as pd

    runs = [row.run for row in rows]
    words = {
        "run_id": [run.run_id for run in runs],
        "name": [row.name for row in rows],
        "kind": [row.kind for row in rows],
        "status": [run.status for run in runs],
        "commit": [run.commit for run in runs],
    }
    columns: dict[str, Any] = {name: pd.Series(values, dtype="string") for name, values in words.items()}
    columns["start_time"] = pd.to_datetime(
        pd.Series([run.start_time for run in runs], dtype="object"),
        utc=True,
        errors="coerce",
        format="ISO8601",
    )
    columns["runtime_seconds"] = pd.array([_nan(run.runtime_seconds) for run in runs], dtype="float64")
    columns["seed"] = pd.array([run.seed for run in runs], dtype="Int64")
    for name in ("experiment", "branch", "device", "fingerprint", "code_tree", "data", "packages"):
        columns[name] = pd.Series([getattr(run, name) for run in runs], dtype="string")
    for key in _keys([run.params for run in runs]):
        columns[f"params.{key}"] = _typed([run.params.get(key) for run in runs])
    for kind in ("headline", "metrics"):
        mappings = [getattr(run, kind) for run in runs]
        for key in _keys(mappings):
            columns[f"metrics.{key}"] = pd.array([_nan(one.get(key)) for one in mappings], dtype="float64")
    return pd.DataFrame(columns)


def _keys(mappings: Sequence[Any]) -> list[str]:
    """All keys, by their first appearance."""
    return list(dict.fromkeys(key for one in mappings for key in one))


def _nan(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def _typed(values: list[Any]) -> Any:
    """A column of one kind where the values are: integers with holes, floats, booleans; else as they are."""
    import pandas as pd

    kinds = {type(value) for value in values} - {type(None)}
    if kinds == {bool}:
        return pd.array(values, dtype="boolean")
    if kinds == {int} and all(value is None or abs(value) < 2**63 for value in values):
        return pd.array(values, dtype="Int64")
    if kinds and kinds <= {int, float}:
        return pd.array([_nan(value) for value in values], dtype="float64")
    if kinds == {str}:
        return pd.Series(values, dtype="string")
    return pd.Series(values, dtype="object")
