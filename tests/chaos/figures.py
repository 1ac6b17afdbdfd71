"""The figures of a run: how long access outlived its end, by what was wrong meanwhile."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median

from chaos.bounds import Case, Delay, delays
from chaos.judge import judge
from chaos.waves import Outcome

# By the first that is among what was wrong; the rest are faults of single writes.
_CLASSES = (
    "nobody was there",
    "leader paused",
    "API server restarted",
    "operator cut off",
    "answers hung",
    "watches garbled",
    "an operator was dead",
    "never answered",
    "refused",
    "delivered late",
)


@dataclass
class Figures:
    """What was measured, and how many promises were broken."""

    delays: list[Delay] = field(default_factory=list)
    violations: int = 0
    grants: int = 0

    def add_case(self, case: Case) -> list[str]:
        """Judge a scene; returns what it broke."""
        found = [str(violation) for violation in judge(case)]
        self.delays += delays(case) if case.clock_is_right else []
        self.grants += sum(bool(request.bindings) for request in case.history.requests.values())
        self.violations += len(found)
        return found

    def add_outcome(self, outcome: Outcome) -> None:
        """Add a wave that has been judged."""
        self.delays += outcome.delays
        self.grants += outcome.grants + outcome.fenced
        self.violations += len(outcome.violations)

    def table(self) -> str:
        """For people: seconds from the moment an end was due until the access was gone."""
        rows: dict[str, list[float]] = {}
        for delay in self.delays:
            rows.setdefault(_class_of(delay.disturbed), []).append(delay.seconds)
        lines = [f"{self.grants} grants, {self.violations} violations", f"{'gone after (s)':42}{'n':>6}{'median':>9}{'max':>9}"]
        for name, seconds in sorted(rows.items(), key=lambda row: max(row[1])):
            lines.append(f"{name:42}{len(seconds):6}{median(seconds):9.3f}{max(seconds):9.3f}")
        return "\n".join(lines)


def _class_of(disturbed: Iterable[str]) -> str:
    wrong = list(disturbed)
    if not wrong:
        return "nothing was wrong"
    return next((name for name in _CLASSES if any(name in what for what in wrong)), "another fault of a single write")
