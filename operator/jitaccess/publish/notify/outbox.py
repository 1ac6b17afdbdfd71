"""What waits to be told, by place: folded in a storm, put off while a place does not answer, given up when it is late. No I/O.

Bounded: a place keeps at most KEPT notices whole, and counts the rest.
"""

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from jitaccess.publish.notify.channels import Address
from jitaccess.publish.notify.notice import Notice
from jitaccess.wording.folding import What

KEPT = 50  # whole, at one place
MOST_PLACES = 2000  # people are places too
MOST_AT_ONCE = 4  # messages on one channel, so that one that hangs leaves room for others
SINGLE, FIRST = 5, 3  # at most so many at once one by one; of more the first few, and the rest in one message
PAUSE, STORM_PAUSE = timedelta(seconds=1), timedelta(seconds=15)
FIRST_RETRY, LONGEST_RETRY = timedelta(seconds=2), timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Parcel:
    """What one message is about: one notice, or many and what was only counted."""

    notices: tuple[Notice, ...]
    counted: tuple[tuple[What, int], ...] = ()

    @property
    def single(self) -> Notice | None:
        """The notice, where it is one alone."""
        return self.notices[0] if len(self.notices) == 1 and not self.counted else None

    @property
    def counts(self) -> Counter[What]:
        """How many of what there are."""
        return Counter(what_of(notice) for notice in self.notices) + Counter(dict(self.counted))


@dataclass
class _Line:
    """What waits for one place."""

    waiting: deque[Notice] = field(default_factory=deque)
    counted: Counter[What] = field(default_factory=Counter)
    not_before: datetime | None = None
    under_way: bool = False

    @property
    def idle(self) -> bool:
        return not (self.waiting or self.counted or self.under_way)


@dataclass
class _Way:
    """A channel, which many places may share: how it did lately, and how many messages are on it."""

    failures: int = 0
    not_before: datetime | None = None
    under_way: int = 0

    def room(self, now: datetime) -> bool:
        """Whether one more may be sent: one alone while it is not known to work."""
        return (self.not_before is None or self.not_before <= now) and self.under_way < (1 if self.failures else MOST_AT_ONCE)


class Outbox:
    """Who is told what next; every notice goes in once, by its mark."""

    def __init__(self) -> None:
        self._lines: dict[Address, _Line] = {}
        self._ways: dict[str, _Way] = {}

    def __len__(self) -> int:
        return sum(len(line.waiting) + line.counted.total() for line in self._lines.values())

    def put(self, notice: Notice) -> bool:
        """Let a notice wait for its turn; False if there is no room for it."""
        line = self._lines.get(notice.address)
        if line is None:
            if len(self._lines) >= MOST_PLACES:
                self._lines = {address: each for address, each in self._lines.items() if not each.idle}
            if len(self._lines) >= MOST_PLACES:
                return False
            line = self._lines[notice.address] = _Line()
        if len(line.waiting) < KEPT:
            line.waiting.append(notice)
        else:
            line.counted[what_of(notice)] += 1
        return True

    def late(self, now: datetime, patience: timedelta) -> list[Notice]:
        """What has waited for too long, and waits no more; what was only counted goes with the last of it."""
        given_up: list[Notice] = []
        for line in self._lines.values():
            if line.under_way or not line.waiting or line.waiting[0].due + patience > now:
                continue
            given_up += [notice for notice in line.waiting if notice.due + patience <= now]
            line.waiting = deque(notice for notice in line.waiting if notice.due + patience > now)
            if not line.waiting:
                line.counted.clear()
        return given_up

    def turns(self, now: datetime) -> Iterator[tuple[Address, list[Parcel]]]:
        """Every place that may be told something now, and what; it gets nothing more until `told` or `failed`."""
        for address, line in self._lines.items():
            if line.under_way or not (line.waiting or line.counted) or (line.not_before and line.not_before > now):
                continue
            way = self._ways.setdefault(address.channel, _Way())
            if not way.room(now):
                continue
            notices, counted = list(line.waiting), tuple(line.counted.items())
            line.waiting.clear()
            line.counted.clear()
            line.under_way = True
            way.under_way += 1
            yield address, list(_parcels(notices, counted))

    def told(self, address: Address, now: datetime, *, storm: bool) -> None:
        """All that a place was to be told in this turn it was told."""
        if line := self._back(address):
            line.not_before = now + (STORM_PAUSE if storm else PAUSE)
            self._ways[address.channel].failures = 0

    def failed(self, address: Address, left: Iterable[Parcel], now: datetime) -> timedelta:
        """A place did not take a message: what is left waits in front of what came since; returns for how long."""
        line, parcels = self._back(address), list(left)
        if line is None:
            return timedelta(0)
        way = self._ways[address.channel]
        pause = min(FIRST_RETRY * 2.0 ** min(way.failures, 16), LONGEST_RETRY)
        way.failures, way.not_before = way.failures + 1, now + pause
        line.waiting.extendleft(notice for parcel in reversed(parcels) for notice in reversed(parcel.notices))
        for parcel in parcels:
            line.counted.update(dict(parcel.counted))
        return pause

    def _back(self, address: Address) -> _Line | None:
        """The line whose turn is over; None if all was forgotten meanwhile."""
        line = self._lines.get(address)
        if line is None or not line.under_way:
            return None
        line.under_way = False
        self._ways[address.channel].under_way -= 1
        return line

    def refused(self) -> list[Notice]:
        """What waits for channels that did not take it: what another replica must know if it is to go on."""
        failing = {channel for channel, way in self._ways.items() if way.failures}
        return [notice for address, line in self._lines.items() if address.channel in failing for notice in line.waiting]

    def everything(self) -> list[Notice]:
        """All that waits, whole."""
        return [notice for line in self._lines.values() for notice in line.waiting]

    def clear(self) -> None:
        """Forget everything: it is another replica's now."""
        self._lines.clear()
        self._ways.clear()


def what_of(notice: Notice) -> What:
    """What a notice counts as where it is not told by itself."""
    return notice.occasion, notice.request.key.namespace


def _parcels(notices: list[Notice], counted: tuple[tuple[What, int], ...]) -> Iterator[Parcel]:
    storm = len(notices) > SINGLE or counted
    alone = notices[:FIRST] if storm else notices
    yield from (Parcel((notice,)) for notice in alone)
    if storm:
        yield Parcel(tuple(notices[len(alone) :]), counted)
