"""Git's objects by their ids, thousands at a time: through `git cat-file --batch`.

docs/decisions/0014: as fast as libgit2 in a fresh process, since it reads on another core meanwhile; and it
reads every repository that the user's own Git does.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
import threading
import weakref
from collections.abc import Iterator, Sequence

from reproof.history.repository import Repository, environment, git

_ENTRY = re.compile(rb"([0-7]{5,6}) ([^\0]+)\0(.{20})", re.DOTALL)
_LONG_ENTRY = re.compile(rb"([0-7]{5,6}) ([^\0]+)\0(.{32})", re.DOTALL)
Entry = tuple[bytes, bytes, bytes]
"""Mode, name and id of a file or folder in a tree."""

FOLDERS = frozenset((b"40000", b"040000"))
FILES = frozenset((b"100644", b"100755", b"100664"))
"""Modes; others are those of links and submodules."""

_BUFFER_BYTES = 1 << 20
_MANY = 1_000
MAX_BLOB_BYTES = 64_000_000
"""A file that is larger is none of a record."""


class _Ended:
    """Of a process: it answers no more."""


_ENDED = _Ended()


class Store:
    """Asks `git cat-file --batch`, which reads ahead while its last answers are still looked at."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._here: frozenset[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def read(self, ids: Sequence[str]) -> Iterator[tuple[str, str, bytes]]:
        """Yield id, kind ("commit", "tree", "blob", "tag") and content of each, in their order.

        What is absent, torn or larger than `MAX_BLOB_BYTES` is left out.
        """
        left = list(self._local(ids))
        while left:
            done = 0
            for answer in self._answers(left):
                done += 1
                if answer is not None:
                    yield answer
            left = left[done + 1 :]  # Git ends at an object that is torn: the others are asked for anew

    def _answers(self, ids: Sequence[str]) -> Iterator[tuple[str, str, bytes] | None]:
        """One answer for each id, None for what is absent or too large; fewer, where Git ends before."""
        # With a buffer it answers half as fast again, but only once it knows that nothing more is asked.
        many = len(ids) > _MANY
        process = self._start("--buffer") if many else self._running()
        asking = threading.Thread(target=_ask, args=(process, ids, many), daemon=True)
        asking.start()
        left = len(ids)
        try:
            while left and not isinstance(answer := _answer(process), _Ended):
                left -= 1
                yield answer
        finally:
            if left or many:  # it has ended, or nobody wants the rest of what it was asked for
                self._process = None if process is self._process else self._process
                _end(process)
            asking.join()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            self._process = self._start()
            weakref.finalize(self, _end, self._process)
        return self._process

    def _start(self, *options: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            ["git", "cat-file", "--batch", *options],
            cwd=self._repository.root,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=_BUFFER_BYTES,
            pipesize=_BUFFER_BYTES,  # so that it can be ahead by more than is looked at together; on Linux
            env=environment(),
        )

    def _local(self, ids: Sequence[str]) -> Sequence[str]:
        """Those that are here: of others, Git would ask the remote of a partial clone."""
        if not self._repository.is_partial:
            return ids
        if self._here is None:
            every = ("--batch-all-objects", "--unordered", "--batch-check=%(objectname)")
            self._here = frozenset(git(self._repository.root, "cat-file", *every).decode().split())
        return [one for one in ids if one in self._here]


def _ask(process: subprocess.Popen[bytes], ids: Sequence[str], is_all: bool) -> None:
    assert process.stdin is not None
    # It may have ended: then there are fewer answers, which is seen where they are read.
    with contextlib.suppress(OSError, ValueError):
        process.stdin.write("".join(f"{one}\n" for one in ids).encode())
        process.stdin.flush()
        if is_all:
            process.stdin.close()


def _answer(process: subprocess.Popen[bytes]) -> tuple[str, str, bytes] | _Ended | None:
    assert process.stdout is not None
    header = process.stdout.readline()
    parts = header.split()
    if not header.endswith(b"\n"):
        return _ENDED
    if len(parts) != 3 or not parts[2].isdigit():
        return None  # missing
    size = int(parts[2])
    if size > MAX_BLOB_BYTES:
        left = size + 1
        while left and (chunk := process.stdout.read(min(left, _BUFFER_BYTES))):
            left -= len(chunk)
        return _ENDED if left else None
    data = process.stdout.read(size + 1)
    return (parts[0].decode(), parts[1].decode(), data[:-1]) if len(data) == size + 1 else _ENDED


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    for stream in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):
            if stream is not None:
                stream.close()
    process.wait()


def entries(tree: bytes, object_format: str) -> list[Entry]:
    """Return mode, name and id of what a tree's content names.

    `<mode> <name>\\0<id>` again and again (gitformat-pack, git-mktree).
    """
    found: list[Entry] = (_ENTRY if object_format == "sha1" else _LONG_ENTRY).findall(tree)
    return found
