"""Names of files and folders, out of what people call things: legal on any system, and never empty."""

from __future__ import annotations

import re
import unicodedata

_DEVICES = r"con|prn|aux|nul|com\d|lpt\d"
"""No file bears such a name on Windows, with whatever ending."""

_TAKEN = r"latest|history\.json|verify"
"""What lies in results/ beside the runs' own folders."""


def slug(name: str) -> str:
    """Return a name as one of a document: in ASCII, at most 60 characters, after `run-` where it is reserved.

    Letters, digits, points, dashes and underscores stay as they are.
    """
    ascii_only = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return _legal(re.sub(r"[^A-Za-z0-9._-]+", "-", ascii_only), 60, _DEVICES).rstrip("-")


def of_run(name: str) -> str:
    """Return a run's name as one of its folder in results/; a name that needs no change stays as it is."""
    return _legal(re.sub(r"[^\w.-]+", "-", name), 100, f"{_DEVICES}|{_TAKEN}")


def _legal(name: str, longest: int, reserved: str) -> str:
    clean = name.strip("-. ")[:longest].strip("-. ")
    is_reserved = re.fullmatch(rf"(?i)({reserved})(\..*)?", clean)
    return f"run-{clean}" if is_reserved or not clean else clean
