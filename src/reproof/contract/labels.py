"""The names of a model's classes, out of contract.yaml or a text file that it names."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

from reproof import files
from reproof.contract.schema import Output
from reproof.errors import ReproofError

FILE = "contract.yaml"


def labels(said: Output, root: Path) -> list[str] | None:
    """Return the names of the classes; None where the contract has none.

    Raises:
        ReproofError: when the file is missing, empty, no UTF-8 or out of the project.
    """
    if not isinstance(said.labels, str):
        return said.labels
    path = files.inside(root, said.labels, where=f"{FILE}: output.labels")
    try:
        return list(_lines(path, path.stat().st_mtime_ns))
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8"
        hint = "output.labels: a text file in the project with the name of one class a line"
        raise ReproofError("cannot read the labels", where=said.labels, found=why, hint=hint) from error


@functools.lru_cache(maxsize=4)
def _lines(path: Path, changed: int) -> tuple[str, ...]:  # noqa: ARG001 (a changed file is another one)
    lines = path.read_text(encoding="utf-8-sig").rstrip("\n").splitlines()
    return tuple(line.strip() for line in lines)


def label(names: Sequence[str] | None, index: int) -> str:
    """Return the name of a class; `class 7` where it has none."""
    return names[index] if names is not None and 0 <= index < len(names) else f"class {index}"
