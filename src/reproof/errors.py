"""The one exception for what the user can mend; anything else is a bug and keeps its traceback."""

from __future__ import annotations

from pathlib import Path

EXIT_CODE = 2
"""Exit code of a command or a stage script that ends with a `ReproofError`."""


class ReproofError(Exception):
    """Something the user can mend.

    Args:
        what: one sentence: what is wrong.
        where: the file, or `file:line`, or the name of the thing.
        expected: what was expected there.
        found: what was found instead.
        hint: what to do about it.
    """

    def __init__(
        self,
        what: str,
        *,
        where: str | Path | None = None,
        expected: str | None = None,
        found: str | None = None,
        hint: str | None = None,
    ) -> None:
        self.what = what
        self.where = None if where is None else str(where)
        self.expected = expected
        self.found = found
        self.hint = hint
        super().__init__(str(self))

    def __str__(self) -> str:
        first = f"{self.where}: {self.what}" if self.where else self.what
        details = (("expected", self.expected), ("found", self.found), ("to mend", self.hint))
        return "\n".join([first, *(f"  {name}: {text}" for name, text in details if text)])
