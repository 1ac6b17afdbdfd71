"""Requests, policies and roles in words: pure, everything that the commands show in more than one place."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from jitaccess.domain.model import AccessPolicy, AccessRequest, Manifest, RoleRef, State
from jitaccess.domain.risk import role_risks
from jitaccess.domain.rules import awaited, counting_approvals, in_words
from jitaccess.domain.text import format_duration, parse_time
from jitaccess.manifests.parse import parse_conditions
from jitaccess.wording.times import clock, localized, relative, span

# What the roles that come with Kubernetes are for, where their rules cannot be read.
_STANDARD = {
    "view": "Kubernetes' own role for reading most objects, but no Secrets",
    "edit": "Kubernetes' own role for reading and writing most objects, Secrets too, but no RBAC",
    "admin": "Kubernetes' own role for everything in a namespace, RBAC too",
    "cluster-admin": "Kubernetes' own role for everything",
}
_FEW = 6  # resources that are named before "and 12 more"
_GROUPS = re.compile(r" \([^()]*\)$")  # of API groups, at the end of a rule in words


def place(namespace: str) -> str:
    """Where access is, in words."""
    return f"namespace {namespace}" if namespace else "the whole cluster"


def who_decides(policy: AccessPolicy) -> str:
    """How many approvals a policy asks for, and from whom."""
    if policy.required_approvals == 0:
        return "no approval needed"
    noun = "approval" if policy.required_approvals == 1 else "approvals"
    return f"{policy.required_approvals} {noun} from {in_words(policy.approvers, 'or')}"


def not_ready(policy: AccessPolicy) -> str:
    """Why a policy is not in force; empty when it is, or when nobody said."""
    ready = next((c for c in parse_conditions(policy.status or {}) if c.type == "Ready"), None)
    return "" if ready is None or ready.status == "True" else ready.message or ready.reason


def progress(request: AccessRequest) -> str:
    """How far the approvals of a pending request are, where more than one is needed: ` 1/2`."""
    required = (request.status or {}).get("requiredApprovals", 1)
    return f" {len(counting_approvals(request))}/{required}" if request.state is State.PENDING and required > 1 else ""


def when(request: AccessRequest, now: datetime) -> str:
    """The one time that matters now: until when, since when, or how long ago it ended."""
    if request.state is State.ACTIVE and request.expires_at:
        return f"ends {relative(request.expires_at, now)}"
    settled = _time(request, "settledAt")
    return f"ended {relative(settled, now)}" if request.state.settled and settled else f"asked {relative(request.created, now)}"


def outcome(request: AccessRequest, policy: AccessPolicy | None, now: datetime) -> str:
    """What is the matter with a request, in a sentence without its name."""
    granted = request.condition("Granted")
    said = granted.message if granted else ""
    if request.state is State.ACTIVE and request.expires_at:
        return f"{request.role} until {clock(request.expires_at, now)} ({relative(request.expires_at, now)})"
    if request.state is State.PENDING and not said and policy:
        missing = policy.required_approvals - len(counting_approvals(request))
        return awaited(policy, len(counting_approvals(request))) if missing > 0 else "about to be granted"
    if request.state.settled:
        return _ending(request) or localized(said, now)
    return localized(said, now) or "waiting for the operator"


def how_long(request: AccessRequest, now: datetime) -> str:
    """The duration, and from when to when once it is granted."""
    text = format_duration(request.duration)
    if request.granted_at is None or request.expires_at is None:
        return text if request.state.settled else f"{text} from the moment it is granted"
    end = min(request.expires_at, _time(request, "settledAt") or request.expires_at)
    return f"{text}, {clock(request.granted_at, now)} to {clock(end, now)} ({relative(end, now)})"


def deadline(request: AccessRequest) -> datetime | None:
    """When a pending request times out."""
    return _time(request, "pendingUntil")


def risks_of(role: RoleRef, rules: Sequence[Manifest] | None, policy: AccessPolicy | None) -> tuple[str, ...]:
    """What a role allows that outlives the grant: from its rules, else from what the operator wrote about it in the policy."""
    if rules is not None:
        return role_risks(rules)
    return _recorded(role, policy, "risks")


def brief(role: RoleRef, rules: Sequence[Manifest] | None, policy: AccessPolicy | None) -> list[str]:
    """What a role allows in a few lines, as far as that is known."""
    lines = in_brief(rules) if rules is not None else _lines_in_brief(known_rules(role, policy))
    return lines if len(lines) <= _FEW else [*lines[:_FEW], f"and {len(lines) - _FEW} more: kubectl jit show"]


def known_rules(role: RoleRef, policy: AccessPolicy | None) -> tuple[str, ...]:
    """What is known of a role whose rules one may not read: what the operator wrote into the policy, else what it is for."""
    return _recorded(role, policy, "allows") or (_unreadable(role),)


def _recorded(role: RoleRef, policy: AccessPolicy | None, field: str) -> tuple[str, ...]:
    roles: Sequence[Manifest] = ((policy.status if policy else None) or {}).get("roles") or ()
    return next((tuple(r.get(field) or ()) for r in roles if (r["kind"], r["name"]) == (role.kind, role.name)), ())


def exact_rules(rules: Sequence[Manifest]) -> dict[str, list[str]]:
    """The exact rules of a role: for each list of verbs the objects they are for, one rule an entry."""
    grouped: dict[str, list[str]] = {}
    for rule in rules:
        grouped.setdefault(", ".join(rule.get("verbs") or ()), []).append(_objects(rule))
    return grouped


def in_brief(rules: Sequence[Manifest]) -> list[str]:
    """A role in a few words, `verbs: resources`, with equal verbs together and long lists cut."""
    grouped: dict[str, list[str]] = {}
    for rule in rules:
        names = grouped.setdefault(", ".join(rule.get("verbs") or ()), [])
        names += [name for name in _names(rule) if name not in names]
    return [f"{verbs}: {_cut(names)}" for verbs, names in grouped.items()]


def _lines_in_brief(lines: Iterable[str]) -> list[str]:
    """The same from what the operator wrote; a line that is no list of resources, or names objects, stays as it is."""
    grouped: dict[str, list[str]] = {}
    for line in lines:
        verbs, colon, what = line.partition(": ")
        listed = colon and " named " not in what and not what.endswith("...")
        names = grouped.setdefault(verbs if listed else line, [])
        names += [name for name in _GROUPS.sub("", what).split(", ") if listed and name not in names]
    return [f"{verbs}: {_cut(names)}" if names else verbs for verbs, names in grouped.items()]


def _unreadable(role: RoleRef) -> str:
    """What to say about a role whose rules cannot be read."""
    standard = _STANDARD.get(role.name, "") if role.kind == "ClusterRole" else ""
    return (
        f"{standard} (the exact rules are not yours to read)"
        if standard
        else f"the rules of {role} are not yours to read, or gone"
    )


def _names(rule: Manifest) -> list[str]:
    only = f" (only {', '.join(rule['resourceNames'])})" if rule.get("resourceNames") else ""
    every = {"*": "everything"}
    resources = [every.get(resource, resource) + only for resource in rule.get("resources") or ()]
    return resources + list(rule.get("nonResourceURLs") or ())


def _objects(rule: Manifest) -> str:
    groups = [group for group in rule.get("apiGroups") or () if group]
    where = f" in {', '.join('every API group' if group == '*' else group for group in groups)}" if groups else ""
    return ", ".join(_names(rule)) + where


def _cut(names: Sequence[str]) -> str:
    few = ", ".join(names[:_FEW])
    return few if len(names) <= _FEW else f"{few} and {len(names) - _FEW} more"


def timeline(request: AccessRequest) -> list[tuple[datetime, str, str, str]]:
    """The history as (time, event, by, message); what was recorded, or the asking alone while nothing is."""
    recorded: Iterable[Manifest] = (request.status or {}).get("history") or []
    entries = [(parse_time(e["at"]), _event(e), e.get("by", ""), _said(e)) for e in recorded]
    return entries or [(request.created, "Requested", request.requester, request.reason)]


def _ending(request: AccessRequest) -> str:
    history: Sequence[Manifest] = (request.status or {}).get("history") or []
    if not history or not history[-1].get("by"):
        return ""
    said = _said(history[-1])
    return f"by {history[-1]['by']}" + (f": {said}" if said else "")


def _said(entry: Manifest) -> str:
    """The message of a history entry without the name in front, which has its own place."""
    by, message = entry.get("by", ""), str(entry.get("message", ""))
    return "" if message == by else message.removeprefix(f"{by}: ") if by else message


def _event(entry: Manifest) -> str:
    steps = {"Requested": "Requested", "Approved": "Approved"}
    return steps.get(entry.get("reason", ""), str(entry.get("state", "")))


def shortened(length: timedelta) -> str:
    """A duration for a column."""
    return format_duration(length) if length < timedelta(days=2) else span(length)


def _time(request: AccessRequest, field: str) -> datetime | None:
    text = (request.status or {}).get(field)
    return parse_time(text) if text else None
