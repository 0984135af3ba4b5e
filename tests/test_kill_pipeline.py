"""kill -9 at random moments of every stage under DVC: run again, it ends as if nothing had been."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import run
from kills import kill, mend, start, wait_for
from projects import ENV, dvc, read, small_project

REGISTRY = ".dvc/tmp/reproof/registry"
STAGES = ("prepare", "train", "evaluate", "summarize")
VICTIMS = ("everything", "stage", "dvc")


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_project(tmp_path_factory.mktemp("fresh") / "project")


@pytest.fixture(scope="module")
def undisturbed(fresh: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What digests.json and the metrics are when nobody kills anything."""
    project = Path(shutil.copytree(fresh, tmp_path_factory.mktemp("undisturbed") / "project"))
    dvc(project, "exp", "run")
    return read(project, "digests.json"), read(project, "summary.json")["metrics"]


def in_progress(project: Path, stage: str, known: set[str]) -> dict[str, Any] | None:
    for path in (project / REGISTRY).glob(f"*.{stage}.json"):
        entry: dict[str, Any] = json.loads(path.read_bytes())
        if entry["run_id"] not in known and entry["status"] == "in_progress":
            return entry
    return None


@pytest.mark.parametrize("victim", VICTIMS)
def test_a_run_killed_in_each_stage_ends_as_one_that_was_not(
    fresh: Path, undisturbed: Any, tmp_path: Path, victim: str
) -> None:
    project = Path(shutil.copytree(fresh, tmp_path / "project"))
    rng = random.Random(victim)
    died = []
    for stage in STAGES:
        known = {path.name.split(".")[0] for path in (project / REGISTRY).glob("*.json")}
        process = start(project, "dvc", "exp", "run")
        wait_for(lambda stage=stage, known=known: in_progress(project, stage, known), process)
        entry = in_progress(project, stage, known)
        time.sleep(rng.uniform(0, 0.15))
        if victim == "everything":
            kill(process)
        elif victim == "dvc":  # the stage goes on alone, and the next run waits for its end
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        elif entry:
            try:
                os.kill(entry["pid"], signal.SIGKILL)
            except ProcessLookupError:
                continue  # it had just ended
            said = process.communicate()[0].rstrip()  # a shell that stayed between DVC and the stage says 137
            assert said.endswith(("exited with -9", "exited with 137"))
        summary = project / "results/latest/summary.json"
        mend(project)
        if summary.exists() and stage != "summarize":
            died.append(json.loads(summary.read_bytes())["status"])
    # Only a stage that outlives its dvc can bring the run to its end; nothing else leaves a success.
    assert victim == "dvc" or "success" not in died
    again = run("dvc", "exp", "run", cwd=project, env=ENV)
    assert "Ran experiment(s):" in again.stdout
    assert (read(project, "digests.json"), read(project, "summary.json")["metrics"]) == undisturbed
    assert read(project, "summary.json")["status"] == "success"
    assert dvc(project, "status").strip().endswith("Data and pipelines are up to date.")
