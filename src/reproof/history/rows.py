"""A run and where it stands in Git, and all of them."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reproof.errors import ReproofError
from reproof.recorded import Run

if TYPE_CHECKING:
    import pandas as pd

WORKSPACE = "workspace"
EXPERIMENT, COMMIT, RUNNING = "experiment", "commit", "running"

_MIN_RUN_ID, _MIN_COMMIT = 6, 4
_NEAR = 5
_MAX_NAME = 100


@dataclass(frozen=True)
class Row:
    """A run, and where it stands.

    Attributes:
        run: what its record says.
        kind: "experiment", "commit", "workspace", or "running": in progress or died, and known to the
            registry alone.
        names: all that it bears, the best first: of experiments, tags, branches whose tip it is, "workspace".
        commits: all commits that hold this very record, `run.commit` first.
        baselines: the commits that its experiments started from.
        branches: the branches and tags that hold one of its commits, or of its baselines.
        files: object ids by name in results/latest; empty for what Git does not hold.
        warnings: what could not be read, in words.
    """

    run: Run
    kind: str
    names: tuple[str, ...] = ()
    commits: tuple[str, ...] = ()
    baselines: tuple[str, ...] = ()
    branches: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What people call it."""
        return self.names[0] if self.names else self.run.run_id or (self.run.commit or "")[:10]


@dataclass(frozen=True)
class Rows:
    """All runs, the newest last.

    Attributes:
        rows: each run's record once.
        notices: what cannot be seen, in words: a shallow clone, commits that cannot be read.
        locate: finds the commit of a revision, and the number of the row whose record that commit holds.
    """

    rows: tuple[Row, ...]
    notices: tuple[str, ...] = ()
    locate: Callable[[str], tuple[str | None, int | None]] = field(
        default=lambda _: (None, None), compare=False, repr=False
    )

    def find(self, name: str) -> Row:
        """Return the row of a name: an experiment's, a tag, a branch, "workspace", a run id or a commit.

        Of a run id the first 6 characters are enough, of a commit what Git takes; a revision such as HEAD~1
        is the run that its commit holds.

        Raises:
            ReproofError: when there is none, or several; with the names that are near.
        """
        for matching in (
            [row for row in self.rows if name in row.names and row.run.experiment == name],
            [row for row in self.rows if name in row.names],
            [row for row in self.rows if row.run.run_id == name != ""],
            [row for row in self.rows if row.run.experiment == name],  # its ref is gone
        ):
            if matching:
                return _one(name, matching)
        commit, number = self.locate(name)
        if number is not None:
            return self.rows[number]
        if commit is not None:
            raise ReproofError(
                "no run is recorded there",
                where=f"{name} ({commit[:10]})",
                expected="results/latest/meta.json in that commit",
                hint="reproof compare --all shows every run; commit a run's results to keep them on a branch",
            )
        beginning = [
            row
            for row in self.rows
            if (len(name) >= _MIN_RUN_ID and row.run.run_id.startswith(name))
            or (len(name) >= _MIN_COMMIT and any(one.startswith(name) for one in row.commits))
        ]
        if beginning:
            return _one(name, beginning)
        near = self._near(name)
        raise ReproofError(
            f"no such run: {name!r}",
            expected="an experiment's name, a tag, a branch, a commit, a run id, or workspace",
            hint=f"near ones: {', '.join(near)}" if near else "reproof compare --all shows every run",
        )

    def _near(self, name: str) -> list[str]:
        known = sorted({one for row in self.rows for one in row.names})
        longer = [one for one in known if name and one.startswith(name)]
        return longer[:_NEAR] or difflib.get_close_matches(name[:_MAX_NAME], known, n=_NEAR)

    def of_baseline(self, rev: str = "HEAD") -> tuple[Row, ...]:
        """Return the runs at a commit, the experiments that started from it, and the workspace."""
        commit, number = self.locate(rev)
        own = None if number is None else self.rows[number]
        return tuple(
            row
            for row in self.rows
            if row is own
            or WORKSPACE in row.names
            or (commit is not None and commit in (*row.commits, *row.baselines, row.run.baseline))
        )

    def frame(self) -> pd.DataFrame:
        """Return the rows as a typed table: `params.<k>`, `metrics.<name>` and what runs have in common."""
        from reproof.history.frame import frame_of

        return frame_of(self.rows)


def _one(name: str, matching: Iterable[Row]) -> Row:
    rows = list(matching)
    if len(rows) > 1:
        told = [f"{row.name} ({(row.run.commit or row.run.run_id)[:10]})" for row in rows[:_NEAR]]
        raise ReproofError(
            f"{len(rows)} runs are called {name!r}",
            found=", ".join(told),
            hint="name one by its commit",
        )
    return rows[0]
