"""How fast a sink is told, and where a request stands with it."""

from dataclasses import dataclass
from enum import Enum, auto

WIDTH = 8  # requests whose events are on their way at once
PACE = 0.08  # seconds between two full rounds: a backlog of thousands must not hold up who waits for access
LINGER = 0.3  # before the first of a round: a grant that is under way goes first, and several of its entries are one round
IDLE, MARK_SECONDS = 30.0, 300.0
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
OUTAGE_PAUSE, REFUSED_PAUSE = 2.0, 300.0
MOST_FOUND = 1000  # requests that may wait before a look goes on
MOST_HEADS = 1000  # in one checkpoint


class Standing(Enum):
    """Whether a sink has taken all that is on record of a request."""

    TAKEN = auto()
    AWAITED = auto()
    AWAY = auto()  # and it does not look as if it would soon


@dataclass(frozen=True, slots=True)
class Pace:
    """When there is a checkpoint: after so many seconds, or so many events; and how long what is new may wait for more."""

    checkpoint_seconds: float = 3600.0
    checkpoint_events: int = 200
    linger: float = LINGER


USUAL_PACE = Pace()
