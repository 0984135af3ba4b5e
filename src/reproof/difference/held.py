"""A file that DVC holds of a run, by its content: out of the local cache where it lies there, else by DVC.

Importing DVC takes a second, and each revision of it some tenths: where the cache is in its usual place,
dvc.lock says where in it the file lies. That it is the one that the run recorded, its content digest proves.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reproof import digest, dvc
from reproof.errors import ReproofError
from reproof.git_objects import objects
from reproof.record_values import mapping

_CACHE = Path(".dvc", "cache", "files", "md5")
_MD5 = re.compile(r"[0-9a-f]{32}(\.dir)?")
_MAX_LISTING_BYTES = 100_000_000


def bring(root: Path, commit: str, path: str, expected: str, destination: Path, *, max_bytes: int) -> None:
    """Write a file as a run left it to `destination`, which does not exist yet.

    Args:
        root: the project.
        commit: that holds the run.
        path: from the project's root.
        expected: its content digest.
        destination: of the same suffix, by which the digest knows what to cover.
        max_bytes: of what DVC holds with it; more is not fetched.

    Raises:
        ReproofError: it is too large, neither cache nor remote has it, or it is not what the run recorded.
    """
    found = _out(root, commit, path)
    size = found.get("size")
    if isinstance(size, int) and size > max_bytes:
        raise ReproofError("too large to be fetched for this", where=path, found=f"{size:,} bytes")
    cached = _cached(root, found, path)
    if cached is not None:
        shutil.copyfile(cached, destination)
        if is_content(destination, expected):
            return
        destination.unlink()
    dvc.fetch(root, commit, path, destination)
    if not is_content(destination, expected):
        raise ReproofError(
            "a file is not what the run recorded",
            where=f"{path} at {commit[:10]}",
            expected=expected,
            hint="the cache or the remote is corrupt, or the record was edited: fetch it from elsewhere",
        )


def is_content(path: Path, expected: str) -> bool:
    """Whether a file is there and has a content digest; a torn one has not."""
    try:
        return path.is_file() and digest.digest(path) == expected
    except ReproofError:
        return False


def _out(root: Path, commit: str, path: str) -> dict[str, Any]:
    """What dvc.lock says of the output that is or holds a file; nothing where it says nothing."""
    with objects(root) as held:
        data = held.blob(f"{commit}:{held.prefix}dvc.lock")
    for out in _outs(data or b""):
        name = out.get("path")
        if isinstance(name, str) and f"{path}/".startswith(f"{name}/"):
            return out
    return {}


def _outs(lock: bytes) -> Iterator[dict[str, Any]]:
    import yaml

    try:
        # Both are safe; that in C reads the lock of a long pipeline ten times as fast.
        read = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(lock).get_single_data()
    except (yaml.YAMLError, RecursionError, ValueError):
        return
    for stage in mapping(read, "stages").values():
        outs = mapping(stage).get("outs")
        yield from map(mapping, outs if isinstance(outs, list) else ())


def _cached(root: Path, out: dict[str, Any], path: str) -> Path | None:
    name, md5 = out.get("path"), out.get("md5")
    file = _object(root, md5)
    if file is None or path == name or not isinstance(name, str):
        return file if path == name else None
    inner = path.removeprefix(f"{name}/")
    try:
        if file.stat().st_size > _MAX_LISTING_BYTES:
            return None
        listed = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return None
    entries = map(mapping, listed if isinstance(listed, list) else ())
    return _object(root, next((one.get("md5") for one in entries if one.get("relpath") == inner), None))


def _object(root: Path, md5: Any) -> Path | None:
    if not isinstance(md5, str) or not _MD5.fullmatch(md5):
        return None
    file = root / _CACHE / md5[:2] / md5[2:]
    return file if file.is_file() else None
