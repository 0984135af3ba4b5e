"""A believable history in real Git and DVC: branches, tags, a squash merge, forty experiments.

    start ── first ── squashed ── november      main; tags v0.1 (first) and v0.2 (november)
               │                     └── momentum    a branch: the open pull request
               ├── steeper           a branch: one run with another learning rate
               └── wider ── kept     deleted after its squash merge; experiments and tag stay

`build` makes it in a folder, `shared` once a test session. In each run a small network truly learns digits;
timings are made up, and so is the second machine (`showcase_records`). One experiment is really run by DVC.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from showcase_code import project
from showcase_commits import History, dvc_in, git_in
from showcase_records import LATEST

EXECUTED = "hidden-128"
FAILED, OLDER, TORN = "diverged", "from-0.1", "torn"
_SEEDS = {
    **{"lr-0.1": 3, "lr-0.2": 5, "lr-0.3": 5},
    **{"wider": 5, "november": 6, "bigbox": 3, "momentum": 6, "gentle": 3},
}
GROUPS: Mapping[str, tuple[str, ...]] = {
    **{group: tuple(f"{group}-s{seed}" for seed in range(many)) for group, many in _SEEDS.items()},
    EXECUTED: (EXECUTED,),
}
"""Experiments that differ in their seed alone. `lr-0.2`, `wider`, `november` and `momentum` have the params
of their branch, and the first of each is the very run that a commit holds. `bigbox` is `november` with two
threads on another machine, `gentle` is `momentum` with less of it. FAILED, OLDER and TORN are the rest."""


@dataclass(frozen=True)
class Showcase:
    """The repository, and what is in it.

    Attributes:
        root: its folder; `main` is checked out, with the files that DVC holds.
        commits: ids of the commits that the drawing above names, by name.
        experiments: ids of the experiments' commits, by name.
    """

    root: Path
    commits: Mapping[str, str]
    experiments: Mapping[str, str]

    def copy(self, folder: Path) -> Showcase:
        """Return a copy in `folder`, for a test to change."""
        return replace(self, root=Path(shutil.copytree(self.root, folder)))


def shared(temporary: Any) -> Showcase:
    """Return the one of this session, for looking at; `temporary` is pytest's tmp_path_factory.

    It is built once, also when several processes run the tests.
    """
    from filelock import FileLock

    base = temporary.getbasetemp()
    base = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    with FileLock(base / "showcase.lock"):
        told = base / "showcase.json"
        if not told.exists():
            shutil.rmtree(base / "showcase", ignore_errors=True)
            made = build(base / "showcase")
            told.write_text(json.dumps({"commits": made.commits, "experiments": made.experiments}))
        return Showcase(base / "showcase", **json.loads(told.read_text()))


def build(folder: Path, *, execute: bool = True) -> Showcase:
    """Make the repository in `folder`, which must not exist.

    Args:
        execute: really run the experiment EXECUTED by DVC (some seconds); else it is made as the others are.
    """
    folder.mkdir(parents=True)
    git_in(folder, "init", "--quiet", "--initial-branch", "main")
    with tempfile.TemporaryDirectory(prefix="showcase-") as scratch:
        history = History(folder, Path(scratch))
        _steps(history, execute=execute)
        history.close()
    git_in(folder, "update-ref", "-d", "refs/heads/wider")
    git_in(folder, "update-ref", "refs/remotes/origin/main", history.commits["november"])
    git_in(folder, "checkout", "--quiet", "--force", "main")
    dvc_in(folder, "checkout", "--quiet")
    if execute:
        dvc_in(folder, "exp", "run", "--quiet", "--name", EXECUTED, "--set-param", "model.hidden=128")
        listed = git_in(folder, "for-each-ref", "--format=%(objectname)", f"refs/exps/*/*/{EXECUTED}")
        history.experiments[EXECUTED] = listed.strip()
        git_in(folder, "checkout", "--quiet", "--force", "main")  # what the experiment left in the workspace
        dvc_in(folder, "checkout", "--quiet")
    return Showcase(folder, history.commits, history.experiments)


def _steps(history: History, *, execute: bool) -> None:
    """The whole story, in its order."""
    history.commit("start", "main", "A network of 16 hidden units", project("start"))
    history.workshop("start")
    history.day(1)
    first = history.run(None, {}, "start")
    history.commit("first", "main", "The first run", first, after="start", tag="v0.1")
    for lr in (0.1, 0.2, 0.3):
        for seed, name in enumerate(GROUPS[f"lr-{lr}"]):
            made = history.run(name, {"seed": seed, "train.lr": lr}, "first")
            history.experiment(name, "first", first if name == "lr-0.2-s0" else made)
            if name == "lr-0.3-s0":
                history.commit("steeper", "steeper", "Keep the steeper run", made, after="first")
    history.old_record(OLDER, "start")

    history.day(6)
    history.commit("wider", "wider", "32 hidden units, and weights that start as He et al. say",
                   project("wider"), after="first")  # fmt: skip
    history.workshop("wider")
    wider = [
        history.run(name, {"seed": seed}, "wider", branch="wider")
        for seed, name in enumerate(GROUPS["wider"])
    ]
    for name, made in zip(GROUPS["wider"], wider, strict=True):
        history.experiment(name, "wider", made)
    history.commit("kept", "wider", "The run of seed 0", wider[0], after="wider", tag="wider-kept")
    history.day(8)
    squashed = project("wider") | wider[0]
    history.commit("squashed", "main", "A wider hidden layer (#12)\n\n* 32 hidden units\n* The run of seed 0",
                   squashed, after="first")  # fmt: skip

    history.day(15)
    data = project("november")
    history.workshop("november")
    november = history.run(None, {}, "squashed", changed={"data/digits.csv": "M"})
    message = "497 more digits, three fewer, six labels mended (#15)"
    history.commit("november", "main", message, data | november, after="squashed", tag="v0.2")
    history.experiment(GROUPS["november"][0], "november", november)
    for seed, name in enumerate(GROUPS["november"][1:], start=1):
        history.experiment(name, "november", history.run(name, {"seed": seed}, "november"))
    for seed, name in enumerate(GROUPS["bigbox"]):
        made = history.run(name, {"seed": seed, "threads": 2}, "november", slower=1.7)
        history.experiment(name, "november", made)
    history.experiment(FAILED, "november", history.failure(FAILED, {"train.lr": 50.0}, "november"))
    torn, meta = history.run(TORN, {"seed": 11}, "november"), f"{LATEST}/meta.json"
    history.experiment(TORN, "november", torn | {meta: torn[meta][: len(torn[meta]) // 2]})
    if not execute:
        history.experiment(EXECUTED, "november", history.run(EXECUTED, {"model.hidden": 128}, "november"))

    history.day(20)
    history.workshop("momentum")
    changed = {"params.yaml": "M", "src/config.py": "M", "src/model.py": "M"}
    momentum = history.run(None, {}, "november", branch="momentum", changed=changed)
    whole = project("momentum") | momentum
    history.commit("momentum", "momentum", "Gradient descent with momentum", whole, after="november")
    history.experiment(GROUPS["momentum"][0], "momentum", momentum)
    for seed, name in enumerate(GROUPS["momentum"][1:], start=1):
        history.experiment(name, "momentum", history.run(name, {"seed": seed}, "momentum", branch="momentum"))
    for seed, name in enumerate(GROUPS["gentle"]):
        changes = {"seed": seed, "train.momentum": 0.5}
        history.experiment(name, "momentum", history.run(name, changes, "momentum", branch="momentum"))
