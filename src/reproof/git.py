"""The one place that talks to Git. Everything here reads: no ref, index or file of the user's is moved."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reproof import redact
from reproof.errors import ReproofError

if TYPE_CHECKING:
    # At run time inside functions: a stage that starts again with pinned threads has no use for it before.
    import git

# Else GitPython refuses to be imported where there is no Git.
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")

NOT_CODE = (
    "results",
    "reports",
    "experiments",
    "training_reports",
    "plan.md",
    "tutorial/step-by-step.md",
    "notes",
    "params.yaml",
    "dvc.lock",
    "requirements.lock",
    "uv.lock",
    ".dvc/tmp",
)
"""What a run writes, what people write about runs, and what is recorded apart (params, packages): no part
of the identity of the code."""

_MAX_NAMED_FILES = 50
_MAX_CODE_BYTES = 5_000_000
"""An untracked file that is larger is data, and no part of the code tree."""


@dataclass(frozen=True)
class CodeState:
    """What code ran: the commit it started from, and the tree as it really was.

    Inside `dvc exp run` HEAD is the baseline, and the experiment becomes a commit only afterwards. So
    `code_tree`, the Git tree id of the working tree without `NOT_CODE`, is the identity; it can be
    computed again from the experiment's commit (`tree_of`). `dirty` says whether it differs from HEAD's.
    """

    commit: str | None
    code_tree: str | None
    branch: str | None
    dirty: bool | None
    changed: dict[str, str]
    remote: str | None
    reason: str | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def as_it_is() -> dict[str, str]:
    """Return the variables with which Git looks at a repository, and leaves it as it is.

    It takes no lock, and refreshes no index; runs neither hooks nor a monitor of the user's; fetches nothing
    into a partial clone; and a commit is what its id says, whatever refs/replace puts in its place.
    """
    own = os.environ.get("GIT_CONFIG_COUNT", "")
    count = int(own) if own.isdigit() else 0
    found = {
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_ALLOW_PROTOCOL": "none",  # for Git before 2.45, which knows no word for that
        "GIT_CONFIG_COUNT": str(count + 2),
    }
    for number, (key, value) in enumerate(
        (("core.hooksPath", os.devnull), ("core.fsmonitor", "false")), count
    ):
        found |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return found


def open_repository(path: Path) -> git.Repo:
    """Open the repository that holds `path`.

    Raises:
        ReproofError: when there is none, or no Git.
    """
    import git

    if not shutil.which("git"):
        raise ReproofError("Git is not installed, or not on PATH", hint="install it: https://git-scm.com")
    try:
        repo = git.Repo(path, search_parent_directories=True)
        repo.git.update_environment(**as_it_is())
        return repo
    except (git.InvalidGitRepositoryError, git.NoSuchPathError) as error:
        raise ReproofError(
            "not inside a Git repository", where=path, hint="git init && git add -A && git commit -m Start"
        ) from error


def code_state(project: Path, main_root: Path | None = None) -> CodeState:
    """Read the state of the code of `project`, a folder in a Git working tree.

    DVC detaches HEAD while an experiment runs. Under DVC, `main_root` is the main repository, and `branch`
    then the one that stands at the commit there, if it is only one.

    Without Git, before the first commit, or where Git refuses (another owner's repository, an ignored
    folder), the facts are null and `reason` says why.
    """
    import git

    try:
        with open_repository(project) as repo:
            state = _code_state(repo, project)
            if state.branch or not state.commit or not main_root:
                return state
            with open_repository(main_root) as main:
                return replace(state, branch=_only_branch_at(main, state.commit))
    except ReproofError as error:
        return CodeState(None, None, None, None, {}, None, error.what)
    except git.GitCommandError as error:
        return CodeState(None, None, None, None, {}, None, f"Git refuses: {said(error)}")


def _code_state(repo: git.Repo, project: Path) -> CodeState:
    branch = None if repo.head.is_detached else repo.active_branch.name
    remote = _remote(repo)
    if not repo.head.is_valid():
        tree = _working_tree(repo, project, None)
        return CodeState(None, tree, branch, None, {}, remote, "the repository has no commit yet")
    commit = repo.head.commit.hexsha
    if prefix(repo, project) and repo.ignored(str(project)):
        return CodeState(commit, None, branch, None, {}, remote, "Git ignores the project's folder")
    recorded = tree_of(repo, commit, project)
    tree = _working_tree(repo, project, commit)
    changed = {} if tree == recorded else _changed(repo, project)
    return CodeState(commit, tree, branch, tree != recorded, changed, remote)


def _only_branch_at(repo: git.Repo, commit: str) -> str | None:
    listed = repo.git.for_each_ref("--points-at", commit, "--format=%(refname:short)", "refs/heads")
    names = str(listed).split()
    return names[0] if len(names) == 1 else None


def tree_of(repo: git.Repo, commit: str, project: Path) -> str:
    """Return the code tree id (see `CodeState`) of `project` as `commit` holds it."""
    with _Scratch(repo) as scratch:
        scratch.run("read-tree", commit)
        return scratch.code_tree(project)


def file_at(repo: git.Repo, rev: str, path: str) -> bytes | None:
    """Return the bytes of `path` (from the top of the repository) at `rev`; None where it is not."""
    import git

    # Not by the library's lasting `git cat-file`: where Git refuses, that one ends in a broken pipe.
    command = ["git", "cat-file", "blob", f"{rev}:{path}"]
    try:
        found = repo.git.execute(command, stdout_as_string=False, strip_newline_in_stdout=False)
    except git.GitCommandError:
        return None
    return bytes(found)


def prefix(repo: git.Repo, project: Path) -> str:
    """Return the path of `project` from the top of the repository, with a slash at its end; '' at the top."""
    if repo.working_tree_dir is None:
        return ""  # a bare repository's own folder
    top = Path(repo.working_tree_dir).resolve()
    relative = project.resolve().relative_to(top).as_posix()
    return "" if relative == "." else f"{relative}/"


def said(error: git.GitCommandError) -> str:
    """Return what Git wrote to standard error, on one line and without credentials."""
    line = " ".join(str(error.stderr).split()).removeprefix("stderr: ").strip("'")
    return redact.text(line)[:300].strip()


def head(folder: Path) -> str | None:
    """Return the commit that the working tree around `folder` is checked out at; None where there is none."""
    import git

    try:
        with open_repository(folder) as repo:
            return str(repo.head.commit.hexsha)
    except (ReproofError, ValueError, git.GitCommandError):  # ValueError: no commit yet
        return None


def checkout(folder: Path) -> str | None:
    """Return the commit that `folder` is checked out at, with `+changed` when files in it differ from it."""
    import git

    try:
        with open_repository(folder) as repo:
            changed = repo.git.status("--porcelain", "--", str(folder))
            return repo.head.commit.hexsha + ("+changed" if changed else "")
    except (ReproofError, ValueError, git.GitCommandError):  # ValueError: no commit yet
        return None


def pull_request(env: Mapping[str, str] = os.environ) -> str | None:
    """Return the number of the pull or merge request that a CI job runs for."""
    if number := env.get("CI_MERGE_REQUEST_IID"):
        return number
    found = re.fullmatch(r"refs/pull/(\d+)/(?:merge|head)", env.get("GITHUB_REF", ""))
    return found.group(1) if found else None


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:  # gone since it was listed
        return 0


def _remote(repo: git.Repo) -> str | None:
    names = [remote.name for remote in repo.remotes]
    if not names:
        return None
    name = "origin" if "origin" in names else names[0]
    return redact.url(next(iter(repo.remote(name).urls), ""))


def _changed(repo: git.Repo, project: Path) -> dict[str, str]:
    """Changed and untracked code files with Git's two status letters; at most `_MAX_NAMED_FILES`."""
    listing = repo.git.status(
        "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames", "--", str(project)
    )
    ours = prefix(repo, project)
    changed: dict[str, str] = {}
    for entry in filter(None, listing.split("\0")):
        letters, path = entry[:2], entry[3:]
        inner = path.removeprefix(ours)
        if not any(inner == name or inner.startswith(f"{name}/") for name in NOT_CODE):
            changed[inner] = letters.strip()
    return dict(sorted(changed.items())[:_MAX_NAMED_FILES])


def _working_tree(repo: git.Repo, project: Path, commit: str | None) -> str:
    with _Scratch(repo) as scratch:
        # The user's index carries what Git knows of each file's time and size, which saves hashing them.
        own_index = Path(repo.git.rev_parse("--path-format=absolute", "--git-path", "index"))
        if own_index.exists():
            # With its time: Git hashes a file again when it is not older than the index.
            shutil.copy2(own_index, scratch.index)
            scratch.look_at_every_file()
        elif commit:
            scratch.run("read-tree", commit)
        scratch.run("add", "--update", "--", str(project))
        scratch.add_untracked(project)
        return scratch.code_tree(project)


class _Scratch:
    """An index and an object store of our own, beside the user's: Git can write trees, and nothing stays."""

    def __init__(self, repo: git.Repo) -> None:
        self._repo = repo

    def __enter__(self) -> _Scratch:
        self._folder = tempfile.TemporaryDirectory(prefix="reproof-index-")
        self.index = Path(self._folder.name) / "index"
        objects = Path(self._folder.name) / "objects"
        objects.mkdir()
        theirs = self._repo.git.rev_parse("--path-format=absolute", "--git-path", "objects")
        self._env = {
            "GIT_INDEX_FILE": str(self.index),
            "GIT_OBJECT_DIRECTORY": str(objects),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(theirs),
        }
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def run(self, *arguments: str) -> str:
        return str(self._repo.git.execute(["git", *arguments], env=self._env))

    def add_untracked(self, project: Path) -> None:
        """Add what Git does not track yet and does not ignore, but for files too large to be code.

        Data that lies about before `dvc add` would else be hashed and copied by every stage.
        """
        top = Path(str(self._repo.working_tree_dir))
        others = self.run("ls-files", "--others", "--exclude-standard", "-z", "--", str(project)).split("\0")
        small = [name for name in others if name and _size(top / name) <= _MAX_CODE_BYTES]
        if small:
            listing = self.index.with_name("untracked")
            listing.write_bytes(b"\0".join(os.fsencode(name) for name in small))
            with listing.open("rb") as stream:
                self._repo.git.execute(
                    ["git", "update-index", "--add", "-z", "--stdin"], istream=stream, env=self._env
                )

    def look_at_every_file(self) -> None:
        """Drop the marks by which users tell Git not to look at a file: what ran is what lies there.

        A file that a sparse checkout left out carries such a mark too, and stays as the commit has it.
        """
        top = Path(str(self._repo.working_tree_dir))
        entries = [(entry[0], entry[2:]) for entry in self.run("ls-files", "-v", "-z").split("\0") if entry]
        marked = [name for mark, name in entries if mark.islower() or (mark == "S" and (top / name).exists())]
        if marked:
            self.run("update-index", "--no-assume-unchanged", "--", *marked)
            self.run("update-index", "--no-skip-worktree", "--", *marked)

    def code_tree(self, project: Path) -> str:
        base = prefix(self._repo, project)
        paths = [f":(top){base}{name}" for name in NOT_CODE]
        self.run("rm", "-r", "--cached", "--quiet", "--force", "--ignore-unmatch", "--", *paths)
        if not self.run("ls-files", "--", f":(top){base}"):
            self.run("read-tree", "--empty")  # a folder that is not in the commit: no code, the empty tree
            return self.run("write-tree")
        return self.run("write-tree", *([f"--prefix={base}"] if base else []))
