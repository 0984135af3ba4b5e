"""What a certificate is about: the commit, the files of the record, and the artefacts of executed stages."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from reproof.invocation import LATEST
from reproof.record_values import mapping
from reproof.verify.recorded_run import RecordedRun

CONTENT = "reproofContentSha256"
"""The name, in subjects, of the digests of this library: SHA-256 over content (`reproof.digest`), in hex."""

RECORD_FILES = ("config.yaml", "digests.json", "meta.json", "summary.json")
"""The files of a record that are subjects, beside the artefacts: all others are reached from them."""


def subjects(run: RecordedRun, stages: Iterable[str]) -> list[dict[str, Any]]:
    """Return what a certificate is about, by the commit alone: so anybody can make the list again.

    Args:
        run: the recorded run.
        stages: those that were executed; their artefacts are subjects.
    """
    found: list[dict[str, Any]] = [{"name": f"commit of {run.name}", "digest": {"gitCommit": run.commit}}]
    for name in RECORD_FILES:
        path = f"{LATEST}/{name}"
        found.append({"name": path, "digest": _of_bytes(run, path)})
    contents = {
        path: one
        for stage in stages
        for path, one in mapping(run.stages.get(stage, {}), "writes").items()
        if path not in {item["name"] for item in found}
    }
    for path, one in sorted(contents.items()):
        own = _of_bytes(run, path) if path in run.files else {}
        found.append({"name": path, "digest": {CONTENT: str(one).removeprefix("sha256:"), **own}})
    return found


def _of_bytes(run: RecordedRun, path: str) -> dict[str, str]:
    data = run.get(path)
    if data is None:
        return {}
    return {"sha256": hashlib.sha256(data).hexdigest(), "gitBlob": run.files[path]}
