"""What happens in one schedule, drawn from a seed before anything happens: who does what when, and the fault of each write."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from chaos import faults, fences
from chaos.fences import Fence
from chaos.steps import LASTS, MOST_WRITES, Step

APPROVERS = ("bob", "carol", "dave")
# What people do, and how often; what makes no sense at that moment is refused or finds nothing, as in life.
WISHES = {
    "deny": 2,
    "revoke": 3,
    "withdraw": 2,
    "delete request": 2,
    "narrow policy": 2,
    "widen policy": 3,
    "delete policy": 1,
    "make policy": 2,
    "remake policy": 1,
    "swap role": 2,
    "unbind": 2,
    "restore": 3,
    "hold": 2,
    "churn": 2,
}


@dataclass(frozen=True, slots=True)
class Plan:
    """One schedule, by its number."""

    number: int
    namespace: str
    steps: tuple[Step, ...]
    faults: dict[int, str] = field(default_factory=dict)  # by the number of the write that is none of the fence
    fence: Fence | None = None

    def __str__(self) -> str:
        head = f"schedule {self.number} in {self.namespace}, faults by write: {self.faults}"
        return "\n".join([head, *map(str, self.steps), *([str(self.fence)] if self.fence else [])])

    @property
    def all_steps(self) -> list[Step]:
        """What is done under both policies, in order."""
        return sorted([*self.steps, *(self.fence.steps if self.fence else ())], key=lambda step: step.at)


def draw(seed: int, number: int, kinds: Sequence[str] = faults.ALL) -> Plan:
    """Schedule `number` of that seed: always the same."""
    dice = random.Random(f"{seed}/{number}")
    names = [f"r{index}" for index in range(1, dice.randint(4, 7))]
    starts = random.Random(f"{seed}/{number}/starts")  # of its own, so that all else is as it was
    steps = [step for name in names for step in _life(dice, name, starts.choice(("", "", "", "", "1.5", "4")))]
    wishes = dice.choices(list(WISHES), weights=list(WISHES.values()), k=dice.randint(3, 8))
    steps += [step for wish in wishes for step in _wish(dice, wish, dice.choice(names), steps)]
    drawn = {write: dice.choice(kinds) for write in range(1, MOST_WRITES) if dice.random() < 0.12} if kinds else {}
    in_order = tuple(sorted(steps, key=lambda step: step.at))
    return Plan(number, f"chaos-{number}", in_order, _few_deaths(dice, drawn), _fence(seed, number, kinds))


def _fence(seed: int, number: int, kinds: Sequence[str]) -> Fence | None:
    """Every other schedule has one: with more of them two cores are late for everything."""
    return None if number % 2 else fences.draw(seed, number, kinds)


def _few_deaths(dice: random.Random, drawn: dict[int, str]) -> dict[int, str]:
    # All schedules of a wave share their operators: each may kill one.
    deadly = [write for write, kind in drawn.items() if kind in faults.DEADLY]
    for write in dice.sample(deadly, max(0, len(deadly) - 1)):
        drawn[write] = dice.choice(faults.HARMLESS)
    return drawn


def _life(dice: random.Random, name: str, later: str) -> list[Step]:
    asked = dice.uniform(0, LASTS / 2)
    role = dice.choice(("ClusterRole view", "ClusterRole view", "Role db-reader"))
    lasts = dice.choice(("2s", "3s", "4s", "6s", "1500ms"))
    approvers = dice.sample(APPROVERS, dice.choice((1, 1, 2, 2, 0)))
    ask = Step(asked, "ask", "alice", name, (role, lasts, later))
    return [ask, *(Step(asked + dice.uniform(0.1, 2.5), "approve", who, name) for who in approvers)]


def _wish(dice: random.Random, wish: str, name: str, lives: Sequence[Step]) -> list[Step]:
    if wish == "restore":
        return _restore(dice, name, lives)
    at = dice.uniform(0.5, LASTS)
    if wish == "narrow policy":
        return [Step(at, wish, words=(dice.choice(("roles", "maxDuration", "requiredApprovals")),))]
    who = {"deny": "carol", "revoke": "bob", "withdraw": "alice", "churn": "alice"}.get(wish, "")
    return [Step(at, wish, who, name)]


def _restore(dice: random.Random, name: str, lives: Sequence[Step]) -> list[Step]:
    # A backup of the grant, made soon after it can have begun; it is put back whenever.
    approved = min((step.at for step in lives if (step.request, step.what) == (name, "approve")), default=LASTS / 2)
    backed_up = approved + dice.uniform(0.3, 1.0)
    return [Step(backed_up, "back up", request=name), Step(backed_up + dice.uniform(0.5, 6.0), "restore", request=name)]
