"""Projects in Git in the ways in which people keep them, and what people and runs do to them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from conftest import commit_all, make_git_project, run


def add_code(project: Path) -> None:
    """Give a project code, and one of each thing that a run writes or people write about runs."""
    for name, text in {
        ".gitignore": "__pycache__/\n/data.bin\n",
        "src/model.py": "width = 1\n",
        "src/old.py": "old = True\n",
        "src/results/plots.py": "kind = 'code'\n",
        "dvc.yaml": "stages: {}\n",
        "params.yaml": "seed: 0\n",
        "dvc.lock": "schema: '2.0'\n",
        "uv.lock": "version = 1\n",
        "results/latest/summary.json": "{}\n",
        "reports/experiment.md": "# Experiment\n",
        "experiments/index.md": "# All\n",
        "training_reports/one.md": "# One\n",
        "notes/goals.md": "To learn.\n",
    }.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text)


def edit_code(project: Path) -> None:
    """Change, add and remove code, without staging anything."""
    (project / "src/model.py").write_text("width = 2000\n")
    (project / "src/new file é.py").write_text("new = True\n")
    (project / "src/old.py").unlink()
    (project / "data.bin").write_bytes(b"ignored")


def edit_what_is_no_code(project: Path) -> None:
    """Do what an experiment does: other params, another lock, another record, other words."""
    for name in ("params.yaml", "dvc.lock", "uv.lock", "results/latest/summary.json", "notes/goals.md"):
        (project / name).write_text("changed\n")
    (project / "results/latest/new.json").write_text("{}")
    (project / "reports/experiment.md").unlink()
    (project / ".dvc/tmp").mkdir(parents=True)
    (project / ".dvc/tmp/repro.dat").write_text("--")


def at_the_top(folder: Path) -> Path:
    project = make_git_project(folder / "project")
    add_code(project)
    commit_all(project, "Code")
    return project


def in_a_subfolder(folder: Path) -> Path:
    top = make_git_project(folder / "monorepo")
    project = top / "teams" / "one [1] é*"
    add_code(project)
    add_code(top / "teams" / "other")
    commit_all(top, "Code")
    return project


def in_a_worktree(folder: Path) -> Path:
    main = at_the_top(folder)
    run("git", "worktree", "add", "--quiet", "-b", "side", folder / "side", cwd=main)
    return folder / "side"


def on_a_detached_head(folder: Path) -> Path:
    project = at_the_top(folder)
    run("git", "checkout", "--quiet", "--detach", cwd=project)
    return project


def before_the_first_commit(folder: Path) -> Path:
    project = folder / "project"
    add_code(project)
    run("git", "init", "--quiet", cwd=project)
    return project


LAYOUTS = [at_the_top, in_a_subfolder, in_a_worktree, on_a_detached_head, before_the_first_commit]
Layout = Callable[[Path], Path]
