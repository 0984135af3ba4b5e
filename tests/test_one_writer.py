"""Two runs in one workspace: one writes, the other waits for it or says who is there."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

from conftest import run
from kills import kill, start, wait_for
from projects import ENV, dvc, small_project
from stages import record, stage, write

SLOW = "stage.log('clouds')\nstage.progress(1)\nPath('ready').touch()\ntime.sleep(60)"


def test_many_at_once_write_one_after_the_other(git_project: Path) -> None:
    body = """
    log = stage.log("clouds")
    for step in range(200):
        log.metrics(step, "train", {"loss": float(os.getpid())})
    """
    write(git_project, body)
    processes = [start(git_project, "python", "src/train.py") for _ in range(3)]
    outputs = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * 3, outputs
    lines = (git_project / "results/latest/metrics.ndjson").read_text().splitlines()
    assert len(lines) == 200
    values = {json.loads(line)["value"] for line in lines}
    assert len(values) == 1, "lines of one run alone"
    assert record(git_project)["status"] == "success"


def test_a_second_run_says_who_is_there_and_disturbs_nothing(git_project: Path) -> None:
    write(git_project, SLOW)
    first = start(git_project, "python", "src/train.py")
    wait_for((git_project / "ready").exists, first)
    before = record(git_project)
    done = stage(git_project)
    assert done.returncode == 2
    assert "results/latest: another run of the stage 'train' writes here" in done.stderr
    assert f"found: process {first.pid}, since 20" in done.stderr
    assert f"stop it: kill {first.pid}" in done.stderr
    assert record(git_project) == before, "the first one's record is as it was"
    kill(first)
    write(git_project, "pass")
    assert stage(git_project).returncode == 0


def test_another_folder_is_another_run(git_project: Path) -> None:
    write(git_project, SLOW)
    first = start(git_project, "python", "src/train.py")
    wait_for((git_project / "ready").exists, first)
    write(git_project, "pass")
    done = stage(git_project, "--results", "results/second")
    kill(first)
    assert done.returncode == 0, done.stderr


def test_a_trainer_that_outlives_its_dvc_keeps_the_next_run_out(tmp_path: Path) -> None:
    project = small_project(tmp_path / "project")
    dvc(project, "repro", "prepare")
    script = project / "src" / "train.py"
    whole = script.read_text()
    script.write_text(whole.replace("    log.close()\n", "    import time; time.sleep(60)\n", 1))
    process = start(project, "dvc", "repro", "train")
    wait_for((project / "results/latest/metrics.ndjson").exists, process)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    script.write_text(whole)
    again = run("dvc", "repro", "train", cwd=project, env=ENV, check=False)
    assert again.returncode == 255
    assert "another run of the stage 'train' writes here" in again.stderr
    kill(process)
    dvc(project, "repro", "train")
    assert json.loads((project / "results/latest/stages/train.json").read_text())["status"] == "success"
