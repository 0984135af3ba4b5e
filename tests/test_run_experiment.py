"""`reproof run`: a failure is kept as an experiment, and nothing of the user's is touched."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import pytest
from conftest import commit_all, run
from kills import start, wait_for
from projects import ENV, executed

from reproof import registry

COMMAND = "from reproof.cli import main; main()"
PRIVATE = ".dvc/tmp/reproof"


@pytest.fixture
def project(small_copy: Path) -> Path:
    return small_copy


def reproof_run(project: Path, *arguments: str) -> tuple[int, str, str]:
    done = run(sys.executable, "-c", COMMAND, "run", *arguments, cwd=project, env=ENV, check=False)
    return done.returncode, done.stdout, done.stderr


def experiments(project: Path) -> dict[str, dict[str, object]]:
    """Experiments by name, as `dvc exp show` tells of them."""
    shown = json.loads(run("dvc", "exp", "show", "--json", cwd=project, env=ENV).stdout)
    return {
        revision["name"]: revision["data"]
        for baseline in shown
        for executor in baseline["experiments"] or []
        for revision in executor["revs"]
    }


def ref_of(project: Path, name: str) -> str:
    refs = run("git", "for-each-ref", "--format=%(refname)", "refs/exps", cwd=project).stdout.split()
    (ref,) = (ref for ref in refs if ref.endswith(f"/{name}"))
    return ref


def files(project: Path, name: str) -> list[str]:
    listed = run("git", "ls-tree", "-r", "--name-only", ref_of(project, name), cwd=project).stdout
    return listed.splitlines()


def stages(project: Path) -> list[tuple[str, str]]:
    return [(entry["stage"], entry["status"]) for entry in registry.entries(project / PRIVATE)]


def edit(project: Path, statement: str) -> None:
    """Put a statement near the end of the training script."""
    script = project / "src" / "train.py"
    text = script.read_text()
    assert "    log.close()\n" in text
    script.write_text(text.replace("    log.close()\n", f"    {statement}\n", 1))


def test_a_run_that_succeeds_is_dvcs_own(project: Path) -> None:
    code, out, err = reproof_run(project, "--name", "faster", "-S", "train.lr=0.6")
    assert code == 0, err
    assert "Ran experiment(s): faster" in out
    assert "reproof run:" not in err
    assert list(experiments(project)) == ["faster"]


def test_a_failure_becomes_an_experiment_with_its_error(project: Path) -> None:
    index = run("git", "ls-files", "--stage", cwd=project).stdout
    code, _, err = reproof_run(project, "--name", "wrong", "-S", "train.lr=-1")
    assert code == 255
    assert "the failure is kept as the experiment wrong" in err
    found = experiments(project)["wrong"]
    metrics = found["metrics"]["results/latest/summary.json"]["data"]  # type: ignore[index]
    assert metrics["status"] == "failed"
    assert found["params"]["params.yaml"]["data"]["train"]["lr"] == -1  # type: ignore[index]
    commit = run("dvc", "exp", "list", "--name-only", cwd=project, env=ENV).stdout.split()
    assert commit == ["wrong"]
    assert run("git", "ls-files", "--stage", cwd=project).stdout == index, "the user's index is as it was"
    assert run("git", "branch", "--show-current", cwd=project).stdout == "main\n"


def test_the_experiment_holds_this_run_and_nothing_of_the_one_before(project: Path) -> None:
    reproof_run(project, "--name", "wrong", "-S", "train.lr=-1")
    held = {name for name in files(project, "wrong") if name.startswith("results/")}
    assert held == {
        "results/latest/meta.json",
        "results/latest/split_checksums.json",
        "results/latest/split_manifest.json",
        "results/latest/stages/prepare.json",
        "results/latest/stages/train.json",
        "results/latest/summary.json",
    }
    assert (project / "results/latest/evaluation.json").exists(), "the workspace is left as it is"


def test_a_killed_stage_is_kept_as_a_failure_too(project: Path) -> None:
    edit(project, "import os; os.kill(os.getpid(), 9)")
    code, _, err = reproof_run(project, "--name", "killed")
    assert code == 255
    assert "kept as the experiment killed" in err
    path = f"{ref_of(project, 'killed')}:results/latest/stages/train.json"
    record = json.loads(run("git", "show", path, cwd=project).stdout)
    assert record["status"] == "failed"
    assert record["error"]["type"] == "Killed"
    assert "src/train.py" in files(project, "killed")


def test_ctrl_c_is_a_clean_stop_that_keeps_nothing(project: Path) -> None:
    edit(project, "import time; time.sleep(60)")
    commit_all(project, "Slow")
    process = start(project, sys.executable, "-c", COMMAND, "run", "--name", "stopped")
    wait_for(lambda: ("train", "in_progress") in stages(project), process)
    wait_for(lambda: (project / "results/latest/metrics.ndjson").exists(), process)
    os.killpg(process.pid, signal.SIGINT)  # as the terminal does
    output = process.communicate()[0]
    assert process.returncode == 130, output
    assert "reproof run: stopped; no experiment is kept" in output
    assert "train: interrupted" in output
    assert "Traceback" not in output
    assert experiments(project) == {}
    assert json.loads((project / "results/latest/summary.json").read_text())["status"] == "failed"


def test_dvcs_own_error_is_no_failed_run(project: Path) -> None:
    (project / "dvc.yaml").write_text("stages: [\n")
    code, _, err = reproof_run(project)
    assert code == 255
    assert "reproof run" not in err
    (project / "dvc.yaml").unlink()
    assert reproof_run(project)[0] == 2


@pytest.mark.parametrize("option", ["--queue", "--temp", "--run-all"])
def test_runs_elsewhere_are_refused_with_the_command_to_use(project: Path, option: str) -> None:
    code, _, err = reproof_run(project, option, "-S", "train.lr=0.7")
    assert code == 2
    assert f"only runs in the workspace can be kept, not with {option}" in err
    assert f"dvc exp run {option} -S train.lr=0.7; `reproof status`" in err
    assert experiments(project) == {}


def test_a_name_that_is_taken_is_dvcs_error_and_loses_nothing(project: Path) -> None:
    reproof_run(project, "--name", "wrong", "-S", "train.lr=-1")
    before = run("git", "rev-parse", ref_of(project, "wrong"), cwd=project).stdout
    code, _, err = reproof_run(project, "--name", "wrong", "-S", "train.lr=-2")
    assert code == 255
    assert "wrong" in err
    assert run("git", "rev-parse", ref_of(project, "wrong"), cwd=project).stdout == before
    _, _, err = reproof_run(project, "--force", "--name", "wrong", "-S", "train.lr=-2")
    assert "kept as the experiment wrong" in err


def test_a_torn_dvc_lock_is_told_before_anything_runs(project: Path) -> None:
    (project / "dvc.lock").write_text("")
    code, _, err = reproof_run(project)
    assert code == 2
    assert "error: dvc.lock: torn" in err


def test_targets_and_options_reach_dvc(project: Path) -> None:
    code, out, err = reproof_run(project, "prepare", "-n", "only-data", "--set-param", "data.examples=120")
    assert code == 0, err
    assert executed(out) == ["prepare"]
    assert "Ran experiment(s): only-data" in out
