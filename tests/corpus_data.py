"""The data: changed, corrupt, missing, or others than the record says."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from corpus_case import (
    BIT,
    CANNOT,
    CONTRADICTS,
    FAILED,
    LATEST,
    MET,
    UNVERIFIABLE,
    Case,
    committed,
    recorded_anew,
)
from verify_project import World

RAW = "data/raw/points.csv"


def data_changed_in_git(world: World) -> None:
    """Under the same name; nothing is run."""
    (world.project / "data" / "classes.json").write_text('["b", "a", "c"]\n')
    world.commit("Other names")


def data_changed_in_dvc(world: World) -> None:
    """Other data under the same name, added and committed; nothing is run."""
    change_data(world)
    world.dvc("add", "--quiet", "data/raw")
    world.commit("Other data")


def change_data(world: World) -> None:
    path = world.project / RAW
    text = path.read_text()
    path.unlink()
    path.write_text(text.replace("\n1.", "\n2."))
    assert path.read_text() != text


def data_changed_everywhere(world: World) -> None:
    """Other data under the same name, which dvc.lock names too; the stage's own record is left."""
    change_data(world)
    world.dvc("add", "--quiet", "data/raw")
    world.dvc("commit", "--force", "--quiet", "prepare")
    world.commit("Other data")


def corrupt(mode: int, out: str = "data/raw") -> Callable[[World], None]:
    """One byte of an object in DVC's cache; `mode` is what DVC takes for untouched or not."""

    def arrange(world: World) -> None:
        flip(object_in(world, out), mode)

    return arrange


def object_in(world: World, out: str) -> Path:
    """The largest file of a folder that DVC holds, in its cache."""
    import json

    listing = json.loads(world.object_of(out).read_text())
    return max((world.cached(one["md5"]) for one in listing), key=lambda path: path.stat().st_size)


def flip(path: Path, mode: int) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)
    path.chmod(mode)


def listing_corrupt(world: World) -> None:
    """The listing of the data folder names one file less."""
    import json

    path = world.object_of("data/raw")
    listing = [one for one in json.loads(path.read_text()) if one["relpath"] != "SOURCE.txt"]
    path.chmod(0o644)
    path.write_text(json.dumps(listing))
    path.chmod(0o444)


def cache_lost(world: World) -> None:
    shutil.rmtree(world.project / ".dvc" / "cache")


def remote(*then: Callable[[World], None]) -> Callable[[World], None]:
    """A DVC remote that holds everything, and an empty cache; `then` happens to it."""

    def arrange(world: World) -> None:
        world.dvc("remote", "add", "--default", "storage", str(world.folder / "storage"))
        world.commit("Remote")
        world.dvc("push", "--quiet")
        for one in then:
            one(world)
        cache_lost(world)

    return arrange


def corrupt_remote(world: World) -> None:
    path = object_in(world, "data/raw")
    flip(world.folder / "storage" / path.relative_to(world.project / ".dvc" / "cache"), 0o444)


def recorded_log_corrupt(world: World) -> None:
    """A recorded artefact, of which no byte is needed: digests are compared."""
    path = world.object_of(f"{LATEST}/metrics.ndjson")
    flip(path, 0o444)


def weights_object_corrupt(world: World) -> None:
    """What evaluation alone would start from."""
    flip(object_in(world, f"{LATEST}/checkpoint"), 0o444)


def untracked(world: World) -> None:
    """The training reads a file that nobody committed."""
    (world.project / ".gitignore").open("a").write("/local.txt\n")
    (world.project / "local.txt").write_text("0.5\n")
    world.replace("src/train.py", "params.lr *", 'float(open("local.txt").read()) *')
    world.commit("A local file")
    world.record()


def outside(world: World) -> None:
    """The training reads a file beside the project, which it does not declare."""
    (world.folder / "beside").mkdir()
    path = world.folder / "beside" / "start.npy"
    import numpy as np

    np.save(path, np.full((3, 3), 0.25))
    world.replace("src/train.py", "np.random.normal(size=(3, 3))", f'np.load("{path}")')
    world.commit("A start from elsewhere")
    world.record()


def outside_allowed(world: World) -> None:
    outside(world)
    world.options += ["--allow-read", str(world.folder / "beside")]


def never_added(world: World) -> None:
    """A declared input that neither Git nor DVC holds."""
    (world.project / ".gitignore").open("a").write("/extra.txt\n")
    (world.project / "extra.txt").write_text("1\n")
    recorded_anew(("dvc.yaml", "deps: [prepared, src/train.py", "deps: [extra.txt, prepared, src/train.py"))(
        world
    )


CASES = [
    Case(
        "an input that Git holds, changed under the same name",
        UNVERIFIABLE,
        CONTRADICTS,
        data_changed_in_git,
        r"data/classes\.json",
    ),
    Case(
        "an input that DVC holds, changed under the same name",
        UNVERIFIABLE,
        CONTRADICTS,
        data_changed_in_dvc,
        "data/raw",
    ),
    Case(
        "an input that DVC holds, changed, and dvc.lock with it",
        UNVERIFIABLE,
        CONTRADICTS,
        data_changed_everywhere,
        "data/raw",
    ),
    Case("an input in DVC's cache is corrupt", UNVERIFIABLE, CANNOT, corrupt(0o644), "corrupt"),
    Case(
        "an input in DVC's cache is corrupt, with mode 0444", UNVERIFIABLE, CANNOT, corrupt(0o444), "corrupt"
    ),
    Case(
        "the listing of a data folder in DVC's cache names one file less",
        UNVERIFIABLE,
        CANNOT,
        listing_corrupt,
        "corrupt",
    ),
    Case("an input is in no cache and no remote", UNVERIFIABLE, CANNOT, cache_lost, "missing"),
    Case("an input is in the remote alone", BIT, MET, remote(), "", ("--require", "bit")),
    Case(
        "an input is in the remote alone, and corrupt there", UNVERIFIABLE, CANNOT, remote(corrupt_remote), ""
    ),
    Case("the recorded log in DVC's cache is corrupt", BIT, MET, recorded_log_corrupt),
    Case(
        "the recorded weights in DVC's cache are corrupt, and evaluation alone is asked for",
        UNVERIFIABLE,
        CANNOT,
        weights_object_corrupt,
        "corrupt",
        ("--stage", "evaluate"),
    ),
    Case(
        "an input that nobody committed, and no stage declares",
        UNVERIFIABLE,
        FAILED,
        untracked,
        r"local\.txt",
    ),
    Case(
        "an input that is declared, and neither Git nor DVC holds",
        UNVERIFIABLE,
        CANNOT,
        never_added,
        r"extra\.txt",
    ),
    Case(
        "an input beside the project, which no stage declares", UNVERIFIABLE, FAILED, outside, r"start\.npy"
    ),
    Case("the same, allowed by name", BIT, MET, outside_allowed, "", ("--require", "bit")),
    Case(
        "the tolerances alone, in params.yaml and config.yaml",
        UNVERIFIABLE,
        CONTRADICTS,
        committed(
            ("params.yaml", "absolute: 0.0001", "absolute: 0.5"),
            (f"{LATEST}/config.yaml", "absolute: 0.0001", "absolute: 0.5"),
        ),
        "",
    ),
]
"""What a run was made from must be had, whole, and be the same; else there is nothing to compare."""
