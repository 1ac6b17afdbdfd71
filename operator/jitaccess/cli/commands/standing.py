"""Which requests somebody could do something with: decide on, end, take back. The API server has the last word."""

from collections.abc import Iterable, Sequence

from jitaccess.cli.api.client import Client
from jitaccess.domain.model import AccessRequest, Decision, PolicyRef
from jitaccess.domain.recorded import State
from jitaccess.domain.text import lower_ascii
from jitaccess.wording.reviews import owes_review


def undecided(request: AccessRequest, me: str) -> bool:
    """Whether a request waits for people, is another's, and without a decision of mine."""
    waits = request.state is State.PENDING and not request.recorded.starts_at
    return waits and not (_is(me, request.requester) or _in(me, (*request.approvals, *request.denials)))


def reviewable(client: Client, requests: Iterable[AccessRequest]) -> list[AccessRequest]:
    """Those that wait for my decision, in a stage that is open where there are stages."""
    return _decidable(client, [request for request in requests if undecided(request, client.me)], to_approve=True)


def held_stages(client: Client, request: AccessRequest) -> list[str]:
    """The stages of a request that still wait for somebody, and in which I may approve."""
    named = {stage.name: request.policy.in_stage(stage.name) for stage in request.recorded.stages if stage.open}
    may = client.may("approve", named.values(), where=request.key.namespace)
    return [name for name, ref in named.items() if may[ref]]


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
    if verb in ("as", "kubeconfig", "credential"):
        return [request for request in mine if request.state is State.ACTIVE and request.recorded.identity]
    open_ones = [r for r in found if not r.state.settled and not _in(me, r.denials if verb == "deny" else r.revocations)]
    if verb == "withdraw":
        return [request for request in open_ones if request in mine]
    others = _decidable(client, [request for request in open_ones if not _is(me, request.requester)])
    return others if verb == "deny" else [request for request in open_ones if request in mine or request in others]


def _decidable(client: Client, requests: list[AccessRequest], *, to_approve: bool = False) -> list[AccessRequest]:
    found: list[AccessRequest] = []
    for namespace in dict.fromkeys(request.key.namespace for request in requests):
        there = [request for request in requests if request.key.namespace == namespace]
        stages = _stages_to_come(client, there)
        named = {request.key: _decided_on(request, to_approve, stages.get(request.policy, ())) for request in there}
        may = client.may("approve", (ref for refs in named.values() for ref in refs), where=namespace)
        found += [request for request in there if any(may[ref] for ref in named[request.key])]
    return [request for request in requests if request in found]


def _stages_to_come(client: Client, requests: Iterable[AccessRequest]) -> dict[PolicyRef, tuple[str, ...]]:
    """The stages of the policies of those requests that the operator has not looked at."""
    unseen = dict.fromkeys(request.policy for request in requests if request.recorded.unseen)
    found = {ref: client.policy_if_any(ref) for ref in unseen}
    return {ref: tuple(stage.name for stage in policy.stages) for ref, policy in found.items() if policy}


def _decided_on(request: AccessRequest, to_approve: bool, to_come: Sequence[str]) -> list[PolicyRef]:
    """What one must hold `approve` on, any of it, to decide; to approve, that of a stage that is open."""
    stages = [stage.name for stage in request.recorded.stages if stage.open or not to_approve]
    if not request.recorded.stages:
        return [request.policy.in_stage(name) for name in to_come] or [request.policy]
    return [request.policy.in_stage(name) for name in stages]


def _in(me: str, ledger: Iterable[Decision]) -> bool:
    return any(_is(me, decision.by) for decision in ledger)


def _is(me: str, name: str) -> bool:
    return lower_ascii(me) == lower_ascii(name)
