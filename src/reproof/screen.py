"""What stages and commands say on standard error; colour only on a terminal, and never a secret."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from reproof import redact
from reproof.errors import EXIT_CODE, ReproofError


def say(who: str, text: str) -> None:
    """Print one note, such as `train: goes on from step 312`."""
    sys.stderr.write(f"{who}: {redact.text(text)}\n")
    sys.stderr.flush()


def error(who: str | None, told: ReproofError) -> int:
    """Print an error with the name of who met it; return the exit code."""
    word = f"{who}: error:" if who else "error:"
    colour = sys.stderr.isatty() and "NO_COLOR" not in os.environ
    sys.stderr.write(f"\033[31m{word}\033[0m" if colour else word)
    sys.stderr.write(f" {_from_here(str(told))}\n")
    sys.stderr.flush()
    return EXIT_CODE


def _from_here(text: str) -> str:
    """Paths as people read them: from the folder that they are in."""
    try:
        return text.replace(f"{Path.cwd()}{os.sep}", "")
    except FileNotFoundError:  # the folder is gone
        return text
