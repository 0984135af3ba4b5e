"""A small run with data in DVC, recorded and committed; and what a verification does with it, step by step.

As a program: `python verify_places.py PROJECT` executes the run at HEAD once, for tests that end it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import sys
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from conftest import commit_all
from projects import dvc, small_project

from reproof.verify.execution import UNCHANGED, Attempt, Changes, attempt
from reproof.verify.inputs import Inputs, bring
from reproof.verify.recorded_run import RecordedRun, load
from reproof.verify.stages import Plan, choose
from reproof.verify.workplace import Workplace, workplace

if TYPE_CHECKING:
    import pytest

LATEST = "results/latest"
POINTS = "x,y,label\n" + "".join(f"{i % 7 + i % 3 * 2},{i % 5 - i % 3},{i % 3}\n" for i in range(120))


@dataclass(frozen=True)
class Opened:
    """A verification that is about to execute."""

    run: RecordedRun
    place: Workplace
    plan: Plan
    inputs: Inputs

    def execute(self, changes: Changes = UNCHANGED, allow_read: Collection[Path] = ()) -> Attempt:
        """Execute the chosen stages once."""
        return attempt(
            self.run, self.place, self.plan, changes=changes, allow_read=[*allow_read], say=lambda _: None
        )


def recorded_project(folder: Path) -> Path:
    """Make a project with a folder of data in DVC, run it, and commit what that wrote."""
    from conftest import commit_all

    project = small_project(folder)
    (project / "data" / "raw").mkdir()
    (project / "data" / "raw" / "points.csv").write_text(POINTS)
    (project / "data" / "raw" / "unused.csv").write_text("nothing\n")
    dvc(project, "add", "data/raw")
    commit_all(project, "Data")
    dvc(project, "repro")
    commit_all(project, "A run")
    return project


_shared: list[Path] = []


def shared_project(folders: pytest.TempPathFactory) -> Path:
    """Return such a project, made once in this process; no test may change a byte of it."""
    if not _shared:
        _shared.append(recorded_project(folders.mktemp("recorded") / "project"))
    return _shared[0]


@contextlib.contextmanager
def opened(
    project: Path,
    rev: str = "HEAD",
    *,
    fresh_clone: bool = False,
    only: Collection[str] = (),
    exclude: Collection[str] = (),
) -> Iterator[Opened]:
    """Do everything of a verification that comes before the execution."""
    run = load(project, rev)
    with workplace(run, fresh_clone=fresh_clone) as place:
        plan = choose(run, place, only=only, exclude=exclude)
        yield Opened(run, place, plan, bring(run, place, plan))


def state_of(folder: Path) -> dict[str, tuple[int, int, str]]:
    """Mode, time of the last change and content of everything below a folder, Git's and DVC's own included.

    A file that was made and removed again shows too: in the time of its folder.
    """
    found = {}
    for path in sorted(folder.rglob("*")):
        about = path.lstat()
        if path.is_symlink():
            content = str(path.readlink())
        else:
            content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        found[path.relative_to(folder).as_posix()] = (about.st_mode, about.st_mtime_ns, content)
    return found


def changed(before: dict[str, tuple[int, int, str]], after: dict[str, tuple[int, int, str]]) -> list[str]:
    """The paths that differ between two states."""
    return [name for name in sorted({*before, *after}) if before.get(name) != after.get(name)]


def objects_of(project: Path) -> list[Path]:
    """The files in the project's DVC cache."""
    return [path for path in (project / ".dvc/cache/files/md5").rglob("*") if path.is_file()]


def forget_cache(project: Path) -> None:
    """Remove the project's DVC cache, and what was checked out of it."""
    shutil.rmtree(project / ".dvc" / "cache")


if __name__ == "__main__":
    signal_file = os.environ.get("REPROOF_TEST_READY")
    with opened(Path(sys.argv[1])) as ready:
        if signal_file:
            Path(signal_file).write_text(str(ready.place.folder))
        ready.execute()


def digests(ready: Opened, made: dict[str, dict[str, str]]) -> None:
    for name, writes in made.items():
        assert writes == ready.run.stages[name]["writes"], name


def edit(project: Path, script: str, change: Callable[[str], str]) -> None:
    """Commit another script, without a new run."""
    path = project / "src" / script
    text = path.read_text()
    assert change(text) != text
    path.write_text(change(text))
    commit_all(project, f"Another {script}")


def first_in_main(code: str) -> Callable[[str], str]:
    """Put code before all else that the script does as a stage."""
    lines = "".join(f"    {line}\n" for line in code.splitlines())
    head = "def main(stage: Stage[Config]) -> None:\n"
    return lambda text: text.replace(head, head + lines)
