"""A project from this repository's template, run with this repository's own library."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

SHOW = (
    "dvc exp show --only-changed --no-pager "
    "--drop 'src/.*|results/.*|prepared|data|notes|status|.*_time|runtime_.*|Created|State|Executor'"
)
"""How `dvc exp show` reads well at 120 columns: the generated README says the same."""


def shell(command: str, folder: Path, *, quiet: bool = False) -> str:
    """Run a command line as one would type it in `folder`, after showing it; return what it printed.

    Raises:
        SystemExit: with its exit code and, when quiet, its output, when it fails.
    """
    env = os.environ | {"PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}
    print(f"\n$ {command}", flush=True)
    arguments = shlex.split(command)
    if not quiet:
        code = subprocess.run(arguments, cwd=folder, env=env, check=False).returncode
        if code:
            sys.exit(code)
        return ""
    done = subprocess.run(arguments, cwd=folder, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stdout, done.stderr, sep="\n", file=sys.stderr)
        sys.exit(done.returncode)
    return done.stdout


def start(folder: Path, recipe: str = "training") -> None:
    """Render the template at HEAD into `folder`, and commit it as a repository of its own."""
    answers = f"--defaults --data recipe={recipe}"
    shell(
        f"copier copy --quiet {answers} --vcs-ref HEAD {shlex.quote(str(ROOT))} {folder.name}", folder.parent
    )
    shell("git init --quiet --initial-branch main", folder)
    named = subprocess.run(["git", "config", "user.email"], cwd=folder, capture_output=True, check=False)
    if named.returncode:  # a machine on which nobody has told Git their name
        shell("git config user.name 'Reproof demo'", folder)
        shell("git config user.email demo@localhost", folder)
    shell("git add --all", folder)
    shell("git commit --quiet --message Start", folder)
