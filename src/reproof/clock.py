"""Time as records hold it: UTC, ISO 8601, and names made of it."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime


def now() -> str:
    """Return the time in UTC, such as `2026-01-28T22:15:10.123456Z`."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def new_run_id() -> str:
    """Return a name for one execution: it sorts by time and is legal as a file name everywhere."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
