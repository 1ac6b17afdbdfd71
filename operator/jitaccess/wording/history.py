"""What happened to a request, in words: from the fields of the record, else the operator's own sentence. Pure."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from jitaccess.domain.approved import how_many
from jitaccess.domain.model import AccessRequest
from jitaccess.domain.recorded import AFTER_THE_END, Entry, Signed, State, end_of
from jitaccess.domain.verdicts import END_REFUSED
from jitaccess.wording.stages import approval_in_words
from jitaccess.wording.times import clock, relative

_CAPITAL = re.compile(r"(?<=[a-z])[A-Z]")
# Steps on the way that are called by their reason; other entries of a state that is not settled are incidents.
_STEPS = frozenset({"Requested", "Approved", *AFTER_THE_END})


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """One entry of the history as people read it: when, what, whose decision it was (empty: nobody's), and the rest."""

    at: datetime
    what: str
    by: str
    said: str


def timeline(request: AccessRequest, now: datetime) -> list[HistoryLine]:
    """The history; while nothing is recorded, the asking alone."""
    lines = [HistoryLine(entry.at, what(entry), entry.by, said(entry, request, now)) for entry in request.recorded.history]
    return lines or [HistoryLine(request.created, "Requested", request.requester, request.reason)]


def what(entry: Entry) -> str:
    """What to call an entry: the state it led to, or what happened on the way (`Binding restored`)."""
    if entry.reason == "Granted" or (entry.state.settled and entry.reason not in AFTER_THE_END):
        return entry.state.value
    return _CAPITAL.sub(lambda capital: f" {capital[0].lower()}", entry.reason)


def said(entry: Entry, request: AccessRequest, now: datetime) -> str:
    """What there is to say of an entry beside its name, its time and its person."""
    if entry.by and entry.reason not in _STEPS:
        signed = signed_of(entry, request)
        return signed.note if signed else entry.message
    if entry.reason == "Approved":
        return approval_in_words(entry, request)
    words = _WORDS.get(entry.reason)
    return (words(request, now) if words else "") or entry.message


def last_line(request: AccessRequest, now: datetime) -> HistoryLine | None:
    """How a settled request ended, whatever was said of it afterwards; None while it is open."""
    end = end_of(request.recorded.history)
    return HistoryLine(end.at, what(end), end.by, said(end, request, now)) if end else None


def end_refused(request: AccessRequest) -> bool:
    """Whether access that should be over goes on, because the API server does not let the operator end it."""
    granted = request.recorded.condition("Granted")
    return request.state is State.ACTIVE and granted is not None and granted.reason == END_REFUSED


def ends(request: AccessRequest, now: datetime) -> str:
    """When access ends, or should have ended: what is still on record is never called over. Empty where nothing is granted."""
    end = request.recorded.expires_at
    if end is None:
        return ""
    if end_refused(request):
        refused = [entry.at for entry in request.recorded.history if entry.reason == END_REFUSED]
        end = min([end, *refused[-1:]])
        return f"should have ended {relative(end, now)}" if end <= now else "should have ended"
    return f"ends {relative(end, now)}" if end > now else f"should have ended {relative(end, now)}"


def signed_of(entry: Entry, request: AccessRequest) -> Signed | None:
    """The decision that an ending is about; of active access a revocation comes first, of a pending request a denial."""
    decisions = [request.recorded.denial, request.recorded.revocation]
    if entry.state is State.REVOKED:
        decisions.reverse()
    return next((signed for signed in decisions if signed and signed.by == entry.by), None)


def _granted(request: AccessRequest, now: datetime) -> str:
    until = request.recorded.expires_at
    return f"{request.role} until {clock(until, now)}" if until else ""


def _scheduled(request: AccessRequest, now: datetime) -> str:
    return f"begins {clock(request.start, now)}" if request.start else ""


def _unanswered(request: AccessRequest, now: datetime) -> str:
    until, required = request.recorded.pending_until, request.recorded.required_approvals
    if until is None or required is None:
        return ""
    given = how_many(request.recorded.stages, request.recorded.approvals)
    if given >= required:
        return f"approved, but not granted until {clock(until, now)}"
    return f"no decision until {clock(until, now)} ({given} of {required} approvals)"


# Reasons whose sentence the record has as fields, times among them, which people want in their own time zone.
_WORDS: Mapping[str, Callable[[AccessRequest, datetime], str]] = {
    "Scheduled": _scheduled,
    "Granted": _granted,
    "PendingTimeout": _unanswered,
}
