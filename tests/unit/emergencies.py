"""Alice's emergency, as it is on record after each of its steps: what tests of reviews start from."""

from datetime import datetime
from typing import Any

from jitaccess.domain.lifecycle import decide
from jitaccess.domain.model import AccessPolicy, AccessRequest
from jitaccess.domain.recorded import Recorded
from jitaccess.domain.recording import Outcome, next_step
from jitaccess.domain.reviews import next_review
from jitaccess.manifests.parse import parse_request
from jitaccess.manifests.status import request_status
from unit.examples import BOB, DELIVERY, EMERGENCY, HOUR, T0, policy, request, request_manifest

DAY = 24 * HOUR
GLASS = policy(requiredApprovals=0, approvers=[], emergency=EMERGENCY)


def recorded(asked: AccessRequest, record: Recorded, **fields: Any) -> AccessRequest:
    """The request as the API server would have it with that record."""
    return parse_request(request_manifest(asked.key.name, status=request_status(record), **fields))


def granted(under: AccessPolicy = GLASS, at: datetime = T0) -> AccessRequest:
    """Alice's emergency, which has just begun."""
    asked = request(created=at)
    record = next_step(asked, Outcome(decide(asked, under, at), under, None, DELIVERY), at).recorded
    return recorded(asked, record, created=at)


def ended(at: datetime = T0, **fields: Any) -> AccessRequest:
    """The same after its hour, of which the operator knew nothing but the request."""
    begun, over = granted(at=at), at + HOUR
    record = next_step(begun, Outcome(decide(begun, None, over)), over).recorded
    return recorded(begun, record, created=at, **fields)


def reviewed(ledger: str = f"{BOB}: fine: as said", at: datetime = T0) -> AccessRequest:
    """The same an hour later, with these reviews."""
    over = ended(at, reviews=ledger)
    return recorded(over, next_review(over, GLASS, at + 2 * HOUR), created=at, reviews=ledger)
