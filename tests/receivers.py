"""Real receivers on loopback and free ports: HTTP(S) that answers as told, a proxy that stands for the internet, and SMTP."""

import asyncio
import contextlib
import email
import email.policy
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import trustme
from aiosmtpd.controller import Controller

from controlplane.patience import PATIENCE


@dataclass(frozen=True)
class Post:
    """One request that a receiver got."""

    host: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()


@dataclass
class Receiver:
    """Keeps what it gets, and answers with `status` after `delay` seconds, or not at all (None)."""

    url: str = ""
    port: int = 0
    got: list[Post] = field(default_factory=list)
    status: int | None = 200
    delay: threading.Event | None = None  # answers once it is set
    answer: bytes = b'{"ok": true, "result": {"message_id": 1}}'

    def texts(self) -> list[str]:
        """The bodies of all that came."""
        return [post.text for post in list(self.got)]


def _handler(receiver: Receiver, tls: ssl.SSLContext | None) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_CONNECT(self) -> None:
            """As a proxy: whatever host it is, it is us."""
            assert tls, "only a proxy is asked to connect"
            self.send_response(200)
            self.end_headers()
            self.connection = tls.wrap_socket(self.connection, server_side=True)
            self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb")
            self.handle_one_request()
            self.wfile.flush()
            self.close_connection = True

        def _take(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.got.append(Post(headers.get("host", ""), self.path, headers, body))
            if receiver.delay:
                receiver.delay.wait(PATIENCE)
            if receiver.status is None:
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
                return
            with contextlib.suppress(OSError):  # who asked has hung up
                self.send_response(receiver.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(receiver.answer)))
                self.end_headers()
                self.wfile.write(receiver.answer)
                self.wfile.flush()

        def finish(self) -> None:
            """Close what was made of the connection, too."""
            super().finish()
            self.connection.close()

        do_POST = do_PUT = do_GET = _take  # noqa: N815 (the names that http.server calls)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing on the terminal."""

    return Handler


@contextmanager
def http_receiver(*, port: int = 0, cert: Path | None = None, proxy_cert: Path | None = None) -> Iterator[Receiver]:
    """An HTTP server on loopback; with `cert` over TLS, with `proxy_cert` a proxy that answers for every host."""
    receiver = Receiver()
    server = ThreadingHTTPServer(("127.0.0.1", port), _handler(receiver, _context(proxy_cert) if proxy_cert else None))
    server.daemon_threads = True
    if cert:
        server.socket = _context(cert).wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.02), daemon=True)
    thread.start()
    receiver.port = server.server_address[1]
    receiver.url = f"{'https' if cert else 'http'}://127.0.0.1:{receiver.port}"
    try:
        yield receiver
    finally:
        if receiver.delay:
            receiver.delay.set()
        server.shutdown()
        server.server_close()
        thread.join()


def _context(cert: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert)
    return context


def write_certificate(path: Path) -> Path:
    """A certificate for loopback with its key, of an authority that nobody trusts."""
    trustme.CA().issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(path)
    return path


@dataclass
class Mailbox:
    """Keeps the mail that came; `refuse` is the answer to the next ones, if any."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    refuse: str = ""

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 (what aiosmtpd calls)
        """Take a mail, or refuse it."""
        if self.refuse:
            return self.refuse
        parsed = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(parsed, EmailMessage)
        self.mails.append(parsed)
        self.recipients.append(list(envelope.rcpt_tos))
        return "250 taken"


class _Controller(Controller):
    def _trigger_server(self) -> None:
        """It would connect to the port that it was asked for, which is 0."""
        assert isinstance(self.server, asyncio.Server)
        host, port = self.server.sockets[0].getsockname()[:2]
        self.port = port
        with socket.create_connection((host, port), PATIENCE) as connection:
            connection.recv(1024)


@contextmanager
def smtp_receiver(port: int = 0) -> Iterator[Mailbox]:
    """An SMTP server on loopback."""
    mailbox = Mailbox()
    loop = asyncio.new_event_loop()
    controller = _Controller(mailbox, hostname="127.0.0.1", port=port, loop=loop, ready_timeout=PATIENCE)
    controller.start()
    mailbox.port = controller.port
    try:
        yield mailbox
    finally:
        controller.stop()
        if not loop.is_closed():
            loop.close()


@contextmanager
def dead_port() -> Iterator[int]:
    """A port on which nobody listens, nor can meanwhile: it is taken."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]
