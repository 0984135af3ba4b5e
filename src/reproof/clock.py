"""Time as records hold it: UTC, ISO 8601, and names made of it."""

from __future__ import annotations

import functools
import secrets
import time
from datetime import UTC, datetime


def now() -> str:
    """Return the time in UTC, such as `2026-01-28T22:15:10.123456Z`."""
    seconds, microseconds = divmod(time.time_ns() // 1000, 1_000_000)
    return f"{_to_the_second(seconds)}.{microseconds:06d}Z"


def seconds_since(time: str) -> float:
    """Return how long ago a time as `now` writes it was; never less than 0, also when the clock jumped back.

    Raises:
        ValueError: for no such time.
    """
    return max(0.0, (datetime.now(UTC) - datetime.fromisoformat(time)).total_seconds())


def duration(seconds: float) -> str:
    """Return seconds as people say them: `8 s`, `3 min`, `2 h 5 min`, `4 days`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 100:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes // 1440} days"


def new_run_id() -> str:
    """Return a name for one execution: it sorts by time and is legal as a file name everywhere."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


@functools.lru_cache(maxsize=1)
def _to_the_second(seconds: int) -> str:
    # Kept for the second that it holds: a training loop asks for the time at every step.
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
