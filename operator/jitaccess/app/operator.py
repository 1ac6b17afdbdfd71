"""The operator as a whole: one of everything, put together, started, and stopped in order."""

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from datetime import timedelta

import aiohttp
import kopf

from jitaccess.app import health, watch
from jitaccess.app.leader import Leader
from jitaccess.kube.api import Cluster, Conflict, Outage, Refused
from jitaccess.kube.credentials import Connection
from jitaccess.kube.installation import FIX, Installation
from jitaccess.manifests.resources import SCOPES
from jitaccess.publish.events import Announcer
from jitaccess.reconcile.policies import PolicyReconciler
from jitaccess.reconcile.requests import RequestReconciler
from jitaccess.reconcile.sweep import remove_old, sweep_grants, sweep_store
from jitaccess.workqueue.clock import utcnow
from jitaccess.workqueue.schedule import Schedule, Target
from jitaccess.workqueue.store import Store

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


class Operator:
    """Watches, decides, grants, ends, records; until it is told to stop."""

    def __init__(self, connection: Connection, session: aiohttp.ClientSession, options: Options) -> None:
        self._connection = connection
        self._options = options
        # The Lease decides about every write but those of the Lease itself.
        self._leader = Leader(Cluster(session, connection.server), options.identity, self._won)
        self._cluster = Cluster(session, connection.server, self._leader.leads)
        self._installation = Installation()
        self._store = Store()
        self._schedule = Schedule(self._fire, may_fire=self._leader.leads)
        self._announcer = Announcer(self._cluster)
        self._relisted = asyncio.Event()
        self._watching = asyncio.Event()
        self._just_won = asyncio.Event()
        shared = (self._store, self._schedule, self._announcer)
        requests = {scope.request: RequestReconciler(self._cluster, scope, *shared, self._installation) for scope in SCOPES}
        self._reconcilers = requests | {scope.policy: PolicyReconciler(self._cluster, scope, *shared) for scope in SCOPES}

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
        shared = (self._store, self._schedule, self._relisted.set, self._leader.leads)
        registry = watch.registry(SCOPES, self._connection, *shared)
        await kopf.operator(
            registry=registry,
            settings=watch.settings(SCOPES),
            clusterwide=True,
            ready_flag=self._watching,
            identity="jitaccess",  # type: ignore[arg-type]  # else Kopf asks for the name of a user whom a Pod need not have
        )

    async def _fire(self, target: Target) -> None:
        await self._reconcilers[target.resource].reconcile(target.key)

    def _problems(self) -> tuple[str, ...]:
        if not self._watching.is_set():
            return self._installation.problems or ("not watching yet",)
        return self._installation.problems + ((self._leader.problem,) if self._leader.problem else ())

    async def _stand_for_ever(self) -> None:
        await self._watching.wait()  # who leads must see
        await self._leader.run()

    def _won(self) -> None:
        """Look anew at everything that is open: another replica may have left it half done."""
        self._store.distrust()
        for scope in SCOPES:
            for key, _ in self._store.requests():
                self._schedule.soon(Target(scope.request, key))
            for policy in self._store.policies():
                self._schedule.soon(Target(scope.policy, policy))
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
            log.error("nothing is granted: %s", FIX, extra={"problems": list(problems)})
            return
        log.info("the installation is complete")
        for key, _ in self._store.requests():
            for scope in SCOPES:
                self._schedule.soon(Target(scope.request, key))

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
            for scope in SCOPES:
                await sweep_store(self._cluster, scope, self._store, self._schedule)
                await sweep_grants(self._cluster, scope)
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
            for scope in SCOPES:
                await remove_old(self._cluster, scope, self._options.retention, utcnow())
        except (Outage, Refused, Conflict) as error:
            log.warning("removal of settled requests put off: %s", error)


async def sweep_once(connection: Connection) -> int:
    """End every grant that is over, once, without watching anything; returns how many were ended."""
    async with connection.session(CALL_TIMEOUT) as session:
        cluster = Cluster(session, connection.server)
        return sum([await sweep_grants(cluster, scope) for scope in SCOPES])
