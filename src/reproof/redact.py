"""Secrets out of everything that is recorded: URLs, command lines, error texts.

What counts as one: the value of a variable whose name says so, and the password inside any variable that
holds an address; the login of an address; what follows `password=` and its like; private keys; and tokens
whose form gives them away.
"""

from __future__ import annotations

import functools
import json
import os
import re
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

HIDDEN = "***"

_SECRET_NAME = re.compile(
    r"(?i)(token(?!iz)|secret|passw|passphrase|credential|auth(?!or(?!i[sz]))|connection[-_]?string|webhook"
    r"|cookie|(?:api|access|account|private)[-_]?key|(?<![a-z])(?:key|pat|jwt|dsn|sas|(?:ssh)?pass)$|[-_.]pwd$)"
)
_SIGNATURE = re.compile(r"(?i)(?<![a-z])sig(?:nature)?$")
_URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]{0,30}://[^\s\"<>]+")  # bounded: a long word costs no square
_QUERY = re.compile(r"([?&;#])([^=?&;#\s]+)=([^&;#\s]+)")
_ODD_LOGIN = re.compile(r"(?i)^([a-z][a-z0-9+.-]*://)[^\s/?#@\[\]]*:(?!\d{1,5}(?:[/?#]|$))\S*@")
"""A login whose password holds a slash or the like, unencoded: no port is what follows the colon."""
_ASSIGNED = re.compile(
    r"(?i)((?:(?:token|secret|passw(?:or)?d|passphrase|credential|(?:api|access|account|private)[-_]?key)"
    r"|(?<![a-z])(?:pwd|sig|authorization))[\"']?\s*[=:]\s*[\"']?(?:(?:basic|bearer|token)\s+)?+)"
    r"([^\s\"',;&<>(){}\[\]]{6,})"
)
_BEARER = re.compile(r"(?i)(\bbearer\s+)([\w.~+/=-]{8,})")
_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.S
)
_TOKEN = re.compile(
    r"\b(?:gh[opsru]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|hf_[A-Za-z0-9]{20,}"
    r"|gl(?:pat|oas|dt|rt|rtr|cbt|ptt|ft|imt|agent|wt|soat|ffct)-[\w-]{16,}"
    r"|A[KS]IA[0-9A-Z]{16}|xox[a-z]-[\w-]{10,}|AIza[\w-]{35}|pypi-[\w-]{16,}|sk-(?=[\w-]{0,40}\d)[\w-]{20,300}"
    r"|eyJ[\w-]{8,2000}\.[\w-]{8,2000}\.[\w-]+)"
)
"""GitHub, Hugging Face, GitLab, AWS, Slack, Google, PyPI, OpenAI and its like, JSON Web Tokens."""
_MIN_SECRET_LENGTH = 6
"""Shorter values of secret variables are not searched for: they would blot out ordinary words."""
_PLAIN_PART = re.compile(r"[A-Za-z0-9]{12,}")
"""Of a secret, hidden by itself too: errors quote single lines of a key, and escape what is between."""


def url(text: str) -> str:
    """Return a URL without user name, password and secret query values.

    A user name stays in `ssh://git@host/path` and `git@host:path`: it is how the address works, and
    no secret.
    """
    if "@" in text and "@" not in _netloc(text):
        text = _ODD_LOGIN.sub(r"\1", text)
    try:
        parts = urlsplit(text)
    except ValueError:
        return HIDDEN
    login, _, host = parts.netloc.rpartition("@")
    if parts.scheme and login and (":" in login or not parts.scheme.endswith("ssh")):
        text = urlunsplit(parts._replace(netloc=host))
    return _QUERY.sub(_hide_in_query, text)


def text(value: str, env: Mapping[str, str] = os.environ) -> str:
    """Return `value` with everything removed that the top of this module names."""
    for secret in _forms(frozenset(env.items())):
        value = value.replace(secret, HIDDEN)
    return _known_by_form(value)


def holds_secret(value: str, env: Mapping[str, str] = os.environ) -> bool:
    """Whether a text holds what a secret variable holds now: it may have been clean when it was written."""
    return any(secret in value for secret in _forms(frozenset(env.items())))


def data(value: Any) -> Any:
    """Return plain JSON data with every text in it, keys included, as `text` returns it."""
    if isinstance(value, Mapping):
        return {text(key) if isinstance(key, str) else key: data(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [data(item) for item in value]
    return text(value) if isinstance(value, str) else value


def argv(arguments: Sequence[str], env: Mapping[str, str] = os.environ) -> list[str]:
    """Return a command line whose secret options (`--token X`, `--api-key=X`, `api.key=X`) have no value."""
    clean: list[str] = []
    hide_next = False
    for argument in arguments:
        name, equals, _ = argument.partition("=")
        if hide_next:
            clean.append(HIDDEN)
            # A switch, not a value (`--no-auth --token X`): what follows is this one's.
            hide_next = name.startswith("-") and not equals and bool(_SECRET_NAME.search(name))
        elif name.startswith("-") and not equals and _SECRET_NAME.search(name):
            clean.append(argument)
            hide_next = True
        else:
            clean.append(text(_without_assigned(argument), env))
    return clean


def excepthook(kind: type[BaseException], error: BaseException | None, frames: TracebackType | None) -> None:
    """Print an uncaught error as Python does, without secrets; in the place of `sys.excepthook`.

    What a stage prints ends in CI logs, and in `.dvc/tmp` where DVC runs a queue.
    """
    sys.stderr.write(text("".join(traceback.format_exception(kind, error, frames))))
    sys.stderr.flush()


def credential(value: str, env: Mapping[str, str] = os.environ) -> str | None:
    """Return what kind of credential a text certainly holds, for a refusal that names it; None for none.

    Narrower than `text`, which would rather hide too much: a refusal of what is no secret stops a run.
    """
    for name, secret in env.items():
        if _looks_random(secret) and _SECRET_NAME.search(name) and secret in value:
            return f"the value of the variable {name}"
    if any(_has_password(found) for found in _URL.findall(value)):
        return "an address with a password or token in it"
    return "a token or private key" if _TOKEN.search(value) or _PRIVATE_KEY.search(value) else None


def _has_password(address: str) -> bool:
    """A name alone (`https://ada@host`) is none, though `url` takes it out."""
    login = _netloc(address).rpartition("@")[0]
    in_query = _QUERY.sub(_hide_in_query, address) != address
    return in_query or ":" in login or bool(not login and _ODD_LOGIN.match(address))


def _known_by_form(value: str) -> str:
    value = _PRIVATE_KEY.sub(HIDDEN, value)
    value = _URL.sub(lambda match: url(match.group()), value)
    value = _TOKEN.sub(HIDDEN, value)
    return _BEARER.sub(rf"\1{HIDDEN}", _ASSIGNED.sub(rf"\1{HIDDEN}", value))


@functools.lru_cache(maxsize=4)
def _forms(env: frozenset[tuple[str, str]]) -> list[str]:
    """Every secret of an environment in the forms in which messages quote it.

    The longest first: a secret may be the beginning of another.
    """
    found: set[str] = set()
    for secret in _secrets(env):
        found |= {secret, repr(secret)[1:-1], json.dumps(secret)[1:-1], quote(secret, safe=""), quote(secret)}
        found |= {part for part in _PLAIN_PART.findall(secret) if _looks_random(part)}
    return sorted(found, key=len, reverse=True)


def _looks_random(secret: str) -> bool:
    return len(secret) >= 12 and bool(re.search(r"\d", secret) and re.search(r"[A-Za-z]", secret))


def _secrets(env: Iterable[tuple[str, str]]) -> Iterator[str]:
    for name, value in env:
        inner = [_password(value)] if "://" in value else []
        inner += [match.group(2) for match in _ASSIGNED.finditer(value)]
        whole = [value] if _SECRET_NAME.search(name) else []
        yield from (secret for secret in whole + inner if len(secret) >= _MIN_SECRET_LENGTH)


def _password(address: str) -> str:
    """The password of an address; alone before the host, as in a Sentry DSN, it counts too."""
    login = _netloc(address).rpartition("@")[0]
    alone = "" if "ssh://" in address else login
    return unquote(login.partition(":")[2] or alone)


def _netloc(address: str) -> str:
    try:
        return urlsplit(address).netloc
    except ValueError:
        return ""


def _hide_in_query(match: re.Match[str]) -> str:
    before, name, value = match.groups()
    secret = _SECRET_NAME.search(name) or _SIGNATURE.search(name)
    return f"{before}{name}={HIDDEN if secret else value}"


def _without_assigned(argument: str) -> str:
    """`--set=api_key=X` and `api_key=X` without what follows the name."""
    if "://" in argument:
        return argument  # an address knows its own secrets
    parts = argument.split("=")
    for index, name in enumerate(parts[:-1], start=1):
        if _SECRET_NAME.search(name):
            return "=".join([*parts[:index], HIDDEN])
    return argument
