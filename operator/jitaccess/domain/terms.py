"""What a policy says beyond who and what, as values: when access may begin, how much there may be, and which ticket it takes."""

from dataclasses import dataclass

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True, slots=True)
class Window:
    """Some hours of some days (0 is Monday) by the clock of an IANA time zone.

    `opens` and `closes` are minutes since midnight, the first inside and the last outside; one that closes
    before it opens closes on the next day.
    """

    days: frozenset[int]
    opens: int
    closes: int
    zone: str


@dataclass(frozen=True, slots=True)
class Limits:
    """How many grants at once, and how many requests of one person within 24 hours; None where there is no limit."""

    active_per_requester: int | None = None
    requests_per_day: int | None = None
    active_in_total: int | None = None


@dataclass(frozen=True, slots=True)
class TicketRule:
    """What the ticket of a request must look like: an RE2 pattern that is found in it, and whether there must be one."""

    pattern: str
    required: bool = True


NO_LIMITS = Limits()
