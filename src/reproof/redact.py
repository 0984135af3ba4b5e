"""Secrets out of everything that is recorded: URLs, command lines, error texts."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit, urlunsplit

HIDDEN = "***"

_SECRET_NAME = re.compile(
    r"(?i)(token|secret|passw|passphrase|credential|api[-_]?key|[-_]key$|auth(?!or)|connection[-_]?string)"
)
_URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://[^\s\"<>]+")
_SECRET_IN_QUERY = re.compile(r"(?i)([?&;#][^=&;\s]*(?:token|secret|passw|key|auth|sig)[^=&;\s]*=)[^&;\s#]+")
_MIN_SECRET_LENGTH = 6
"""Shorter values of secret variables are not searched for: they would blot out ordinary words."""


def url(text: str) -> str:
    """Return a URL without user name, password and secret query values.

    A user name stays in `ssh://git@host/path` and `git@host:path`: it is how the address works, and
    no secret.
    """
    try:
        parts = urlsplit(text)
    except ValueError:
        return HIDDEN
    login, _, host = parts.netloc.rpartition("@")
    if parts.scheme and login and (":" in login or not parts.scheme.endswith("ssh")):
        text = urlunsplit(parts._replace(netloc=host))
    return _SECRET_IN_QUERY.sub(rf"\1{HIDDEN}", text)


def text(value: str, env: Mapping[str, str] = os.environ) -> str:
    """Return `value` with credentials in URLs, and the values of secret variables in `env`, removed."""
    # The longest first: a secret may be the beginning of another.
    for name, secret in sorted(env.items(), key=lambda item: -len(item[1])):
        if len(secret) >= _MIN_SECRET_LENGTH and _SECRET_NAME.search(name):
            value = value.replace(secret, HIDDEN)
    return _URL.sub(lambda match: url(match.group()), value)


def data(value: Any) -> Any:
    """Return plain JSON data with every text in it as `text` returns it."""
    if isinstance(value, Mapping):
        return {key: data(item) for key, item in value.items()}
    if isinstance(value, list):
        return [data(item) for item in value]
    return text(value) if isinstance(value, str) else value


def argv(arguments: Sequence[str], env: Mapping[str, str] = os.environ) -> list[str]:
    """Return a command line whose secret options (`--token X`, `--api-key=X`) carry no value."""
    clean: list[str] = []
    hide_next = False
    for argument in arguments:
        name, equals, _ = argument.partition("=")
        if hide_next:
            clean.append(HIDDEN)
            # A switch, not a value (`--no-auth --token X`): what follows is this one's.
            hide_next = name.startswith("-") and not equals and bool(_SECRET_NAME.search(name))
        elif name.startswith("-") and _SECRET_NAME.search(name):
            clean.append(f"{name}={HIDDEN}" if equals else argument)
            hide_next = not equals
        else:
            clean.append(text(argument, env))
    return clean
