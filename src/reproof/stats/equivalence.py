"""Whether a difference matters in practice: by where its whole interval lies, and a margin declared before.

An interval that lies within the margin on both sides is what two one-sided tests (TOST; D. J. Schuirmann,
Journal of Pharmacokinetics and Biopharmaceutics 15, 1987) ask for. They are mostly done with a 90% interval,
which tests each side at 5%. Here it is the 95% interval that documents print: 2.5% a side, and no reader sees
an interval that sticks out of a margin that it is said to be within.
"""

from __future__ import annotations


def is_within(interval: tuple[float, float], margin: float) -> bool:
    """Whether a difference with this interval is too small to matter."""
    return -margin <= interval[0] and interval[1] <= margin


def is_beyond(interval: tuple[float, float], margin: float) -> bool:
    """Whether a difference with this interval is certainly large enough to matter."""
    return interval[0] > margin or interval[1] < -margin
