"""A stage's record tells what happened, however the stage ended. Real scripts in real processes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import PARAMS, commit_all, make_git_project, run
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save

from reproof import digest, git, registry, runlog

SCRIPT = """\
import json, math, os, sys, time
from pathlib import Path
from reproof.errors import ReproofError
from reproof.params import RunParams
from reproof.stage import run_stage


class Config(RunParams):
    clip: float = 1.0
    layers: list[int] = []
    blocks: list[dict[str, int]] = []


def main(stage):
{body}


if __name__ == "__main__":
    run_stage({name!r}, main, Config{options})
"""
# What the pins ask for with these tests' params: a process that has it does not start twice.
PINNED = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
}


def write(project: Path, body: str, name: str = "train", options: str = "") -> None:
    """Write the stage script src/<name>.py, whose main has this body."""
    (project / "src").mkdir(exist_ok=True)
    indented = textwrap.indent(textwrap.dedent(body).strip(), "    ")
    (project / f"src/{name}.py").write_text(SCRIPT.format(body=indented, name=name, options=options))


def stage(
    project: Path,
    *arguments: str,
    name: str = "train",
    env: Mapping[str, str] | None = None,
    check: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run a stage script as dvc.yaml does."""
    script = f"src/{name}.py"
    return run(sys.executable, script, *arguments, cwd=project, env={**PINNED, **(env or {})}, check=check)


def read(project: Path, name: str) -> Any:
    return json.loads((project / "results" / name).read_bytes())


def record(project: Path, name: str = "train") -> Any:
    return read(project, f"latest/stages/{name}.json")


def summary(project: Path) -> Any:
    return read(project, "latest/summary.json")


def lists(value: Any, path: str = "") -> Iterator[tuple[str, list[Any]]]:
    """Every list in JSON data, with its path."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from lists(item, f"{path}/{key}")
    elif isinstance(value, list):
        yield path, value
        for index, item in enumerate(value):
            yield from lists(item, f"{path}/{index}")


def assert_dvc_reads_no_table(value: Any) -> None:
    """DVC takes a list of objects, and an empty one, in a JSON plot for its data points."""
    assert not [path for path, items in lists(value) if all(isinstance(item, dict) for item in items)]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in which a stage that reads, writes, logs and measures has ended well. Read only."""
    project = make_git_project(tmp_path_factory.mktemp("finished") / "project")
    (project / "data").mkdir()
    (project / "data/raw.csv").write_text("x,label\n1,a\n")
    write(
        project,
        """
        import random, numpy
        rows = stage.input("data/raw.csv").read_text()
        log = stage.log("rows")
        for step in range(3):
            log.metrics(step, "train", {"loss": 1 / (step + 1)})
            stage.progress(step, 3)
        stage.output("results/latest/model.bin").write_bytes(b"weights")
        stage.write_json("results/latest/curves.json", {"loss": 0.25})
        stage.metric("loss", 0.25)
        stage.metric("size_bytes", 7)
        stage.fact("device", "cpu")
        stage.fact("drawn", [random.random(), float(numpy.random.random()), hash("reproof")])
        stage.fact("summary_during", json.loads((stage.results / "summary.json").read_text()))
        (stage.root / "src" / "train.py").write_text("edited = 'while it runs'")
        """,
    )
    commit_all(project, "Script")
    run("git", "tag", "ran", cwd=project)
    stage(project, env={"DVC_EXP_NAME": "gamic-pika", "DVC_EXP_BASELINE_REV": "b" * 40}, check=True)
    return project


# A stage that ends well.


def test_the_record_says_what_ran_and_when(finished: Path) -> None:
    found = record(finished)
    assert (found["stage"], found["status"], found["error"]) == ("train", "success", None)
    assert found["argv"] == "python src/train.py"
    assert found["config"] == "params.yaml"
    assert found["start_time"] < found["end_time"]
    assert found["start_time"].endswith("Z")
    assert found["seconds"] > 0
    assert found["pinned"]["seed"] == 0
    assert found["environment"]["packages"]["numpy"] == np.__version__
    assert found["dvc"] == {"stage": None, "experiment": "gamic-pika", "baseline": "b" * 40}
    assert found["job"]["kind"] == "local"


def test_the_record_holds_the_digests_of_what_was_read_and_written(finished: Path) -> None:
    found = record(finished)
    assert found["reads"] == {"data/raw.csv": digest.digest(finished / "data/raw.csv")}
    names = ("metrics.ndjson", "params.ndjson", "model.bin", "curves.json")
    assert found["writes"] == {
        f"results/latest/{name}": digest.digest(finished / "results/latest" / name) for name in names
    }


def test_the_record_holds_the_stages_numbers_and_facts(finished: Path) -> None:
    found = record(finished)
    assert found["metrics"] == {"loss": 0.25, "size_bytes": 7.0}
    assert found["facts"]["device"] == "cpu"


def test_the_code_is_that_of_the_start_whatever_is_edited_while_it_runs(finished: Path) -> None:
    with git.open_repository(finished) as repo:
        tree = git.tree_of(repo, "ran", finished)
    code = record(finished)["code"]
    assert code["code_tree"] == tree
    assert code["dirty"] is False


def test_the_record_is_no_table_to_dvc(finished: Path) -> None:
    found = record(finished)
    assert any(lists(found))  # the facts above hold a list of numbers, which is no harm
    assert_dvc_reads_no_table(found)


def test_the_run_is_in_progress_until_it_is_summarised(finished: Path) -> None:
    during = record(finished)["facts"]["summary_during"]
    for found in (during, summary(finished)):
        assert found == {"status": "in_progress", "metrics": {}, "runtime_seconds": None, "end_time": None}


def test_the_logs_belong_to_the_run_and_hold_its_params(finished: Path) -> None:
    run_id = record(finished)["run_id"]
    metrics = list(runlog.read(finished / "results/latest/metrics.ndjson"))
    (params,) = runlog.read(finished / "results/latest/params.ndjson")
    assert [line["value"] for line in metrics] == [1.0, 0.5, 1 / 3]
    assert {line["run_id"] for line in [*metrics, params]} == {run_id}
    assert params["params"]["summary"] == {"accuracy": "evaluate.accuracy"}


def test_the_registry_has_the_stage_with_its_progress(finished: Path) -> None:
    (entry,) = registry.entries(finished / ".dvc/tmp/reproof")
    assert (entry["status"], entry["stage"], entry["step"], entry["total_steps"]) == (
        "success",
        "train",
        2,
        3,
    )
    assert entry["run_id"] == record(finished)["run_id"]


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Any]]:
    """A project in which one stage has run twice by hand, and its two records."""
    project = make_git_project(tmp_path_factory.mktemp("twice") / "project")
    write(
        project,
        """
        import random, numpy
        stage.log("rows").metrics(1, "train", {"loss": 1.0})
        stage.fact("drawn", [random.random(), float(numpy.random.random()), stage.params.seed])
        """,
    )
    return project, [stage(project, check=True) and record(project) for _ in range(2)]


def test_a_second_run_draws_the_same_and_is_another_run(twice: tuple[Path, list[Any]]) -> None:
    first, second = twice[1]
    assert first["facts"] == second["facts"]
    assert first["run_id"] != second["run_id"]
    assert first["start_time"] < second["start_time"]


def test_another_seed_draws_something_else(git_project: Path, twice: tuple[Path, list[Any]]) -> None:
    write(git_project, "import random\nstage.fact('drawn', random.random())")
    (git_project / "params.yaml").write_text(PARAMS.replace("seed: 0", "seed: 1"))
    stage(git_project, check=True)
    assert record(git_project)["facts"]["drawn"] != twice[1][0]["facts"]["drawn"][0]


def test_a_second_run_by_hand_leaves_the_log_of_one_run(twice: tuple[Path, list[Any]]) -> None:
    # DVC deletes outputs before a stage runs; by hand nobody does.
    project, (_, second) = twice
    lines = runlog.read(project / "results/latest/metrics.ndjson")
    assert [line["run_id"] for line in lines] == [second["run_id"]]


# Parts that are missing.


def test_a_missing_part_makes_the_run_partial_and_says_why(git_project: Path) -> None:
    write(git_project, "stage.missing('tracking', 'trackio is not installed')")
    assert stage(git_project).returncode == 0
    found = record(git_project)
    assert found["status"] == "partial"
    assert found["missing"] == {"tracking": "trackio is not installed"}
    assert_dvc_reads_no_table(found)


def test_a_metric_that_is_no_number_is_null_with_a_reason(git_project: Path) -> None:
    write(
        git_project,
        """
        stage.metric("loss", math.nan)
        stage.metric("norm", math.inf)
        stage.metric("bertscore", None, reason="no local model")
        stage.metric("accuracy", 0.5)
        """,
    )
    assert stage(git_project).returncode == 0
    found = record(git_project)
    assert found["status"] == "partial"
    assert found["metrics"] == {"loss": None, "norm": None, "bertscore": None, "accuracy": 0.5}
    assert found["missing"] == {
        "loss": "the value is nan",
        "norm": "the value is inf",
        "bertscore": "no local model",
    }


# A stage that fails.


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


SUCCESS = {
    "status": "success",
    "metrics": {"loss": 0.5},
    "runtime_seconds": 1.0,
    "end_time": "2026-01-31T12:00:00Z",
}


def leave_a_success(project: Path) -> None:
    """Put the summary and meta of an earlier run into the workspace."""
    results = project / "results/latest"
    results.mkdir(parents=True)
    (results / "summary.json").write_text(json.dumps(SUCCESS))
    (results / "meta.json").write_text('{"run_id": "20260131-115900-abcdef", "status": "success"}')


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


# A stage that is stopped.


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


# Bits held still.


def test_threads_and_hash_seed_are_pinned_and_recorded_whatever_the_shell_says(git_project: Path) -> None:
    write(git_project, "stage.fact('hash', hash('reproof'))\nstage.fact('process', os.getpid())")
    (git_project / "params.yaml").write_text(
        PARAMS.replace("threads: 1", "threads: 2").replace("seed: 0", "seed: 7")
    )
    hashes = set()
    for shell in ({}, {"PYTHONHASHSEED": "3", "OMP_NUM_THREADS": "4", "MKL_NUM_THREADS": "4"}):
        env = {name: value for name, value in os.environ.items() if name not in PINNED} | shell
        process = subprocess.Popen([sys.executable, "src/train.py"], cwd=git_project, env=env)
        assert process.wait(timeout=60) == 0
        found = record(git_project)
        assert found["facts"]["process"] == process.pid  # the process that DVC started and can stop
        assert (
            found["environment"]["variables"]
            | {
                "PYTHONHASHSEED": "7",
                "OMP_NUM_THREADS": "2",
                "MKL_NUM_THREADS": "2",
                "OPENBLAS_NUM_THREADS": "2",
            }
            == found["environment"]["variables"]
        )
        assert found["pinned"]["threads"] == 2
        hashes.add(found["facts"]["hash"])
    assert len(hashes) == 1


def starts(project: Path, code: str, timeout: float = 60, **env: str) -> list[str]:
    """Run a stage whose interpreter runs `code` and notes its options at each start; return the notes."""
    site = project.parent / "site"
    site.mkdir(exist_ok=True)
    log = project.parent / "starts.txt"
    note = f"import sys; open({str(log)!r}, 'a').write(f'{{sys.flags.optimize}}\\n')"
    (site / "sitecustomize.py").write_text(f"{note}\n{code}\n")
    shell = {name: value for name, value in os.environ.items() if name not in PINNED}
    subprocess.run(
        [sys.executable, "-O", "src/train.py"],
        cwd=project,
        env={**shell, "PYTHONPATH": f"{site}{os.pathsep}{os.environ.get('PYTHONPATH', '')}", **env},
        timeout=timeout,
        capture_output=True,
        check=False,
    )
    return log.read_text().split()


def test_a_process_starts_again_once_and_keeps_the_interpreters_options(git_project: Path) -> None:
    write(git_project, "pass")
    assert starts(git_project, "") == ["1", "1"]


def test_a_process_that_was_started_right_does_not_start_again(git_project: Path) -> None:
    write(git_project, "pass")
    assert starts(git_project, "", **PINNED) == ["1"]


def test_an_interpreter_that_sets_its_own_threads_does_not_start_for_ever(git_project: Path) -> None:
    write(git_project, "pass")
    try:
        found = starts(git_project, "import os; os.environ['OMP_NUM_THREADS'] = '7'", timeout=5)
    except subprocess.TimeoutExpired:
        pytest.fail("it starts itself again and again")
    assert len(found) == 2


@pytest.mark.torch
def test_torch_is_seeded_and_pinned_before_the_stage_begins(git_project: Path) -> None:
    write(
        git_project,
        """
        import torch
        stage.fact("drawn", torch.rand(3).tolist())
        stage.fact("device", stage.device())
        """,
        options=", torch=True",
    )
    (git_project / "params.yaml").write_text(PARAMS + "device: cpu\n")
    stage(git_project, check=True)
    first = record(git_project)
    assert first["pinned"]["torch"]["threads"] == 1
    assert first["pinned"]["torch"]["deterministic"] is True
    assert first["facts"]["device"] == "cpu"
    stage(git_project, check=True)
    assert record(git_project)["facts"] == first["facts"]


@pytest.mark.torch
def test_a_device_that_is_not_here_is_an_error_that_names_those_that_are(git_project: Path) -> None:
    write(git_project, "stage.device()")
    (git_project / "params.yaml").write_text(PARAMS + "device: cuda\n")
    done = stage(git_project, env={"CUDA_VISIBLE_DEVICES": ""})
    assert done.returncode == 2
    assert "params.yaml: device: torch finds no cuda device" in done.stderr
    assert "cpu" in done.stderr


# Secrets.


def test_no_secret_is_in_any_file_of_the_project(git_project: Path) -> None:
    secrets = {
        "MY_TOKEN": "planted-env-token",
        "DB_PASSWORD": "planted-env-password",
        "GITHUB_ACTIONS": "true",
        "GITHUB_RUN_ID": "12",
        "GITHUB_SERVER_URL": "https://ci:planted-in-job@github.com",
    }
    write(
        git_project,
        """
        stage.log("rows").metrics(1, "train", {"loss": 1.0})
        stage.missing("tracking", "refused: https://me:planted-in-reason@tracking.example.org/x")
        stage.missing("upload", "401 for " + os.environ["MY_TOKEN"])
        try:
            raise OSError("cannot push to https://me:planted-in-cause@example.org/x.git")
        except OSError:
            raise RuntimeError("denied: " + os.environ["DB_PASSWORD"])
        """,
    )
    commit_all(git_project, "Script")
    remote = "https://me:planted-in-remote@example.org/x.git"
    run("git", "remote", "add", "origin", remote, cwd=git_project)
    assert stage(git_project, "--results", "results/one", env=secrets).returncode == 1
    found = read(git_project, "one/stages/train.json")
    assert found["code"]["remote"] == "https://example.org/x.git"
    assert found["argv"] == "python src/train.py --results results/one"
    assert found["error"]["message"] == "denied: ***"
    # The script holds the words that it plants, and Git's own configuration the remote.
    written = [
        path
        for path in git_project.rglob("*")
        if path.is_file() and path.name != "train.py" and ".git" not in path.parts
    ]
    assert len(written) > 5
    leaks = [
        f"{path.name}: {line.strip()}"
        for path in written
        for line in path.read_text(errors="replace").splitlines()
        if "planted-" in line
    ]
    assert leaks == []


def test_an_unknown_option_ends_with_code_2_and_writes_nothing(git_project: Path) -> None:
    write(git_project, "pass")
    done = stage(git_project, "--token", "planted-in-argv")
    assert done.returncode == 2
    assert not (git_project / "results").exists()


def test_help_teaches_what_the_script_takes(git_project: Path) -> None:
    write(git_project, "pass")
    done = stage(git_project, "--help")
    assert done.returncode == 0
    assert "--config" in done.stdout
    assert "results/latest" in done.stdout
    assert not (git_project / "results").exists()


# Where the record goes.


def other_config(project: Path) -> Path:
    """Another run's params, as `results/<run>/config.yaml` holds them."""
    path = project / "results/old/config.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(PARAMS.replace("seed: 0", "seed: 5").replace("evaluate.accuracy", "train.loss"))
    return path


def test_the_config_of_another_run_goes_to_a_folder_of_its_own(git_project: Path) -> None:
    config = other_config(git_project)
    leave_a_success(git_project)
    latest = git_project / "results/latest"
    before = {path: path.read_bytes() for path in latest.rglob("*") if path.is_file()}
    write(
        git_project,
        "stage.write_json('results/latest/scores.json', {})\nstage.metric('loss', stage.params.seed)",
    )
    done = stage(git_project, "--config", "results/old/config.yaml", check=True)
    (folder,) = set((git_project / "results").iterdir()) - {config.parent, latest}
    assert f"results/{folder.name}" in done.stdout
    assert (folder / "config.yaml").read_bytes() == config.read_bytes()
    assert read(git_project, f"{folder.name}/meta.json")["run_id"] == folder.name
    found = read(git_project, f"{folder.name}/summary.json")
    assert (found["status"], found["metrics"]) == ("success", {"accuracy": 5.0})
    found = read(git_project, f"{folder.name}/stages/train.json")
    assert found["config"] == "results/old/config.yaml"
    assert found["writes"] == {"results/latest/scores.json": digest.digest(folder / "scores.json")}
    assert {path: path.read_bytes() for path in latest.rglob("*") if path.is_file()} == before


def test_the_next_stage_goes_on_in_the_folder_that_the_first_one_named(git_project: Path) -> None:
    config = other_config(git_project)
    config.write_text(PARAMS)
    write(git_project, "stage.write_json('results/latest/model.json', {'w': 1})\nstage.metric('loss', 0.5)")
    write(
        git_project,
        "stage.metric('accuracy', json.loads(stage.input('results/latest/model.json').read_text())['w'])",
        name="evaluate",
    )
    done = stage(git_project, "--config", "results/old/config.yaml", check=True)
    folder = Path(done.stdout.split("recorded in ")[1].split(";")[0])
    options = done.stdout.split("go on with: ")[1].split()
    assert read(git_project, f"{folder.name}/summary.json")["status"] == "partial"
    stage(git_project, *options, name="evaluate", check=True)
    after = read(git_project, f"{folder.name}/summary.json")
    assert (after["status"], after["metrics"]) == ("success", {"accuracy": 1.0})
    assert not (git_project / "results/latest").exists()


def test_under_dvc_another_config_stays_in_the_workspaces_record(git_project: Path) -> None:
    other_config(git_project)
    write(git_project, "pass")
    stage(git_project, "--config", "results/old/config.yaml", env={"DVC_STAGE": "train"}, check=True)
    assert record(git_project)["config"] == "results/old/config.yaml"
    assert {path.name for path in (git_project / "results").iterdir()} == {"latest", "old"}


def test_naming_the_default_config_changes_nothing(git_project: Path) -> None:
    write(git_project, "pass")
    stage(git_project, "--config", str(git_project / "src/../params.yaml"), check=True)
    assert [path.name for path in (git_project / "results").iterdir()] == ["latest"]


@pytest.mark.parametrize("folder", ["../elsewhere", "/tmp/reproof-elsewhere", "results/../../elsewhere"])
def test_results_outside_the_project_are_refused(git_project: Path, folder: str) -> None:
    write(git_project, "pass")
    before = sorted(git_project.parent.rglob("*"))
    done = stage(git_project, "--results", folder)
    assert done.returncode == 2
    assert done.stderr.startswith("train: error: --results: a path leads out of the project\n")
    assert sorted(git_project.parent.rglob("*")) == before
    assert not Path("/tmp/reproof-elsewhere").exists()


def test_a_stage_finds_its_project_from_a_folder_below(git_project: Path) -> None:
    write(git_project, "stage.output('results/latest/here.txt').write_text(os.getcwd())")
    run(sys.executable, "train.py", cwd=git_project / "src", env=PINNED)
    assert record(git_project)["argv"] == "python src/train.py"
    assert (git_project / "results/latest/here.txt").read_text() == str(git_project)


def test_a_stage_outside_any_project_says_what_is_missing(tmp_path: Path) -> None:
    write(tmp_path, "pass")
    done = stage(tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("train: error: ")
    assert "no dvc.yaml here or in any folder above" in done.stderr


def test_a_stage_runs_without_git_and_records_why_the_code_is_unknown(tmp_path: Path) -> None:
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    (tmp_path / "params.yaml").write_text(PARAMS)
    write(tmp_path, "pass")
    stage(tmp_path, check=True)
    found = record(tmp_path)
    assert found["status"] == "success"
    assert found["code"]["reason"] == "not inside a Git repository"
    assert found["overrides"] is None


def test_a_process_that_is_not_the_first_writes_nothing(git_project: Path) -> None:
    write(
        git_project,
        """
        stage.log("rows").metrics(1, "train", {"loss": 1.0})
        stage.write_json("results/latest/scores.json", {})
        stage.input("params.yaml")
        stage.metric("loss", 1.0)
        """,
    )
    before = sorted(git_project.rglob("*"))
    stage(git_project, env={"RANK": "1", "WORLD_SIZE": "2"}, check=True)
    assert sorted(git_project.rglob("*")) == before


def test_from_dvcs_temporary_workspace_the_registry_is_that_of_the_main_repository(
    git_project: Path, tmp_path: Path
) -> None:
    write(git_project, "pass")
    main = tmp_path / "main"
    stage(git_project, env={"DVC_ROOT": str(main), "DVC_STAGE": "train", "DVC_EXP_NAME": "x"}, check=True)
    (entry,) = registry.entries(main / ".dvc/tmp/reproof")
    assert (entry["experiment"], entry["workspace"]) == ("x", str(git_project))
    assert not (git_project / ".dvc").exists()


def test_a_stage_that_is_started_by_a_stage_is_an_execution_of_its_own(git_project: Path) -> None:
    other_config(git_project)
    write(git_project, "stage.metric('loss', 1.0)")
    write(
        git_project,
        """
        import subprocess
        subprocess.run([sys.executable, "src/train.py", "--config", "results/old/config.yaml"], check=True)
        """,
        name="sweep",
    )
    stage(git_project, name="sweep", check=True)
    (folder,) = {path.name for path in (git_project / "results").iterdir()} - {"old", "latest"}
    assert folder != record(git_project, "sweep")["run_id"]


# What it reads and writes.


def test_params_that_do_not_fit_end_the_stage_before_it_begins(git_project: Path) -> None:
    write(git_project, "Path('began').touch()")
    (git_project / "params.yaml").write_text(PARAMS + "sede: 1\n")
    done = stage(git_project)
    assert done.returncode == 2
    assert "params.yaml:5: sede: unknown key; did you mean 'seed'?" in done.stderr
    assert not (git_project / "began").exists()
    assert record(git_project)["status"] == "failed"
    assert summary(git_project)["status"] == "failed"


def test_a_config_that_is_not_there_is_an_error_and_leaves_no_run(git_project: Path) -> None:
    write(git_project, "pass")
    done = stage(git_project, "--config", "typo.yaml")
    assert done.returncode == 2
    assert "typo.yaml: no such params file" in done.stderr
    assert not (git_project / "results").exists()


def test_overridden_params_are_recorded_with_both_values(git_project: Path) -> None:
    write(git_project, "pass")
    (git_project / "params.yaml").write_text(PARAMS + "clip: 1e-05\n")
    stage(git_project, check=True)
    assert record(git_project)["overrides"] == {"clip": {"from": None, "to": 1e-05}}


def test_an_overridden_list_is_no_table_to_dvc(git_project: Path) -> None:
    write(git_project, "pass")
    (git_project / "params.yaml").write_text(PARAMS + "layers: []\nblocks: [{depth: 1}]\n")
    stage(git_project, check=True)
    assert_dvc_reads_no_table(record(git_project))


def test_a_fact_that_dvc_would_take_for_a_table_is_refused_or_kept_otherwise(git_project: Path) -> None:
    write(git_project, "stage.fact('layers', {'none': [], 'some': [{'depth': 1}]})")
    assert stage(git_project).returncode in (0, 2)
    assert_dvc_reads_no_table(record(git_project))


def test_an_infinite_param_is_recorded_or_refused_without_a_traceback(git_project: Path) -> None:
    write(git_project, "stage.log('rows')\nstage.metric('accuracy', 1.0)", name="evaluate")
    (git_project / "params.yaml").write_text(PARAMS + "clip: .inf\n")
    done = stage(git_project, "--results", "results/one", name="evaluate")
    assert "Traceback" not in done.stderr
    assert done.returncode in (0, 2)


def test_a_missing_input_is_an_error_that_says_how_to_get_it(git_project: Path) -> None:
    write(git_project, "stage.input('prepared/train.npz')")
    done = stage(git_project)
    assert done.returncode == 2
    assert "prepared/train.npz: the stage 'train' needs a file that is not there" in done.stderr
    assert "dvc repro" in done.stderr


@pytest.mark.parametrize("call", ["input", "output"])
def test_a_path_out_of_the_project_is_refused(git_project: Path, call: str) -> None:
    (git_project.parent / "secret.txt").write_text("outside")
    write(git_project, f"stage.{call}('../secret.txt')")
    done = stage(git_project)
    assert done.returncode == 2
    assert "a path leads out of the project" in done.stderr


def into_the_cache(project: Path) -> Path:
    return project / ".dvc/cache/files/md5"


def into_a_shared_cache(project: Path) -> Path:
    return project.parent / "shared/files/md5"


@pytest.mark.parametrize("cache", [into_the_cache, into_a_shared_cache])
def test_an_input_that_dvc_links_from_its_cache_is_read_as_what_it_is(
    git_project: Path, cache: Callable[[Path], Path]
) -> None:
    # `dvc config cache.type symlink`, and `cache.dir` on a shared disk: links to names without a suffix.
    weights = {"w": np.arange(3, dtype=np.float32)}
    held = cache(git_project) / "ab/cdef0123"
    held.parent.mkdir(parents=True)
    held.write_bytes(save(weights, metadata={"made": "elsewhere"}))
    (git_project / "prepared").mkdir()
    (git_project / "prepared/w.safetensors").symlink_to(held)
    write(
        git_project,
        "stage.fact('suffix', stage.input('prepared/w.safetensors').suffix)\nstage.input('prepared')",
    )
    stage(git_project, check=True)
    found = record(git_project)
    assert found["reads"]["prepared/w.safetensors"] == digest.arrays(weights)
    assert found["facts"]["suffix"] == ".safetensors"


def test_a_folder_as_output_has_one_digest(git_project: Path) -> None:
    write(
        git_project,
        """
        folder = stage.output("prepared")
        folder.mkdir()
        (folder / "a.json").write_text("{}")
        """,
    )
    stage(git_project, check=True)
    assert record(git_project)["writes"] == {"prepared": digest.digest(git_project / "prepared")}


_json = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)


@given(_json)
def test_the_search_for_tables_finds_every_list(value: Any) -> None:
    # The assertion above is only as good as its walk.
    assert sum(1 for _ in lists(value)) == json.dumps(value).replace('\\"', "").count("[") - sum(
        text.count("[") for text in strings(value)
    )


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)
