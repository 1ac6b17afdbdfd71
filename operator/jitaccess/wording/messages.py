"""What is told of a request over a channel: a title and lines of plain text, in which nothing that people wrote acts. Pure."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

from jitaccess.domain.model import AccessPolicy, AccessRequest
from jitaccess.domain.notices import Occasion
from jitaccess.domain.recorded import DeliveredAs, Entry, State
from jitaccess.domain.waits import WAITING
from jitaccess.manifests.kinds import request_kind
from jitaccess.wording.describe import option, place, still_awaited, who_decides
from jitaccess.wording.history import said, what
from jitaccess.wording.inert import argument, inert
from jitaccess.wording.reviews import owes_review, review_in_words
from jitaccess.wording.roles import role_asked
from jitaccess.wording.stages import length_in_words
from jitaccess.wording.times import relative, span

_SHORT = 120
# Of emergency access, what somebody is to do something about.
_TO_REVIEW = frozenset({Occasion.REVIEW_OWED, Occasion.REVIEW_OVERDUE})
# Of these the title and the reason for asking say it all.
_SAID = frozenset({Occasion.REQUESTED, Occasion.SCHEDULED, Occasion.GRANTED, Occasion.EMERGENCY}) | _TO_REVIEW
_ASKS = frozenset({Occasion.REQUESTED, Occasion.REMINDER, Occasion.ESCALATION, Occasion.APPROVED})


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent: one line of title, and a few lines of plain text."""

    title: str
    body: str


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


def message(told: Told, now: datetime) -> Message:
    """The message, as it is right to send now."""
    lines = [f"{label}: {words}" for label, words in _lines(told, now) if words]
    # No line begins with what somebody wrote: there, even a dash or a number would be markup.
    return Message(f"jitaccess: {_TITLES[told.occasion](told, now)}", "\n".join(lines))


def in_utc(moment: datetime, now: datetime) -> str:
    """A time for people in all time zones."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC ({relative(moment, now)})"


def _who(told: Told) -> str:
    return inert(told.request.requester, _SHORT)


def _thing(told: Told) -> str:
    return f"{inert(str(told.request.role), _SHORT)} in {place(told.request.key.namespace)}"


def _whose(told: Told) -> str:
    return "Your" if told.own else f"{_who(told)}'s"


def _wish(told: Told) -> str:
    return f"{_whose(told)} request for {_thing(told)}"


def _access(told: Told) -> str:
    return f"{_whose(told)} access ({_thing(told)})"


def _by(told: Told) -> str:
    return inert(told.entry.by, _SHORT) if told.entry and told.entry.by else ""


def _requested(told: Told, _: datetime) -> str:
    return f"{'You ask' if told.own else _who(told) + ' asks'} for {_thing(told)}"


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
    return f"{'You have' if told.own else _who(told) + ' has'} {_thing(told)}{end}"


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
    happened = inert(what(told.entry), _SHORT) if told.entry else "Something happened"
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


def _lines(told: Told, now: datetime) -> Iterator[tuple[str, str]]:
    request = told.request
    if not told.own:
        groups = ", ".join(request.groups)
        yield "Who", _who(told) + (f" ({inert(groups, _SHORT)})" if groups else "")
    yield "Role", inert(str(request.role), _SHORT)
    if told.occasion in _ASKS:
        role = role_asked(request, None, told.policy)
        yield "Allows", inert("; ".join(role.brief), 300) if role.shown else "not known yet: kubectl jit show"
        yield "Outlives the access", inert(", ".join(role.risks), 300)
        yield "May outlive it", inert(", ".join(role.hints), 200)
    yield "Where", place(request.key.namespace)
    yield "How long", _how_long(request, now)
    yield "Begins", _begins(request, now)
    yield "Why", inert(request.reason)
    yield "Ticket", inert(request.ticket)
    yield "Emergency", inert(review_in_words(request, now), 300)
    yield from _happened(told, now)
    if told.occasion in _ASKS and request.state is State.PENDING:
        yield from _decision(told, now)
    yield from _commands(told)
    yield "Look", _link(told)


def _how_long(request: AccessRequest, now: datetime) -> str:
    length, until = length_in_words(request), request.recorded.expires_at
    return f"{length}, until {in_utc(until, now)}" if until and request.state is State.ACTIVE else length


def _begins(request: AccessRequest, now: datetime) -> str:
    starts = request.recorded.starts_at or request.start
    return in_utc(starts, now) if starts and starts > now and not request.state.settled else ""


def _happened(told: Told, now: datetime) -> Iterator[tuple[str, str]]:
    """What the entry says, where it is more than the title and the reason for asking."""
    if told.entry is None or told.occasion in _SAID:
        return
    words = said(told.entry, told.request, now)
    yield ("Note" if told.entry.by else "What"), inert(words)


def _decision(told: Told, now: datetime) -> Iterator[tuple[str, str]]:
    request, policy = told.request, told.policy
    if policy:
        yield "Policy", inert(f"{policy.key.name}, {who_decides(policy)}", 300)
        yield "Still needed", inert(still_awaited(request, policy).removeprefix("needs "), 300)
    until = request.recorded.pending_until or (request.created + policy.pending_timeout if policy else None)
    yield "Decide until", in_utc(until, now) if until else ""


def _commands(told: Told) -> Iterator[tuple[str, str]]:
    request = told.request
    end = f"{argument(request.key.name)} {option(request.key.namespace)}"
    if request.state is State.PENDING and not told.own and told.occasion in _ASKS:
        yield "Approve", f"kubectl jit approve {end}"
        yield "Deny", f"kubectl jit deny {end}"
    elif request.state is State.ACTIVE and told.own:
        if request.recorded.delivered_as is DeliveredAs.IDENTITY:
            yield "Use it", f"kubectl jit as {end} -- get pods"
        yield (
            "Go on after it" if told.occasion is Occasion.ENDING else "Give it back",
            (f"kubectl jit {'extend' if told.occasion is Occasion.ENDING else 'withdraw'} {end}"),
        )
    elif request.state is State.SCHEDULED and told.own:
        yield "Take it back", f"kubectl jit withdraw {end}"
    elif request.state is State.ACTIVE:
        yield "Revoke", f"kubectl jit revoke {end}"
    elif told.occasion in _TO_REVIEW and not told.own and owes_review(request):
        yield from _reviewing(request, end)
    else:
        yield "More", f"kubectl jit show {end}"


def _reviewing(request: AccessRequest, end: str) -> Iterator[tuple[str, str]]:
    yield "It was fine", f"kubectl jit reviewed {end} --fine"
    yield "It was misuse", f"kubectl jit reviewed {end} --misuse"
    kind, where = request_kind(request.key.namespace).resource.kind.lower(), request.key.namespace
    it = f"{kind} {argument(request.key.name)}" + (f" -n {where}" if where else "")
    yield "Without the plugin", f'kubectl annotate {it} jitaccess.dev/review="fine: your note"'


def _link(told: Told) -> str:
    key = told.request.key
    path = {"{namespace}": quote(key.namespace, safe=""), "{name}": quote(key.name, safe="")}
    link = told.console
    for mark, value in path.items():
        link = link.replace(mark, value)
    return link
