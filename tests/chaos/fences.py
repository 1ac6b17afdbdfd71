"""The second policy of a schedule, with limits, stages, locks and suspensions; and what people do under it.

Drawn from dice of its own, so that all else of a schedule stays as its seed says.
"""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from chaos import faults
from chaos.steps import LASTS, MOST_WRITES, Step

SLOTS = 20  # schedules at once: each has people of its own, since a lock holds everywhere
LIMITS: Sequence[Mapping[str, int]] = (
    {"activePerRequester": 1},
    {"activePerRequester": 1, "activeInTotal": 2},
    {"activeInTotal": 1},
    {"activeInTotal": 2},
    {"activeInTotal": 2, "requestsPerDay": 2},  # one of few: whoever begins to lead reads a day for it, hour by hour
    {},
)
AGAIN = 2.5  # seconds after which people try again
LEADS, SECURITY = ({"kind": "Group", "name": group} for group in ("leads", "security"))
STAGES = ({"name": "lead", "approvers": [LEADS]}, {"name": "security", "approvers": [SECURITY]})
NOBODY: Mapping[str, Any] = {"requiredApprovals": 0, "approvers": [LEADS]}
ONE: Mapping[str, Any] = {"requiredApprovals": 1, "approvers": [LEADS]}
BOTH: Mapping[str, Any] = {"stages": list(STAGES)}
# Other stages than were asked for: one more, and one of another name.
RESTAGED = ([*STAGES, {"name": "third", "approvers": [LEADS]}], [STAGES[0], {**STAGES[1], "name": "second"}])


@dataclass(frozen=True, slots=True)
class Fence:
    """What the second policy says beside roles and people, and what is done under it."""

    spec: Mapping[str, Any]
    steps: tuple[Step, ...]
    faults: Mapping[int, str] = field(default_factory=dict)  # by the number of the write about one of its requests

    def __str__(self) -> str:
        return "\n".join([f"  fenced by {json.dumps(dict(self.spec))}, faults by write: {self.faults}", *map(str, self.steps)])


def erin(number: int) -> str:
    """Who asks, and may be locked, in that schedule."""
    return f"erin-{number % SLOTS}"


def frank(number: int) -> str:
    """Who decides in every stage, and may be locked, in that schedule."""
    return f"frank-{number % SLOTS}"


def is_fenced(request: str) -> bool:
    """Whether a request is one of the second policy, by its name."""
    return request.startswith("f")


def draw(seed: int, number: int, kinds: Sequence[str]) -> Fence:
    """The fence of schedule `number` of that seed: always the same."""
    dice = random.Random(f"{seed}/{number}/fence")
    deciding, limits = dice.choice((ONE, BOTH, NOBODY)), dice.choice(LIMITS)
    spec = {**deciding, **({"limits": dict(limits)} if limits else {})}
    names = [f"f{index}" for index in range(1, dice.randint(3, 5))]
    burst = dice.uniform(0.2, LASTS / 2)  # some of them are asked for at once
    steps = [step for name in names for step in _life(dice, name, number, spec, dice.choice((burst, burst, 0.0)))]
    for chance, drawn in ((0.7, _lock), (0.3, _suspension), (0.4, _change)):
        if dice.random() < chance:
            steps += drawn(dice, number, spec)
    harmless = [kind for kind in kinds if kind in faults.HARMLESS]  # who dies is drawn with the first policy
    drawn_faults = {write: dice.choice(harmless) for write in range(1, MOST_WRITES) if dice.random() < 0.08} if harmless else {}
    return Fence(spec, tuple(sorted(steps, key=lambda step: step.at)), drawn_faults)


def _life(dice: random.Random, name: str, number: int, spec: Mapping[str, Any], asked: float) -> list[Step]:
    asked = asked or dice.uniform(0.2, LASTS - 3)
    who = dice.choice((erin(number), erin(number), "alice"))
    ask = Step(asked, "ask fenced", who, name, (dice.choice(("2s", "3s", "4s")),))
    if "stages" in spec:
        decided = [(dice.choice(("bob", "carol", frank(number))), "lead"), (dice.choice(("grace", frank(number))), "security")]
        more = dice.choice((("bob", "security"), ("grace", "lead"), (frank(number), "lead"), (who, "lead")))
        decided = dice.choice((decided, decided, [*decided, more], [more, decided[0]]))
        steps = [_soon(dice, asked, "approve in", who, name, stage) for who, stage in decided]
        # Again later, which is refused if they were let in: before the operator has looked, nobody knows the stages.
        return [ask, *steps, *(replace(step, at=step.at + AGAIN) for step in steps)]
    deciders = () if spec["requiredApprovals"] == 0 else dice.choice((("bob",), (frank(number),), (frank(number), "carol")))
    after = [_soon(dice, asked, "approve", who, name) for who in deciders]
    if dice.random() < 0.2:
        after.append(Step(asked + dice.uniform(1.0, 3.0), "withdraw", who, name))
    return [ask, *after]


def _soon(dice: random.Random, asked: float, what: str, who: str, name: str, *words: str) -> Step:
    return Step(asked + dice.uniform(0.4, 2.0), what, who, name, words)


def _lock(dice: random.Random, number: int, _: Mapping[str, Any]) -> list[Step]:
    whom, at, holds = dice.choice((erin(number), frank(number))), dice.uniform(1.0, LASTS - 3), dice.uniform(2.0, 4.0)
    by_itself = dice.random() < 0.3
    locked = Step(at, "lock", words=(whom, f"{holds:.1f}" if by_itself else ""))
    return [locked] if by_itself else [locked, Step(at + holds, "lift")]


def _suspension(dice: random.Random, *_: object) -> list[Step]:
    at = dice.uniform(1.0, LASTS - 3)
    return [_changed(at, suspend=True), _changed(at + dice.uniform(1.5, 3.0), suspend=False)]


def _change(dice: random.Random, _: int, spec: Mapping[str, Any]) -> list[Step]:
    """The limits, or the stages, become others, and what they were."""
    at, back = dice.uniform(0.5, LASTS - 3), dice.uniform(1.5, 3.0)
    if "stages" in spec and dice.random() < 0.5:
        return [_changed(at, stages=dice.choice(RESTAGED)), _changed(at + back, stages=spec["stages"])]
    if "limits" not in spec:
        return []
    more = dice.choice((1, -1))
    limits = {name: most if name == "requestsPerDay" else max(1, most + more) for name, most in spec["limits"].items()}
    return [_changed(at, limits=limits), _changed(at + back, limits=spec["limits"])]


def _changed(at: float, **spec: Any) -> Step:
    return Step(at, "change fence", words=(json.dumps(spec),))
