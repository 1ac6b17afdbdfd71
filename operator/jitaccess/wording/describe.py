"""Requests and policies in words: pure, everything that the commands show in more than one place."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from jitaccess.domain.model import AccessPolicy, AccessRequest, Manifest
from jitaccess.domain.recorded import State
from jitaccess.domain.rules import awaited, counting_approvals, in_words
from jitaccess.domain.text import format_duration, parse_time
from jitaccess.manifests.parse import parse_conditions
from jitaccess.wording.times import clock, localized, relative, span


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
