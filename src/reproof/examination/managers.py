"""What installs packages into this environment, and the exact commands for it."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from reproof.lock import LOCK

Manager = Literal["venv", "uv", "pixi", "conda", "system"]

_NEW = ".venv-model"
"""Where a new environment goes."""


def manager(
    prefix: Path = Path(sys.prefix),
    base_prefix: Path = Path(sys.base_prefix),
    env: Mapping[str, str] = os.environ,
) -> Manager:
    """Return what made this environment, by the files that it leaves there.

    uv notes itself in the pyvenv.cfg of its environments; pixi's lie in `.pixi/envs`; conda's hold
    `conda-meta`, which pixi's do too. Variables only tell of shells, so they decide nothing alone.
    """
    if ".pixi" in prefix.parts or (env.get("PIXI_PROJECT_ROOT") and env.get("CONDA_PREFIX") == str(prefix)):
        return "pixi"
    if (prefix / "conda-meta").is_dir():
        return "conda"
    if prefix == base_prefix:
        return "system"
    try:
        config = (prefix / "pyvenv.cfg").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "venv"
    by_uv = any(line.partition("=")[0].strip() == "uv" for line in config.splitlines())
    return "uv" if by_uv else "venv"


def commands(name: Manager, packages: Sequence[str], root: Path) -> dict[str, str]:
    """Return the commands that install packages: `current` into this environment, `new` into one of its own.

    Both stay within requirements.lock, where there is one; pixi keeps a lock of its own.

    Args:
        name: of the manager.
        packages: such as `tokenizers>=0.19`.
        root: the project's folder; the commands run there.
    """
    locked = ["-c", LOCK] if (root / LOCK).is_file() else []
    wanted = [*locked, *packages]
    new_python = f"{_NEW}/bin/python"
    pip = ["-m", "pip", "install"]
    fresh = [["python3", "-m", "venv", _NEW], [new_python, *pip, *wanted]]
    if name == "uv":
        current = [["uv", "pip", "install", *wanted]]
        fresh = [["uv", "venv", _NEW], ["uv", "pip", "install", "--python", new_python, *wanted]]
    elif name == "pixi":
        current = [["pixi", "add", "--pypi", *packages]]
        fresh = [
            ["pixi", "add", "--feature", "model", "--pypi", *packages],
            ["pixi", "workspace", "environment", "add", "model", "--feature", "model"],
        ]
    elif name == "conda":
        current = [["python", *pip, *wanted]]
        version = f"python={sys.version_info.major}.{sys.version_info.minor}"
        fresh = [
            ["conda", "create", "--yes", "--prefix", _NEW, version, "pip"],
            [new_python, *pip, *wanted],
        ]
    elif name == "system":
        current = fresh  # most systems refuse packages beside their own (PEP 668)
    else:
        current = [["python", *pip, *wanted]]
    return {"current": _shown(current), "new": _shown(fresh)}


def _shown(parts: Sequence[Sequence[str]]) -> str:
    return " && ".join(shlex.join(part) for part in parts)
