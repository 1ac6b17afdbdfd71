"""Calls to the API server as somebody: one at a time, many at once, or so many a second."""

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import aiohttp

T = TypeVar("T")

WIDTH = 32  # calls at once: as many as the operator has under way
_PATCHES = {"merge": "application/merge-patch+json", "json": "application/json-patch+json"}
Object = dict[str, Any]


class Client:
    """Somebody with a token; up to WIDTH connections stay open."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session

    async def call(self, verb: str, path: str, body: Any = None, *, patch: str = "merge", gone_is_fine: bool = False) -> Object:
        """One call; RuntimeError for anything but a success."""
        kind = _PATCHES[patch] if verb == "PATCH" else "application/json"
        data = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        head = {} if body is None else {"Content-Type": kind}
        async with self.session.request(verb, path, data=data, headers=head) as response:
            answer: Object = json.loads(await response.read())
        if response.status >= 300 and not (gone_is_fine and response.status == 404):
            raise RuntimeError(f"{verb} {path}: {response.status} {answer.get('message')}")
        return answer


@asynccontextmanager
async def client(server: str, ca_file: str, token: str) -> AsyncIterator[Client]:
    """A client for as long as the block lasts."""
    tls = ssl.create_default_context(cafile=ca_file)
    connector = aiohttp.TCPConnector(ssl=tls, keepalive_timeout=75, limit=4 * WIDTH)
    head = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(server, connector=connector, headers=head) as session:
        yield Client(session)


async def at_once(calls: Iterable[Callable[[], Awaitable[T]]], width: int = WIDTH) -> list[T]:
    """Make all the calls, `width` at a time; the answers in the order of the calls."""
    waiting = list(enumerate(calls))
    waiting.reverse()
    answers: dict[int, T] = {}

    async def work() -> None:
        while waiting:
            number, call = waiting.pop()
            answers[number] = await call()

    async with asyncio.TaskGroup() as group:
        for _ in range(width):
            group.create_task(work())
    return [answers[number] for number in sorted(answers)]


async def on_time(calls: Sequence[tuple[float, Callable[[], Awaitable[T]]]], width: int | None = None) -> list[T]:
    """Begin each call at its time (`time.time`), whether or not earlier ones are done; `width` bounds how many are under way."""
    room = asyncio.Semaphore(width or len(calls))

    async def one(at: float, call: Callable[[], Awaitable[T]]) -> T:
        await asyncio.sleep(max(0.0, at - time.time()))
        async with room:
            return await call()

    return await asyncio.gather(*(one(at, call) for at, call in calls))


def each(rate: float, calls: Iterable[Callable[[], Awaitable[T]]]) -> list[tuple[float, Callable[[], Awaitable[T]]]]:
    """Times for calls of which `rate` begin each second, from now on."""
    start = time.time() + 0.05
    return [(start + number / rate, call) for number, call in enumerate(calls)]
