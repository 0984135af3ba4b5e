"""Which files of the project are inputs: what is there, what the model can take, what was passed over."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reproof import files
from reproof.contract.schema import Input
from reproof.errors import ReproofError
from reproof.model_files.ports import Port

SUFFIXES = {
    "image": (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"),
    "array": (".npy", ".npz"),
    "audio": (".wav",),
    "text": (".txt",),
    "json": (".json",),
}
KINDS = {suffix: kind for kind, suffixes in SUFFIXES.items() for suffix in suffixes}
_OF_MODALITY = {
    "image": ("image", "array"),
    "audio": ("audio", "array"),
    "text": ("text", "json", "array"),
    "tensor": ("array", "json"),
}


@dataclass(frozen=True)
class Candidate:
    """A file that the model may take.

    Attributes:
        name: its path from the project, with forward slashes.
        path: of the file.
        kind: image, array, audio, text or json, by its suffix.
        problem: why it is not read; None for one that may be.
    """

    name: str
    path: Path
    kind: str
    problem: str | None = None


@dataclass(frozen=True)
class Search:
    """What was found: the files to run, in order, and what is there by folder, as plain data."""

    candidates: list[Candidate] = field(default_factory=list)
    folders: dict[str, dict[str, Any]] = field(default_factory=dict)


def search(root: Path, folders: Sequence[str], kinds: Sequence[str]) -> Search:
    """Look for files of these kinds in folders of the project and below them.

    Hidden files, `.dvc` files and README files are no inputs. Links are followed to files in the project; a
    file behind any other link is a candidate with a problem, so that its row says so. A link to a folder is
    passed over, as is what the model takes no files of, and counted.

    Raises:
        ReproofError: when a folder lies outside the project.
    """
    found = Search()
    seen: set[Path] = set()
    for name in folders:
        folder = files.inside(root, name, where="params.yaml: inputs.folders")
        if not folder.is_dir():
            reason = "it is a file, not a folder" if folder.exists() else "there is no such folder"
            found.folders[name] = {"files": None, "usable": None, "reason": reason}
            continue
        passed: Counter[str] = Counter()
        total = usable = 0
        for path in _walk(folder, passed):
            total += 1
            kind = KINDS.get(path.suffix.lower())
            if kind not in kinds:
                passed[path.suffix.lower() or "no suffix"] += 1
                continue
            usable += 1
            if path not in seen:
                seen.add(path)
                found.candidates.append(_candidate(root, path, str(kind)))
        found.folders[name] = {"files": total, "usable": usable, "passed_over": dict(sorted(passed.items()))}
    return found


def kinds_for(said: Input, ports: Sequence[Port] | None) -> tuple[str, ...]:
    """Return the kinds of files that a model takes: by the contract's modality, or the model's inputs."""
    if said.modality is not None:
        return _OF_MODALITY[said.modality]
    if ports is None:
        return tuple(SUFFIXES)
    kinds = ["array", "json"]
    numbers = [port for port in ports if port.dtype not in ("string", "int32", "int64", "bool")]
    if any(len(port.shape) == 4 for port in numbers):
        kinds.append("image")
    if any(1 < len(port.shape) < 4 for port in numbers):
        kinds.append("audio")
    if said.tokenizer is not None or any(port.dtype == "string" for port in ports):
        kinds.append("text")
    return tuple(kinds)


def _walk(folder: Path, passed: Counter[str]) -> Iterator[Path]:
    """Files in the order of their names, folder by folder."""
    for parent, below, names in os.walk(folder):
        below[:] = sorted(name for name in below if not name.startswith("."))
        for name in below:
            if (Path(parent) / name).is_symlink():  # which `os.walk` does not follow
                passed["link to a folder"] += 1
        for name in sorted(names):
            if (
                not name.startswith(".")
                and not name.endswith(".dvc")
                and not name.upper().startswith("README")
            ):
                yield Path(parent) / name


def _candidate(root: Path, path: Path, kind: str) -> Candidate:
    name = Path(os.path.relpath(path, root.resolve())).as_posix()
    problem = None
    try:
        target = files.inside(root, path)
    except (ReproofError, OSError, RuntimeError):  # a RuntimeError for links in a circle
        problem = "a link that leads out of the project is not followed"
    else:
        if not target.exists():
            problem = "a link to a file that is not there; where DVC holds it, `dvc pull` brings it"
        elif not target.is_file():  # a pipe or a device has no end
            problem = "neither a file nor a folder"
    return Candidate(name, path, kind, problem)
