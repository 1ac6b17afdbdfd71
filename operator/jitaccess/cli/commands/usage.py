"""What is taken of a policy's limits, as far as one can see, and what would be refused: before the API server is asked."""

from jitaccess.cli.api.client import Client
from jitaccess.cli.api.errors import Refused
from jitaccess.cli.api.reading import read_requests
from jitaccess.cli.api.selectors import ACTIVE
from jitaccess.domain.circumstances import Circumstances, Unreviewed
from jitaccess.domain.model import AccessPolicy, AccessRequest
from jitaccess.domain.reviews import unreviewed_of
from jitaccess.domain.rules import objection
from jitaccess.domain.terms import NO_LIMITS
from jitaccess.domain.usage import Taken, Usage, asked, counted_for_its_day, grant_held, held, person
from jitaccess.manifests.reviews import AWAITING_REVIEW


def check_wish(client: Client, wanted: AccessRequest, policy: AccessPolicy) -> None:
    """Refused where the operator would deny the request at its first look."""
    usage, unreviewed = usage_seen(client, policy, wanted.key.namespace), unreviewed_seen(client, wanted, policy)
    against = objection(wanted, policy, client.now(), Circumstances(usage=usage, unreviewed=unreviewed))
    if against:
        raise Refused(against.message, "kubectl jit request --ticket TICKET" if against.reason.startswith("Ticket") else "")


def unreviewed_seen(client: Client, wanted: AccessRequest, policy: AccessPolicy) -> tuple[Unreviewed, ...]:
    """The emergency access by which a policy would keep somebody from more, as far as one may look."""
    if policy.emergency is None or not policy.emergency.block_until_reviewed:
        return ()
    try:
        return unreviewed_of(wanted, _under(client, policy, wanted.key.namespace, AWAITING_REVIEW))
    except Refused:
        return ()


def usage_seen(client: Client, policy: AccessPolicy, namespace: str) -> Usage | None:
    """What is taken at least: of a policy for many namespaces, in this one. None if it has no limits, or one may not look."""
    limits = policy.limits
    if limits == NO_LIMITS:
        return None
    try:
        active = [grant for one in _under(client, policy, namespace, ACTIVE) if (grant := grant_held(one))]
        today = _today(client, policy, namespace)
    except Refused:
        return None
    mine = [grant for grant in active if grant.requester == person(client.me)]
    return Usage(held(len(mine), limits.active_per_requester, mine), held(len(active), limits.active_in_total, active), today)


def _today(client: Client, policy: AccessPolicy, namespace: str) -> Taken:
    most = policy.limits.requests_per_day
    if most is None:
        return Taken()
    mine = (one for one in _under(client, policy, namespace, client.mine) if one.requester == client.me)
    return asked((one.created for one in mine if counted_for_its_day(one, policy)), client.now(), most)


def _under(client: Client, policy: AccessPolicy, namespace: str, selector: str) -> list[AccessRequest]:
    found, _ = read_requests(client.requests(namespace, selector))
    return [request for request, _ in found if request.policy == policy.ref]
