"""Whether dvc.lock agrees with params.yaml, the code and the results beside it, without pulling anything.

Everything is compared by what lies in Git: params by value, files that Git holds by their MD5 as DVC 3 takes
it, and data that DVC holds by the hashes that dvc.lock and `.dvc` files write down. What cannot be judged so
is said to be so; nothing is guessed. It is what `dvc repro --dry --allow-missing` tells, without DVC's
start, and it also sees a result that was edited by hand.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from reproof import params
from reproof.errors import ReproofError
from reproof.pull_request.tree_hashes import Tree


@dataclass(frozen=True)
class Finding:
    """What is wrong with a stage, or not known of it; `stage` is '' for what concerns the whole."""

    kind: Literal["stale", "unknown"]
    stage: str
    what: str


@dataclass(frozen=True)
class Checked:
    """What was found out.

    Attributes:
        findings: what is stale, and what could not be judged.
        stages: how many dvc.lock holds.
        compared: how many params and files agree or do not.
        held_by_dvc: how many outputs lie in DVC's cache alone, and were not looked at.
    """

    findings: tuple[Finding, ...]
    stages: int
    compared: int
    held_by_dvc: int

    @property
    def stale(self) -> tuple[Finding, ...]:
        """What does not agree."""
        return tuple(one for one in self.findings if one.kind == "stale")


def check(root: Path) -> Checked:
    """Compare dvc.lock with what lies beside it.

    Args:
        root: the project, in a Git working tree.
    """
    try:
        declared = _stages(root, "dvc.yaml")
    except ReproofError as error:
        return Checked((Finding("stale", "", f"dvc.yaml cannot be read: {error.what}"),), 0, 0, 0)
    if not (root / "dvc.lock").exists():
        told = "there is no dvc.lock: nothing has run, or it was not committed"
        return Checked((Finding("stale", "", told),) if declared else (), 0, 0, 0)
    try:
        locked = _stages(root, "dvc.lock")
    except ReproofError as error:
        return Checked((Finding("stale", "", f"dvc.lock cannot be read: {error.what}"),), 0, 0, 0)
    return _Check(root, declared, locked).whole()


class _Check:
    def __init__(self, root: Path, declared: dict[str, Any], locked: dict[str, Any]) -> None:
        self._root, self._declared, self._locked = root, declared, locked
        self._tree = Tree(root)
        self._params: dict[str, dict[str, Any] | None] = {}
        self._compared = self._held = 0
        self._made = {
            self._path(name, out): out
            for name, entry in locked.items()
            for out in _entries(entry.get("outs"))
        }

    def whole(self) -> Checked:
        found: list[Finding] = []
        names = {name.partition("@")[0] for name in self._locked}
        for name, stage in self._declared.items():
            if name not in names and isinstance(stage, dict) and not stage.get("frozen"):
                found.append(Finding("stale", name, "has never run"))
        for name, entry in self._locked.items():
            stage = self._declared.get(name.partition("@")[0])
            if not isinstance(stage, dict):
                continue  # of a stage that is gone: DVC removes it with the next run
            if stage.get("frozen") or stage.get("always_changed"):
                continue
            found += self._command(name, stage, entry)
            found += self._declarations(name, stage, entry)
            found += self._of_params(name, stage, entry)
            found += self._deps(name, entry)
            found += self._outs(name, entry)
        return Checked(tuple(found), len(self._locked), self._compared, self._held)

    def _command(self, name: str, stage: dict[str, Any], entry: dict[str, Any]) -> Iterator[Finding]:
        own = stage.get("cmd")
        if own is None or "${" in json.dumps(own, default=str):
            return  # of a `foreach`, or templated: dvc.lock has it filled in
        self._compared += 1
        if own != entry.get("cmd"):
            yield Finding("stale", name, "its command is another than the one that ran")

    def _declarations(self, name: str, stage: dict[str, Any], entry: dict[str, Any]) -> Iterator[Finding]:
        for kind, told in (("deps", ("deps",)), ("outs", ("outs", "metrics", "plots"))):
            wanted = {path for key in told for path in _declared_paths(stage.get(key))}
            if any("${" in path for path in wanted):
                continue
            there = {str(one.get("path")) for one in _entries(entry.get(kind))}
            for path in sorted(wanted - there):
                yield Finding("stale", name, f"{path} is new among its {kind}")
            for path in sorted(there - wanted if "cmd" in stage else ()):
                yield Finding("stale", name, f"{path} is no longer among its {kind}")

    def _of_params(self, name: str, stage: dict[str, Any], entry: dict[str, Any]) -> Iterator[Finding]:
        recorded = entry.get("params")
        for file, values in recorded.items() if isinstance(recorded, dict) else ():
            if not isinstance(values, dict):
                continue
            now = self._file_of_params(self._path(name, {"path": file}))
            if now is None:
                yield Finding("unknown", name, f"{file} cannot be read")
                continue
            whole = _is_whole(stage, str(file))
            for key, value in values.items():
                self._compared += 1
                known, current = _at(now, str(key))
                if not known:
                    yield Finding("stale", name, f"{file} has no {key} any more")
                elif isinstance(current, dict) and isinstance(value, dict):
                    for leaf, (one, other) in _leaves(current, value).items():
                        told = f"{key}.{leaf} in {file} is {_short(one)}, it ran with {_short(other)}"
                        yield Finding("stale", name, told)
                elif current != value:
                    yield Finding(
                        "stale", name, f"{key} in {file} is {_short(current)}, it ran with {_short(value)}"
                    )
            for key in sorted(map(str, now.keys() - values.keys())) if whole else ():
                yield Finding("stale", name, f"{key} in {file} is new")
        ran_with = {
            str(key)
            for values in (recorded.values() if isinstance(recorded, dict) else ())
            if isinstance(values, dict)
            for key in values
        }
        for key in sorted(_declared_params(stage) - ran_with):
            yield Finding("stale", name, f"the param {key} is new among those that it depends on")

    def _deps(self, name: str, entry: dict[str, Any]) -> Iterator[Finding]:
        for dep in _entries(entry.get("deps")):
            path, told = self._path(name, dep), str(dep.get("path"))
            recorded = dep.get("md5")
            if path is None or not isinstance(recorded, str) or dep.get("hash") != "md5":
                yield Finding("unknown", name, f"{told}: not by an MD5 of DVC 3 inside this project")
                continue
            if (made := self._made.get(path)) is not None:
                now, what = made.get("md5"), "as the stage before it left it"
            elif (held := _of_dvc_file(self._root / f"{path}.dvc")) is not None:
                now, what = held, f"as {told}.dvc says"
            else:
                now, what = self._tree.md5(path), "as it lies here"
            if now is None:
                is_gone = self._tree.holds(path) and not (self._root / path).exists()
                said = f"{told} is gone" if is_gone else f"{told}: {self._tree.why(path)}"
                yield Finding("stale" if is_gone else "unknown", name, said)
                continue
            self._compared += 1
            if now != recorded:
                yield Finding("stale", name, f"{told} is another than it ran on ({what})")

    def _outs(self, name: str, entry: dict[str, Any]) -> Iterator[Finding]:
        for out in _entries(entry.get("outs")):
            path, recorded = self._path(name, out), out.get("md5")
            if path is None or not isinstance(recorded, str) or out.get("hash") != "md5":
                continue
            if not self._tree.holds(path):
                self._held += 1
                continue
            now = self._tree.md5(path)
            if now is None:
                yield Finding("unknown", name, f"{path}: {self._tree.why(path)}")
                continue
            self._compared += 1
            if now != recorded:
                yield Finding("stale", name, f"{path} is not what the stage wrote")

    def _path(self, name: str, entry: Mapping[str, Any]) -> str | None:
        """A path from the project's root; None for one outside it."""
        stage = self._declared.get(name.partition("@")[0])
        folder = str(stage.get("wdir") or "") if isinstance(stage, dict) else ""
        told = str(entry.get("path"))
        if "://" in told or told.startswith(("/", "\\")) or "${" in folder:
            return None
        path = os.path.normpath(PurePosixPath(folder, told)).replace(os.sep, "/")
        return None if path.startswith("..") else path

    def _file_of_params(self, path: str | None) -> dict[str, Any] | None:
        if path is None:
            return None
        if path not in self._params:
            self._params[path] = _read_params(self._root / path)
        return self._params[path]


def _stages(root: Path, name: str) -> dict[str, Any]:
    """The stages of dvc.yaml or dvc.lock, read as DVC reads numbers.

    Raises:
        ReproofError: when it is no YAML, or holds no mapping.
    """
    found = params.parse((root / name).read_bytes(), name)[0].get("stages")
    stages = found.items() if isinstance(found, dict) else ()
    return {str(key): entry for key, entry in stages if isinstance(entry, dict)}


def _read_params(path: Path) -> dict[str, Any] | None:
    try:
        data = path.read_bytes()
        if path.suffix in (".yaml", ".yml"):
            return params.parse(data, path.name)[0]
        if path.suffix == ".json":
            found = json.loads(data)
        elif path.suffix == ".toml":
            found = tomllib.loads(data.decode())
        else:
            return None  # such as a Python module, which is not run for this
    except (OSError, ValueError, ReproofError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _of_dvc_file(path: Path) -> str | None:
    """The hash that a `.dvc` file holds; None where there is no such file."""
    try:
        outs = params.parse(path.read_bytes(), path.name)[0].get("outs")
    except (OSError, ReproofError):
        return None
    md5 = outs[0].get("md5") if isinstance(outs, list) and outs and isinstance(outs[0], dict) else None
    return md5 if isinstance(md5, str) else None


def _entries(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _declared_paths(value: Any) -> Iterable[str]:
    for entry in value if isinstance(value, list) else ():
        if entry:
            yield str(next(iter(entry))) if isinstance(entry, dict) else str(entry)


def _declared_params(stage: dict[str, Any]) -> set[str]:
    """Keys of params.yaml and others, one by one; templated ones are left out."""
    found: set[str] = set()
    listed = stage.get("params")
    for entry in listed if isinstance(listed, list) else ():
        if isinstance(entry, dict):
            found |= {str(key) for keys in entry.values() if isinstance(keys, list) for key in keys}
        else:
            found.add(str(entry))
    return {key for key in found if "${" not in key}


def _is_whole(stage: dict[str, Any], file: str) -> bool:
    """Whether the stage depends on a whole file of params."""
    listed = stage.get("params")
    return any(
        isinstance(entry, dict) and file in entry and not entry[file]
        for entry in (listed if isinstance(listed, list) else ())
    )


def _at(values: dict[str, Any], key: str) -> tuple[bool, Any]:
    """Whether there is something under a dotted key, and what."""
    found: Any = values
    for part in key.split("."):
        if not isinstance(found, dict) or part not in found:
            return False, None
        found = found[part]
    return True, found


def _leaves(current: dict[str, Any], value: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """What differs in two blocks, by dotted keys; a key that one of them lacks is null there."""
    one, other = params.flatten(current), params.flatten(value)
    return {
        key: (one.get(key), other.get(key))
        for key in [*one, *(key for key in other if key not in one)]
        if (key in one, one.get(key)) != (key in other, other.get(key))
    }


def _short(value: Any) -> str:
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}…"
