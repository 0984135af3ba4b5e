"""Does each recorded result follow from the recorded inputs of its stage?

Where a stage read something that came out close to the record and not identical, its own result says
nothing about the recorded file: somebody may have exchanged that, and left the results. So the stage is
executed once more, from the recorded file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from reproof.record_values import mapping
from reproof.verify.execution import Attempt
from reproof.verify.kinds import Standing
from reproof.verify.levels import Level, Verdict
from reproof.verify.outcome import Outcome


@dataclass(frozen=True)
class Link:
    """One stage, executed from the recorded files that it reads.

    Attributes:
        stage: its name.
        files: those that came out otherwise here.
        verdict: of its results.
        reason: why it is no match; '' where it is.
    """

    stage: str
    files: tuple[str, ...]
    verdict: Verdict
    reason: str = ""


def to_check(attempt: Attempt, found: Outcome) -> dict[str, tuple[str, ...]]:
    """Return the stages whose inputs other stages made, close to the record and not identical, with these."""
    odd = [line for line in found.artefacts if line.standing is not Standing.IDENTICAL]
    told = {}
    for stage, record in attempt.stages.items():
        reads = mapping(record, "reads")
        files = [line.path for line in odd if line.stage != stage and _reads(reads, line.path)]
        if files:
            told[stage] = tuple(files)
    return told


def check(attempt: Attempt, found: Outcome, execute: Callable[[str], Outcome]) -> tuple[Link, ...]:
    """Execute each such stage from the recorded files, and compare.

    Args:
        attempt: that was compared.
        found: what it came to.
        execute: runs one stage alone, from recorded inputs.
    """
    return tuple(
        _of(stage, files, execute(stage), found) for stage, files in to_check(attempt, found).items()
    )


def _of(stage: str, files: tuple[str, ...], alone: Outcome, before: Outcome) -> Link:
    names = ", ".join(files)
    if alone.level is None:
        first = alone.reasons[0] if alone.reasons else "nothing to compare"
        reason = f"{stage}, from the recorded {names}, does not give its recorded results: {first}"
        return Link(stage, files, alone.verdict, reason)
    if alone.level < Level.BIT and _is_identical(stage, before):
        reason = (
            f"{stage} gives its recorded results from other {names} than the recorded: these are not theirs"
        )
        return Link(stage, files, Verdict.DIFFERENT, reason)
    return Link(stage, files, alone.verdict)


def _is_identical(stage: str, found: Outcome) -> bool:
    """Whether all that a stage made is the recorded, bit by bit."""
    standings = [line.standing for line in found.artefacts if line.stage == stage]
    standings += [line.standing for line in found.metrics if line.name.startswith(f"{stage}.")]
    return all(standing is Standing.IDENTICAL for standing in standings)


def _reads(reads: dict[str, object], path: str) -> bool:
    return any(one == path or one.startswith(f"{path}/") or path.startswith(f"{one}/") for one in reads)
