"""Real projects for the tests: the template rendered by Copier, and a small pipeline without torch."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import copier
from conftest import commit_all, run

ROOT = Path(__file__).parents[1]
SMALL = Path(__file__).parent / "small_project"

# `python` and `dvc` in a project mean those that run the tests.
ENV = {"PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}


def dvc(project: Path, *arguments: str, check: bool = True) -> str:
    """Run a DVC command in `project`; return what it printed."""
    done = run("dvc", *arguments, cwd=project, env=ENV, check=check)
    return done.stdout + done.stderr


def python(project: Path, *arguments: str, check: bool = True) -> str:
    """Run `python` in `project`; return what it printed."""
    done = run("python", *arguments, cwd=project, env=ENV, check=check)
    return done.stdout + done.stderr


def executed(output: str) -> list[str]:
    """The stages that a DVC command really executed, out of what it printed."""
    return [line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage ")]


def experiment(output: str) -> str:
    """The name of the experiment that `dvc exp run` made."""
    return next(line for line in output.splitlines() if line.startswith("Ran experiment(s): ")).split(": ")[1]


def read(project: Path, name: str) -> Any:
    """A JSON file of the project's latest run."""
    return json.loads((project / "results" / "latest" / name).read_text())


def small_project(folder: Path) -> Path:
    """Make a committed project of tests/small_project in `folder`."""
    shutil.copytree(SMALL, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "pipeline.yaml").rename(folder / "dvc.yaml")
    (folder / "data").mkdir()
    (folder / "data" / "README.md").write_text("Points.\n")
    for name in (".dvc/config", ".dvc/.gitignore", ".dvcignore", ".gitignore"):
        (folder / name).parent.mkdir(exist_ok=True)
    (folder / ".dvc" / "config").write_text("[core]\n    analytics = false\n    check_update = false\n")
    (folder / ".dvc" / ".gitignore").write_text("/config.local\n/tmp\n/cache\n")
    (folder / ".dvcignore").write_text("__pycache__\n")
    (folder / ".gitignore").write_text(
        "__pycache__/\n/prepared\n/results/latest/checkpoint\n*.ndjson\n*.npz\n/results/*\n!/results/latest\n"
    )
    run("git", "init", "--quiet", cwd=folder)
    commit_all(folder, "Start")
    return folder


def render(folder: Path, template: Path = ROOT, *, vcs_ref: str = "HEAD", **answers: str) -> Path:
    """Render the template into `folder` and commit it, as the README says."""
    copier.run_copy(
        str(template), folder, vcs_ref=vcs_ref, data=answers, defaults=True, quiet=True, overwrite=True
    )
    run("git", "init", "--quiet", cwd=folder)
    commit_all(folder, "Start")
    return folder


def make_quick(project: Path) -> None:
    """Fewer epochs and one cell of the benchmark, committed: the pipeline of the template in seconds."""
    path = project / "params.yaml"
    text = path.read_text()
    for old, new in (
        ("epochs: 15", "epochs: 2"),
        ("runtimes: [torch, onnxruntime]", "runtimes: [onnxruntime]"),
        ("batch_sizes: [1, 32]", "batch_sizes: [1]"),
    ):
        assert old in text or new in text, old
        text = text.replace(old, new)
    path.write_text(text)
    commit_all(project, "Quick")


def copy_of_this_repository(folder: Path) -> Path:
    """Make a template repository in `folder`: this one as it stands, in one commit."""
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((ROOT / name).read_bytes())
    run("git", "init", "--quiet", cwd=folder)
    run("git", "add", "--all", cwd=folder)
    run("git", "commit", "--quiet", "--message", "The template", cwd=folder)
    return folder
