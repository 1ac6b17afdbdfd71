"""The state machine of a request: one table, and one pure function that says what should be true now."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from jitaccess.domain.awaiting import awaited, missing_approvals
from jitaccess.domain.circumstances import NOTHING_AROUND, Case, Circumstances
from jitaccess.domain.counting import counting_approvals, heard, heard_approvals, recorded_approvals, wanting
from jitaccess.domain.model import AccessPolicy, AccessRequest, Decision
from jitaccess.domain.obstacles import OBSTACLES
from jitaccess.domain.recorded import State
from jitaccess.domain.rules import approvals_stand, objection, objection_to_beginning
from jitaccess.domain.text import format_time
from jitaccess.domain.verdicts import Verdict, grant_of, granted
from jitaccess.domain.waits import WAITING, awaits
from jitaccess.domain.windows import closing

# Settled states lead nowhere: never access again. docs/lifecycle.md draws this table.
TRANSITIONS: Mapping[State, frozenset[State]] = {
    State.PENDING: frozenset({State.SCHEDULED, State.ACTIVE, State.DENIED, State.WITHDRAWN, State.TIMED_OUT, State.FAILED}),
    State.SCHEDULED: frozenset({State.ACTIVE, State.DENIED, State.WITHDRAWN, State.TIMED_OUT, State.FAILED}),
    State.ACTIVE: frozenset({State.EXPIRED, State.REVOKED}),
    State.EXPIRED: frozenset(),
    State.REVOKED: frozenset(),
    State.DENIED: frozenset(),
    State.WITHDRAWN: frozenset(),
    State.TIMED_OUT: frozenset(),
    State.FAILED: frozenset(),
}
_NO_POLICY = Verdict(State.DENIED, "PolicyNotFound", "")


def decide(request: AccessRequest, policy: AccessPolicy | None, now: datetime, around: Circumstances = NOTHING_AROUND) -> Verdict:
    """Decide what should be true of the request at that moment, under the policy and with all around it as it is now.

    Total, and without effects.
    """
    if request.state.settled:
        return Verdict(request.state, "Settled", "this request is settled")
    return _DECIDED[request.state](request, policy, now, around)


def deadline_of(request: AccessRequest, policy: AccessPolicy, state: State) -> datetime:
    """Until when a request may be pending, or scheduled: the pending time counts from asking, and anew from the start."""
    since = request.start if state is State.SCHEDULED and request.start else request.created
    return since + policy.pending_timeout


def length_of(request: AccessRequest, approvals: Iterable[Decision]) -> timedelta:
    """How long access lasts once it begins: as long as was asked for, or as the shortest of the approvals that count says."""
    return min([request.duration, *(approval.length for approval in approvals if approval.length is not None)])


def _pending(request: AccessRequest, policy: AccessPolicy | None, now: datetime, around: Circumstances) -> Verdict:
    against = _against(request, policy, now, around)
    if policy is None:
        return against or _NO_POLICY
    deadline, case = deadline_of(request, policy, State.PENDING), Case(request, policy, now, around)
    if against:
        return _approved_nonetheless(case, against)
    if now >= deadline:
        return _timed_out(case, deadline)
    approvals = heard_approvals(case)
    if wanting(policy, approvals):
        missing = missing_approvals(case)
        return Verdict(State.PENDING, "WaitingForApproval", missing, approvals=approvals, wake_at=deadline)
    return _beginning(case, approvals, deadline)


def _approved_nonetheless(case: Case, against: Verdict) -> Verdict:
    """The verdict that ends a request, with what people have approved by then.

    Where a policy asks nobody, nobody has approved what it refuses.
    """
    approvals = heard_approvals(case)
    if not approvals or wanting(case.policy, approvals) or not approvals_stand(case):
        return against
    return replace(against, approvals=approvals, approved=True)


def _scheduled(request: AccessRequest, policy: AccessPolicy | None, now: datetime, around: Circumstances) -> Verdict:
    """What was approved is on record, and counts as it was; everything else is asked anew."""
    against = _against(request, policy, now, around)
    if policy is None or against:
        return against or _NO_POLICY
    approvals = recorded_approvals(request)
    if wanting(policy, approvals):
        return Verdict(State.DENIED, "ApprovalsMissing", f"{policy.ref} now {awaited(policy, approvals)}")
    deadline, case = deadline_of(request, policy, State.SCHEDULED), Case(request, policy, now, around)
    if now >= deadline:
        return _timed_out(case, deadline)
    if wanting(policy, heard(case, approvals)):
        locked = ", ".join(approval.by for approval in approvals if approval not in heard(case, approvals))
        message = f"approvals do not count while those who gave them are locked: {locked}"
        return Verdict(State.SCHEDULED, "ApproverLocked", message, approvals=approvals, wake_at=deadline, approved=True)
    return _beginning(case, approvals, deadline)


def _beginning(case: Case, approvals: tuple[Decision, ...], deadline: datetime) -> Verdict:
    """The verdict on a request whose approvals suffice: its access begins now, at its time, or when what it waits for is over."""
    request, now, start = case.request, case.now, case.request.start
    if start and now < start:
        message = f"begins {format_time(start)}"
        return Verdict(State.SCHEDULED, "Scheduled", message, "", approvals, None, start, start, approved=True)
    wait = awaits(case)
    if wait:
        wake_at = min(wait.until or deadline, deadline)
        return Verdict(request.state, wait.reason, wait.message, "", approvals, None, wake_at, wait.until, approved=True)
    if full := objection_to_beginning(case):
        return Verdict(State.DENIED, full.reason, full.message, approvals=approvals, approved=True)
    return granted(grant_of(request, now, _end(case, approvals), case.policy.delivery), heard(case, approvals))


def _end(case: Case, approvals: tuple[Decision, ...]) -> datetime:
    """When access that begins now ends, by the policy as it is now: that never moves afterwards."""
    latest = case.now + length_of(case.request, approvals)
    return closing(case.policy.windows, case.now, latest) if case.policy.end_with_window and case.policy.windows else latest


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


def _against(request: AccessRequest, policy: AccessPolicy | None, now: datetime, around: Circumstances) -> Verdict | None:
    """What ends a request before its access begins, approvals and time aside; None where nothing does."""
    ended = _withdrawn_or_denied(request)
    if ended:
        return ended
    if request.invalid:
        return Verdict(State.FAILED, "InvalidSpec", request.invalid)
    refusal = objection(request, policy, now, around)
    return Verdict(State.DENIED, refusal.reason, refusal.message) if refusal else None


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


def _timed_out(case: Case, deadline: datetime) -> Verdict:
    before, approvals = case.request.recorded.condition("Granted"), heard_approvals(case)
    enough = not wanting(case.policy, approvals)
    if before and before.reason in OBSTACLES | WAITING:
        state = State.FAILED if before.reason in OBSTACLES else State.TIMED_OUT
        return Verdict(
            state, before.reason, f"approved, but never granted: {before.message}", approvals=approvals, approved=enough
        )
    if enough:
        message = f"approved, but not granted until {format_time(deadline)}"
    else:
        message = f"no decision until {format_time(deadline)}: {missing_approvals(case)}"
    return Verdict(State.TIMED_OUT, "PendingTimeout", message, approvals=approvals, approved=enough)


def _time_is_up(request: AccessRequest) -> str:
    granted = request.recorded.condition("Granted")
    if granted and granted.reason in OBSTACLES:
        return f"the time is up; at the end the binding could not be made: {granted.message}"
    return "the time is up"


def _said(decision: Decision) -> str:
    return f"{decision.by or 'somebody'}: {decision.note}" if decision.note else f"{decision.by or 'somebody'}"


_DECIDED: Mapping[State, Callable[[AccessRequest, AccessPolicy | None, datetime, Circumstances], Verdict]] = {
    State.PENDING: _pending,
    State.SCHEDULED: _scheduled,
    State.ACTIVE: _active,
}
