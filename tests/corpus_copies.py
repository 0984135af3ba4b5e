"""Stages that take old results, wherever these may lie, instead of making new ones."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable
from pathlib import Path

from corpus_case import (
    DIFFERENT,
    DIFFERS,
    FAILED,
    LATEST,
    UNVERIFIABLE,
    Case,
    own_home,
    with_own_state,
)
from verify_project import World

TRAIN, WEIGHTS = "src/train.py", f"{LATEST}/checkpoint/model.safetensors"
SAVED = '    save_file({"weights": weights}, folder / "model.safetensors")'
IMPORT = "import numpy as np"


def old_weights(world: World, place: Path) -> None:
    """Weights of a longer training, at a place of the author's machine."""
    from safetensors.numpy import load_file, save_file

    weights = load_file(world.project / WEIGHTS)
    place.mkdir(parents=True, exist_ok=True)
    save_file({name: array * 1.02 for name, array in weights.items()}, place / "model.safetensors")


def copies(how: str, *, place: str = "{folder}/old") -> Callable[[World], None]:
    """The training ends by taking weights from `place` by `how` (Python), in place of its own."""

    def arrange(world: World) -> None:
        old = Path(place.format(folder=world.folder, project=world.project))
        old_weights(world, old)
        code = how.format(old=old / "model.safetensors")
        world.replace(
            TRAIN, IMPORT, f"import base64, os, shutil, subprocess\n{IMPORT}", SAVED, f"{SAVED}\n{code}"
        )
        world.commit("Takes what is there")
        world.record()

    return arrange


COPY = '    shutil.copyfile("{old}", folder / "model.safetensors")'
OR_NOT = (
    '    try:\n        shutil.copyfile("{old}", folder / "model.safetensors")\n'
    "    except OSError:\n        pass"
)
BY_PROGRAM = '    subprocess.run(["cp", "{old}", folder / "model.safetensors"], check=False)'
BY_SHELL = """    os.system("cat '{old}' > results/latest/checkpoint/new && mv -f "
              "results/latest/checkpoint/new results/latest/checkpoint/model.safetensors")"""
BY_RIDDLE = (
    '    riddle = base64.b64encode(b"{old}").decode()\n'
    '    command = f\'cat "$(echo {{riddle}} | base64 -d)" > "{{folder}}/new"\'\n'
    "    subprocess.run(command, shell=True, check=False)\n"
    '    if (folder / "new").stat().st_size:\n'
    '        (folder / "new").replace(folder / "model.safetensors")\n'
    '    (folder / "new").unlink(missing_ok=True)'
)
"""No command line names the file: only the kernel can refuse it."""
BY_ISOLATED = (
    '    code = "import shutil; shutil.copyfile({old!r}, {{!r}})".format(str(folder / "model.safetensors"))\n'
    '    subprocess.run([shutil.which("python"), "-I", "-S", "-c", code], check=False)'
)


def in_memory(how: str) -> Callable[[World], None]:
    """Shared memory, where the author's run left its weights."""

    def arrange(world: World) -> None:
        place = f"/dev/shm/reproof-corpus-{uuid.uuid4().hex}"
        world.leftovers.append(Path(place))
        copies(how, place=place)(world)

    return arrange


def from_own_cache(world: World) -> None:
    """By its path in the author's DVC cache."""
    old_weights(world, world.folder / "old")
    target = world.project / ".dvc" / "cache" / "kept"
    shutil.copytree(world.folder / "old", target)
    copies(COPY, place="{project}/.dvc/cache/kept")(world)


def from_checkout(world: World) -> None:
    """By its path in the author's checkout."""
    copies(COPY, place="{project}/results/kept")(world)


def through_link(world: World) -> None:
    """A symbolic link in the commit leads to the author's checkout."""
    old_weights(world, world.folder / "old")
    (world.project / "data" / "previous").symlink_to(world.folder / "old")
    world.replace(TRAIN, IMPORT, f"import shutil\n{IMPORT}",
                  SAVED, f"{SAVED}\n{COPY.format(old='data/previous/model.safetensors')}")  # fmt: skip
    world.commit("A link")
    world.record()


def from_git(world: World) -> None:
    """Metrics out of the commit before, which were better."""
    world.replace("params.yaml", "lr: 0.3", "lr: 0.0001")
    world.replace(
        "src/evaluate_model.py",
        "        for metric, value in found[name].items():",
        "        import subprocess\n\n"
        '        there = "HEAD:results/latest/evaluation.json"\n'
        '        old = subprocess.run(["git", "show", there], capture_output=True)\n'
        "        if old.returncode == 0:\n"
        '            found[name] = json.loads(old.stdout)["splits"][name]\n'
        "        for metric, value in found[name].items():",
    )
    world.commit("Old results")
    world.record()


def warm_start(world: World) -> None:
    """From weights that lay in the workspace, which no stage declares."""
    old_weights(world, world.project / "results" / "previous")
    world.replace(TRAIN, IMPORT, f"from pathlib import Path\n{IMPORT}",
                  "    log = stage.log(",
                  '    previous = Path("results/previous/model.safetensors")\n    if previous.exists():\n'
                  '        weights = load_file(previous)["weights"]\n    log = stage.log(',
                  "import save_file", "import load_file, save_file")  # fmt: skip
    world.commit("A warm start")
    world.record()


def lost_random_state(world: World) -> None:
    """The recorded training went on from a killed one, with its weights and without its random state."""
    own_home(world)
    with_own_state(world, 'Path.home() / "state.npy"')
    world.dvc("repro", "train")
    assert (world.folder / "home" / "state.npy").exists()
    world.record("--force", "train")
    world.record()


def undeclared_output(world: World) -> None:
    """The training writes it, dvc.yaml does not declare it, Git holds it, and the next one takes it."""
    world.replace(
        TRAIN,
        IMPORT,
        f"import shutil\n{IMPORT}",
        SAVED,
        f'{SAVED}\n    kept = stage.output("cached/model.safetensors")\n    if kept.exists():\n'
        '        shutil.copyfile(kept, folder / "model.safetensors")\n'
        '    shutil.copyfile(folder / "model.safetensors", kept)',
    )
    world.commit("Keeps its weights")
    world.record()
    world.replace("params.yaml", "lr: 0.3", "lr: 0.2")
    world.record()


CASES = [
    Case(
        "an output that dvc.yaml does not declare, taken from the run before",
        DIFFERENT,
        DIFFERS,
        undeclared_output,
        "cached",
    ),
    Case(
        "weights copied from an absolute path", UNVERIFIABLE, FAILED, copies(COPY), r"old/model\.safetensors"
    ),
    Case(
        "weights copied from an absolute path, where that is allowed",
        DIFFERENT,
        DIFFERS,
        copies(OR_NOT),
        "checkpoint",
    ),
    Case(
        "weights copied from an absolute path by `cp`",
        UNVERIFIABLE,
        FAILED,
        copies(BY_PROGRAM),
        r"old/model\.safetensors",
    ),
    Case(
        "weights copied from an absolute path by a shell",
        UNVERIFIABLE,
        FAILED,
        copies(BY_SHELL),
        r"old/model\.safetensors",
    ),
    Case(
        "weights copied by a shell that is given the path as a riddle",
        DIFFERENT,
        DIFFERS,
        copies(BY_RIDDLE),
        "checkpoint",
        needs=("landlock",),
    ),
    Case(
        "weights copied by a Python without site packages and variables",
        UNVERIFIABLE,
        FAILED,
        copies(BY_ISOLATED),
        r"old/model\.safetensors",
    ),
    Case("weights copied from the author's checkout", UNVERIFIABLE, FAILED, from_checkout, "kept"),
    Case("weights copied from the author's DVC cache", UNVERIFIABLE, FAILED, from_own_cache, "kept"),
    Case("weights copied from shared memory", DIFFERENT, DIFFERS, in_memory(OR_NOT), "checkpoint"),
    Case(
        "weights copied from shared memory by a shell that is given the path as a riddle",
        DIFFERENT,
        DIFFERS,
        in_memory(BY_RIDDLE),
        "checkpoint",
        needs=("landlock",),
    ),
    Case("weights copied through a symbolic link that Git holds", UNVERIFIABLE, FAILED, through_link, ""),
    Case("metrics taken from the commit before", DIFFERENT, DIFFERS, from_git, "test.loss"),
    Case(
        "a start from weights in the workspace, which no stage declares",
        DIFFERENT,
        DIFFERS,
        warm_start,
        "checkpoint",
    ),
    Case(
        "a training that went on from a killed one, its random state lost",
        DIFFERENT,
        DIFFERS,
        lost_random_state,
        "checkpoint",
    ),
]
"""None of what was there before is in reach: what comes out is what the code makes, or it fails."""
