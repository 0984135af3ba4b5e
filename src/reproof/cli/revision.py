"""The run that a command is asked about: this workspace's, or one that Git holds."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

Rev = Annotated[
    str | None,
    typer.Argument(help="An experiment's name, a branch, a tag or a commit. Default: this workspace's run."),
]


@contextlib.contextmanager
def record_of(rev: str | None) -> Iterator[tuple[Path, Path]]:
    """The project, and the folder of the record that is asked for."""
    from reproof import dvc, git_objects
    from reproof.invocation import LATEST

    root = dvc.project_root(Path.cwd())
    if rev is None:
        yield root, root / LATEST
        return
    with git_objects.record_at(root, rev) as record:
        yield root, record
