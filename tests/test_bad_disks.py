"""Disks that are full, folders that cannot be written, files in the way: rows `disk-…` and `file-…`.

Root is not stopped by modes, and not everyone may mount. So a full disk and a read-only one are mounted in a
namespace of the test's own, where the system allows that; where not, the limit on the size of files
(RLIMIT_FSIZE) makes every write fail, and the message differs in the system's reason alone.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from pathlib import Path

import pytest
from bad_inputs import assert_recorded, assert_told, nothing_lost, rows, stage_fails
from conftest import run
from stages import PINNED, leave_a_success, read, stage, summary, write

NAMESPACE = ["unshare", "--mount", "--propagation", "private"]
AS_ROOT_OF_IT = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
WITHOUT_ROOTS_RIGHTS = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]


@functools.cache
def can_mount() -> bool:
    command = [*NAMESPACE, *AS_ROOT_OF_IT, "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:  # no unshare: not Linux
        return False


def stage_on(mount: str, project: Path, otherwise: str) -> tuple[subprocess.CompletedProcess[str], bool]:
    """Run the stage with results/ mounted by `mount`, or else after the shell's `otherwise`; and say which.

    What the mounted results/ holds in the end is copied to the project's own.
    """
    copied = project.parent / "left"
    script = f"""
        cp -a results {copied} && {mount}
        {sys.executable} src/train.py; code=$?
        rm -rf {copied} && cp -a results {copied}; exit $code"""
    command = [*NAMESPACE, *AS_ROOT_OF_IT, "bash", "-c", script]
    if not can_mount():
        command = ["bash", "-c", f"{otherwise}; exec {sys.executable} src/train.py"]
    done = run(*command, cwd=project, env=PINNED, check=False)
    if can_mount():
        run("cp", "-a", f"{copied}/.", project / "results", cwd=project)
    return done, can_mount()


def assert_told_on(slug: str, mount: str, project: Path, otherwise: str, file: str) -> None:
    """Run the stage as `stage_on` does, and check what it says; without mounts, that it names `file`."""
    with nothing_lost(project):
        done, mounted = stage_on(mount, project, otherwise)
    if mounted:
        assert_told(slug, done)
    else:
        assert (done.returncode, "Traceback" in done.stderr) == (rows()[slug].code, False), done.stderr
        assert file in done.stderr


FILL = "stage.output('results/latest/weights.bin').write_bytes(bytes(3_000_000))"
SAVE = """
from reproof import files
files.write_bytes(stage.output('results/latest/weights.bin'), bytes(3_000_000))"""


def test_disk_full(git_project: Path) -> None:
    write(git_project, SAVE)
    leave_a_success(git_project)
    mount = f"mount -t tmpfs -o size=1m tmpfs results && cp -a {git_project.parent}/left/. results"
    assert_told_on("disk-full", mount, git_project, "ulimit -f 1000", "weights.bin")
    assert summary(git_project)["status"] == "failed"
    assert sorted(path.name for path in (git_project / "results/latest").iterdir()) == [
        "meta.json", "stages", "summary.json",
    ]  # fmt: skip


def test_disk_full_at_the_start(git_project: Path) -> None:
    """No byte is left even for the record: what was there before stays."""
    write(git_project, FILL)
    leave_a_success(git_project)
    fill = "head -c 1m /dev/zero > results/filler 2>/dev/null"
    mount = f"mount -t tmpfs -o size=64k tmpfs results && cp -a {git_project.parent}/left/. results; {fill}"
    assert_told_on("disk-full-at-the-start", mount, git_project, "ulimit -f 0", "summary.json")
    assert summary(git_project)["metrics"] == {"loss": 0.5}


def test_disk_full_under_the_log(git_project: Path) -> None:
    """Every line of the log is whole: what did not fit is taken back."""
    write(
        git_project,
        "log = stage.log('digits')\nfor step in range(100_000): log.metrics(step, 'train', {'loss': 0.5})",
    )
    leave_a_success(git_project)
    mount = f"mount -t tmpfs -o size=1m tmpfs results && cp -a {git_project.parent}/left/. results"
    assert_told_on("disk-full-under-the-log", mount, git_project, "ulimit -f 1000", "metrics.ndjson")
    assert summary(git_project)["status"] != "success"
    lines = (git_project / "results/latest/metrics.ndjson").read_bytes().splitlines(keepends=True)
    assert len(lines) > 1000
    assert all(line.endswith(b"}\n") for line in lines)


def test_disk_read_only(git_project: Path) -> None:
    write(git_project, FILL)
    leave_a_success(git_project)
    mount = "mount --bind results results && mount -o remount,bind,ro results"
    assert_told_on("disk-read-only", mount, git_project, "ulimit -f 0", "summary.json")
    assert summary(git_project)["metrics"] == {"loss": 0.5}


def test_file_larger_than_allowed(git_project: Path) -> None:
    write(git_project, SAVE)
    leave_a_success(git_project)
    (git_project / "results/latest/weights.bin").write_bytes(b"the weights of before")
    with nothing_lost(git_project):
        script = f"ulimit -f 1000; exec {sys.executable} src/train.py"
        done = run("bash", "-c", script, cwd=git_project, env=PINNED, check=False)
    assert_told("file-larger-than-allowed", done)
    assert summary(git_project)["status"] == "failed"


def test_file_no_permission(git_project: Path) -> None:
    write(git_project, FILL)
    leave_a_success(git_project)
    folder = git_project / "results/latest"
    folder.chmod(0o555)
    try:
        with nothing_lost(git_project):
            prefix = WITHOUT_ROOTS_RIGHTS if os.geteuid() == 0 else []
            done = run(*prefix, sys.executable, "src/train.py", cwd=git_project, env=PINNED, check=False)
    finally:
        folder.chmod(0o755)
    assert_told("file-no-permission", done)
    assert summary(git_project)["metrics"] == {"loss": 0.5}


def test_file_that_may_not_be_read(git_project: Path) -> None:
    write(git_project, "stage.input('data.txt')")
    data = git_project / "data.txt"
    data.write_text("secret")
    data.chmod(0)
    leave_a_success(git_project)
    prefix = WITHOUT_ROOTS_RIGHTS if os.geteuid() == 0 else []
    done = run(*prefix, sys.executable, "src/train.py", cwd=git_project, env=PINNED, check=False)
    data.chmod(0o644)
    assert_told("file-that-may-not-be-read", done)
    assert summary(git_project)["status"] == "failed"
    assert data.read_text() == "secret"


def test_file_in_place_of_results(git_project: Path) -> None:
    write(git_project, FILL)
    (git_project / "results").write_text("my notes")
    with nothing_lost(git_project):
        assert_told("file-in-place-of-results", stage(git_project))


def test_file_replaced_by_a_folder(git_project: Path) -> None:
    write(git_project, FILL)
    (git_project / "results/latest/summary.json").mkdir(parents=True)
    with nothing_lost(git_project):
        assert_told("file-replaced-by-a-folder", stage(git_project))
    assert (git_project / "results/latest/summary.json").is_dir()


def test_file_that_is_missing(git_project: Path) -> None:
    write(git_project, "stage.input('prepared/train.npz')")
    stage_fails("file-that-is-missing", git_project)


@pytest.mark.parametrize("end", ["", '{"schema_version": 1, "step": 3, "val'])
def test_file_log_with_a_torn_last_line(git_project: Path, end: str) -> None:
    """What kill -9 leaves: the curves are drawn from the whole lines."""
    line = '{"schema_version": 1, "step": %d, "split": "train", "metric": "loss", "value": 0.5}\n'
    log = git_project / "results/latest/metrics.ndjson"
    log.parent.mkdir(parents=True)
    log.write_text(line % 1 + line % 2 + end)
    body = """
        from reproof import runlog
        curves = stage.output('results/latest/curves.csv')
        runlog.write_curves(stage.results / 'metrics.ndjson', curves)
        stage.fact('curves', curves.read_text().splitlines())"""
    write(git_project, body)
    stage(git_project, check=True)
    assert_recorded("file-log-with-a-torn-last-line", read(git_project, "latest/stages/train.json"))


def test_file_log_with_a_broken_line(git_project: Path) -> None:
    (git_project / "metrics.ndjson").write_text('{"schema_version": 1\n{"schema_version": 1}\n')
    curves = "runlog.write_curves(Path('metrics.ndjson'), stage.output('results/latest/curves.csv'))"
    write(git_project, f"from reproof import runlog\n{curves}")
    stage_fails("file-log-with-a-broken-line", git_project)
