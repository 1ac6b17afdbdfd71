"""Many messages for one place, in one. Pure."""

from collections.abc import Mapping

from jitaccess.domain.notices import Occasion
from jitaccess.wording.describe import option, place
from jitaccess.wording.messages import Message

_NOUNS = {
    Occasion.REQUESTED: ("request", "requests"),
    Occasion.REMINDER: ("request still waits", "requests still wait"),
    Occasion.ESCALATION: ("undecided request", "undecided requests"),
    Occasion.APPROVED: ("approval", "approvals"),
    Occasion.SCHEDULED: ("request decided for later", "requests decided for later"),
    Occasion.GRANTED: ("grant", "grants"),
    Occasion.ENDING: ("grant about to end", "grants about to end"),
    Occasion.ENDED: ("grant ended", "grants ended"),
    Occasion.DENIED: ("request denied", "requests denied"),
    Occasion.WITHDRAWN: ("request withdrawn", "requests withdrawn"),
    Occasion.TIMED_OUT: ("request not decided in time", "requests not decided in time"),
    Occasion.FAILED: ("request that could not be granted", "requests that could not be granted"),
    Occasion.INCIDENT: ("incident", "incidents"),
    Occasion.EMERGENCY: ("emergency grant", "emergency grants"),
    Occasion.REVIEW_OWED: ("review owed", "reviews owed"),
    Occasion.REVIEW_OVERDUE: ("review overdue", "reviews overdue"),
    Occasion.REVIEWED: ("review given", "reviews given"),
}
_LINES = 12

What = tuple[Occasion, str]  # and the namespace; empty for the whole cluster


def folded(counts: Mapping[What, int]) -> Message:
    """One message for all of these: `14 more requests in namespace team-a`."""
    most = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0][1], list(Occasion).index(entry[0][0])))
    lines = [_line(what, number) for what, number in most]
    rest = len(lines) - _LINES
    shown = [*lines[:_LINES], f"and {rest} more kinds of news"] if rest > 0 else lines
    title = f"jitaccess: {lines[0] if len(lines) == 1 else f'{sum(counts.values())} more messages'}"
    spaces = list(dict.fromkeys(namespace for (_, namespace), _ in most))[:_LINES]
    return Message(title, "\n".join([*shown, *(f"Look: kubectl jit ls {option(space)}" for space in spaces)]))


def _line(what: What, number: int) -> str:
    occasion, namespace = what
    return f"{number} more {_NOUNS[occasion][number != 1]} in {place(namespace)}"
