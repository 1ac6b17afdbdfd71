"""One heap of deadlines and one queue of news; whatever is due is fired, and what fails is fired again.

One waiter sleeps at most `LONGEST_SLEEP` and looks at the clock anew, so that neither a stepped clock nor a suspended machine can
shift an expiry.
"""

import asyncio
import contextlib
import heapq
import itertools
import logging
import random
import time
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from jitaccess.domain.model import Key
from jitaccess.manifests.resources import Resource

LONGEST_SLEEP = 30.0
FIRST_RETRY = 0.05
LONGEST_RETRY = 60.0
LONGEST_OUTAGE_RETRY = 5.0  # what an outage has kept from ending must end soon after it
RESOLUTION = 0.001  # of the clock, in seconds
SPARE_ENTRIES = 64  # dead entries of the heap that are not worth cleaning up

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Target:
    """Which object to look at: a request or a policy, by key."""

    resource: Resource
    key: Key

    def __str__(self) -> str:
        return f"{self.resource.kind} {self.key}"


class Schedule:
    """Fires each target when it is due by the clock `now`, never the same one twice at once, deadlines before news.

    Nothing is fired while `may_fire` says no; after it has changed its mind, `wake` must be called.
    """

    def __init__(
        self,
        fire: Callable[[Target], Awaitable[None]],
        now: Callable[[], datetime],
        *,
        concurrency: int = 32,
        may_fire: Callable[[], bool] = lambda: True,
    ) -> None:
        self._fire = fire
        self._now = now
        self._may_fire = may_fire
        self._concurrency = concurrency
        self._heap: list[tuple[float, int, Target]] = []
        self._deadlines: dict[Target, float] = {}
        self._news: OrderedDict[Target, None] = OrderedDict()  # unlike a dict, it takes from its front at no cost
        self._running: dict[Target, asyncio.Task[None]] = {}
        self._attempts: dict[Target, int] = {}
        self.retries: Counter[str] = Counter()  # by kind of object, since the start
        self._order = itertools.count()
        self._wake = asyncio.Event()
        self._open = True
        self.beat = time.monotonic()  # when the waiter last looked, for the liveness probe

    @property
    def waiting(self) -> int:
        """How many targets are to be looked at as soon as possible."""
        return len(self._news)

    @property
    def retrying(self) -> int:
        """How many targets are not as they should be, and are tried again."""
        return len(self._attempts)

    @property
    def planned(self) -> int:
        """How many targets have a deadline."""
        return len(self._deadlines)

    def soon(self, target: Target) -> None:
        """Something happened to the target: look at it as soon as possible."""
        self._news[target] = None
        self._wake.set()

    def wake(self) -> None:
        """Look again at what is due."""
        self._wake.set()

    def at(self, target: Target, moment: datetime) -> None:
        """Look at the target at that moment; a target has one deadline, the earliest that was set since it last fired."""
        due = moment.timestamp()
        if due < self._deadlines.get(target, float("inf")):
            self._deadlines[target] = due
            heapq.heappush(self._heap, (due, next(self._order), target))
            self._drop_dead()
            self._wake.set()

    def retry(self, target: Target, longest: float = LONGEST_RETRY) -> float:
        """Look at the target again after a while, longer each time until `done`, at most `longest` seconds; returns them."""
        attempt = self._attempts.get(target, 0)
        self._attempts[target] = attempt + 1
        self.retries[target.resource.kind] += 1
        delay: float = min(FIRST_RETRY * 2.0 ** min(attempt, 16), longest) * random.uniform(0.8, 1.2)  # noqa: S311 (spread)
        self.at(target, self._now() + timedelta(seconds=delay))
        return delay

    def attempts(self, target: Target) -> int:
        """How often the target was to be tried again since it was last as it should be."""
        return self._attempts.get(target, 0)

    def done(self, target: Target) -> None:
        """The target is as it should be: the next retry starts from the shortest delay again."""
        self._attempts.pop(target, None)

    def forget(self, target: Target) -> None:
        """Drop everything that is planned for the target."""
        self._news.pop(target, None)
        self._deadlines.pop(target, None)
        self._attempts.pop(target, None)

    async def run(self) -> None:
        """Fire what is due until `stop`."""
        while self._open:
            self.beat = time.monotonic()
            self._wake.clear()
            while self._has_room() and (target := self._next()):
                self._running[target] = asyncio.create_task(self._fire_once(target))
            # Not wait_for: it makes a task each time, and Kopf waits seconds for tasks that were made after its own.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pause()):
                    await self._wake.wait()

    async def stop(self, patience: float) -> None:
        """Fire nothing more, and let what is running finish; what is not done after `patience` seconds is cancelled."""
        self._open = False
        self._wake.set()
        if not self._running:
            return
        _, late = await asyncio.wait(list(self._running.values()), timeout=patience)
        for task in late:
            task.cancel()

    def _has_room(self) -> bool:
        return len(self._running) < self._concurrency and self._may_fire()

    def _next(self) -> Target | None:
        now = self._now().timestamp()
        while self._heap and self._heap[0][0] <= now:
            due, _, target = heapq.heappop(self._heap)
            if self._deadlines.get(target) == due:
                del self._deadlines[target]
                if target not in self._running:
                    return self._take(target)
                self._news[target] = None
        free = next((target for target in self._news if target not in self._running), None)
        return self._take(free) if free else None

    def _take(self, target: Target) -> Target:
        self._news.pop(target, None)
        return target

    def _pause(self) -> float:
        if not self._has_room() or not self._heap:
            return LONGEST_SLEEP
        # A clock that tells milliseconds is behind by up to one: to look right after the moment, not right before it.
        return min(LONGEST_SLEEP, max(0.0, self._heap[0][0] - self._now().timestamp()) + RESOLUTION)

    def _drop_dead(self) -> None:
        """Make the heap anew from the deadlines that still hold, once most of what is in it does not."""
        if len(self._heap) > 2 * len(self._deadlines) + SPARE_ENTRIES:
            self._heap = [(due, next(self._order), target) for target, due in self._deadlines.items()]
            heapq.heapify(self._heap)

    async def _fire_once(self, target: Target) -> None:
        try:
            await self._fire(target)
        except Exception:  # the one place where an error of any kind is caught, reported, and tried again
            delay = self.retry(target, LONGEST_OUTAGE_RETRY)
            facts = {"object": str(target), "retry_seconds": round(delay, 1)}
            if self._may_fire():
                log.exception("trying again", extra=facts)
            else:
                log.info("left to whoever may go on", extra=facts)  # the Lease was lost on the way
        finally:
            del self._running[target]
            self._wake.set()
