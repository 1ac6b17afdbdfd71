"""What time it is: the wall clock, for what people read, and a clock that nobody sets."""

import time
from datetime import UTC, datetime

# Unlike time.monotonic(), it goes on while the machine is suspended.
_CLOCK: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def utcnow() -> datetime:
    """The wall clock in UTC, in whole milliseconds: the resolution of everything we record."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def uptime() -> float:
    """Seconds on a clock that nobody sets."""
    return time.clock_gettime(_CLOCK)
