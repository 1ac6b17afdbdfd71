"""Locks: people who have no access for now, and neither ask nor decide. Pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from jitaccess.domain.recorded import Condition
from jitaccess.domain.text import format_time, lower_ascii


class LockState(StrEnum):
    """Where a lock stands, in one word."""

    ACTIVE = "Active"
    OVER = "Over"
    LIFTED = "Lifted"


@dataclass(frozen=True, slots=True)
class LockEntry:
    """One line of a lock's history; `by` is empty where it was nobody's decision."""

    at: datetime
    state: LockState
    reason: str
    message: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class LockRecorded:
    """What the operator has recorded of a lock; `state` is None before its first look."""

    generation: int = 0
    state: LockState | None = None
    who: str = ""  # the people, for a column
    settled_at: datetime | None = None
    ended: int = 0  # grants
    history: tuple[LockEntry, ...] = ()
    conditions: tuple[Condition, ...] = ()


NOTHING_RECORDED_OF_A_LOCK = LockRecorded()


@dataclass(frozen=True, slots=True)
class Lifted:
    """Who has lifted a lock, and why."""

    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Lock:
    """Who is locked, by whom and why; until when (None: until somebody lifts it)."""

    name: str
    uid: str
    resource_version: str
    subjects: tuple[str, ...]  # user names
    reason: str
    by: str
    generation: int = 1
    until: datetime | None = None
    lifted: Lifted | None = None
    recorded: LockRecorded = NOTHING_RECORDED_OF_A_LOCK

    @property
    def people(self) -> frozenset[str]:
        """Who is locked, in lower case: to a lock, names that differ in A and a only are one person's."""
        return frozenset(map(lower_ascii, self.subjects))

    @property
    def settled(self) -> bool:
        """Whether it is on record that it holds no longer, as locked.jitaccess.dev asks too."""
        return self.recorded.state in (LockState.OVER, LockState.LIFTED)

    def state_at(self, now: datetime) -> LockState:
        """Where it stands at that moment; one that is over by the record stays over."""
        if self.settled and self.recorded.state:
            return self.recorded.state
        if self.lifted:
            return LockState.LIFTED
        return LockState.OVER if self.until and now >= self.until else LockState.ACTIVE

    def holds(self, now: datetime) -> bool:
        """Whether it holds at that moment."""
        return self.state_at(now) is LockState.ACTIVE

    def __str__(self) -> str:
        end = f"until {format_time(self.until)}" if self.until else "until it is lifted"
        return f"AccessLock {self.name} of {self.by or 'somebody'} {end}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Locks:
    """The locks that were read; `unknown` is why they could not be, and then nobody's access may begin."""

    found: tuple[Lock, ...] = ()
    unknown: str = ""

    def on(self, name: str, now: datetime) -> Lock | None:
        """The lock that holds on somebody at that moment, if any."""
        person = lower_ascii(name) if self.found else ""
        return next((lock for lock in self.found if person in lock.people and lock.holds(now)), None)


NO_LOCKS = Locks()
