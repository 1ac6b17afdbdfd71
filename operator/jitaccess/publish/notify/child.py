"""The process that sends over Apprise (posting.py): there while there is something to send, and ended a while after.

Apprise brings 40 MB and a second of imports, and some of its services wait for ever: none of that is in the operator's process,
and what hangs is killed.
"""

import asyncio
import itertools
import json
import logging
import os
import sys
from typing import Any, TypeVar

from jitaccess.publish.notify.verdicts import Fate, Sent

IDLE_SECONDS = 60.0
ANSWER_SECONDS = 60.0  # what has not answered by then hangs
END_SECONDS = 2.0
LONGEST_LINE = 1 << 16
# What the process may know: how to reach the network, and nothing of ours.
_PASSED = ("PATH", "LANG", "LC_ALL", "TZ", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
_TRUST = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")

log = logging.getLogger(__name__)

Pipe = TypeVar("Pipe", asyncio.StreamReader, asyncio.StreamWriter)


class Running:
    """One process, and who waits for its answers."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.waiting: dict[int, asyncio.Future[Sent]] = {}
        self.pid = process.pid
        self._finished = False
        self._process = process
        self._last_words = asyncio.create_task(self._listen(), name="the last words of what sends messages")
        self._reading = asyncio.create_task(self._read(), name="what became of messages")

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return not self._reading.done()

    async def ask(self, number: int, asked: dict[str, Any]) -> Sent:
        """Ask it for something, and wait for the answer; OSError if it has ended, Sent if it ends over it."""
        answer: asyncio.Future[Sent] = asyncio.get_running_loop().create_future()
        self.waiting[number] = answer
        try:
            stdin = _pipe(self._process.stdin)
            stdin.write(json.dumps({"id": number, **asked}).encode() + b"\n")
            await stdin.drain()
            return await answer
        finally:
            del self.waiting[number]

    def finish(self) -> None:
        """Let it end once it has done what it was asked for."""
        self._finished = True
        _pipe(self._process.stdin).close()

    def kill(self) -> None:
        """End it as it stands."""
        if self._process.returncode is None:
            self._process.kill()

    async def end(self, patience: float) -> None:
        """End it, and see that it has ended."""
        self.finish()
        _, late = await asyncio.wait([self._reading], timeout=patience)
        if late:
            self.kill()
        await self._reading

    async def _read(self) -> None:
        async for line in _pipe(self._process.stdout):
            answer = json.loads(line)
            if (waiting := self.waiting.get(answer["id"])) and not waiting.done():
                waiting.set_result(Sent(Fate(answer["fate"]), answer.get("why", "")))
        words, code = await self._last_words, await self._process.wait()
        if code and not self._finished:
            log.warning("what sends messages has ended with %s: %s", code, words)
        for waiting in self.waiting.values():  # it may have sent these, or not
            if not waiting.done():
                waiting.set_result(Sent(Fate.UNKNOWN, words or "what sends messages has ended"))

    async def _listen(self) -> str:
        words = ""
        async for line in _pipe(self._process.stderr):
            words = line.decode(errors="replace").strip() or words
        return words


class Child:
    """Asks a process, which is there while it is needed; every call waits for its own answer."""

    def __init__(self, idle: float = IDLE_SECONDS, patience: float = ANSWER_SECONDS) -> None:
        self._idle = idle
        self.patience = patience  # seconds until what has not answered is held to hang
        self._running: Running | None = None
        self._started: set[Running] = set()  # all that may not have ended yet
        self._numbers = itertools.count(1)
        self._starting = asyncio.Lock()
        self._rest: asyncio.TimerHandle | None = None

    async def send(self, url: str, title: str, body: str) -> Sent:
        """Send one message to the place that an Apprise URL means."""
        return await self._ask({"do": "send", "url": url, "title": title, "body": body})

    async def check(self, url: str) -> str:
        """Why Apprise cannot send to a URL; empty if it can."""
        sent = await self._ask({"do": "check", "url": url})
        return "" if sent.fate is Fate.TAKEN else sent.why

    @property
    def pid(self) -> int | None:
        """Which process it is, while there is one."""
        return self._running.pid if self._running else None

    async def close(self) -> None:
        """End the process."""
        if self._rest:
            self._rest.cancel()
        for running in self._started:
            await running.end(END_SECONDS)
        self._started.clear()
        self._running = None

    async def _ask(self, asked: dict[str, Any]) -> Sent:
        async with self._starting:
            if self._running is None or not self._running.alive:
                self._started = {running for running in self._started if running.alive}
                self._running = Running(await _start())
                self._started.add(self._running)
            running = self._running
        try:
            async with asyncio.timeout(self.patience):
                return await running.ask(next(self._numbers), asked)
        except TimeoutError:
            log.warning("what sends messages hangs, and is ended")
            running.kill()
            if self._running is running:
                self._running = None
            return Sent(Fate.UNKNOWN, "it did not answer in time")
        except OSError as error:
            return Sent(Fate.UNKNOWN, f"what sends messages has ended: {error.strerror or error}")
        finally:
            self._rest_soon()

    def _rest_soon(self) -> None:
        """End the process when nothing has been asked of it for a while."""
        if self._rest:
            self._rest.cancel()
        self._rest = asyncio.get_running_loop().call_later(self._idle, self._rest_now)

    def _rest_now(self) -> None:
        if self._running and not self._running.waiting:
            self._running.finish()
            self._running = None


async def _start() -> asyncio.subprocess.Process:
    environment = {name: os.environ[name] for name in (*_PASSED, *_TRUST) if name in os.environ}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "jitaccess.publish.notify.posting"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=LONGEST_LINE,
        env=environment | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )


def _pipe(pipe: Pipe | None) -> Pipe:
    if pipe is None:
        raise RuntimeError("the process was started without its pipes")
    return pipe
