"""The recorded environment made anew: Python, packages and library as the record names them.

pip brings the packages, by the user's own configuration of it. DVC itself stays this one: it only starts
the stages.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reproof import lock, redact
from reproof.errors import ReproofError
from reproof.record_values import mapping
from reproof.verify.errors import CannotVerify
from reproof.verify.recorded_run import RecordedRun
from reproof.verify.workplace import Workplace

_OF_THE_ENVIRONMENT = {"pip", "setuptools", "wheel", "uv", "reproof"}
_LISTING = """
import importlib.metadata, json, re
print(json.dumps({re.sub(r"[-_.]+", "-", d.metadata["Name"]).lower(): d.version
                  for d in importlib.metadata.distributions() if d.metadata["Name"]}))
"""
_MOST_WORDS = 600


@dataclass(frozen=True)
class Recreated:
    """A virtual environment in the workplace.

    Attributes:
        python: its interpreter.
        source: `requirements.lock` or `meta.json`.
        library: words on which reproof is in it.
        differences: packages that are not the recorded ones: `{name: {"recorded": …, "here": …}}`.
        seconds: that it took.
    """

    python: Path
    source: str
    library: str
    differences: Mapping[str, Mapping[str, str | None]]
    seconds: float


def environment(run: RecordedRun, place: Workplace) -> Recreated:
    """Make the run's environment in the workplace, out of the stages' reach but to read.

    Raises:
        CannotVerify: there is no such Python here, or pip cannot install what is recorded.
    """
    begin = time.perf_counter()
    folder = place.folder / "environment"
    interpreter = _interpreter(str(mapping(run.meta, "python").get("version") or ""))
    _run([interpreter, "-m", "venv", str(folder)], "the virtual environment cannot be made")
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    wanted, source = _wanted(run, folder)
    requirements = folder / "recorded.txt"
    requirements.write_text("".join(f"{name}=={version}\n" for name, version in sorted(wanted.items())))
    # The record names every package: nothing else is to come with them.
    pip = [str(python), "-m", "pip", "install", "--no-deps", "--no-input", "--disable-pip-version-check"]
    _run([*pip, "--requirement", str(requirements)], "pip cannot install the recorded packages")
    told = _install_library(mapping(run.meta, "library"), pip, python)
    here = dict(json.loads(_run([str(python), "-c", _LISTING], "the new environment does not start")))
    place.timings["environment"] = time.perf_counter() - begin
    return Recreated(python, source, told, _differences(run.meta, here), place.timings["environment"])


def _interpreter(version: str) -> str:
    """A Python of the recorded minor version: this one's, or one on the search path."""
    minor = ".".join(version.split(".")[:2])
    if minor == f"{sys.version_info[0]}.{sys.version_info[1]}":
        return str(getattr(sys, "_base_executable", sys.executable))
    found = shutil.which(f"python{minor}") if re.fullmatch(r"3\.\d+", minor) else None
    if found is None:
        raise CannotVerify(
            "the recorded Python is not on this machine",
            where="--recreate-env",
            expected=f"python{minor} on PATH" if minor else "its version in meta.json",
            hint=f"install Python {minor}, or verify without --recreate-env",
        )
    return found


def _wanted(run: RecordedRun, folder: Path) -> tuple[dict[str, str], str]:
    """The versions to install by name: as the lock of the commit resolved them, else as they were found."""
    text = run.get(lock.LOCK)
    if text is not None:
        path = folder / lock.LOCK
        path.write_bytes(text)
        try:
            found = lock.read(path)
        except ReproofError as error:
            raise CannotVerify(
                error.what, where=error.where, expected=error.expected, found=error.found
            ) from error
        return {
            name: v for name, v in found.items() if name not in {*_OF_THE_ENVIRONMENT, "python"}
        }, lock.LOCK
    packages = mapping(run.meta, "packages")
    if not packages:
        raise CannotVerify("the record names no packages", where="--recreate-env", expected=lock.LOCK)
    return {str(n): str(v) for n, v in packages.items() if n not in _OF_THE_ENVIRONMENT}, "meta.json"


def _install_library(recorded: Mapping[str, Any], pip: list[str], python: Path) -> str:
    """The library at the recorded commit where its source is known, else a copy of this one."""
    commit, address = str(recorded.get("commit") or ""), str(recorded.get("source") or "")
    if re.fullmatch(r"[0-9a-f]{40,64}", commit) and "://" in address:
        url = address if address.startswith("git+") else f"git+{address}"
        _run([*pip, f"reproof @ {url}@{commit}"], "pip cannot install the recorded library")
        return f"reproof at the recorded commit {commit[:10]}"
    packages = Path(
        _run([str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], "").strip()
    )
    own = Path(__file__).resolve().parents[1]
    shutil.copytree(own, packages / own.name, ignore=shutil.ignore_patterns("__pycache__"))
    about = importlib.metadata.distribution("reproof")
    metadata = next((file for file in about.files or [] if file.name == "METADATA"), None)
    if metadata is None:
        raise CannotVerify("this library's own metadata cannot be read", where="--recreate-env")
    source = Path(str(about.locate_file(metadata.parent)))
    shutil.copytree(source, packages / source.name)
    return f"this reproof ({about.version}): the record does not say where its own came from"


def _differences(meta: Mapping[str, Any], here: Mapping[str, str]) -> dict[str, dict[str, str | None]]:
    recorded = {str(name): str(version) for name, version in mapping(meta, "packages").items()}
    return {
        name: {"recorded": recorded.get(name), "here": here.get(name)}
        for name in sorted({*recorded, *here} - _OF_THE_ENVIRONMENT)
        if recorded.get(name) != here.get(name)
    }


def _run(command: list[str], what: str) -> str:
    """Run a command in the caller's environment, for pip follows it; return what it printed."""
    foreign = ("PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV", "PIP_REQUIRE_VIRTUALENV")
    env = {name: value for name, value in os.environ.items() if name not in foreign}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        said = redact.text(" ".join((done.stderr or done.stdout).split()))[-_MOST_WORDS:]
        raise CannotVerify(
            what,
            where="--recreate-env",
            found=said or f"exit code {done.returncode}",
            hint="it needs the network or an index that pip is configured for, such as PIP_EXTRA_INDEX_URL",
        )
    return done.stdout
