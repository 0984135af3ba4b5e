"""A beside A: the same code, data and machine, executed again. What differs here differs by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reproof.verify import snapshot
from reproof.verify.snapshot import Snapshot


@dataclass(frozen=True)
class Control:
    """What the repetitions came to.

    Attributes:
        runs: how many attempts were compared with each other.
        differing: artefacts and metrics that are not the same in all of them.
    """

    runs: int
    differing: tuple[str, ...]

    @property
    def identical(self) -> bool:
        """Whether all attempts made the same: then a difference from the record is the environment's."""
        return not self.differing

    def __str__(self) -> str:
        if self.identical:
            return f"A = A  identical ({self.runs} runs)"
        more = f" and {len(self.differing) - 1} more" if len(self.differing) > 1 else ""
        return f"A ≠ A  racy: {self.differing[0]}{more} differ from run to run on this machine"


def of(attempts: Sequence[Snapshot]) -> Control | None:
    """Compare attempts that nothing distinguishes; None for fewer than two."""
    if len(attempts) < 2:
        return None
    first, *others = attempts
    odd = dict.fromkeys(name for other in others for name in snapshot.differing(first, other))
    return Control(len(attempts), tuple(odd))
