"""How alike two runs are, what a verification may say, and the exit codes that say it to a script."""

from __future__ import annotations

from enum import Enum, IntEnum


class Level(IntEnum):
    """What a record was met at, from the weakest; a higher level meets a lower requirement.

    `BIT`: every content digest and every metric is the recorded one. `NUMERIC`: the same data and splits, and
    every metric and prediction within the tolerances that the run declared before it ran. `STATISTICAL`:
    the recorded headline metrics lie where fresh seeds of the same code put them.
    """

    STATISTICAL = 1
    NUMERIC = 2
    BIT = 3

    @property
    def word(self) -> str:
        """As `--require` and the certificate write it."""
        return self.name.lower()

    @classmethod
    def of(cls, word: str) -> Level:
        """The level that a word names; raises ValueError for another word."""
        try:
            return cls[word.upper()]
        except KeyError:
            raise ValueError(f"{word!r} is none of {', '.join(level.word for level in cls)}") from None


class Verdict(Enum):
    """What `reproof verify` found; the value is what it prints."""

    BIT = "BIT MATCH"
    NUMERIC = "NUMERIC MATCH"
    STATISTICAL = "STATISTICAL MATCH"
    DIFFERENT = "DIFFERENT"
    UNVERIFIABLE = "UNVERIFIABLE"

    @classmethod
    def of(cls, level: Level | None) -> Verdict:
        """Of an attempt that ran to its end: the level that it reached, or none."""
        return cls.DIFFERENT if level is None else cls[level.name]

    @property
    def level(self) -> Level | None:
        """The level that a match stands for; None where nothing matched."""
        return Level.__members__.get(self.name)


class Exit(IntEnum):
    """Exit codes of `reproof verify`; a script needs to know why it was not a match."""

    MET = 0
    DIFFERS = 1
    USAGE = 2
    CANNOT_VERIFY = 3
    RERUN_FAILED = 4
    CONTRADICTION = 5
    INTERRUPTED = 130


def exit_code(verdict: Verdict, required: Level) -> Exit:
    """What the command exits with: 0 only where the verdict is at least the required level."""
    if verdict is Verdict.UNVERIFIABLE:
        return Exit.CANNOT_VERIFY
    level = verdict.level
    return Exit.MET if level is not None and level >= required else Exit.DIFFERS
