"""All that one verification found: what the screen prints and the certificate holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from reproof.verify.chain import Link
from reproof.verify.checks.checked import Checked
from reproof.verify.control import Control
from reproof.verify.execution import Attempt
from reproof.verify.explain import Cause
from reproof.verify.factors import Factor
from reproof.verify.inputs import Inputs
from reproof.verify.levels import Exit, Level, Verdict, exit_code
from reproof.verify.outcome import Outcome
from reproof.verify.recorded_run import RecordedRun
from reproof.verify.recreate import Recreated
from reproof.verify.snapshot import Snapshot
from reproof.verify.stages import Plan
from reproof.verify.statistics import Replication
from reproof.verify.tolerances import Tolerances


@dataclass(frozen=True)
class Verification:
    """One verification that came to a verdict.

    Attributes:
        run: the record.
        required: the level that was asked for.
        verdict: what was found.
        reasons: why it is no more than that, the gravest first.
        checked: what of the record was checked before anything ran.
        tolerances: that the run declared.
        plan: the stages that were executed, and those that were not.
        inputs: what they read.
        attempts: every execution that is compared with the record: one, or one a repetition or a seed.
        made: what the first of them made.
        factors: the environment of the record beside the one here.
        outcome: the weakest of the attempts beside the record; None where fresh seeds were asked.
        control: of repetitions; None where there were none.
        replication: of fresh seeds; None where none were asked.
        links: stages that were executed once more from the recorded files that they read, since these came
            out close to the record and not identical.
        causes: what `--explain` found; None where it was not asked.
        recreated: the environment that was made anew; None where this one was taken.
        fresh_clone: whether everything came from remotes.
        allowed: paths outside that stages were let read, as the command line names them.
        started: when the verification began, UTC.
        ended: when it had its verdict, UTC.
        seconds: what took how long: `record`, `worktree`, `inputs`, `hashing`, `environment` (made anew),
            `execution` of `attempts`, `comparison`, `chain` and `explanation` with what was executed for it.
        certificate: the file that says all this; None until it is written.
    """

    run: RecordedRun
    required: Level
    verdict: Verdict
    reasons: tuple[str, ...]
    checked: tuple[Checked, ...]
    tolerances: Tolerances
    plan: Plan
    inputs: Inputs
    attempts: tuple[Attempt, ...]
    made: Snapshot
    factors: tuple[Factor, ...]
    outcome: Outcome | None
    control: Control | None = None
    replication: Replication | None = None
    links: tuple[Link, ...] = ()
    causes: tuple[Cause, ...] | None = None
    recreated: Recreated | None = None
    fresh_clone: bool = False
    allowed: tuple[str, ...] = ()
    started: str = ""
    ended: str = ""
    seconds: Mapping[str, float] = field(default_factory=dict)
    certificate: Path | None = None

    @property
    def level(self) -> Level | None:
        """The level that was reached; None for none."""
        return self.verdict.level

    @property
    def exit_code(self) -> Exit:
        """What the command ends with."""
        return exit_code(self.verdict, self.required)
