"""How much there is under a policy, beside the request at hand: counted in memory, for what the policy limits. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from jitaccess.domain.model import Key

DAY = timedelta(hours=24)


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
