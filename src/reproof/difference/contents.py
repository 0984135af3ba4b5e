"""Single examples by their content: the split files of a run, from the workspace, DVC's cache or its remote.

A record holds one checksum a split. Where that differs, only the examples themselves tell which of them do:
the same id may stand for other content, and other ids for the same.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from reproof import history, splits
from reproof.difference import held
from reproof.errors import ReproofError
from reproof.history import Row
from reproof.record_values import json_of, mapping

if TYPE_CHECKING:
    from reproof.splits import Split

MAX_BYTES = 500_000_000
"""Of what DVC holds under one output; more is not fetched to be compared."""


@dataclass(frozen=True)
class Example:
    """One example: digests of its features and group, and of these with its truth.

    The truth of a classifier is an index, whose meaning the order of the classes gives.
    """

    features: str
    whole: str


@dataclass
class Contents:
    """The contents of splits; each is read once.

    Attributes:
        root: the project.
    """

    root: Path
    _read: dict[tuple[str, str], Mapping[str, Example] | str] = field(default_factory=dict)

    def of(self, row: Row, split: str) -> Mapping[str, Example] | str:
        """Return each example by its id; or why that is not known, in words."""
        key = (row.run.commit or row.run.run_id, split)
        if key not in self._read:
            try:
                self._read[key] = _of(self.root, row, split)
            except ReproofError as error:
                where = f" ({error.where})" if error.where else ""
                self._read[key] = f"{error.what}{where}"
        return self._read[key]


def _of(root: Path, row: Row, split: str) -> Mapping[str, Example] | str:
    sums, digests = (
        json_of(history.blob(root, row, name)) for name in ("split_checksums.json", "digests.json")
    )
    recorded = mapping(sums, "splits").get(split)
    made = mapping(digests, "artefacts")
    path = next((name for name, one in made.items() if one == recorded and name.endswith(".npz")), None)
    if not isinstance(recorded, str) or path is None:
        return f"{row.name} recorded no file of the split {split}"
    own = root / path
    if held.is_content(own, recorded):
        return _digests(splits.load(own))
    if row.run.commit is None:
        return f"{path} is not here any more"
    with tempfile.TemporaryDirectory(prefix="reproof-split-") as folder:
        fetched = Path(folder, "split.npz")
        held.bring(root, row.run.commit, path, recorded, fetched, max_bytes=MAX_BYTES)
        return _digests(splits.load(fetched))


def _digests(split: Split) -> dict[str, Example]:
    import numpy as np

    x, y = np.ascontiguousarray(split.x), np.ascontiguousarray(split.y)
    kind = f"{x.dtype.str} {x.shape[1:]}".encode()
    groups = split.groups if split.groups is not None else [""] * len(split.ids)
    found = {}
    for index, name in enumerate(split.ids):
        features = hashlib.blake2b(kind, digest_size=16)
        features.update(x[index].tobytes() + str(groups[index]).encode())
        whole = features.copy()
        whole.update(y[index].tobytes())
        found[str(name)] = Example(features.hexdigest(), whole.hexdigest())
    return found
