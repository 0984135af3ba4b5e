"""What the tests stand on: a home and a Git configuration of their own, and real projects in Git."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from forges import Server
    from verify_pair import Pair

# The same examples in every run: a suite that fails by chance teaches people to run it again.
settings.register_profile("reproof", deadline=None, derandomize=True, database=None)
settings.load_profile("reproof")

# Where `reproof`, `dvc` and `python` of this environment lie: make puts nothing on PATH.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])

# What the caller's shell, CI job or cluster may have set, and a test must not see.
FOREIGN_PREFIXES = ("CI_", "DVC_", "GITHUB_", "GITLAB_", "REPROOF_", "SLURM_", "XDG_")
FOREIGN_NAMES = (
    "ACCELERATOR",
    "CI",
    "CUBLAS_WORKSPACE_CONFIG",
    "GIT_AUTHOR_EMAIL",
    "GIT_AUTHOR_NAME",
    "GIT_COMMITTER_EMAIL",
    "GIT_COMMITTER_NAME",
    "GIT_DIR",
    "GIT_INDEX_FILE",
    "GIT_WORK_TREE",
    "JOB_ID",
    "LOCAL_RANK",
    "MKL_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "PYTHONHASHSEED",
    "RANK",
    "WORLD_SIZE",
)
GIT_CONFIG = """\
[user]
    name = Ada Lovelace
    email = ada@example.org
[init]
    defaultBranch = main
[gc]
    auto = 0
[maintenance]
    auto = false
"""
PARAMS = """\
seed: 0
threads: 1
summary:
  accuracy: evaluate.accuracy
"""


@pytest.fixture(scope="session", autouse=True)
def _isolated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Give every test, and every process that it starts, a home of the suite's own."""
    home = tmp_path_factory.mktemp("home")
    (home / ".gitconfig").write_text(GIT_CONFIG)
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(FOREIGN_PREFIXES) or name in FOREIGN_NAMES:
                patch.delenv(name)
        patch.setenv("HOME", str(home))
        patch.setenv("GIT_CONFIG_GLOBAL", str(home / ".gitconfig"))
        patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        patch.setenv("DVC_NO_ANALYTICS", "1")
        patch.setenv("DVC_GLOBAL_CONFIG_DIR", str(home / "dvc"))
        patch.setenv("DVC_SYSTEM_CONFIG_DIR", str(home / "dvc"))
        patch.setenv("DVC_SITE_CACHE_DIR", str(home / "dvc-site"))
        yield


def run(
    *args: str | Path, cwd: Path, env: Mapping[str, str] | None = None, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run a command; fail the test with its output when it fails and `check` is true.

    `env` is added to this process's environment.
    """
    done = subprocess.run(
        [str(arg) for arg in args],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if check and done.returncode != 0:
        command = " ".join(str(arg) for arg in args)
        pytest.fail(f"{command}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}", pytrace=False)
    return done


@pytest.fixture
def git_project(tmp_path: Path) -> Path:
    """A project in a repository of its own: dvc.yaml and params.yaml, committed."""
    return make_git_project(tmp_path / "project")


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small project with its baseline run committed; for looking at, not for changing."""
    from projects import dvc, small_project  # it stands on this file

    project = small_project(tmp_path_factory.mktemp("small") / "project")
    dvc(project, "exp", "run")
    commit_all(project, "First run")
    return project


@pytest.fixture
def small_copy(small_run: Path, tmp_path: Path) -> Path:
    """A copy of it, for a test to change."""
    return Path(shutil.copytree(small_run, tmp_path / "project"))


@pytest.fixture
def record(small_run: Path) -> dict[str, bytes]:
    """The record of its baseline run: what files hold, by their names."""
    from many_runs import record_of  # it stands on this file

    return record_of(small_run / "results/latest")


@pytest.fixture
def data_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recorded project with data in DVC; for looking at, not for changing."""
    from verify_places import shared_project  # it stands on this file

    return shared_project(tmp_path_factory)


@pytest.fixture
def data_copy(data_run: Path, tmp_path: Path) -> Path:
    """A copy of it, for a test to change."""
    return Path(shutil.copytree(data_run, tmp_path / "project", symlinks=True))


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Temporary files in a folder of the test's own: nothing of it is left."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


@pytest.fixture
def both(tmp_path: Path) -> Pair:
    """What was recorded of a run, and what was made again, alike."""
    from verify_pair import pair  # it stands on this file

    return pair(tmp_path)


@pytest.fixture
def github() -> Iterator[Server]:
    """A server that answers as GitHub's API does."""
    from publishing import GITHUB, served  # it stands on this file

    with served(GITHUB) as server:
        yield server


@pytest.fixture
def gitlab() -> Iterator[Server]:
    """A server that answers as GitLab's API does."""
    from publishing import GITLAB, served  # it stands on this file

    with served(GITLAB) as server:
        yield server


@pytest.fixture(scope="session")
def digits_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template with its first experiment committed; for looking at, not for changing."""
    from projects import dvc, make_quick, render  # it stands on this file

    project = render(tmp_path_factory.mktemp("digits") / "project")
    make_quick(project)
    dvc(project, "exp", "run")
    commit_all(project, "First run")
    return project


def make_git_project(folder: Path) -> Path:
    """Make `folder` a Git repository with dvc.yaml and params.yaml in its first commit."""
    folder.mkdir(parents=True)
    (folder / "dvc.yaml").write_text("stages: {}\n")
    (folder / "params.yaml").write_text(PARAMS)
    run("git", "init", "--quiet", cwd=folder)
    commit_all(folder, "Start")
    return folder


def commit_all(folder: Path, message: str) -> str:
    """Commit everything in `folder`; return the commit's id."""
    run("git", "add", "--all", cwd=folder)
    run("git", "commit", "--quiet", "--allow-empty", "--message", message, cwd=folder)
    return run("git", "rev-parse", "HEAD", cwd=folder).stdout.strip()
