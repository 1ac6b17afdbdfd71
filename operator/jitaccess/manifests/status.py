"""The status of requests and policies as Kubernetes writes it, both ways; what is in it is decided in domain/recording.py."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from jitaccess.domain.approved import how_many
from jitaccess.domain.counting import required_of
from jitaccess.domain.model import AccessPolicy, Manifest, OfferedRole, PolicyRecorded, RoleRef
from jitaccess.domain.recorded import (
    NOTHING_RECORDED,
    Condition,
    Entry,
    ObjectRef,
    PolicyVersion,
    Recorded,
    RoleVersion,
    Signed,
    State,
)
from jitaccess.domain.rules import in_words, selected
from jitaccess.domain.text import format_time, hour_of, parse_time
from jitaccess.manifests.approvals import deciders_in_words, parse_stages, parse_terms_of, stage_status, terms_of
from jitaccess.manifests.reviews import parse_review, review_status
from jitaccess.manifests.roles import parse_role_status, role_status


class UnknownState(ValueError):
    """The status was written by a newer jitaccess: its state is not one that we know."""


def request_status(recorded: Recorded) -> dict[str, Any]:
    """The whole status of a request."""
    status = {
        "revision": recorded.revision,
        "observedGeneration": recorded.generation,
        "state": recorded.state.value,
        "settled": recorded.state.settled,
        "summary": _summary(recorded) or None,
        "pendingUntil": _time(recorded.pending_until),
        "startsAt": _time(recorded.starts_at),
        "requiredApprovals": recorded.required_approvals,
        "noteRequired": recorded.note_required or None,
        "stages": [stage_status(stage) for stage in recorded.stages] or None,
        "policy": recorded.policy and _policy_version(recorded.policy),
        "role": recorded.role and role_status(recorded.role),
        "grantedAt": _time(recorded.granted_at),
        "expiresAt": _time(recorded.expires_at),
        "settledAt": _time(recorded.settled_at),
        "settledIn": hour_of(recorded.settled_at) if recorded.settled_at else None,
        "approvals": [_signed(approval) for approval in recorded.approvals] or None,
        "denial": recorded.denial and _signed(recorded.denial),
        "revocation": recorded.revocation and _signed(recorded.revocation),
        **(review_status(recorded.review) if recorded.review else {}),
        "bindingRef": recorded.binding and _ref(recorded.binding),
        "jobRef": recorded.job and _ref(recorded.job),
        "identity": recorded.identity or None,
        "conditions": [condition_status(condition) for condition in recorded.conditions],
        "history": [entry_status(entry) for entry in recorded.history],
    }
    return {field: value for field, value in status.items() if value is not None}


def on_top_of(old: Recorded) -> Manifest:
    """The `test` of a JSON Patch that nobody has recorded since."""
    # A status of version 0.1.0 has no revision yet, as the one that the CRD gives; made before the CRD gave one, there is none.
    path = "/status" if old == NOTHING_RECORDED else "/status/revision"
    return {"op": "test", "path": path, "value": old.revision or None}


def _summary(recorded: Recorded) -> dict[str, str]:
    """What the columns of kubectl show: it shows a field or nothing, and cannot ask whether access lasts."""
    required, until = recorded.required_approvals, recorded.expires_at
    approvals = {} if required is None else {"approvals": f"{how_many(recorded.stages, recorded.approvals)}/{required}"}
    return approvals | ({"expires": format_time(until)} if until and recorded.state is State.ACTIVE else {})


def parse_recorded(status: Manifest | None) -> Recorded:
    """Read the status of a request; UnknownState where a newer jitaccess wrote it."""
    try:
        return _parse_recorded(status) if status else Recorded()
    except UnknownState:
        raise
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UnknownState(f"its status cannot be read by this version: {type(error).__name__}: {error}") from error


def _parse_recorded(status: Manifest) -> Recorded:
    return Recorded(
        revision=status.get("revision", 0),
        generation=status.get("observedGeneration", 0),
        state=_state(status.get("state", State.PENDING)),
        pending_until=_parse_time(status, "pendingUntil"),
        starts_at=_parse_time(status, "startsAt"),
        required_approvals=status.get("requiredApprovals"),
        note_required=status.get("noteRequired") is True,
        stages=parse_stages(status),
        policy=_parse_policy_version(status.get("policy")),
        role=parse_role_status(status.get("role") or {}),
        granted_at=_parse_time(status, "grantedAt"),
        expires_at=_parse_time(status, "expiresAt"),
        settled_at=_parse_time(status, "settledAt"),
        approvals=tuple(_parse_signed(signed) for signed in status.get("approvals") or ()),
        denial=_parse_signed(status["denial"]) if status.get("denial") else None,
        revocation=_parse_signed(status["revocation"]) if status.get("revocation") else None,
        binding=_parse_ref(status.get("bindingRef")),
        job=_parse_ref(status.get("jobRef")),
        review=parse_review(status),
        identity=status.get("identity", ""),
        history=tuple(_parse_entry(entry) for entry in status.get("history") or ()),
        conditions=parse_conditions(status),
    )


def parse_conditions(status: Manifest) -> tuple[Condition, ...]:
    """Read the conditions of a status."""
    return tuple(
        Condition(
            c["type"],
            c["status"],
            c.get("reason", ""),
            c.get("message", ""),
            _parse_time(c, "lastTransitionTime"),
            c.get("observedGeneration", 0),
        )
        for c in status.get("conditions") or []
    )


def _state(text: str) -> State:
    try:
        return State(text)
    except ValueError:
        raise UnknownState(f"its state {text!r} was written by a newer jitaccess") from None


def condition_status(condition: Condition) -> dict[str, Any]:
    """One condition of a status."""
    return {
        "type": condition.type,
        "status": condition.status,
        "observedGeneration": condition.generation,
        "lastTransitionTime": _time(condition.since),
        "reason": condition.reason,
        "message": condition.message,
    }


def entry_status(entry: Entry) -> dict[str, Any]:
    """One line of the history."""
    told: dict[str, Any] = {"at": format_time(entry.at), "state": entry.state.value, "reason": entry.reason}
    told |= {"message": entry.message} | ({"by": entry.by} if entry.by else {}) | terms_of(entry)
    told |= {"policy": _policy_version(entry.policy)} if entry.policy else {}
    return told | ({"role": {"uid": entry.role.uid, "hash": entry.role.digest}} if entry.role else {})


def _parse_entry(entry: Mapping[str, Any]) -> Entry:
    role = entry.get("role")
    return Entry(
        at=parse_time(entry["at"]),
        state=_state(entry["state"]),
        reason=entry["reason"],
        message=entry.get("message", ""),
        by=entry.get("by", ""),
        policy=_parse_policy_version(entry.get("policy")),
        role=RoleVersion(role["uid"], role["hash"]) if role else None,
        **parse_terms_of(entry),
    )


def _policy_version(policy: PolicyVersion) -> dict[str, Any]:
    return {"uid": policy.uid, "generation": policy.generation}


def _parse_policy_version(policy: Mapping[str, Any] | None) -> PolicyVersion | None:
    return PolicyVersion(policy["uid"], policy.get("generation", 0)) if policy and policy.get("uid") else None


def _signed(signed: Signed) -> dict[str, Any]:
    return {"by": signed.by, "note": signed.note, "at": format_time(signed.at)} | terms_of(signed)


def _parse_signed(signed: Mapping[str, Any]) -> Signed:
    return Signed(signed["by"], signed.get("note", ""), parse_time(signed["at"]), **parse_terms_of(signed))


def _ref(ref: ObjectRef) -> dict[str, str]:
    return {"name": ref.name} | ({"uid": ref.uid} if ref.uid else {})


def _parse_ref(ref: Mapping[str, str] | None) -> ObjectRef | None:
    return ObjectRef(ref["name"], ref.get("uid", "")) if ref else None


def _time(moment: datetime | None) -> str | None:
    return format_time(moment) if moment else None


def _parse_time(status: Mapping[str, Any], field: str) -> datetime | None:
    return parse_time(status[field]) if status.get(field) else None


def policy_status(policy: AccessPolicy, recorded: PolicyRecorded) -> dict[str, Any]:
    """The whole status of a policy, with its lists in a few words for the columns of kubectl."""
    status = {
        "observedGeneration": recorded.generation,
        "namespaces": recorded.namespaces,
        "summary": {
            "reach": selected(policy),
            "roles": ", ".join(role.name for role in policy.roles),
            "requesters": in_words(policy.requesters),
            "approvals": str(required_of(policy)),
            "approvers": deciders_in_words(policy),
        },
        "roles": [_offered(offered) for offered in recorded.roles],
        "conditions": [condition_status(condition) for condition in recorded.conditions],
    }
    return {field: value for field, value in status.items() if value is not None}


def parse_policy_recorded(status: Manifest | None) -> PolicyRecorded:
    """Read the status of a policy."""
    recorded = status or {}
    return PolicyRecorded(
        generation=recorded.get("observedGeneration", 0),
        roles=tuple(
            OfferedRole(RoleRef(role.get("kind", ""), role.get("name", "")), parse_role_status(role))
            for role in recorded.get("roles") or ()
        ),
        conditions=parse_conditions(recorded),
        namespaces=recorded.get("namespaces"),
    )


def _offered(offered: OfferedRole) -> dict[str, Any]:
    shown = role_status(offered.shown) if offered.shown else {"risks": [], "hints": []}
    return {"kind": offered.role.kind, "name": offered.role.name, "found": offered.shown is not None, **shown}
