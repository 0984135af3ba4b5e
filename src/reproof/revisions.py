"""What a name stands for: an experiment of DVC's, a branch, a tag or a commit."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reproof.errors import ReproofError
from reproof.git import said

if TYPE_CHECKING:
    import git

EXPERIMENT_REFS = "refs/exps/"
_EXPERIMENT_REF = re.compile(r"refs/exps/[0-9a-f]{2}/[0-9a-f]{38}/(.+)")
"""DVC's experiments, by their baseline; its own bookkeeping lies beside them (refs/exps/exec, …/stash)."""


@dataclass(frozen=True)
class Revision:
    """What a name stands for: its commit, and the experiment's name when it is one."""

    commit: str
    experiment: str | None


def resolve(repo: git.Repo, name: str) -> Revision:
    """Resolve an experiment's name, a branch, a tag or a commit.

    Raises:
        ReproofError: when it is none of these, or when it is more than one: several experiments bear the
            name, or an experiment and something of Git's own.
    """
    import git

    refs = git.Reference.iter_items(repo, EXPERIMENT_REFS)
    named = {str(ref.path): ref for ref in refs if _EXPERIMENT_REF.fullmatch(str(ref.path))}
    matching = {path: ref for path, ref in named.items() if path == name or _experiment_name(path) == name}
    commits = {ref.commit.hexsha for ref in matching.values()}
    if len(commits) > 1:
        raise ReproofError(
            f"{len(commits)} experiments are called {name!r}",
            hint="name one by its commit: " + ", ".join(sorted(commit[:10] for commit in commits)),
        )
    try:
        own = None if name in matching else _commit_of(repo, name)
    except git.GitCommandError as error:
        words = said(error)
        if not commits and words.startswith("fatal:"):  # such as a repository of another owner
            raise ReproofError("Git refuses", where=name, found=words) from error
        own = None
    if not commits and (not name or name.startswith("-")):
        raise ReproofError(f"no such revision: {name!r}")
    if not commits and own is None:
        known = sorted({_experiment_name(path) for path in named})
        raise ReproofError(
            f"no such revision: {name!r}",
            expected="an experiment's name, a branch, a tag or a commit",
            hint=_where_it_may_be(repo, known),
        )
    if not commits:
        experiment = next((_experiment_name(p) for p, ref in named.items() if ref.commit.hexsha == own), None)
        return Revision(str(own), experiment)
    found = commits.pop()
    if own not in (None, found):
        raise ReproofError(
            f"{name!r} is an experiment, and something else too",
            found=f"experiment {found[:10]}, and Git's own {str(own)[:10]}",
            hint=f"name one by its commit: {found}, {own}"
            if name not in (found, own)
            else f"rename or remove the experiment of that name: {next(iter(matching))}",
        )
    return Revision(found, _experiment_name(next(iter(matching))))


def _commit_of(repo: git.Repo, name: str) -> str | None:
    """The commit that Git itself knows by a name; None for what can be none."""
    if not name or name.startswith("-"):
        return None
    return str(repo.git.rev_parse("--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"))


def _where_it_may_be(repo: git.Repo, experiments: list[str]) -> str:
    known = f"experiments here: {', '.join(experiments[:10])}"
    hint = known if experiments else "there are no experiments here yet"
    shallow = repo.git.rev_parse("--is-shallow-repository") == "true"
    return f"{hint}; `git fetch --unshallow` brings older commits" if shallow else hint


def _experiment_name(ref_path: str) -> str:
    found = _EXPERIMENT_REF.fullmatch(ref_path)
    return found.group(1) if found else ref_path
