"""What one sink has not taken yet, and up to which version of the cluster it has taken everything. No I/O."""

import itertools
from collections import OrderedDict, deque
from dataclasses import dataclass, field, replace
from datetime import datetime

from jitaccess.domain.model import AccessRequest, Key
from jitaccess.domain.text import hour_of
from jitaccess.kube.clock import uptime
from jitaccess.manifests.checkpoint import OVERLAP
from jitaccess.manifests.resources import Resource

MOST_BODIES = 256  # requests that are kept whole; the others are read again
LAG = 15.0  # seconds that a version must lie back: longer than any write of ours is under way
DOUBT = 65.0  # seconds until a write without an answer is looked for: an API server gives up its calls after sixty
MARK_EVERY = 1.0


@dataclass(frozen=True, slots=True)
class Waiting:
    """A request of which something is to be sent: from which entry on, and the lowest version that may hold it.

    `since`: the hour from which on it may have been settled. `due`: not to be looked at before. `heard`: since when it waits.
    Both are uptimes.
    """

    resource: Resource
    key: Key
    uid: str
    start: int
    version: int
    since: str
    request: AccessRequest | None = None
    due: float = 0.0
    heard: float = field(default_factory=uptime)

    def merged(self, later: "Waiting") -> "Waiting":
        """Both as one: all that either wants sent, by the later word on it, which may be that it must be read again."""
        return replace(
            later,
            start=min(self.start, later.start),
            version=min(self.version, later.version),
            since=min(self.since, later.since),
            due=min(self.due, later.due),
            heard=min(self.heard, later.heard),
        )


class Backlog:
    """What waits for a sink, since we lead.

    Until `scanned` is set, what was recorded before we led is not known to be sent: so long a request is sent from its first
    entry on, once, and all is known to be sent only up to `version` and `since`, where the last checkpoint left off.
    """

    def __init__(self) -> None:
        self.scanned = False
        self.version = 0
        self.since = ""
        self._waiting: OrderedDict[str, Waiting] = OrderedDict()  # by the UID of the request
        self._taken: dict[str, Waiting] = {}
        self._bodies = 0
        self._sent: set[str] = set()  # since we lead, until all before is known
        self._again: set[str] = set()  # what was found then, and is still to be sent again
        self._marks: deque[tuple[float, int, str]] = deque()
        self._reach, self._reach_since = 0, ""

    @property
    def size(self) -> int:
        """How many requests wait, or are on their way."""
        return len(self._waiting) + len(self._taken)

    def add(self, waiting: Waiting) -> None:
        """Something of a request is to be sent."""
        if not self.scanned and waiting.uid not in self._sent:
            waiting = replace(waiting, start=0)
        if known := self._pop(waiting.uid):
            waiting = known.merged(waiting)
        if waiting.request and self._bodies >= MOST_BODIES:
            waiting = replace(waiting, request=None)
        self._bodies += waiting.request is not None
        self._waiting[waiting.uid] = waiting

    def found(self, waiting: Waiting) -> None:
        """A look through all that may not have been sent has found a request."""
        if waiting.uid not in self._sent and waiting.uid not in self._waiting:
            self.add(waiting)

    def has_sent(self, uid: str) -> bool:
        """Whether all that is on record of a request was sent, as far as we know."""
        return uid not in self._waiting and uid not in self._taken and (self.scanned or uid in self._sent)

    def take(self, count: int, now: float) -> list[Waiting]:
        """The next to be sent, oldest first; each is to be given to `sent` or `put_back`."""
        due = list(itertools.islice((waiting for waiting in self._waiting.values() if waiting.due <= now), count))
        for waiting in due:
            self._pop(waiting.uid)
            self._taken[waiting.uid] = waiting
        return due

    def _pop(self, uid: str) -> Waiting | None:
        waiting = self._waiting.pop(uid, None)
        self._bodies -= waiting is not None and waiting.request is not None
        return waiting

    def sent(self, waiting: Waiting) -> None:
        """All that was taken of it has arrived."""
        self._taken.pop(waiting.uid, None)
        self._again.discard(waiting.uid)
        if not self.scanned:
            self._sent.add(waiting.uid)

    def put_back(self, waiting: Waiting) -> None:
        """It has not: it waits again, behind the others."""
        self._taken.pop(waiting.uid, None)
        later = self._pop(waiting.uid)
        self.add(waiting.merged(later) if later else waiting)

    def age(self, at: float) -> float:
        """How long the oldest has waited at that uptime, in seconds; 0.0 if none does."""
        return max((at - each.heard for each in (*self._waiting.values(), *self._taken.values())), default=0.0)

    def next_due(self) -> float | None:
        """When the next is to be looked at (uptime); None if none waits."""
        return min((waiting.due for waiting in self._waiting.values()), default=None)

    def all_scanned(self) -> None:
        """Everything that was recorded before we led, and not sent, is here now."""
        self.scanned = True
        self._sent.clear()
        self._again = {*self._waiting, *self._taken}

    def refused(self, uid: str) -> None:
        """A sink does not want what is on record of a request: nothing else is to wait for that."""
        self._again.discard(uid)

    @property
    def caught_up(self) -> bool:
        """Whether all that whoever led before us may have sent was sent again."""
        return self.scanned and not self._again

    def mark(self, version: int, at: float, now: datetime) -> None:
        """Everything up to that version is known here; `at` is the uptime."""
        if version >= 0 and (not self._marks or at - self._marks[-1][0] >= MARK_EVERY):
            self._marks.append((at, version, hour_of(now - OVERLAP)))

    def marked_since(self, at: float) -> bool:
        """Whether there was a mark since then."""
        return bool(self._marks) and self._marks[-1][0] >= at

    def reached(self, at: float) -> tuple[int, str]:
        """Up to which version everything was sent, and since which hour what was settled may not have been; at that uptime."""
        if not self.scanned:
            return self.version, self.since
        while self._marks and self._marks[0][0] <= at - LAG:
            _, version, since = self._marks.popleft()
            self._reach, self._reach_since = max(self._reach, version), max(self._reach_since, since)
        waiting = (*self._waiting.values(), *self._taken.values())
        version = min([self._reach, *(each.version - 1 for each in waiting)])
        since = min([self._reach_since, *(each.since for each in waiting)])
        return max(version, self.version), max(since, self.since)
