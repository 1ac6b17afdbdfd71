"""How much there is under a policy, beside the request at hand: counted in memory, for what the policy limits. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from jitaccess.domain.model import AccessPolicy, AccessRequest, Key
from jitaccess.domain.recorded import State
from jitaccess.domain.text import lower_ascii

DAY = timedelta(hours=24)
DAILY_LIMIT_REACHED = "DailyLimitReached"


@dataclass(frozen=True, slots=True)
class Held:
    """One grant that takes room: whose it is, for which request, and when it ends."""

    request: Key
    requester: str  # A to Z as a to z
    until: datetime


@dataclass(frozen=True, slots=True)
class Taken:
    """How much there is; where that is as much as there may be also when there is room again, and which grant ends then."""

    number: int = 0
    again: datetime | None = None
    ends: Key | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """What is taken of each limit of a policy."""

    of_requester: Taken = Taken()
    in_total: Taken = Taken()
    in_a_day: Taken = Taken()


def person(name: str) -> str:
    """Whose limits a name counts for: two that may be one person's are one, as where approvals are counted."""
    return lower_ascii(name)


def grant_held(request: AccessRequest) -> Held | None:
    """The room that a request takes; None unless it is active."""
    until = request.recorded.expires_at
    return Held(request.key, person(request.requester), until) if request.state is State.ACTIVE and until else None


def counted_for_its_day(request: AccessRequest, policy: AccessPolicy) -> bool:
    """Whether a request, by its record, is one of its day under that very policy: the limit itself has not refused it."""
    recorded = request.recorded
    refused = recorded.condition("Denied")
    under = recorded.policy is not None and recorded.policy.uid == policy.uid
    return under and not (request.state is State.DENIED and refused and refused.reason == DAILY_LIMIT_REACHED)


def held(number: int, limit: int | None, grants: Iterable[Held]) -> Taken:
    """What so many grants take of a limit; which of them must end is looked for only where there is no room."""
    if limit is None or number < limit:
        return Taken(number)
    last = sorted(grants, key=lambda grant: grant.until)[number - limit]
    return Taken(number, last.until, last.request)


def asked(others: Iterable[datetime], when: datetime, limit: int) -> Taken:
    """How many of the others were made within a day of a request that was made then; one that is a day older is not."""
    near = sorted(other for other in others if abs(when - other) < DAY)
    return Taken(len(near), near[len(near) - limit] + DAY if len(near) >= limit else None)
