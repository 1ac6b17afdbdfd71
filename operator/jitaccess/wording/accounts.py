"""One line a grant, for an auditor's sample: who had what, where, why, by whose approval, from when to when. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jitaccess.domain.model import RoleRef
from jitaccess.domain.recorded import State
from jitaccess.domain.text import parse_time
from jitaccess.manifests.cloudevent import Event


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
    at: datetime  # of the last event
    decided: tuple[str, ...]
    approved: tuple[str, ...]
    granted: datetime | None
    until: datetime | None

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
        why=transition["reason"],
        at=parse_time(event["time"]),
        decided=tuple(decision["by"] for decision in decisions),
        approved=tuple(decision["by"] for decision in decisions if decision["reason"] == "Approved"),
        granted=parse_time(grant["from"]) if "from" in grant else None,
        until=parse_time(grant["until"]) if "until" in grant else None,
    )
