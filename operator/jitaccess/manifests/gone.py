"""What is left of a request whose record was deleted: an annotation of the operator's Event, written here and read here. Pure."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from jitaccess.domain.model import GROUP, AccessRequest
from jitaccess.domain.text import format_duration, format_time
from jitaccess.manifests.approvals import Termed, terms_of

RECORD = f"{GROUP}/record"
_FIELDS = (
    *("requester", "policyKind", "policy", "roleKind", "role", "duration", "reason", "ticket", "startTime"),
    *("requestedAt", "grantedAt", "expiresAt", "binding"),
)
_APPROVAL = ("approver", "approvedAt", "approvalNote")
_TERMS = {"stage": "approvalStage", "duration": "approvalFor"}


class TimedApproval(Termed, Protocol):
    """An approval, and when it was recorded, if it was."""

    @property
    def by(self) -> str:
        """Whose it is."""

    @property
    def note(self) -> str:
        """What they wrote."""

    @property
    def at(self) -> datetime | None:
        """When it was recorded."""


def last_record(request: AccessRequest) -> str:
    """What was known of a request that is gone, as JSON."""
    recorded = request.recorded
    facts = {
        "requester": request.requester,
        "requesterGroups": list(request.groups),
        "policyKind": request.policy.kind,
        "policy": request.policy.key.name,
        "roleKind": request.role.kind,
        "role": request.role.name,
        "duration": format_duration(request.duration),
        "reason": request.reason,
        "ticket": request.ticket,
        "startTime": time_fact(request.start),
        "requestedAt": format_time(request.created),
        "grantedAt": time_fact(recorded.granted_at),
        "expiresAt": time_fact(recorded.expires_at),
        "binding": recorded.binding.name if recorded.binding else "",
        "approvals": [approval_facts(approval) for approval in recorded.approvals],
    }
    return json.dumps({field: value for field, value in facts.items() if value})


def parse_last_record(annotations: Mapping[str, Any]) -> dict[str, Any]:
    """The facts that an Event carries, as far as they have their shape: whoever may write Events can write anything."""
    try:
        facts = json.loads(str(annotations.get(RECORD, "{}")))
    except (ValueError, RecursionError):
        return {}
    if not isinstance(facts, dict):
        return {}
    known = {field: facts[field] for field in _FIELDS if isinstance(facts.get(field), str)}
    groups, approvals = facts.get("requesterGroups"), facts.get("approvals")
    if isinstance(groups, list) and all(isinstance(group, str) for group in groups):
        known["requesterGroups"] = groups
    if isinstance(approvals, list) and all(map(_is_approval, approvals)):
        known["approvals"] = approvals
    return known


def _is_approval(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and set(_APPROVAL) <= set(value) <= {*_APPROVAL, *_TERMS.values()}
        and all(isinstance(each, str) for each in value.values())
    )


def approval_facts(approval: TimedApproval) -> dict[str, str]:
    """One approval, in fields as an export has them; its stage and its duration where it has any."""
    facts = dict(zip(_APPROVAL, (approval.by, time_fact(approval.at), approval.note), strict=True))
    return facts | {_TERMS[field]: value for field, value in terms_of(approval).items()}


def time_fact(moment: datetime | None) -> str:
    """A time, empty where there is none."""
    return format_time(moment) if moment else ""
