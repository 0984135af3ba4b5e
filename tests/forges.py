"""Two servers on this machine that answer as the REST APIs of GitHub and GitLab do, as far as comments go.

Statuses, headers, messages and page sizes are those of the forges' own manuals: GitHub's "REST API endpoints
for issue comments" and "Rate limits for the REST API", GitLab's "Notes API" and "REST API: pagination".
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Holder:
    """Who holds a token, and what it may do."""

    login: str
    id: int
    is_bot: bool = False
    may_write: bool = True
    may_ask_who: bool = True


@dataclass
class Fault:
    """One answer out of turn.

    Attributes:
        status: in place of the real one; 0 for a connection that is closed without a word.
        headers: with it.
        body: of it.
        method: the requests that it befalls; '' for all.
        carries_out: whether the request is carried out all the same.
        delay_s: before anything is sent.
        drip_s: between single bytes of the body.
        times: how often.
    """

    status: int = 500
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b'{"message": "Server Error"}'
    method: str = ""
    carries_out: bool = False
    delay_s: float = 0.0
    drip_s: float = 0.0
    times: int = 1


@dataclass(frozen=True)
class Request:
    """What a server was asked."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Any


@dataclass
class Server:
    """A forge. `comments` are as its API shows them; tests add some, and read what there is."""

    comments: list[dict[str, Any]] = field(default_factory=list)
    tokens: dict[str, Holder] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    is_locked: bool = False
    url: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)
    next_id: int = 1000

    def asked(self, method: str) -> int:
        """How many requests of a kind there were."""
        return sum(request.method == method for request in self.requests)

    def bodies(self) -> list[str]:
        """The comments' texts."""
        return [comment["body"] for comment in self.comments]

    def take_fault(self, method: str) -> Fault | None:
        with self.lock:
            for fault in self.faults:
                if fault.method in ("", method) and fault.times > 0:
                    fault.times -= 1
                    return fault
        return None


class _Handler(BaseHTTPRequestHandler, ABC):
    server_state: ClassVar[Server]
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self._handle("GET")

    def do_POST(self) -> None:
        self._handle("POST")

    def do_PATCH(self) -> None:
        self._handle("PATCH")

    def do_PUT(self) -> None:
        self._handle("PUT")

    def _handle(self, method: str) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(size)) if size else None
        state = self.server_state
        state.requests.append(Request(method, self.path, dict(self.headers.items()), body))
        fault = state.take_fault(method)
        if fault:
            time.sleep(fault.delay_s)
            if fault.carries_out:
                self._answer(method, body)
            if fault.status == 0:
                self.close_connection = True
                return
            self._send(fault.status, fault.body, fault.headers, fault.drip_s)
            return
        status, found, headers = self._answer(method, body)
        self._send(status, json.dumps(found).encode(), headers)

    @abstractmethod
    def _answer(self, method: str, body: Any) -> tuple[int, Any, dict[str, str]]:
        """Status, body and headers, as this forge's API gives them."""

    def _send(self, status: int, data: bytes, headers: Mapping[str, str], drip_s: float = 0.0) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.send_response(status)
            kind = {"Content-Type": "application/json; charset=utf-8", "Content-Length": str(len(data))}
            for name, value in {**kind, **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if not drip_s:
                self.wfile.write(data)
            for at in range(len(data) if drip_s else 0):
                self.wfile.write(data[at : at + 1])
                self.wfile.flush()
                time.sleep(drip_s)

    def _page(self, rows: list[Any], default: int) -> tuple[list[Any], int, int, int]:
        query = parse_qs(urlsplit(self.path).query)
        size = min(100, int(query.get("per_page", [str(default)])[0]))
        page = int(query.get("page", ["1"])[0])
        last = max(1, -(-len(rows) // size))
        return rows[(page - 1) * size : page * size], page, last, size

    def _links(self, page: int, last: int, size: int, more: str = "") -> str:
        path = urlsplit(self.path).path
        base = f"{self.server_state.url.rsplit(self.root, 1)[0]}{path}"

        def link(number: int, rel: str) -> str:
            return f'<{base}?per_page={size}&page={number}{more}>; rel="{rel}"'

        found = [link(page - 1, "prev")] if page > 1 else []
        found += [link(page + 1, "next"), link(last, "last")] if page < last else []
        return ", ".join([*found, link(1, "first")] if page > 1 else found)

    root = ""


class _GitHub(_Handler):
    root = "/api/v3"

    def _answer(self, method: str, body: Any) -> tuple[int, Any, dict[str, str]]:
        state = self.server_state
        limits = {
            "X-RateLimit-Limit": "1000",
            "X-RateLimit-Remaining": "999",
            "X-RateLimit-Reset": str(int(time.time()) + 3600),
        }
        if not self.headers.get("User-Agent"):
            return 403, {"message": "Request forbidden by administrative rules."}, {}
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        holder = state.tokens.get(token)
        if holder is None:
            return 401, {"message": "Bad credentials", "status": "401"}, limits
        path = urlsplit(self.path).path.removeprefix(self.root)
        refused = {"message": "Resource not accessible by integration", "status": "403"}
        if path == "/user":
            if not holder.may_ask_who:
                return 403, refused, limits
            return 200, {"login": holder.login, "id": holder.id, "type": "User"}, limits
        listed = "/repos/ada/digits/issues/7/comments"
        changed = "/repos/ada/digits/issues/comments/"
        if path == listed and method == "GET":
            rows, page, last, size = self._page(state.comments, 30)
            links = self._links(page, last, size)
            return 200, rows, {**limits, **({"Link": links} if links else {})}
        if path == listed and method == "POST":
            if not holder.may_write:
                return 403, refused, limits
            if state.is_locked:
                return 403, {"message": "Unable to create comment because issue is locked."}, limits
            if wrong := _too_long(body):
                return 422, wrong, limits
            return 201, add_github(state, body["body"], holder.login, is_bot=holder.is_bot), limits
        if path.startswith(changed) and method == "PATCH":
            if not holder.may_write:
                return 403, refused, limits
            for comment in state.comments:
                if comment["id"] == int(path.removeprefix(changed)):
                    comment["body"] = body["body"]
                    return 200, comment, limits
        return 404, {"message": "Not Found", "status": "404"}, limits


def _too_long(body: Any) -> dict[str, Any] | None:
    if len(body["body"]) <= 65_536:
        return None
    told = {"resource": "IssueComment", "code": "unprocessable", "field": "data"}
    told["message"] = "Body is too long (maximum is 65536 characters)"
    return {"message": "Validation Failed", "errors": [told], "status": "422"}


def add_github(state: Server, body: str, login: str, *, is_bot: bool = False) -> dict[str, Any]:
    """Add a comment as GitHub keeps it."""
    state.next_id += 1
    made = {
        "id": state.next_id,
        "body": body.replace("\n", "\r\n"),
        "user": {"login": login, "type": "Bot" if is_bot else "User"},
        "html_url": f"https://github.example/ada/digits/pull/7#issuecomment-{state.next_id}",
    }
    state.comments.append(made)
    return made


class _GitLab(_Handler):
    root = "/api/v4"

    def _answer(self, method: str, body: Any) -> tuple[int, Any, dict[str, str]]:
        state = self.server_state
        job, own = self.headers.get("JOB-TOKEN"), self.headers.get("PRIVATE-TOKEN")
        holder = state.tokens.get(own or "")
        if job or holder is None:  # a job's token may not reach merge requests
            return 401, {"message": "401 Unauthorized"}, {}
        path = urlsplit(self.path).path.removeprefix(self.root)
        if path == "/user":
            return 200, {"id": holder.id, "username": holder.login}, {}
        listed = "/projects/42/merge_requests/7/notes"
        if path == listed and method == "GET":
            query = parse_qs(urlsplit(self.path).query)
            ascending = query.get("sort", ["desc"])[0] == "asc"
            every = sorted(state.comments, key=lambda note: note["id"], reverse=not ascending)
            rows, page, last, size = self._page(every, 20)
            more = "".join(f"&{key}={query[key][0]}" for key in ("order_by", "sort") if key in query)
            headers = {"X-Page": str(page), "X-Next-Page": str(page + 1) if page < last else ""}
            return 200, rows, {**headers, "Link": self._links(page, last, size, more)}
        if not holder.may_write:
            told = "The request requires higher privileges than provided by the access token."
            return 403, {"error": "insufficient_scope", "error_description": told}, {}
        if path == listed and method == "POST":
            return 201, add_gitlab(state, body["body"], holder.id), {}
        if path.startswith(f"{listed}/") and method == "PUT":
            for note in state.comments:
                if note["id"] == int(path.removeprefix(f"{listed}/")):
                    note["body"] = body["body"]
                    return 200, note, {}
        return 404, {"message": "404 Not Found"}, {}


def add_gitlab(state: Server, body: str, author: int, *, system: bool = False) -> dict[str, Any]:
    """Add a note as GitLab keeps it."""
    state.next_id += 1
    made = {"id": state.next_id, "body": body, "author": {"id": author}, "system": system}
    state.comments.append(made)
    return made


@contextlib.contextmanager
def serving(kind: str) -> Iterator[Server]:
    """Serve `github` or `gitlab` on a port of its own."""
    handler = {"github": _GitHub, "gitlab": _GitLab}[kind]
    state = Server()
    bound = type("Bound", (handler,), {"server_state": state})
    with ThreadingHTTPServer(("127.0.0.1", 0), bound) as server:
        server.daemon_threads = True
        state.url = f"http://127.0.0.1:{server.server_port}{handler.root}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield state
        finally:
            server.shutdown()
            thread.join()


TOKEN = "ghs_" + "aB3dE6gH9jK2" * 3  # by its form a token too, as real ones are
GITLAB_TOKEN = "glpat-" + "xY7zQ4wE1rT8uI5o"


def github_env(server: Server, folder: Any, *, fork: bool = False, **more: str) -> dict[str, str]:
    """What a job of a pull request on GitHub sees; `folder` holds its event and its summary."""
    home = more.get("GITHUB_REPOSITORY", "ada/digits")
    event = {
        "pull_request": {
            "number": 7,
            "head": {
                "sha": "c" * 40,
                "repo": {"full_name": "mallory/digits" if fork else home},
            },
            "base": {"ref": "main", "sha": "b" * 40},
        }
    }
    (folder / "event.json").write_text(json.dumps(event))
    return {
        "GITHUB_ACTIONS": "true",
        "GITHUB_API_URL": server.url,
        "GITHUB_SERVER_URL": "https://github.example",
        "GITHUB_REPOSITORY": "ada/digits",
        "GITHUB_REF": "refs/pull/7/merge",
        "GITHUB_BASE_REF": "main",
        "GITHUB_RUN_ID": "99",
        "GITHUB_EVENT_NAME": "pull_request",
        "GITHUB_EVENT_PATH": str(folder / "event.json"),
        "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
        "GITHUB_TOKEN": TOKEN,
        **more,
    }


def gitlab_env(server: Server, *, fork: bool = False, **more: str) -> dict[str, str]:
    """What a job of a merge request on GitLab sees."""
    return {
        "GITLAB_CI": "true",
        "CI_API_V4_URL": server.url,
        "CI_PROJECT_ID": "43" if fork else "42",
        "CI_MERGE_REQUEST_PROJECT_ID": "42",
        "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "43" if fork else "42",
        "CI_MERGE_REQUEST_IID": "7",
        "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
        "CI_MERGE_REQUEST_PROJECT_URL": "https://gitlab.example/ada/digits",
        "CI_COMMIT_SHA": "c" * 40,
        "CI_JOB_ID": "5",
        "CI_JOB_URL": "https://gitlab.example/ada/digits/-/jobs/5",
        "CI_JOB_TOKEN": "glcbt-64_" + "zZ9yY8xX7wW6vV5u",
        "GITLAB_USER_ID": "3",
        **more,
    }
