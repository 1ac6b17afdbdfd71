"""Where events go: lines in a file or on standard output, or signed HTTP requests. One that does not take them raises NotSent."""

import asyncio
import contextlib
import os
import queue
import stat
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from jitaccess.manifests.cloudevent import CONTENT_TYPE, Event, as_line, canonical
from jitaccess.publish.webhook import Endpoint, Message, NotSent, Webhook

PATIENCE = 10.0  # seconds for a disk, or whoever reads our standard output


class Sink(Protocol):
    """Takes events, those of one call in their order."""

    async def put(self, events: Sequence[Event]) -> None:
        """Return once all of them are taken; NotSent if not all were."""

    async def close(self) -> None:
        """Let go of what it holds."""


class HttpSink:
    """Sends each event as a request of its own (CloudEvents in structured mode), signed as Standard Webhooks has it."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._webhook = Webhook(endpoint)

    async def put(self, events: Sequence[Event]) -> None:
        """Send them one after the other."""
        for event in events:
            await self._webhook.send(Message(event["id"], canonical(event), CONTENT_TYPE))

    async def close(self) -> None:
        """Close the connections."""
        await self._webhook.close()


@dataclass(frozen=True, slots=True)
class _Job:
    work: Callable[[], None]
    done: Future[None]


class Worker:
    """A thread for what may block for ever, and may then be left behind: neither our loop nor our end waits for it."""

    def __init__(self, name: str) -> None:
        self._jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._busy: Future[None] | None = None
        threading.Thread(target=self._run, name=name, daemon=True).start()

    async def do(self, work: Callable[[], None], patience: float) -> None:
        """Do it; NotSent if it takes longer than `patience` seconds, or what was to be done before still does."""
        if self._busy and not self._busy.done():
            raise NotSent("it still has not taken what it was given before")
        done: Future[None] = Future()
        self._busy = done
        self._jobs.put(_Job(work, done))
        try:
            async with asyncio.timeout(patience):
                await asyncio.shield(asyncio.wrap_future(done))
        except TimeoutError as error:
            raise NotSent("it takes nothing") from error

    def _run(self) -> None:
        while True:
            job = self._jobs.get()
            try:
                job.work()
            except OSError as error:
                job.done.set_exception(NotSent(error.strerror or str(error)))
            else:
                job.done.set_result(None)


class LineSink:
    """Appends each event as a line to a file, or to standard output (no path)."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._worker = Worker(f"audit {path or 'stdout'}")
        self._lock = asyncio.Lock()

    async def put(self, events: Sequence[Event]) -> None:
        """Write them at once; where that fails midway, nothing of them stays if it can be helped."""
        text = b"".join(map(as_line, events))
        async with self._lock:
            await self._worker.do(lambda: self._write(text), PATIENCE)

    async def close(self) -> None:
        """The file is open only while it is written to."""

    def _write(self, text: bytes) -> None:
        if self._path is None:
            return _write_all(sys.stdout.fileno(), text)
        # Opened each time: a log rotation moves the file away.
        descriptor = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                _append(descriptor, text)
            else:
                _write_all(descriptor, text)
        finally:
            os.close(descriptor)


def _append(descriptor: int, text: bytes) -> None:
    """Append to a regular file, durably; what a crash has left of a line is ended first."""
    size = os.fstat(descriptor).st_size
    torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
    try:
        _write_all(descriptor, b"\n" + text if torn else text)
        os.fsync(descriptor)
    except OSError:
        with contextlib.suppress(OSError):  # of which we are about to tell
            os.ftruncate(descriptor, size)
        raise


def _write_all(descriptor: int, text: bytes) -> None:
    rest = memoryview(text)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
