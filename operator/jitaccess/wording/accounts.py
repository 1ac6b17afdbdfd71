"""One line a grant, for an auditor's sample: who had what, where, why, by whose approval, from when to when. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jitaccess.domain.model import RoleRef
from jitaccess.domain.recorded import State
from jitaccess.domain.text import parse_time
from jitaccess.manifests.cloudevent import Event

_FOUND = {"ReviewedAsFine": "fine", "ReviewedAsMisuse": "misuse"}  # in this order: one misuse makes it that
_STANDINGS = {"ReviewOwed": "owed", "ReviewOverdue": "overdue"}


@dataclass(frozen=True, slots=True)
class Account:
    """A request as its last event tells it; `granted` and `until` are None where nothing was granted."""

    uid: str
    namespace: str
    name: str
    requester: str
    role: RoleRef
    reason: str
    ticket: str
    policy: str
    state: State
    why: str
    at: datetime  # of the last event, or of the end, if there is something after it
    decided: tuple[str, ...]
    approved: tuple[str, ...]
    granted: datetime | None
    until: datetime | None
    emergency: bool = False
    review: str = ""  # of emergency access that is over: owed, overdue, fine or misuse
    reviewed: tuple[str, ...] = ()

    @property
    def ended(self) -> datetime | None:
        """When the access ended, or will; None where there was none."""
        return (self.at if self.state.settled else self.until) if self.granted else None

    def overlaps(self, start: datetime, stop: datetime) -> bool:
        """Whether it was open, or gave access, at any time in a period, as far as its last event says."""
        return (self.granted or self.at) <= stop and (self.ended or self.at) >= start


def account_of(event: Event) -> Account:
    """Read the last event of a request; KeyError, TypeError or ValueError if it is none of ours."""
    data = event["data"]
    request, role, grant, transition = data["request"], data["role"], data.get("grant") or {}, data["transition"]
    decisions: Sequence[dict[str, Any]] = data["decisions"]
    ended = data.get("ended") or {"at": event["time"], "reason": transition["reason"]}
    reviews = [decision for decision in decisions if decision["reason"] in _FOUND]
    return Account(
        uid=request["uid"],
        namespace=request.get("namespace", ""),
        name=request["name"],
        requester=data["requester"]["name"],
        role=RoleRef(role["kind"], role["name"]),
        reason=data["reason"],
        ticket=data.get("ticket", ""),
        policy=data["policy"]["name"],
        state=State(transition["state"]),
        why=ended["reason"],
        at=parse_time(ended["at"]),
        decided=tuple(decision["by"] for decision in decisions),
        approved=tuple(decision["by"] for decision in decisions if decision["reason"] == "Approved"),
        granted=parse_time(grant["from"]) if "from" in grant else None,
        until=parse_time(grant["until"]) if "until" in grant else None,
        emergency=data.get("emergency") is True,
        review=_STANDINGS.get(transition["reason"], "") if not reviews else max(_FOUND[each["reason"]] for each in reviews),
        reviewed=tuple(each["by"] for each in reviews),
    )
