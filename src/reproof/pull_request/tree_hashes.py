"""Files and folders as they lie in a working tree, hashed as DVC 3 hashes them, without DVC."""

from __future__ import annotations

import fnmatch
import hashlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

_MAX_FILES = 20_000
_MAX_BYTES = 500_000_000
"""Of all files that are hashed: what Git holds is small, and what is not is not looked at."""
_OWN = (".git", ".dvc", ".hg")
"""DVC never looks into these."""


class Tree:
    """A project's files. Args: root: the project, in a Git working tree."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._held = set(_listed(root, "--cached"))
        self._seen = self._held | set(_listed(root, "--others", "--exclude-standard"))
        self._data = sorted(
            name.removesuffix(".dvc") for name in self._seen if name.endswith(".dvc") and "/" in f"/{name}"
        )
        self._ignore = _ignored_by_dvc(root / ".dvcignore")
        self._bytes = 0
        self._md5: dict[str, str | None] = {}
        self._reasons: dict[str, str] = {}

    def holds(self, path: str) -> bool:
        """Whether Git holds it, or anything in it."""
        return path in self._held or any(name.startswith(f"{path}/") for name in self._held)

    def why(self, path: str) -> str:
        """Why `md5` has returned None."""
        return self._reasons.get(path, "it is not here")

    def md5(self, path: str) -> str | None:
        """The hash of a file or a folder as DVC writes it; None where it cannot be told."""
        if path not in self._md5:
            try:
                whole = self._root / path
                self._md5[path] = self._folder(path) if whole.is_dir() else self._file(path)
            except OSError as error:
                self._reasons[path] = error.strerror or "it cannot be read"
                self._md5[path] = None
        return self._md5[path]

    def _file(self, path: str) -> str | None:
        whole = self._root / path
        if not whole.is_file():
            return None
        self._bytes += whole.stat().st_size
        if self._bytes > _MAX_BYTES:
            self._reasons[path] = "too large to be looked at"
            return None
        with whole.open("rb") as stream:
            return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()

    def _folder(self, path: str) -> str | None:
        """DVC's hash of a folder: over the list of its files, by path (dvc_data.hashfile.tree)."""
        names = {name for name in self._seen if name.startswith(f"{path}/")}
        for data in self._data:  # what `dvc add` took, which Git ignores
            if data.startswith(f"{path}/"):
                if not (self._root / data).exists():
                    self._reasons[path] = f"{data}, which DVC holds, is not pulled"
                    return None
                names |= set(_files_below(self._root, data))
        if self._ignore is None:
            self._reasons[path] = ".dvcignore is not simple enough"
            return None
        names = {name for name in names if not self._ignores(name)}
        if len(names) > _MAX_FILES:
            self._reasons[path] = f"{len(names):,} files"
            return None
        listed = []
        for name in sorted(names):
            if not (self._root / name).exists():
                continue  # removed, and not committed so yet
            md5 = self._file(name)
            if md5 is None:
                self._reasons[path] = self._reasons.get(name, f"{name} is no file")
                return None
            listed.append({"md5": md5, "relpath": name[len(path) + 1 :]})
        listed.sort(key=lambda one: one["relpath"])
        text = json.dumps(listed, sort_keys=True).encode()
        return f"{hashlib.md5(text, usedforsecurity=False).hexdigest()}.dir"

    def _ignores(self, name: str) -> bool:
        parts = name.split("/")
        return any(
            part in _OWN or any(fnmatch.fnmatchcase(part, pattern) for pattern in self._ignore or ())
            for part in parts
        )


def _listed(root: Path, *options: str) -> list[str]:
    done = subprocess.run(
        ["git", "ls-files", "-z", *options, "--", "."], cwd=root, capture_output=True, check=False
    )
    return [os.fsdecode(name) for name in done.stdout.split(b"\0") if name]


def _files_below(root: Path, path: str) -> Iterator[str]:
    whole = root / path
    if whole.is_file():
        yield path
        return
    for count, file in enumerate(whole.rglob("*")):
        if count > _MAX_FILES:
            return
        if file.is_file():
            yield file.relative_to(root).as_posix()


def _ignored_by_dvc(path: Path) -> list[str] | None:
    """The patterns of .dvcignore, where each is one name; None where a rule is more than that."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    rules = [line.strip().rstrip("/") for line in lines if line.strip() and not line.startswith("#")]
    return None if any("/" in rule or rule.startswith("!") or "\\" in rule for rule in rules) else rules
