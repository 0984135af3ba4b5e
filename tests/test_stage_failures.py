"""A stage that fails or is stopped says so in its record, and never leaves a success."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from stages import (
    PINNED,
    SUCCESS,
    assert_dvc_reads_no_table,
    leave_a_success,
    read,
    record,
    stage,
    summary,
    write,
)

from reproof import registry


def test_what_the_user_can_mend_ends_with_code_2_and_no_traceback(git_project: Path) -> None:
    write(git_project, "raise ReproofError('the loss is not finite', where='step 3', hint='lower train.lr')")
    done = stage(git_project)
    assert done.returncode == 2
    assert done.stderr == "train: error: step 3: the loss is not finite\n  to mend: lower train.lr\n"
    found = record(git_project)
    assert found["status"] == "failed"
    assert found["error"] == {
        "type": "ReproofError",
        "message": "step 3: the loss is not finite\n  to mend: lower train.lr",
        "traceback": None,
    }
    assert found["start_time"] < found["end_time"]
    assert summary(git_project)["status"] == "failed"
    assert read(git_project, "latest/meta.json")["error"]["stage"] == "train"
    assert_dvc_reads_no_table(found)


def test_a_crash_keeps_its_traceback_in_the_record_and_on_the_screen(git_project: Path) -> None:
    write(git_project, "stage.metric('loss', 0.5)\nraise RuntimeError('shapes differ')")
    done = stage(git_project)
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert done.stderr.endswith("RuntimeError: shapes differ\n")
    error = record(git_project)["error"]
    assert (error["type"], error["message"]) == ("RuntimeError", "shapes differ")
    assert 'File "src/train.py"' in error["traceback"]
    assert str(git_project) not in error["traceback"]
    assert record(git_project)["metrics"] == {"loss": 0.5}
    assert summary(git_project)["status"] == "failed"
    (entry,) = registry.entries(git_project / ".dvc/tmp/reproof")
    assert (entry["status"], entry["error"]) == ("failed", "shapes differ")


@pytest.mark.parametrize("name", ["half.json", "half.npz"])
def test_a_crash_in_the_middle_of_an_output_is_recorded_as_that_crash(git_project: Path, name: str) -> None:
    write(
        git_project,
        f"stage.output('results/latest/{name}').write_bytes(b'PK\\x03\\x04 half')\nraise OSError('full')",
    )
    done = stage(git_project)
    assert done.stderr.endswith("OSError: full\n")
    found = record(git_project)
    assert found["status"] == "failed"
    assert found["error"]["message"] == "full"
    assert summary(git_project)["status"] == "failed"


def test_an_output_that_cannot_be_read_fails_the_stage_with_one_message(git_project: Path) -> None:
    write(git_project, "stage.output('results/latest/scores.json').write_text('{')")
    done = stage(git_project)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "scores.json" in done.stderr
    assert record(git_project)["status"] == "failed"


def test_an_error_text_that_is_not_utf_8_is_recorded_too(git_project: Path) -> None:
    write(git_project, "raise OSError('cannot read ' + os.fsdecode(b'caf\\xe9.csv'))")
    assert stage(git_project).returncode == 1
    assert record(git_project)["status"] == "failed"
    assert "caf" in record(git_project)["error"]["message"]


def test_a_fact_that_is_no_json_fails_the_stage_in_its_record_too(git_project: Path) -> None:
    write(git_project, "stage.fact('device', Path('cpu'))")
    done = stage(git_project)
    assert done.returncode != 0
    assert record(git_project)["status"] == "failed"


@pytest.mark.parametrize(("code", "status"), [(0, "success"), (3, "failed")])
def test_a_script_that_exits_by_itself_is_recorded_as_dvc_sees_it(
    git_project: Path, code: int, status: str
) -> None:
    write(git_project, f"sys.exit({code})")
    assert stage(git_project).returncode == code
    assert record(git_project)["status"] == status


def test_a_failure_after_a_success_does_not_leave_the_success(git_project: Path) -> None:
    leave_a_success(git_project)
    write(git_project, "raise ReproofError('broken')")
    stage(git_project)
    assert (summary(git_project)["status"], summary(git_project)["metrics"]) == ("failed", {})
    meta = read(git_project, "latest/meta.json")
    assert (meta["status"], meta["run_id"]) == ("failed", record(git_project)["run_id"])


def test_a_stage_after_the_summary_keeps_the_numbers_even_when_it_fails(git_project: Path) -> None:
    leave_a_success(git_project)
    seen = "json.loads((stage.results / 'summary.json').read_text())['status']"
    write(git_project, f"stage.fact('seen', {seen})", name="report", options=", after_summary=True")
    stage(git_project, name="report", check=True)
    assert record(git_project, "report")["facts"]["seen"] == "success"
    assert summary(git_project) == SUCCESS
    write(git_project, "raise ReproofError('no figure')", name="report", options=", after_summary=True")
    stage(git_project, name="report")
    assert (summary(git_project)["status"], summary(git_project)["metrics"]) == ("failed", {"loss": 0.5})


@contextlib.contextmanager
def running(project: Path, body: str) -> Iterator[subprocess.Popen[str]]:
    """A stage that has written its first record and now does `body`, in a session of its own."""
    write(project, f"print('ready', flush=True)\n{body}")
    process = subprocess.Popen(
        [sys.executable, "src/train.py"],
        cwd=project,
        env={**os.environ, **PINNED},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.communicate()


SLEEP = "time.sleep(60)"


def test_a_killed_stage_stays_in_progress_and_never_says_success(git_project: Path) -> None:
    leave_a_success(git_project)
    with running(git_project, SLEEP) as process:
        process.kill()
        assert process.wait(timeout=20) == -signal.SIGKILL
    found = record(git_project)
    assert (found["status"], found["end_time"], found["seconds"]) == ("in_progress", None, None)
    assert summary(git_project)["status"] == "in_progress"
    assert summary(git_project)["metrics"] == {}
    (entry,) = registry.entries(git_project / ".dvc/tmp/reproof")
    assert (entry["status"], entry["pid"]) == ("in_progress", process.pid)
    assert_dvc_reads_no_table(found)
    assert not list(git_project.rglob("*.tmp"))


def test_a_terminated_stage_is_failed_and_says_by_what(git_project: Path) -> None:
    with running(git_project, SLEEP) as process:
        process.terminate()
        _, stderr = process.communicate(timeout=20)
    assert process.returncode == 143
    assert "Traceback" not in stderr
    found = record(git_project)
    assert found["status"] == "failed"
    assert summary(git_project)["status"] == "failed"
    assert "SIGTERM" in found["error"]["message"]


def test_an_interrupted_stage_is_failed_without_a_traceback_on_the_screen(git_project: Path) -> None:
    with running(git_project, SLEEP) as process:
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=20)
    assert process.returncode == 130
    assert stderr == "train: interrupted\n"
    assert record(git_project)["status"] == "failed"
    assert record(git_project)["error"]["type"] == "KeyboardInterrupt"
    assert summary(git_project)["status"] == "failed"
