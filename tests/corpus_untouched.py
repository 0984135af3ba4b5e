"""Nothing of the run is changed: it must come out bit for bit, whatever lies around it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable

from corpus_case import (
    BIT,
    CANNOT,
    LATEST,
    MET,
    STATISTICAL,
    UNVERIFIABLE,
    USAGE,
    Case,
    own_home,
    recorded_anew,
    use,
    with_own_state,
)
from verify_project import World


def nothing(world: World) -> None:
    """Change nothing."""


def experiment(*sets: str) -> Callable[[World], None]:
    """Run an experiment beside the recorded run, and verify that."""

    def arrange(world: World) -> None:
        options = [part for one in sets for part in ("-S", one)]
        world.dvc("exp", "run", "--name", "other", *options)
        world.git("checkout", "--quiet", "--force", "HEAD")
        world.rev = "other"

    return arrange


def documents_changed(world: World) -> None:
    """Params that no result follows from, changed after the run: documents are made anew, nothing else is."""
    world.replace(
        "params.yaml",
        "summary:\n",
        "links: {model: https://example.org}\nsummary:\n  start: train.train.loss\n",
    )
    world.record()


def in_temporary_folder(world: World) -> None:
    """DVC runs it in a folder of its own, from the commit."""
    world.dvc("exp", "run", "--temp", "--name", "other", "-S", "seed=5")
    world.rev = "other"


def untidy_workspace(world: World) -> None:
    world.replace("src/train.py", "np.random.normal", "np.random.uniform")
    world.replace("params.yaml", "lr: 0.3", "lr: 3.0")
    (world.project / LATEST / "summary.json").unlink()
    (world.project / "src" / "numpy.py").write_text("raise SystemExit('the wrong numpy')\n")


def in_subfolder(world: World) -> None:
    """The repository holds several projects: this one lies in a folder of it."""
    top = world.folder / "many"
    inner = top / "projects" / "clouds"
    inner.parent.mkdir(parents=True)
    world.project.rename(inner)
    (inner / ".git").rename(top / ".git")
    (top / "README.md").write_text("Many projects.\n")
    world.project = inner
    world.git("add", "--all", "..")
    world.git("add", "--all", ":/")
    world.commit("Moved")
    world.dvc("config", "core.no_scm", "false")
    world.dvc("repro", "--force")
    world.git("add", "--all", ":/")
    world.commit("Run")


def linked_cache(world: World) -> None:
    """Data as links into the cache, which lies elsewhere."""
    cache = world.folder / "shared-cache"
    (world.project / ".dvc" / "cache").rename(cache)
    (world.project / ".dvc" / "config.local").write_text(f"[cache]\n    dir = {cache}\n    type = symlink\n")
    world.dvc("checkout", "--relink", "--force")


def with_remotes(world: World) -> None:
    """Everything pushed, and nothing but the remotes to take it from."""
    remote = world.folder / "storage"
    world.dvc("remote", "add", "--default", "storage", str(remote))
    world.commit("Remote")
    world.dvc("push", "--quiet")
    world.run("git", "init", "--quiet", "--bare", str(world.folder / "origin.git"))
    world.git("remote", "add", "origin", str(world.folder / "origin.git"))
    world.git("push", "--quiet", "origin", "HEAD")


def without_data_pushed(world: World) -> None:
    with_remotes(world)
    shutil.rmtree(world.folder / "storage")


def without_commit_pushed(world: World) -> None:
    with_remotes(world)
    (world.project / "README.md").write_text("Other words.\n")
    world.commit("Not pushed")


def outputs_lost(world: World) -> None:
    """The recorded outputs are nowhere: their digests are enough."""
    listing = world.object_of("data/raw")
    held = {listing, *(world.cached(one["md5"]) for one in json.loads(listing.read_text()))}
    for path in (world.project / ".dvc" / "cache" / "files" / "md5").glob("*/*"):
        if path not in held:
            path.unlink()


def state_left_in_home(world: World) -> None:
    """The author's training keeps its state in the home folder, and would go on from it."""
    own_home(world)
    with_own_state(world, 'Path.home() / "state.npy"')
    world.record()
    assert (world.folder / "home" / "state.npy").exists()


def killed_resume_state(world: World) -> None:
    """A real resume state of this library: a later training of the same run was killed half way."""
    use(world, "train_torch.py")
    (world.project / "die").touch()
    world.dvc("repro", "--force", "--single-item", "train", check=False)
    (world.project / "die").unlink()
    assert list((world.project / ".dvc" / "tmp" / "reproof").rglob("step-*.safetensors"))
    world.git("checkout", "--quiet", "--force", "HEAD")


CASES = [
    Case("nothing", BIT, MET, nothing, r'"splits_identical": true', ("--require", "bit")),
    Case(
        "nothing; executed twice", BIT, MET, nothing, '"control": {', ("--require", "bit", "--repeats", "2")
    ),
    Case("nothing; evaluation alone", BIT, MET, nothing, "not asked for", ("--stage", "evaluate")),
    Case("nothing; five fresh seeds", STATISTICAL, MET, nothing, "", ("--new-seed", "5")),
    Case(
        "an experiment with a rate of 0.00001, which DVC writes as 1e-05",
        BIT,
        MET,
        experiment("train.lr=0.00001", "seed=8"),
        "",
        ("--require", "bit"),
    ),
    Case(
        "an experiment that DVC ran in a temporary folder",
        BIT,
        MET,
        in_temporary_folder,
        "",
        ("--require", "bit"),
    ),
    Case(
        "an output that dvc.yaml does not declare",
        BIT,
        MET,
        recorded_anew(
            (
                "src/train.py",
                "    runlog.write_curves(",
                '    stage.output("cached/size.txt").write_text(str(len(x)))\n    runlog.write_curves(',
            )
        ),
        "cached/size",
        ("--require", "bit"),
    ),
    Case("params of documents changed after the run", BIT, MET, documents_changed, "", ("--require", "bit")),
    Case(
        "code, params and results in the workspace, none of it committed",
        BIT,
        MET,
        untidy_workspace,
        "",
        ("--require", "bit"),
    ),
    Case("the project lies in a folder of its repository", BIT, MET, in_subfolder, "", ("--require", "bit")),
    Case("data are links into a cache elsewhere", BIT, MET, linked_cache, "", ("--require", "bit")),
    Case("a fresh clone, everything from remotes", BIT, MET, with_remotes, "", ("--fresh-clone",)),
    Case(
        "a fresh clone; the data were never pushed",
        UNVERIFIABLE,
        CANNOT,
        without_data_pushed,
        "input is missing",
        ("--fresh-clone",),
    ),
    Case(
        "a fresh clone; the commit was never pushed",
        UNVERIFIABLE,
        CANNOT,
        without_commit_pushed,
        "git push",
        ("--fresh-clone",),
    ),
    Case("a fresh clone; there is no remote", UNVERIFIABLE, CANNOT, nothing, "no remote", ("--fresh-clone",)),
    Case(
        "the recorded outputs are lost, their digests are not",
        BIT,
        MET,
        outputs_lost,
        "",
        ("--require", "bit"),
    ),
    Case(
        "the training keeps state in the author's home, and would go on from it",
        BIT,
        MET,
        state_left_in_home,
        "",
        ("--require", "bit"),
    ),
    Case(
        "resume state of a killed training of the same run lies about",
        BIT,
        MET,
        killed_resume_state,
        "",
        ("--require", "bit"),
    ),
    Case(
        "a metric that could not be measured, with its reason",
        BIT,
        MET,
        recorded_anew(
            (
                "src/train.py",
                '    stage.metric("train.loss", loss)',
                '    stage.metric("train.loss", loss)\n    stage.metric("ece", float("nan"))',
            )
        ),
        "",
        ("--require", "bit"),
    ),
    Case(
        "a stage that dvc.yaml does not have is asked for",
        "",
        USAGE,
        nothing,
        "no such stage",
        ("--stage", "training"),
    ),
    Case(
        "fresh seeds are asked to give the recorded bits",
        "",
        USAGE,
        nothing,
        "statistical",
        ("--new-seed", "3", "--require", "bit"),
    ),
]
"""What must be BIT, or cannot be had for a reason that is no fault of the run's."""
