"""What was done to the operator, and when: the judge allows more time where it was disturbed."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


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
    """All disturbances of a run, and how slowly the API server answered an onlooker."""

    disturbances: list[Disturbance] = field(default_factory=list)
    stalls: list[tuple[float, float]] = field(default_factory=list)  # when an onlooker was answered, after how many seconds

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
        """The longest that an onlooker had to wait for the API server in that time."""
        return max((took for at, took in self.stalls if at >= start and at - took <= end), default=0.0)
