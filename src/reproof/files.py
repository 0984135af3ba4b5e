"""Files that are whole or absent: written beside, flushed to disk, then renamed into place."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from reproof.errors import ReproofError


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Open a temporary file beside `path` that takes its place when the block ends without an error.

    A reader sees the old content or the new, never a part of either, also after a power cut.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:50]}.", suffix=".tmp")
    beside = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        # mkstemp makes files that only their owner can read; results are read by others too.
        beside.chmod(0o666 & ~_umask())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def sync_directory(folder: Path) -> None:
    """Flush a rename in `folder` to disk, where the platform can (Windows cannot)."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path` in one step."""
    with replacing(path) as stream:
        stream.write(data)


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` as UTF-8, with the line ends it has, in one step.

    Bytes of a file's name or a tool's output that are no UTF-8 are written as escapes (`\\udce9`).
    """
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def write_json(path: Path, value: Any) -> None:
    """Write `value` as JSON in one step: keys in their order, two spaces, a newline at the end.

    Raises:
        ValueError: for NaN or infinity, which are no JSON: record null and the reason.
    """
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        ReproofError: when the file is missing, is not UTF-8 or is not JSON.
    """
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise ReproofError("no such file", where=path) from error
    except UnicodeDecodeError as error:
        raise ReproofError("not UTF-8", where=path, found=str(error)) from error
    except json.JSONDecodeError as error:
        raise ReproofError("not JSON", where=f"{path}:{error.lineno}", found=error.msg) from error


def inside(
    root: Path, path: str | Path, *, where: str | Path | None = None, follow_links: bool = True
) -> Path:
    """Return `path`, taken relative to `root`, as an absolute path that lies within `root`.

    Args:
        root: the folder.
        path: relative to it, or absolute.
        where: what the path stands in, for the error.
        follow_links: whether a link that leads out counts as leading out.

    Raises:
        ReproofError: when the path leads out of `root`.
    """
    top = root.resolve()
    target = (top / path).resolve() if follow_links else Path(os.path.normpath(top / path))
    if target != top and top not in target.parents:
        raise ReproofError(
            "a path leads out of the project",
            where=where,
            expected=f"a path inside {root}",
            found=str(path),
            hint="use a path relative to the project, without '..'",
        )
    return target


def _umask() -> int:
    # The only way to read it is to set it; both calls are immediate, and only this process is affected.
    mask = os.umask(0)
    os.umask(mask)
    return mask
