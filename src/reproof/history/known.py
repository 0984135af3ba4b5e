"""The runs that Git holds, each once, whatever commits hold its record: for reports on lines of work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from reproof.recorded import Run


@dataclass(frozen=True)
class Found:
    """A run, and the objects that hold its record: `files` by their names in results/latest."""

    run: Run
    files: Mapping[str, str]


@dataclass(frozen=True)
class History:
    """All runs that Git holds.

    Attributes:
        found: each run once, by start time and run id.
        executions: the run ids of all stages of all records, of those too that were passed over because
            another commit holds the same run.
        experiments: the names of all experiments.
        unreadable: commits that hold something under the name of a record, and no run that can be read.
        branches: the branches' names.
        on: the branches that hold each commit, as bits in the order of `branches`.
    """

    found: list[Found]
    executions: frozenset[str]
    experiments: frozenset[str]
    unreadable: list[str]
    branches: list[str]
    on: Mapping[str, int]

    @property
    def runs(self) -> list[Run]:
        """The runs alone."""
        return [found.run for found in self.found]

    def is_on(self, commit: str | None, branch: str) -> bool:
        """Whether a branch holds a commit."""
        return bool(self.on.get(commit or "", 0) >> self.branches.index(branch) & 1)
