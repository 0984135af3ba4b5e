"""Files by DVC's hash: copied out of caches that are only read, with the hash checked as they are copied."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from reproof import environment, files, redact
from reproof.errors import ReproofError
from reproof.verify.errors import CannotVerify
from reproof.verify.stages import Tracked, open_repo
from reproof.verify.workplace import Item, Workplace

_CHUNK_BYTES = 1 << 20


class Missing(Exception):
    """An object that no cache here holds; `args[0]` is its MD5."""


def caches(place: Workplace) -> list[tuple[str, Path]]:
    """Return the caches to look into, in order, by what is said of them."""
    own = ("remote", place.cache)
    if place.fresh_clone is not None or place.source.cache is None:
        return [own]
    return [("cache", place.source.cache), own]


def find(place: Workplace, md5: str) -> tuple[str, Path]:
    """Return where an object lies, and what that place is called.

    Raises:
        Missing: in none of the caches.
    """
    for name, folder in caches(place):
        path = folder / "files" / "md5" / md5[:2] / md5[2:]
        if path.is_file():
            return name, path
    raise Missing(md5)


def listed(place: Workplace, entry: Tracked) -> tuple[str, list[Item]]:
    """Return the files that a tracked path stands for, and where its listing came from.

    Raises:
        Missing: the listing of a folder is in no cache.
        CannotVerify: the commit names no hash, one of an old DVC, or the listing is corrupt.
    """
    if entry.md5 is None:
        raise CannotVerify(
            "the commit does not say which data this was",
            where=entry.file,
            expected=f"a hash of {entry.path}",
            hint="`dvc commit` (or `dvc repro`) writes it; commit the file that holds it",
        )
    if entry.hash_name != "md5":
        raise CannotVerify(
            "tracked by an old DVC, whose hashes are not those of the bytes",
            where=entry.file,
            found=entry.hash_name,
            hint="dvc cache migrate --dvc-files, and commit",
        )
    if not entry.md5.endswith(".dir"):
        return "", [Item(entry.path, entry.md5, entry.executable)]
    name, path = find(place, entry.md5)
    data = path.read_bytes()
    if hashlib.md5(data, usedforsecurity=False).hexdigest() != entry.md5.removesuffix(".dir"):
        raise _corrupt(name, entry.md5, entry.path)
    return name, [
        Item(
            f"{entry.path}/{_checked(entry, inner['relpath'])}", str(inner["md5"]), bool(inner.get("isexec"))
        )
        for inner in json.loads(data)
    ]


def copy_all(place: Workplace, items: Sequence[Item], top: Path) -> dict[str, tuple[str, str, int]]:
    """Copy files below `top`, on all cores; return where each came from, its SHA-256 and its size, by path.

    Raises:
        Missing: one is in no cache; nothing that was copied is of use then.
        CannotVerify: one is corrupt.
    """
    found = {item.path: find(place, item.md5) for item in items}

    def copy(item: Item) -> tuple[str, str, int]:
        name, source = found[item.path]
        target = top / item.path
        _refuse_links(top, target)
        target.parent.mkdir(parents=True, exist_ok=True)
        sha256, size = _copy(source, target, item, name)
        if item.executable:
            target.chmod(target.stat().st_mode | 0o111)
        return name, sha256, size

    with ThreadPoolExecutor(environment.usable_cores()) as pool:
        return dict(zip(found, pool.map(copy, {item.path: item for item in items}.values()), strict=True))


def fetch(place: Workplace, paths: Iterable[str]) -> str | None:
    """Fetch tracked paths into the private cache from the remotes; return what DVC said when it could not."""
    from dvc.exceptions import DvcException
    from dvc_data.index.index import DataIndexError
    from dvc_objects.fs.errors import AuthError, ConfigError

    try:
        with _quiet(), open_repo(place) as repo:
            repo.fetch(targets=[str(place.pristine_project / path) for path in paths])
    except (DvcException, DataIndexError, AuthError, ConfigError, OSError) as error:
        said: list[str] = []
        cause: BaseException | None = error
        while cause is not None and len(said) < 3:
            said += [line for line in str(cause).splitlines()[:1] if line and line not in said]
            cause = cause.__cause__
        return "; ".join(said).replace(str(place.pristine), "")[:400] or type(error).__name__
    return None


def _copy(source: Path, target: Path, item: Item, name: str) -> tuple[str, int]:
    md5, sha256, size = hashlib.md5(usedforsecurity=False), hashlib.sha256(), 0
    with source.open("rb") as reading, target.open("xb") as writing:
        while chunk := reading.read(_CHUNK_BYTES):
            md5.update(chunk)
            sha256.update(chunk)
            size += writing.write(chunk)
    if md5.hexdigest() != item.md5:
        target.unlink()
        raise _corrupt(name, item.md5, item.path)
    return f"sha256:{sha256.hexdigest()}", size


def _refuse_links(top: Path, target: Path) -> None:
    """A link that the commit holds must not have us write into a folder of the user's."""
    for folder in target.parents:
        if folder.is_symlink():
            raise CannotVerify(
                "data lies behind a link that the commit holds",
                where=target.relative_to(top).as_posix(),
                found=redact.text(str(folder.readlink())),
                hint="keep the folder itself in the repository",
            )
        if folder == top:
            return


def _corrupt(name: str, md5: str, path: str) -> CannotVerify:
    where = "DVC's cache" if name == "cache" else "the DVC remote"
    return CannotVerify(
        f"an object in {where} is corrupt: it does not hold what its name says",
        where=path,
        expected=f"MD5 {md5}",
        hint=f"remove files/md5/{md5[:2]}/{md5[2:]} there, and fetch it from where it is whole: dvc fetch",
    )


def _checked(entry: Tracked, relative: Any) -> str:
    """A path of a listing that somebody else made must not have us write beside the folder."""
    try:
        files.inside(Path("/folder"), str(relative), follow_links=False)
    except ReproofError as error:
        raise CannotVerify(error.what, where=entry.file, found=str(relative)[:100]) from error
    return str(relative)


@contextlib.contextmanager
def _quiet() -> Any:
    """DVC's progress bars are for its own command; it draws none where there is no terminal."""
    import logging

    nowhere = io.StringIO()
    loggers = {name: logging.getLogger(name) for name in ("dvc", "dvc_data", "dvc_objects")}
    levels = {name: logger.level for name, logger in loggers.items()}
    for logger in loggers.values():
        logger.setLevel(logging.CRITICAL + 1)
    try:
        with contextlib.redirect_stderr(nowhere), contextlib.redirect_stdout(nowhere):
            yield
    finally:
        for name, logger in loggers.items():
            logger.setLevel(levels[name])


def by_path(tracked: Mapping[str, Tracked], path: str) -> list[Tracked]:
    """Return what DVC holds at, in or around a path."""
    return [
        entry
        for name, entry in tracked.items()
        if name == path or name.startswith(f"{path}/") or path.startswith(f"{name}/")
    ]
