"""What commits hold, read fast: hundreds of records through one `git cat-file`, and one as a folder."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from reproof import files, git, redact, revisions
from reproof.errors import ReproofError
from reproof.invocation import LATEST

if TYPE_CHECKING:
    from git import Repo

BESIDE = ("dvc.yaml", "dvc.lock", "params.yaml")
"""What tells of a record from outside its folder: who holds which file, what a failed run was given."""

_MAX_BLOB_BYTES = 64_000_000
_MAX_FILES = 2_000
_MAX_DEPTH = 8
_CHUNK_BYTES = 1 << 20


class Refused(ReproofError):
    """Git gives up on an object, such as one that a partial clone lacks."""


@dataclass(frozen=True)
class Entry:
    """One name in a folder that Git holds: the object's id, and whether it is a plain file or a folder."""

    id: str
    is_file: bool
    is_folder: bool


class Objects:
    """One `git cat-file --batch`, asked again and again; made by `objects`.

    Attributes:
        root: the project's folder.
        repo: the repository, for what is no object.
        prefix: the project's path from the top of the repository, with a slash at its end; '' at the top.
    """

    def __init__(
        self, root: Path, repo: Repo, prefix: str, process: subprocess.Popen[bytes], said: IO[bytes]
    ) -> None:
        self.root, self.repo, self.prefix = root, repo, prefix
        self._process, self._said = process, said

    def blob(self, name: str) -> bytes | None:
        """Return a file's bytes; None where there is none, or it is larger than any record.

        Args:
            name: an object's id, or `<revision>:<path from the top>`.

        Raises:
            ReproofError: when Git refuses.
        """
        found = self._ask(name)
        return found[2] if found and found[1] == b"blob" else None

    def folder(self, name: str) -> dict[str, Entry] | None:
        """Return what a folder holds, by name; None where there is no such folder.

        Names are as the commit has them: Git's own commands make none with a slash or `..`, but others can.
        """
        found = self._ask(name)
        if not found or found[1] != b"tree" or found[2] is None:
            return None
        return _entries(found[2], len(found[0]) // 2)

    def _ask(self, name: str) -> tuple[bytes, bytes, bytes | None] | None:
        """The id, kind and content of an object; the content is None where it is too large."""
        if "\n" in name:
            raise ReproofError("Git cannot be asked for a path with a line break", where=repr(name)[:200])
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        header = b""
        with contextlib.suppress(BrokenPipeError):
            stdin.write(os.fsencode(name) + b"\n")
            stdin.flush()
            header = stdout.readline()
        if not header:  # such as a repository of another owner
            self._said.seek(0)
            words = redact.text(self._said.read().decode("utf-8", "replace")).strip()
            raise Refused("Git refuses", found=" ".join(words.split())[:300] or None)
        parts = header.rsplit(b" ", 2)
        if (
            len(parts) != 3
            or not parts[2].strip().isdigit()
            or parts[1] not in (b"blob", b"tree", b"commit", b"tag")
        ):
            return None  # missing, or ambiguous
        size = int(parts[2])
        if size > _MAX_BLOB_BYTES:
            left = size + 1
            while left and (chunk := stdout.read(min(left, _CHUNK_BYTES))):
                left -= len(chunk)
            return parts[0], parts[1], None
        return parts[0], parts[1], stdout.read(size + 1)[:-1]


@contextlib.contextmanager
def objects(root: Path) -> Iterator[Objects]:
    """Open the objects of the repository that holds the project `root`.

    Raises:
        ReproofError: when there is no repository, or no Git.
    """
    with git.open_repository(root) as repo, tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            ["git", "cat-file", "--batch"],
            cwd=root,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            env={**os.environ, **git.as_it_is()},
        )
        try:
            yield Objects(root, repo, git.prefix(repo, root), process, said)
        finally:
            with contextlib.suppress(BrokenPipeError):
                process.communicate()


@contextlib.contextmanager
def record_at(root: Path, rev: str) -> Iterator[Path]:
    """Write what Git holds of a revision's results/latest into a folder that is gone after the block.

    It lies at `results/latest` of a folder that holds the revision's dvc.yaml, dvc.lock and params.yaml too.
    Names that would lead out of it, and links, are left out; what DVC holds is not there.

    Args:
        root: the project.
        rev: an experiment's name, a branch, a tag or a commit.

    Raises:
        ReproofError: no such revision, or it records no run.
    """
    with objects(root) as held, tempfile.TemporaryDirectory(prefix="reproof-record-") as temporary:
        commit = revisions.resolve(held.repo, rev).commit
        entries = held.folder(f"{commit}:{held.prefix}{LATEST}") or {}
        if "meta.json" not in entries:
            raise ReproofError(
                "no run is recorded there",
                where=f"{rev} ({commit[:10]})",
                expected=f"{LATEST}/meta.json in that commit",
                hint="`dvc exp show` lists experiments; commit a run's results to keep them on a branch",
            )
        folder = Path(temporary).resolve() / LATEST
        folder.parent.mkdir()
        _write(held, entries, folder, folder, [_MAX_FILES])
        for name in BESIDE:
            if (data := held.blob(f"{commit}:{held.prefix}{name}")) is not None:
                (folder.parents[1] / name).write_bytes(data)
        yield folder


def _write(held: Objects, entries: dict[str, Entry], folder: Path, top: Path, left: list[int]) -> None:
    folder.mkdir()
    for name, entry in entries.items():
        if not _is_plain(name) or left[0] <= 0:
            continue
        target = files.inside(top, folder / name, follow_links=False)
        left[0] -= 1
        if entry.is_folder and len(target.relative_to(top).parts) < _MAX_DEPTH:
            _write(held, held.folder(entry.id) or {}, target, top, left)
        elif entry.is_file and (data := held.blob(entry.id)) is not None:
            target.write_bytes(data)


def _is_plain(name: str) -> bool:
    """Whether a name is one of a file, on any system; Git's own commands make no other."""
    return name not in ("", ".", "..") and not set(name) & set("/\\:\0") and len(os.fsencode(name)) <= 255


def _entries(tree: bytes, id_bytes: int) -> dict[str, Entry]:
    """Parse a tree object: `<mode> <name>\\0<id>` again and again (gitformat-pack, git-mktree)."""
    found: dict[str, Entry] = {}
    at = 0
    while at < len(tree):
        space, end = tree.find(b" ", at), tree.find(b"\0", at)
        if not at < space < end:
            break  # no tree that Git would write
        mode, name = tree[at:space], os.fsdecode(tree[space + 1 : end])
        at = end + 1 + id_bytes
        found[name] = Entry(
            tree[end + 1 : at].hex(),
            is_file=mode in (b"100644", b"100755", b"100664"),
            is_folder=mode in (b"40000", b"040000"),
        )
    return found
