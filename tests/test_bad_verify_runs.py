"""Runs that cannot be executed again, or fail then: rows of docs/reference/errors.md about `verify`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from bad_inputs import assert_told
from conftest import commit_all, run
from projects import ENV, dvc, small_project
from test_bad_disks import AS_ROOT_OF_IT, NAMESPACE, can_mount
from verify_places import LATEST, POINTS, changed, forget_cache, objects_of, state_of


def verify(
    project: Path, *options: str, before: tuple[str, ...] = (), **env: str
) -> subprocess.CompletedProcess[str]:
    """Run the command; nothing of the project changes."""
    state = state_of(project)
    done = run(*before, "reproof", "verify", *options, cwd=project, env={**ENV, **env}, check=False)
    assert changed(state, state_of(project)) == []
    return done


def recorded_with(folder: Path, change: Callable[[Path], object]) -> Path:
    """A project that was changed first, and then run and committed."""
    project = small_project(folder)
    change(project)
    commit_all(project, "Changed")
    dvc(project, "repro")
    commit_all(project, "A run")
    return project


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def first_in_main(project: Path, script: str, code: str) -> None:
    """Put a line before all else that the script does as a stage."""
    head = "def main(stage: Stage[Config]) -> None:\n"
    edit(project / "src" / script, head, f"{head}    {code}\n")


def test_verify_input_missing(data_copy: Path) -> None:
    forget_cache(data_copy)
    assert_told("verify-input-missing", verify(data_copy))


def test_verify_object_corrupt(data_copy: Path) -> None:
    broken = next(path for path in objects_of(data_copy) if path.read_bytes() == POINTS.encode())
    broken.chmod(0o644)
    broken.write_text(POINTS.replace("0", "1", 1))
    broken.chmod(0o444)
    assert_told("verify-object-corrupt", verify(data_copy))


def test_verify_no_remote(small_copy: Path) -> None:
    assert_told("verify-no-remote", verify(small_copy, "--fresh-clone"))


def test_verify_not_pushed(small_copy: Path, tmp_path: Path) -> None:
    run("git", "init", "--quiet", "--bare", tmp_path / "remote", cwd=small_copy)
    run("git", "remote", "add", "origin", "../remote", cwd=small_copy)
    assert_told("verify-not-pushed", verify(small_copy, "--fresh-clone"))


def test_verify_unknown_stage(small_copy: Path) -> None:
    assert_told("verify-unknown-stage", verify(small_copy, "--stage", "trian"))


def test_verify_stage_always_changed(tmp_path: Path) -> None:
    def always(project: Path) -> None:
        edit(
            project / "dvc.yaml",
            "    cmd: python src/train.py\n",
            "    cmd: python src/train.py\n    always_changed: true\n",
        )

    assert_told("verify-stage-always-changed", verify(recorded_with(tmp_path / "project", always)))


def test_verify_stage_without_record(tmp_path: Path) -> None:
    def copy(project: Path) -> None:
        path = project / "dvc.yaml"
        pipeline = yaml.safe_load(path.read_text())
        pipeline["stages"]["copy"] = {"cmd": "cp params.yaml copy", "deps": ["params.yaml"], "outs": ["copy"]}
        path.write_text(yaml.safe_dump(pipeline, sort_keys=False))

    assert_told("verify-stage-without-record", verify(recorded_with(tmp_path / "project", copy)))


def test_verify_reads_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "weights.txt").write_text("0.5")
    code = f"start = open({str(tmp_path / 'weights.txt')!r}).read()"
    project = recorded_with(tmp_path / "project", lambda made: first_in_main(made, "train.py", code))
    assert_told("verify-reads-elsewhere", verify(project))
    assert (
        verify(project, "--allow-read", "../weights.txt", "--output", str(tmp_path / "out")).returncode == 0
    )


def test_verify_stage_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEARNING_RATE", "0.1")
    code = "import os; rate = float(os.environ['LEARNING_RATE'])"
    project = recorded_with(tmp_path / "project", lambda made: first_in_main(made, "train.py", code))
    assert_told("verify-stage-fails", verify(project))


def test_verify_code_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "helper.py").write_text("x = 1\n")
    code = f"import sys; sys.path.append({str(tmp_path / 'mine')!r}); import helper"
    project = recorded_with(tmp_path / "project", lambda made: first_in_main(made, "train.py", code))
    assert_told("verify-code-elsewhere", verify(project, "--allow-read", "../mine"))


def test_verify_allow_missing(small_copy: Path) -> None:
    assert_told("verify-allow-missing", verify(small_copy, "--allow-read", "/no/such/path"))


def test_verify_allow_results(small_copy: Path) -> None:
    assert_told("verify-allow-results", verify(small_copy, "--allow-read", LATEST))


def test_verify_packages_missing(small_copy: Path) -> None:
    done = verify(small_copy, "--recreate-env", PIP_NO_INDEX="1", PIP_CONFIG_FILE=os.devnull)
    assert_told("verify-packages-missing", done)


@pytest.mark.skipif(not can_mount(), reason="no file system can be mounted here")
def test_verify_disk_full(small_copy: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    script = f'mount -t tmpfs -o size=100k tmpfs {tmp_path / "full"} && exec "$0" "$@"'
    before = (*NAMESPACE, *AS_ROOT_OF_IT, "bash", "-c", script)
    assert_told("verify-disk-full", verify(small_copy, before=before, TMPDIR=str(tmp_path / "full")))
    assert sys.platform == "linux"
