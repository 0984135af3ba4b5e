"""A hundred runs of the template's pipeline, each killed at a random moment, and run again to its end.

Not in the default suite: `make soak`.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from conftest import run
from kills import kill, mend, start
from projects import ENV, copy_of_this_repository, make_quick, read, render

from reproof.digest import digest

pytestmark = [pytest.mark.soak, pytest.mark.torch]

ROUNDS = 100
WHOLE_EVERY = 10
"""Most rounds stop after the evaluation, since timings are not comparable; these go through the benchmark."""
SECONDS, WHOLE_SECONDS = 16.0, 35.0
"""About how long a run takes: the kill comes within that time."""
COMPUTED = ("prepare", "train", "export", "evaluate")
"""Stages whose outputs hold no time: bit for bit the same in every run."""


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("soak")
    project = render(folder / "project", copy_of_this_repository(folder / "template"))
    make_quick(project)
    return project


@pytest.fixture(scope="module")
def undisturbed(fresh: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Content digests of what a run leaves that saves nothing and that nobody kills."""
    project = Path(shutil.copytree(fresh, tmp_path_factory.mktemp("undisturbed") / "project"))
    run("dvc", "exp", "run", cwd=project, env={**ENV, "REPROOF_RESUME": "0"})
    return artefacts(project)


def artefacts(project: Path) -> dict[str, str]:
    """Content digests of everything that the computing stages wrote, taken anew."""
    records = [read(project, f"stages/{stage}.json") for stage in COMPUTED]
    return {path: digest(project / path) for record in records for path in record["writes"]}


def running_stage(project: Path) -> int | None:
    """The process of the stage that runs."""
    for path in sorted((project / ".dvc/tmp/reproof/registry").glob("*.json"), reverse=True):
        entry: dict[str, Any] = json.loads(path.read_bytes())
        if entry["status"] == "in_progress":
            return int(entry["pid"])
    return None


@pytest.mark.parametrize("number", range(ROUNDS))
def test_a_run_killed_at_any_moment_ends_bit_identical(
    fresh: Path, undisturbed: dict[str, str], tmp_path: Path, number: int
) -> None:
    rng = random.Random(number)
    whole = number % WHOLE_EVERY == 0
    command = ["dvc", "exp", "run", *([] if whole else ["evaluate"])]
    project = Path(shutil.copytree(fresh, tmp_path / "project"))
    process = start(project, *command, env={"REPROOF_RESUME": rng.choice(["", "1", "10"])})
    try:
        process.communicate(timeout=rng.uniform(1, WHOLE_SECONDS if whole else SECONDS))
    except subprocess.TimeoutExpired:
        victim = rng.choice(["everything", "everything", "stage", "dvc"])
        stage = running_stage(project)
        if victim == "stage" and stage:
            os.kill(stage, signal.SIGKILL)
            process.communicate()
        elif victim == "dvc":
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        else:
            kill(process)
    mend(project)
    run(*command, cwd=project, env=ENV)
    assert artefacts(project) == undisturbed
    assert not whole or read(project, "summary.json")["status"] == "success"
    assert not list((project / ".dvc/tmp/reproof/resume").glob("*/"))
    shutil.rmtree(project)
