"""The code of the commit is the code that ran, stage by stage.

A stage may have run long before the commit: DVC keeps what has not changed. So a stage's recorded code tree
(`reproof.git.CodeState`) may be another than the commit's, and all the same be one that Git knows. What
decides is whether the files by which both differ can have mattered, and whether they were ever committed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from reproof import git, git_objects
from reproof.record_values import NOT_STAGES, mapping
from reproof.verify.checks.checked import Findings
from reproof.verify.checks.held import Held, entries
from reproof.verify.checks.locks import is_code
from reproof.verify.recorded_run import RecordedRun

if TYPE_CHECKING:
    from git import Repo

_NO_PART = (
    "docs",
    "tests",
    ".github",
    ".gitlab-ci.yml",
    ".vscode",
    ".dvc",
    ".copier-answers.yml",
    "dvc.yaml",
)
"""What no stage computes with; and what is compared with dvc.lock, stage by stage."""
_NO_PART_ENDS = (".md", "LICENSE", ".gitignore", ".gitattributes", ".dvcignore")
_MAX_LISTED = 50
"""A record names no more changed files than these (`reproof.git`)."""
_SHOWN = 5

NOT_HERE = "which is not in this clone"
"""Said of a commit that only more of the history could bring."""


@dataclass
class _Trees:
    """Code trees and differences of commits, each asked of Git once."""

    repo: Repo
    run: RecordedRun
    _trees: dict[str, str | None] = field(default_factory=dict)
    _changed: dict[str, set[str] | None] = field(default_factory=dict)

    def of(self, commit: str) -> str | None:
        """The code tree of a commit; None where the commit is not here."""
        if commit not in self._trees:
            self._trees[commit] = self._or_none(lambda: git.tree_of(self.repo, commit, self.run.root))
        return self._trees[commit]

    def changed_since(self, commit: str) -> set[str] | None:
        """The code files by which the run's commit differs from another; None where that one is not here."""
        if commit not in self._changed:
            options = ("--name-only", "-z", "--no-renames", "--no-ext-diff", "--no-textconv")
            place = f":(top){self.run.prefix}" if self.run.prefix else ":(top)"
            sides = (commit, self.run.commit)
            text = self._or_none(lambda: str(self.repo.git.diff(*options, *sides, "--", place)))
            self._changed[commit] = None if text is None else self._code_in(text.split("\0"))
        return self._changed[commit]

    def _code_in(self, names: Iterable[str]) -> set[str]:
        inner = {name.removeprefix(self.run.prefix) for name in names if name}
        return {name for name in inner if is_code(name)}

    def _or_none(self, ask: Callable[[], str]) -> str | None:
        from git import GitCommandError

        try:
            return ask()
        except GitCommandError:
            return None


def others(run: RecordedRun) -> frozenset[str]:
    """Return the stages whose recorded code is not the commit's, or not known."""
    with git_objects.objects(run.root) as objects:
        own = git.tree_of(objects.repo, run.commit, run.root)
    return frozenset(
        name for name, record in run.stages.items() if mapping(record, "code").get("code_tree") != own
    )


def check(run: RecordedRun, held: Held, other_code: Iterable[str], found: Findings) -> None:
    """Note of each stage whether the commit holds the code that it ran.

    Args:
        run: the recorded run.
        held: what its commit holds.
        other_code: what `others` returned.
        found: takes the findings.
    """
    different = frozenset(other_code)
    with git_objects.objects(run.root) as objects:
        trees = _Trees(objects.repo, run)
        for name, record in run.stages.items():
            what = f"code of {name}"
            if name not in different:
                found.right(what)
            elif name in NOT_STAGES:
                found.unknown(what, "the documents may have been drawn by newer code")
            else:
                _of_stage(name, mapping(record, "code"), run, held, trees, found)


def _of_stage(
    name: str, code: dict[str, Any], run: RecordedRun, held: Held, trees: _Trees, found: Findings
) -> None:
    what, commit, tree = f"code of {name}", code.get("commit"), code.get("code_tree")
    if not isinstance(tree, str) or not isinstance(commit, str):
        found.wrong(what, f"not recorded: {code.get('reason') or 'no reason is given'}", "obstacle")
        return
    since = trees.changed_since(commit)
    if since is None:
        reason = f"it ran other code than this commit's, at {commit[:10]}, {NOT_HERE}"
        found.wrong(what, reason, "obstacle")
        return
    own = dict(_declared(run, name))  # with the hashes of dvc.lock
    is_committed = trees.of(commit) == tree
    uncommitted = set() if is_committed else {str(path) for path in mapping(code, "changed")}
    if not is_committed and (not uncommitted or len(uncommitted) >= _MAX_LISTED):
        found.wrong(what, "it ran code that this commit does not hold", "obstacle")
        return
    # What it says that it read is compared by content, here (`digests`) or with the data that is brought.
    reads = mapping(run.stages[name], "reads")
    stale = sorted(
        path
        for path in (since | uncommitted)
        if (dep := _dep_of(path, own)) is not None
        and _dep_of(path.removesuffix(".dvc"), reads) is None
        and not _is_same(dep, own[dep], held)
    )
    if stale:
        when = "changed after it ran" if is_committed else "uncommitted when it ran, or changed after it"
        found.wrong(what, f"{_few(stale)}: {when}", "obstacle")
        return
    undeclared = sorted(path for path in (since | uncommitted) if _dep_of(path, own) is None)
    elsewhere = {
        path for other in run.lock["stages"] if other != name for path, _ in _declared(run, str(other))
    }
    doubtful = [path for path in undeclared if not _no_part(path) and _dep_of(path, elsewhere) is None]
    if not is_committed and (unsaved := [path for path in doubtful if path in uncommitted]):
        reason = f"{_few(unsaved)}: uncommitted when it ran, and no stage declares it"
        found.wrong(what, reason, "obstacle")
    elif doubtful:
        reason = f"it ran at {commit[:10]}; since then {_few(doubtful)} changed, which no stage declares"
        found.unknown(what, f"{reason}: the run is repeated with the commit's")
    else:
        found.right(f"{what}: it ran at {commit[:10]}; all files that it depends on are the commit's")


def _declared(run: RecordedRun, stage: str) -> Iterable[tuple[str, Any]]:
    return (
        (path, one.get("md5")) for name, kind, path, one in entries(run) if name == stage and kind == "deps"
    )


def _dep_of(path: str, deps: Iterable[str]) -> str | None:
    return next((dep for dep in deps if path == dep or path.startswith(f"{dep}/")), None)


def _is_same(path: str, recorded: Any, held: Held) -> bool:
    """Whether Git holds under a path what dvc.lock says that the stage read; False where nothing can tell."""
    return held.why_not(path) is None and recorded in held.md5(path)


def _no_part(path: str) -> bool:
    return path.endswith(_NO_PART_ENDS) or any(path == one or path.startswith(f"{one}/") for one in _NO_PART)


def _few(paths: list[str]) -> str:
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return ", ".join(paths[:_SHOWN]) + more
