"""One case of the corpus: a recorded run, one thing changed in it or around it, and the right verdict."""

from __future__ import annotations

import os
import re
import shutil
import site
import venv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from verify_project import SOURCE, Answer, World, copy, verify

from reproof import digest
from reproof.verify import landlock

LATEST = "results/latest"
BIT, NUMERIC, STATISTICAL = "BIT MATCH", "NUMERIC MATCH", "STATISTICAL MATCH"
DIFFERENT, UNVERIFIABLE = "DIFFERENT", "UNVERIFIABLE"
MET, DIFFERS, USAGE, CANNOT, FAILED, CONTRADICTS = 0, 1, 2, 3, 4, 5


@dataclass(frozen=True)
class Case:
    """One case.

    Attributes:
        name: what is changed, in words; the report prints them.
        verdict: that must come; '' where the command line itself is refused.
        code: exit code that must come.
        arrange: changes one thing.
        says: what the output must name, as a regular expression.
        options: of `reproof verify`.
        needs: `two cores`, `landlock`: what a machine must have for the case to say anything.
    """

    name: str
    verdict: str
    code: int
    arrange: Callable[[World], None]
    says: str = ""
    options: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()

    @property
    def matches(self) -> bool:
        """Whether a match is the right answer."""
        return self.verdict.endswith("MATCH")


def lacks(case: Case) -> str | None:
    """Return what this machine lacks for a case; None where it can be run."""
    if "two cores" in case.needs and (
        not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2
    ):
        return "two cores"
    if "landlock" in case.needs and (landlock.abi() or 0) < landlock.LEAST_ABI:
        return "a kernel with Landlock"
    return None


def answer(case: Case, recorded: World, folder: Path) -> Answer:
    """Arrange a case in a copy of the recorded project in `folder`, and verify."""
    world = copy(recorded, folder)
    try:
        case.arrange(world)
        return verify(world, *case.options)
    finally:
        for path in world.leftovers:
            shutil.rmtree(path, ignore_errors=True)


def wrong(case: Case, found: Answer) -> str | None:
    """Return what is wrong with an answer, the gravest first; None where it is the one that must come."""
    if "Traceback (most recent call last)" in found.said.partition("\n    ")[0]:
        return "a traceback"
    is_match = found.verdict.endswith("MATCH")
    if (is_match or found.code == MET) and not case.matches:
        return f"A FALSE MATCH: {found.verdict}, exit code {found.code}"
    if (found.verdict, found.code) != (case.verdict, case.code):
        return f"{found.verdict or 'no verdict'}, exit code {found.code}"
    if not re.search(case.says, found.said, re.S):
        return f"does not say {case.says!r}"
    return None


def recorded_anew(*edits: tuple[str, ...]) -> Callable[[World], None]:
    """Change words in files (file, old, new, …), commit, and record the run that follows."""

    def arrange(world: World) -> None:
        committed(*edits)(world)
        world.record()

    return arrange


def committed(*edits: tuple[str, ...]) -> Callable[[World], None]:
    """Change words in files after the run, and commit."""

    def arrange(world: World) -> None:
        for name, *pairs in edits:
            world.replace(name, *pairs)
        world.commit("Edited")

    return arrange


def use(world: World, name: str) -> None:
    """Take another training script, and record the run that follows."""
    shutil.copyfile(SOURCE / "other" / name, world.project / "src" / "train.py")
    world.commit("Another training")
    world.record()


def with_own_state(world: World, place: str) -> None:
    """Let the training keep its weights at `place` (Python), and begin with those that it finds there."""
    world.replace(
        "src/train.py",
        "import numpy as np",
        "from pathlib import Path\n\nimport numpy as np",
        "    log = stage.log(",
        f"    state = {place}\n    if state.exists():\n"
        "        weights = np.load(state)\n    log = stage.log(",
        "    log.close()",
        "    log.close()\n    np.save(state, weights)",
    )
    world.commit("State of its own")


def own_home(world: World) -> None:
    """Give the author a home folder of this case alone."""
    (world.folder / "home").mkdir()
    world.env["HOME"] = str(world.folder / "home")


def own_environment(world: World) -> Path:
    """A virtual environment of this case, its packages linked as installers do; return its site-packages."""
    folder = world.folder / "env"
    venv.create(folder, symlinks=True, with_pip=False)
    packages = next(folder.glob("lib/python*/site-packages"))
    # Debian names folders that are not there.
    for installed in filter(Path.is_dir, map(Path, site.getsitepackages())):
        for path in installed.iterdir():
            if path.name != "__pycache__" and not (packages / path.name).exists():
                (packages / path.name).symlink_to(path)
    world.python = folder / "bin" / "python"
    return packages


def forge(world: World, *stages: str) -> None:
    """What somebody edited becomes consistent everywhere: digests, DVC's hashes, the summary, the report."""
    for stage in stages:
        name = f"{LATEST}/stages/{stage}.json"
        record = world.read(name)
        for kind in ("reads", "writes"):
            for path, old in record[kind].items():
                new = digest.digest(world.project / path)
                if new != old:
                    world.edit_json(name, kind, path, to=new)
    world.dvc("commit", "--force", "--quiet", *stages)
    world.record("summarize", "report")
