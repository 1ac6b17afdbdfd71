"""What was measured: rows of figures with their repeats, beside those of the bare client, and the goals they are held to."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Goal:
    """A limit on the ratio to the bare client, or on the figure itself."""

    limit: float
    of: str = "ratio"  # or "figure"
    at_least: bool = False

    def met(self, value: float) -> bool:
        """Whether the value is on the right side of the limit."""
        return value >= self.limit if self.at_least else value <= self.limit

    def __str__(self) -> str:
        return f"{'>=' if self.at_least else '<='} {self.limit:g}{' x' if self.of == 'ratio' else ''}"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: the figure of each repeat, and that of the bare client in the same repeat, if there is one."""

    name: str
    unit: str
    ours: Sequence[float]
    bare: Sequence[float] = ()
    goal: Goal | None = None

    @property
    def ratios(self) -> list[float]:
        """Ours over bare, repeat by repeat; empty without a bare client."""
        return [our / their for our, their in zip(self.ours, self.bare, strict=False) if their]

    @property
    def judged(self) -> Sequence[float]:
        """What the goal is about."""
        return self.ratios if self.goal and self.goal.of == "ratio" else self.ours

    @property
    def missed(self) -> bool:
        """Whether there is a goal, and the median of the repeats does not reach it."""
        return self.goal is not None and not self.goal.met(median(self.judged))

    def as_json(self) -> dict[str, object]:
        """The row for programs."""
        goal = {"limit": self.goal.limit, "of": self.goal.of, "atLeast": self.goal.at_least} if self.goal else None
        figures = {"ours": list(self.ours), "bare": list(self.bare), "ratios": self.ratios}
        return {"name": self.name, "unit": self.unit, **figures, "goal": goal, "missed": self.missed}


def quantile(values: Sequence[float], part: float) -> float:
    """The value below which that part of the values lies, between the two nearest."""
    ordered = sorted(values)
    place = part * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def latency_rows(
    name: str, ours: Sequence[Sequence[float]], bare: Sequence[Sequence[float]], goals: tuple[Goal | None, Goal | None]
) -> list[Row]:
    """Two rows, p50 of each repeat and p99 of all of them together, in milliseconds, from repeats of seconds."""
    return [
        Row(f"{name}, p50", "ms", _halves(ours), _halves(bare), goals[0]),
        Row(f"{name}, p99", "ms", _tail(ours), _tail(bare), goals[1]),
    ]


def _halves(repeats: Sequence[Sequence[float]]) -> list[float]:
    return [1000 * quantile(repeat, 0.5) for repeat in repeats]


def _tail(repeats: Sequence[Sequence[float]]) -> list[float]:
    return [1000 * quantile([value for repeat in repeats for value in repeat], 0.99)]
