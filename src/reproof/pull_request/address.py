"""Addresses that a token may be sent to."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

from reproof import redact
from reproof.errors import ReproofError

_MAX_SHOWN = 200


def address(url: str, source: str) -> SplitResult:
    """Return an API's address in parts.

    Raises:
        ReproofError: for one that is not https (http is for this machine alone), or holds a login or a query.
    """
    try:
        parts = urlsplit(url)
        number = parts.port
    except ValueError:
        parts, number = urlsplit(""), None
    allowed = parts.scheme == "https" or (parts.scheme == "http" and _is_this_machine(parts.hostname))
    odd = parts.username is not None or parts.query or parts.fragment or re.search(r"[\x00-\x20]", url)
    if not allowed or not parts.hostname or odd or number == 0:
        raise ReproofError(
            "not an address that a token may be sent to",
            where=source,
            expected="https://host/path, without a login",
            found=redact.url(url)[:_MAX_SHOWN],
        )
    return parts._replace(path=parts.path.rstrip("/"))


def _is_this_machine(host: str | None) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def port(parts: SplitResult) -> int:
    """Return the port of an address, that of its scheme where it names none."""
    return parts.port or (443 if parts.scheme == "https" else 80)
