"""The operator as a whole: one of everything, put together, started, and stopped in order."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import aiohttp
import kopf

from jitaccess.app import health
from jitaccess.app.leader import Leader
from jitaccess.app.watch import Watch, settings
from jitaccess.domain.model import Key
from jitaccess.domain.risk import KNOWN, RiskTable
from jitaccess.kube.api import Cluster, Conflict, Outage, Refused
from jitaccess.kube.clock import Clock
from jitaccess.kube.credentials import Connection
from jitaccess.kube.installation import Installation
from jitaccess.manifests.grant import JOB_IMAGE
from jitaccess.manifests.kinds import POLICY_KINDS, REQUEST_KINDS
from jitaccess.manifests.resources import Resource
from jitaccess.publish.events import Announcer
from jitaccess.publish.publisher import Publisher
from jitaccess.reconcile.policies import PolicyReconciler
from jitaccess.reconcile.recorder import Tools
from jitaccess.reconcile.requests import RequestReconciler
from jitaccess.reconcile.retention import remove_old
from jitaccess.reconcile.sweep import end_stray, sweep_grants, sweep_jobs, sweep_policies, sweep_requests
from jitaccess.workqueue.schedule import Schedule, Target
from jitaccess.workqueue.store import Store

Reconciler = Callable[[Key], Awaitable[None]]

log = logging.getLogger(__name__)

CALL_TIMEOUT = aiohttp.ClientTimeout(total=30, sock_connect=10)
CHECK_SECONDS, RECHECK_SECONDS = 60.0, 3.0
RETENTION_CHECK_SECONDS = 3600.0
SETTLE_SECONDS = 5.0  # a burst of listed objects is over when none came for that long
PATIENCE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Options:
    """What can be configured; see `jitaccess run --help`."""

    identity: str
    retention: timedelta = timedelta(days=30)
    sweep_every: timedelta = timedelta(minutes=5)
    health_host: str = "127.0.0.1"
    health_port: int = 8080
    job_image: str = JOB_IMAGE
    unconfined: bool = False
    risk: RiskTable = KNOWN


class Operator:
    """Watches, decides, grants, ends, records; until it is told to stop."""

    def __init__(self, connection: Connection, session: aiohttp.ClientSession, options: Options) -> None:
        self._connection = connection
        self._options = options
        # The Lease decides about every write but those of the Lease itself.
        self._clock = Clock()
        unguarded = Cluster(session, connection.server, observe=self._clock.observe)
        self._leader = Leader(unguarded, options.identity, self._won)
        self._cluster = Cluster(session, connection.server, self._leader.leads, self._clock.observe)
        self._installation = Installation(unconfined=options.unconfined)
        self._store = Store((kind.resource for kind in REQUEST_KINDS), (kind.resource for kind in POLICY_KINDS))
        self._schedule = Schedule(self._fire, self._clock.now, may_fire=self._leader.leads)
        self._announcer = Announcer(self._cluster)
        self._relisted = asyncio.Event()
        self._watching = asyncio.Event()
        self._just_won = asyncio.Event()
        self._reconcilers = self._make_reconcilers()

    def _make_reconcilers(self) -> dict[Resource, Reconciler]:
        publisher = Publisher(self._announcer)
        cluster, now, options = self._cluster, self._clock.now, self._options
        shared = (cluster, self._store, self._schedule, publisher, self._installation, now)
        tools = Tools(*shared, options.job_image, options.risk)
        made: dict[Resource, Reconciler] = {}
        for kind in REQUEST_KINDS:
            made[kind.resource] = RequestReconciler(tools, kind).reconcile
            made[kind.binding] = partial(end_stray, self._cluster, kind, self._clock.now)
        for policy_kind in POLICY_KINDS:
            made[policy_kind.resource] = PolicyReconciler(tools, policy_kind).reconcile
        return made

    async def run(self, stop: asyncio.Event) -> None:
        """Run until SIGTERM or SIGINT (or `stop`, before there is anything to watch), then let what is under way finish."""
        host, port = self._options.health_host, self._options.health_port
        runner = await health.serve(host, port, self._schedule, self._problems, self._leader.leads)
        try:
            async with asyncio.TaskGroup() as group:
                # Each runs for ever: one that ends has failed, which the group tells by stopping all of them.
                always = (self._schedule.run(), self._announcer.run(), self._check_for_ever())
                tasks = [group.create_task(work) for work in always]
                if await self._installed(stop):
                    works = (self._stand_for_ever(), self._sweep_for_ever(), self._retire_for_ever())
                    tasks += [group.create_task(work) for work in works]
                    await self._watch()
                await self._schedule.stop(PATIENCE_SECONDS)
                await self._announcer.flush(2.0)
                for task in tasks:
                    task.cancel()  # which releases the Lease: nothing of ours is under way any more
        finally:
            await runner.cleanup()
        log.info("stopped")

    async def _watch(self) -> None:
        # Kopf listens to SIGTERM and SIGINT itself from here on. With a stop flag it would wait 5 s for its own waiter to end.
        registry = Watch(self._store, self._schedule, self._relisted.set, self._leader.leads).registry(self._connection)
        await kopf.operator(
            registry=registry,
            settings=settings(),
            clusterwide=True,
            ready_flag=self._watching,
            identity="jitaccess",  # type: ignore[arg-type]  # else Kopf asks for the name of a user whom a Pod need not have
        )

    async def _fire(self, target: Target) -> None:
        await self._reconcilers[target.resource](target.key)

    def _problems(self) -> tuple[str, ...]:
        if not self._watching.is_set():
            return self._installation.problems or ("not watching yet",)
        return self._installation.problems + ((self._leader.problem,) if self._leader.problem else ())

    async def _stand_for_ever(self) -> None:
        await self._watching.wait()  # who leads must see
        await self._leader.run()

    def _won(self) -> None:
        """Look anew at everything that is open: another replica may have left it half done."""
        self._look_at_all_requests()
        for resource, policies in self._store.policies.items():
            for key in policies.all():
                self._schedule.soon(Target(resource, key))
        self._schedule.wake()
        self._relisted.set()
        self._just_won.set()

    async def _installed(self, stop: asyncio.Event) -> bool:
        """Wait until there are CRDs to watch; False if told to stop before."""
        while not self._installation.has_crds:
            waits = [asyncio.create_task(stop.wait()), asyncio.create_task(asyncio.sleep(0.2))]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()
            if stop.is_set():
                return False
        return True

    async def _check_for_ever(self) -> None:
        while True:
            try:
                changed = await self._installation.check(self._cluster)
            except Outage as error:
                log.warning("cannot check the installation: %s", error)
                changed = False
            if changed:
                self._installation_changed()
            await asyncio.sleep(RECHECK_SECONDS if self._installation.problems else CHECK_SECONDS)

    def _installation_changed(self) -> None:
        problems = self._installation.problems
        if problems:
            log.error("nothing is granted: %s", "; ".join(problems), extra={"problems": list(problems)})
            return
        log.info("the installation is complete")
        self._look_at_all_requests()

    def _look_at_all_requests(self) -> None:
        for resource, requests in self._store.requests.items():
            requests.distrust()
            for key, _ in requests.all():
                self._schedule.soon(Target(resource, key))

    async def _sweep_for_ever(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._options.sweep_every / timedelta(seconds=1)):
                    await self._relisted.wait()
            await self._quiet()
            if self._leader.leads():
                await self._sweep()

    async def _quiet(self) -> None:
        while self._relisted.is_set():
            self._relisted.clear()
            await asyncio.sleep(SETTLE_SECONDS)

    async def _sweep(self) -> None:
        try:
            for kind in REQUEST_KINDS:
                await sweep_requests(self._cluster, kind, self._store, self._schedule)
                await sweep_grants(self._cluster, kind, self._clock.now)
                await sweep_jobs(self._cluster, kind)
            for policy_kind in POLICY_KINDS:
                await sweep_policies(self._cluster, policy_kind, self._store, self._schedule)
        except (Outage, Refused, Conflict) as error:
            log.warning("sweep put off: %s", error)

    async def _retire_for_ever(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RETENTION_CHECK_SECONDS):
                    await self._just_won.wait()
            self._just_won.clear()
            if self._leader.leads():
                await self._retire()

    async def _retire(self) -> None:
        try:
            for kind in REQUEST_KINDS:
                await remove_old(self._cluster, kind.resource, self._options.retention, self._clock.now())
        except (Outage, Refused, Conflict) as error:
            log.warning("removal of settled requests put off: %s", error)


async def sweep_once(connection: Connection) -> int:
    """End every grant that is over, once, without watching anything; returns how many were ended."""
    async with connection.session(CALL_TIMEOUT) as session:
        clock = Clock()
        cluster = Cluster(session, connection.server, observe=clock.observe)
        ended = sum([await sweep_grants(cluster, kind, clock.now) for kind in REQUEST_KINDS])
        for kind in REQUEST_KINDS:
            await sweep_jobs(cluster, kind)
        return ended
