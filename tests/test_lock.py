"""requirements.lock: constraints that install the same packages again, on this hardware or another."""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path

from conftest import run
from packaging.requirements import Requirement
from test_environment import install

from reproof import lock


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
