"""What DVC may lack or hold: rows `dvc-…` of docs/reference/errors.md, on a small pipeline that has run."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE

import pytest
from bad_inputs import assert_told, nothing_lost
from conftest import commit_all, run
from projects import ENV, dvc

HOLD_THE_LOCK = """\
import fcntl, sys
stream = open(".dvc/tmp/lock", "w")
fcntl.flock(stream, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def project(small_copy: Path) -> Path:
    return small_copy


def export(project: Path, revision: str = "HEAD") -> subprocess.CompletedProcess[str]:
    with nothing_lost(project):
        return run("reproof", "export", revision, "-o", "results/x", cwd=project, env=ENV, check=False)


def held(project: Path, name: str) -> Path:
    """Where DVC's cache holds a file of the run."""
    data = (project / "results/latest/checkpoint" / name).read_bytes()
    (found,) = (p for p in (project / ".dvc/cache").rglob("*") if p.is_file() and p.read_bytes() == data)
    return found


def assert_nothing_exported(project: Path) -> None:
    assert [path.name for path in (project / "results").iterdir()] == ["latest"]


def test_dvc_lock_held(project: Path) -> None:
    """By another process that is at work, as a `dvc repro` in a second terminal is."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD_THE_LOCK], cwd=project, stdin=PIPE, stdout=PIPE, text=True
    )
    try:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        with nothing_lost(project):
            done = run("dvc", "repro", "--force", cwd=project, env=ENV, check=False)
        assert_told("dvc-lock-held", done)
        assert export(project).returncode == 0, "export reads, and needs no lock"
    finally:
        holder.communicate()


def test_dvc_cache_object_missing(project: Path) -> None:
    held(project, "weights.npz").unlink()
    assert_told("dvc-cache-object-missing", export(project))
    assert_nothing_exported(project)


def test_dvc_cache_object_corrupt(project: Path) -> None:
    """Another file of the right kind in its place, as a bad disk or a hand in the cache leaves it."""
    path = held(project, "weights.npz")
    path.chmod(0o644)
    shutil.copy(project / "prepared/train.npz", path)
    path.chmod(0o444)
    assert_told("dvc-cache-object-corrupt", export(project))
    assert_nothing_exported(project)


def test_dvc_cache_object_cut_short(project: Path) -> None:
    path = held(project, "weights.npz")
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:50])
    path.chmod(0o444)
    assert_told("dvc-cache-object-cut-short", export(project))
    assert_nothing_exported(project)


def test_dvc_remote_away(project: Path, tmp_path: Path) -> None:
    dvc(project, "remote", "add", "--default", "storage", str(tmp_path / "unplugged/storage"))
    commit_all(project, "A remote")
    shutil.rmtree(project / ".dvc/cache")
    assert_told("dvc-remote-away", export(project))
    assert_nothing_exported(project)


def test_dvc_remote_unknown_host(project: Path) -> None:
    dvc(project, "remote", "add", "--default", "storage", "http://storage.invalid/path")
    shutil.rmtree(project / ".dvc/cache")
    assert_told("dvc-remote-unknown-host", export(project))
    assert_nothing_exported(project)


def test_dvc_not_initialised(project: Path) -> None:
    shutil.rmtree(project / ".dvc")
    assert_told("dvc-not-initialised", export(project))
    assert_nothing_exported(project)


def test_dvc_stage_fails(project: Path) -> None:
    text = (project / "params.yaml").read_text()
    (project / "params.yaml").write_text(text.replace("lr: 0.5", "lr: -0.5"))
    done = run("dvc", "repro", cwd=project, env=ENV, check=False)
    assert_told("dvc-stage-fails", done)
