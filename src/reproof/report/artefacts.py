"""The files of a run: what each is by its content, how large it is, and who holds it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from reproof import digest, record_values
from reproof.invocation import LATEST
from reproof.report.subjects import Subject

_OF_SUMMARIZE = ("config.yaml", "meta.json", "summary.json")


@dataclass(frozen=True)
class Artefact:
    """A file or folder; `size_bytes` is None where neither Git nor dvc.lock tells it."""

    path: str
    digest: str | None
    size_bytes: int | None
    holder: str
    is_input: bool


def of(subject: Subject) -> list[Artefact]:
    """Return the inputs and artefacts of a run, by path; what lies in a folder that is named counts as it."""
    inputs, made = _digests(subject, "inputs"), _digests(subject, "artefacts")
    folder = subject.folder
    for name in _OF_SUMMARIZE:
        path = f"{LATEST}/{name}"
        if path not in made and (held_here := subject.source.file(name)):
            made[path] = digest.digest(held_here)
    held, sizes = _holders(folder), _sizes(folder)
    found = []
    for path, content in sorted((inputs | made).items()):
        if not any(path.startswith(f"{other}/") for other in inputs | made):
            size = sizes.get(path)
            if size is None and (folder / path).is_file():
                size = (folder / path).stat().st_size
            found.append(Artefact(path, content, size, _holder(held, path, path in inputs), path in inputs))
    return found


def _holder(held: Mapping[str, str], path: str, is_input: bool) -> str:
    for one, who in held.items():
        if path == one or path.startswith(f"{one}/"):
            return who
    return "whoever tracks the data: Git, or DVC by a .dvc file" if is_input else "Git"


def _holders(folder: Path) -> dict[str, str]:
    """What dvc.yaml says of each output: DVC holds it, or Git does where its cache is off."""
    found: dict[str, str] = {}
    for stage in _stages(folder / "dvc.yaml"):
        declared = stage.get("do") if isinstance(stage.get("do"), dict) else stage
        assert isinstance(declared, dict)
        for kind in ("outs", "metrics", "plots"):
            entries = declared.get(kind)
            for entry in entries if isinstance(entries, list) else ():
                path, options = (
                    next(iter(entry.items()), ("", None)) if isinstance(entry, dict) else (entry, None)
                )
                in_git = isinstance(options, dict) and options.get("cache") is False
                found[str(path)] = "Git" if in_git else "DVC"
    return found


def _sizes(folder: Path) -> dict[str, int]:
    found: dict[str, int] = {}
    for stage in _stages(folder / "dvc.lock"):
        outs = stage.get("outs")
        for out in outs if isinstance(outs, list) else ():
            if isinstance(out, dict) and isinstance(out.get("size"), int):
                found[str(out.get("path"))] = out["size"]
    return found


def _stages(path: Path) -> Iterator[dict[str, Any]]:
    try:
        read = yaml.safe_load(path.read_bytes())
    except (OSError, yaml.YAMLError, RecursionError, ValueError):
        return
    stages = read.get("stages") if isinstance(read, dict) else None
    for stage in stages.values() if isinstance(stages, dict) else ():
        if isinstance(stage, dict):
            yield stage


def _digests(subject: Subject, kind: str) -> dict[str, str]:
    found = record_values.mapping(subject.source.digests, kind)
    return {path: str(content) for path, content in found.items()}


def held_by_dvc(subject: Subject, path: str) -> bool:
    """Return whether DVC holds a file, by the dvc.yaml of the run: a forge then has none to link to."""
    return _holder(_holders(subject.folder), path, is_input=False) == "DVC"


def digest_of(subject: Subject, path: str) -> str | None:
    """Return the digest that a run recorded of one of its files."""
    return _digests(subject, "artefacts").get(path)
