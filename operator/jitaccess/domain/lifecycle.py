"""The state machine of a request: one table, and one pure function that says what should be true now."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from jitaccess.domain.circumstances import NOTHING_AROUND, Circumstances
from jitaccess.domain.counting import counting_approvals, wanting
from jitaccess.domain.model import AccessPolicy, AccessRequest, Decision, Key, RoleRef
from jitaccess.domain.obstacles import OBSTACLES
from jitaccess.domain.recorded import DeliveredAs, State
from jitaccess.domain.rules import Objection, awaited, missing_approvals, objection
from jitaccess.domain.text import format_time

# Settled states lead nowhere: never access again. docs/lifecycle.md draws this table.
TRANSITIONS: Mapping[State, frozenset[State]] = {
    State.PENDING: frozenset({State.ACTIVE, State.DENIED, State.WITHDRAWN, State.TIMED_OUT, State.FAILED}),
    State.ACTIVE: frozenset({State.EXPIRED, State.REVOKED}),
    State.EXPIRED: frozenset(),
    State.REVOKED: frozenset(),
    State.DENIED: frozenset(),
    State.WITHDRAWN: frozenset(),
    State.TIMED_OUT: frozenset(),
    State.FAILED: frozenset(),
}
# The reason of a request whose access should have ended and has not: the API server does not let it.
END_REFUSED = "EndRefused"


@dataclass(frozen=True, slots=True)
class Grant:
    """The access itself: who gets which role, from when to when, for which request, and how."""

    request: Key
    request_uid: str
    requester: str
    role: RoleRef
    granted_at: datetime
    expires_at: datetime
    delivered_as: DeliveredAs = DeliveredAs.BINDING


def grant_of(
    request: AccessRequest, granted_at: datetime, expires_at: datetime, delivered_as: DeliveredAs | None = None
) -> Grant:
    """The access that a request asks for, from when to when; given as on record where nothing else is said."""
    how = delivered_as or request.recorded.delivered_as
    return Grant(request.key, request.uid, request.requester, request.role, granted_at, expires_at, how)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What should be true of a request now, and why.

    `grant` is the access that should exist (None: none should); `wake_at` is when to look again though nothing happens;
    `by` is whose decision it was, empty where it was nobody's.
    """

    state: State
    reason: str
    message: str
    by: str = ""
    approvals: tuple[Decision, ...] = ()
    grant: Grant | None = None
    wake_at: datetime | None = None

    @property
    def troubled(self) -> bool:
        """Whether something stands in the way of what should be true, so that it is tried again."""
        return self.reason in OBSTACLES or self.reason == END_REFUSED

    @property
    def approved(self) -> bool:
        """Whether the approvals suffice, even if something still stands in the way of the binding."""
        return self.state is State.ACTIVE or self.reason in OBSTACLES


def decide(request: AccessRequest, policy: AccessPolicy | None, now: datetime, around: Circumstances = NOTHING_AROUND) -> Verdict:
    """Decide what should be true of the request at that moment, under the policy and with all around it as it is now.

    Total, and without effects.
    """
    if request.state.settled:
        return Verdict(request.state, "Settled", "this request is settled")
    return (_active if request.state is State.ACTIVE else _pending)(request, policy, now, around)


def length_of(request: AccessRequest, approvals: Iterable[Decision]) -> timedelta:
    """How long access lasts once it begins: as long as was asked for, or as the shortest of the approvals that count says."""
    return min([request.duration, *(approval.length for approval in approvals if approval.length is not None)])


def granted(grant: Grant, approvals: tuple[Decision, ...]) -> Verdict:
    """The verdict that this access should exist."""
    message = f"{grant.role} until {format_time(grant.expires_at)}"
    return Verdict(State.ACTIVE, "Granted", message, "", approvals, grant, grant.expires_at)


def blocked(verdict: Verdict, obstacle: Objection, state: State) -> Verdict:
    """The same verdict while something stands between the approval and the binding; the request stays in the state it is in."""
    return replace(verdict, state=state, reason=obstacle.reason, message=obstacle.message, grant=None)


def not_ended(verdict: Verdict, state: State, message: str) -> Verdict:
    """The same verdict while the access that it ends cannot be ended; the request stays in the state it is in."""
    return replace(verdict, state=state, reason=END_REFUSED, message=f"should have ended ({verdict.message}), but {message}")


def guard_gone(what: str) -> Verdict:
    """The verdict on access whose Job is gone: its time is up by the cluster's clock, or somebody deleted it; it is over."""
    return Verdict(State.REVOKED, "GuardGone", f"{what}: its time is up by the cluster's clock, or somebody deleted it")


def _pending(request: AccessRequest, policy: AccessPolicy | None, now: datetime, around: Circumstances) -> Verdict:
    ended = _withdrawn_or_denied(request)
    if ended:
        return ended
    if request.invalid:
        return Verdict(State.FAILED, "InvalidSpec", request.invalid)
    against = objection(request, policy, now, around)
    if policy is None or against:
        refusal = against or Objection("PolicyNotFound", "")
        return Verdict(State.DENIED, refusal.reason, refusal.message)
    deadline = request.created + policy.pending_timeout
    if now >= deadline:
        return _timed_out(request, policy, deadline)
    approvals = counting_approvals(request, policy)
    if wanting(policy, approvals):
        missing = missing_approvals(request, policy)
        return Verdict(State.PENDING, "WaitingForApproval", missing, approvals=approvals, wake_at=deadline)
    grant = grant_of(request, now, now + length_of(request, approvals), policy.delivery)
    return granted(grant, approvals)


def _active(request: AccessRequest, policy: AccessPolicy | None, now: datetime, around: Circumstances) -> Verdict:
    granted_at, expires_at = request.recorded.granted_at, request.recorded.expires_at
    if granted_at is None or expires_at is None or now >= expires_at:
        return Verdict(State.EXPIRED, "DurationElapsed", _time_is_up(request))
    ended = _revoked(request)
    if ended:
        return ended
    against = objection(request, policy, now, around)
    if against:
        return Verdict(State.REVOKED, against.reason, against.message)
    approvals = counting_approvals(request)
    if policy is not None and wanting(policy, approvals):
        return Verdict(State.REVOKED, "ApprovalsMissing", f"{policy.ref} now {awaited(policy, approvals)}")
    grant = grant_of(request, granted_at, expires_at)
    return granted(grant, approvals)


def _withdrawn_or_denied(request: AccessRequest) -> Verdict | None:
    if request.deleting:
        return Verdict(State.WITHDRAWN, "RequestDeleted", "the request was deleted")
    if request.denials:
        denial = request.denials[0]
        return Verdict(State.DENIED, "DeniedByApprover", _said(denial), denial.by)
    if request.revocations:
        revocation = request.revocations[0]
        by_requester = revocation.by == request.requester
        state, reason = (State.WITHDRAWN, "WithdrawnByRequester") if by_requester else (State.DENIED, "DeniedByApprover")
        return Verdict(state, reason, _said(revocation), revocation.by)
    return None


def _revoked(request: AccessRequest) -> Verdict | None:
    if request.deleting:
        return Verdict(State.REVOKED, "RequestDeleted", "the request was deleted")
    for decision in (*request.revocations, *request.denials):
        reason = "RevokedByRequester" if decision.by == request.requester else "RevokedByApprover"
        return Verdict(State.REVOKED, reason, _said(decision), decision.by)
    return None


def _timed_out(request: AccessRequest, policy: AccessPolicy, deadline: datetime) -> Verdict:
    before, approvals = request.recorded.condition("Granted"), counting_approvals(request, policy)
    if before and before.reason in OBSTACLES:
        return Verdict(State.FAILED, before.reason, f"approved, but never granted: {before.message}", approvals=approvals)
    if not wanting(policy, approvals):
        message = f"approved, but not granted until {format_time(deadline)}"
    else:
        message = f"no decision until {format_time(deadline)}: {missing_approvals(request, policy)}"
    return Verdict(State.TIMED_OUT, "PendingTimeout", message, approvals=approvals)


def _time_is_up(request: AccessRequest) -> str:
    granted = request.recorded.condition("Granted")
    if granted and granted.reason in OBSTACLES:
        return f"the time is up; at the end the binding could not be made: {granted.message}"
    return "the time is up"


def _said(decision: Decision) -> str:
    return f"{decision.by or 'somebody'}: {decision.note}" if decision.note else f"{decision.by or 'somebody'}"
