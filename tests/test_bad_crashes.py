"""Killed runs, two at once, other packages: rows `run-…` and `lock-…` of docs/reference/errors.md."""

from __future__ import annotations

import subprocess
from pathlib import Path

from bad_inputs import assert_recorded, assert_told, init_dvc, nothing_lost, stage_fails
from conftest import run
from kills import kill, start, wait_for
from projects import ENV
from stages import record, stage, summary, write

from reproof import lock

SLOW = "stage.log('clouds')\nPath('ready').touch()\ntime.sleep(60)"
TRAINING = """
import torch
model = torch.nn.Linear(2, 2)
resume = stage.resume(model=model)
for step in range(resume.position["step"] if resume.position else 0, 20):
    resume.here(step, step=step)
    if step == 10 and Path("die").exists():
        Path("die").unlink()
        os.kill(os.getpid(), 9)
"""
STATES = ".dvc/tmp/reproof/resume"


def reproof(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run("reproof", *arguments, cwd=project, env=ENV, check=False)


def killed_training(project: Path) -> None:
    """Leave what a training leaves that was killed at its tenth step."""
    write(project, TRAINING)
    (project / "die").touch()
    assert stage(project, env={"REPROOF_RESUME": "1"}).returncode == -9


def test_run_two_at_once(git_project: Path) -> None:
    write(git_project, SLOW)
    first = start(git_project, "python", "src/train.py")
    wait_for((git_project / "ready").exists, first)
    with nothing_lost(git_project):
        assert_told("run-two-at-once", stage(git_project))
    assert summary(git_project)["status"] == "in_progress", "as the first one said"
    kill(first)


def test_run_first_one_killed(git_project: Path) -> None:
    write(git_project, SLOW)
    first = start(git_project, "python", "src/train.py")
    wait_for((git_project / "ready").exists, first)
    kill(first)
    write(git_project, "pass")
    assert stage(git_project).returncode == 0
    assert_recorded("run-first-one-killed", record(git_project))


def test_run_resume_variable_wrong(git_project: Path) -> None:
    write(git_project, TRAINING)
    stage_fails("run-resume-variable-wrong", git_project, env={"REPROOF_RESUME": "often"})


def test_run_resume_state_torn(git_project: Path) -> None:
    killed_training(git_project)
    (state,) = (git_project / STATES).glob("*/step-*.safetensors")
    state.write_bytes(state.read_bytes()[:-10])
    assert_told("run-resume-state-torn", stage(git_project))
    assert list((git_project / STATES).iterdir()) == []


def test_run_resume_other_params(git_project: Path) -> None:
    killed_training(git_project)
    with (git_project / "params.yaml").open("a") as stream:
        stream.write("clip: 2.0\n")
    assert_told("run-resume-other-params", stage(git_project))


def test_run_resume_clear_unknown(git_project: Path) -> None:
    with nothing_lost(git_project):
        assert_told("run-resume-clear-unknown", reproof(git_project, "resume", "--clear", "nothing"))


def test_run_dvc_lock_torn(git_project: Path) -> None:
    (git_project / "dvc.lock").write_text("schema: '2.0'\nstages:\n  train: {cmd")
    with nothing_lost(git_project):
        assert_told("run-dvc-lock-torn", reproof(git_project, "run"))


def test_run_dvc_rwlock_torn(git_project: Path) -> None:
    init_dvc(git_project)
    (git_project / ".dvc/tmp").mkdir()
    (git_project / ".dvc/tmp/rwlock").touch()
    with nothing_lost(git_project):
        assert_told("run-dvc-rwlock-torn", reproof(git_project, "run"))


def test_run_kept_elsewhere(git_project: Path) -> None:
    with nothing_lost(git_project):
        assert_told("run-kept-elsewhere", reproof(git_project, "run", "--queue"))


def locked(project: Path, *lines: str) -> None:
    lock.write(project / "requirements.lock")
    with (project / "requirements.lock").open("a") as stream:
        stream.write("".join(f"{line}\n" for line in lines))


def strict(project: Path) -> None:
    write(project, "raise AssertionError('it must not run')")
    with (project / "params.yaml").open("a") as stream:
        stream.write("environment: strict\n")


def test_lock_differs(git_project: Path) -> None:
    locked(git_project, "gone==1.0")
    write(git_project, "pass")
    assert_told("lock-differs", stage(git_project))


def test_lock_differs_strict(git_project: Path) -> None:
    locked(git_project, "gone==1.0")
    strict(git_project)
    stage_fails("lock-differs-strict", git_project)


def test_lock_missing_strict(git_project: Path) -> None:
    strict(git_project)
    stage_fails("lock-missing-strict", git_project)


def test_lock_not_a_pin(git_project: Path) -> None:
    (git_project / "requirements.lock").write_text("# mine\ntorch==2.13.0\nnumpy>=2\n")
    write(git_project, "pass")
    stage_fails("lock-not-a-pin", git_project)
