"""When the next checkpoint of a sink is due, what it names, and that it is stored before it is sent."""

import math
from collections.abc import Callable
from datetime import datetime

from jitaccess.kube.clock import uptime
from jitaccess.manifests.checkpoint import Head, checkpoint
from jitaccess.manifests.cloudevent import Event
from jitaccess.publish.audit.cursors import Cursors
from jitaccess.publish.audit.pace import MOST_HEADS, Pace


class Sealer:
    """The checkpoints of one sink, since we lead."""

    def __init__(self, sink: str, cursors: Cursors, now: Callable[[], datetime], pace: Pace) -> None:
        self._sink = sink
        self._cursors = cursors
        self._now = now
        self._pace = pace
        self._heads: dict[str, Head] = {}  # by the UID of the request: the last that was sent since the checkpoint before
        self._events = 0
        self._at = 0.0

    def begin(self) -> None:
        """Count from here."""
        self._heads, self._events, self._at = {}, 0, uptime()

    def sent(self, uid: str, head: Head, events: int) -> None:
        """So many events of a request have arrived, and that is the last of them."""
        self._heads[uid] = head
        self._events += events

    def is_due(self, *, complete: bool) -> bool:
        """Whether there should be a checkpoint now.

        Not before all is sent again that whoever led before us may have sent: it, too, is for the next checkpoint to name.
        """
        if not complete:
            return len(self._heads) >= MOST_HEADS
        return uptime() >= self.next(complete=True) or self._events >= self._pace.checkpoint_events

    def next(self, *, complete: bool) -> float:
        """When the next is due if nothing happens (uptime)."""
        return self._at + self._pace.checkpoint_seconds if complete else math.inf

    async def seal(self, version: int, since: str, *, complete: bool) -> Event:
        """Store the next checkpoint, and return it to be sent; Outage, Refused or Conflict where it cannot be stored.

        `version` and `since`: up to where everything was sent.
        """
        cursor, cluster = await self._cursors.load(self._sink, fresh=False), await self._cursors.cluster_uid()
        event = checkpoint(cursor, self._sink, self._heads, cluster, self._now(), complete=complete)
        await self._cursors.store(self._sink, cursor.then(event, version, since))
        self.begin()
        return event
