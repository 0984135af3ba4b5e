"""What other commands say of a run that checked a model and trained none."""

from __future__ import annotations

import sys
from pathlib import Path

import brought_records
import pytest
from conftest import commit_all, run

COMMAND = "from reproof.cli import main; main()"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    run("git", "init", "--quiet", cwd=root)
    brought_records.write(root)
    commit_all(root, "A check")
    return root


@pytest.mark.parametrize("kind", ["model", "data"])
def test_there_is_no_card_of_a_model_that_was_not_trained_here(project: Path, kind: str) -> None:
    done = run(sys.executable, "-c", COMMAND, "card", kind, cwd=project, check=False)
    assert done.returncode == 2
    assert "this run checked a model that somebody else made, and trained none" in done.stderr
    assert "reports/experiment.md" in done.stderr
    assert done.stdout == ""


def test_its_record_speaks_of_no_training(project: Path) -> None:
    run(sys.executable, "-c", COMMAND, "record", "--title", "It runs", cwd=project)
    (record,) = (project / "experiments").glob("*.md")
    text = record.read_text()
    assert "none: the model was brought along, and nothing was trained" in text
    assert "| latency_ms |" in text
    for word in ("params.ndjson", "metrics.ndjson", "curves.csv", "as the training read it"):
        assert word not in text


def test_its_plan_and_tutorial_are_no_code(project: Path) -> None:
    from reproof import git

    before = git.code_state(project)
    (project / "plan.md").write_text("# Another plan\n")
    (project / "tutorial").mkdir()
    (project / "tutorial" / "step-by-step.md").write_text("# Steps\n")
    after = git.code_state(project)
    assert (after.code_tree, after.dirty) == (before.code_tree, before.dirty)
    (project / "tutorial" / "own.py").write_text("x = 1\n")
    assert git.code_state(project).code_tree != before.code_tree
