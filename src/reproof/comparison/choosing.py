"""Which runs are compared, and with which: what the command's words mean in this repository."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from reproof.comparison import query as asking
from reproof.comparison.comparing import Comparison
from reproof.comparison.groups import counts, group, is_same, varying_params
from reproof.errors import ReproofError
from reproof.history import Row, Rows, repository
from reproof.invocation import LATEST

_DEFAULT_BRANCHES = ("main", "master", "trunk")


@dataclass(frozen=True)
class Chosen:
    """Rows to compare.

    Attributes:
        rows: the runs.
        baseline: the run that the others are compared with; None where no run there is whole.
        how: how the baseline was found, in words; '' where it was named.
    """

    rows: tuple[Row, ...]
    baseline: Row | None
    how: str = ""
    notes: tuple[str, ...] = ()


def choose(
    root: Path,
    known: Rows,
    revisions: Sequence[str] = (),
    *,
    everything: bool = False,
    query: str | None = None,
    baseline: str | None = None,
) -> Chosen:
    """Return the runs that are meant.

    Args:
        root: the project.
        known: all runs.
        revisions: names of runs, also with `*`; none: the runs of the commit that is checked out.
        everything: all runs.
        query: a question; only runs of which it holds are compared.
        baseline: the name of the run to compare with; None: the one recorded where this branch began, else
            the first one that was named, else the earliest.

    Raises:
        ReproofError: for a name or a question that finds nothing, or that cannot be read.
    """
    if revisions:
        rows = _named(known, revisions)
    else:
        rows = list(known.rows if everything else known.of_baseline())
        if not rows:
            raise _nothing(known)
    notes: tuple[str, ...] = ()
    if query is not None:
        kept = asking.select(rows, query)
        if not kept:
            raise ReproofError("no run answers the question", where="--query", found=query)
        notes, rows = _seeds_left_out(rows, kept, query), kept
    by_hand = bool(revisions) and not any(map(_is_pattern, revisions))
    found = _baseline(root, known, rows, revisions, baseline)
    found = replace(found, notes=notes)
    if found.baseline is None or by_hand:
        return found
    # Its other seeds belong to it, also where the question left them out or they hang on another commit.
    return replace(found, rows=(*rows, *_seeds_of(found.baseline, known, rows)))


def _seeds_left_out(rows: Sequence[Row], kept: Sequence[Row], query: str) -> tuple[str, ...]:
    """A warning where a question about metrics keeps some seeds of a method: those that scored well."""
    if "metrics." not in query:
        return ()
    held = {_identity(row) for row in kept}
    names = [
        one.name for one in group(rows).groups if 0 < sum(_identity(row) in held for row in one.rows) < one.n
    ]
    if not names:
        return ()
    some = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return (
        f"--query chose seeds by what they scored, and left out others of {some}: their means, intervals and "
        "verdicts are too good, or too bad; ask about params instead",
    )


def _baseline(
    root: Path, known: Rows, rows: list[Row], revisions: Sequence[str], named: str | None
) -> Chosen:
    if named is not None:
        return Chosen(tuple(rows), known.find(named))
    began = _merge_base(root)
    at = _recorded_at(root, known, began)
    among = next((row for row in rows if at is not None and is_same(row, at)), None)
    if at is not None and counts(at) and (among is not None or not revisions):
        is_here = began in ("HEAD", _said(root, "rev-parse", "HEAD"))
        how = "the last one recorded here" if is_here else "recorded where this branch began"
        return Chosen(tuple(rows), among or at, how)
    whole = [row for row in rows if counts(row)]
    if not whole:
        return Chosen(tuple(rows), None)
    first = "the first one named" if revisions else "the earliest: no run is recorded where this branch began"
    return Chosen(tuple(rows), whole[0], first)


def _seeds_of(baseline: Row, known: Rows, rows: Sequence[Row]) -> list[Row]:
    """The other runs of a baseline's method that are not among the rows."""
    held = {_identity(row) for row in [*rows, baseline]}
    own = (baseline.run.code_tree, baseline.run.data)
    return [
        row
        for row in known.rows
        if _identity(row) not in held
        and None not in own
        and (row.run.code_tree, row.run.data) == own
        and counts(row)
        and not varying_params([baseline.run, row.run])
    ]


def _identity(row: Row) -> tuple[str, str | None]:
    return row.run.run_id, row.run.commit


def _is_pattern(name: str) -> bool:
    return bool(set(name) & set("*?["))


def other_seeds(found: Comparison, known: Rows) -> str | None:
    """Return a hint where single runs are compared whose other seeds are recorded too; else None."""
    single = [one for one in found.groups if one.n == 1 and not one.repetitions]
    if len(single) < 2 or len(single) != len(found.groups):
        return None
    more = {}
    for every in group(known.rows).groups:
        for one in single:
            if every.n > 1 and any(is_same(row, one.rows[0]) for row in every.members):
                more[one.name] = every.n - 1
    if not more:
        return None
    told = ", ".join(
        f"{count} other seed{'s' if count > 1 else ''} of {name}" for name, count in more.items()
    )
    return f"{told}: --all, or names such as 'wide-*', compares the methods and not two models alone"


def _named(known: Rows, revisions: Sequence[str]) -> list[Row]:
    """The runs of these names, each under the name that it was asked for by."""
    found: dict[tuple[str, str | None], Row] = {}
    for name in revisions:
        if _is_pattern(name):
            matching = [row for row in known.rows if any(fnmatch.fnmatchcase(own, name) for own in row.names)]
            if not matching:
                raise ReproofError(
                    f"no run is called so: {name!r}", hint="reproof compare --all shows every run"
                )
        else:
            row = known.find(name)
            matching = [replace(row, names=tuple(dict.fromkeys((name, *row.names))))]
        for row in matching:
            found.setdefault(_identity(row), row)
    return list(found.values())


def _nothing(known: Rows) -> ReproofError:
    if known.rows:
        return ReproofError(
            "no run started from the commit that is checked out, and it records none",
            found=f"{len(known.rows)} runs of other commits",
            hint="reproof compare --all, or name runs: reproof compare main NAME",
        )
    return ReproofError("no run is recorded here yet", hint="run one first: dvc exp run")


def _recorded_at(root: Path, known: Rows, revision: str) -> Row | None:
    """The run that the tree holds at a revision."""
    path = f":(literal){LATEST}/meta.json"  # from the project's folder, in which Git is asked
    commit = _said(root, "rev-list", "-1", revision, "--", path)
    return next((row for row in reversed(known.rows) if commit and commit in row.commits), None)


def _merge_base(root: Path) -> str:
    """Where HEAD left the default branch: the remote's, or one with a usual name; HEAD where none is."""
    named = _said(root, "symbolic-ref", "-q", "refs/remotes/origin/HEAD")
    heads = [*filter(None, [named]), *(f"refs/heads/{name}" for name in _DEFAULT_BRANCHES)]
    return next(filter(None, (_said(root, "merge-base", "HEAD", head) for head in heads)), "HEAD")


def _said(root: Path, *arguments: str) -> str:
    """The first line that Git prints; '' where it has no answer."""
    with suppress(ReproofError):
        return next(iter(repository.git(root, *arguments).decode().splitlines()), "")
    return ""
