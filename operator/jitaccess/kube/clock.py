"""What time it is: the API server's time, told forward by a clock that nobody sets.

A machine's wall clock can be set, forwards and backwards. Every answer of the API server carries its own time (the Date header),
to the second; between answers a monotonic clock counts. So the end of a grant is the same instant for every replica, for
kube-controller-manager and for whoever reads the record, whatever happens to the operator's own clock.
"""

import logging
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

# Unlike time.monotonic(), it goes on while the machine is suspended.
_BOOTTIME: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

DATE_SECONDS = 1.0  # a Date header is cut to whole seconds
STRIKES = 3  # answers in a row that contradict what was known, and agree with each other, before they are believed
# How much slower than the monotonic clock we go to let an API server catch up with us: more than a quartz drifts, and so little
# that an hour of access is never longer than an hour and 0.4 s.
SLEW = 1e-4

log = logging.getLogger(__name__)


def utcnow() -> datetime:
    """The machine's own wall clock in UTC, in whole milliseconds: the resolution of everything we record."""
    return _moment(time.time())


def uptime() -> float:
    """Seconds on a clock that nobody sets."""
    return time.clock_gettime(_BOOTTIME)


class Clock:
    """Tells the API server's time, and never goes back from the first answer on.

    The machine's wall clock is believed as far as it agrees with the answers of the API server. Offsets are seconds to add to
    the monotonic clock. `observe` is to be called with every answer.
    """

    def __init__(self, wall: Callable[[], datetime] = utcnow, monotonic: Callable[[], float] = uptime) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._lowest, self._highest = -math.inf, math.inf  # what the offset of the API server can be, by all answers
        self._offset = -math.inf
        self._told_at = 0.0
        self._strikes = 0
        self._doubt = -math.inf, math.inf  # what the offset would be by the answers that contradict what was known

    def now(self) -> datetime:
        """The time in UTC, in whole milliseconds."""
        monotonic = self._monotonic()
        if self._lowest == -math.inf:
            return self._wall()  # before the first answer there is nothing to hold it against
        slowest = self._offset - SLEW * (monotonic - self._told_at)
        self._offset = max(slowest, min(max(self._own_offset(monotonic), self._lowest), self._highest))
        self._told_at = monotonic
        return _moment(monotonic + self._offset)

    @property
    def skew(self) -> float:
        """By how many seconds the machine's wall clock is ahead of the API server's (behind: negative); 0.0 where they agree."""
        own = self._own_offset(self._monotonic())
        return own - min(max(own, self._lowest), self._highest)

    def observe(self, date: str, sent: float, received: float) -> None:
        """Learn from the Date header of an answer; `sent` and `received` are times on the monotonic clock (`uptime`)."""
        try:
            when = parsedate_to_datetime(date)
            # One that says "-0000" has no zone by Python's reading.
            stamp = (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            return  # a proxy's; it says nothing about the time
        lowest, highest = stamp - received, stamp + DATE_SECONDS - sent
        if lowest > self._highest or highest < self._lowest:
            self._contradicted(lowest, highest)
            return
        self._believe(max(self._lowest, lowest), min(self._highest, highest))

    def _contradicted(self, lowest: float, highest: float) -> None:
        # One of several API servers with a clock of its own, clocks that drift apart in the course of days, or a step.
        low, high = max(self._doubt[0], lowest), min(self._doubt[1], highest)
        if low > high:
            self._doubt, self._strikes = (lowest, highest), 1
            return
        self._doubt, self._strikes = (low, high), self._strikes + 1
        if self._strikes < STRIKES:
            return
        moved = low - self._highest if low > self._highest else high - self._lowest
        if abs(moved) > DATE_SECONDS:
            log.warning("the API server's clock has moved by about %.1f s", moved)
        self._believe(low, high)

    def _believe(self, lowest: float, highest: float) -> None:
        self._lowest, self._highest = lowest, highest
        self._strikes, self._doubt = 0, (-math.inf, math.inf)

    def _own_offset(self, monotonic: float) -> float:
        return self._wall().timestamp() - monotonic


def _moment(seconds: float) -> datetime:
    now = datetime.fromtimestamp(seconds, UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)
