"""Threads, seeds and the hash seed are held still; secrets stay out."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import PARAMS, commit_all, run
from stages import (
    PINNED,
    read,
    record,
    stage,
    write,
)


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
