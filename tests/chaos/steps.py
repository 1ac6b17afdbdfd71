"""What somebody does at a moment of a schedule."""

from dataclasses import dataclass

LASTS = 9.0  # seconds in which people act
MOST_WRITES = 60  # of a schedule that can meet a fault


@dataclass(frozen=True, slots=True)
class Step:
    """Somebody does something at that second."""

    at: float
    what: str
    who: str = ""
    request: str = ""
    words: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"  {self.at:5.2f} s  {self.who or 'admin':8} {self.what} {self.request} {' '.join(self.words)}"
