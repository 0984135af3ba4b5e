"""Requests to a forge's REST API: https only, one host, bounded in bytes and seconds, and patient.

Made on the standard library: a connection of our own can be cut at a deadline, follows no redirect to
another host with the token in its hand, and asks nobody for a package (docs/decisions/0016).
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit
from urllib.request import getproxies, proxy_bypass

from reproof import __version__, redact
from reproof.errors import ReproofError
from reproof.pull_request.address import address, port
from reproof.pull_request.answer import Answer

MAX_BODY_BYTES = 32_000_000
"""Of one answer: a hundred comments of 65,536 characters, each of four bytes at most, and their frames."""

_CHUNK_BYTES = 1 << 16
_MAX_REDIRECTS = 3
_MAX_SAID = 200
_AGAIN = (408, 500, 502, 503, 504)
_REDIRECTS = (301, 302, 307, 308)
_TLS_FILE = "CI_SERVER_TLS_CA_FILE"
"""GitLab's variable for the certificate of a server of one's own."""


@dataclass(frozen=True)
class Patience:
    """How long a server is waited for, in seconds.

    Attributes:
        attempts: of one request, at most.
        first_s: the wait after the first failure; it doubles with each.
        request_s: one request, from the connection to the last byte of its answer.
        total_s: everything together, waits included.
    """

    attempts: int = 5
    first_s: float = 1.0
    request_s: float = 30.0
    total_s: float = 180.0


class Unsure(Exception):
    """No answer, or one of a server that failed: whether the request was carried out nobody knows."""

    def __init__(self, error: ReproofError) -> None:
        super().__init__(str(error))
        self.error = error


@dataclass
class Client:
    """Asks one API, serially.

    Attributes:
        api: its address.
        source: the variable that named it, for errors.
        forge: its name, for errors.
        headers: of each request; they hold the token, and are in no text that is made of this object.
        is_limited: whether an answer, not a good one, says that we ask too often.
    """

    api: str
    source: str
    forge: str
    headers: Mapping[str, str] = field(repr=False)
    is_limited: Callable[[Answer], bool]
    patience: Patience = Patience()
    sleep: Callable[[float], object] = time.sleep

    def __post_init__(self) -> None:
        self._base = address(self.api, self.source)
        self._ends = time.monotonic() + self.patience.total_s
        self._tls = _tls() if self._base.scheme == "https" else None

    def ask(self, method: str, path: str, query: Mapping[str, str] | None = None, body: Any = None) -> Answer:
        """Send a request, again where that can help; return the answer, which may be a refusal.

        Args:
            method: GET, POST, PATCH or PUT.
            path: below the API's address, with a slash at its beginning, its parts quoted.
            query: what follows the question mark.
            body: plain data, sent as JSON.

        Raises:
            Unsure: for a POST that ended without an answer, or with one of a server that failed.
            ReproofError: where no answer was to be had, or the server wants a longer wait than there is.
        """
        target = f"{self._base.path}{path}" + (f"?{urlencode(query)}" if query else "")
        data = None if body is None else json.dumps(body).encode()
        for attempt in range(1, self.patience.attempts + 1):
            is_last = attempt == self.patience.attempts
            try:
                answer = self._following(method, target, data)
            except (OSError, http.client.HTTPException) as error:
                failed = self._no_answer(error, attempt)
                if method == "POST":
                    raise Unsure(failed) from None
                if (
                    is_last
                    or isinstance(error, ssl.SSLCertVerificationError)
                    or not self._wait(attempt, None)
                ):
                    raise failed from None
                continue
            if answer.status in (403, 429) and self.is_limited(answer):
                # Refused unread, so that a POST too may be sent again.
                if is_last or not self._wait(attempt, answer):
                    raise self._too_often(answer)
                continue
            if answer.status not in _AGAIN:
                return answer
            failed = ReproofError(
                f"{self.forge} fails",
                where=f"{method} {self._shown(path)}",
                found=f"status {answer.status} {answer.words}".strip() + f", {_times(attempt)}",
                hint="nothing is wrong here: run the job again later",
            )
            if method == "POST":
                raise Unsure(failed)
            if is_last or not self._wait(attempt, answer):
                raise failed
        raise AssertionError("the last attempt returns or raises")

    def page(self, url: str) -> str | None:
        """Return the path and query of an address of this API; None for one of another server's."""
        try:
            parts = urlsplit(url)
            same = (parts.scheme, parts.hostname, port(parts)) == self._origin()
        except ValueError:
            return None
        below = f"{self._base.path}/"
        if not same or parts.username or not parts.path.startswith(below) or re.search(r"[\x00-\x20]", url):
            return None
        return parts.path[len(self._base.path) :] + (f"?{parts.query}" if parts.query else "")

    def _following(self, method: str, target: str, data: bytes | None) -> Answer:
        """Follow redirects as GitHub's manual says, the request repeated; never to another host."""
        for _ in range(_MAX_REDIRECTS + 1):
            answer = self._send(method, target, data)
            if answer.status not in _REDIRECTS:
                return answer
            path = self.page(answer.headers.get("location", ""))
            if path is None:
                raise ReproofError(
                    f"{self.forge} sends us elsewhere, where the token must not go",
                    where=self.source,
                    found=redact.url(answer.headers.get("location", ""))[:_MAX_SAID] or "no address",
                    hint=f"{self.source} must be the API's own address",
                )
            target = f"{self._base.path}{path}"
        raise ReproofError(f"{self.forge} redirects without end", where=self.source)

    def _send(self, method: str, target: str, data: bytes | None) -> Answer:
        seconds = min(self.patience.request_s, self._ends - time.monotonic())
        if seconds <= 0:
            raise TimeoutError("no time is left")
        connection = self._connection(seconds)
        late = threading.Event()
        ends = time.monotonic() + seconds
        opened: list[socket.socket] = []

        def cut() -> None:
            late.set()
            for one in opened or filter(None, [connection.sock]):
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

        # The socket's own time limit is one of each read: a server that drips would go on for ever.
        timer = threading.Timer(seconds, cut)
        timer.daemon = True
        timer.start()
        try:
            connection.connect()
            opened.append(connection.sock)
            connection.sock.settimeout(max(0.01, ends - time.monotonic()))
            kind = {"Content-Type": "application/json"} if data is not None else {}
            connection.request(method, target, data, {**self.headers, **kind, "User-Agent": _AGENT})
            response = connection.getresponse()
            body = _read(response)
            if late.is_set():
                raise TimeoutError
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, body)
        except (OSError, http.client.HTTPException, ValueError) as error:
            # ValueError: of a TLS socket that was cut while it read.
            if late.is_set() or isinstance(error, TimeoutError):
                raise TimeoutError(f"no whole answer within {self.patience.request_s:g} s") from None
            raise
        finally:
            timer.cancel()
            connection.close()

    def _connection(self, seconds: float) -> http.client.HTTPConnection:
        host, number = self._base.hostname or "", port(self._base)
        if self._tls is None:  # this machine: no proxy is between
            return http.client.HTTPConnection(host, number, timeout=seconds)
        proxy = getproxies().get("https")
        if not proxy or proxy_bypass(host):
            return http.client.HTTPSConnection(host, number, timeout=seconds, context=self._tls)
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        if parts.scheme != "http" or not parts.hostname:
            raise ReproofError(
                "a proxy of another kind",
                where="HTTPS_PROXY",
                expected="http://host:port",
                found=redact.url(proxy),
            )
        tunnel = http.client.HTTPSConnection(
            parts.hostname, parts.port or 80, timeout=seconds, context=self._tls
        )
        login = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
        known = {"Proxy-Authorization": "Basic " + base64.b64encode(login.encode()).decode()}
        tunnel.set_tunnel(host, number, known if parts.username else {})
        return tunnel

    def _wait(self, attempt: int, answer: Answer | None) -> bool:
        """Wait before the next attempt; return False where there is not so much time."""
        own = self.patience.first_s * 2 ** (attempt - 1)
        asked = answer.seconds_to_wait() if answer else None
        seconds = own if asked is None else asked
        if time.monotonic() + seconds >= self._ends:
            return False
        self.sleep(seconds)
        return True

    def _too_often(self, answer: Answer) -> ReproofError:
        asked = answer.seconds_to_wait()
        wait = f"; it asks to wait {asked:.0f} s" if asked is not None else ""
        return ReproofError(
            f"{self.forge} says that it is asked too often",
            found=f"status {answer.status} {answer.words}".strip() + wait,
            hint="run the job again later",
        )

    def _no_answer(self, error: Exception, attempt: int) -> ReproofError:
        words = str(error) if isinstance(error, TimeoutError) else f"{type(error).__name__}: {error}"
        return ReproofError(
            f"{self.forge} does not answer",
            where=f"{self.source}={redact.url(self.api)}",
            found=" ".join(words.split())[:_MAX_SAID].rstrip(": ") + f", {_times(attempt)}",
            hint="is the address right, and can this machine reach it? HTTPS_PROXY and NO_PROXY count; "
            f"{_TLS_FILE} names the certificate of a server of your own",
        )

    def _origin(self) -> tuple[str, str | None, int]:
        return self._base.scheme, self._base.hostname, port(self._base)

    def _shown(self, path: str) -> str:
        return redact.text(path)[:_MAX_SAID]


_AGENT = f"reproof/{__version__}"
"""GitHub refuses requests without one."""


def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    if (own := os.environ.get(_TLS_FILE)) and os.path.isfile(own):  # noqa: PTH113 (a variable's text)
        context.load_verify_locations(own)
    return context


def _read(response: http.client.HTTPResponse) -> bytes:
    """The body, at most `MAX_BODY_BYTES` of it."""
    parts: list[bytes] = []
    size = 0
    while chunk := response.read1(_CHUNK_BYTES):
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise http.client.HTTPException(f"an answer of more than {MAX_BODY_BYTES:,} bytes")
        parts.append(chunk)
    if response.length:  # announced, and never sent
        raise http.client.IncompleteRead(b"", response.length)
    return b"".join(parts)


def _times(attempt: int) -> str:
    return "once" if attempt == 1 else f"{attempt} times"
