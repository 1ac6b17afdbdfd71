"""A promise that was broken, by the number that docs/reliability.md gives it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Violation:
    """One promise that was broken."""

    invariant: str
    request: str
    said: str

    def __str__(self) -> str:
        return f"({self.invariant}) {self.request}: {self.said}"
