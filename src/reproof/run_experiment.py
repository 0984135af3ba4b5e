"""`dvc exp run` that keeps a failure: DVC itself makes an experiment of success only."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from git import GitCommandError

from reproof import dvc, failures, files, git, record, registry, revisions, screen
from reproof.errors import ReproofError
from reproof.invocation import LATEST

_ELSEWHERE = ("--queue", "--run-all", "--temp")
KILLED = "ended without a word: killed (kill -9, or out of memory)"


def run(root: Path, arguments: Sequence[str]) -> int:
    """Run `dvc exp run` with `arguments`; save a run that failed as an experiment of the name it had.

    Args:
        root: the project's folder.
        arguments: as `dvc exp run` takes them.

    Returns:
        DVC's exit code; 130 when the user stopped it, which is no failure to keep.

    Raises:
        ReproofError: for a run that DVC would do in another folder than this one.
    """
    if elsewhere := [argument for argument in arguments if argument in _ELSEWHERE]:
        raise ReproofError(
            f"only runs in the workspace can be kept, not with {elsewhere[0]}",
            hint=f"dvc exp run {' '.join(arguments)}; `reproof status` shows what of it failed",
        )
    dvc.check_whole(root)
    private = dvc.private_folder(root)
    before = {_key(entry) for entry in registry.entries(private)}
    with _passing_signals_on() as children:
        child = subprocess.Popen([sys.executable, "-m", "dvc", "exp", "run", *arguments])
        children.append(child)
        code = child.wait()
    if code == 0:
        return 0
    code = code if code > 0 else 128 - code
    ours = [e for e in registry.entries(private) if _key(e) not in before and e["workspace"] == str(root)]
    failed = max(ours, key=lambda entry: str(entry["start_time"]), default=None)
    if failed is None or failed["status"] in ("success", "partial"):
        return code  # DVC's own error, which it has told
    results = root / LATEST
    if failed["status"] == "in_progress" and registry.is_alive(private, failed):
        told = f"dvc has ended, and the stage {failed['stage']!r} still runs (process {failed['pid']})"
        screen.say("reproof run", f"{told}; `reproof status` shows how far it is")
        return code
    if failed["status"] == "in_progress":
        record.end_dead(results, failed["stage"], KILLED)
    elif _is_interrupt(results, failed["stage"]):
        screen.say("reproof run", "stopped; no experiment is kept. The same command goes on from there.")
        return failures.INTERRUPTED
    name = failed["experiment"] or f"failed-{failed['run_id']}"
    _save(root, name, failed["stage"], force="--force" in arguments or "-f" in arguments)
    return code


def _save(root: Path, name: str, stage: str, *, force: bool) -> None:
    """Make an experiment of the workspace as it is, with the records that Git does not track yet.

    Written as DVC writes its own: a commit on the baseline, and a ref that names both. `dvc exp save` refuses
    a workspace in which outputs are missing, which a failed stage leaves so. Neither the user's index nor a
    file is touched.

    Raises:
        ReproofError: when an experiment of that name is there, or Git cannot commit.
    """
    with git.open_repository(root) as repo, tempfile.TemporaryDirectory(prefix="reproof-index-") as folder:
        env = {"GIT_INDEX_FILE": str(Path(folder) / "index")}

        def run_git(*arguments: str) -> str:
            return str(repo.git.execute(["git", *arguments], env=env))

        baseline = repo.head.commit.hexsha
        where = f":(top){git.prefix(repo, root)}"
        try:
            run_git("read-tree", baseline)
            run_git("add", "--update", "--", ":(top)")
            new = [f"{where}{path}" for path in (LATEST, "dvc.lock") if (root / path).exists()]
            run_git("add", "--", *new)
            if stale := [f"{where}{path}" for path in _of_other_runs(root, stage)]:
                run_git("rm", "-r", "--cached", "--quiet", "--force", "--ignore-unmatch", "--", *stale)
            commit = run_git(
                "commit-tree",
                run_git("write-tree"),
                "-p",
                baseline,
                "-m",
                f"reproof: failed experiment {name}",
            )
            ref = f"{revisions.EXPERIMENT_REFS}{baseline[:2]}/{baseline[2:]}/{name}"
            run_git("update-ref", ref, commit, *([] if force else ["0" * 40]))
        except GitCommandError as error:
            raise ReproofError(
                "the failed run cannot be kept as an experiment",
                where=name,
                found=git.said(error),
                hint="its record is in results/latest all the same",
            ) from error
    screen.say(
        "reproof run",
        f"the failure is kept as the experiment {name}: `dvc exp show` lists it\n"
        "  back to the last commit: git checkout . && dvc checkout --force",
    )


def _of_other_runs(root: Path, stage: str) -> list[str]:
    """What stages that have not run this time left of an earlier run: no part of this one."""
    stages = dvc.pipeline(root)
    if stage not in stages:
        return []
    done = dvc.upstream(stages, stage)
    told = {f"{LATEST}/stages/{stage}.json", f"{LATEST}/summary.json", f"{LATEST}/meta.json"}
    outs = [path for name, declared in stages.items() if name not in done for path in declared.outs]
    return [path for path in outs if path not in told]


def _key(entry: dict[str, Any]) -> tuple[str, str]:
    return entry["run_id"], entry["stage"]


def _is_interrupt(results: Path, stage: str) -> bool:
    with contextlib.suppress(ReproofError, KeyError, TypeError):
        error = files.read_json(results / "stages" / f"{stage}.json")["error"]
        return bool(error["type"] == "KeyboardInterrupt")
    return False


@contextlib.contextmanager
def _passing_signals_on() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Let Ctrl-C and SIGTERM end the child, and this process see how it ended."""
    children: list[subprocess.Popen[bytes]] = []

    def terminate(number: int, _frame: FrameType | None) -> None:
        for child in children:
            child.send_signal(number)

    # The terminal sends Ctrl-C to the child too.
    before = {
        signal.SIGINT: signal.signal(signal.SIGINT, lambda *_: None),
        signal.SIGTERM: signal.signal(signal.SIGTERM, terminate),
    }
    try:
        yield children
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
