"""An event loop that does nothing by itself: it runs what is ready when it is told to, on a clock that somebody else moves."""

import asyncio
import heapq
import itertools
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, TypeVar, TypeVarTuple, Unpack

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class TurnLoop(asyncio.AbstractEventLoop):
    """One process' loop. `turn` runs everything that is ready; whatever waits for time or for an answer stays where it is."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._ready: deque[asyncio.Handle] = deque()
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._order = itertools.count()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._dropped = False

    def turn(self) -> None:
        """Run what is ready or due, until everything waits."""
        asyncio._set_running_loop(self)
        try:
            while self._ready or self._due():
                while self._timers and self._timers[0][0] <= self._now():
                    self._ready.append(heapq.heappop(self._timers)[2])
                if self._ready and not (handle := self._ready.popleft()).cancelled():
                    handle._run()
        finally:
            asyncio._set_running_loop(None)

    @property
    def next_timer(self) -> float:
        """When something is due next; infinity if nothing is."""
        while self._timers and self._timers[0][2].cancelled():
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else float("inf")

    def drop(self) -> None:
        """The process dies: what was under way ends where it stands, and its memory is gone."""
        tasks, self._tasks, self._dropped = self._tasks, set(), True
        asyncio._set_running_loop(self)
        try:
            for task in tasks:
                task._log_destroy_pending = False  # type: ignore[attr-defined]  # else each one would be reported
                coroutine = task.get_coro()
                if not task.done() and coroutine is not None:
                    coroutine.close()
        finally:
            asyncio._set_running_loop(None)
        self._ready.clear()
        self._timers.clear()

    def _due(self) -> bool:
        return self.next_timer <= self._now()

    # --- what asyncio asks of a loop

    def time(self) -> float:
        return self._now()

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def call_soon(self, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_later(
        self, delay: float, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self._now() + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._timers, (when, next(self._order), handle))
        return handle

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(self, coro: Coroutine[Any, Any, T], **options: Any) -> asyncio.Task[T]:  # type: ignore[override]
        task: asyncio.Task[T] = asyncio.Task(coro, loop=self, **options)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if not self._dropped:
            raise AssertionError(context)

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """It is skipped when its time comes."""
