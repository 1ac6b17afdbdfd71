"""The status of requests and policies: the record of every transition, written together with the transition itself. Pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jitaccess.domain.lifecycle import OBSTACLES, Grant, Verdict
from jitaccess.domain.model import AccessPolicy, AccessRequest, Decision, Manifest, ObjectRef, State
from jitaccess.domain.rules import counting_approvals, in_words
from jitaccess.domain.text import format_time

# The CRD takes 64 entries; transitions are few, so only incidents (a binding put back) can ever fill it.
MOST_INCIDENTS = 48
# The CRD takes 32768 characters; what an API server or a webhook says can be longer.
LONGEST_MESSAGE = 4096


@dataclass(frozen=True, slots=True)
class Made:
    """What exists of a grant: the binding, and the Job behind it, or why there is none."""

    binding: ObjectRef
    job: ObjectRef | None
    unguarded: str = ""


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that happened to a grant without a change of its state."""

    reason: str
    message: str


def request_status(
    request: AccessRequest,
    verdict: Verdict,
    now: datetime,
    policy: AccessPolicy | None = None,
    made: Made | None = None,
    incident: Incident | None = None,
) -> dict[str, Any]:
    """The whole status that records the verdict; equal to what is recorded already when nothing is new."""
    old = dict(request.status or {})
    status: dict[str, Any] = {
        **old,
        "observedGeneration": request.generation,
        "state": verdict.state.value,
        "settled": verdict.state.settled,
        "conditions": _request_conditions(request, verdict, now, made),
        "history": [*old.get("history", []), *_news(request, verdict, now, incident)],
    }
    if request.state is State.PENDING:
        status |= _pending_fields(request, now, policy)
    if made and verdict.grant:
        status |= _grant_fields(verdict.grant, made, old)
    if made and policy and request.state is State.PENDING:
        status["policy"] = {"uid": policy.uid, "generation": policy.generation}
    if verdict.state.settled:
        status |= _ended_by(request, now)
    if verdict.state.settled and "settledAt" not in old:
        status["settledAt"] = format_time(now)
    return status


def _pending_fields(request: AccessRequest, now: datetime, policy: AccessPolicy | None) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    approvals = _recorded(counting_approvals(request), (request.status or {}).get("approvals", []), now)
    if approvals:
        fields["approvals"] = approvals
    if policy:
        fields["requiredApprovals"] = policy.required_approvals
        fields["pendingUntil"] = format_time(request.created + policy.pending_timeout)
    return fields


def _recorded(approvals: Iterable[Decision], recorded: Iterable[Mapping[str, Any]], now: datetime) -> list[dict[str, Any]]:
    times = {approval["by"]: approval["at"] for approval in recorded}
    return [_decision(approval, times.get(approval.by) or format_time(now)) for approval in approvals]


def _ended_by(request: AccessRequest, now: datetime) -> dict[str, Any]:
    first = {"denial": request.denials[:1], "revocation": request.revocations[:1]}
    return {name: _decision(decision, format_time(now)) for name, decisions in first.items() for decision in decisions}


def _decision(decision: Decision, at: str) -> dict[str, Any]:
    return {"by": decision.by, "note": decision.note, "at": at}


def _grant_fields(grant: Grant, made: Made, old: Mapping[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "grantedAt": format_time(grant.granted_at),
        "expiresAt": format_time(grant.expires_at),
        "bindingRef": {"name": made.binding.name, "uid": made.binding.uid},
    }
    if made.job:
        fields["jobRef"] = {"name": made.job.name, "uid": made.job.uid}
    elif "jobRef" in old:
        fields["jobRef"] = None  # which is how a merge patch takes a field away
    return fields


def _news(request: AccessRequest, verdict: Verdict, now: datetime, incident: Incident | None) -> list[dict[str, Any]]:
    recorded = request.status or {}
    news = []
    if not recorded.get("history"):
        news.append(_entry(request.created, State.PENDING, "Requested", request.reason, request.requester))
    if request.state is State.PENDING:
        known = {approval["by"] for approval in recorded.get("approvals", [])}
        fresh = [approval for approval in counting_approvals(request) if approval.by not in known]
        news += [_entry(now, State.PENDING, "Approved", approval.note, approval.by) for approval in fresh]
    if verdict.state is not request.state:
        news.append(_entry(now, verdict.state, verdict.reason, verdict.message, verdict.by))
    elif incident and len(recorded.get("history", [])) < MOST_INCIDENTS:
        news.append(_entry(now, verdict.state, incident.reason, incident.message, ""))
    return news


def _entry(at: datetime, state: State, reason: str, message: str, by: str) -> dict[str, Any]:
    entry = {"at": format_time(at), "state": state.value, "reason": reason, "message": message[:LONGEST_MESSAGE]}
    return entry | ({"by": by} if by else {})


def _request_conditions(request: AccessRequest, verdict: Verdict, now: datetime, made: Made | None) -> list[dict[str, Any]]:
    holds = verdict.state is State.ACTIVE and verdict.reason not in OBSTACLES
    granted = ("True" if holds else "False", verdict.reason, verdict.message)
    wanted = {"Approved": _approved(request, verdict), "Granted": granted}
    if verdict.state is State.DENIED:
        wanted["Denied"] = ("True", verdict.reason, verdict.message)
    if made and made.job:
        wanted["ExpiryGuarded"] = ("True", "JobCreated", f"Job {made.job.name} removes the binding even if the operator is gone")
    elif made:
        wanted["ExpiryGuarded"] = ("False", "JobRefused", f"only the operator ends this access: {made.unguarded}")
    return _merge_conditions((request.status or {}).get("conditions", []), wanted, request.generation, now)


def _approved(request: AccessRequest, verdict: Verdict) -> tuple[str, str, str]:
    before = request.condition("Approved")
    if verdict.state is not State.PENDING and before and before.status == "True":
        return before.status, before.reason, before.message
    if not verdict.approved:
        return "False", verdict.reason, verdict.message
    names = ", ".join(_quoted(approval.by) for approval in verdict.approvals)
    return (
        ("True", "Approved", f"approved by {names}") if names else ("True", "ApprovedByPolicy", "the policy asks for no approval")
    )


def _quoted(name: str) -> str:
    """A name as it is, or in quotes where it could be taken for more than one."""
    return f'"{name}"' if re.search(r"[\s,\"]", name) else name


def policy_status(
    policy: AccessPolicy,
    ready: tuple[bool, str, str],
    roles: Iterable[Mapping[str, Any]],
    now: datetime,
) -> dict[str, Any]:
    """The whole status of a policy; `ready` is whether it is in force, a CamelCase reason, and a sentence."""
    old = policy.status or {}
    in_force, reason, message = ready
    wanted = {"Ready": ("True" if in_force else "False", reason, message)}
    return {
        "observedGeneration": policy.generation,
        "summary": {
            "roles": ", ".join(role.name for role in policy.roles),
            "requesters": in_words(policy.requesters),
            "approvers": in_words(policy.approvers, "or") if policy.approvers else "nobody needed",
        },
        "roles": [dict(role) for role in roles],
        "conditions": _merge_conditions(old.get("conditions", []), wanted, policy.generation, now),
    }


def _merge_conditions(
    old: Iterable[Manifest], wanted: Mapping[str, tuple[str, str, str]], generation: int, now: datetime
) -> list[dict[str, Any]]:
    by_type = {condition["type"]: condition for condition in old}
    merged = {kind: dict(condition) for kind, condition in by_type.items()}
    for kind, (status, reason, message) in wanted.items():
        before = by_type.get(kind)
        since = before["lastTransitionTime"] if before and before["status"] == status else format_time(now)
        merged[kind] = {
            "type": kind,
            "status": status,
            "observedGeneration": generation,
            "lastTransitionTime": since,
            "reason": reason,
            "message": message[:LONGEST_MESSAGE],
        }
    return list(merged.values())
