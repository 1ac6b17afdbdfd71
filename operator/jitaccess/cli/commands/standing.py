"""Which requests somebody could do something with: decide on, end, take back. The API server has the last word."""

from collections.abc import Iterable

from jitaccess.cli.api.client import Client
from jitaccess.domain.model import AccessRequest, Decision
from jitaccess.domain.recorded import State
from jitaccess.domain.text import lower_ascii
from jitaccess.wording.reviews import owes_review


def undecided(request: AccessRequest, me: str) -> bool:
    """Whether a request waits for people, is another's, and without a decision of mine."""
    waits = request.state is State.PENDING and not request.recorded.starts_at
    return waits and not (_is(me, request.requester) or _in(me, (*request.approvals, *request.denials)))


def reviewable(client: Client, requests: Iterable[AccessRequest]) -> list[AccessRequest]:
    """Those that wait for my decision."""
    return _decidable(client, [request for request in requests if undecided(request, client.me)])


def usable(verb: str, client: Client, requests: Iterable[AccessRequest]) -> list[AccessRequest]:
    """Those for which a command makes sense for me."""
    me, found = client.me, list(requests)
    if verb == "approve":
        return reviewable(client, found)
    if verb == "reviewed":
        return [request for request in found if owes_review(request) and not _is(me, request.requester)]
    mine = [request for request in found if request.requester == me]
    if verb == "extend":
        return mine
    open_ones = [r for r in found if not r.state.settled and not _in(me, r.denials if verb == "deny" else r.revocations)]
    if verb == "withdraw":
        return [request for request in open_ones if request in mine]
    others = _decidable(client, [request for request in open_ones if not _is(me, request.requester)])
    return others if verb == "deny" else [request for request in open_ones if request in mine or request in others]


def _decidable(client: Client, requests: list[AccessRequest]) -> list[AccessRequest]:
    found: list[AccessRequest] = []
    for namespace in dict.fromkeys(request.key.namespace for request in requests):
        there = [request for request in requests if request.key.namespace == namespace]
        may = client.may("approve", (request.policy for request in there), where=namespace)
        found += [request for request in there if may[request.policy]]
    return [request for request in requests if request in found]


def _in(me: str, ledger: Iterable[Decision]) -> bool:
    return any(_is(me, decision.by) for decision in ledger)


def _is(me: str, name: str) -> bool:
    return lower_ascii(me) == lower_ascii(name)
