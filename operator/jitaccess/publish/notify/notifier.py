"""Telling, from the transition to the message: apart from the reconciling, bounded, and only while this replica leads.

Each round routes what happened and what is due, marks what is about to be told, and sends it; what waits too long is given up.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Iterable
from datetime import datetime

from jitaccess.domain.model import AccessPolicy, Key, PolicyRef
from jitaccess.domain.notices import occasion_of
from jitaccess.kube.api import Cluster, Conflict, Outage, Refused
from jitaccess.manifests.resources import NAMESPACES
from jitaccess.publish.events import Announcer
from jitaccess.publish.metrics import Metrics, Outcome
from jitaccess.publish.notify.channels import Address, Channels, addresses
from jitaccess.publish.notify.marks import Marks, NoMemory
from jitaccess.publish.notify.notice import Notice
from jitaccess.publish.notify.outbox import Outbox, Parcel
from jitaccess.publish.notify.reports import Reports
from jitaccess.publish.notify.resuming import resumed
from jitaccess.publish.notify.sending import Senders
from jitaccess.publish.notify.timely import Timely
from jitaccess.publish.notify.verdicts import Fate, Sent
from jitaccess.publish.transitions import Transition
from jitaccess.workqueue.store import Store

MOST_HEARD = 1000  # transitions that wait to be routed
LOOK_SECONDS = 10.0  # how often what only the clock says is looked for
ROUND_SECONDS = 1.0
PUT_OFF_SECONDS = 3.0  # where nothing can be marked
MARK_SECONDS = 0.2  # between two writes of marks: what comes meanwhile shares one
LAST_SECONDS = 0.5  # for what is being sent when the operator stops
AT_ONCE = 8

_OVERTAKEN = Sent(Fate.REFUSED, "another replica leads")
log = logging.getLogger(__name__)


class Notifier:
    """Tells what has been recorded, and what is due, to whoever is to be told of it."""

    def __init__(
        self,
        cluster: Cluster,
        store: Store,
        announcer: Announcer,
        metrics: Metrics,
        senders: Senders,
        leads: Callable[[], bool],
        now: Callable[[], datetime],
        *,
        expected: bool = True,
    ) -> None:
        self.configured = not expected  # whether the channels are known; until then what happens is kept for them
        self.problem = ""  # why nobody can be told anything; empty while they can
        self._cluster = cluster
        self._policy: Callable[[PolicyRef], AccessPolicy | None] = store.policy
        self._reports = Reports(announcer, metrics)
        self._senders = senders
        self._leads = leads
        self._now = now
        self._marks = Marks(cluster)
        self._outbox = Outbox()
        self._taken: dict[str, datetime] = {}  # marks of what waits, is on its way, or was only counted; since when it was due
        self._timely = Timely(cluster, store, lambda mark: mark in self._marks or mark in self._taken)
        self._heard: deque[Transition] = deque(maxlen=MOST_HEARD)
        self._wake = asyncio.Event()
        self._room = asyncio.Semaphore(AT_ONCE)
        self._sending: set[asyncio.Task[None]] = set()
        self._looked: datetime | None = None
        self._left: frozenset[str] = frozenset()  # marks of what was written as left
        self._lost = 0
        self._identity = ""  # of the cluster
        metrics.waits("notifications", lambda: len(self._outbox) + len(self._heard))

    @property
    def channels(self) -> Channels:
        """The configuration that is in force."""
        return self._senders.channels

    @property
    def known(self) -> Channels | None:
        """The channels that there are; None while that is not known yet."""
        return self.channels if self.configured else None

    def configure(self, channels: Channels) -> None:
        """Let another configuration be in force."""
        self._senders.channels, self.configured = channels, True
        self._wake.set()

    def hear(self, transition: Transition) -> None:
        """Something is on record. Costs nothing but a place in a queue, of which the oldest falls out when it is full."""
        if self.channels.any or not self.configured:
            self._lost += len(self._heard) == MOST_HEARD
            self._heard.append(transition)
            self._wake.set()

    async def run(self) -> None:
        """Tell, for ever."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ROUND_SECONDS):
                    await self._wake.wait()
            self._wake.clear()
            if not self._leads():
                self._forget()
            elif self.channels.any:
                await self._round()
            elif self.configured:
                self._heard.clear()  # there are no channels

    async def close(self) -> None:
        """Leave what still waits to whoever leads next, and stop sending."""
        if self._sending:
            _, late = await asyncio.wait(list(self._sending), timeout=LAST_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        self._route()
        left = self._outbox.everything()
        if left and self._leads() and self._marks.known:
            self._marks.untold(left)
            with contextlib.suppress(Outage, Refused, Conflict, NoMemory):
                await self._marks.write((), left, self._now(), self.channels.patience)
        await self._senders.close()

    # --- a round

    async def _round(self) -> None:
        try:
            if not self._marks.known:
                await self._begin()
            self._route()
            await self._look()
            self._give_up(self._outbox.late(self._now(), self.channels.patience), "it did not take it in time")
            await self._tell()
            self.problem = ""
        except Conflict:
            return  # written by another: it is read again in the next round
        except (Outage, Refused, NoMemory) as error:
            if str(error) != self.problem:
                log.warning("nobody is told anything: %s", error)
            self.problem = str(error)
            await asyncio.sleep(PUT_OFF_SECONDS)

    async def _begin(self) -> None:
        left = await self._marks.load()
        if not self._identity:
            system = await self._cluster.find(NAMESPACES, Key("", "kube-system"))
            self._identity = system["metadata"]["uid"] if system else ""
        for each in left:
            late = each.due + self.channels.patience <= self._now()
            if each.mark not in self._taken and not late and (notice := await resumed(self._cluster, self.channels, each)):
                self._put(notice)

    def _route(self) -> None:
        while self._heard:
            transition = self._heard.popleft()
            occasion, request = occasion_of(transition.entry), transition.request
            for address in addresses(self.channels, request, self._policy(request.policy), occasion):
                self._put(Notice(transition.resource, request, occasion, address, transition.entry.at, transition.entry))

    async def _look(self) -> None:
        now = self._now()
        if self._looked and (now - self._looked).total_seconds() < LOOK_SECONDS:
            return
        self._looked = now
        self._taken = {mark: due for mark, due in self._taken.items() if due + 2 * self.channels.patience > now}
        if self._lost:
            log.warning("too much happened at once: %s transitions were told to nobody", self._lost)
            self._lost = 0
        async for notice in self._timely.due(self.channels, now):
            self._put(notice)

    def _put(self, notice: Notice) -> None:
        if notice.mark in self._taken or notice.mark in self._marks:
            return
        self._taken[notice.mark] = notice.due
        if not self._outbox.put(notice):
            self._reports.count(notice.address, Outcome.FAILED)

    async def _tell(self) -> None:
        """Mark what is about to be told, then tell it."""
        turns, refused = list(self._outbox.turns(self._now())), self._outbox.refused()
        notices = [notice for _, parcels in turns for parcel in parcels for notice in parcel.notices]
        left = frozenset(notice.mark for notice in refused)
        if not turns and left == self._left:
            return
        try:
            await self._marks.write(notices, refused, self._now(), self.channels.patience)
        except (Outage, Refused, Conflict, NoMemory):
            for address, parcels in turns:
                self._outbox.failed(address, parcels, self._now())
            raise
        self._left = left
        for address, parcels in turns:
            task = asyncio.create_task(self._deliver(address, parcels), name=f"telling {address.channel}")
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)
        await asyncio.sleep(MARK_SECONDS)

    async def _deliver(self, address: Address, parcels: list[Parcel]) -> None:
        """Send the parcels for one place, in order, until one is not taken."""
        left, tried = deque(parcels), False
        try:
            async with self._room:
                while left:
                    tried = self._leads()
                    sent = await self._senders.send(address, left[0], self._identity, self._now()) if tried else _OVERTAKEN
                    if sent.fate is Fate.REFUSED:
                        return self._put_off(address, left, sent)
                    self._done(address, left.popleft(), sent)
        except asyncio.CancelledError:
            if left and tried:
                self._give_up(left.popleft().notices, "the operator stopped over it")
            self._put_off(address, left, Sent(Fate.REFUSED, "the operator stops"))
            raise
        self._outbox.told(address, self._now(), storm=len(parcels) > 1 and parcels[-1].single is None)

    def _done(self, address: Address, parcel: Parcel, sent: Sent) -> None:
        if sent.fate is Fate.UNKNOWN:
            return self._give_up(parcel.notices, sent.why)
        for notice in parcel.notices:
            self._taken.pop(notice.mark, None)
        self._reports.count(address, Outcome.SENT if parcel.single else Outcome.FOLDED)

    def _put_off(self, address: Address, left: Iterable[Parcel], sent: Sent) -> None:
        parcels = list(left)
        self._marks.untold(notice for parcel in parcels for notice in parcel.notices)
        pause = self._outbox.failed(address, parcels, self._now())
        self._reports.count(address, Outcome.RETRIED)
        log.info("the channel %s did not take a message: %s", address, sent.why, extra={"retry_seconds": pause.total_seconds()})

    def _give_up(self, notices: Iterable[Notice], why: str) -> None:
        given_up = list(notices)
        for notice in given_up:
            self._taken.pop(notice.mark, None)
        self._reports.failed(given_up, why)

    def _forget(self) -> None:
        """Another replica leads: all of this is its business now."""
        self._heard.clear()
        self._outbox.clear()
        self._taken.clear()
        self._looked, self._left = None, frozenset()
        self._marks = Marks(self._cluster)
