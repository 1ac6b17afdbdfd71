"""Requests and policies in words: pure, everything that the commands show in more than one place."""

from datetime import datetime, timedelta

from jitaccess.domain.awaiting import approvals_from, awaited
from jitaccess.domain.counting import counting_approvals, required_of, wanting
from jitaccess.domain.model import AccessPolicy, AccessRequest, Key
from jitaccess.domain.notices import CHANNELS_FOUND
from jitaccess.domain.recorded import State, condition_of
from jitaccess.domain.text import format_duration
from jitaccess.manifests.kinds import request_kind
from jitaccess.wording.beginnings import begins
from jitaccess.wording.history import end_refused, ends, last_line
from jitaccess.wording.reviews import review_policy, review_standing
from jitaccess.wording.stages import given, length_in_words
from jitaccess.wording.times import clock, relative, span
from jitaccess.wording.unseen import not_acted_on, policy_unseen, request_unseen


def policy_of(request: AccessRequest, policy: AccessPolicy | None) -> str:
    """The policy that a request names, and who decides under it, as far as one may know."""
    own = request.policy.key.namespace == request.key.namespace and request.key.namespace
    name = request.policy.key.name if own else str(request.policy)
    return f"{name}: {who_decides(policy)}" if policy else f"{name} (gone, or not yours to read)"


def place(namespace: str) -> str:
    """Where access is, in words."""
    return f"namespace {namespace}" if namespace else "the whole cluster"


def reference(key: Key) -> str:
    """A request as kubectl names it: `accessrequest/alice-7f3k`."""
    return f"{request_kind(key.namespace).resource.kind.lower()}/{key.name}"


def option(namespace: str) -> str:
    """What says on a command line where access is."""
    return f"-n {namespace}" if namespace else "--cluster"


def who_decides(policy: AccessPolicy) -> str:
    """How many approvals a policy asks for, and from whom."""
    if policy.emergency:
        return review_policy(policy.emergency)
    return approvals_from(policy) if required_of(policy) else "no approval needed"


def not_ready(policy: AccessPolicy, now: datetime) -> str:
    """Why a policy is not in force, as far as the operator has said; empty when it is."""
    ready = condition_of(policy.recorded.conditions, "Ready")
    if ready is None:
        return policy_unseen(policy, now)
    return "" if ready.status == "True" else ready.message or ready.reason


def untold(policy: AccessPolicy) -> str:
    """That not everybody is told whom a policy names, as the operator has said; empty where all are, or it names nobody."""
    found = condition_of(policy.recorded.conditions, CHANNELS_FOUND)
    return found.message if found and found.status == "False" else ""


def progress(request: AccessRequest) -> str:
    """How far the approvals of a pending request are, where more than one is needed: ` 1/2`."""
    required = request.recorded.required_approvals or 1
    return f" {given(request)}/{required}" if request.state is State.PENDING and required > 1 else ""


def when(request: AccessRequest, now: datetime) -> str:
    """The one time that matters now: until when, since when, or how long ago it ended."""
    if request.state is State.ACTIVE and request.recorded.expires_at:
        return ends(request, now) + review_standing(request, now) + (", unguarded" if _unguarded(request) else "")
    if starts := request.recorded.starts_at:
        return f"begins {relative(starts, now)}" if starts > now else f"should have begun {relative(starts, now)}"
    settled = request.recorded.settled_at
    if request.state.settled and settled:
        return f"ended {relative(settled, now)}" + review_standing(request, now)
    return f"asked {relative(request.created, now)}" + (", not looked at yet" if request_unseen(request, now) else "")


def outcome(request: AccessRequest, policy: AccessPolicy | None, now: datetime) -> str:
    """What is the matter with a request, in a sentence without its name."""
    if request.state is State.ACTIVE and request.recorded.expires_at:
        return _running(request, request.recorded.expires_at, now)
    if request.state.settled:
        return _ending(request, now)
    awaits = still_awaited(request, policy)
    if unseen := request_unseen(request, now):
        return f"{unseen} ({awaits})" if awaits else unseen
    return not_acted_on(request) or begins(request, now) or _condition_message(request) or awaits or "not looked at yet"


def still_awaited(request: AccessRequest, policy: AccessPolicy | None) -> str:
    """Which approvals a request lacks under its policy; empty if none, and if the policy is not known."""
    counting = counting_approvals(request, policy)
    return awaited(policy, counting) if policy and wanting(policy, counting) else ""


def warnings(request: AccessRequest) -> list[str]:
    """What somebody should look after while access is on record: that it cannot be ended, or that only the operator ends it."""
    if request.state is not State.ACTIVE:
        return []
    refused = [_condition_message(request)] if end_refused(request) else []
    return refused + _unguarded(request)


def how_long(request: AccessRequest, now: datetime) -> str:
    """The duration, and from when to when once it is granted."""
    text = length_in_words(request)
    since, until = request.recorded.granted_at, request.recorded.expires_at
    if since is None or until is None:
        start = f"{clock(request.start, now)} on" if request.start and request.start > now else "the moment it is granted"
        return text if request.state.settled else f"{text} from {start}"
    end = min(until, request.recorded.settled_at or until)
    return f"{text}, {clock(since, now)} to {clock(end, now)} ({relative(end, now)})"


def times_out(request: AccessRequest, now: datetime) -> str:
    """When a pending request times out, or should have: `times out in 23h`; empty for others, and while that is not on record."""
    until = request.recorded.pending_until
    if until is None or request.state is not State.PENDING:
        return ""
    return f"times out {relative(until, now)}" if until > now else f"should have timed out {relative(until, now)}"


def shortened(length: timedelta) -> str:
    """A duration for a column."""
    return format_duration(length) if length < timedelta(days=2) else span(length)


def _unguarded(request: AccessRequest) -> list[str]:
    """The sentence that nothing but the operator ends this access; none where a Job stands behind it."""
    guarded = request.recorded.condition("ExpiryGuarded")
    return [guarded.message or guarded.reason] if guarded and guarded.status == "False" else []


def _running(request: AccessRequest, until: datetime, now: datetime) -> str:
    """Of access that is on record: until when, or what is the matter with it."""
    granted = request.recorded.condition("Granted")
    if end_refused(request):
        return f"{ends(request, now)}: the API server refuses the end, which is tried again and again"
    if decided := not_acted_on(request):
        return f"{decided} ({ends(request, now)})"
    if granted and granted.reason != "Granted":
        return f"{granted.message} ({ends(request, now)})"
    if until <= now:
        return f"{ends(request, now)}: no end is on record yet"
    return f"{request.role} until {clock(until, now)} ({relative(until, now)})"


def _ending(request: AccessRequest, now: datetime) -> str:
    last = last_line(request, now)
    if last is None:
        return _condition_message(request)
    return ": ".join(part for part in (f"by {last.by}" if last.by else "", last.said) if part)


def _condition_message(request: AccessRequest) -> str:
    granted = request.recorded.condition("Granted")
    return granted.message if granted else ""
