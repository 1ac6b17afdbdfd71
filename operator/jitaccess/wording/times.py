"""Times as people say them."""

import time
from datetime import datetime, timedelta
from itertools import pairwise

_UNITS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))


def span(length: timedelta) -> str:
    """A length of time in at most two units: `43m`, `1h12m`, `9s`, `3d4h`."""
    seconds = max(0, round(length.total_seconds()))
    for (unit, size), (lesser, small) in pairwise(_UNITS):
        if seconds >= size:
            rest = seconds % size // small
            fine = rest and (unit != "m" or seconds < 600)  # seconds only matter in the last minutes
            return f"{seconds // size}{unit}{rest}{lesser}" if fine else f"{seconds // size}{unit}"
    return f"{seconds}s"


def relative(moment: datetime, now: datetime) -> str:
    """`in 43m` or `5m ago`."""
    return f"in {span(moment - now)}" if moment > now else f"{span(now - moment)} ago"


def clock(moment: datetime, now: datetime) -> str:
    """The local wall-clock time, with the date where it is another day."""
    local, today = moment.astimezone(), now.astimezone().date()
    return local.strftime("%H:%M:%S" if local.date() == today else "%Y-%m-%d %H:%M:%S")


def zone(now: datetime) -> str:
    """The name of the local time zone."""
    return now.astimezone().tzname() or "local time"


def span_since(started: float) -> str:
    """How long ago that was, by the monotonic clock."""
    return span(timedelta(seconds=time.monotonic() - started))
