"""requirements.lock: what is installed, as constraints that install it again."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import re
import sys
from pathlib import Path

from reproof import files

# What makes a virtual environment, and is no part of what runs in it.
_TOOLS = {"pip", "setuptools", "wheel", "uv"}


def lines() -> list[str]:
    """Return one `name==version` for each installed distribution, sorted by name.

    A build tag (`2.13.0+cpu`) becomes a comment: the same release for other hardware satisfies the lock.
    What was installed from an address (the library itself) is left out: pyproject.toml pins that one.
    """
    found: dict[str, str] = {}
    for distribution in importlib.metadata.distributions():
        name = re.sub(r"[-_.]+", "-", distribution.name or "").lower()
        if not name or name in _TOOLS or name in found or _from_address(distribution):
            continue
        release, plus, tag = distribution.version.partition("+")
        found[name] = f"{name}=={release}" + (f"  # built as {release}{plus}{tag}" if tag else "")
    return [found[name] for name in sorted(found)]


def write(path: Path) -> int:
    """Write the lock in one step; return the number of packages in it."""
    packages = lines()
    head = [
        "# Every package of this environment, written by `make setup`; commit it. `make lock` resolves anew.",
        f"# Python {platform.python_version()} on {sys.platform} {platform.machine()}",
    ]
    files.write_text(path, "\n".join([*head, *packages]) + "\n")
    return len(packages)


def _from_address(distribution: importlib.metadata.Distribution) -> bool:
    noted = json.loads(distribution.read_text("direct_url.json") or "{}")
    return "vcs_info" in noted or "dir_info" in noted
