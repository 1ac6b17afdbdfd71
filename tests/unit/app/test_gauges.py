"""What is counted at a scrape: what is open, policies, the schedule, this replica; and that no label can be somebody's words."""

import asyncio
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Gauge

from jitaccess.app import metrics_page
from jitaccess.app.gauges import NOT_READY, OVERDUE_AFTER, UNGUARDED, Gauges, Replica
from jitaccess.app.metrics_page import SECONDS_BETWEEN, MetricsPage
from jitaccess.domain.model import AccessRequest, Key, PolicyRecorded, PolicyRef
from jitaccess.domain.recorded import Condition, ObjectRef, Recorded, Review, State
from jitaccess.kube.installation import Installation
from jitaccess.manifests.locks import parse_lock
from jitaccess.manifests.resources import CLUSTER_POLICIES, JOBS, POLICIES, REQUESTS
from jitaccess.publish.metrics import OTHER, Metrics
from jitaccess.workqueue.schedule import Schedule, Target
from jitaccess.workqueue.store import Store
from unit.examples import HOUR, KEY, NAMESPACE, T0, active_status, cluster_policy, empty_store, lock_manifest, policy, request

KIND = {"kind": "AccessRequest"}
HOSTILE = 'bob" } \n x'
# All that a label may be called, and what it may be: what is known before anybody asks for anything.
LABELS = {
    "kind": {"AccessRequest", "ClusterAccessRequest", "AccessPolicy", "ClusterAccessPolicy", OTHER},
    "policy_kind": {"AccessPolicy", "ClusterAccessPolicy", OTHER},
    "state": {state.value for state in State},
    "delivery": {"Binding", "Identity"},
    "decision": {"approved", "denied", "withdrawn", "revoked", "reviewed"},
    "what": {"binding", "identity"},
    "cause": {"GuardGone", "OperatorTooLate"},
    "verb": {"GET", "POST", "PUT", "PATCH", "DELETE", "WATCH"},
    "outcome": {"ok", "abandoned", "expired", "outage", "refused", "conflict", "ended", "not ended"},
    "reason": {*UNGUARDED, *NOT_READY, OTHER},
    "queue": {"looks", "events"},
}


async def fire(_: Target) -> None:
    """Nothing is due here."""


@dataclass
class Desk:
    """One replica and its registry."""

    store: Store = field(default_factory=empty_store)
    schedule: Schedule = field(default_factory=lambda: Schedule(fire, lambda: datetime.now(UTC)))
    installation: Installation = field(default_factory=Installation)
    metrics: Metrics = field(default_factory=Metrics)
    now: datetime = T0
    leads: bool = True

    def __post_init__(self) -> None:
        replica = Replica(
            self.store,
            self.schedule,
            self.installation,
            lambda: self.now,
            lambda: self.leads,
            lambda: True,
            lambda: -2.5,
            lambda: 3,
        )
        self.metrics.registry.register(Gauges(replica))

    def value(self, name: str, **labels: str) -> float | None:
        """A sample as it is now."""
        return self.metrics.registry.get_sample_value(f"jitaccess_{name}", labels)

    def sees(self, *requests: AccessRequest) -> None:
        """The watch has told of these."""
        for each in requests:
            self.store.requests[REQUESTS].see(each, hint=False)

    @property
    def labels(self) -> dict[str, set[str]]:
        """All labels of all series, with their values."""
        found: dict[str, set[str]] = {}
        for family in self.metrics.registry.collect():
            for sample in family.samples:
                for name, value in sample.labels.items():
                    found.setdefault(name, set()).add(value)
        return found


@pytest.fixture
def desk() -> Desk:
    return Desk()


def named(name: str, **fields: Any) -> AccessRequest:
    return replace(request(**fields), key=Key(NAMESPACE, name), uid=f"u-{name}")


def active(name: str = "active", *, conditions: tuple[Condition, ...] = (), identity: str = "") -> AccessRequest:
    """One that is granted for an hour."""
    asked = named(name, status=active_status())
    return replace(asked, recorded=replace(asked.recorded, conditions=conditions, identity=identity))


def false(kind: str, reason: str) -> tuple[Condition, ...]:
    return (Condition(kind, "False", reason, "no matter"),)


def test_open_requests_are_counted_by_state_and_kind_of_policy(desk: Desk) -> None:
    elsewhere = replace(named("selected"), policy=PolicyRef("ClusterAccessPolicy", Key("", "prod")))
    odd = replace(named("odd"), policy=PolicyRef(HOSTILE, Key("", "x")))
    desk.sees(named("one"), named("two"), active(), elsewhere, odd, named("later", status={"state": "Scheduled"}))
    counted = {
        (policy_kind, state): desk.value("requests", **KIND, policy_kind=policy_kind, state=state)
        for policy_kind in ("AccessPolicy", "ClusterAccessPolicy", OTHER)
        for state in ("Pending", "Scheduled", "Active")
    }
    assert counted == {
        ("AccessPolicy", "Pending"): 2,
        ("AccessPolicy", "Scheduled"): 1,
        ("AccessPolicy", "Active"): 1,
        ("ClusterAccessPolicy", "Pending"): 1,
        ("ClusterAccessPolicy", "Scheduled"): 0,
        ("ClusterAccessPolicy", "Active"): 0,
        (OTHER, "Pending"): 1,
        (OTHER, "Scheduled"): 0,
        (OTHER, "Active"): 0,
    }


def test_the_oldest_that_waits_is_told_and_grants_do_not_wait(desk: Desk) -> None:
    desk.sees(replace(named("old"), created=T0 - HOUR), named("new"), replace(active(), created=T0 - 9 * HOUR))
    decided = {"state": "Scheduled"}, {"state": "Pending", "startsAt": "2026-07-01T06:00:00.000Z"}
    desk.sees(*(replace(named(f"later-{n}", status=status), created=T0 - 9 * HOUR) for n, status in enumerate(decided)))
    desk.now = T0 + timedelta(minutes=1)
    assert desk.value("oldest_pending_seconds", **KIND) == 3660
    desk.store.requests[REQUESTS].forget(Key(NAMESPACE, "old"))
    assert desk.value("oldest_pending_seconds", **KIND) == 60


def test_grants_are_counted_by_how_they_are_delivered(desk: Desk) -> None:
    desk.sees(active("one"), active("two", identity="system:serviceaccount:jitaccess-grants:x"), active("three"))
    desk.store.requests[REQUESTS].unbound(Key(NAMESPACE, "three"))
    delivered = [desk.value("grants_active", **KIND, delivery=each) for each in ("Binding", "Identity")]
    assert delivered == [1, 1], "of the third the access is gone"


@pytest.mark.parametrize(
    ("after", "conditions", "gone", "overdue"),
    [
        pytest.param(timedelta(0), (), False, 0, id="while-it-lasts"),
        pytest.param(HOUR, (), False, 0, id="at-its-end"),
        pytest.param(HOUR + OVERDUE_AFTER, (), False, 1, id="seconds-later"),
        pytest.param(HOUR + OVERDUE_AFTER, (), True, 0, id="gone-and-the-record-is-to-come"),
        pytest.param(timedelta(0), false("Granted", "EndRefused"), False, 1, id="its-end-is-refused"),
        pytest.param(timedelta(0), false("Granted", "BindForbidden"), False, 0, id="an-obstacle"),
    ],
)
def test_access_that_should_have_ended_is_overdue(
    desk: Desk, after: timedelta, conditions: tuple[Condition, ...], gone: bool, overdue: int
) -> None:
    desk.sees(active(conditions=conditions))
    if gone:
        desk.store.requests[REQUESTS].unbound(Key(NAMESPACE, "active"))
    desk.now = T0 + after
    assert desk.value("grants_overdue", **KIND) == overdue


@pytest.mark.parametrize(
    ("after", "overdue"), [pytest.param(timedelta(0), 0, id="owed"), pytest.param(24 * HOUR, 1, id="the-moment-it-is-due")]
)
def test_reviews_are_owed_and_then_overdue(desk: Desk, after: timedelta, overdue: int) -> None:
    review = Review(24 * HOUR, "Group security", T0 + 24 * HOUR)
    desk.store.reviews[REQUESTS].remember(replace(named("over"), recorded=Recorded(review=review)), 0)
    desk.store.reviews[REQUESTS].remember(replace(named("given"), recorded=Recorded(review=replace(review, awaited=False))), 0)
    desk.now = T0 + after
    assert (desk.value("reviews_owed", **KIND), desk.value("reviews_overdue", **KIND)) == (1, overdue)


@pytest.mark.parametrize(("reason", "label"), [*((each, each) for each in UNGUARDED), (HOSTILE, OTHER)])
def test_what_nothing_else_ends_is_counted_by_reason(desk: Desk, reason: str, label: str) -> None:
    desk.sees(active("guarded"), active(conditions=false("ExpiryGuarded", reason)))
    counted = {each: desk.value("grants_unguarded", **KIND, reason=each) for each in (*UNGUARDED, OTHER)}
    assert counted == {each: float(each == label) for each in (*UNGUARDED, OTHER)}


@pytest.mark.parametrize(
    ("ready", "label"),
    [
        pytest.param((), "NotLookedAt", id="not-looked-at"),
        pytest.param(false("Ready", "Invalid"), "Invalid", id="invalid"),
        pytest.param(false("Ready", HOSTILE), OTHER, id="what-is-not-ours"),
        pytest.param((Condition("Ready", "True", "InForce", ""),), "", id="in-force"),
    ],
)
def test_policies_that_are_not_in_force_are_counted_by_reason(desk: Desk, ready: tuple[Condition, ...], label: str) -> None:
    desk.store.policies[POLICIES].see(replace(policy(), recorded=PolicyRecorded(conditions=ready)))
    desk.store.policies[CLUSTER_POLICIES].see(cluster_policy())
    counted = {each: desk.value("policies_not_ready", kind="AccessPolicy", reason=each) for each in (*NOT_READY, OTHER)}
    assert counted == {each: float(each == label) for each in (*NOT_READY, OTHER)}
    assert desk.value("policies", kind="AccessPolicy") == 1


def test_the_schedule_is_told(desk: Desk) -> None:
    desk.schedule.soon(Target(REQUESTS, KEY))
    desk.schedule.retry(Target(POLICIES, KEY))
    desk.schedule.retry(Target(JOBS, KEY))
    assert (desk.value("retrying"), desk.value("deadlines")) == (2, 2)
    retries = [desk.value("retries_total", kind=kind) for kind in ("AccessRequest", "AccessPolicy", OTHER)]
    assert retries == [0, 1, 1]
    desk.schedule.done(Target(POLICIES, KEY))
    assert (desk.value("retrying"), desk.value("retries_total", kind="AccessPolicy")) == (1, 1)


def test_the_replica_is_told(desk: Desk) -> None:
    names = ("leader", "watching", "clock_skew_seconds", "events_dropped_total", "installation_problems")
    assert [desk.value(name) for name in names] == [1, 1, -2.5, 3, 1]
    desk.leads, desk.installation.problems = False, ()
    assert (desk.value("leader"), desk.value("installation_problems")) == (0, 0)


def test_a_replica_that_stands_by_tells_the_same_of_what_is_open(desk: Desk) -> None:
    desk.leads = False
    desk.sees(named("one"), active())
    desk.now = T0 + 2 * HOUR
    assert (desk.value("grants_overdue", **KIND), desk.value("leader")) == (1, 0)


def test_no_label_is_anybodys_words(desk: Desk) -> None:
    odd = replace(named(HOSTILE), policy=PolicyRef(HOSTILE, Key(HOSTILE, HOSTILE)), requester=HOSTILE, reason=HOSTILE)
    desk.sees(odd, active(HOSTILE + "2", conditions=false("ExpiryGuarded", HOSTILE), identity=HOSTILE))
    of_a_policy = PolicyRecorded(conditions=false("Ready", HOSTILE))
    desk.store.policies[POLICIES].see(replace(policy(), recorded=of_a_policy))
    desk.metrics.waits("looks", lambda: 1)
    desk.metrics.waits("events", lambda: 1)
    labels = desk.labels
    labels.pop("le")
    assert labels.keys() <= LABELS.keys()
    assert {name: values - LABELS[name] for name, values in labels.items() if values - LABELS[name]} == {}


def test_no_metric_has_a_label_for_what_is_without_bound(desk: Desk) -> None:
    names = {
        name for family in desk.metrics.registry._names_to_collectors.values() for name in getattr(family, "_labelnames", ())
    }
    assert names <= {*LABELS, "channel", "sink"}


def test_the_page_is_made_at_most_once_a_second() -> None:
    registry, seconds = CollectorRegistry(), [100.0]
    gauge = Gauge("jitaccess_something", "", registry=registry)
    page = MetricsPage(registry, lambda: seconds[0])
    first = page()
    assert (first.status, first.content_type) == (HTTPStatus.OK, "text/plain; version=0.0.4; charset=utf-8")
    gauge.set(7)
    assert page() == first
    seconds[0] += SECONDS_BETWEEN
    assert "jitaccess_something 7.0" in page().text


def test_locks_that_hold_are_counted(desk: Desk) -> None:
    desk.store.locks.see(parse_lock(lock_manifest("alice")))
    assert desk.value("locks") == 1
    over = parse_lock(lock_manifest("alice", status={"state": "Over", "settled": True}))
    desk.store.locks.see(replace(over, resource_version="21"))
    assert desk.value("locks") == 0


def test_settled_requests_are_not_counted(desk: Desk) -> None:
    desk.sees(replace(named("done"), recorded=Recorded(state=State.EXPIRED, job=ObjectRef("j"))))
    assert desk.value("requests", **KIND, policy_kind="AccessPolicy", state="Active") == 0


async def test_the_lag_of_the_event_loop_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_page, "LAG_EVERY", 0.01)
    lags: asyncio.Queue[float] = asyncio.Queue()
    measuring = asyncio.create_task(metrics_page.measure_lag(lags.put_nowait))
    await lags.get()
    time.sleep(0.2)  # noqa: ASYNC251 (this is what is measured)
    late = await lags.get()
    measuring.cancel()
    assert late > 0.15
