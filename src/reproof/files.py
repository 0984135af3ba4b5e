"""Files that are whole or absent: written beside, flushed to disk, then renamed into place."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from reproof.errors import ReproofError

_JSON_WIDTH = 110
_MAX_NAME_BYTES = 255
"""Of one name in a path, on every common file system."""


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Open a temporary file beside `path` that takes its place when the block ends without an error.

    A reader sees the old content or the new, never a part of either, also after a power cut.
    """
    beside: Path | None = None
    if _is_no_file(path):  # a device or a pipe: no file may take its place
        with path.open("wb") as stream:
            yield stream
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:50]}.", suffix=".tmp")
        beside = Path(name)
        with os.fdopen(descriptor, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        # mkstemp makes files that only their owner can read; results are read by others too.
        beside.chmod(0o666 & ~_umask())
        beside.replace(path)
    except BaseException as error:
        if beside:
            with contextlib.suppress(OSError):
                beside.unlink()
        if isinstance(error, OSError) and error.filename in (None, str(beside or error.filename)):
            raise _of(error, path, path.parents) from error
        raise
    sync_directory(path.parent)


def _is_no_file(path: Path) -> bool:
    """Whether what stands there is written into: also /dev/stdout, where that is a file just now."""
    if path.is_dir() or not path.exists():
        return False
    is_one_just_now = path.is_symlink() and path.absolute().parts[1:2] in (("dev",), ("proc",))
    return is_one_just_now or not path.is_file()


def make_folder(path: Path) -> None:
    """Make a folder, and those above it; one that is there stays as it is."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _of(error, path, (path, *path.parents)) from error


def _of(error: OSError, path: Path, folders: Iterable[Path]) -> OSError:
    """Return an error of the system with the path that was meant, not the one beside it, and what to do."""
    in_the_way = next((folder for folder in folders if folder.is_file()), None)
    told = OSError(error.errno, error.strerror, str(in_the_way or path))
    if in_the_way:
        told.add_note("a file stands where a folder is to be: move it away, or take another folder")
    elif isinstance(error, IsADirectoryError):
        told.add_note("a folder stands where this file is to be: move it away, or take another name")
    return told


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

    What fits a line stands on one, and long lists are filled: people read these files, and Git keeps them.

    Raises:
        ValueError: for NaN or infinity, which are no JSON: record null and the reason.
    """
    write_text(path, json_text(value) + "\n")


def json_text(value: Any, indent: str = "") -> str:
    """Return `value` as JSON: the outermost part over several lines, each inner one on one where it fits."""
    whole = json.dumps(value, ensure_ascii=False, allow_nan=False)
    fits = indent and len(indent) + len(whole) <= _JSON_WIDTH
    if fits or not value or not isinstance(value, dict | list | tuple):
        return whole
    inner = indent + "  "
    if isinstance(value, dict):
        rows = [f"{_json_key(key)}: {json_text(item, inner)}" for key, item in value.items()]
        return "{\n" + ",\n".join(inner + row for row in rows) + f"\n{indent}}}"
    items = [json_text(item, inner) for item in value]
    if any(isinstance(item, dict | list | tuple) for item in value):
        return "[\n" + ",\n".join(inner + item for item in items) + f"\n{indent}]"
    return "[\n" + _filled(items, inner) + f"\n{indent}]"


def _json_key(key: Any) -> str:
    # What `json` makes of a key that is no string: true, null and numbers, in quotes.
    return json.dumps(key if isinstance(key, str) else json.dumps(key), ensure_ascii=False)


def _filled(items: list[str], indent: str) -> str:
    """Short items, as many on a line as fit."""
    lines, line = [], indent
    for number, item in enumerate(items):
        added = item if number == len(items) - 1 else f"{item},"
        if line != indent and len(line) + 1 + len(added) > _JSON_WIDTH:
            lines.append(line)
            line = indent
        line += added if line == indent else f" {added}"
    return "\n".join([*lines, line])


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        ReproofError: when the file is missing, is not UTF-8 or is not JSON that Python can hold.
    """
    try:
        return json.loads(path.read_bytes(), parse_constant=_no_constant, parse_float=_finite)
    except FileNotFoundError as error:
        raise ReproofError("no such file", where=path) from error
    except UnicodeDecodeError as error:
        raise ReproofError("not UTF-8", where=path, found=str(error)) from error
    except json.JSONDecodeError as error:
        raise ReproofError("not JSON", where=f"{path}:{error.lineno}", found=error.msg) from error
    except (RecursionError, ValueError) as error:
        found = "lists in lists, too deep to be read" if isinstance(error, RecursionError) else str(error)
        raise ReproofError("not JSON", where=path, found=found) from error


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes as hex digits: for transport; `digest` is about content."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _no_constant(word: str) -> None:
    raise ValueError(f"{word} is no JSON")


def _finite(text: str) -> float:
    number = float(text)
    if number - number != 0:
        raise ValueError(f"{text[:40]} is too large for a number")
    return number


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
        ReproofError: when the path leads out of `root`, or no file can be called so.
    """
    if "\0" in str(path):
        raise ReproofError("no file can be called so", where=where, found=repr(str(path))[:100])
    if long := next((part for part in Path(path).parts if len(os.fsencode(part)) > _MAX_NAME_BYTES), None):
        raise ReproofError(
            "no file can be called so",
            where=where,
            expected=f"names of at most {_MAX_NAME_BYTES} bytes",
            found=f"{long[:20]!r}… ({len(os.fsencode(long))} bytes)",
        )
    top = root.resolve()
    target = (top / path).resolve() if follow_links else Path(os.path.normpath(top / path))
    if target != top and top not in target.parents:
        raise ReproofError(
            "a path leads out of the project",
            where=where,
            expected="a path inside it",
            found=str(path),
            hint="use a path relative to the project, without '..'",
        )
    return target


def _umask() -> int:
    # The only way to read it is to set it; both calls are immediate, and only this process is affected.
    mask = os.umask(0)
    os.umask(mask)
    return mask
