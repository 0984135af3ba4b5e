"""What one run's record says, as far as it can be read: the ground of every comparison here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reproof import history, record_values
from reproof.history import Row
from reproof.recorded import Run

_FILES = ("digests.json", "split_manifest.json", "split_checksums.json", "benchmark.json")


@dataclass(frozen=True)
class Side:
    """One run. A file that is missing or cannot be read is an empty mapping.

    So are all but meta.json of a run that has not ended: beside it may lie those of the run before.

    Attributes:
        row: the run, and where it stands.
        meta: its meta.json.
        digests: its digests.json.
        manifest: its split_manifest.json.
        checksums: its split_checksums.json.
        benchmark: its benchmark.json.
    """

    row: Row
    meta: Mapping[str, Any]
    digests: Mapping[str, Any]
    manifest: Mapping[str, Any]
    checksums: Mapping[str, Any]
    benchmark: Mapping[str, Any]

    @property
    def run(self) -> Run:
        """Its flat row."""
        return self.row.run

    def execution(self, stage: str) -> str | None:
        """Return the run id of the execution of a stage; equal ones are one execution, from the run cache."""
        found = record_values.mapping(self.meta, "stages", stage).get("run_id")
        return found if isinstance(found, str) else None

    def fingerprint(self, stage: str) -> str | None:
        """Return the machine that a stage ran on."""
        found = record_values.mapping(self.meta, "stages", stage).get("fingerprint") or self.run.fingerprint
        return found if isinstance(found, str) else None


def side(root: Path, row: Row) -> Side:
    """Read a run's record.

    Raises:
        ReproofError: when Git refuses.
    """
    meta = record_values.json_of(history.blob(root, row, "meta.json"))
    if not record_values.is_whole(meta):
        return Side(row, meta, {}, {}, {}, {})
    return Side(row, meta, *(record_values.json_of(history.blob(root, row, name)) for name in _FILES))
