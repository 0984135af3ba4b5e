"""The code of a run as Git holds it, or as it lies in the working tree: its files, without `git.NOT_CODE`."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reproof import git
from reproof.git_objects import Objects

if TYPE_CHECKING:
    from git import Repo

_MAX_BYTES = 5_000_000
"""As of `git.code_state`: an untracked file that is larger is data."""


@dataclass(frozen=True)
class Tree:
    """The code of one run.

    Attributes:
        files: ids of the contents, by path from the project.
        root: the project, where the files lie in its working tree; None where Git holds them.
    """

    files: Mapping[str, str]
    root: Path | None = None

    def read(self, held: Objects, path: str) -> bytes | None:
        """Return a file's bytes; None where there is none."""
        if path not in self.files:
            return None
        if self.root is None:
            return held.blob(self.files[path])
        return _bytes(self.root / path)


def of_commit(held: Objects, commit: str) -> Tree:
    """Return the code that a commit holds.

    Raises:
        git.GitCommandError: this clone has no such commit.
    """
    listed = held.repo.git.ls_tree("-r", "-z", "--full-tree", commit, "--", held.prefix or ".")
    found = {}
    for entry in filter(None, str(listed).split("\0")):
        facts, _, path = entry.partition("\t")
        mode, _, object_id = facts.split(" ")
        inner = path.removeprefix(held.prefix)
        if is_code(inner):  # a link or a submodule too: its id is where it leads
            found[inner] = object_id if mode != "160000" else f"submodule {object_id}"
    return Tree(found)


def of_workspace(repo: Repo, root: Path) -> Tree:
    """Return the code as it lies in the working tree: what Git tracks, and what it does not ignore."""
    top, prefix = Path(str(repo.working_tree_dir)), git.prefix(repo, root)
    listed = repo.git.ls_files(
        "-z", "--cached", "--others", "--exclude-standard", "--full-name", "--", str(root)
    )
    tracked = set(filter(None, str(repo.git.ls_files("-z", "--full-name", "--", str(root))).split("\0")))
    kind = str(repo.git.rev_parse("--show-object-format"))
    own, found = set(tracked), {}
    for path in dict.fromkeys(filter(None, str(listed).split("\0"))):
        inner = path.removeprefix(prefix)
        if is_code(inner) and (object_id := _id_of(top / path, kind, tracked=path in own)):
            found[inner] = object_id
    return Tree(found, root)


def is_code(path: str) -> bool:
    """Whether a path from the project belongs to the code tree (see `git.CodeState`)."""
    return not any(path == name or path.startswith(f"{name}/") for name in git.NOT_CODE)


def _id_of(path: Path, kind: str, *, tracked: bool) -> str | None:
    """Git's id of a file's content (gitformat: `blob <size>\\0<bytes>`); None for what is no file."""
    data = os.fsencode(path.readlink()) if path.is_symlink() else _bytes(path)
    if data is None or (len(data) > _MAX_BYTES and not tracked):
        return None
    return hashlib.new(kind, b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _bytes(path: Path) -> bytes | None:
    try:
        return path.read_bytes() if path.is_file() else None
    except OSError:
        return None
