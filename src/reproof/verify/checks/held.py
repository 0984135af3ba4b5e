"""What the commit holds of a file: its bytes, DVC's hash of them, and their content digest."""

from __future__ import annotations

import contextlib
import fnmatch
import functools
import hashlib
import json
import posixpath
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from reproof import digest, git_objects
from reproof.errors import ReproofError
from reproof.verify.recorded_run import RecordedRun

_NEVER = (".git", ".hg", ".dvc")
"""DVC never looks into these."""
_LFS = b"version https://git-lfs.github.com/spec/"


class Held:
    """The files of a run's commit, read as they are asked for; made by `held`.

    A file that Git checks out with CRLF line ends has another hash on Windows. So everything here returns all
    that one and the same file of the commit may be: with its line ends as Git keeps them first.
    """

    def __init__(self, run: RecordedRun, objects: git_objects.Objects, folder: Path) -> None:
        self.run, self._objects, self._folder = run, objects, folder
        self._md5: dict[str, tuple[str, ...]] = {}
        self._by_dvc = _dvc_files(run, self._blob)
        made = {path for _, kind, path, _ in entries(run) if kind == "outs"}
        self._not_git = {path for path in made | self._by_dvc.keys() if not self.holds(path)}

    def holds(self, path: str) -> bool:
        """Whether Git holds it as a file, or a folder of which it holds a file."""
        return path in self.run.files or any(name.startswith(f"{path}/") for name in self.run.files)

    def why_not(self, path: str) -> str | None:
        """Why the commit does not tell what is under a path; None where Git holds it whole."""
        if path in self._not_git:
            return "DVC holds it"
        if inner := next((one for one in self._not_git if one.startswith(f"{path}/")), None):
            return f"DVC holds {inner}"
        if outer := next((one for one in self._not_git if path.startswith(f"{one}/")), None):
            return f"DVC holds {outer}"
        if not self.holds(path):
            return "neither Git nor DVC holds it"
        if any(name == path or name.startswith(f"{path}/") for name in self.run.links):
            return "Git holds a link there"
        for name in self._files(path):
            data = self._blob(self.run.files[name])
            if data is None:
                return f"{name} is larger than what is read out of Git"
            if data.startswith(_LFS):
                return f"{name} is held by Git LFS"
        return None

    def md5_of_dvc_file(self, path: str) -> str | None:
        """The hash that a `.dvc` file of the commit has for a path; None where none names it."""
        return self._by_dvc.get(path)

    def md5(self, path: str) -> tuple[str, ...]:
        """DVC's hashes of what Git holds under a path, which `why_not` says it does."""
        if path in self.run.files:
            if path not in self._md5:
                self._md5[path] = tuple(_md5(one) for one in self._spellings(path))
            return self._md5[path]
        # Of a folder: over the list of its files by path (dvc_data.hashfile.tree).
        both = []
        for index in range(2):
            files = {name: self.md5(name) for name in self._files(path) if not self._ignores(name)}
            listed = [
                {"md5": md5[min(index, len(md5) - 1)], "relpath": name[len(path) + 1 :]}
                for name, md5 in files.items()
            ]
            listed.sort(key=lambda one: one["relpath"])
            both.append(f"{_md5(json.dumps(listed, sort_keys=True).encode())}.dir")
        return tuple(dict.fromkeys(both))

    def digests(self, path: str) -> tuple[str, ...]:
        """Content digests of what Git holds under a path, which `why_not` says it does.

        Raises:
            ReproofError: it is not what its name says, such as JSON that is none.
        """
        both = []
        for index in range(2):
            with tempfile.TemporaryDirectory(dir=self._folder) as folder:
                target = Path(folder, *path.split("/"))
                for name in self._files(path):
                    spelled = self._spellings(name)
                    own = Path(folder, *name.split("/"))
                    own.parent.mkdir(parents=True, exist_ok=True)
                    own.write_bytes(spelled[min(index, len(spelled) - 1)])
                both.append(digest.digest(target))
        return tuple(dict.fromkeys(both))

    @functools.cached_property
    def ignore_rules(self) -> list[str] | None:
        """The rules of .dvcignore, where each is the name of a file or a folder; None where one is more."""
        names = [name for name in self.run.files if name.rpartition("/")[2] == ".dvcignore"]
        if any(name != ".dvcignore" for name in names):
            return None
        text = (self._blob(self.run.files[".dvcignore"]) or b"").decode("utf-8", "replace") if names else ""
        lines = [line.strip().rstrip("/") for line in text.splitlines()]
        rules = [line for line in lines if line and not line.startswith("#")]
        return None if any("/" in one or "\\" in one or one.startswith("!") for one in rules) else rules

    def _ignores(self, name: str) -> bool:
        rules = (*_NEVER, *(self.ignore_rules or ()))
        return any(fnmatch.fnmatchcase(part, rule) for part in name.split("/") for rule in rules)

    def _files(self, path: str) -> list[str]:
        if path in self.run.files:
            return [path]
        return [name for name in self.run.files if name.startswith(f"{path}/")]

    def _spellings(self, path: str) -> tuple[bytes, ...]:
        data = self._blob(self.run.files[path])
        if data is None:
            raise ReproofError("larger than what is read out of Git", where=path)
        is_text = b"\r" not in data and b"\0" not in data and b"\n" in data
        return (data, data.replace(b"\n", b"\r\n")) if is_text else (data,)

    def _blob(self, name: str) -> bytes | None:
        return self._objects.blob(name)


@contextlib.contextmanager
def held(run: RecordedRun) -> Iterator[Held]:
    """Open what a run's commit holds."""
    with (
        git_objects.objects(run.root) as objects,
        tempfile.TemporaryDirectory(prefix="reproof-held-") as folder,
    ):
        yield Held(run, objects, Path(folder).resolve())


def entries(run: RecordedRun) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """Yield stage, `deps` or `outs`, path from the project and the entry, of all that dvc.lock names.

    What lies outside the project, on another machine or in a folder that a template names is left out.
    """
    for name, entry in run.lock["stages"].items():
        stage = run.dvc_yaml["stages"].get(str(name).partition("@")[0])
        if not isinstance(stage, dict) or not isinstance(entry, dict):
            continue  # of a stage that dvc.yaml has no more
        for kind in ("deps", "outs"):
            for one in entry.get(kind) or []:
                path = inside(str(stage.get("wdir") or ""), str(one.get("path")))
                if path is not None:
                    yield str(name), kind, path, one


def inside(folder: str, path: str) -> str | None:
    """Return a path of dvc.yaml from the project's root; None for one outside the project."""
    if "://" in path or path.startswith("/") or "\\" in path or "${" in folder + path:
        return None
    whole = posixpath.normpath(posixpath.join(folder, path))
    return None if whole == ".." or whole.startswith(("../", "/")) else whole


def _dvc_files(run: RecordedRun, blob: Any) -> dict[str, str]:
    """What `dvc add` took: path and hash, out of all `.dvc` files of the commit."""
    found = {}
    for name, object_id in run.files.items():
        if not name.endswith(".dvc") or name.startswith(".dvc/"):
            continue
        try:
            outs = yaml.safe_load(blob(object_id) or b"")["outs"]
            for out in outs:
                path = inside(posixpath.dirname(name), str(out["path"]))
                if path is not None and isinstance(out.get("md5"), str):
                    found[path] = out["md5"]
        except (yaml.YAMLError, KeyError, TypeError, AttributeError):
            continue  # DVC says so when it meets it
    return found


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
