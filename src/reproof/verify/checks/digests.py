"""What Git holds of all that a run's stages read and wrote has the content that they recorded."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from reproof import environment
from reproof.errors import ReproofError
from reproof.record_values import NOT_STAGES, mapping
from reproof.verify.checks.checked import Findings
from reproof.verify.checks.held import Held
from reproof.verify.recorded_run import RecordedRun

_OF_A_VERSION = {".parquet": "pyarrow", ".onnx": "onnx"}
"""Kinds whose content digest may be another one with another version of a package."""


def check(run: RecordedRun, held: Held, found: Findings) -> None:
    """Note which recorded digests the commit's files have; those of DVC's files are taken where they lie."""
    written = {path for record in run.stages.values() for path in mapping(record, "writes")}
    seen: dict[str, tuple[str, ...]] = {}
    for name, record in run.stages.items():
        for kind, says in (("read", mapping(record, "reads")), ("wrote", mapping(record, "writes"))):
            for path, recorded in says.items():
                is_input = kind == "read" and path not in written
                what = f"{path}: as {name} {kind} it"
                why = held.why_not(path)
                if why == "neither Git nor DVC holds it" and name not in NOT_STAGES:
                    found.wrong(what, f"{why}: the commit is not all that the run was made from", "obstacle")
                    continue
                if why is not None:
                    found.unknown(what, why)
                    continue
                try:
                    own = seen.get(path) or held.digests(path)
                except ReproofError as error:
                    found.wrong(what, f"{error.what} ({error.found or 'unreadable'})")
                    continue
                seen[path] = own
                if recorded in own:
                    found.right(what)
                elif package := _of_another_version(path, record):
                    found.unknown(what, f"its digest depends on the version of {package}")
                elif is_input and name in NOT_STAGES:
                    found.unknown(what, "changed since the documents were drawn")
                elif is_input and path not in run.files:
                    reason = "it was changed after the run, or the run had files there that Git does not hold"
                    found.same(what, recorded, own[0], reason, "obstacle")
                else:
                    found.same(what, recorded, own[0])


def _of_another_version(path: str, record: Mapping[str, Any]) -> str | None:
    package = _OF_A_VERSION.get(PurePosixPath(path).suffix.lower())
    recorded = mapping(record, "environment", "packages")
    return package if package and recorded.get(package) != environment.packages().get(package) else None
