"""`reproof commit`: an experiment, or the workspace's run, as a commit that says which run it holds."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from reproof import git, history, record_values, redact, revisions
from reproof.errors import ReproofError
from reproof.git_objects import record_at
from reproof.invocation import LATEST
from reproof.pull_request import kept, trailers
from reproof.recorded import Run
from reproof.siblings import COUNTED

if TYPE_CHECKING:
    from git import Repo

_OF_THE_RUN = ("results", "reports", "params.yaml", "dvc.lock")
"""What a run writes: of an experiment that began before HEAD these are the experiment's all the same."""
_IN_BETWEEN = {
    "MERGE_HEAD": "merge",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "REVERT_HEAD": "revert",
    "rebase-merge": "rebase",
    "rebase-apply": "rebase",
}
_MAX_CODE_BYTES = 5_000_000
"""As in `git`: an untracked file that is larger is data, and no part of the code."""
_MOST_NAMED = 5
_MAX_SAID = 600


@dataclass(frozen=True)
class Committed:
    """What was made: the commit, its branch, the trailers as Git reads them back, and notes for people."""

    commit: str
    branch: str
    run_id: str
    trailers: dict[str, str]
    notes: tuple[str, ...]


def commit(root: Path, experiment: str | None, messages: Sequence[str]) -> Committed:
    """Commit a run with trailers that tie the commit to it.

    Args:
        root: the project.
        experiment: applied first; None for the run that the workspace holds.
        messages: paragraphs of the message.

    Raises:
        ReproofError: when the tree holds changes that are no part of the run, the run has not ended well, the
            record is not that of what lies here, or Git or DVC refuses.
    """
    message = "\n\n".join(part.strip() for part in messages).strip()
    if not message:
        raise ReproofError("a commit needs a message", where="-m", expected="what was done, in a line")
    with git.open_repository(root) as repo:
        branch = _ready(repo)
        notes: list[str] = []
        if experiment is None:
            run, paths = _of_workspace(repo, root)
        else:
            run, paths = _of_experiment(repo, root, experiment, notes)
        if not paths:
            raise ReproofError(
                "nothing to commit: the last commit holds this run already",
                where=run.run_id,
                hint="run something first: dvc exp run",
            )
        made = _commit(repo, trailers.added(message, trailers.of_run(run), root), paths)
        read = trailers.parsed(str(repo.git.log("-1", "--format=%B", made)), root)
    found = {name: values[-1] for name, values in read.items()}
    if found.get(trailers.RUN_ID) != run.run_id:
        notes.append("a hook of this repository has changed the trailers of the message")
    return Committed(made, branch, run.run_id, found, tuple(notes))


def _ready(repo: Repo) -> str:
    """The branch; refuses where a commit would be lost, or would end what somebody is in the middle of."""
    if not repo.head.is_valid():
        raise ReproofError("no commit yet", hint='git add -A && git commit -m "Start"')
    if repo.head.is_detached:
        raise ReproofError(
            "HEAD is on no branch: a commit here would be lost", hint="git switch -c NAME makes a branch"
        )
    for name, what in _IN_BETWEEN.items():
        if Path(str(repo.git.rev_parse("--path-format=absolute", "--git-path", name))).exists():
            raise ReproofError(f"a {what} is not finished", hint=f"git {what} --continue, or --abort")
    return str(repo.active_branch.name)


def _of_workspace(repo: Repo, root: Path) -> tuple[Run, list[str]]:
    run = _ended(history.of_results(root / LATEST), LATEST)
    ours = git.prefix(repo, root)
    changed = _status(repo)
    if foreign := sorted(name for name in changed if not name.startswith(ours)):
        raise _unrelated(foreign, "outside this project")
    here = root / "params.yaml"
    if record_values.flat_params(here.read_bytes() if here.is_file() else None) != run.params:
        raise ReproofError(
            "params.yaml is not what this run was given",
            where=f"run {run.run_id}",
            expected=f"the values of {LATEST}/config.yaml",
            hint="dvc exp run, or git checkout params.yaml",
        )
    code = [name for name in changed if not _is_no_code(name.removeprefix(ours))]
    if code:
        state = git.code_state(root)
        if state.dirty and state.code_tree != run.code_tree:
            raise _unrelated(sorted(code), f"not the code that the run {run.run_id} ran with")
    top = Path(str(repo.working_tree_dir))
    return run, [name for name, kind in changed.items() if kind != "??" or not _is_data(top / name)]


def _of_experiment(repo: Repo, root: Path, name: str, notes: list[str]) -> tuple[Run, list[str]]:
    found = revisions.resolve(repo, name)
    if found.experiment is None:
        raise ReproofError(
            "not an experiment",
            where=name,
            expected="the name of one: `dvc exp list` shows them",
            hint="without a name, the run of this workspace is committed",
        )
    before = _status(repo)
    # What `dvc exp run` left here is an experiment's own, and is not lost.
    for commit in dict.fromkeys((found.commit, *kept.of_the_workspace(repo, root))):
        before = kept.beside(repo, before, commit)
    if dirty := sorted(path for path, kind in before.items() if kind != "??"):
        raise _unrelated(dirty, f"changed here, and no part of {found.experiment}")
    with record_at(root, found.commit) as record:
        run = _ended(history.of_results(record), found.experiment)
    baseline = str(repo.commit(found.commit).parents[0].hexsha)
    head = str(repo.head.commit.hexsha)
    if baseline != head and git.tree_of(repo, baseline, root) != git.tree_of(repo, head, root):
        raise ReproofError(
            "the code has changed since this experiment",
            where=found.experiment,
            expected=f"HEAD with the code of {baseline[:10]}, which it began from",
            found=f"{head[:10]}",
            hint=f"git switch -c NAME {baseline[:10]} first, or run it again here",
        )
    taken = set(_differing(repo, head, found.commit))
    if lost := sorted(taken & before.keys()):
        raise _unrelated(lost, f"not in Git, and {found.experiment} would write over them")
    _apply(repo, root, found.commit, found.experiment, notes)
    own = set(_differing(repo, baseline, found.commit))
    ours = git.prefix(repo, root)
    _restore(repo, head, [path for path in taken - own if not _is_of_the_run(path.removeprefix(ours))])
    there = kept.files_in(repo, found.commit)
    paths = [
        path
        for path, letters in _status(repo).items()
        if path not in before and (letters != "??" or path in there)  # else another experiment left it
    ]
    # A run that DVC's run cache restored bears the name of the experiment that computed it.
    return replace(run, experiment=found.experiment), paths


def _apply(repo: Repo, root: Path, commit: str, name: str, notes: list[str]) -> None:
    """Apply an experiment as DVC does; files that its cache lacks are told of, and no reason to stop."""
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "exp", "apply", commit], cwd=root, capture_output=True, check=False
    )
    if done.returncode == 0:
        return
    words = _said(done.stdout + done.stderr)
    wrong = [path for path in _changed_against(repo, commit) if not path.startswith(".dvc/tmp/")]
    if wrong:
        raise ReproofError(
            "DVC cannot apply the experiment",
            where=name,
            found=words,
            hint="git checkout . && dvc checkout --force leads back to the last commit",
        )
    notes.append(f"not all files that DVC holds are in this cache: dvc pull ({words[:200]})")


def _commit(repo: Repo, message: str, paths: Sequence[str]) -> str:
    """Add the paths and commit, with the user's own hooks and signature."""
    top = str(repo.working_tree_dir)
    env = {**os.environ, "GIT_LITERAL_PATHSPECS": "1"}
    listing = b"\0".join(os.fsencode(path) for path in paths)
    add = ["git", "add", "--all", "--pathspec-from-file=-", "--pathspec-file-nul"]
    _run(add, top, env, listing, "Git cannot add the run's files")
    with tempfile.TemporaryDirectory(prefix="reproof-message-") as folder:
        file = Path(folder, "message")
        file.write_bytes(message.encode("utf-8", "surrogateescape"))
        # As it is: else lines that begin with `#`, such as a reference to an issue, would be left out.
        command = ["git", "commit", "--quiet", "--cleanup=whitespace", f"--file={file}"]
        _run(command, top, dict(os.environ), b"", "Git does not commit")
    return str(repo.git.rev_parse("HEAD"))


def _run(command: list[str], cwd: str, env: dict[str, str], given: bytes, failed: str) -> None:
    done = subprocess.run(command, cwd=cwd, env=env, input=given, capture_output=True, check=False)
    if done.returncode:
        raise ReproofError(
            failed,
            found=_said(done.stdout + done.stderr) or f"exit code {done.returncode}",
            hint="the run lies in the workspace, as `dvc exp apply` leaves it; mend it, and `git commit`",
        )


def _ended(run: Run | None, where: str) -> Run:
    if run is None:
        raise ReproofError("no run is recorded there", where=where, hint="dvc exp run")
    if run.status not in COUNTED:
        raise ReproofError(
            "the run has not ended well",
            where=f"{where} (run {run.run_id})",
            expected="success or partial",
            found=run.status,
            hint="`git commit` keeps it all the same, without trailers that vouch for it",
        )
    return run


def _status(repo: Repo) -> dict[str, str]:
    """What differs from HEAD, in the index or beside it: Git's letters, by path from the top."""
    listing = repo.git.status("--porcelain=v1", "-z", "--untracked-files=all", "--no-renames")
    return {entry[3:]: entry[:2] for entry in str(listing).split("\0") if entry}


def _differing(repo: Repo, one: str, other: str) -> list[str]:
    listed = repo.git.diff_tree("-r", "-z", "--name-only", "--no-renames", one, other)
    return [path for path in str(listed).split("\0") if path and ".dvc/tmp/" not in f"/{path}"]


def _changed_against(repo: Repo, commit: str) -> list[str]:
    return [path for path in str(repo.git.diff("--name-only", "-z", commit)).split("\0") if path]


def _restore(repo: Repo, head: str, paths: Sequence[str]) -> None:
    """Bring back what HEAD has and the experiment never touched, such as notes written since."""
    there = set(filter(None, str(repo.git.ls_tree("-r", "-z", "--name-only", head)).split("\0")))
    top = Path(str(repo.working_tree_dir))
    for path in paths:
        if path in there:
            repo.git.execute(["git", "--literal-pathspecs", "checkout", "--quiet", head, "--", path])
        elif (top / path).is_file():
            (top / path).unlink()


def _is_of_the_run(path: str) -> bool:
    return any(path == name or path.startswith(f"{name}/") for name in _OF_THE_RUN)


def _is_no_code(path: str) -> bool:
    return any(path == name or path.startswith(f"{name}/") for name in git.NOT_CODE)


def _is_data(path: Path) -> bool:
    """An untracked file too large to be code: data that lies about."""
    try:
        return path.stat().st_size > _MAX_CODE_BYTES
    except OSError:
        return False


def _unrelated(paths: Sequence[str], what: str) -> ReproofError:
    shown = ", ".join(paths[:_MOST_NAMED]) + (
        f" and {len(paths) - _MOST_NAMED} more" if len(paths) > _MOST_NAMED else ""
    )
    return ReproofError(
        f"the tree holds changes that are no part of the run: {what}",
        found=shown,
        hint="commit or stash them first, so that the commit holds the run and nothing else",
    )


def _said(output: bytes) -> str:
    return redact.text(" ".join(output.decode("utf-8", "replace").split()))[:_MAX_SAID]
