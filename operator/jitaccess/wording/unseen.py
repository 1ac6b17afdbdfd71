"""What the operator has not looked at, or not acted on, in words: nothing is said to be under way that nobody has begun. Pure."""

from datetime import datetime, timedelta

from jitaccess.domain.counting import counting_approvals
from jitaccess.domain.model import AccessPolicy, AccessRequest, Decision
from jitaccess.domain.recorded import State, condition_of
from jitaccess.wording.times import span

IS_IT_RUNNING = "is the operator running?"
_NOT_LOOKED_AT = "not looked at yet"
_USUAL = timedelta(seconds=5)  # an operator that runs has looked by then
_SILENT = timedelta(seconds=15)  # it renews its Lease every two seconds


def request_unseen(request: AccessRequest, now: datetime) -> str:
    """That the operator should have looked at a request by now; empty when it has, or still may."""
    return _since(request.created, now) if request.recorded.unseen and now - request.created > _USUAL else ""


def policy_unseen(policy: AccessPolicy, now: datetime) -> str:
    """That the operator has not looked at a policy; empty when it has."""
    return _since(policy.created, now) if condition_of(policy.recorded.conditions, "Ready") is None else ""


def change_unseen(policy: AccessPolicy) -> str:
    """That the operator has looked at a policy, but not since it was changed; empty when it has."""
    behind = policy.recorded.generation < policy.generation and condition_of(policy.recorded.conditions, "Ready") is not None
    return "its latest change is not looked at yet" if behind else ""


def not_acted_on(request: AccessRequest) -> str:
    """Which decisions have been made that the operator has not acted on; empty if there are none."""
    if request.state.settled:
        return ""
    recorded = {(approval.by, approval.stage) for approval in request.recorded.approvals}
    counting = counting_approvals(request) if request.state is State.PENDING else ()
    approvals = [line for line in counting if (line.by, line.stage) not in recorded]
    decided = [
        *_by("denied", request.denials if request.recorded.denial is None else ()),
        *_by("revoked", request.revocations if request.recorded.revocation is None else ()),
        *_by("approved", approvals),
    ]
    return f"{decided[0]}; the operator has not acted on that yet" if decided else ""


def operator_words(heard: datetime | None, now: datetime) -> str:
    """What there is to say of an operator that does not act, from when it was last heard of (None: not known)."""
    if heard is None:
        return IS_IT_RUNNING
    silence = now - heard
    if silence > _SILENT:
        return f"the operator is not running: it was last heard of {span(silence)} ago"
    return "the operator is running: its log and /readyz say more"


def _since(moment: datetime, now: datetime) -> str:
    return f"{_NOT_LOOKED_AT}: {IS_IT_RUNNING}" if now - moment > _USUAL else _NOT_LOOKED_AT


def _by(done: str, lines: "tuple[Decision, ...] | list[Decision]") -> list[str]:
    return [f"{done} by {', '.join(line.by or 'somebody' for line in lines)}"] if lines else []
