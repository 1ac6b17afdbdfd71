"""What became of one attempt to send a message. A place that may have taken it is never tried again."""

from dataclasses import dataclass
from enum import StrEnum


class Fate(StrEnum):
    """Whether a message was taken."""

    TAKEN = "taken"
    REFUSED = "refused"  # certainly not taken: it may be tried again
    UNKNOWN = "unknown"  # it may have been taken, or not


@dataclass(frozen=True, slots=True)
class Sent:
    """The fate of a message, and why, in words that hold no secret."""

    fate: Fate
    why: str = ""


TAKEN = Sent(Fate.TAKEN)
