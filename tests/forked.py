"""What `warm` does in a forked process; it imports nothing that every such process would wait for."""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path


def become(project: str, command: list[str], env: dict[str, str], out: str, err: str) -> None:
    """Become `python <command>` in the folder `project`, with its output in two files."""
    for number, path in ((1, out), (2, err)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    os.environ.update(env)
    os.chdir(project)
    sys.argv = command
    sys.path[0] = str(Path(command[0]).resolve().parent)
    runpy.run_path(command[0], run_name="__main__")
