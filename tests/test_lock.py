"""requirements.lock: constraints that install the same packages again, on this hardware or another."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from conftest import run
from packaging.requirements import Requirement
from stages import record, stage, write
from test_environment import install

from reproof import lock
from reproof.errors import ReproofError


def lines_with(folder: Path) -> list[str]:
    """The lock's lines in a process that also finds the distributions in `folder`."""
    script = "from reproof import lock; print('\\n'.join(lock.lines()))"
    return run(sys.executable, "-c", script, cwd=folder, env={"PYTHONPATH": str(folder)}).stdout.splitlines()


def test_every_package_is_pinned_to_what_is_installed() -> None:
    pins = [Requirement(line.partition("  #")[0]) for line in lock.lines()]
    names = [pin.name for pin in pins]
    assert names == sorted(set(names))
    assert {"numpy", "pydantic", "pytest"} <= set(names)
    for pin in pins:
        assert pin.specifier.contains(version(pin.name), prereleases=True), pin


def test_what_makes_an_environment_is_no_part_of_it() -> None:
    names = {line.partition("==")[0] for line in lock.lines()}
    assert not names & {"pip", "setuptools", "wheel", "uv"}


def test_a_build_tag_is_a_comment(tmp_path: Path) -> None:
    install(tmp_path, "accelerated", "2.13.0+cpu")
    assert "accelerated==2.13.0  # built as 2.13.0+cpu" in lines_with(tmp_path)


def test_what_came_from_an_address_is_left_out(tmp_path: Path) -> None:
    install(
        tmp_path,
        "from-git",
        "1.0",
        {"url": "https://x.org/g.git", "vcs_info": {"vcs": "git", "commit_id": "a"}},
    )
    install(tmp_path, "editable", "1.0", {"url": "file:///srv/e", "dir_info": {"editable": True}})
    install(tmp_path, "From_Index", "1.0")
    (tmp_path / "broken-1.0.dist-info").mkdir()
    lines = lines_with(tmp_path)
    assert "from-index==1.0" in lines
    assert not [line for line in lines if line.startswith(("from-git", "editable", "broken", "=="))]


def test_the_file_says_what_it_is_and_counts_its_packages(tmp_path: Path) -> None:
    path = tmp_path / "requirements.lock"
    count = lock.write(path)
    lines = path.read_text().splitlines()
    head, pins = lines[:2], lines[2:]
    assert all(line.startswith("# ") for line in head)
    assert pins == lock.lines()
    assert count == len(pins)


def test_the_same_environment_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "other"):
        lock.write(tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


# Comparing.


def differences(text: str, here: dict[str, str], folder: Path) -> dict[str, dict[str, str | None]]:
    path = folder / "requirements.lock"
    path.write_text(text)
    return lock.differences(lock.read(path), here)


def test_equal_versions_are_no_difference_and_build_tags_are_not_compared(tmp_path: Path) -> None:
    text = "torch==2.13.0  # built as 2.13.0+cu130\nnumpy==2.1.0\nlocal==1.0+cpu\n"
    assert differences(text, {"torch": "2.13.0+cpu", "numpy": "2.1.0", "local": "1.0"}, tmp_path) == {}


def test_other_missing_and_further_packages_are_differences(tmp_path: Path) -> None:
    here = {"numpy": "2.0.2", "wandb": "0.20"}
    assert differences("NumPy==2.1.0\npandas==2.2.3\n", here, tmp_path) == {
        "numpy": {"locked": "2.1.0", "installed": "2.0.2"},
        "pandas": {"locked": "2.2.3", "installed": None},
        "wandb": {"locked": None, "installed": "0.20"},
    }


def test_packages_that_come_with_a_build_of_torch_follow_the_hardware(tmp_path: Path) -> None:
    text = "nvidia-cublas-cu13==13.0\ntriton==3.5\nnvidia-ml-py==12.0\n"
    assert set(differences(text, {"cuda-bindings": "13.0"}, tmp_path)) == {"nvidia-ml-py"}


def test_another_python_is_a_difference_but_not_another_patch_of_it(tmp_path: Path) -> None:
    major, minor, _ = platform.python_version_tuple()
    assert differences(f"# Python {major}.{minor}.99 on linux x86_64\n", {}, tmp_path) == {}
    assert differences("# Python 3.7.1 on linux x86_64\n", {}, tmp_path) == {
        "python": {"locked": "3.7", "installed": f"{major}.{minor}"}
    }


def test_a_lock_just_written_differs_in_nothing(tmp_path: Path) -> None:
    lock.write(tmp_path / "requirements.lock")
    facts = lock.check(tmp_path, "train", strict=True)
    assert facts["differences"] == {}
    assert facts["digest"].startswith("sha256:")


@pytest.mark.parametrize("line", ["numpy", "numpy>=2.0", "-e .", "numpy == 2.0", "git+https://x.org/y"])
def test_a_line_that_pins_nothing_is_an_error_with_its_number(tmp_path: Path, line: str) -> None:
    with pytest.raises(ReproofError, match=r"requirements\.lock:2: not a line of a lock"):
        differences(f"torch==2.13.0\n{line}\n", {}, tmp_path)


def with_lock(project: Path, *lines: str) -> None:
    """A lock that differs from what is installed in exactly the named lines."""
    lock.write(project / "requirements.lock")
    path = project / "requirements.lock"
    names = {line.partition("==")[0] for line in lines}
    kept = [line for line in path.read_text().splitlines() if line.partition("==")[0] not in names]
    path.write_text("\n".join([*kept, *lines]) + "\n")


def test_a_stage_warns_once_and_records_what_differs(git_project: Path) -> None:
    with_lock(git_project, "numpy==0.1", "gone==1.0")
    write(git_project, "pass")
    done = stage(git_project, check=True)
    assert done.stderr == (
        "train: warning: not what requirements.lock says: gone 1.0 is not installed, "
        f"numpy {version('numpy')} instead of 0.1\n"
        "  to mend: `make setup` installs the locked versions; `reproof lock` locks those that are here\n"
    )
    facts = record(git_project)["environment"]["requirements_lock"]
    assert set(facts["differences"]) == {"gone", "numpy"}
    assert record(git_project)["status"] == "success"


def test_strict_refuses_to_run_with_other_packages_or_without_a_lock(git_project: Path) -> None:
    write(git_project, "raise AssertionError('it must not run')")
    params = git_project / "params.yaml"
    params.write_text(params.read_text() + "environment: strict\n")
    done = stage(git_project)
    assert done.returncode == 2
    assert "requirements.lock: no lock to compare the environment with" in done.stderr
    with_lock(git_project, "numpy==0.1")
    done = stage(git_project)
    assert done.returncode == 2
    assert "found: numpy" in done.stderr
    assert record(git_project)["status"] == "failed"
    lock.write(git_project / "requirements.lock")
    write(git_project, "pass")
    stage(git_project, check=True)


def test_without_a_lock_the_record_says_so_and_nobody_is_warned(git_project: Path) -> None:
    write(git_project, "pass")
    assert stage(git_project, check=True).stderr == ""
    facts = record(git_project)["environment"]["requirements_lock"]
    assert facts == {
        "digest": None,
        "differences": None,
        "missing_reason": "there is no requirements.lock",
    }
