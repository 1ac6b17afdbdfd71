"""What an approved request still waits for before its access can begin; it times out like any that waits. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from jitaccess.domain.circumstances import Case
from jitaccess.domain.windows import is_open, next_opening, opens_in_words

OUTSIDE_WINDOW = "OutsideWindow"
# What a request can wait for though it is approved, as the reason of Granted=False.
WAITING = frozenset({OUTSIDE_WINDOW})


@dataclass(frozen=True, slots=True)
class Wait:
    """What an approved request waits for: a CamelCase reason, a sentence, and until when (None: nobody can say)."""

    reason: str
    message: str
    until: datetime | None


def awaits(case: Case) -> Wait | None:
    """What keeps access from beginning now, though nothing speaks against it; None if nothing does."""
    return next((wait for waits_for in WAITS if (wait := waits_for(case))), None)


def _outside_window(case: Case) -> Wait | None:
    windows, now = case.policy.windows, case.now
    if not windows or is_open(windows, now):
        return None
    opening = next_opening(windows, now)
    if opening is None:
        return Wait(OUTSIDE_WINDOW, "none of its windows opens", None)
    return Wait(OUTSIDE_WINDOW, opens_in_words(windows, opening, now), opening)


# Each speaks for itself; the first that waits is told. A new one is a function here, and a row in its test.
WAITS: tuple[Callable[[Case], Wait | None], ...] = (_outside_window,)
