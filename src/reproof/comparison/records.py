"""What a comparison reads beside the rows: files of records, and two models' answers on the test examples."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from reproof import history, params
from reproof.comparison.caveats import Read
from reproof.comparison.comparing import Models
from reproof.comparison.rules import Rules, rules_of
from reproof.comparison.verdicts import ModelDifference
from reproof.errors import ReproofError
from reproof.history import Row
from reproof.history.repository import git


def rules_at(root: Path) -> Rules:
    """Return the rules of this workspace's params.yaml, of a bare repository those of its HEAD.

    Raises:
        ReproofError: when it cannot be read, or a rule is none.
    """
    try:
        data = (root / "params.yaml").read_bytes()
    except OSError:
        data = b""
        if not (root / "dvc.yaml").is_file():
            with contextlib.suppress(ReproofError):
                data = git(root, "cat-file", "blob", "HEAD:params.yaml")
    return rules_of(params.parse(data, "params.yaml")[0] if data else {})


def reader(root: Path) -> Read:
    """Return what reads files of records; those that runs share are read once.

    It raises ReproofError when Git refuses.
    """
    known: dict[str, bytes | None] = {}

    def read(row: Row, name: str) -> bytes | None:
        object_id = row.files.get(name)
        if object_id is None:
            return history.blob(root, row, name)
        if object_id not in known:
            known[object_id] = history.blob(root, row, name)
        return known[object_id]

    return read


def of_models(root: Path) -> Models:
    """Return what compares two runs' models on the test examples that both answered."""

    def compare(first: Row, second: Row, metrics: Sequence[str]) -> Mapping[str, ModelDifference]:
        from reproof.difference.models import two_models

        found = two_models(root, first, second, metrics)
        differences = {}
        for name in metrics:
            shared = next((one for one in found.splits.values() if name in one.metrics), None)
            if shared is None:
                differences[name] = ModelDifference(None, None, missing=found.reason(name))
                continue
            metric = shared.metrics[name]
            tested = shared.mcnemar.p_value if shared.mcnemar and name.endswith(".accuracy") else None
            differences[name] = ModelDifference(
                metric.difference, metric.interval, tested, shared.on, metric.missing_reason
            )
        return differences

    return compare
