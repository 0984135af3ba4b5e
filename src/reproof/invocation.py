"""How a stage was started: from where, with which params, and which folder is its run's."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from reproof import clock, dvc, files, redact
from reproof.errors import ReproofError

LATEST = "results/latest"
"""The folder of a project that holds the record of its last run."""

VERIFIED = "results/verify"
"""The folder of a project that holds certificates of runs that were executed again."""

_RUN_ID = "REPROOF_RUN_ID"


@dataclass(frozen=True)
class Invocation:
    """One start of a stage script.

    Attributes:
        root: the project's folder, which is the working directory from now on.
        results: the folder that `results/latest` stands for.
        config: the params file.
        argv: the command line, with the script relative to the project.
        run_id: of this execution.
        is_main: False in all processes but the first of a distributed run.
    """

    root: Path
    results: Path
    config: Path
    argv: list[str]
    run_id: str
    is_main: bool

    @property
    def is_latest(self) -> bool:
        """Whether the run is the workspace's own, the one that DVC keeps."""
        return self.results == self.root / LATEST

    def shown(self, path: Path) -> str:
        """Return a path as people read it: from the project, or its name alone outside."""
        resolved = path.resolve()
        return resolved.relative_to(self.root).as_posix() if resolved.is_relative_to(self.root) else path.name


def read(stage: str) -> Invocation:
    """Read the command line of the script that runs `stage`, and go to the project's folder.

    `--config FILE` (default params.yaml) and `--results FOLDER` (default results/latest; with another
    config outside DVC, results/<run id>, since it must not overwrite what DVC keeps).

    Raises:
        ReproofError: outside a project, for a config that does not exist, or results outside the project.
    """
    parser = argparse.ArgumentParser(description=f"The stage {stage!r} of this project's dvc.yaml.")
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="params of this run, such as results/<run>/config.yaml"
    )
    parser.add_argument("--results", type=Path, metavar="FOLDER", help=f"its record; default {LATEST}")
    arguments, unknown = parser.parse_known_args()
    if unknown:  # not by argparse's own error, which would print a secret among them
        raise ReproofError(
            "unknown options",
            expected="--config FILE, --results FOLDER",
            found=" ".join(redact.argv(unknown)),
            hint="params are set in params.yaml: dvc exp run -S train.lr=0.1",
        )
    here = Path.cwd()
    root = dvc.project_root(here).resolve()
    default = root / "params.yaml"
    config = here / arguments.config if arguments.config else default
    if not config.is_file():
        raise ReproofError(
            "no such params file",
            where=arguments.config or "params.yaml",
            hint="`reproof export REV` writes results/<run>/config.yaml of a recorded run",
        )
    is_main = os.environ.get("RANK", "0") == "0"
    if arguments.results:
        results = files.inside(root, here / arguments.results, where="--results")
        if is_main:  # the other processes may see it when the first one has begun to write
            _refuse_what_is_no_run(results, f"--results {arguments.results}")
    elif config.resolve() != default.resolve() and dvc.caller().stage is None:
        results = root / "results" / _run_id()
    else:
        results = root / LATEST
        files.inside(root, LATEST, where=LATEST)  # not through a link that leads out
    script = Path(sys.argv[0]).resolve()
    name = script.relative_to(root).as_posix() if script.is_relative_to(root) else script.name
    os.chdir(root)
    processes = os.environ.get("LOCAL_WORLD_SIZE", "1")
    starter = ["python"] if processes == "1" else ["torchrun", "--nproc-per-node", processes]
    return Invocation(root, results, config.resolve(), [*starter, name, *sys.argv[1:]], _run_id(), is_main)


def _refuse_what_is_no_run(results: Path, where: str) -> None:
    """A run spreads over its folder, and must not do so over the project's own files."""
    others = results.is_dir() and any(not path.name.startswith(".") for path in results.iterdir())
    if others and not (results / "summary.json").exists():
        raise ReproofError(
            "this folder holds other things than a run",
            where=where,
            expected="a new folder, an empty one, or that of a run",
            hint="--results results/<name>",
        )


def _run_id() -> str:
    """The id of this execution: it survives the restart by `pin`, and no child process inherits it."""
    process, _, held = os.environ.get(_RUN_ID, "").partition(":")
    if process != str(os.getpid()):
        held = clock.new_run_id()
        os.environ[_RUN_ID] = f"{os.getpid()}:{held}"
    return held
