"""What a comparison of two files, or of two numbers, comes to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Standing(IntEnum):
    """How a recorded thing and the one made here stand to each other, from the best to the worst.

    `IDENTICAL`: the same content. `CLOSE`: within what its kind allows of the same computation. `FOLLOWS`: it
    differs, and is drawn or counted from things that are compared themselves: no reason to differ.
    `UNKNOWN`: it differs, and the recorded one is not at hand. `DIFFERENT`: it differs by more, or nothing
    can say by how much.
    """

    IDENTICAL = 0
    CLOSE = 1
    FOLLOWS = 2
    UNKNOWN = 3
    DIFFERENT = 4

    @property
    def word(self) -> str:
        """As JSON and certificates write it."""
        return self.name.lower()


@dataclass(frozen=True)
class Found:
    """Of two files.

    Attributes:
        standing: how they stand to each other.
        words: what differs, for people; '' for what is identical.
        largest: the largest difference of two numbers, in their unit; None where none was measured.
        answers_changed: examples whose answer is another one; None where the files hold no answers.
        answers: examples in the recorded file; None likewise.
        drawn: whether it is a picture that differs: it may, where what it is drawn from or by does.
        of_weights: whether the numbers that differ are a model's: only its use tells what they do.
    """

    standing: Standing
    words: str = ""
    largest: float | None = None
    answers_changed: int | None = None
    answers: int | None = None
    of_weights: bool = False
    drawn: bool = False


IDENTICAL = Found(Standing.IDENTICAL)


def different(words: str, largest: float | None = None) -> Found:
    """Two files that are not the same thing."""
    return Found(Standing.DIFFERENT, words, largest)


def number(value: float) -> str:
    """A difference as people read it: two digits."""
    return f"{value:.2g}"
