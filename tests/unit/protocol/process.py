"""One operator process: the real reconcilers, store, schedule, clock and adapter, on a loop and a session that a World drives."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

import aiohttp
import kopf

from jitaccess.app.unreadable import Unreadable
from jitaccess.app.upkeep import Habits, Upkeep
from jitaccess.app.watch import Watch
from jitaccess.domain.model import Key, PolicyRef
from jitaccess.kube.api import Cluster
from jitaccess.kube.clock import Clock
from jitaccess.manifests import resources
from jitaccess.manifests.kinds import ACCESS_POLICY, ACCESS_REQUEST
from jitaccess.publish.events import Announcer
from jitaccess.publish.publisher import Publisher
from jitaccess.reconcile.locks import LockReconciler
from jitaccess.reconcile.recorder import Tools
from jitaccess.reconcile.requests import RequestReconciler
from jitaccess.reconcile.sweep import end_stray
from jitaccess.workqueue.schedule import Schedule, Target
from jitaccess.workqueue.versions import version_of_policy
from unit.examples import complete_installation, empty_store
from unit.protocol.loop import TurnLoop
from unit.protocol.server import ACCOUNTS, BINDINGS, LOCKS, POLICIES, REQUESTS, Event, Server

UPTIME = 5000.0  # of the machine at T0: a clock of its own, so that nothing mistakes one for the other
WATCHED = (POLICIES, REQUESTS, LOCKS, BINDINGS)
HABITS = Habits(retention=timedelta(days=30), sweep_every=timedelta(minutes=5))


@dataclass(eq=False)
class Call:
    """One call of a process that waits for the World to deliver it, lose it, or answer it."""

    process: "Process"
    verb: str
    path: str
    query: Mapping[str, str]
    body: bytes | None
    sent: float
    answer: "asyncio.Future[Response]"

    @property
    def writes(self) -> bool:
        """Whether it changes anything."""
        return self.verb != "GET" and "dryRun" not in self.query

    def __str__(self) -> str:
        what = "/".join(self.path.split("/")[-2:]) if self.verb != "POST" else self.path.rsplit("/", maxsplit=1)[-1]
        return f"{self.verb} {what}{' (dry run)' if 'dryRun' in self.query else ''}"


@dataclass(frozen=True, slots=True)
class Response:
    """What the adapter needs of aiohttp's."""

    status: int
    text: bytes
    headers: Mapping[str, str]

    async def read(self) -> bytes:
        """The body."""
        return self.text


class _Exchange:
    def __init__(self, call: Call, ask: Callable[[Call], None]) -> None:
        self._call = call
        self._ask = ask

    async def __aenter__(self) -> Response:
        self._ask(self._call)
        return await self._call.answer

    async def __aexit__(self, *_: object) -> None:
        """Nothing is held."""


class Session:
    """In the shape of an aiohttp.ClientSession: every request becomes a Call."""

    def __init__(self, process: "Process", ask: Callable[[Call], None]) -> None:
        self._process = process
        self._ask = ask

    def request(self, verb: str, url: str, *, data: bytes | None, params: Mapping[str, str] | None, **_: object) -> _Exchange:
        """The call, made when it is entered."""
        answer: asyncio.Future[Response] = self._process.loop.create_future()
        return _Exchange(Call(self._process, verb, url, params or {}, data, self._process.server.time, answer), self._ask)


@dataclass(eq=False)
class Process:
    """An operator, as app/operator.py puts it together; it leads when it is told to."""

    name: str
    server: Server
    ask: Callable[[Call], None]
    clock_skew: Callable[[], float]
    leads: bool = False
    paused: bool = False
    inbox: list[tuple[float, Event]] = field(default_factory=list)
    watch_lag: float = 0.0

    def __post_init__(self) -> None:
        self.loop = TurnLoop(lambda: self.server.time)  # type: ignore[abstract]  # asyncio asks for no more of it
        clock = Clock(self._wall, self.uptime)
        clock.observe(self.server.date(), self.uptime(), self.uptime())  # the answer to the first look at the Lease
        self.now = clock.now
        session = cast("aiohttp.ClientSession", Session(self, self.ask))
        self.cluster = Cluster(session, "", self._may_write, clock.observe)
        self.store = empty_store()
        self.schedule = Schedule(self._fire, clock.now, may_fire=self._may_write)
        installation = complete_installation()
        publisher = Publisher(Announcer(self.cluster))
        tools = Tools(self.cluster, self.store, self.schedule, publisher, installation, clock.now)
        self.reconciler = RequestReconciler(tools, ACCESS_REQUEST)
        self.locks = LockReconciler(tools)
        self.upkeep = Upkeep(tools, clock, self._may_write, HABITS)
        self.watch = Watch(self.store, self.schedule, Unreadable(), self.upkeep.relisted, self._may_write)

    def uptime(self) -> float:
        """The machine's monotonic clock."""
        return self.server.time + UPTIME

    def start(self) -> None:
        """List what there is, watch, and run."""
        for work in (self.schedule.run(), self.upkeep.take_over_for_ever(), self.upkeep.sweep_for_ever()):
            self.loop.create_task(work).add_done_callback(lambda task: task.cancelled() or task.result())
        self.server.watchers.append(self._hear)
        for plural in WATCHED:
            for (kind, *_), found in list(self.server.objects.items()):
                if kind == plural and not (found.get("status") or {}).get("settled"):
                    self.tell(Event("", plural, found))
        if self.leads:
            self.win()

    def win(self) -> None:
        """Lead from now on."""
        self.leads = True
        self.upkeep.won()

    def die(self) -> None:
        """The process is killed; its memory is gone."""
        self.server.watchers.remove(self._hear)
        self.inbox.clear()
        self.loop.drop()

    def tell(self, event: Event) -> None:
        """What Kopf does with an event, through the real handlers."""
        body = kopf.Body(cast("Any", event.object))
        if event.plural == REQUESTS:
            _now(self.watch.request_changed(ACCESS_REQUEST, event.type or None, body))
        elif event.plural == POLICIES:
            _now(self.watch.policy_changed(ACCESS_POLICY, event.type or None, body))
        elif event.plural == LOCKS:
            _now(self.watch.lock_changed(event.type or None, body))
        elif event.plural == BINDINGS and event.object["metadata"]["namespace"] != ACCOUNTS:  # by a label selector
            meta = body.metadata
            _now(
                self.watch.binding_changed(
                    ACCESS_REQUEST, event.type or None, meta, annotations=meta.annotations, labels=meta.labels
                )
            )

    def hear_due(self) -> bool:
        """Hear the first event whose time has come; False if there is none."""
        if not self.inbox or self.inbox[0][0] > self.server.time:
            return False
        self.tell(self.inbox.pop(0)[1])
        return True

    def _hear(self, event: Event) -> None:
        if event.plural in WATCHED:
            self.inbox.append((self.server.time + self.watch_lag, event))

    def _wall(self) -> datetime:
        return self.server.now() + timedelta(seconds=self.clock_skew())

    def _may_write(self) -> bool:
        return self.leads

    async def _fire(self, target: Target) -> None:
        if target.resource == ACCESS_REQUEST.resource:
            await self.reconciler.reconcile(target.key)
        elif target.resource == ACCESS_REQUEST.binding:
            await end_stray(self.cluster, ACCESS_REQUEST, self.now, target.key)
        elif target.resource == resources.LOCKS:
            await self.locks.reconcile(target.key)
        else:
            await self._wake_dependents(target.key)

    async def _wake_dependents(self, key: Key) -> None:
        """What PolicyReconciler does for the requests of a policy; the rest of it is not of this protocol."""
        known, ref = self.store.policies[ACCESS_POLICY.resource], PolicyRef(ACCESS_POLICY.resource.kind, key)
        policy = await self.cluster.policy(ref)
        if known.heed(key, version_of_policy(policy) if policy else None):
            for resource, request in self.store.under(ref):
                self.schedule.soon(Target(resource, request))
        if policy is None:
            known.forget(key)


def _now(handler: Coroutine[Any, Any, None]) -> None:
    """Run a handler that never waits."""
    try:
        handler.send(None)
    except StopIteration:
        return
    raise AssertionError("a handler waited")
