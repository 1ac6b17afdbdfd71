"""What is told of a request over a channel: a title and lines of plain text, in which nothing that people wrote acts. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from jitaccess.domain.model import AccessRequest
from jitaccess.domain.notices import Occasion
from jitaccess.domain.recorded import DeliveredAs, State
from jitaccess.manifests.kinds import request_kind
from jitaccess.wording.describe import option, place, still_awaited, who_decides
from jitaccess.wording.history import said
from jitaccess.wording.inert import argument, inert
from jitaccess.wording.reviews import owes_review, review_in_words
from jitaccess.wording.roles import role_asked
from jitaccess.wording.stages import length_in_words
from jitaccess.wording.titles import SHORT, Told, in_utc, title, who

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


def message(told: Told, now: datetime) -> Message:
    """The message, as it is right to send now."""
    lines = [f"{label}: {words}" for label, words in _lines(told, now) if words]
    # No line begins with what somebody wrote: there, even a dash or a number would be markup.
    return Message(f"jitaccess: {title(told, now)}", "\n".join(lines))


def _lines(told: Told, now: datetime) -> Iterator[tuple[str, str]]:
    request = told.request
    if not told.own:
        groups = ", ".join(request.groups)
        yield "Who", who(told) + (f" ({inert(groups, SHORT)})" if groups else "")
    yield "Role", inert(str(request.role), SHORT)
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
