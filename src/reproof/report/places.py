"""Links of a document, for wherever it is written: templates are made for reports/, beside results/latest."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from reproof.errors import ReproofError

RECORD = "record"
"""Where a record is copied to that does not lie beside the documents, such as one out of Git."""

_LARGE = shutil.ignore_patterns("checkpoint", "*.onnx", "*.data", "*.parquet", "*.ndjson", "*.npz")
"""Held by DVC, and linked from no document."""

_LINK = re.compile(r"(\]\(<?)\.\./(results/latest(?=[/)>#]))?")


def moved(text: str, root: Path, results: Path, folder: Path) -> str:
    """Return a document whose links lead to the project and to the run's record from `folder`.

    Args:
        text: as templates give it, in Markdown.
        root: the project.
        results: the run's record.
        folder: of the document.
    """
    to_record = _relative(results, folder) if _is_beside(results, folder, root) else RECORD
    to_root = _relative(root, folder)

    def there(link: re.Match[str]) -> str:
        return f"{link.group(1)}{to_record}" if link.group(2) else f"{link.group(1)}{to_root}/"

    return _LINK.sub(there, text)


def bring(root: Path, results: Path, folder: Path) -> None:
    """Copy a record that lies elsewhere to the documents that link to it, but for its large files.

    Raises:
        ReproofError: when a folder of that name is there that is no record.
    """
    if _is_beside(results, folder, root):
        return
    copy = folder / RECORD
    if copy.exists() and not (copy / "meta.json").is_file():
        raise ReproofError(
            "a folder that is no run's record",
            where=copy,
            hint="it is left as it is: move it away, or name another folder with --output",
        )
    if copy.exists():
        shutil.rmtree(copy)
    shutil.copytree(results, copy, ignore=_LARGE)


def _is_beside(results: Path, folder: Path, root: Path) -> bool:
    # A record out of Git lies in a temporary folder, which may be near by chance and is gone soon.
    found = results.resolve()
    return found.is_relative_to(root.resolve()) and found.is_relative_to(folder.resolve().parent)


def _relative(path: Path, folder: Path) -> str:
    return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
