"""The time by which the plugin waits: it passes only where somebody sleeps, and then at once."""

from dataclasses import dataclass, field


@dataclass
class Clock:
    """In the shape of the module `time`, as far as that is used."""

    now: float = 0.0
    slept: list[float] = field(default_factory=list)

    def monotonic(self) -> float:
        """The time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let it pass."""
        self.slept.append(seconds)
        self.now += seconds
