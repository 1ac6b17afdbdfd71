"""A receiver of signed webhooks on loopback, for tests: takes, refuses, fails or hangs as told, and keeps what it took."""

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

import standardwebhooks

from controlplane.patience import PATIENCE

SECRET = "whsec_" + base64.b64encode(b"a key of tests, 32 bytes in all.").decode()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    hung_up = 0

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A sender that was killed: counted, where the base class prints a traceback."""
        self.hung_up += 1


class Receiver:
    """`answer` is the status of its answers, 0 for none at all; `taken` are the events, `lines` the same as lines of a file."""

    def __init__(self) -> None:
        self.answer = 204
        self.lines: list[str] = []
        self.asked = 0
        self.forged = 0
        self.hanging = 0
        self.released = threading.Event()
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}/hook"

    @property
    def taken(self) -> list[dict[str, Any]]:
        """The events, in the order in which they came."""
        return [json.loads(line) for line in list(self.lines)]

    def take(self, headers: dict[str, str], body: bytes) -> int:
        """What to answer."""
        self.asked += 1
        if not self.answer:
            self.hanging += 1
            self.released.wait(PATIENCE)
        if self.answer == 204:
            try:
                standardwebhooks.Webhook(SECRET).verify(body, headers)
            except standardwebhooks.WebhookVerificationError:
                self.forged += 1
                return 400
            self.lines.append(body.decode())
        return self.answer or 503

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                status = receiver.take(dict(self.headers), self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Nobody reads it."""

        return Handler

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
