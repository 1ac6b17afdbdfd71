"""When access may begin: windows by the clock on the wall of their time zone. Pure, and exact to the instant.

A moment is inside a window if the clock there then shows a time from `opens` on and before `closes`, on a day of the window. So
where the clock is set forward, a window that would open in the hour that is skipped opens at the first instant after it, and one
that lies in it altogether does not open; where the clock is set back, what the clock shows twice is inside both times.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from jitaccess.domain.terms import DAYS, Window

_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)
# A window opens every week, unless the clock skips it: then a week later.
_FURTHEST = timedelta(days=15)
_DAYS_BY_NAME = 6  # so many days ahead the name of a day says which one; further ahead it takes a date


def is_open(windows: Iterable[Window], now: datetime) -> bool:
    """Whether a moment is inside any of the windows."""
    return any(_inside(window, now) for window in windows)


def next_opening(windows: tuple[Window, ...], now: datetime) -> datetime | None:
    """The first instant, from a moment outside of all windows on, that is inside one; None if there is none."""
    return next((edge for edge in _edges(windows, now, now + _FURTHEST) if is_open(windows, edge)), None)


def closing(windows: tuple[Window, ...], now: datetime, latest: datetime) -> datetime:
    """The first instant, from a moment inside on, that is outside of all windows; `latest` if that comes first."""
    return next((edge for edge in _edges(windows, now, latest) if not is_open(windows, edge)), latest)


def opens_in_words(windows: tuple[Window, ...], opening: datetime, now: datetime) -> str:
    """When a window opens, by the clock of its zone: `opens Mon 08:00 CET`, with the date where that is far ahead."""
    zone = next((window.zone for window in windows if _inside(window, opening)), "Etc/UTC")
    there, today = opening.astimezone(ZoneInfo(zone)), now.astimezone(ZoneInfo(zone)).date()
    day = there.strftime(" %Y-%m-%d") if (there.date() - today).days > _DAYS_BY_NAME else ""
    return f"opens {DAYS[there.weekday()]}{day} {there:%H:%M %Z}"


def in_words(window: Window) -> str:
    """A window as people write it: `Mon to Fri 08:00 to 18:00 Europe/Berlin`."""
    hours = f"{_clock(window.opens)} to {_clock(window.closes)}"
    return f"{_days(window.days)} {hours} {window.zone}".lstrip()


def _days(days: frozenset[int]) -> str:
    if len(days) == len(DAYS):
        return "every day"
    first, last = min(days), max(days)
    if len(days) > 2 and days == frozenset(range(first, last + 1)):
        return f"{DAYS[first]} to {DAYS[last]}"
    return ", ".join(DAYS[day] for day in sorted(days))


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _inside(window: Window, moment: datetime) -> bool:
    there = moment.astimezone(ZoneInfo(window.zone))
    minute, today = there.hour * 60 + there.minute, there.weekday()
    if window.opens < window.closes:
        return today in window.days and window.opens <= minute < window.closes
    over_midnight = (today - 1) % len(DAYS) in window.days
    return (today in window.days and minute >= window.opens) or (over_midnight and minute < window.closes)


def _edges(windows: tuple[Window, ...], after: datetime, until: datetime) -> Iterator[datetime]:
    """Every instant between the two at which a moment may come to be inside or outside of a window, in order."""
    start = after.astimezone(UTC)
    while start < until:
        end = min(start + _DAY, until.astimezone(UTC))
        days = [start.date() + offset * _DAY for offset in (-1, 0, 1, 2)]  # of any zone, all that overlap
        found = {edge for window in windows for day in days for edge in _edges_on(window.opens, window.closes, window.zone, day)}
        yield from sorted(edge for edge in found if start < edge <= end)
        start = end


@lru_cache(maxsize=4096)
def _edges_on(opens: int, closes: int, zone: str, day: date) -> tuple[datetime, ...]:
    """When the clock of a zone shows either time on that day, once or twice, and when it is set."""
    midnight, place = datetime.combine(day, time()), ZoneInfo(zone)
    shown = (midnight + timedelta(minutes=minutes) for minutes in (opens, closes))
    edges = [moment.replace(tzinfo=place, fold=fold).astimezone(UTC) for moment in shown for fold in (0, 1)]
    return (*edges, *_set_between(midnight.replace(tzinfo=UTC), place))


def _set_between(start: datetime, zone: ZoneInfo) -> tuple[datetime, ...]:
    """The second within a day of that instant at which the clock of a zone is set, if it is."""
    end = start + _DAY
    before = start.astimezone(zone).utcoffset()
    if before == end.astimezone(zone).utcoffset():
        return ()
    while end - start > _SECOND:
        middle = start + (end - start) // 2 // _SECOND * _SECOND
        start, end = (middle, end) if middle.astimezone(zone).utcoffset() == before else (start, middle)
    return (end,)
