"""What the limits of a policy say to a request that has not begun: the figure, and when there is room again. Pure."""

from datetime import datetime

from jitaccess.domain.model import AccessPolicy, AccessRequest, Key
from jitaccess.domain.text import format_duration, format_time
from jitaccess.domain.usage import DAY, Taken, Usage


def no_room(request: AccessRequest, policy: AccessPolicy, usage: Usage, now: datetime) -> str:
    """Why no access of this request may begin now; empty where it may. Of two that are full it is what has room later."""
    limits = policy.limits
    rooms = (
        (request.requester, usage.of_requester, limits.active_per_requester),
        ("everybody together", usage.in_total, limits.active_in_total),
    )
    full = [(whose, taken, most) for whose, taken, most in rooms if most is not None and taken.number >= most]
    if not full:
        return ""
    whose, taken, most = max(full, key=lambda room: room[1].again or now)
    return _full(whose, taken, most, policy, request.key, now)


def asked_too_often(request: AccessRequest, policy: AccessPolicy, usage: Usage) -> str:
    """Why this request is one too many for its day; empty where it is not."""
    most, today = policy.limits.requests_per_day, usage.in_a_day
    if most is None or today.number < most:
        return ""
    again = f"; room again at {format_time(today.again)}" if today.again else ""
    noun = "request" if most == 1 else "requests"
    day = format_duration(DAY)
    return f"{request.requester} has made {today.number} of {most} {noun} under {policy.ref} within {day}{again}"


def _full(whose: str, taken: Taken, limit: int, policy: AccessPolicy, asking: Key, now: datetime) -> str:
    noun = "grant" if limit == 1 else "grants"
    verb = "have" if whose.startswith("everybody") else "has"
    return f"{whose} {verb} {taken.number} of {limit} {noun} under {policy.ref}{_again(taken, asking, now)}"


def _again(taken: Taken, asking: Key, now: datetime) -> str:
    """When there is room; what ends then is named to those alone who may read it: the people of its namespace."""
    if taken.again is None:
        return ""
    name = taken.ends.name if taken.ends and taken.ends.namespace == asking.namespace else ""
    if taken.again <= now:
        return f"; room again once {name or 'one of them'} has ended, whose time is up"
    return f"; room again at {format_time(taken.again)}" + (f", when {name} ends" if name else "")
