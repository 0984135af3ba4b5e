"""The one exception for what the user can mend; anything else is a bug and keeps its traceback."""

from __future__ import annotations

from pathlib import Path

from reproof import redact

EXIT_CODE = 2
"""Exit code of a command or a stage script that ends with a `ReproofError`."""


class ReproofError(Exception):
    """Something the user can mend. Whoever prints or records it prints no secret: its texts have none.

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
        self.what = redact.text(what)
        self.where = None if where is None else redact.text(str(where))
        self.expected = expected and redact.text(expected)
        self.found = found and redact.text(found)
        self.hint = hint and redact.text(hint)
        super().__init__(str(self))

    def __str__(self) -> str:
        first = f"{self.where}: {self.what}" if self.where else self.what
        details = (("expected", self.expected), ("found", self.found), ("to mend", self.hint))
        return "\n".join([first, *(f"  {name}: {text}" for name, text in details if text)])
