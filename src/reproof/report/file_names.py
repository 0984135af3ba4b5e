"""Names of documents, out of what people call things."""

from __future__ import annotations

import re
import unicodedata

_MAX_LENGTH = 60


def slug(name: str) -> str:
    """Return a name as one of a file on any system: in ASCII, at most 60 characters, never empty.

    Letters, digits, points, dashes and underscores stay as they are.
    """
    ascii_only = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    clean = re.sub(r"[^A-Za-z0-9._-]+", "-", ascii_only).strip("-.")[:_MAX_LENGTH].strip("-.")
    reserved = re.fullmatch(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?", clean)
    return f"run-{clean}".rstrip("-") if reserved or not clean else clean
