"""Who asks: what else the requester has in the namespace, and what they were refused there lately."""

from datetime import datetime

from jitaccess.cli.api.client import Client
from jitaccess.cli.api.errors import Refused
from jitaccess.cli.api.reading import read_requests
from jitaccess.cli.api.selectors import requested_by
from jitaccess.domain.model import AccessRequest
from jitaccess.wording.standing import live_grants, recent_refusals


def background(client: Client, request: AccessRequest, now: datetime) -> list[tuple[str, str]]:
    """What to know about the requester before deciding, as fields."""
    try:
        found, unreadable = read_requests(client.requests(request.key.namespace, requested_by(request.requester)))
    except Refused:
        return [("Also has", "not known: you may not list the requests there")]
    others = [each for each, _ in found if each.requester == request.requester and each.key != request.key]
    unknown = [("Unknown", f"requests there that this plugin cannot read: {len(unreadable)}")] if unreadable else []
    return _rows("Also has", live_grants(others, now)) + _rows("Refused", recent_refusals(others, now)) + unknown


def _rows(name: str, lines: list[str]) -> list[tuple[str, str]]:
    return [(name if number == 0 else "", line) for number, line in enumerate(lines)]
