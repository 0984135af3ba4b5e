"""The one model that a path of params.yaml means: a file, or a folder that holds exactly one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from reproof import files
from reproof.errors import ReproofError
from reproof.model_files import external, foreign, formats

_BY_SUFFIX = {**formats.SUFFIXES, **foreign.SUFFIXES}
_NEVER = {".dvc", ".md", ".txt", ".json", ".yaml", ".yml", ".py", ".gitignore", ".gitattributes", ".lock"}
_MAX_FILES = 10_000
_MAX_NAMED = 8
_OUT = (
    "put the file itself into the project, not a link to it; where DVC made the link, "
    "`dvc config cache.type copy` and `dvc checkout --relink` do"
)


def find(root: Path, path: str) -> Path:
    """Return the model file that `path` means, as `root / …`; a link stays the name that it has.

    In a folder, and those below it, what is no model does not count: hidden files, DVC's pointers, texts, and
    the external data of an ONNX model.

    Args:
        root: the project's folder.
        path: relative to it: a file, or a folder that holds exactly one model.

    Raises:
        ReproofError: no such file, a path or a link that leads out of the project, a folder without a model,
            or with several.
    """
    place = root / path
    _inside(root, place, path)
    if not place.is_dir():
        formats.check_is_file(place, path)
        return place
    found = _models(place)
    for candidate in found:
        _inside(root, candidate, _shown(root, candidate))
    if len(found) == 1:
        return found[0]
    raise _several(root, path, found) if found else _none(root, place, path)


def _inside(root: Path, place: Path, shown: str) -> None:
    try:
        files.inside(root, place, where=shown)
    except ReproofError as error:
        if not place.is_symlink():
            raise
        raise ReproofError("a link that leads out of the project", where=shown, hint=_OUT) from error


def _models(folder: Path) -> list[Path]:
    names = list(_files(folder))
    models = [path for path in names if _may_be_one(path)]
    beside: set[Path] = set()
    for path in models:
        if path.suffix.lower() == ".onnx":
            beside |= {path.parent / name for name in external.names(path)}
    return [path for path in models if path not in beside]


def _files(folder: Path) -> Iterator[Path]:
    count = 0
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            count += 1
            if count > _MAX_FILES:
                raise ReproofError(
                    f"over {_MAX_FILES:,} files", where=folder, hint="name the model's file itself"
                )
            if not name.startswith("."):
                yield Path(place) / name


def _may_be_one(path: Path) -> bool:
    """By the end of the name, so that a broken model is told to be broken; else by content."""
    suffix = path.suffix.lower()
    if suffix in _BY_SUFFIX:
        return True
    if suffix in _NEVER or not path.is_file():
        return False
    try:
        formats.detect(path)
    except ReproofError:
        return False
    return True


def _several(root: Path, path: str, found: list[Path]) -> ReproofError:
    names = [_shown(root, one) for one in found]
    more = f" and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else ""
    return ReproofError(
        f"a folder with {len(names)} models",
        where=path,
        expected="exactly one, or the path of the one that is meant",
        found=", ".join(names[:_MAX_NAMED]) + more,
        hint=f"name the file in params.yaml: `model: {{path: {names[0]}}}`, or "
        f"`dvc exp run -S model.path={names[0]}`",
    )


def _none(root: Path, place: Path, path: str) -> ReproofError:
    pointers = sorted(place.rglob("*.dvc"))
    if pointers:
        names = ", ".join(_shown(root, one) for one in pointers[:_MAX_NAMED])
        return ReproofError(
            "a folder without a model: only DVC's pointers are there",
            where=path,
            found=names,
            hint="`dvc pull` brings the files",
        )
    names = ", ".join(_shown(root, one) for one in list(_files(place))[:_MAX_NAMED])
    return ReproofError(
        "a folder without a model",
        where=path,
        found=names or "nothing",
        hint=f"copy the model there: `cp ~/model.onnx {path}/ && dvc add {path}/model.onnx`",
    )


def _shown(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()
