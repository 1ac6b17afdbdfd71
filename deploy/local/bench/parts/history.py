"""What settled requests cost an operator that has no use for them."""

from dataclasses import dataclass

from bench.effort import Effort
from bench.figures import Goal, Row
from bench.parts.starting import Start, start_once
from bench.seeding import CROWD, seed_active, seed_settled
from bench.stage import Stage

ACTIVE = 100
GOAL = Goal(1.05)


@dataclass(frozen=True, slots=True)
class Looks:
    """The operator after each of some starts."""

    starts: list[Start]
    memory: list[float]


async def measure(stage: Stage, effort: Effort) -> list[Row]:
    """The same starts without history and with it; here `bare` is without."""
    await stage.prepare(CROWD)
    await stage.stop()
    await seed_active(stage, 0, ACTIVE)
    before = await _look(stage, "none", effort.repeats)
    await stage.stop()
    await seed_settled(stage, effort.settled)
    after = await _look(stage, "much", effort.repeats)
    name = f"{effort.settled} settled beside {ACTIVE} active, against none"
    return [
        Row(f"{name}: resident memory", "MB", after.memory, before.memory, GOAL),
        Row(f"{name}: first new decision", "s", _of(after, "decides"), _of(before, "decides"), GOAL),
        Row(f"{name}: until quiet", "s", _of(after, "quiet"), _of(before, "quiet"), GOAL),
        Row(f"{name}: operator CPU of a start", "s", _of(after, "cpu"), _of(before, "cpu"), GOAL),
    ]


async def _look(stage: Stage, name: str, repeats: int) -> Looks:
    looks = Looks([], [])
    for repeat in range(repeats):
        looks.starts.append(await start_once(stage, f"start-{name}-{repeat}"))
        looks.memory.append(stage.memory())
    return looks


def _of(looks: Looks, field: str) -> list[float]:
    return [float(getattr(start, field)) for start in looks.starts]
