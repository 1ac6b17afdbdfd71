"""What is left of a request whose record was deleted: an annotation of the operator's Event, written here and read here. Pure."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from jitaccess.domain.model import GROUP, AccessRequest
from jitaccess.domain.text import format_duration, format_time

RECORD = f"{GROUP}/record"
_FIELDS = (
    *("requester", "policyKind", "policy", "roleKind", "role", "duration", "reason", "ticket", "startTime"),
    *("requestedAt", "grantedAt", "expiresAt", "binding"),
)
_APPROVAL = ("approver", "approvedAt", "approvalNote")


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
        "approvals": [approval_facts(approval.by, approval.at, approval.note) for approval in recorded.approvals],
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
    return isinstance(value, dict) and set(value) == set(_APPROVAL) and all(isinstance(each, str) for each in value.values())


def approval_facts(by: str, at: datetime | None, note: str) -> dict[str, str]:
    """One approval, in fields as an export has them."""
    return dict(zip(_APPROVAL, (by, time_fact(at), note), strict=True))


def time_fact(moment: datetime | None) -> str:
    """A time, empty where there is none."""
    return format_time(moment) if moment else ""
