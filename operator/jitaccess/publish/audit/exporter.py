"""One sink, and all that it has to be told while we lead: what is on record and not yet exported, in order per request."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import partial

from jitaccess.kube.api import Cluster, Conflict, Outage, Refused
from jitaccess.kube.clock import uptime
from jitaccess.manifests.checkpoint import Head
from jitaccess.manifests.cloudevent import Event, event_hash, request_events
from jitaccess.manifests.status import UnknownState
from jitaccess.publish.audit.backlog import Backlog, Waiting
from jitaccess.publish.audit.cursors import Cursors, NoCursor
from jitaccess.publish.audit.pace import (
    FIRST_PAUSE,
    IDLE,
    LONGEST_PAUSE,
    MARK_SECONDS,
    MOST_FOUND,
    OUTAGE_PAUSE,
    PACE,
    REFUSED_PAUSE,
    WIDTH,
    Pace,
    Standing,
)
from jitaccess.publish.audit.scanning import current_version, read, scan_somehow
from jitaccess.publish.audit.sealing import Sealer
from jitaccess.publish.audit.sinks import Sink
from jitaccess.publish.audit.trouble import Trouble
from jitaccess.publish.metrics import Metrics, Outcome
from jitaccess.publish.webhook import NotSent

SETTLE = 10.0  # until no write of whoever led before us can be under way any more

log = logging.getLogger(__name__)


class Exporter:
    """Tells one sink; `recorded` and its like only say what of, and never wait."""

    def __init__(
        self,
        name: str,
        sink: Sink,
        cluster: Cluster,
        cursors: Cursors,
        trouble: Trouble,
        now: Callable[[], datetime],
        pace: Pace,
        metrics: Metrics,
    ) -> None:
        self.name = name
        self.trouble = trouble
        self.refused: dict[str, str] = {}  # by the UID of the request: why the sink does not want what is on record of it
        self._sink = sink
        self._cluster = cluster
        self._cursors = cursors
        self._now = now
        self._linger = pace.linger
        self._count = partial(metrics.exported, name)
        self._lags = partial(metrics.export_lags, name)
        self._backlog: Backlog | None = None  # only while we lead
        self._sealer = Sealer(name, cursors, now, pace)
        self._news = asyncio.Event()
        self._progress = asyncio.Event()
        self._won = asyncio.Event()

    def begin(self) -> None:
        """Begin to lead."""
        self._backlog = Backlog()
        self._won.set()

    def add(self, waiting: Waiting, version: int) -> None:
        """Something of a request is to be sent, and the cluster has come to that version."""
        if self._backlog:
            self._backlog.add(waiting)
            self._backlog.mark(version, uptime(), self._now())
            self._news.set()

    def exported(self, version: int) -> bool:
        """Whether a request of that version is behind the last checkpoint, and may be removed."""
        cursor = self._cursors.known(self.name)
        return cursor is not None and 0 <= version <= cursor.version

    def standing(self, waiting: Waiting) -> Standing:
        """Whether all that is on record of a request was taken; sees to it that it is."""
        if self._backlog and self._backlog.has_sent(waiting.uid):
            return Standing.TAKEN
        if self._backlog:
            self._backlog.found(waiting)
            self._news.set()
        return Standing.AWAY if self.why_not(waiting.uid) else Standing.AWAITED

    def why_not(self, uid: str) -> str:
        """Why the sink does not take what is on record of a request, as far as we know; empty if nothing speaks against it."""
        return self.trouble.why or self.refused.get(uid, "")

    async def run(self) -> None:
        """Export for ever, while we lead."""
        try:
            while True:
                await self._won.wait()
                self._won.clear()
                await self._lead()
        finally:
            await self._sink.close()

    async def _lead(self) -> None:
        backlog = self._backlog
        if backlog is None:
            return
        await self._take_up(backlog)
        scanning = asyncio.create_task(self._scan(backlog), name=f"audit scan for {self.name}")
        try:
            while backlog is self._backlog and self._cursors.leads():
                await self._round(backlog)
        finally:
            scanning.cancel()
            await asyncio.gather(scanning, return_exceptions=True)
            if backlog is self._backlog:
                self._backlog = None
                self._lags(0.0)  # which is for whoever leads now to know

    async def _take_up(self, backlog: Backlog) -> None:
        """Go on where whoever led before us left off."""
        pause = FIRST_PAUSE
        while self._cursors.leads():
            try:
                cursor = await self._cursors.load(self.name)
            except (Outage, Refused, Conflict, NoCursor) as error:
                self.trouble.note(f"the cursor cannot be read: {error}", uptime())
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
                continue
            backlog.version, backlog.since = cursor.version, cursor.since
            self._sealer.begin()
            if cursor.event:
                await self._insist(cursor.event)
            return

    async def _scan(self, backlog: Backlog) -> None:
        await asyncio.sleep(SETTLE)
        await scan_somehow(self._cluster, backlog, self._now, self._found)
        backlog.all_scanned()
        self._news.set()

    async def _found(self, backlog: Backlog, waiting: Waiting) -> None:
        """A look has found a request. It goes on at the pace of the sink, so that a year's record never is in memory at once."""
        while backlog.size >= MOST_FOUND:
            self._progress.clear()
            await self._progress.wait()
        backlog.found(waiting)
        self._news.set()

    async def _round(self, backlog: Backlog) -> None:
        """Send what is due, a few requests at once; then a checkpoint, if it is time."""
        self._news.clear()
        self._lags(backlog.age(uptime()))
        if self._sealer.is_due(complete=backlog.caught_up):
            return await self._checkpoint(backlog)
        due = backlog.take(WIDTH, uptime())
        if not due:
            return await self._rest(backlog)
        outcomes = await asyncio.gather(*(self._send(backlog, waiting) for waiting in due))
        self._progress.set()
        if not any(outcomes):
            await asyncio.sleep(self.trouble.pause)
        elif len(due) == WIDTH:
            await asyncio.sleep(PACE)

    async def _rest(self, backlog: Backlog) -> None:
        at = uptime()
        if backlog.scanned and not backlog.marked_since(at - MARK_SECONDS):
            with contextlib.suppress(Outage, Refused):  # the next round tries again
                backlog.mark(await current_version(self._cluster), at, self._now())
        due = backlog.next_due()
        until = min(at + IDLE, self._sealer.next(complete=backlog.caught_up), at + IDLE if due is None else due)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(until - at, 0.0)):
                await self._news.wait()
        await asyncio.sleep(self._linger)

    async def _send(self, backlog: Backlog, waiting: Waiting) -> bool:
        """Send what there is of one request; False if it did not arrive."""
        try:
            request = waiting.request or await read(self._cluster, waiting)
            events = request_events(waiting.resource, request, await self._cursors.cluster_uid()) if request else ()
            if events[waiting.start :]:
                await self._sink.put(events[waiting.start :])
        except (NotSent, Outage, Refused, UnknownState) as error:
            self._failed(backlog, waiting, error)
            return False
        self._arrived(waiting, events)
        backlog.sent(waiting)
        return True

    def _failed(self, backlog: Backlog, waiting: Waiting, error: Exception) -> None:
        self._count(Outcome.FAILED if isinstance(error, NotSent) and error.refused else Outcome.RETRIED)
        if isinstance(error, NotSent) and not error.refused:
            backlog.put_back(waiting)
            return self.trouble.note(str(error), uptime())
        # About this request alone: it keeps no other one, and is tried again now and then.
        backlog.put_back(replace(waiting, due=uptime() + (OUTAGE_PAUSE if isinstance(error, Outage) else REFUSED_PAUSE)))
        facts = {"request": str(waiting.key), "uid": waiting.uid, "sink": self.name}
        log.log(logging.WARNING if isinstance(error, Outage) else logging.ERROR, "not exported: %s", error, extra=facts)
        if not isinstance(error, Outage):
            self.refused[waiting.uid] = str(error)
            backlog.refused(waiting.uid)

    def _arrived(self, waiting: Waiting, events: tuple[Event, ...]) -> None:
        self.refused.pop(waiting.uid, None)
        fresh = len(events) - waiting.start
        if fresh > 0:
            self._sealer.sent(waiting.uid, Head(len(events) - 1, event_hash(events[-1])), fresh)
            self._taken(fresh)

    def _taken(self, events: int) -> None:
        self.trouble.clear()
        for _ in range(events):
            self._count(Outcome.SENT)

    # --- checkpoints

    async def _checkpoint(self, backlog: Backlog) -> None:
        """Store the next checkpoint, then send it until it has arrived; nothing else is sent meanwhile."""
        try:
            event = await self._sealer.seal(*backlog.reached(uptime()), complete=backlog.caught_up)
        except (Outage, Refused) as error:
            log.warning("the audit cursor cannot be written: %s", error, extra={"sink": self.name})
            return await asyncio.sleep(FIRST_PAUSE)
        except Conflict as error:
            log.warning("the audit cursor was changed by somebody: %s", error, extra={"sink": self.name})
            return self.begin()
        await self._insist(event)

    async def _insist(self, event: Event) -> None:
        while self._cursors.leads():
            try:
                await self._sink.put([event])
            except NotSent as error:
                self._count(Outcome.RETRIED)
                self.trouble.note(str(error), uptime())
                await asyncio.sleep(self.trouble.pause)
                continue
            return self._taken(1)
