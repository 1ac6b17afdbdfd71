"""What should be true of a request, as values: the access itself, and the verdict of a look. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime

from jitaccess.domain.model import AccessRequest, Decision, Key, RoleRef
from jitaccess.domain.obstacles import OBSTACLES
from jitaccess.domain.recorded import DeliveredAs, State
from jitaccess.domain.rules import Objection
from jitaccess.domain.text import format_time

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
    `by` is whose decision it was, empty where it was nobody's; `starts_at` is when approved access is to begin, if later;
    `approved` is whether the approvals suffice, even if the access is to begin later, or never.
    """

    state: State
    reason: str
    message: str
    by: str = ""
    approvals: tuple[Decision, ...] = ()
    grant: Grant | None = None
    wake_at: datetime | None = None
    starts_at: datetime | None = None
    approved: bool = False

    @property
    def troubled(self) -> bool:
        """Whether something stands in the way of what should be true, so that it is tried again."""
        return self.reason in OBSTACLES or self.reason == END_REFUSED


def granted(grant: Grant, approvals: tuple[Decision, ...]) -> Verdict:
    """The verdict that this access should exist."""
    message = f"{grant.role} until {format_time(grant.expires_at)}"
    return Verdict(State.ACTIVE, "Granted", message, "", approvals, grant, grant.expires_at, approved=True)


def blocked(verdict: Verdict, obstacle: Objection, state: State) -> Verdict:
    """The same verdict while something stands between the approval and the binding; the request stays in the state it is in."""
    return replace(verdict, state=state, reason=obstacle.reason, message=obstacle.message, grant=None)


def not_ended(verdict: Verdict, state: State, message: str) -> Verdict:
    """The same verdict while the access that it ends cannot be ended; the request stays in the state it is in."""
    return replace(verdict, state=state, reason=END_REFUSED, message=f"should have ended ({verdict.message}), but {message}")


def guard_gone(what: str) -> Verdict:
    """The verdict on access whose Job is gone: its time is up by the cluster's clock, or somebody deleted it; it is over."""
    return Verdict(State.REVOKED, "GuardGone", f"{what}: its time is up by the cluster's clock, or somebody deleted it")
