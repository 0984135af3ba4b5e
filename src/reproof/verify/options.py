"""What `reproof verify` is asked, and what of it does not go together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from reproof.errors import ReproofError
from reproof.verify.levels import Level
from reproof.verify.statistics import MIN_SEEDS

MAX_RUNS = 100
"""Of `--repeats` and `--new-seed`: what is more is a slip of the finger."""


@dataclass(frozen=True)
class Options:
    """What is asked.

    Attributes:
        require: the level; None for numeric, or statistical where fresh seeds are asked for.
        repeats: executions of the same, which are compared with each other too.
        new_seeds: executions with a fresh seed each, in place of those; 0 for none.
        explain: whether to look for the cause of a difference, by running again.
        fresh_clone: whether to take everything from remotes, as a stranger would.
        only: stages to execute; empty for all.
        exclude: stages not to execute.
        allow_read: paths outside the workplace that stages may read.
        recreate_env: whether to install the recorded packages anew, and execute with them.
        output: the folder for the certificate; None for `results/verify` of the project.
    """

    require: Level | None = None
    repeats: int = 1
    new_seeds: int = 0
    explain: bool = False
    fresh_clone: bool = False
    only: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    allow_read: tuple[Path, ...] = ()
    recreate_env: bool = False
    output: Path | None = None

    @property
    def required(self) -> Level:
        """The level that the verdict has to reach."""
        return self.require or (Level.STATISTICAL if self.new_seeds else Level.NUMERIC)


def check(options: Options) -> None:
    """Refuse what does not go together.

    Raises:
        ReproofError: with the reason.
    """
    if not 1 <= options.repeats <= MAX_RUNS:
        raise ReproofError(
            "a number of repetitions that is none",
            where="--repeats",
            expected=f"1 to {MAX_RUNS}",
            found=str(options.repeats),
        )
    if options.new_seeds == 0:
        return
    if not MIN_SEEDS <= options.new_seeds <= MAX_RUNS:
        raise ReproofError(
            "too few fresh seeds to predict anything, or too many",
            where="--new-seed",
            expected=f"{MIN_SEEDS} to {MAX_RUNS}",
            found=str(options.new_seeds),
        )
    if options.required is not Level.STATISTICAL:
        raise ReproofError(
            "fresh seeds answer statistically: they never give the recorded bits",
            where=f"--require {options.required.word} --new-seed {options.new_seeds}",
            expected="--require statistical, or no --new-seed",
        )
    if options.repeats > 1 or options.explain:
        other = "--repeats" if options.repeats > 1 else "--explain"
        raise ReproofError(
            "two questions at once",
            where=f"{other} --new-seed",
            expected=f"{other} of the recorded seed, or fresh seeds",
            hint="run reproof verify twice",
        )
