"""Requests and policies in words: pure, everything that the commands show in more than one place."""

from datetime import datetime, timedelta

from jitaccess.domain.model import AccessPolicy, AccessRequest
from jitaccess.domain.recorded import Entry, State
from jitaccess.domain.rules import awaited, counting_approvals, in_words
from jitaccess.domain.text import format_duration
from jitaccess.manifests.status import parse_conditions
from jitaccess.wording.times import clock, localized, relative, span


def policy_of(request: AccessRequest, policy: AccessPolicy | None) -> str:
    """The policy that a request names, and who decides under it, as far as one may know."""
    name = request.policy.key.name
    return f"{name}: {who_decides(policy)}" if policy else f"{name} (gone, or not yours to read)"


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
    required = request.recorded.required_approvals or 1
    return f" {len(counting_approvals(request))}/{required}" if request.state is State.PENDING and required > 1 else ""


def when(request: AccessRequest, now: datetime) -> str:
    """The one time that matters now: until when, since when, or how long ago it ended."""
    if request.state is State.ACTIVE and request.recorded.expires_at:
        return _ends(request.recorded.expires_at, now)
    settled = request.recorded.settled_at
    return f"ended {relative(settled, now)}" if request.state.settled and settled else f"asked {relative(request.created, now)}"


def outcome(request: AccessRequest, policy: AccessPolicy | None, now: datetime) -> str:
    """What is the matter with a request, in a sentence without its name."""
    granted = request.recorded.condition("Granted")
    said = granted.message if granted else ""
    if request.state is State.ACTIVE and request.recorded.expires_at:
        return _running(request, request.recorded.expires_at, now)
    if request.state is State.PENDING and not said and policy:
        missing = policy.required_approvals - len(counting_approvals(request))
        return awaited(policy, len(counting_approvals(request))) if missing > 0 else "about to be granted"
    if request.state.settled:
        return _ending(request) or localized(said, now)
    return localized(said, now) or "waiting for the operator"


def how_long(request: AccessRequest, now: datetime) -> str:
    """The duration, and from when to when once it is granted."""
    text = format_duration(request.duration)
    since, until = request.recorded.granted_at, request.recorded.expires_at
    if since is None or until is None:
        return text if request.state.settled else f"{text} from the moment it is granted"
    end = min(until, request.recorded.settled_at or until)
    return f"{text}, {clock(since, now)} to {clock(end, now)} ({relative(end, now)})"


def deadline(request: AccessRequest) -> datetime | None:
    """When a pending request times out."""
    return request.recorded.pending_until


def timeline(request: AccessRequest) -> list[tuple[datetime, str, str, str]]:
    """The history as (time, event, by, message); what was recorded, or the asking alone while nothing is."""
    entries = [(entry.at, _event(entry), entry.by, _said(entry)) for entry in request.recorded.history]
    return entries or [(request.created, "Requested", request.requester, request.reason)]


def _ending(request: AccessRequest) -> str:
    history = request.recorded.history
    if not history or not history[-1].by:
        return ""
    said = _said(history[-1])
    return f"by {history[-1].by}" + (f": {said}" if said else "")


def _said(entry: Entry) -> str:
    """The message of a history entry without the name in front, which has its own place."""
    if not entry.by:
        return entry.message
    return "" if entry.message == entry.by else entry.message.removeprefix(f"{entry.by}: ")


# What happened without a change of state has its own word; a transition has that of the state it led to.
_TRANSITIONS = frozenset(
    {"Granted", "DurationElapsed", "WithdrawnByRequester", "RevokedByRequester", "RevokedByApprover", "DeniedByApprover"}
)


def _event(entry: Entry) -> str:
    """What to call a line of the history: the state it led to, or the word of what happened on the way."""
    return entry.state.value if entry.state.settled or entry.reason in _TRANSITIONS else entry.reason


def _ends(moment: datetime, now: datetime) -> str:
    return f"ends {relative(moment, now)}" if moment > now else f"should have ended {relative(moment, now)}"


def _running(request: AccessRequest, until: datetime, now: datetime) -> str:
    """Of access that is on record: until when, or what is the matter with it."""
    granted = request.recorded.condition("Granted")
    if granted and granted.reason != "Granted":
        return f"{granted.message} ({_ends(until, now)})"
    return f"{request.role} until {clock(until, now)} ({relative(until, now) if until > now else _ends(until, now)})"


def shortened(length: timedelta) -> str:
    """A duration for a column."""
    return format_duration(length) if length < timedelta(days=2) else span(length)
