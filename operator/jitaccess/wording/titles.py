"""What a message says in one line, for each occasion. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from jitaccess.domain.model import AccessPolicy, AccessRequest
from jitaccess.domain.notices import Occasion
from jitaccess.domain.recorded import Entry, State
from jitaccess.domain.waits import WAITING
from jitaccess.wording.describe import place
from jitaccess.wording.history import what
from jitaccess.wording.inert import inert
from jitaccess.wording.times import relative, span

SHORT = 120


@dataclass(frozen=True, slots=True)
class Told:
    """What there is to tell, and to whom: `own` is the person who asked.

    `entry` is the entry of the history that it is about, None where only the clock says it; `console` is a URL with
    {namespace} and {name}, empty for none.
    """

    occasion: Occasion
    request: AccessRequest
    policy: AccessPolicy | None
    entry: Entry | None = None
    own: bool = False
    console: str = ""


def title(told: Told, now: datetime) -> str:
    """The one line, as it is right to send now."""
    return _TITLES[told.occasion](told, now)


def in_utc(moment: datetime, now: datetime) -> str:
    """A time for people in all time zones."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC ({relative(moment, now)})"


def who(told: Told) -> str:
    return inert(told.request.requester, SHORT)


def _thing(told: Told) -> str:
    return f"{inert(str(told.request.role), SHORT)} in {place(told.request.key.namespace)}"


def _whose(told: Told) -> str:
    return "Your" if told.own else f"{who(told)}'s"


def _wish(told: Told) -> str:
    return f"{_whose(told)} request for {_thing(told)}"


def _access(told: Told) -> str:
    return f"{_whose(told)} access ({_thing(told)})"


def _by(told: Told) -> str:
    return inert(told.entry.by, SHORT) if told.entry and told.entry.by else ""


def _requested(told: Told, _: datetime) -> str:
    return f"{'You ask' if told.own else who(told) + ' asks'} for {_thing(told)}"


def _reminder(told: Told, now: datetime) -> str:
    return f"Still waiting: {_requested(told, now)}"


def _escalation(told: Told, now: datetime) -> str:
    return f"Undecided for {span(now - told.request.created)}: {_requested(told, now)}"


def _approved(told: Told, _: datetime) -> str:
    return f"{_wish(told)} was approved by {_by(told) or 'somebody'}"


def _scheduled(told: Told, now: datetime) -> str:
    start = told.request.start
    return f"{_wish(told)} is decided and begins {in_utc(start, now) if start else 'later'}"


def _granted(told: Told, now: datetime) -> str:
    until = told.request.recorded.expires_at
    end = f" until {in_utc(until, now)}" if until else ""
    return f"{'You have' if told.own else who(told) + ' has'} {_thing(told)}{end}"


def _ending(told: Told, now: datetime) -> str:
    until = told.request.recorded.expires_at
    return f"{_access(told)} ends {relative(until, now) if until else 'soon'}"


def _ended(told: Told, _: datetime) -> str:
    revoked = told.entry is not None and told.entry.state is State.REVOKED
    return f"{_access(told)} {'was revoked' if revoked else 'has ended'}" + (f" by {_by(told)}" if _by(told) else "")


def _settled(told: Told, _: datetime) -> str:
    words = {
        Occasion.DENIED: "was denied",
        Occasion.WITHDRAWN: "was withdrawn",
        Occasion.TIMED_OUT: "was not decided in time",
        Occasion.FAILED: "could not be granted",
    }[told.occasion]
    if told.entry and told.entry.reason in WAITING:
        words = "was approved, and not granted in time"
    return f"{_wish(told)} {words}" + (f" by {_by(told)}" if _by(told) else "")


def _emergency(told: Told, now: datetime) -> str:
    return f"EMERGENCY: {_granted(told, now)}, without approval"


def _review(told: Told, now: datetime) -> str:
    review = told.request.recorded.review
    if told.occasion is Occasion.REVIEWED:
        found = "found to be misuse" if told.entry and told.entry.reason == "ReviewedAsMisuse" else "found fine"
        return f"{_whose(told)} emergency access ({_thing(told)}) was {found}" + (f" by {_by(told)}" if _by(told) else "")
    due = f", due {relative(review.due, now)}" if review and review.due and told.occasion is Occasion.REVIEW_OWED else ""
    late = "overdue" if told.occasion is Occasion.REVIEW_OVERDUE else "owed"
    return f"Review {late}{due}: {_whose(told).lower() if told.own else _whose(told)} emergency access ({_thing(told)})"


def _incident(told: Told, _: datetime) -> str:
    happened = inert(what(told.entry), SHORT) if told.entry else "Something happened"
    return f"{happened}: {_access(told) if told.request.recorded.granted_at else _wish(told)}"


_TITLES: Mapping[Occasion, Callable[[Told, datetime], str]] = {
    Occasion.REQUESTED: _requested,
    Occasion.REMINDER: _reminder,
    Occasion.ESCALATION: _escalation,
    Occasion.APPROVED: _approved,
    Occasion.SCHEDULED: _scheduled,
    Occasion.GRANTED: _granted,
    Occasion.ENDING: _ending,
    Occasion.ENDED: _ended,
    Occasion.DENIED: _settled,
    Occasion.WITHDRAWN: _settled,
    Occasion.TIMED_OUT: _settled,
    Occasion.FAILED: _settled,
    Occasion.INCIDENT: _incident,
    Occasion.EMERGENCY: _emergency,
    Occasion.REVIEW_OWED: _review,
    Occasion.REVIEW_OVERDUE: _review,
    Occasion.REVIEWED: _review,
}
