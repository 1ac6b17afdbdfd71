"""What can be counted when somebody asks, and costs nothing before: what is open, the policies, the schedule, this replica."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from jitaccess.domain.model import AccessPolicy
from jitaccess.domain.recorded import State, condition_of
from jitaccess.kube.installation import Installation
from jitaccess.manifests.kinds import POLICY_KINDS
from jitaccess.publish.metrics import OTHER
from jitaccess.workqueue.schedule import Schedule
from jitaccess.workqueue.store import Open, Requests, Store

OVERDUE_AFTER = timedelta(seconds=5)  # a call takes a while, and a thousand ends at once take longer
UNGUARDED = ("SweepOnly", "JobRefused", "JobChanged", "FinalizerAdded", "BindingChanged")
UNSEEN = "NotLookedAt"
NOT_READY = (UNSEEN, "Invalid", "Suspended", "PersistentRisk", "ComponentMissing", "NameTaken", "Refused", "IdentityRefused")


@dataclass(frozen=True, slots=True)
class Replica:
    """What this process knows and does; a replica that stands by knows the same as the one that leads."""

    store: Store
    schedule: Schedule
    installation: Installation
    now: Callable[[], datetime]
    leads: Callable[[], bool]
    watching: Callable[[], bool]
    skew: Callable[[], float]  # seconds by which the machine's clock is ahead of the API server's
    dropped: Callable[[], int]  # Events


class Gauges(Collector):
    """Counts at each scrape, in one walk over what is open."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica

    def collect(self) -> Iterator[Metric]:
        """All of it, as it is now."""
        yield from self._requests()
        yield from self._reviews()
        yield from self._policies()
        yield from self._schedule()
        replica = self._replica
        yield _gauge("leader", "Whether this replica leads (1) or stands by (0).", float(replica.leads()))
        yield _gauge("watching", "Whether this replica watches all that it must.", float(replica.watching()))
        problems = len(replica.installation.problems)
        yield _gauge("installation_problems", "What is wrong with CRDs, admission policies and account; no grants.", problems)
        yield _gauge("clock_skew_seconds", "How far this machine's clock is ahead of the API server's.", replica.skew())
        yield _gauge("locks", "Locks that hold.", len(replica.store.locks))
        yield _counter("events_dropped", "Kubernetes Events that could not be posted.", replica.dropped())

    def _requests(self) -> Iterator[Metric]:
        store, now = self._replica.store, self._replica.now()
        requests = GaugeMetricFamily("jitaccess_requests", "Open requests.", labels=("kind", "policy_kind", "state"))
        oldest = GaugeMetricFamily("jitaccess_oldest_pending_seconds", "Age of the oldest pending request.", labels=("kind",))
        active = GaugeMetricFamily("jitaccess_grants_active", "Grants that last.", labels=("kind", "delivery"))
        overdue = GaugeMetricFamily("jitaccess_grants_overdue", "Grants that should have ended; must be 0.", labels=("kind",))
        unguarded = GaugeMetricFamily("jitaccess_grants_unguarded", "Grants that only we end.", labels=("kind", "reason"))
        for resource, known in store.requests.items():
            count = Count(known, now)
            oldest.add_metric([resource.kind], count.oldest)
            overdue.add_metric([resource.kind], count.overdue)
            for policy_kind, state in ((each, state) for each in _POLICY_KINDS for state in _OPEN_STATES):
                requests.add_metric([resource.kind, policy_kind, state.value], count.open[policy_kind, state])
            for delivery, number in count.active.items():
                active.add_metric([resource.kind, delivery], number)
            for reason in (*UNGUARDED, OTHER):
                unguarded.add_metric([resource.kind, reason], count.unguarded[reason])
        yield from (requests, oldest, active, overdue, unguarded)

    def _reviews(self) -> Iterator[Metric]:
        now = self._replica.now()
        owed = GaugeMetricFamily("jitaccess_reviews_owed", "Emergency access that is over and not reviewed.", labels=("kind",))
        overdue = GaugeMetricFamily("jitaccess_reviews_overdue", "Such reviews that are overdue.", labels=("kind",))
        for resource, known in self._replica.store.reviews.items():
            owed.add_metric([resource.kind], len(known))
            overdue.add_metric([resource.kind], sum(each.due <= now for each in known.each()))
        yield from (owed, overdue)

    def _policies(self) -> Iterator[Metric]:
        all_of_them = GaugeMetricFamily("jitaccess_policies", "Policies.", labels=("kind",))
        not_ready = GaugeMetricFamily("jitaccess_policies_not_ready", "Policies not in force.", labels=("kind", "reason"))
        for resource, known in self._replica.store.policies.items():
            reasons = Counter(_why_not_ready(policy) for policy in known.each())
            all_of_them.add_metric([resource.kind], reasons.total())
            for reason in (*NOT_READY, OTHER):
                not_ready.add_metric([resource.kind, reason], reasons[reason])
        yield from (all_of_them, not_ready)

    def _schedule(self) -> Iterator[Metric]:
        schedule = self._replica.schedule
        yield _gauge("deadlines", "Objects that are to be looked at at a certain time.", schedule.planned)
        yield _gauge("retrying", "Objects that are not as they should be, and are tried again.", schedule.retrying)
        retries = CounterMetricFamily("jitaccess_retries", "Looks that were to be repeated.", labels=("kind",))
        for kind in (*self._replica.store.requests, *self._replica.store.policies):
            retries.add_metric([kind.kind], schedule.retries[kind.kind])
        known = {kind.kind for kind in (*self._replica.store.requests, *self._replica.store.policies)}
        retries.add_metric([OTHER], sum(number for kind, number in schedule.retries.items() if kind not in known))
        yield retries


_POLICY_KINDS = (*(kind.resource.kind for kind in POLICY_KINDS), OTHER)
_OPEN_STATES = tuple(state for state in State if not state.settled)


class Count:
    """One walk over the open requests of a kind."""

    def __init__(self, requests: Requests, now: datetime) -> None:
        self.open: Counter[tuple[str, State]] = Counter()
        self.active = {"Binding": 0, "Identity": 0}
        self.unguarded: Counter[str] = Counter()
        self.oldest = 0.0
        self.overdue = 0
        for each in requests.each():
            self._add(each, now)

    def _add(self, request: Open, now: datetime) -> None:
        kind = request.policy.kind if request.policy.kind in _POLICY_KINDS else OTHER
        self.open[kind, _state(request)] += 1
        if not request.active:
            waited = (now - request.asked).total_seconds() if request.asked else 0.0
            self.oldest = max(self.oldest, waited)
        elif not request.gone:
            self.active["Identity" if request.identity else "Binding"] += 1
            self.overdue += request.stuck or (request.until is not None and request.until + OVERDUE_AFTER <= now)
            if request.unguarded:
                self.unguarded[request.unguarded if request.unguarded in UNGUARDED else OTHER] += 1


def _state(request: Open) -> State:
    if request.active:
        return State.ACTIVE
    return State.SCHEDULED if request.scheduled else State.PENDING


def _why_not_ready(policy: AccessPolicy) -> str:
    """Why a policy is not in force; empty if it is."""
    ready = condition_of(policy.recorded.conditions, "Ready")
    if ready is None:
        return UNSEEN
    if ready.status == "True":
        return ""
    return ready.reason if ready.reason in NOT_READY else OTHER


def _gauge(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(f"jitaccess_{name}", about, value=value)


def _counter(name: str, about: str, value: float) -> Metric:
    return CounterMetricFamily(f"jitaccess_{name}", about, value=value)
