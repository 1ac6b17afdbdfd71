"""What is counted as it happens; and that no label can be what somebody wrote."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from jitaccess.domain.model import AccessRequest
from jitaccess.domain.recorded import Entry, State
from jitaccess.manifests.grant import GRACE
from jitaccess.manifests.resources import REQUESTS
from jitaccess.publish.events import Announcer
from jitaccess.publish.metrics import OTHER, REASONS, Metrics, Outcome
from jitaccess.publish.publisher import Publisher
from unit.examples import ALICE, BOB, T0, request

KIND = {"kind": "AccessRequest"}
SOURCES = Path(__file__).resolve().parents[3] / "operator" / "jitaccess"
# Where a word stands that becomes the reason of an entry of a history.
SAID = re.compile(r'(?:Verdict\([\w.]+, |Objection\(|Incident\(|Entry\([\w.]+, State\.\w+, )"([A-Z]\w+)"')
# Reasons of the condition ExpiryGuarded, of policies, and of verdicts that are never recorded.
NEVER_AN_ENTRY = {
    "JobRefused",
    "JobChanged",
    "BindingChanged",
    "FinalizerAdded",
    "SweepOnly",
    "Refused",
    "WaitingForApproval",
    "Settled",
}


class Silent(Announcer):
    """Posts nothing."""

    def __init__(self) -> None:
        """Without a cluster."""

    def tell(self, news: object) -> None:
        """Nobody is told."""


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


def value(metrics: Metrics, name: str, **labels: str) -> float:
    """A sample of AccessRequests; 0.0 where there is none yet."""
    return metrics.registry.get_sample_value(f"jitaccess_{name}", KIND | labels) or 0.0


def publish(metrics: Metrics, asked: AccessRequest, *entries: Entry) -> None:
    Publisher(Silent(), metrics).publish(REQUESTS, asked, entries)


def entry(state: State, reason: str, after: timedelta = timedelta(), by: str = "") -> Entry:
    return Entry(T0 + after, state, reason, "no matter", by)


@pytest.mark.parametrize(
    ("state", "reason", "decision"),
    [
        pytest.param(State.PENDING, "Approved", "approved", id="an-approval"),
        pytest.param(State.DENIED, "DeniedByApprover", "denied", id="a-denial"),
        pytest.param(State.WITHDRAWN, "WithdrawnByRequester", "withdrawn", id="a-withdrawal"),
        pytest.param(State.REVOKED, "RevokedByRequester", "revoked", id="given-back"),
        pytest.param(State.REVOKED, "RevokedByApprover", "revoked", id="taken-back"),
    ],
)
def test_decisions_are_counted(metrics: Metrics, state: State, reason: str, decision: str) -> None:
    publish(metrics, request(), entry(state, reason, by=BOB))
    assert value(metrics, "decisions_total", decision=decision) == 1
    assert value(metrics, "transitions_total", state=state.value, reason=reason) == 1


def test_what_nobody_decided_is_no_decision(metrics: Metrics) -> None:
    publish(metrics, request(), entry(State.PENDING, "Requested", by=ALICE), entry(State.TIMED_OUT, "PendingTimeout"))
    decided = [value(metrics, "decisions_total", decision=each) for each in ("approved", "denied", "withdrawn", "revoked")]
    assert decided == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("told", "count"),
    [
        pytest.param(entry(State.ACTIVE, "Granted", timedelta(minutes=2)), 1, id="a-yes"),
        pytest.param(entry(State.DENIED, "DurationTooLong", timedelta(minutes=2)), 1, id="a-no"),
        pytest.param(entry(State.EXPIRED, "DurationElapsed", timedelta(hours=2)), 0, id="an-end"),
        pytest.param(entry(State.PENDING, "RoleNotFound", timedelta(minutes=2)), 0, id="an-obstacle"),
    ],
)
def test_how_long_it_took_from_the_asking(metrics: Metrics, told: Entry, count: int) -> None:
    publish(metrics, request(), told)
    assert (value(metrics, "pending_seconds_count"), value(metrics, "pending_seconds_sum")) == (count, 120 * count)


@pytest.mark.parametrize(("reason", "what"), [("BindingRestored", "binding"), ("IdentityRestored", "identity")])
def test_drift_is_counted(metrics: Metrics, reason: str, what: str) -> None:
    publish(metrics, request(), entry(State.ACTIVE, reason))
    assert value(metrics, "drift_repaired_total", what=what) == 1


@pytest.mark.parametrize(
    ("late", "guarded", "switched"),
    [
        pytest.param(timedelta(milliseconds=3), True, 0, id="in-time"),
        pytest.param(GRACE, True, 0, id="before-the-job"),
        pytest.param(GRACE + timedelta(seconds=1), True, 1, id="after-the-job"),
        pytest.param(timedelta(hours=1), False, 0, id="where-there-is-no-job"),
        pytest.param(timedelta(milliseconds=-1), True, 0, id="a-clock-of-milliseconds"),
    ],
)
def test_an_end_after_its_job_was_due_is_the_dead_mans(metrics: Metrics, late: timedelta, guarded: bool, switched: int) -> None:
    metrics.ended(REQUESTS, late, guarded=guarded)
    assert value(metrics, "dead_mans_switch_total", cause="OperatorTooLate") == switched
    assert value(metrics, "expiry_lag_seconds_count") == 1
    assert value(metrics, "expiry_lag_seconds_sum") == max(0.0, late.total_seconds())


def test_a_job_that_is_gone_is_the_dead_mans(metrics: Metrics) -> None:
    publish(metrics, request(), entry(State.REVOKED, "GuardGone"))
    assert value(metrics, "dead_mans_switch_total", cause="GuardGone") == 1


@pytest.mark.parametrize("outcome", Outcome)
def test_what_leaves_the_cluster_is_counted(metrics: Metrics, outcome: Outcome) -> None:
    metrics.notified("team-a-chat", outcome)
    metrics.exported("siem", outcome)
    metrics.export_lags("siem", 12.0)
    get = metrics.registry.get_sample_value
    assert get("jitaccess_notifications_total", {"channel": "team-a-chat", "outcome": outcome.value}) == 1
    assert get("jitaccess_exports_total", {"sink": "siem", "outcome": outcome.value}) == 1
    assert get("jitaccess_export_lag_seconds", {"sink": "siem"}) == 12.0


def test_a_queue_is_asked_at_each_scrape(metrics: Metrics) -> None:
    waiting: list[str] = []
    metrics.waits("notifications", lambda: len(waiting))
    waiting += ["one", "two"]
    assert metrics.registry.get_sample_value("jitaccess_queue_depth", {"queue": "notifications"}) == 2


def test_a_reason_that_is_not_ours_is_no_label(metrics: Metrics) -> None:
    publish(metrics, request(), entry(State.DENIED, f"{ALICE} said so"))
    assert value(metrics, "transitions_total", state="Denied", reason=OTHER) == 1
    assert ALICE not in str(list(metrics.registry.collect()))


def test_every_reason_that_the_code_records_is_known() -> None:
    rooms = [*SOURCES.glob("domain/*.py"), *SOURCES.glob("reconcile/*.py")]
    said = {word for file in rooms for word in SAID.findall(file.read_text())}
    constants = re.findall(r'^[A-Z_]+ = "([A-Z]\w+)"$', (SOURCES / "domain" / "obstacles.py").read_text(), re.MULTILINE)
    reasons = set(re.findall(r'"((?:Revoked|Withdrawn|Denied)By\w+)"', (SOURCES / "domain" / "lifecycle.py").read_text()))
    assert len(said) > 20, "the sources are written in another way: this test must follow"
    assert said | set(constants) | reasons <= REASONS | NEVER_AN_ENTRY
