"""`copier update`: what people wrote stays, what the template brings arrives, the pin moves."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from conftest import commit_all, run
from projects import ENV, copy_of_this_repository, render


@pytest.fixture
def template(tmp_path: Path) -> Path:
    return copy_of_this_repository(tmp_path / "template")


@pytest.fixture
def project(tmp_path: Path, template: Path) -> Path:
    return render(tmp_path / "project", template, author_name="Ada", ci="gitlab", dvc_remote="/some/where")


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1, (path, old, text.count(old))
    path.write_text(text.replace(old, new))


def move_on(template: Path) -> str:
    """A later version of the template: a new stage, new params, changed scripts and files."""
    inner = template / "template"
    (inner / "src" / "calibrate.py").write_text('"""A new stage."""\n')
    edit(inner / "src" / "model.py", '"""Your model."""', '"""Your model, as the newer template has it."""')
    edit(inner / "src" / "train.py", "import math\n", "import math  # newer\n")
    edit(
        inner / "dvc.yaml.jinja",
        "  summarize:\n",
        "  calibrate:\n    cmd: python src/calibrate.py\n\n  summarize:\n",
    )
    edit(inner / "params.yaml", "# The headline metrics", "calibrate:\n  bins: 10\n\n# The headline metrics")
    edit(inner / "pyproject.toml.jinja", '"pytest>=8"', '"pytest>=8", "pytest-cov>=5"')
    edit(inner / "tests" / "test_project.py", "import numpy as np", "import numpy as np  # newer")
    edit(inner / "Makefile", "help: ## this list", "help: ## this very list")
    return commit_all(template, "A later version")


def update(project: Path) -> None:
    run("copier", "update", "--defaults", "--vcs-ref", "HEAD", cwd=project, env=ENV)


def test_edits_stay_new_files_arrive_and_the_pin_moves(project: Path, template: Path) -> None:
    params, model, metadata = (
        project / "params.yaml",
        project / "src" / "model.py",
        project / "pyproject.toml",
    )
    edit(params, "  lr: 0.002", "  lr: 0.1")
    edit(params, "  dropout: 0.2", "  dropout: 0.2\n  heads: 4")
    edit(model, '"""Your model."""', '"""A transformer of our own."""')
    edit(metadata, '    "tqdm>=4.66",\n', '    "tqdm>=4.66",\n    "einops>=0.8",\n')
    edit(project / "notes" / "goals.md", "# Goals\n", "# Goals\n\nIs B better than A?\n")
    edit(project / "dvc.yaml", "cmd: python src/train.py", "cmd: torchrun src/train.py")
    (project / "src" / "ours.py").write_text("OURS = 1\n")
    (project / "tests" / "test_project.py").unlink()
    commit_all(project, "Our edits")
    mine = {path: (project / path).read_bytes() for path in ("src/model.py", "src/ours.py", "notes/goals.md")}

    commit = move_on(template)
    update(project)

    for path in project.rglob("*"):
        if path.is_file() and ".git" not in path.parts:
            assert not re.search(
                r"^(<<<<<<<|>>>>>>>)", path.read_text(errors="ignore"), flags=re.MULTILINE
            ), path
            assert path.suffix != ".rej"
    assert {path: (project / path).read_bytes() for path in mine} == mine
    assert not (project / "tests" / "test_project.py").exists(), "what they deleted stays deleted"
    merged = yaml.safe_load(params.read_text())
    assert (merged["train"]["lr"], merged["model"]["heads"], merged["calibrate"]) == (0.1, 4, {"bins": 10})
    stages = yaml.safe_load((project / "dvc.yaml").read_text())["stages"]
    assert stages["train"]["cmd"] == "torchrun src/train.py"
    assert "calibrate" in stages
    assert (project / "src" / "calibrate.py").exists()
    assert "newer" not in (project / "src" / "train.py").read_text(), "scripts in src/ are the user's"
    data = tomllib.loads(metadata.read_text())
    pins = [line for line in data["project"]["dependencies"] if line.startswith("reproof")]
    assert [line.rpartition("@")[2] for line in pins] == [commit]
    assert "einops>=0.8" in data["project"]["dependencies"]
    assert "pytest-cov>=5" in data["dependency-groups"]["dev"]
    assert "this very list" in (project / "Makefile").read_text()
    answers = yaml.safe_load((project / ".copier-answers.yml").read_text())
    assert (answers["author_name"], answers["ci"]) == ("Ada", "gitlab")
    assert answers["dvc_remote"] == "/some/where", "a remote that was set once is not forgotten"
    assert "/some/where" in (project / ".dvc" / "config").read_text()


def test_an_update_to_the_same_version_changes_nothing(project: Path) -> None:
    edit(project / "params.yaml", "  lr: 0.002", "  lr: 0.1")
    commit_all(project, "Our edit")
    update(project)
    assert run("git", "status", "--porcelain", cwd=project).stdout == ""


def test_a_dirty_tree_is_refused_and_left_as_it_is(project: Path, template: Path) -> None:
    edit(project / "params.yaml", "  lr: 0.002", "  lr: 0.1")
    move_on(template)
    before = run("git", "diff", cwd=project).stdout
    done = run("copier", "update", "--defaults", "--vcs-ref", "HEAD", cwd=project, env=ENV, check=False)
    assert done.returncode != 0
    assert "dirty" in done.stderr
    assert run("git", "diff", cwd=project).stdout == before
