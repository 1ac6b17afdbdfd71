"""The operator as a whole: one of everything, put together, started, and stopped in order."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import aiohttp
from prometheus_client import ProcessCollector

from jitaccess.app.followings import Followings
from jitaccess.app.gauges import Gauges, Replica
from jitaccess.app.health import HealthServer, probes
from jitaccess.app.leader import Leader
from jitaccess.app.metrics_page import MetricsPage, measure_lag
from jitaccess.app.notifying import NOTIFICATION_SECRETS, Configuration
from jitaccess.app.reviewing import ReviewWatch
from jitaccess.app.supervise import Ended, ForEver, Termination
from jitaccess.app.unreadable import Unreadable
from jitaccess.app.upkeep import Habits, Upkeep, skew_in_words
from jitaccess.app.watch import WATCHED, Watch
from jitaccess.app.watchers import Watchers
from jitaccess.domain.model import Key, Scope
from jitaccess.domain.risk import KNOWN, RiskTable
from jitaccess.kube.api import Cluster
from jitaccess.kube.clock import Clock
from jitaccess.kube.credentials import Connection
from jitaccess.kube.installation import Installation
from jitaccess.manifests.grant import JOB_IMAGE
from jitaccess.manifests.kinds import POLICY_KINDS, REQUEST_KINDS, RequestKind
from jitaccess.manifests.resources import LOCKS, NAMESPACES, Resource, reviews_of
from jitaccess.manifests.status import UnknownState
from jitaccess.publish.audit.export import NO_AUDIT, AuditOptions, make_export
from jitaccess.publish.events import Announcer
from jitaccess.publish.metrics import Metrics
from jitaccess.publish.notify.child import Child
from jitaccess.publish.notify.notifier import Notifier
from jitaccess.publish.notify.sending import Senders
from jitaccess.publish.notify.unheard import Unheard
from jitaccess.publish.publisher import Publisher
from jitaccess.reconcile.directory import Directory
from jitaccess.reconcile.leftovers import sweep_identities
from jitaccess.reconcile.locks import LockReconciler
from jitaccess.reconcile.namespaces import NamespaceReconciler
from jitaccess.reconcile.policies import PolicyReconciler
from jitaccess.reconcile.recorder import Tools
from jitaccess.reconcile.requests import RequestReconciler
from jitaccess.reconcile.reviews import ReviewReconciler
from jitaccess.reconcile.sweep import end_stray, sweep_grants
from jitaccess.workqueue.schedule import Schedule, Target
from jitaccess.workqueue.store import Store

Reconciler = Callable[[Key], Awaitable[None]]

log = logging.getLogger(__name__)

CALL_TIMEOUT = aiohttp.ClientTimeout(total=10)  # an end whose answer never comes is this late
PATIENCE_SECONDS = 10.0
UNREADABLE_RETRY = timedelta(minutes=5)  # a change of the object comes sooner


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
    audit: AuditOptions = NO_AUDIT
    notifications: Path | None = None
    notification_secrets: Path = NOTIFICATION_SECRETS


class Operator:
    """Watches, decides, grants, ends, records; until it is told to stop."""

    def __init__(
        self, connection: Connection, session: aiohttp.ClientSession, options: Options, termination: Termination
    ) -> None:
        self._options = options
        self._termination = termination
        # The Lease decides about every write but those of the Lease itself.
        self._clock, self._metrics = Clock(), Metrics()
        unguarded = Cluster(session, connection.server, observe=self._clock.observe, count=self._metrics.called)
        self._leader = Leader(unguarded, options.identity, self._won)
        self._cluster = Cluster(session, connection.server, self._leader.leads, self._clock.observe, self._metrics.called)
        self._installation = Installation(unconfined=options.unconfined)
        self._store = Store((kind.resource for kind in REQUEST_KINDS), (kind.resource for kind in POLICY_KINDS))
        self._schedule = Schedule(self._fire, self._clock.now, may_fire=self._leader.leads)
        self._announcer = Announcer(self._cluster)
        self._unreadable = Unreadable()
        self._export = make_export(
            options.audit, self._cluster, self._leader.leads, self._clock.now, self._announcer, self._metrics
        )
        self._child = Child()
        self._notifier = self._make_notifier()
        file, secrets = options.notifications, options.notification_secrets
        self._configuration = Configuration(file, secrets, self._child) if file else None
        tools = self._tools()
        self._reconcilers = self._make_reconcilers(tools)
        self._upkeep = Upkeep(tools, self._clock, self._leader.leads, Habits(options.retention, options.sweep_every))
        self._watch = Watch(self._store, self._schedule, self._unreadable, self._upkeep.relisted, self._leader.leads)
        self._followings = Followings(self._cluster, self._watch, self._installation, self._reviews)
        self._watchers = Watchers(
            self._cluster, WATCHED, partial(self._watch.registry, connection), termination.listen, self._upkeep.reinstalled
        )
        self._register()

    def _register(self) -> None:
        """What is asked for at each scrape."""
        replica = Replica(
            self._store,
            self._schedule,
            self._installation,
            self._clock.now,
            self._leader.leads,
            lambda: not self._watchers.problem,
            lambda: self._clock.skew,
            lambda: self._announcer.dropped,
        )
        self._metrics.registry.register(Gauges(replica))
        ProcessCollector(registry=self._metrics.registry)
        self._metrics.waits("looks", lambda: self._schedule.waiting)
        self._metrics.waits("events", lambda: self._announcer.waiting)

    def _make_notifier(self) -> Notifier:
        sinks = (self._announcer, self._metrics, Senders(self._child, self._store.policy))
        expected = self._options.notifications is not None
        return Notifier(self._cluster, self._store, *sinks, self._leader.leads, self._clock.now, expected=expected)

    def _tools(self) -> Tools:
        publisher = Publisher(self._announcer, self._metrics, self._notifier.hear)
        shared = (self._cluster, self._store, self._schedule, publisher, self._installation, self._clock.now)
        return Tools(*shared, self._options.job_image, self._options.risk, self._export, lambda: self._notifier.known)

    def _make_reconcilers(self, tools: Tools) -> dict[Resource, Reconciler]:
        made: dict[Resource, Reconciler] = {LOCKS: LockReconciler(tools).reconcile}
        for kind in REQUEST_KINDS:
            made[kind.resource] = RequestReconciler(tools, kind).reconcile
            made[reviews_of(kind.resource)] = ReviewReconciler(tools, kind).reconcile
            made[kind.binding] = partial(end_stray, self._cluster, kind, self._clock.now, count=self._metrics.leftover)
        for policy_kind in POLICY_KINDS:
            policies = PolicyReconciler(tools, policy_kind)
            made |= {policy_kind.counts: policies.recount, policy_kind.resource: policies.reconcile}
            if Scope.SELECTED in policy_kind.scopes:
                made[NAMESPACES] = NamespaceReconciler(tools, policy_kind).reconcile
        return made

    def _reviews(self, kind: RequestKind) -> ReviewWatch:
        return ReviewWatch(self._cluster, self._store, self._schedule, kind, self._unreadable, self._leader.leads)

    async def run(self) -> None:
        """Run until the termination has begun, then let what is under way finish; Ended if something failed that must not."""
        for_ever = ForEver(self._termination.begin)
        routes = probes(self._schedule, lambda: for_ever.problem, self._problems, self._remarks)
        server = HealthServer({**routes, "/metrics": MetricsPage(self._metrics.registry)})
        await server.start(self._options.health_host, self._options.health_port)
        try:
            for_ever.start("the schedule", self._schedule.run())
            for_ever.start("the announcer", self._announcer.run())
            for_ever.start("the metrics", measure_lag(self._metrics.lagged))
            for_ever.start("the check", self._upkeep.check_for_ever())
            for_ever.start("the watch", self._watchers.run())
            for following in self._followings.each:
                for_ever.start(f"the watch of {following.resource.plural}", following.run())
            for_ever.start("the lead", self._stand())
            for_ever.start("the takeover", self._upkeep.take_over_for_ever())
            for_ever.start("the sweep", self._upkeep.sweep_for_ever())
            for_ever.start("the directory", Directory(self._cluster, self._store, self._leader.leads).keep_for_ever())
            for exporter in self._export.exporters:
                for_ever.start(f"the export to {exporter.name}", exporter.run())
            for_ever.start("the retirement", self._upkeep.retire_for_ever())
            unheard = Unheard(self._store, self._announcer, self._schedule)
            for_ever.start("the channels of policies", unheard.run(lambda: self._notifier.known, self._leader.leads))
            if self._configuration:
                for_ever.start("the channels", self._configuration.keep(self._notifier.configure))
                for_ever.start("the notifier", self._notifier.run())
            await self._termination.begun.wait()
            for_ever.expect_end()
            await self._schedule.stop(PATIENCE_SECONDS)
            await self._notifier.close()
            await self._announcer.flush(2.0)
        finally:
            await for_ever.stop()  # which releases the Lease: nothing of ours is under way any more
            await server.close()
        if for_ever.problem:
            raise Ended(for_ever.problem)
        log.info("stopped")

    async def _fire(self, target: Target) -> None:
        try:
            await self._reconcilers[target.resource](target.key)
        except UnknownState as error:
            self._unreadable.tell(target, error)
            self._schedule.at(target, self._clock.now() + UNREADABLE_RETRY)
        else:
            self._unreadable.clear(target)

    def _problems(self) -> tuple[str, ...]:
        if self._watchers.problem:
            return tuple(dict.fromkeys((*self._installation.problems, *self._watchers.problem.split("\n"))))
        unseen = (*self._watch.sight.problems, *self._followings.problems)
        return (*self._installation.problems, self._leader.problem, *unseen)

    def _remarks(self) -> tuple[str, ...]:
        skew = skew_in_words(self._clock.skew)
        untold = self._configuration and (self._configuration.problem or (self._leader.leads() and self._notifier.problem))
        standby = "" if self._leader.leads() else " (standby)"
        told = (f"; {skew}" if skew else "", f"; notifications: {untold}" if untold else "")
        return (standby, *told, *self._followings.remarks, *self._export.remarks())

    async def _stand(self) -> None:
        await self._watchers.watching.wait()  # who leads must see
        await self._leader.run()

    def _won(self) -> None:
        self._metrics.led()
        self._export.won()
        self._upkeep.won()


async def sweep_once(connection: Connection) -> int:
    """End every grant that is over, once, without watching anything; returns how many were ended."""
    async with connection.session(CALL_TIMEOUT) as session:
        clock = Clock()
        cluster = Cluster(session, connection.server, observe=clock.observe)
        ended = sum([await _sweep(cluster, kind, clock.now) for kind in REQUEST_KINDS])
        for kind in REQUEST_KINDS:
            await sweep_identities(cluster, kind, clock.now)
        return ended


async def _sweep(cluster: Cluster, kind: RequestKind, now: Callable[[], datetime]) -> int:
    if kind.component and not await cluster.may("list", kind.binding):
        log.info("%ss are not swept: the component %s is not installed", kind.binding.kind, kind.component)
        return 0
    return await sweep_grants(cluster, kind, now)
