"""Pictures that a forge can show: those that Git holds, at the commit that holds them.

A comment shows no picture of a CI job's disk. It shows one of the repository, by an address with the commit
in it, so that it stays what it was. A picture that the job has drawn anew, and no commit holds, is named.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reproof.git_objects import Objects, objects
from reproof.invocation import LATEST
from reproof.pull_request.ci import GITLAB
from reproof.report.web import quoted

FIGURES = "reports/figures"
_KINDS = (".svg", ".png")
_MOST = 12
_MAX_BYTES = 5_000_000
"""Of one: GitHub proxies none that is larger."""


@dataclass(frozen=True)
class Plots:
    """Pictures by their addresses, and the names of those that no commit holds as they are here."""

    shown: tuple[tuple[str, str], ...]
    uncommitted: tuple[str, ...]


def of(root: Path, commit: str | None, web: str | None, forge: str | None) -> Plots:
    """Return the pictures of a run's report.

    Args:
        root: the project.
        commit: of the request; it must be pushed for its pictures to be seen.
        web: the address of the repository; None where it has none.
        forge: which one it is.
    """
    shown: list[tuple[str, str]] = []
    other: list[str] = []
    with objects(root) as held:
        for path in _files(root):
            name = path.relative_to(root).as_posix()
            if commit and web and _is_committed(held, commit, name, path):
                shown.append(
                    (path.stem.replace("_", " "), address(web, forge, commit, f"{held.prefix}{name}"))
                )
            else:
                other.append(name)
    return Plots(tuple(shown[:_MOST]), tuple(other[:_MOST]))


def address(web: str, forge: str | None, commit: str, path: str, *, view: str = "raw") -> str:
    """Return the address of a file at a commit: `raw` for a picture, `blob` for the page that shows it."""
    middle = f"/-/{view}/" if forge == GITLAB else f"/{view}/"
    return f"{web}{middle}{commit}/{quoted(path)}"


def _files(root: Path) -> Iterator[Path]:
    for folder in (root / FIGURES, root / LATEST):
        if folder.is_dir():
            yield from sorted(path for path in folder.iterdir() if path.suffix in _KINDS and path.is_file())


def _is_committed(held: Objects, commit: str, name: str, path: Path) -> bool:
    if path.stat().st_size > _MAX_BYTES:
        return False
    return held.blob(f"{commit}:{held.prefix}{name}") == path.read_bytes()
