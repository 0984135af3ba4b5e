"""A project from this repository's template, as it stands, in build/performance; copies of it are run."""

from __future__ import annotations

import shutil
from pathlib import Path

from measuring import BUILD, ROOT, run

PROJECT = BUILD / "project"


def render() -> Path:
    """Render the template with its default answers, lock its packages and commit it; return the folder."""
    shutil.rmtree(PROJECT, ignore_errors=True)
    PROJECT.parent.mkdir(parents=True, exist_ok=True)
    run(["copier", "copy", "--quiet", "--defaults", "--vcs-ref", "HEAD", ROOT, PROJECT], cwd=ROOT)
    run(["reproof", "lock"], cwd=PROJECT)  # as `make setup` does: each stage compares with it
    run(["git", "init", "--quiet", "--initial-branch", "main"], cwd=PROJECT)
    run(["git", "add", "--all"], cwd=PROJECT)
    run(["git", "commit", "--quiet", "--message", "Start"], cwd=PROJECT)
    return PROJECT


def fresh_copy(name: str) -> Path:
    """Return a copy in which nothing has run: DVC has no outputs and no run cache there."""
    copy = BUILD / name
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(PROJECT, copy, symlinks=True)
    return copy
