"""What a comparison reads beside the rows: files of records, and two models' answers on the test examples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from reproof import history
from reproof.comparison.caveats import Read
from reproof.comparison.comparing import Models
from reproof.comparison.verdicts import ModelDifference
from reproof.git_objects import objects
from reproof.history import Row


@contextmanager
def reader(root: Path) -> Iterator[Read]:
    """Give what reads files of records, all through one process of Git's; what runs share is read once.

    Raises:
        ReproofError: when Git refuses.
    """
    known: dict[str, bytes | None] = {}
    with objects(root) as held:

        def read(row: Row, name: str) -> bytes | None:
            object_id = row.files.get(name)
            if object_id is None:
                return history.blob(root, row, name)
            if object_id not in known:
                known[object_id] = held.blob(object_id)
            return known[object_id]

        yield read


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
