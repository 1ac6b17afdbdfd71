"""What is counted as it happens, for Prometheus; what can be counted when somebody asks is in app/gauges.py.

A label says which of a few known things it was: no person, request, namespace, role or text is ever one (docs/adr/0021).
"""

from collections.abc import Callable
from datetime import timedelta
from enum import StrEnum

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

from jitaccess.domain.obstacles import OBSTACLES
from jitaccess.domain.recorded import State
from jitaccess.domain.rules import LIMIT_REACHED
from jitaccess.domain.usage import DAILY_LIMIT_REACHED
from jitaccess.domain.verdicts import END_REFUSED
from jitaccess.domain.waits import WAITING
from jitaccess.kube.calls import OUTCOMES
from jitaccess.manifests.grant import GRACE
from jitaccess.manifests.kinds import REQUEST_KINDS
from jitaccess.manifests.resources import Resource
from jitaccess.publish.transitions import Transition

OTHER = "Other"
# The reasons of all that is ever recorded of a request (docs/lifecycle.md); one that is not here is counted as `Other`.
REASONS = (
    OBSTACLES
    | WAITING
    | {
        END_REFUSED,
        "Requested",
        "Approved",
        "Granted",
        "DurationElapsed",
        "DeniedByApprover",
        "WithdrawnByRequester",
        "RevokedByRequester",
        "RevokedByApprover",
        "PendingTimeout",
        "Scheduled",
        "ApprovalsMissing",
        "ApproverLocked",
        "RequestDeleted",
        "InvalidSpec",
        "PolicyNotFound",
        "PolicyRecreated",
        "PolicyInvalid",
        "PolicySuspended",
        "Locked",
        "OutOfReach",
        "NamespaceNotSelected",
        "RoleNotOffered",
        "DurationTooLong",
        "SchedulingNotAllowed",
        "StartTooFar",
        "TicketMissing",
        "TicketMismatch",
        LIMIT_REACHED,
        DAILY_LIMIT_REACHED,
        "PersistentRisk",
        "RoleChanged",
        "GuardGone",
        "BindingRestored",
        "IdentityRestored",
        "BindingMade",
        "BindingEmptied",
        "ExpiryUnguarded",
        "Emergency",
        "UnreviewedEmergency",
        "ReviewOwed",
        "ReviewOverdue",
        "ReviewedAsFine",
        "ReviewedAsMisuse",
    }
)
_DECISIONS = {
    "Approved": "approved",
    "DeniedByApprover": "denied",
    "WithdrawnByRequester": "withdrawn",
    "RevokedByRequester": "revoked",
    "RevokedByApprover": "revoked",
    "ReviewedAsFine": "reviewed",
    "ReviewedAsMisuse": "reviewed",
}
_DRIFT = {"BindingRestored": "binding", "IdentityRestored": "identity"}
_UNGRANTED = frozenset({State.DENIED, State.WITHDRAWN, State.TIMED_OUT, State.FAILED})

_MILLISECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_LAGS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
_HOURS = (1.0, 10.0, 60.0, 300.0, 900.0, 3600.0, 14400.0, 43200.0, 86400.0, 604800.0)


class Switched(StrEnum):
    """Why a grant is held to have been ended by the Job behind it, and not by the operator."""

    GUARD_GONE = "GuardGone"  # the Job was gone before the end
    TOO_LATE = "OperatorTooLate"  # the operator saw to the end when the Job's time to live was over


class Outcome(StrEnum):
    """What became of one attempt to hand something to a channel or sink."""

    SENT = "sent"
    RETRIED = "retried"  # not taken, and to be tried again
    FAILED = "failed"  # given up
    FOLDED = "folded"  # told together with others


class Metrics:
    """The metrics of one process, in a registry of their own."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # they double the series, and say when a process began
        self.registry = CollectorRegistry()
        kinds = [kind.resource.kind for kind in REQUEST_KINDS]
        self._transitions = self._counter("transitions", "New entries of the histories of requests.", "kind", "state", "reason")
        self._decisions = self._counter("decisions", "What people decided.", "kind", "decision")
        self._drift = self._counter("drift_repaired", "What somebody changed of a grant, and was put back.", "kind", "what")
        self._leftovers = self._counter("leftovers", "Access without a record that allows it, once each look.", "kind", "outcome")
        self._switched = self._counter(
            "dead_mans_switch", "Grants that ended, or were to end, by their Job instead of the operator.", "kind", "cause"
        )
        self._pending = self._histogram("pending_seconds", "From the asking to the grant, or to the no.", _HOURS, "kind")
        self._latency = self._histogram(
            "grant_latency_seconds", "From when the last approval was seen to the binding.", _MILLISECONDS, "kind"
        )
        self._expiry_lag = self._histogram(
            "expiry_lag_seconds", "From the end of a grant to when its access was seen to be gone.", _MILLISECONDS, "kind"
        )
        self._calls = self._counter("api_calls", "Calls to the API server, by what came of them.", "verb", "outcome")
        self._led = self._counter("leaderships", "How often this replica began to lead.")
        self._loop_lag = self._histogram("event_loop_lag_seconds", "How late the event loop is, looked at every second.", _LAGS)
        self._notifications = self._counter("notifications", "Attempts to notify, by configured channel.", "channel", "outcome")
        self._exports = self._counter("exports", "Attempts to export an event, by configured sink.", "sink", "outcome")
        self._export_lag = Gauge(
            "jitaccess_export_lag_seconds", "Age of the oldest event a sink has not taken.", ("sink",), registry=self.registry
        )
        self._queues = Gauge("jitaccess_queue_depth", "What waits, by queue.", ("queue",), registry=self.registry)
        for verb in ("GET", "POST", "PUT", "PATCH", "DELETE", "WATCH"):
            for outcome in ("ok", "abandoned", *OUTCOMES.values()):
                self._calls.labels(verb, outcome)
        for kind in kinds:  # so that the first one is an increase
            for each in (self._pending, self._latency, self._expiry_lag):
                each.labels(kind)
            for decision in _DECISIONS.values():
                self._decisions.labels(kind, decision)
            for cause in Switched:
                self._switched.labels(kind, cause)
            for outcome in ("ended", "not ended"):
                self._leftovers.labels(kind, outcome)
            for what in _DRIFT.values():
                self._drift.labels(kind, what)

    def _counter(self, name: str, about: str, *labels: str) -> Counter:
        return Counter(f"jitaccess_{name}", about, labels, registry=self.registry)

    def _histogram(self, name: str, about: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"jitaccess_{name}", about, labels, buckets=buckets, registry=self.registry)

    # --- requests and grants

    def happened(self, transition: Transition) -> None:
        """A new entry is on record."""
        entry, kind = transition.entry, transition.resource.kind
        self._transitions.labels(kind, entry.state.value, entry.reason if entry.reason in REASONS else OTHER).inc()
        if entry.reason in _DECISIONS:
            self._decisions.labels(kind, _DECISIONS[entry.reason]).inc()
        if entry.reason in _DRIFT:
            self._drift.labels(kind, _DRIFT[entry.reason]).inc()
        if entry.reason == "GuardGone":
            self._switched.labels(kind, Switched.GUARD_GONE).inc()
        if entry.state in _UNGRANTED or entry.reason == "Granted":
            self._pending.labels(kind).observe((entry.at - transition.request.created).total_seconds())

    def bound(self, resource: Resource, seconds: float) -> None:
        """A binding exists, that long after we saw the last approval of its request."""
        self._latency.labels(resource.kind).observe(seconds)

    def ended(self, resource: Resource, late: timedelta, *, guarded: bool) -> None:
        """The access of a grant whose time is up is gone, that late; `guarded` says that a Job was to end it too."""
        self._expiry_lag.labels(resource.kind).observe(max(0.0, late.total_seconds()))
        if guarded and late > GRACE:
            self._switched.labels(resource.kind, Switched.TOO_LATE).inc()

    def leftover(self, resource: Resource, ended: bool) -> None:
        """There was access that no record allows (any more); whether it could be ended."""
        self._leftovers.labels(resource.kind, "ended" if ended else "not ended").inc()

    # --- the process

    def called(self, verb: str, outcome: str) -> None:
        """A call to the API server (`WATCH` is one too) came to that (kube/calls.py)."""
        self._calls.labels(verb, outcome).inc()

    def led(self) -> None:
        """This replica begins to lead."""
        self._led.inc()

    def lagged(self, seconds: float) -> None:
        """The event loop came that late to what was due."""
        self._loop_lag.observe(seconds)

    def waits(self, queue: str, depth: Callable[[], int]) -> None:
        """A queue whose depth is asked for at each scrape: what waits in it goes on by itself."""
        self._queues.labels(queue).set_function(depth)

    # --- what leaves the cluster

    def notified(self, channel: str, outcome: Outcome) -> None:
        """One attempt to notify; `channel` is a name from the configuration, never one that a policy made up."""
        self._notifications.labels(channel, outcome).inc()

    def exported(self, sink: str, outcome: Outcome) -> None:
        """One attempt to export an event; `sink` is a name from the configuration."""
        self._exports.labels(sink, outcome).inc()

    def export_lags(self, sink: str, seconds: float) -> None:
        """The age of the oldest event that a sink has not taken yet; 0.0 when it has all."""
        self._export_lag.labels(sink).set(seconds)
