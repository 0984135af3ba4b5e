"""Names and histories: what a revision stands for, and what a clone does not have."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable

from corpus_case import BIT, CANNOT, DIFFERENT, DIFFERS, LATEST, MET, UNVERIFIABLE, Case
from corpus_forged import metric_everywhere, tolerance_everywhere
from verify_project import World


def _honest_and_forged(world: World) -> tuple[str, str]:
    honest = world.git("rev-parse", "HEAD")
    metric_everywhere(world)
    return honest, world.git("rev-parse", "HEAD")


def experiment_called(name: str) -> Callable[[World], None]:
    """An honest run bears a name that Git has for a forged one; '' is the forged one's commit id."""

    def arrange(world: World) -> None:
        honest, forged = _honest_and_forged(world)
        world.rev = name or forged
        world.git("update-ref", f"refs/exps/{honest[:2]}/{honest[2:]}/{world.rev}", honest)

    return arrange


def replaced(world: World) -> None:
    """`git replace` shows an honest commit where a forged one is asked for."""
    honest, forged = _honest_and_forged(world)
    world.git("replace", forged, honest)
    world.rev = forged


def replaced_files(world: World) -> None:
    """`git replace` shows honest files in a forged commit."""
    names = world.git("ls-files").splitlines()
    honest = {name: world.git("rev-parse", f"HEAD:{name}") for name in names}
    metric_everywhere(world)
    for name in names:
        if (forged := world.git("rev-parse", f"HEAD:{name}")) != honest[name]:
            world.git("replace", forged, honest[name])


def cloned(depth: int, before: Callable[[World], None] = lambda _: None) -> Callable[[World], None]:
    """Ask in a shallow clone, which has the DVC cache."""

    def arrange(world: World) -> None:
        before(world)
        clone = world.folder / "clone"
        world.run("git", "clone", "--quiet", "--depth", str(depth), world.project.as_uri(), str(clone))
        shutil.copytree(world.project / ".dvc" / "cache", clone / ".dvc" / "cache")
        world.project = clone

    return arrange


def partial_clone(world: World) -> None:
    """A partial clone is asked about an older commit, whose files are not here."""
    world.rev = world.git("rev-parse", "HEAD")
    world.replace("params.yaml", "steps: 60", "steps: 50")
    world.record()
    for key in ("allowFilter", "allowAnySHA1InWant"):
        world.git("config", f"uploadpack.{key}", "true")
    clone = world.folder / "clone"
    world.run("git", "clone", "--quiet", "--filter=blob:none", world.project.as_uri(), str(clone))
    shutil.copytree(world.project / ".dvc" / "cache", clone / ".dvc" / "cache")
    world.project = clone


def tolerances_nobody_can_look_up(world: World) -> None:
    """The records do not say what params they ran with, and the tolerances are wide."""
    world.replace("params.yaml", "absolute: 0.0001", "absolute: 0.5", "absolute: 0.001", "absolute: 0.5")
    for stage in ("prepare", "train", "evaluate"):
        name = f"{LATEST}/stages/{stage}.json"
        (world.project / name).write_text(json.dumps(world.read(name) | {"overrides": None}, indent=2))
    world.dvc("commit", "--force", "--quiet", "prepare", "train")
    metric_everywhere(world)


BITS = ("--require", "bit")
CASES = [
    Case(
        "an honest experiment called HEAD, beside a forged run",
        UNVERIFIABLE,
        CANNOT,
        experiment_called("HEAD"),
        "something else too",
        BITS,
    ),
    Case(
        "an honest experiment called by the commit of a forged run",
        UNVERIFIABLE,
        CANNOT,
        experiment_called(""),
        "something else too",
        BITS,
    ),
    Case("a forged run, replaced by `git replace`", DIFFERENT, DIFFERS, replaced, "accuracy", BITS),
    Case(
        "files of a forged run, replaced by `git replace`",
        DIFFERENT,
        DIFFERS,
        replaced_files,
        "accuracy",
        BITS,
    ),
    Case("a clone of depth 1", BIT, MET, cloned(1), "", BITS),
    Case(
        "tolerances and a metric everywhere, in a clone that lacks the commit of before",
        UNVERIFIABLE,
        CANNOT,
        cloned(2, tolerance_everywhere),
        "tolerances",
    ),
    Case(
        "a partial clone, asked about a commit that it lacks files of",
        UNVERIFIABLE,
        CANNOT,
        partial_clone,
        "Git cannot read the commit",
    ),
    Case(
        "tolerances that nobody can look up, and a metric everywhere",
        UNVERIFIABLE,
        CANNOT,
        tolerances_nobody_can_look_up,
        "tolerances",
    ),
]
