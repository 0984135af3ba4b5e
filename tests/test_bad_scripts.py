"""Stage scripts that do not do what they say: rows `script-…` of docs/reference/errors.md."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from subprocess import PIPE

from bad_inputs import assert_recorded, assert_told, init_dvc, nothing_lost, stage_fails
from conftest import commit_all, run
from projects import ENV
from stages import PINNED, leave_a_success, record, stage, summary, write

PIPELINE = """\
stages:
  train:
    cmd: python src/train.py
    outs:
      - weights.bin
    plots:
      - results/latest/stages/train.json: {cache: false}
"""


def repro(project: Path, slug: str) -> None:
    """Run the project's one stage by DVC, after an earlier success."""
    (project / "dvc.yaml").write_text(PIPELINE)
    init_dvc(project)
    commit_all(project, "A pipeline")
    leave_a_success(project)
    with nothing_lost(project):
        assert_told(slug, run("dvc", "repro", cwd=project, env={**ENV, **PINNED}, check=False))


def test_script_writes_nothing(git_project: Path) -> None:
    write(git_project, "pass")
    repro(git_project, "script-writes-nothing")
    assert summary(git_project)["status"] == "in_progress"


def test_script_writes_elsewhere(git_project: Path) -> None:
    write(git_project, "Path('weight.bin').write_bytes(b'weights')")
    repro(git_project, "script-writes-elsewhere")
    assert summary(git_project)["status"] == "in_progress"
    assert (git_project / "weight.bin").exists(), "what it wrote stays"


def test_script_without_run_stage(git_project: Path) -> None:
    write(git_project, "pass")
    script = git_project / "src/train.py"
    script.write_text(script.read_text().partition('if __name__ == "__main__"')[0])
    repro(git_project, "script-without-run-stage")
    assert not (git_project / "results/latest/stages/train.json").exists()


def test_script_output_never_written(git_project: Path) -> None:
    write(git_project, "stage.output('results/latest/weights.bin')")
    stage_fails("script-output-never-written", git_project)


def test_script_output_outside_the_project(git_project: Path) -> None:
    write(git_project, "stage.output('../weights.bin').write_bytes(b'weights')")
    stage_fails("script-output-outside-the-project", git_project)
    assert not (git_project.parent / "weights.bin").exists()


def test_script_output_cut_short(git_project: Path) -> None:
    write(git_project, "stage.output('results/latest/scores.json').write_text('{')")
    stage_fails("script-output-cut-short", git_project)


def test_script_exception_in_a_thread(git_project: Path) -> None:
    body = """
        import threading
        thread = threading.Thread(target=lambda: 1 / 0)
        thread.start()
        thread.join()
        stage.metric('loss', 0.5)"""
    write(git_project, body)
    stage_fails("script-exception-in-a-thread", git_project)


def test_script_exception_in_a_thread_left_behind(git_project: Path) -> None:
    body = """
        import threading
        from concurrent.futures import ThreadPoolExecutor
        ThreadPoolExecutor().submit(print, "an idle worker must not keep the stage from its end").result()
        threading.Thread(target=lambda: (time.sleep(0.3), 1 / 0)).start()"""
    write(git_project, body)
    stage_fails("script-exception-in-a-thread-left-behind", git_project)


def test_script_exception(git_project: Path) -> None:
    write(git_project, "stage.metric('loss', 0.5)\nraise KeyError('learning_rate')")
    stage_fails("script-exception", git_project)
    assert "Traceback" in record(git_project)["error"]["traceback"]


def test_script_exit_code(git_project: Path) -> None:
    write(git_project, "sys.exit(3)")
    stage_fails("script-exit-code", git_project)


def test_script_interrupted(git_project: Path) -> None:
    stop(git_project, "script-interrupted", signal.SIGINT)


def test_script_terminated(git_project: Path) -> None:
    stop(git_project, "script-terminated", signal.SIGTERM)


def stop(project: Path, slug: str, number: signal.Signals) -> None:
    """Send a signal to a stage that is at work, after an earlier success."""
    write(project, "Path('ready').touch()\ntime.sleep(60)")
    leave_a_success(project)
    command = [sys.executable, "src/train.py"]
    process = subprocess.Popen(
        command, cwd=project, env={**os.environ, **PINNED}, stdout=PIPE, stderr=PIPE, text=True
    )
    try:
        while not (project / "ready").exists():
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(number)
        printed = process.communicate(timeout=30)
    finally:
        process.kill()
    assert_told(slug, subprocess.CompletedProcess(command, process.returncode, *printed))
    assert summary(project)["status"] == "failed"


def test_script_unknown_option(git_project: Path) -> None:
    write(git_project, "pass")
    stage_fails("script-unknown-option", git_project, "--lr", "0.1", begins=False)


def test_script_metric_that_is_not_a_number(git_project: Path) -> None:
    write(git_project, "stage.metric('loss', float('nan'))")
    stage(git_project, check=True)
    assert_recorded("script-metric-that-is-not-a-number", record(git_project))


def test_script_fact_that_is_no_json(git_project: Path) -> None:
    write(git_project, "stage.fact('folder', Path('data'))")
    stage_fails("script-fact-that-is-no-json", git_project)
