"""`reproof status`: what runs, what died and what failed, that Git does not see."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import run
from kills import kill, start, wait_for
from stages import stage, write

from reproof import clock, registry, status

PRIVATE = Path(".dvc/tmp/reproof")
COMMAND = "from reproof.cli import main; main()"


def reproof(project: Path, *arguments: str) -> str:
    return run(sys.executable, "-c", COMMAND, *arguments, cwd=project).stdout


def listed(project: Path, *arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(reproof(project, "status", "--json", *arguments))
    return found


def begin(project: Path, body: str) -> subprocess.Popen[str]:
    """Start a stage that goes on until it is killed, and wait until it says where it is."""
    write(project, body + "\ntime.sleep(60)")
    process = start(project, "python", "src/train.py")
    wait_for(lambda: [e for e in registry.entries(project / PRIVATE) if e["step"]], process)
    return process


@pytest.fixture(autouse=True)
def _fast_heartbeat(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In the stages that the tests start: a heartbeat each 50 ms."""
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        "from reproof import registry\nregistry.HEARTBEAT_SECONDS = 0.05\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(folder))


def test_nothing_is_nothing(git_project: Path) -> None:
    assert reproof(git_project, "status").startswith("Nothing runs")
    assert listed(git_project) == []


def test_a_stage_that_runs_shows_its_step_and_the_time_left(git_project: Path) -> None:
    process = begin(git_project, "stage.progress(10, 100)\ntime.sleep(0.2)\nstage.progress(30, 100)")
    wait_for(lambda: registry.entries(git_project / PRIVATE)[0]["step"] == 30, process)
    (found,) = listed(git_project)
    text = reproof(git_project, "status")
    kill(process)
    assert (found["state"], found["stage"], found["place"]) == ("running", "train", "workspace")
    assert (found["step"], found["total_steps"]) == (30, 100)
    assert 0.5 < found["seconds_left"] < 60, "70 steps at the pace of 20 in 0.2 s, or slower"
    assert "step 30 of 100 (30%)" in text
    assert f"process {process.pid} on" in text


def test_a_killed_stage_has_died_whoever_has_its_process_id_now(git_project: Path) -> None:
    process = begin(git_project, "stage.progress(7)")
    kill(process)
    (path,) = (git_project / PRIVATE / "registry").glob("*.json")
    entry = json.loads(path.read_text())
    entry["pid"] = os.getpid()  # the system gives process ids again
    entry["heartbeat"] = "2099-01-01T00:00:00.000000Z"  # and the clock may jump back
    path.write_text(json.dumps(entry))
    (found,) = listed(git_project)
    assert (found["state"], found["step"], found["error"]) == ("died", 7, None)
    assert "no word of its end" in reproof(git_project, "status")


def test_a_silent_host_is_told_by_its_heartbeat(tmp_path: Path) -> None:
    facts = {"run_id": "20260131-120000-abcdef", "stage": "train", "experiment": "seed-1", "lock": None}
    facts |= {"workspace": "/far/away", "start_time": clock.now()}
    registry.Heartbeat(tmp_path, facts)
    (path,) = (tmp_path / "registry").glob("*.json")
    entry = {**json.loads(path.read_text()), "host": "another", "pid": 1}
    path.write_text(json.dumps(entry))
    assert [one.state for one in status.executions(tmp_path, tmp_path)] == ["running"]
    path.write_text(json.dumps({**entry, "heartbeat": "2026-01-31T12:00:00.000000Z"}))
    assert status.executions(tmp_path, tmp_path) == [], "older than a week"
    (found,) = status.executions(tmp_path, tmp_path, everything=True)
    assert (found.state, found.place, found.experiment) == ("died", "/far/away", "seed-1")


def test_a_failure_shows_its_error_until_the_stage_has_run_again(git_project: Path) -> None:
    write(git_project, "raise ReproofError('the loss is not finite', where='step 3', hint='lower train.lr')")
    stage(git_project)
    (found,) = listed(git_project)
    assert (found["state"], found["error"]) == (
        "failed",
        "step 3: the loss is not finite\n  to mend: lower train.lr",
    )
    assert "    step 3: the loss is not finite\n      to mend: lower train.lr" in reproof(
        git_project, "status"
    )
    write(git_project, "pass")
    stage(git_project, check=True)
    assert listed(git_project) == []
    assert [one["state"] for one in listed(git_project, "--all")] == ["success", "failed"]


def test_a_stage_stopped_by_ctrl_c_says_so(git_project: Path) -> None:
    process = begin(git_project, "stage.progress(1)")
    process.send_signal(signal.SIGINT)
    output = process.communicate()[0]
    assert process.returncode == 130
    assert output.endswith("train: interrupted\n")
    (found,) = listed(git_project)
    assert (found["state"], found["error"]) == ("failed", "stopped by Ctrl-C")


def test_a_torn_dvc_lock_is_told_with_the_way_out(git_project: Path) -> None:
    (git_project / "dvc.lock").write_text("schem")
    done = run(sys.executable, "-c", COMMAND, "status", cwd=git_project)
    assert "dvc.lock: torn: DVC was killed while it wrote it" in done.stderr
    assert "git checkout dvc.lock" in done.stderr
    (git_project / "dvc.lock").unlink()
    (git_project / ".dvc/tmp").mkdir(parents=True, exist_ok=True)
    (git_project / ".dvc/tmp/rwlock").touch()
    done = run(sys.executable, "-c", COMMAND, "status", cwd=git_project)
    assert "warning: .dvc/tmp/rwlock: torn: DVC was killed while it wrote it" in done.stderr


def test_runs_of_the_queue_are_seen_from_the_main_repository(git_project: Path) -> None:
    write(git_project, "stage.progress(1, 2)\ntime.sleep(60)")
    (git_project / "dvc.yaml").write_text(
        "stages:\n  train:\n    cmd: python src/train.py\n    deps: [src/train.py]\n"
    )
    (git_project / ".dvc").mkdir(exist_ok=True)
    (git_project / ".dvc/config").write_text("[core]\n    analytics = false\n")
    (git_project / ".dvc/.gitignore").write_text("/tmp\n/cache\n")
    run("git", "add", "--all", cwd=git_project)
    run("git", "commit", "--quiet", "--message", "A slow stage", cwd=git_project)
    process = start(git_project, "dvc", "exp", "run", "--temp", "--name", "slow")
    wait_for(lambda: [e for e in registry.entries(git_project / PRIVATE) if e["step"]], process)
    (found,) = listed(git_project)
    kill(process)
    assert (found["state"], found["place"], found["experiment"]) == ("running", "temp", "slow")
    assert [one["state"] for one in listed(git_project)] == ["died"]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.4, "0 s"), (99, "99 s"), (120, "2 min"), (7500, "2 h 5 min"), (400_000, "4 days")],
)
def test_durations_read_as_people_say_them(seconds: float, said: str) -> None:
    assert clock.duration(seconds) == said
