"""What came out, as names and values: every artefact by its content digest, every metric at full precision.

Two attempts are compared by it, and each with the record. What tells of a machine or a moment and not of the
computation is no part of it: the records of stages, the summary, documents, timings.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import posixpath
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from reproof import digest, environment
from reproof.errors import ReproofError
from reproof.invocation import LATEST
from reproof.record_values import NOT_STAGES, mapping
from reproof.verify.execution import Attempt
from reproof.verify.recorded_run import RecordedRun

TIMINGS = "benchmark"
"""The stage that measures how fast a machine is: its results hold for one machine, and differ every time."""

_READ_WITH = {"": "numpy", ".parquet": "pyarrow.parquet", ".onnx": "onnx"}
"""What content digests are taken with (`reproof.digest`), by the ending of a path; NumPy for folders, too."""

MISSING = "missing"
UNREADABLE = "unreadable"
"""In place of the digest of a file that is not there, or cannot be read as what its name says."""


@dataclass(frozen=True)
class Held:
    """One artefact.

    Attributes:
        stage: that writes it.
        digest: of its content; None where a record names none.
        md5: of its bytes, as DVC has it; None where DVC does not track it by itself.
    """

    stage: str
    digest: str | None
    md5: str | None

    def same_as(self, other: Held) -> bool | None:
        """Whether both hold the same content; None where neither digest nor bytes can tell."""
        digests = {self.digest, other.digest}
        if MISSING in digests:
            return False
        if not digests & {None, UNREADABLE}:
            return len(digests) == 1
        if self.md5 is not None and self.md5 == other.md5:
            return True
        return False if UNREADABLE in digests else None


@dataclass(frozen=True)
class Snapshot:
    """What some stages made.

    Attributes:
        artefacts: by path from the project.
        metrics: by full name, such as `evaluate.test.loss`; None for one that could not be measured.
        left_out: what says nothing about the computation, with the reason: the stage `benchmark` measures a
            machine. A metric of another stage is compared whatever it is called: models predict seconds.
    """

    artefacts: Mapping[str, Held]
    metrics: Mapping[str, float | None]
    left_out: Mapping[str, str]


def of_record(run: RecordedRun, stages: Iterable[str]) -> Snapshot:
    """Return what the record says that these stages made."""
    return _of(run, stages, run.stages, None)


def of_attempt(run: RecordedRun, attempt: Attempt) -> Snapshot:
    """Return what an attempt left: its files are hashed here, whatever its stages say of them."""
    return _of(run, attempt.stages, attempt.stages, attempt.project)


def differing(one: Snapshot, other: Snapshot) -> tuple[str, ...]:
    """Return the artefacts and metrics that are not the same in both, or of which that cannot be told."""
    paths = [
        path
        for path in sorted(one.artefacts.keys() | other.artefacts.keys())
        if path not in one.artefacts
        or path not in other.artefacts
        or one.artefacts[path].same_as(other.artefacts[path]) is not True
    ]
    names = sorted(one.metrics.keys() | other.metrics.keys())
    return (*paths, *(name for name in names if not same_number(one, other, name)))


def same_number(one: Snapshot, other: Snapshot, name: str) -> bool:
    """Whether both have a metric, and the very same number, or both none for it."""
    if name not in one.metrics or name not in other.metrics:
        return False
    return _bits(one.metrics[name]) == _bits(other.metrics[name])


def _bits(value: float | None) -> str | None:
    """Every bit of it; -0.0 is not 0.0."""
    return None if value is None else float(value).hex()


def _of(
    run: RecordedRun,
    stages: Iterable[str],
    records: Mapping[str, Mapping[str, Any]],
    project: Path | None,
) -> Snapshot:
    found: dict[str, tuple[str, str | None, str | None]] = {}
    metrics: dict[str, float | None] = {}
    left_out: dict[str, str] = {}
    for stage in stages:
        record = records.get(stage, {})
        writes, outs = mapping(record, "writes"), dict(_outs(run, stage))
        for path in dict.fromkeys((*writes, *outs)):
            if reason := _no_result(stage, path):
                left_out[path] = reason
            else:
                found[path] = (stage, writes.get(path), outs.get(path))
        for name, value in mapping(record, "metrics").items():
            full = f"{stage}.{name}"
            if stage == TIMINGS:
                left_out[full] = "measures this machine"
            else:
                metrics[full] = value
    if project is None:
        return Snapshot({path: Held(*one) for path, one in found.items()}, metrics, left_out)
    for ending, module in _READ_WITH.items():  # in one thread: two that import it at once may see half of it
        if any(path.endswith(ending) for path in found):
            with contextlib.suppress(ImportError):
                import_module(module)
    with ThreadPoolExecutor(environment.usable_cores()) as pool:
        made = pool.map(lambda path: _held(project, path, found[path][0], found[path][2]), found)
        return Snapshot(dict(zip(found, made, strict=True)), metrics, left_out)


def _no_result(stage: str, path: str) -> str | None:
    """Why an artefact says nothing about the computation; None where it does."""
    if stage == TIMINGS:
        return "measures this machine"
    if stage in NOT_STAGES:
        return "made of the other stages' records"
    return "the record of an execution" if path == f"{LATEST}/stages/{stage}.json" else None


def _outs(run: RecordedRun, stage: str) -> Iterator[tuple[str, str | None]]:
    """Paths from the project and MD5 of what DVC tracks as made by a stage, by the recorded dvc.lock."""
    folder = mapping(run.dvc_yaml, "stages", stage).get("wdir")
    listed = mapping(run.lock, "stages", stage).get("outs")
    for out in listed if isinstance(listed, list) else ():
        if not isinstance(out, dict) or not isinstance(out.get("path"), str):
            continue
        md5 = out.get("md5")
        path = posixpath.normpath(posixpath.join(folder if isinstance(folder, str) else "", out["path"]))
        yield path, md5 if isinstance(md5, str) else None


def _held(project: Path, path: str, stage: str, recorded_md5: str | None) -> Held:
    """An artefact of an attempt: its content digest, or why it has none; its MD5 where the record has one."""
    target = project / path
    if not target.exists():
        return Held(stage, MISSING, None)
    try:
        content = digest.digest(target)
    except ReproofError:
        content = UNREADABLE
    return Held(stage, content, None if recorded_md5 is None else _md5(target))


def _md5(target: Path) -> str:
    """The hash by which DVC would know it.

    Of a folder that of its listing, which ends in `.dir` (dvc_data.hashfile.tree.Tree.as_bytes).
    """
    if target.is_file():
        return _md5_of_file(target)
    files = {path.relative_to(target).as_posix(): path for path in target.rglob("*") if path.is_file()}
    listing = [{"md5": _md5_of_file(files[name]), "relpath": name} for name in sorted(files)]
    return f"{hashlib.md5(json.dumps(listing).encode(), usedforsecurity=False).hexdigest()}.dir"


def _md5_of_file(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
