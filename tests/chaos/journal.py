"""What was done to the operator, and when: the judge allows more time where it was disturbed."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

STILL = 0.1  # seconds: an onlooker who is kept so much longer than usual is not the only one


@dataclass(frozen=True, slots=True)
class Disturbance:
    """From when to when something was wrong, on the API server's clock; without a namespace it concerns everybody."""

    start: float
    end: float
    what: str
    namespace: str = ""
    request: str = ""

    def concerns(self, namespace: str, request: str) -> bool:
        """Whether it can have delayed what was to be done about that request."""
        return self.namespace in ("", namespace) and self.request in ("", request)


@dataclass
class Journal:
    """All disturbances of a run, and how long an onlooker was kept, by the API server or by a machine that stood still."""

    disturbances: list[Disturbance] = field(default_factory=list)
    stalls: list[tuple[float, float]] = field(default_factory=list)  # until when an onlooker was kept, and for how many seconds

    def note(self, what: str, *, seconds: float = 0.0, namespace: str = "", request: str = "") -> None:
        """Something is wrong from now on for so many seconds."""
        now = time.time()
        self.disturbances.append(Disturbance(now, now + seconds, what, namespace, request))

    @contextmanager
    def during(self, what: str) -> Iterator[None]:
        """Something is wrong for everybody while the block runs."""
        start = time.time()
        try:
            yield
        finally:
            self.disturbances.append(Disturbance(start, time.time(), what))

    def stall(self, start: float, end: float) -> float:
        """The longest that an onlooker was kept in that time."""
        return max((took for at, took in list(self.stalls) if at >= start and at - took <= end), default=0.0)

    def lost(self, start: float, end: float) -> float:
        """For how long, all in all, an onlooker was kept between the two."""
        total, reached = 0.0, start
        for since, until in sorted((at - took, at) for at, took in list(self.stalls) if took > STILL):
            kept = min(until, end) - max(since, reached)
            if kept > 0:
                total, reached = total + kept, min(until, end)
        return total

    def before(self, moment: float, seconds: float) -> float:
        """So many seconds before a moment, without those that were lost."""
        since = moment - seconds
        while (earlier := moment - seconds - self.lost(since, moment)) < since - STILL:
            since = earlier
        return since
