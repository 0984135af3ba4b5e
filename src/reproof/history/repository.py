"""What a reader has to know of a repository: where it is, what its refs name, which commits changed a record.

Asked of `git` itself and not of GitPython, whose import takes as long as reading a thousand runs.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reproof import dvc, redact
from reproof.errors import ReproofError
from reproof.git import as_it_is
from reproof.invocation import LATEST

EXPERIMENTS, TAGS, HEADS, REMOTES = "refs/exps/", "refs/tags/", "refs/heads/", "refs/remotes/"

_EXPERIMENT = re.compile(r"refs/exps/([0-9a-f]{2})/([0-9a-f]{38}|[0-9a-f]{62})/(.+)")
_ID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


@dataclass(frozen=True)
class Repository:
    """A repository, and a project in it.

    Attributes:
        root: the project's folder; of a bare repository, its own.
        common: the folder of objects and refs, which all worktrees share.
        git_dir: of this worktree.
        prefix: the project's path from the top, with a slash at its end; '' at the top.
        is_bare: there is no working tree.
        is_shallow: older commits are absent.
        is_partial: objects may be absent that Git would fetch when asked.
        object_format: "sha1" or "sha256".
    """

    root: Path
    common: Path
    git_dir: Path
    prefix: str
    is_bare: bool
    is_shallow: bool
    is_partial: bool
    object_format: str


@dataclass(frozen=True)
class Refs:
    """What refs name: ids of commits, or of tags' own objects.

    Attributes:
        experiments: the commit, name and baseline of each.
        tips: ids by the full names of branches, remote-tracking branches and tags.
        head: the commit that is checked out; None before the first.
    """

    experiments: tuple[tuple[str, str, str], ...]
    tips: Mapping[str, str]
    head: str | None


def open_at(root: Path) -> Repository:
    """Find the repository that holds a project.

    Raises:
        ReproofError: when there is none, or Git is absent or refuses, such as in a folder of another owner.
    """
    asked = ("--is-bare-repository", "--is-shallow-repository", "--show-object-format")
    paths = ("--path-format=absolute", "--git-common-dir", "--git-dir", "--show-prefix")
    said = os.fsdecode(git(root, "rev-parse", *asked, *paths))
    bare, shallow, object_format, common, git_dir, *rest = said.split("\n")
    is_bare = bare == "true"
    prefix = "" if is_bare else "\n".join(rest).removesuffix("\n")
    return Repository(
        root,
        Path(common),
        Path(git_dir),
        prefix,
        is_bare,
        shallow == "true",
        next(Path(common, "objects", "pack").glob("*.promisor"), None) is not None,
        object_format,
    )


def root_of(here: Path) -> Path:
    """Return the project's folder, or a bare repository that has none.

    Raises:
        ReproofError: when it is neither.
    """
    try:
        return dvc.project_root(here)
    except ReproofError:
        with contextlib.suppress(ReproofError):
            if open_at(here).is_bare:
                return here
        raise


def refs(repository: Repository) -> Refs:
    """List experiments, branches, remote-tracking branches and tags."""
    kinds = (EXPERIMENTS, TAGS, HEADS, REMOTES)
    listed = git(repository.root, "for-each-ref", "--format=%(objectname) %(refname)", *kinds)
    experiments, tips = [], {}
    for line in listed.decode("utf-8", "backslashreplace").splitlines():
        found, _, name = line.partition(" ")
        if not name.startswith(EXPERIMENTS):
            if not name.endswith("/HEAD") or not name.startswith(REMOTES):
                tips[name] = found
        elif match := _EXPERIMENT.fullmatch(name):
            experiments.append((found, match.group(3), match.group(1) + match.group(2)))
    return Refs(tuple(experiments), tips, _head(repository, tips))


def _head(repository: Repository, tips: Mapping[str, str]) -> str | None:
    try:
        text = Path(repository.git_dir, "HEAD").read_text("utf-8", "backslashreplace").strip()
    except OSError:
        return None
    if _ID.fullmatch(text):
        return text
    if (found := tips.get(text.removeprefix("ref:").strip())) is not None:
        return found
    return resolve(repository, "HEAD")  # a kind of refs that lies in no files


def resolve(repository: Repository, name: str) -> str | None:
    """Return the commit that a revision names, as Git reads it; None where it names none."""
    if not name or name.startswith("-") or "\0" in name:
        return None
    try:
        said = git(
            repository.root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"
        )
    except ReproofError:
        return None
    return said.decode().strip() or None


class Walk:
    """Two walks over the commits that refs reach, which run while other things are read.

    `--full-history`: a run that a merge passed over is a run too.

    Attributes:
        is_cut: the folders of commits are not all in this clone, so that nobody knows which ones changed.
    """

    def __init__(self, repository: Repository, starts: Iterable[str]) -> None:
        self._starts = "".join(f"{one}\n" for one in starts).encode()
        self._is_partial, self.is_cut = repository.is_partial, False
        path = f":(top,literal){repository.prefix}{LATEST}/meta.json"
        common = ("rev-list", "--stdin", "--ignore-missing")
        self._changed = _start(repository, *common, "--full-history", "--", path)
        self._graph = _start(repository, *common, "--topo-order", "--parents")
        # Git reads all of its input before it writes, so neither waits for the other.
        for process in (self._changed, self._graph):
            assert process.stdin is not None
            try:
                process.stdin.write(self._starts)
                process.stdin.close()
            except BrokenPipeError:
                continue  # what it has to say comes out with its answer

    def changed(self) -> list[str]:
        """The commits that changed a record's meta.json; none in a clone without the folders of commits."""
        try:
            return _answer(self._changed)
        except ReproofError:
            self.is_cut = self._is_partial
            if self.is_cut:
                return []
            raise

    def parents(self) -> list[list[str]]:
        """Each commit with its parents, children before their parents."""
        return [line.split() for line in _answer(self._graph)]


def _start(repository: Repository, *arguments: str) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    command = ["git", *arguments]
    return subprocess.Popen(
        command, cwd=repository.root, stdin=pipe, stdout=pipe, stderr=pipe, env=environment()
    )


def _answer(process: subprocess.Popen[bytes]) -> list[str]:
    process.stdin = None  # it is closed, and would be flushed
    said, error = process.communicate()
    if process.returncode:
        raise refused(error)
    return said.decode().splitlines()


def git(root: Path, *arguments: str) -> bytes:
    """Return what a Git command prints.

    Raises:
        ReproofError: when it fails.
    """
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=root, capture_output=True, check=False, env=environment()
        )
    except FileNotFoundError as error:
        if root.is_dir():
            raise ReproofError(
                "Git is not installed, or not on PATH", hint="install it: https://git-scm.com"
            ) from error
        raise ReproofError("no such folder", where=root) from error
    except NotADirectoryError as error:
        raise ReproofError("not a folder", where=root) from error
    if done.returncode:
        if b"not a git repository" in done.stderr:
            raise ReproofError(
                "not inside a Git repository",
                where=root,
                hint="git init && git add -A && git commit -m Start",
            )
        raise refused(done.stderr)
    return done.stdout


def environment() -> dict[str, str]:
    """Return the variables that Git is run with: in English, and so that it leaves everything as it is."""
    return {**os.environ, **as_it_is(), "LC_ALL": "C"}


def refused(error: bytes) -> ReproofError:
    """Return the error that Git's own words make."""
    words = " ".join(redact.text(error.decode("utf-8", "replace")).split())
    return ReproofError("Git refuses", found=words[:300] or None)


def start_points(found: Refs) -> Sequence[str]:
    """Return where walks begin: the baselines too, which no branch may hold any more."""
    own = [found.head] if found.head else []
    return list(dict.fromkeys([*own, *found.tips.values(), *(one[2] for one in found.experiments)]))
