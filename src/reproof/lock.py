"""requirements.lock: what is installed, as constraints that install it again; and what differs from it."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import re
import sys
from pathlib import Path
from typing import Any

from reproof import digest, environment, files, screen
from reproof.errors import ReproofError

LOCK = "requirements.lock"

# What makes a virtual environment, and is no part of what runs in it.
_TOOLS = {"pip", "setuptools", "wheel", "uv"}
_OF_ONE_BUILD = re.compile(r"(nvidia-(?!ml-py)|cuda-|triton$|intel-|pytorch-triton)")
"""Packages that come with one build of torch: like its build tag, they follow the hardware."""
_LINE = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[A-Za-z0-9.!]+)(?:\+[A-Za-z0-9.]+)?\s*(?:[#;].*)?"
)
_PYTHON = re.compile(r"# Python (\d+\.\d+)\S* on ")
_MOST_NAMED = 4


def installed() -> dict[str, str]:
    """Return the version of each installed distribution, build tag included, by normalised name, sorted.

    What was installed from an address (the library itself) is left out: pyproject.toml pins that one.
    """
    found: dict[str, str] = {}
    for distribution in importlib.metadata.distributions():
        told, version = environment.name_and_version(distribution)
        name = _normal(told)
        if name and name not in _TOOLS and name not in found and not _from_address(distribution):
            found[name] = version
    return dict(sorted(found.items()))


def lines() -> list[str]:
    """Return one `name==version` for each installed distribution, sorted by name.

    A build tag (`2.13.0+cpu`) becomes a comment: the same release for other hardware satisfies the lock.
    """
    found = []
    for name, version in installed().items():
        release, plus, tag = version.partition("+")
        found.append(f"{name}=={release}" + (f"  # built as {release}{plus}{tag}" if tag else ""))
    return found


def write(path: Path) -> int:
    """Write the lock in one step; return the number of packages in it."""
    packages = lines()
    head = [
        "# Every package of this environment, written by `make setup`; commit it. `make lock` resolves anew.",
        f"# Python {platform.python_version()} on {sys.platform} {platform.machine()}",
    ]
    files.write_text(path, "\n".join([*head, *packages]) + "\n")
    return len(packages)


def read(path: Path) -> dict[str, str]:
    """Return the versions that a lock names, by normalised name; and `python`, where its head names it.

    Raises:
        ReproofError: for a line that is no `name==version`.
    """
    found: dict[str, str] = {}
    for number, raw in enumerate(path.read_bytes().decode("utf-8", "replace").splitlines(), start=1):
        line = raw.strip()
        if head := _PYTHON.match(line):
            found["python"] = head.group(1)
        if not line or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise ReproofError(
                "not a line of a lock",
                where=f"{path.name}:{number}",
                expected="name==version",
                found=line[:80],
                hint="`make lock` writes the file anew",
            )
        found[_normal(match["name"])] = match["version"]
    return found


def differences(locked: dict[str, str], here: dict[str, str]) -> dict[str, dict[str, str | None]]:
    """Return `{"numpy": {"locked": "2.1.0", "installed": "2.0.2"}}` for each package that differs.

    Build tags, and packages that follow the build, are not compared.
    """
    releases = {name: version.partition("+")[0] for name, version in here.items()}
    if "python" in locked:
        releases["python"] = ".".join(platform.python_version_tuple()[:2])
    return {
        name: {"locked": locked.get(name), "installed": releases.get(name)}
        for name in sorted(locked.keys() | releases.keys())
        if locked.get(name) != releases.get(name) and not _OF_ONE_BUILD.match(name)
    }


def check(root: Path, stage: str, *, strict: bool) -> dict[str, Any]:
    """Compare what is installed with the project's lock; warn of differences on standard error.

    Returns:
        Facts for the stage's record.

    Raises:
        ReproofError: when `strict` and something differs, or there is no lock.
    """
    path = root / LOCK
    if not path.is_file():
        if strict:
            raise ReproofError(
                "no lock to compare the environment with",
                where=LOCK,
                expected="one, since params.yaml says `environment: strict`",
                hint="`make setup` writes it; commit it",
            )
        return {"digest": None, "differences": None, "missing_reason": f"there is no {LOCK}"}
    found = differences(read(path), installed())
    if found:
        words = [_difference(name, both) for name, both in list(found.items())[:_MOST_NAMED]]
        more = f" and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
        told = f"{', '.join(words)}{more}"
        hint = "`make setup` installs the locked versions; `reproof lock` locks those that are here"
        if strict:
            raise ReproofError(
                "the environment is not the locked one (params.yaml: `environment: strict`)",
                where=LOCK,
                found=told,
                hint=hint,
            )
        screen.say(stage, f"warning: not what {LOCK} says: {told}\n  to mend: {hint}")
    return {"digest": digest.digest(path), "differences": found, "missing_reason": None}


def _difference(name: str, both: dict[str, str | None]) -> str:
    if both["installed"] is None:
        return f"{name} {both['locked']} is not installed"
    if both["locked"] is None:
        return f"{name} {both['installed']} is not in the lock"
    return f"{name} {both['installed']} instead of {both['locked']}"


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _from_address(distribution: importlib.metadata.Distribution) -> bool:
    noted = json.loads(distribution.read_text("direct_url.json") or "{}")
    return "vcs_info" in noted or "dir_info" in noted
