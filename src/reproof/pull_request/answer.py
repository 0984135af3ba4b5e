"""What a server said, and how long it asks us to wait."""

from __future__ import annotations

import email.utils
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reproof import redact

_MAX_SAID = 200
_MAX_TEXT = 1 << 16


@dataclass(frozen=True)
class Answer:
    """What a server said. `headers` are by their names in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_good(self) -> bool:
        """Whether the request was carried out."""
        return 200 <= self.status < 300

    def json(self) -> Any:
        """Return the body as JSON; None for what is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    @property
    def words(self) -> str:
        """What the server says for people, on one line and short; it may quote what it was sent."""
        found = self.json()
        told = found.get("message", found.get("error")) if isinstance(found, dict) else None
        if told is None:
            text = self.body[:_MAX_TEXT].decode("utf-8", "replace")
            told = "" if text.lstrip().startswith("<") else text
        flat = told if isinstance(told, str) else json.dumps(told)
        line = " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f]", " ", flat).split())
        return redact.text(line[:_MAX_TEXT])[:_MAX_SAID]

    def seconds_to_wait(self) -> float | None:
        """Seconds that a server asks to wait; None where it does not say.

        By `Retry-After` (RFC 9110: seconds, or a date), else, where no request is left, by the time at which
        there are some again, in seconds since 1970: GitHub's `X-RateLimit-Reset`, GitLab's `RateLimit-Reset`.
        Measured by the server's own clock where it tells it.
        """
        headers = self.headers
        now = _date(headers.get("date")) or time.time()
        if after := headers.get("retry-after", "").strip():
            if after.isascii() and after.isdecimal() and len(after) < 10:
                return float(after)
            if (until := _date(after)) is not None:
                return max(0.0, until - now)
        for left, reset in (
            ("x-ratelimit-remaining", "x-ratelimit-reset"),
            ("ratelimit-remaining", "ratelimit-reset"),
        ):
            at = headers.get(reset, "").strip()
            if headers.get(left, "").strip() == "0" and at.isascii() and at.isdecimal() and len(at) < 12:
                return max(0.0, float(at) - now) + 1
        # GitHub's manual, "Rate limits for the REST API": otherwise wait for at least a minute.
        return 60.0 if self.status in (403, 429) else None


def _date(text: str | None) -> float | None:
    try:
        return email.utils.parsedate_to_datetime(text).timestamp() if text else None
    except (ValueError, OverflowError):
        return None
