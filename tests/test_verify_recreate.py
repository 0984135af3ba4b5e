"""The recorded environment, made anew out of the packages that pip finds."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import sys
import zipfile
from pathlib import Path

import pytest
from conftest import commit_all
from verify_places import LATEST, changed, opened, shared_project, state_of

from reproof.verify import recreate
from reproof.verify.errors import CannotVerify
from reproof.verify.execution import Changes

NEEDED = (
    "annotated-types",
    "gitdb",
    "gitpython",
    "numpy",
    "orjson",
    "psutil",
    "pydantic",
    "pydantic-core",
    "pyyaml",
    "smmap",
    "typing-extensions",
    "typing-inspection",
)
"""What a stage of the small project imports, beside the library."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recorded project whose lock names only what its stages need."""
    project = tmp_path_factory.mktemp("locked") / "project"
    shutil.copytree(shared_project(tmp_path_factory), project, symlinks=True)
    lines = [f"{name}=={importlib.metadata.version(name)}" for name in NEEDED]
    (project / "requirements.lock").write_text("# Python 3.11 on linux x86_64\n" + "\n".join(lines) + "\n")
    commit_all(project, "A lock")
    return project


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages that are installed here, as wheels: what an index would give, without a network."""
    folder = tmp_path_factory.mktemp("wheels")
    for name in NEEDED:
        found = importlib.metadata.distribution(name)
        tags = [
            line.split(": ")[1] for line in (found.read_text("WHEEL") or "").splitlines() if "Tag: " in line
        ]
        file = f"{name.replace('-', '_')}-{found.version}-{tags[0]}.whl"
        with zipfile.ZipFile(folder / file, "w") as archive:
            for path in found.files or []:
                if ".." not in path.parts and "__pycache__" not in path.parts and path.name != "INSTALLER":
                    archive.write(str(found.locate_file(path)), str(path))
    return folder


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """pip has no index."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return monkeypatch


def test_the_recorded_packages_are_installed_and_used(
    made: Path, wheels: Path, offline: pytest.MonkeyPatch
) -> None:
    offline.setenv("PIP_FIND_LINKS", str(wheels))
    before = state_of(made)
    with opened(made, only=["train"]) as ready:
        found = recreate.environment(ready.run, ready.place)
        assert found.source == "requirements.lock"
        assert found.python.is_relative_to(ready.place.folder)
        assert "torch" in found.differences
        assert "numpy" not in found.differences
        done = ready.execute(Changes(python=found.python))
        assert done.stages["train"]["writes"] == ready.run.stages["train"]["writes"]
        packages = done.stages["train"]["environment"]["packages"]
        assert packages.keys() - {"pip", "setuptools"} == {*NEEDED, "reproof"}
        assert done.stages["train"]["verification"]["modules"] == []
        again = ready.execute()
        assert "dvc" in again.stages["train"]["environment"]["packages"]
        assert ready.place.timings["environment"] > 0
    assert changed(before, state_of(made)) == []


def test_what_pip_cannot_find_is_told_in_its_words(made: Path, offline: pytest.MonkeyPatch) -> None:
    refused = pytest.raises(CannotVerify, match="pip cannot install the recorded packages")
    with opened(made, only=["train"]) as ready, refused as told:
        recreate.environment(ready.run, ready.place)
    assert "No matching distribution found" in str(told.value.found)


def test_a_python_that_is_not_here_is_named(made: Path, tmp_path: Path) -> None:
    project = Path(shutil.copytree(made, tmp_path / "project", symlinks=True))
    path = project / LATEST / "meta.json"
    meta = json.loads(path.read_text())
    meta["python"]["version"] = "3.4.1"
    path.write_text(json.dumps(meta))
    commit_all(project, "An old Python")
    refused = pytest.raises(CannotVerify, match="recorded Python is not on this machine")
    with opened(project, only=["train"]) as ready, refused as told:
        recreate.environment(ready.run, ready.place)
    assert str(told.value.expected).startswith("python3.4")
    assert sys.version_info >= (3, 11)


def test_without_a_lock_it_is_what_was_found_installed(made: Path, tmp_path: Path) -> None:
    project = Path(shutil.copytree(made, tmp_path / "project", symlinks=True))
    (project / "requirements.lock").unlink()
    commit_all(project, "No lock")
    with opened(project, only=["train"]) as ready:
        wanted, source = recreate._wanted(ready.run, ready.place.folder)
    assert source == "meta.json"
    assert wanted["numpy"] == importlib.metadata.version("numpy")
    assert not wanted.keys() & {"pip", "reproof"}
