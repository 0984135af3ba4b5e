"""What must be equal for one training to go on from another's state: code, params, data, environment."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from reproof import digest, dvc, environment, redact
from reproof.params import flatten
from reproof.plain import plain

Identity = dict[str, dict[str, Any]]
"""`{"code": {path: digest}, "params": {key: value}, "data": {path: digest}, "environment": {name: value}}`"""

PARTS = ("code", "params", "data", "environment")
_OF_ONE_START = ("LOCAL_RANK", "RANK", "SLURM_JOB_ID", "WORLD_SIZE")
_MOST_NAMED = 3


def of(
    root: Path, stage: str, params: Mapping[str, Any], reads: Mapping[str, str], processes: int
) -> Identity:
    """Return what the stage's result follows from, as it is now.

    Code is what dvc.yaml declares as the stage's dependencies, and what the script has imported from the
    project. Of the params those count that dvc.yaml declares; where it declares none, all of them.

    Args:
        root: the project's folder.
        stage: its name in dvc.yaml.
        params: all params.
        reads: digests of what the stage has read.
        processes: that train together.

    Raises:
        ReproofError: when a declared dependency cannot be read.
    """
    declared = dvc.pipeline(root).get(stage) or dvc.Declared([], [], None)
    files = {path for dep in declared.deps for path in _files(root, dep) if not _covered(path, reads)}
    found = {path: digest.digest(root / path) for path in sorted(files | set(_imported_files(root)))}
    return {
        "code": {path: value for path, value in found.items() if path.endswith(".py")},
        "params": redact.data(plain(_declared_params(params, declared.params))),
        "data": {path: value for path, value in found.items() if not path.endswith(".py")} | dict(reads),
        "environment": _environment(processes),
    }


def key(identity: Identity) -> str:
    """Return 15 hex digits that name an identity (60 bits: they fit the integer that processes share)."""
    return digest.text_of(identity).removeprefix("sha256:")[:15]


def differences(old: Identity, new: Identity) -> str:
    """Say in a few words what differs, such as `params train.lr: 0.002, now 0.01`."""
    told = []
    for part in PARTS:
        before, now = old.get(part, {}), new.get(part, {})
        names = [name for name in sorted(before.keys() | now.keys()) if before.get(name) != now.get(name)]
        if names:
            words = [_difference(part, name, before.get(name), now.get(name)) for name in names[:_MOST_NAMED]]
            more = len(names) - _MOST_NAMED
            told.append(f"{part} " + ", ".join(words) + (f" and {more} more" if more > 0 else ""))
    return "; ".join(told)


def _difference(part: str, name: str, before: Any, now: Any) -> str:
    if part in ("code", "data"):
        return f"{name} changed"
    old, new = ("absent" if value is None else value for value in (before, now))
    return f"{name}: {old}, now {new}"


def _declared_params(params: Mapping[str, Any], names: Iterable[str] | None) -> dict[str, Any]:
    flat = flatten(params)
    if names is None:
        return flat
    wanted = list(names)
    return {k: v for k, v in flat.items() if any(k == name or k.startswith(f"{name}.") for name in wanted)}


def _covered(path: str, reads: Mapping[str, str]) -> bool:
    """Whether the stage has read this file, by itself or with its folder."""
    return any(read == path or path.startswith(f"{read}/") for read in reads)


def _files(root: Path, dependency: str) -> Iterable[str]:
    """The files of a dependency, which may be a folder, from the project's root."""
    target = root / dependency
    inside = sorted(target.rglob("*")) if target.is_dir() else [target]
    for path in inside:
        if path.is_file() and "__pycache__" not in path.parts and path.is_relative_to(root):
            yield path.relative_to(root).as_posix()


def _imported_files(root: Path) -> Iterable[str]:
    """The project's own modules among those that are loaded; not a virtual environment that lies in it."""
    for module in list(sys.modules.values()):
        name = getattr(module, "__dict__", {}).get("__file__")  # no getattr: some modules import on it
        path = Path(name).resolve() if isinstance(name, str) else None
        if path and path.is_relative_to(root) and not path.is_relative_to(Path(sys.prefix).resolve()):
            yield path.relative_to(root).as_posix()


def _environment(processes: int) -> dict[str, Any]:
    cpu = environment.cpu_facts()
    gpus, _, driver = environment.gpu_facts()
    facts: dict[str, Any] = {
        "python": platform.python_version(),
        "cpu": cpu["model"],
        "isa": cpu["isa"],
        "gpus": [gpu["name"] for gpu in (gpus or {}).values()],
        "gpu_driver": driver,
        "processes": processes,
    }
    for name in environment.CAPTURED_VARIABLES:
        if name in os.environ and name not in _OF_ONE_START:
            facts[name] = os.environ[name]
    for name, module in list(sys.modules.items()):
        version = getattr(module, "__dict__", {}).get("__version__") if "." not in name else None
        if isinstance(version, str):
            facts[name] = version
    return facts
