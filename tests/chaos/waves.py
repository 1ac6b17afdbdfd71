"""Many random schedules at once, each in its namespace, on one control plane; and what befalls all of them together."""

import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial

from chaos import plans
from chaos.bounds import Case, Delay, delays, overstay
from chaos.crowd import Crowd
from chaos.faults import AGAIN_SECONDS, Write
from chaos.fences import SLOTS, erin, is_fenced
from chaos.judge import judge
from chaos.keeper import Keeper
from chaos.observer import Observer
from chaos.plane import ChaosSystem
from chaos.plans import Plan
from chaos.violations import Violation

# Longer than the 8 s of a Lease: whoever wakes was overtaken, if there is another.
PAUSE_SECONDS = 10.0
CUT_SECONDS = 3.0
FROZEN_SECONDS = 12.0  # longer than the operator waits for an answer
GARBLED_SECONDS = 1.5
STEP_SECONDS = 5.0  # for which a wall clock is wrong
WAVE = SLOTS  # schedules at once
STEPS = {"clock set back": "-120s", "clock set ahead": "+120s"}
DISASTERS = (
    "nothing",
    "leader killed",
    "leader paused",
    "leader cut off",
    "answers hung",
    "watches garbled",
    "API server restarted",
    *STEPS,
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one wave."""

    plans: Sequence[Plan]
    disaster: str
    violations: Sequence[Violation]
    delays: Sequence[Delay]
    grants: int  # under the first policies
    overstay: float  # seconds
    fenced: int = 0  # grants under the second policies
    met: Mapping[str, int] = field(default_factory=dict)  # what the histories tell of, by reason

    def guilty(self) -> list[Plan]:
        """The schedules in which a promise was broken."""
        broken = {violation.request.split("/")[0] for violation in self.violations}
        return [plan for plan in self.plans if plan.namespace in broken]


def disaster_of(seed: int, wave: int) -> str:
    """What befalls everybody in that wave: each in turn, from a place that the seed says."""
    return DISASTERS[(seed + wave) % len(DISASTERS)]


def replicas_of(wave: int) -> int:
    """One operator in every other wave, two in the rest."""
    return 1 + wave % 2


def run_wave(system: ChaosSystem, keeper: Keeper, drawn: Sequence[Plan], disaster: str, seed: int) -> Outcome:
    """Run those schedules at once, wait until nothing is left, and judge."""
    with ExitStack() as stack:
        crowds = [stack.enter_context(Crowd(system.plane, plan.namespace)) for plan in drawn]
        pool = stack.enter_context(ThreadPoolExecutor(len(drawn) + 1))
        observer = stack.enter_context(Observer(system, clock_is_right=disaster not in STEPS))
        list(pool.map(_settle, crowds, drawn))
        for plan in drawn:
            _obey(system, plan)
        struck = pool.submit(strike, system, keeper, disaster, random.Random(seed).uniform(2, 4))
        list(pool.map(partial(Crowd.follow, journal=system.journal), crowds, drawn))
        struck.result()
        system.rules.clear()
        observer.quiet(at_least=AGAIN_SECONDS + 1)
        case = observer.case()
    return _outcome(drawn, disaster, case)


def strike(system: ChaosSystem, keeper: Keeper, disaster: str, after: float) -> None:
    """Let it happen after so many seconds."""
    time.sleep(after)
    acts: dict[str, Callable[[], None]] = {
        "leader killed": lambda: kill_leader(keeper),
        "leader paused": lambda: pause_leader(system, keeper),
        "leader cut off": lambda: system.partition(keeper.leader(), CUT_SECONDS),
        "answers hung": lambda: system.freeze(keeper.leader(), FROZEN_SECONDS),
        "watches garbled": lambda: system.garble(keeper.leader(), GARBLED_SECONDS),
        "API server restarted": lambda: restart_apiserver(system),
        **{name: partial(step_clock, keeper, offset) for name, offset in STEPS.items()},
    }
    acts.get(disaster, lambda: None)()


def kill_leader(keeper: Keeper) -> None:
    """End the leader at once (SIGKILL)."""
    keeper.leader().process.kill()


def pause_leader(system: ChaosSystem, keeper: Keeper, seconds: float = PAUSE_SECONDS) -> None:
    """Stop the leader where it is (SIGSTOP), and let it go on when its Lease has long run out."""
    leader = keeper.leader()
    with system.journal.during("leader paused"):
        leader.process.pause()
        time.sleep(seconds)
        leader.process.resume()
        keeper.leader()


def step_clock(keeper: Keeper, offset: str) -> None:
    """Set the leader's wall clock, and set it right again after a while."""
    leader = keeper.leader()
    leader.set_clock(offset)
    time.sleep(STEP_SECONDS)
    leader.set_clock("+0")


def restart_apiserver(system: ChaosSystem) -> None:
    """Stop the API server and start it again."""
    with system.journal.during("API server restarted"):
        system.plane.restart_apiserver()


def _settle(crowd: Crowd, plan: Plan) -> None:
    crowd.settle()
    if plan.fence:
        crowd.make_fence(plan.fence.spec, erin(plan.number))


def _obey(system: ChaosSystem, plan: Plan) -> None:
    for fenced, drawn in ((False, plan.faults), (True, plan.fence.faults if plan.fence else {})):
        system.rules.add(partial(_is_under, plan.namespace, fenced), partial(_fault, drawn))


def _is_under(namespace: str, fenced: bool, write: Write) -> bool:
    return write.namespace == namespace and is_fenced(write.request) is fenced


def _fault(drawn: Mapping[int, str], seen: int) -> str:
    return drawn.get(seen, "")


def _outcome(drawn: Sequence[Plan], disaster: str, case: Case) -> Outcome:
    granted = [request for request in case.history.requests.values() if request.bindings]
    fenced = sum(is_fenced(request.name) for request in granted)
    late = delays(case) if case.clock_is_right else []
    return Outcome(drawn, disaster, judge(case), late, len(granted) - fenced, overstay(case), fenced, met(case))


def met(case: Case) -> Mapping[str, int]:
    """How many requests tell of what, by the reasons in their histories."""
    last = [request.records[-1].status.get("history", []) for request in case.history.requests.values() if request.records]
    return Counter(reason for entries in last for reason in {entry["reason"] for entry in entries})


def wave_of(seed: int, wave: int, size: int = WAVE, last: int = 10**9) -> list[Plan]:
    """The schedules of that wave."""
    return [plans.draw(seed, number) for number in range(wave * size, min((wave + 1) * size, last))]
