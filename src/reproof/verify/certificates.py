"""The best certificate of each run, for tables and documents."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from reproof.errors import ReproofError
from reproof.invocation import VERIFIED
from reproof.recorded import Run
from reproof.verify import evidence, statement
from reproof.verify.levels import Level, Verdict

_MOST_FILES = 2_000


@dataclass(frozen=True)
class Best:
    """The best of a run's certificates.

    Attributes:
        level: that was reached; None where every execution came out otherwise.
        verdict: in a word.
        when: it ended, as `clock.now` writes it.
        relation: `repeated` by the run's author or on its machine, or `reproduced`.
        file: the certificate.
        commit: whose record was verified: the same run may be in other commits too.
        certificates: how many there are of the run.
    """

    level: Level | None
    verdict: Verdict
    when: str
    relation: Literal["repeated", "reproduced"]
    file: Path
    commit: str
    certificates: int = 1


def best(where: Path | Iterable[Path]) -> dict[str, Best]:
    """Return the best certificate of each run, by run id: highest level, reproduced before repeated, newest.

    One that contradicts itself, and a file that is no certificate, counts for nothing. Whether it agrees with
    the repository is not looked at here: that is `certificate_check.check`.

    Args:
        where: a folder, such as results/verify, or certificates.
    """
    paths = sorted(where.rglob("*.json"))[:_MOST_FILES] if isinstance(where, Path) else list(where)
    found: dict[str, list[Best]] = {}
    for path in paths:
        try:
            read = statement.read(path)
        except (ReproofError, OSError):
            continue
        if evidence.contradictions(read):
            continue
        said = read.predicate
        level = Level.of(said.level) if said.level else None
        one = Best(level, Verdict(said.verdict), said.ended, said.relation, path, said.run.commit)
        found.setdefault(said.run.run_id, []).append(one)
    return {run_id: _first(every) for run_id, every in found.items()}


def _first(every: list[Best]) -> Best:
    top = max(every, key=lambda one: (one.level or 0, one.relation == "reproduced", one.when))
    return Best(top.level, top.verdict, top.when, top.relation, top.file, top.commit, len(every))


def with_best(root: Path, runs: Iterable[Run]) -> list[Run]:
    """Return runs with the best certificate that the project's results/verify holds of each."""
    found = best(root / VERIFIED)
    return [
        replace(run, certificate=_told(root, found[run.run_id])) if run.run_id in found else run
        for run in runs
    ]


def _told(root: Path, one: Best) -> dict[str, str]:
    return {
        "verdict": one.verdict.value,
        "relation": one.relation,
        "when": one.when,
        "file": one.file.relative_to(root).as_posix(),
    }
