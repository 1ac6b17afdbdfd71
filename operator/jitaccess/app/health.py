"""HTTP for kubelet's probes and for Prometheus: GET of a few fixed paths.

All that a stranger on the network could make large or slow is bounded.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from jitaccess.workqueue.schedule import LONGEST_SLEEP, Schedule

# The waiter looks at least every LONGEST_SLEEP seconds; three missed looks are a hang.
STALE_AFTER = 3 * LONGEST_SLEEP

MOST_CONNECTIONS = 32
REQUEST_BYTES = 4096
CONNECTION_SECONDS = 5.0  # from the first byte of a connection to its last

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered to a GET."""

    status: HTTPStatus
    text: str
    content_type: str = "text/plain; charset=utf-8"

    def encoded(self) -> bytes:
        """The answer as HTTP/1.1 has it; each is the last one on its connection."""
        body = self.text.encode()
        head = f"HTTP/1.1 {self.status.value} {self.status.phrase}\r\nContent-Type: {self.content_type}\r\n"
        return f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body


Routes = Mapping[str, Callable[[], Answer]]


def probes(
    schedule: Schedule, ended: Callable[[], str], problems: Callable[[], tuple[str, ...]], remarks: Callable[[], tuple[str, ...]]
) -> Routes:
    """The paths /livez and /readyz: what is wrong (`ended`, `problems`) is in the body of a 503, `remarks` in that of a 200."""

    def livez() -> Answer:
        silent = time.monotonic() - schedule.beat
        stale = f"the clock has not looked for {silent:.0f} s" if silent > STALE_AFTER else ""
        return _verdict([problem for problem in (ended(), stale) if problem], ())

    def readyz() -> Answer:
        return _verdict([problem for problem in (ended(), *problems()) if problem], remarks())

    return {"/livez": livez, "/readyz": readyz}


def _verdict(problems: list[str], remarks: tuple[str, ...]) -> Answer:
    if problems:
        return Answer(HTTPStatus.SERVICE_UNAVAILABLE, "\n".join(problems) + "\n")
    return Answer(HTTPStatus.OK, "ok" + "".join(remarks) + "\n")


class HealthServer:
    """Answers one request a connection; when there are too many connections, the oldest makes room for the newest.

    A probe sends its request at once and is answered within milliseconds, so it is never the oldest for long.
    """

    def __init__(self, routes: Routes) -> None:
        self._routes = routes
        self._server: asyncio.Server | None = None
        self._open: dict[asyncio.StreamWriter, None] = {}

    async def start(self, host: str, port: int) -> str:
        """Listen; port 0 takes a free one. Returns the address."""
        self._server = await asyncio.start_server(
            self._serve, host, port, limit=REQUEST_BYTES, backlog=MOST_CONNECTIONS, reuse_address=True
        )
        address = "{}:{}".format(*self._server.sockets[0].getsockname()[:2])
        log.info("serving %s", " and ".join(self._routes), extra={"health_address": address})
        return address

    async def close(self) -> None:
        """Stop listening, and drop who is still connected."""
        if self._server:
            self._server.close()
        for writer in list(self._open):
            writer.transport.abort()
        if self._server:
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while len(self._open) >= MOST_CONNECTIONS:
            oldest = next(iter(self._open))
            del self._open[oldest]
            oldest.transport.abort()
        self._open[writer] = None
        try:
            # Who is too slow, or hangs up, gets no answer and is no news.
            with contextlib.suppress(TimeoutError, OSError, asyncio.IncompleteReadError):
                async with asyncio.timeout(CONNECTION_SECONDS):
                    writer.write((await self._answer(reader)).encoded())
                    writer.close()
                    await writer.wait_closed()
        finally:
            self._open.pop(writer, None)
            writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader) -> Answer:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            return Answer(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"a request has at most {REQUEST_BYTES} bytes\n")
        words = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            return Answer(HTTPStatus.BAD_REQUEST, "this is not HTTP/1.1\n")
        if words[0] != "GET":
            return Answer(HTTPStatus.METHOD_NOT_ALLOWED, "only GET is answered\n")
        route = self._routes.get(words[1].partition("?")[0])
        return route() if route else Answer(HTTPStatus.NOT_FOUND, f"there is only {', '.join(self._routes)}\n")
