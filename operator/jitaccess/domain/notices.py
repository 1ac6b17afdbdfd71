"""Who is to be told of what: the field `notify` of policies as values, and what each entry of a history is told as. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from jitaccess.domain.recorded import Entry, State

REQUESTER = "requester"  # the channel that is the person who asked
CHANNELS_FOUND = "ChannelsFound"  # the condition of a policy


class Occasion(StrEnum):
    """What somebody is told of."""

    REQUESTED = "Requested"
    APPROVED = "Approved"
    SCHEDULED = "Scheduled"
    GRANTED = "Granted"
    ENDED = "Ended"
    DENIED = "Denied"
    WITHDRAWN = "Withdrawn"
    TIMED_OUT = "TimedOut"
    FAILED = "Failed"
    INCIDENT = "Incident"
    EMERGENCY = "Emergency"
    REVIEW_OWED = "ReviewOwed"
    REVIEW_OVERDUE = "ReviewOverdue"
    REVIEWED = "Reviewed"
    # By the clock alone.
    REMINDER = "Reminder"
    ESCALATION = "Escalation"
    ENDING = "Ending"


BY_THE_CLOCK = frozenset({Occasion.REMINDER, Occasion.ESCALATION, Occasion.ENDING})
CHOSEN = tuple(occasion for occasion in Occasion if occasion not in BY_THE_CLOCK)  # what `when` may name
REPEATED = frozenset({Occasion.APPROVED, Occasion.INCIDENT, Occasion.REVIEWED})  # what can happen to one request more than once
_ENDS: Mapping[State, Occasion] = {
    State.EXPIRED: Occasion.ENDED,
    State.REVOKED: Occasion.ENDED,
    State.DENIED: Occasion.DENIED,
    State.WITHDRAWN: Occasion.WITHDRAWN,
    State.TIMED_OUT: Occasion.TIMED_OUT,
    State.FAILED: Occasion.FAILED,
}
# Of emergency access; some of it happens after its end.
_REVIEWS: Mapping[str, Occasion] = {
    "Emergency": Occasion.EMERGENCY,
    "ReviewOwed": Occasion.REVIEW_OWED,
    "ReviewOverdue": Occasion.REVIEW_OVERDUE,
    "ReviewedAsFine": Occasion.REVIEWED,
    "ReviewedAsMisuse": Occasion.REVIEWED,
}
_STEPS: Mapping[str, Occasion] = {
    "Requested": Occasion.REQUESTED,
    "Approved": Occasion.APPROVED,
    "Scheduled": Occasion.SCHEDULED,
    "Granted": Occasion.GRANTED,
}


@dataclass(frozen=True, slots=True)
class Notify:
    """What one channel is told of; each length of time None where it is not asked for."""

    channel: str
    when: frozenset[Occasion] = frozenset()
    remind_after: timedelta | None = None
    escalate_after: timedelta | None = None
    warn_before: timedelta | None = None

    def wants(self, occasion: Occasion) -> bool:
        """Whether the channel is told of that."""
        return occasion in self.when or (occasion in BY_THE_CLOCK and self._lead(occasion) is not None)

    def due(self, occasion: Occasion, asked: datetime | None, until: datetime | None) -> datetime | None:
        """When the channel is told of something that only the clock says; None for never.

        `asked` is None once nobody waits any more, `until` while nothing was granted.
        """
        lead = self._lead(occasion)
        if lead is None:
            return None
        if occasion is Occasion.ENDING:
            return until - lead if until else None
        return asked + lead if asked else None

    def _lead(self, occasion: Occasion) -> timedelta | None:
        return {
            Occasion.REMINDER: self.remind_after,
            Occasion.ESCALATION: self.escalate_after,
            Occasion.ENDING: self.warn_before,
        }.get(occasion)


def occasion_of(entry: Entry) -> Occasion:
    """What an entry of the history is an occasion for; what is neither a step nor an end is an incident."""
    if occasion := _REVIEWS.get(entry.reason):
        return occasion
    if entry.state.settled:
        return _ENDS[entry.state]
    return _STEPS.get(entry.reason, Occasion.INCIDENT)
