"""What of a working tree an experiment keeps: it can be written over without a loss."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from reproof import history, revisions
from reproof.errors import ReproofError
from reproof.invocation import LATEST

if TYPE_CHECKING:
    from git import Repo


def of_the_workspace(repo: Repo, root: Path) -> list[str]:
    """Return the commit of the experiment whose results lie here, where there is one."""
    with contextlib.suppress(ReproofError):
        run = history.of_results(root / LATEST)
        if run is not None and run.experiment is not None:
            found = revisions.resolve(repo, run.experiment)
            return [found.commit] if found.experiment else []
    return []


def beside(repo: Repo, status: Mapping[str, str], commit: str) -> dict[str, str]:
    """Return those changes of a status that do not make a file what it is in a commit."""
    top = Path(str(repo.working_tree_dir))
    there = files_in(repo, commit)
    files = [path for path in status if path in there and (top / path).is_file() and "\n" not in path]
    done = subprocess.run(
        ["git", "hash-object", "--stdin-paths"],
        cwd=top,
        input="\n".join(files).encode("utf-8", "surrogateescape"),
        capture_output=True,
        check=False,
    )
    here = dict(zip(files, done.stdout.decode().split(), strict=False)) if done.returncode == 0 else {}
    gone = {path for path in status if path not in there and not os.path.lexists(top / path)}
    return {
        path: kind
        for path, kind in status.items()
        if path not in gone and (path not in here or here[path] != there[path])
    }


def files_in(repo: Repo, commit: str) -> dict[str, str]:
    """Return the files of a commit: their objects' ids by their paths from the top."""
    listed = str(repo.git.ls_tree("-r", "-z", commit))
    entries = (line.partition("\t") for line in listed.split("\0") if line)
    return {path: about.split()[2] for about, _, path in entries}
