"""Processes that have measured, kept on disk until the benchmark is whole: Ctrl-C or a crash loses one.

What is kept belongs to the same model, inputs, code, settings, packages and machine: it has a folder named
by a digest of them all. Another benchmark never finds it. The folder goes when the benchmark is done, or
after a week.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from reproof import digest, dvc, environment, files, screen
from reproof.benchmark.messages import OUTPUTS, REPORT, TIMES, Report
from reproof.benchmark.settings import Settings
from reproof.benchmark.subject import Subject

Arrays = dict[str, npt.NDArray[Any]]

_WEEK_SECONDS = 7 * 24 * 3600
_PACKAGES = ("numpy", "onnxruntime", "onnxruntime-gpu", "torch")


@dataclass(frozen=True)
class Run:
    """One process that measured: its report, its samples by column, the model's outputs."""

    report: Report
    times: Arrays
    outputs: Arrays


@dataclass(frozen=True)
class Store:
    """The folder of one benchmark; used by one process at a time, under the benchmark's lock."""

    folder: Path
    starts: int
    """How often this benchmark was started, this time included."""

    def scratch(self, name: str) -> Path:
        """Return an empty folder for a process to write into."""
        folder = self.folder / f".{name}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return folder

    def keep(self, name: str) -> Run:
        """Keep what the process left in its scratch folder, and return it."""
        whole = self.folder / name
        shutil.rmtree(whole, ignore_errors=True)
        (self.folder / f".{name}").replace(whole)
        return _read(whole)

    def find(self, name: str) -> Run | None:
        """Return what was kept under a name; None where nothing whole was."""
        try:
            return _read(self.folder / name)
        except (OSError, ValueError, KeyError, ValidationError):
            return None

    def count(self) -> int:
        """Return how many processes are kept."""
        return sum(path.is_dir() and not path.name.startswith(".") for path in self.folder.iterdir())


@contextlib.contextmanager
def opened(root: Path, key: str, processes: int) -> Iterator[Store]:
    """Open the folder of a benchmark; remove it when the block ends well, and say what stays otherwise."""
    place = _place(root)
    folder = place / key
    files.make_folder(folder)
    _tidy(place, folder)
    counted = folder / ".starts"
    starts = 1 + (int(counted.read_text()) if counted.is_file() else 0)
    files.write_text(counted, str(starts))
    store = Store(folder, starts)
    if had := store.count():
        screen.say("benchmark", f"goes on: {had} of {processes} processes had measured before it was stopped")
    try:
        yield store
    except BaseException:
        for path in folder.glob(".*/"):
            shutil.rmtree(path, ignore_errors=True)
        if have := store.count():
            told = (
                f"stopped; {have} of {processes} processes are kept, and the same command goes on from there"
            )
            screen.say("benchmark", told)
        raise
    shutil.rmtree(folder, ignore_errors=True)


def key(
    subjects: Mapping[str, Subject], settings: Settings, seed: int, model_digests: Mapping[str, Any]
) -> str:
    """Return the name of a benchmark: a digest of everything that its numbers depend on."""
    chosen = settings.model_dump(exclude={"timeout_s", "profile"})
    return digest.text_of(
        {
            "settings": chosen,
            "seed": seed,
            "models": dict(model_digests),
            "inputs": {side: _inputs(subject) for side, subject in subjects.items()},
            "machine": environment.fingerprint(),
            "packages": {name: _version(name) for name in _PACKAGES},
            "library": environment.library(),
        }
    ).partition(":")[2][:24]


def _inputs(subject: Subject) -> dict[str, Any]:
    return {
        "onnx": _sha256(subject, subject.onnx),
        "samples": _sha256(subject, subject.samples),
        "samples_array": subject.samples_array,
        "axes": dict(subject.axes),
        "references": {name: _scripts(subject.root, name) for name in subject.references()},
    }


def _sha256(subject: Subject, path: Path | None) -> str | None:
    return None if path is None else files.sha256(subject.root / path)


def _scripts(root: Path, reference: str) -> str:
    """Of every script beside the one that is named: it may import any of them."""
    folder = (root / reference.rpartition(":")[0]).parent
    found = hashlib.sha256()
    for path in sorted(folder.glob("*.py")):
        found.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _place(root: Path) -> Path:
    """In a project what DVC keeps out of Git; elsewhere the user's cache."""
    if (root / ".dvc").is_dir():
        return dvc.private_folder(root) / "benchmark"
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "reproof" / "benchmark"


def _tidy(place: Path, ours: Path) -> None:
    """Remove what nobody came back for, and what a killed start of ours left half written."""
    old = time.time() - _WEEK_SECONDS
    for folder in place.iterdir():
        with contextlib.suppress(OSError):
            if folder != ours and folder.stat().st_mtime < old:
                shutil.rmtree(folder)
    for path in ours.glob(".*/"):
        shutil.rmtree(path, ignore_errors=True)


def _read(folder: Path) -> Run:
    report = Report.model_validate_json((folder / REPORT).read_bytes())
    return Run(report, _arrays(folder / TIMES), _arrays(folder / OUTPUTS))


def _arrays(path: Path) -> Arrays:
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}
