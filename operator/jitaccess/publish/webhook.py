"""Sending over HTTP(S), signed as Standard Webhooks has it; URL and secrets come from mounted files, read for each message."""

import base64
import binascii
import hashlib
import hmac
import ssl
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from yarl import URL

from jitaccess.domain.text import legible

SECRET_PREFIX = "whsec_"  # noqa: S105  # how secrets begin, not one
SHORTEST_SECRET, LONGEST_SECRET = 24, 64  # bytes
TIMEOUT = aiohttp.ClientTimeout(total=10)
ANSWER_BYTES = 4096  # of an answer; nobody needs more, and what is longer closes the connection
# Answers that say "not this message", however often it is sent; all others are worth another try.
REFUSALS = frozenset(range(400, 500)) - {401, 403, 404, 408, 410, 421, 423, 425, 429}


class NotSent(Exception):
    """A message did not arrive, as far as we know; `refused` where the receiver said no to this very message."""

    def __init__(self, why: str, *, refused: bool = False) -> None:
        super().__init__(why)
        self.refused = refused


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent: an id by which a receiver drops duplicates, and the body as it is signed."""

    id: str
    body: bytes
    content_type: str


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where messages go: the URL or the file that has it, the file with the secrets, and whom TLS trusts in place of all CAs."""

    url: str = ""
    url_file: Path | None = None
    secret_file: Path | None = None
    ca_file: Path | None = None

    def address(self) -> str:
        """The URL as it is now; NotSent if it cannot be read, or is none."""
        url = _read(self.url_file, "the URL").strip() if self.url_file else self.url
        if fault := url_fault(url):
            raise NotSent(f"{self.url_file or 'the URL'}: {fault}")  # the URL itself may be a secret
        return url

    def secrets(self) -> tuple[bytes, ...]:
        """The secrets that sign, the first of them the newest; none where there is no file. NotSent if one cannot be read."""
        if self.secret_file is None:
            return ()
        try:
            return parse_secrets(_read(self.secret_file, "the secret"))
        except ValueError as error:
            raise NotSent(f"{self.secret_file}: {error}") from error


def url_fault(url: str) -> str:
    """Why that is no URL to send to; empty if it is one."""
    try:
        parsed = URL(url)
    except ValueError:
        return "it is no URL"
    return "" if parsed.scheme in ("http", "https") and parsed.host else "it is no URL that begins with https:// or http://"


def parse_secrets(text: str) -> tuple[bytes, ...]:
    """Secrets, one a line, each `whsec_` and base64; while one is replaced there are two. ValueError says what is wrong."""
    secrets = tuple(_parse_secret(line.strip(), number) for number, line in enumerate(text.splitlines(), 1) if line.strip())
    if not secrets:
        raise ValueError("there is no secret in it: write whsec_ and 24 to 64 random bytes in base64")
    return secrets


def _parse_secret(line: str, number: int) -> bytes:
    try:
        secret = base64.b64decode(line.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError(f"line {number} is not base64 after {SECRET_PREFIX}") from error
    if not line.startswith(SECRET_PREFIX) or not SHORTEST_SECRET <= len(secret) <= LONGEST_SECRET:
        raise ValueError(f"line {number} is not {SECRET_PREFIX} and {SHORTEST_SECRET} to {LONGEST_SECRET} bytes in base64")
    return secret


def signed_headers(message: Message, secrets: Iterable[bytes], timestamp: int) -> dict[str, str]:
    """The headers of a message, signed with each secret; `timestamp` in seconds since the epoch."""
    content = f"{message.id}.{timestamp}.".encode() + message.body
    signatures = [base64.b64encode(hmac.digest(secret, content, hashlib.sha256)).decode() for secret in secrets]
    headers = {"Content-Type": message.content_type, "webhook-id": message.id, "webhook-timestamp": str(timestamp)}
    return headers | ({"webhook-signature": " ".join(f"v1,{each}" for each in signatures)} if signatures else {})


class Webhook:
    """One endpoint, and the connections to it; `close` when it is needed no more."""

    def __init__(self, endpoint: Endpoint, timeout: aiohttp.ClientTimeout = TIMEOUT) -> None:
        self._endpoint = endpoint
        self._timeout = timeout
        self._session: aiohttp.ClientSession | None = None
        self._trust: tuple[bytes, ssl.SSLContext] | None = None

    async def send(self, message: Message) -> None:
        """Send a message, once; NotSent unless the receiver took it (2xx), which is never told from a redirect."""
        url, headers = self._endpoint.address(), signed_headers(message, self._endpoint.secrets(), int(time.time()))
        tls = self._tls() if url.startswith("https:") else True
        self._session = self._session or aiohttp.ClientSession(timeout=self._timeout, cookie_jar=aiohttp.DummyCookieJar())
        try:
            async with self._session.post(url, data=message.body, headers=headers, ssl=tls, allow_redirects=False) as answer:
                status, text = answer.status, await answer.content.read(ANSWER_BYTES)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise NotSent(_why(error)) from error
        if not 200 <= status < 300:
            words = legible(text[:200].decode(errors="replace").strip())
            raise NotSent(f"it answered {status}" + (f": {words}" if words else ""), refused=status in REFUSALS)

    async def close(self) -> None:
        """Close the connections."""
        if self._session:
            await self._session.close()
            self._session = None

    def _tls(self) -> ssl.SSLContext | bool:
        """Whom to trust; made anew where the file has changed."""
        if self._endpoint.ca_file is None:
            return True
        text = _read(self._endpoint.ca_file, "the CA").encode()
        if self._trust is None or self._trust[0] != text:
            try:
                self._trust = text, ssl.create_default_context(cadata=text.decode())
            except (ssl.SSLError, ValueError) as error:
                raise NotSent(f"{self._endpoint.ca_file} has no certificate: {error}") from error
        return self._trust[1]


def _read(path: Path, what: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise NotSent(f"{what} cannot be read from {path}: {reason}") from error


def _why(error: Exception) -> str:
    """What went wrong, without the URL, which may be a secret."""
    if isinstance(error, aiohttp.InvalidURL):
        return "the URL is none"
    if isinstance(error, TimeoutError):
        return "there was no answer in time"
    return f"{type(error).__name__}: {legible(str(error))}"
