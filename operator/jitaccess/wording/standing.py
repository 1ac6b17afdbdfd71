"""Where a requester stands beside the request that is being decided: what else they have, and what they were refused. Pure."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from jitaccess.domain.model import AccessRequest
from jitaccess.domain.recorded import State, end_of
from jitaccess.domain.text import lower_ascii
from jitaccess.wording.history import ends, last_line
from jitaccess.wording.times import relative

LATELY = timedelta(days=7)
_MOST = 3  # refusals that are named


def live_grants(requests: Iterable[AccessRequest], now: datetime) -> list[str]:
    """The access on record, what ends last first: `ClusterRole view, ends in 20m (alice-7f3k)`."""
    active = [request for request in requests if request.state is State.ACTIVE]
    active.sort(key=lambda request: request.recorded.expires_at or now, reverse=True)
    return [f"{request.role}, {ends(request, now)} ({request.key.name})" for request in active]


def recent_refusals(requests: Iterable[AccessRequest], now: datetime) -> list[str]:
    """What others denied or revoked lately, the newest first."""
    refused = [(at, request) for request in requests if (at := _refused_at(request)) and now - at <= LATELY]
    refused.sort(key=lambda each: each[0], reverse=True)
    lines = [f"{request.role}, {refusal(request, now)} ({request.key.name})" for _, request in refused[:_MOST]]
    return lines + ([f"and {len(refused) - _MOST} more"] if len(refused) > _MOST else [])


def refusal(request: AccessRequest, now: datetime) -> str:
    """How a settled request ended, in words: `Denied by bob 3h ago: use staging`; empty while it is open, and if it expired."""
    settled = request.recorded.settled_at
    last = last_line(request, now)
    if last is None or request.state is State.EXPIRED or settled is None:
        return ""
    return f"{request.state}{f' by {last.by}' if last.by else ''} {relative(settled, now)}{f': {last.said}' if last.said else ''}"


def _refused_at(request: AccessRequest) -> datetime | None:
    """When somebody other than the requester denied or revoked it; None for any other request."""
    last = end_of(request.recorded.history)
    own = last is not None and lower_ascii(last.by) == lower_ascii(request.requester)
    return request.recorded.settled_at if request.state in (State.DENIED, State.REVOKED) and not own else None
