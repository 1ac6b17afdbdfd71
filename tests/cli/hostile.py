"""A server that misbehaves, and the kubeconfigs of people whose machines do, for the plugin as a program."""

import contextlib
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

BODY = "body"  # beside the headers, for answers that depend on it
SECRET = "s3cr3t-bearer-of-alice"


@dataclass(frozen=True)
class Reply:
    """What the server answers: a status, a body, and how long it thinks first."""

    code: int = 200
    body: bytes = b""
    kind: str = "application/json"
    delay: float = 0.0


Answers = Callable[[str, str, Mapping[str, str]], Reply]


def as_json(body: Any, code: int = 200) -> Reply:
    """A reply as an API server gives it."""
    return Reply(code, json.dumps(body).encode())


def status(code: int, reason: str, message: str) -> Reply:
    """A Status of an API server."""
    return as_json({"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": message}, code)


def whoami(path: str) -> Reply | None:
    """The answer to who one is: alice."""
    if not path.endswith("/selfsubjectreviews"):
        return None
    return as_json({"kind": "SelfSubjectReview", "status": {"userInfo": {"username": "alice"}}}, 201)


def access(version: str = "1", state: str = "Active", reason: str = "x") -> dict[str, Any]:
    """A request of alice's that was granted, or whatever else became of it."""
    return {
        "apiVersion": "jitaccess.dev/v1alpha1",
        "kind": "AccessRequest",
        "metadata": {
            "name": "alice-7f3k",
            "namespace": "team-a",
            "uid": "u",
            "resourceVersion": version,
            "creationTimestamp": "2026-06-01T00:00:00Z",
        },
        "spec": {
            "policyRef": {"kind": "AccessPolicy", "name": "debug"},
            "roleRef": {"kind": "ClusterRole", "name": "view"},
            "duration": "1h",
            "reason": reason,
            "requester": "alice",
        },
        "status": {
            "state": state,
            "revision": 2,
            "expiresAt": "2099-01-01T00:00:00Z",
            "history": [{"at": "2026-06-01T00:00:00Z", "state": state, "reason": "DurationElapsed", "message": "the time is up"}],
        },
    }


def empty(_method: str, path: str, _headers: Mapping[str, str]) -> Reply:
    """An API server on which nothing is there."""
    return whoami(path) or as_json({"kind": "List", "items": [], "metadata": {"resourceVersion": "1"}})


@dataclass
class Hostile:
    """A server on loopback that answers as it is told, and remembers what it was asked."""

    answers: Answers = empty
    ahead: timedelta = timedelta(0)  # what its clock is before ours
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "Hostile":
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                outer.asked.append((self.command, self.path, {name.lower(): value for name, value in self.headers.items()}))
                reply = outer.answers(self.command, self.path, {**self.headers, BODY: body.decode()})
                outer._over.wait(reply.delay)
                with contextlib.suppress(ConnectionError):  # whoever has hung up is not answered
                    self.send_response(reply.code)
                    self.send_header("Content-Type", reply.kind)
                    self.send_header("Content-Length", str(len(reply.body)))
                    self.end_headers()
                    self.wfile.write(reply.body)

            def __getattr__(self, name: str) -> Callable[[], None]:
                if name.startswith("do_"):
                    return self.answer
                raise AttributeError(name)

            def date_time_string(self, timestamp: float | None = None) -> str:
                return format_datetime(datetime.now(UTC) + outer.ahead, usegmt=True)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def kubeconfig(self, folder: Path, user: str = f"token: {SECRET}", cluster: str = "") -> Path:
        """A kubeconfig that leads there, with these lines for the user and beside the server's address."""
        file = folder / "config"
        indent = "\n      "
        file.write_text(
            "apiVersion: v1\nkind: Config\ncurrent-context: it\n"
            "contexts: [{name: it, context: {cluster: c, user: alice, namespace: team-a}}]\n"
            f"clusters:\n  - name: c\n    cluster:\n      server: {self.url}{indent if cluster else ''}{cluster}\n"
            f"users:\n  - name: alice\n    user:\n      {user.replace(chr(10), indent)}\n"
        )
        return file
