"""What the operator has recorded of a request: the status as a value, and the facts that its history is made of."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from jitaccess.domain.roles import ShownRole


class State(StrEnum):
    """Where a request stands, in one word."""

    PENDING = "Pending"
    SCHEDULED = "Scheduled"  # decided, and to begin at the time that was asked for
    ACTIVE = "Active"
    EXPIRED = "Expired"
    REVOKED = "Revoked"
    DENIED = "Denied"
    WITHDRAWN = "Withdrawn"
    TIMED_OUT = "TimedOut"
    FAILED = "Failed"

    @property
    def settled(self) -> bool:
        """Whether a request in this state can never give access again."""
        return self not in (State.PENDING, State.SCHEDULED, State.ACTIVE)


class DeliveredAs(StrEnum):
    """How access is given: by a binding to the requester, or to a temporary account that only they may impersonate."""

    BINDING = "Binding"
    IDENTITY = "Identity"


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """An object that the operator made; the UID is empty where only the name is known, as of a binding that is yet to be made."""

    name: str
    uid: str = ""


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition, as in the Kubernetes API conventions; `status` is True, False or Unknown."""

    type: str
    status: str
    reason: str
    message: str
    since: datetime | None = None
    generation: int = 0


@dataclass(frozen=True, slots=True)
class Signed:
    """One person's decision, and when it was recorded; of an approval also in which stage, and for how long at most."""

    by: str
    note: str
    at: datetime
    stage: str = ""
    length: timedelta | None = None  # None: as long as was asked for


@dataclass(frozen=True, slots=True)
class StageProgress:
    """A stage as it was last recorded: how many of it must approve, how many have, and who they are, in words."""

    name: str
    required: int
    approvals: int = 0
    approvers: str = ""

    @property
    def open(self) -> bool:
        """Whether it still waits for somebody."""
        return self.approvals < self.required


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """Which policy a request was shown to its approvers under: exactly that object, and its generation then."""

    uid: str
    generation: int


@dataclass(frozen=True, slots=True)
class RoleVersion:
    """The rules of a role as they were: the UID of the role, and the digest of all that it allowed."""

    uid: str
    digest: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the history: what happened, when, to which state it led, and whose decision it was (empty: nobody's).

    `policy` and `role` say under what, from this entry on; None where the entries before have said it already. So each entry,
    with those before it, tells what was true then, whatever is recorded later: the audit stream is made of nothing else.
    """

    at: datetime
    state: State
    reason: str
    message: str = ""
    by: str = ""
    policy: PolicyVersion | None = None
    role: RoleVersion | None = None
    stage: str = ""  # of an approval
    length: timedelta | None = None  # of an approval: for how long at most


class Finding(StrEnum):
    """What a reviewer found emergency access to have been."""

    FINE = "fine"
    MISUSE = "misuse"


@dataclass(frozen=True, slots=True)
class Reviewed:
    """One person's review with the time at which it was recorded."""

    by: str
    finding: Finding
    note: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Review:
    """The review that emergency access is owed: within what time of its end, and by whom (in words; empty: nobody).

    `awaited` from the grant until somebody has given it; `due` is known once the access is over.
    """

    within: timedelta
    reviewers: str
    due: datetime | None = None
    awaited: bool = True
    found: tuple[Reviewed, ...] = ()

    @property
    def finding(self) -> Finding:
        """What was found, all in all: misuse if anybody says so."""
        return Finding.MISUSE if any(each.finding is Finding.MISUSE for each in self.found) else Finding.FINE


@dataclass(frozen=True, slots=True)
class Recorded:
    """The record of one request; `revision` counts the writes, and is 0 before the first."""

    revision: int = 0
    generation: int = 0
    state: State = State.PENDING
    granted_at: datetime | None = None
    expires_at: datetime | None = None
    settled_at: datetime | None = None
    pending_until: datetime | None = None
    starts_at: datetime | None = None  # when the access is to begin, while that is known and ahead
    required_approvals: int | None = None
    note_required: bool = False
    stages: tuple[StageProgress, ...] = ()
    policy: PolicyVersion | None = None
    role: ShownRole | None = None
    approvals: tuple[Signed, ...] = ()
    denial: Signed | None = None
    revocation: Signed | None = None
    binding: ObjectRef | None = None
    job: ObjectRef | None = None
    review: Review | None = None  # of emergency access, from its grant on; None for any other
    identity: str = ""  # the user name of the temporary account that has the access; empty where the requester has it
    history: tuple[Entry, ...] = ()
    conditions: tuple[Condition, ...] = ()

    @property
    def unseen(self) -> bool:
        """Whether nobody has looked at the request yet: no status, or the one that the CRD gives it (generation -1)."""
        return self.generation <= 0 and replace(self, generation=0) == NOTHING_RECORDED

    @property
    def delivered_as(self) -> DeliveredAs:
        """How the access on record is given."""
        return DeliveredAs.IDENTITY if self.identity else DeliveredAs.BINDING

    @property
    def due(self) -> datetime | None:
        """When something is due though nobody does anything: an end, a beginning, or the end of waiting; None if not known."""
        if self.state is State.ACTIVE or self.pending_until is None:
            return self.expires_at
        return min(self.pending_until, self.starts_at or self.pending_until)

    def condition(self, kind: str) -> Condition | None:
        """The condition of that type, if any."""
        return condition_of(self.conditions, kind)


NOTHING_RECORDED = Recorded()
# What a history may say after its end.
AFTER_THE_END = frozenset({"ReviewOwed", "ReviewOverdue", "ReviewedAsFine", "ReviewedAsMisuse"})


def end_of(history: Sequence[Entry]) -> Entry | None:
    """The entry that a settled request ended with; None while it is open."""
    last = next((entry for entry in reversed(history) if entry.reason not in AFTER_THE_END), None)
    return last if last and last.state.settled else None


def condition_of(conditions: Iterable[Condition], kind: str) -> Condition | None:
    """The condition of that type, if any."""
    return next((c for c in conditions if c.type == kind), None)


def said(history: Iterable[Entry]) -> tuple[PolicyVersion | None, RoleVersion | None]:
    """Which policy, and which rules of the role, a history speaks of at its end."""
    policy, role = None, None
    for entry in history:
        policy, role = entry.policy or policy, entry.role or role
    return policy, role
