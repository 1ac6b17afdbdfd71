"""Which bug of `bugs.py` shows in which scene, and which invariant it breaks there."""

import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from chaos import fenced_scenes, scenes
from chaos.bounds import Case
from chaos.judge import judge
from chaos.keeper import Keeper
from chaos.plane import FAKETIME, ChaosSystem

_PROGRAM = (sys.executable, str(Path(__file__).with_name("bugs.py")))


@dataclass(frozen=True, slots=True)
class Seeded:
    """One bug; `clock` where the scene sets the operator's."""

    bug: str
    scene: Callable[[ChaosSystem, Keeper], Case]
    invariant: str
    clock: bool = False


SEEDED = (
    Seeded("record-after-binding", lambda system, _: scenes.looked_at(system), "1"),
    Seeded("later-end", lambda system, _: scenes.looked_at(system), "3"),
    Seeded("deaf-to-revocations", lambda system, _: scenes.revoked(system), "4"),
    Seeded("deaf-to-strays", lambda system, _: scenes.restored(system), "4"),
    Seeded("called-over", lambda system, _: scenes.refused_end(system), "5"),
    Seeded("waits-for-ever", lambda system, _: scenes.hanging_end(system), "4"),
    Seeded("watches-no-more", scenes.garbled, "4"),
    Seeded("believes-its-clock", lambda system, keeper: scenes.clock_step(system, keeper, "-120s", 12), "4", clock=True),
    Seeded("counts-nothing", lambda system, _: fenced_scenes.more_than_there_may_be(system), "6"),
    Seeded("one-stage-is-enough", lambda system, _: fenced_scenes.one_of_two_stages(system), "7"),
    Seeded("deaf-to-locks", lambda system, _: fenced_scenes.locked(system), "4"),  # the API server begins nothing
    Seeded("deaf-to-suspensions", lambda system, _: fenced_scenes.suspended(system), "4"),
)


def find(system: ChaosSystem, bugs: Sequence[Seeded]) -> list[str]:
    """What was not found of bugs that are all in one operator, each with a scene of its own at the same time."""
    program = (*_PROGRAM, ",".join(seeded.bug for seeded in bugs))
    fake_clock = any(seeded.clock for seeded in bugs)
    with Keeper(system, program=program, fake_clock=fake_clock) as keeper, ThreadPoolExecutor(len(bugs)) as pool:
        cases = list(pool.map(partial(_play, system, keeper), bugs))
    return [said for seeded, case in zip(bugs, cases, strict=True) if (said := _missed(seeded, case))]


def playable(bugs: Sequence[Seeded]) -> list[Seeded]:
    """Those for which this machine has everything."""
    return [seeded for seeded in bugs if FAKETIME or not seeded.clock]


def _play(system: ChaosSystem, keeper: Keeper, seeded: Seeded) -> Case:
    return seeded.scene(system, keeper)


def _missed(seeded: Seeded, case: Case) -> str:
    found = judge(case)
    if any(violation.invariant == seeded.invariant for violation in found):
        return ""
    return f"{seeded.bug}: expected a violation of ({seeded.invariant}), found {list(map(str, found)) or 'none'}"
