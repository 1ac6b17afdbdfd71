"""Tasks that should run for ever, and the end of the process: wanted or not, it comes, and in order where that is possible."""

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Callable, Coroutine
from types import FrameType
from typing import Any, Self

SIGNALS = (signal.SIGTERM, signal.SIGINT)
LAST_EXIT_SECONDS = 20.0  # kubelet kills after 30

log = logging.getLogger(__name__)


class Ended(Exception):
    """A task that should run for ever has ended, and everything with it."""


class Termination:
    """The end of the process: begun by SIGTERM, SIGINT or `begin`, and enforced if it is not over after `seconds`.

    As a context it gives the signals back.
    """

    def __init__(self, seconds: float = LAST_EXIT_SECONDS, give_up: Callable[[], None] | None = None) -> None:
        self.begun = asyncio.Event()
        self._seconds = seconds
        self._give_up = give_up or _give_up
        self._last: threading.Timer | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._before = {number: signal.getsignal(number) for number in SIGNALS}

    def listen(self) -> None:
        """Take the signals, also from whoever (Kopf) has taken them since the last time."""
        self._loop = asyncio.get_running_loop()
        for number in SIGNALS:
            # Not add_signal_handler: a loop that hangs would not hear it, and the last line must hold even then.
            self._loop.remove_signal_handler(number)
            signal.signal(number, self._signalled)

    def begin(self) -> None:
        """Ask for the end, and make sure that it comes."""
        self._enforce()
        self.begun.set()

    def _signalled(self, _number: int, _frame: FrameType | None) -> None:
        self._enforce()
        if self._loop and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.begun.set)

    def _enforce(self) -> None:
        if self._last is None:
            self._last = threading.Timer(self._seconds, self._give_up)
            self._last.daemon = True
            self._last.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._last:
            self._last.cancel()
        for number, handler in self._before.items():
            signal.signal(number, handler)


def _give_up() -> None:
    # No logging: whatever hangs may hold its lock.
    os.write(2, b'{"level": "CRITICAL", "message": "the operator did not stop in time: it is ended as it stands"}\n')
    os._exit(1)


class ForEver:
    """Tasks of which each should run for ever; `ended` is called when one does not, and `problem` says which."""

    def __init__(self, ended: Callable[[], None]) -> None:
        self.problem = ""
        self._ended = ended
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False

    def start(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Start one; `name` says what it does."""
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._note)
        self._tasks.append(task)

    def expect_end(self) -> None:
        """From here on it is no news that one ends."""
        self._stopping = True

    async def stop(self) -> None:
        """End them all, and wait until they have ended."""
        self.expect_end()
        for task in self._tasks:
            task.cancel()
        for outcome in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(outcome, Exception) and not self.problem:
                log.error("not stopped cleanly: %s", outcome)

    def _note(self, task: asyncio.Task[None]) -> None:
        if self._stopping:
            return
        error = None if task.cancelled() else task.exception()
        self.problem = self.problem or f"{task.get_name()} has ended: {_cause(task, error)}"
        log.critical("the operator stops: %s", self.problem, exc_info=error)
        self._ended()


def _cause(task: asyncio.Task[None], error: BaseException | None) -> str:
    if error:
        return f"{type(error).__name__}: {error}"
    return "it was cancelled" if task.cancelled() else "it returned"
