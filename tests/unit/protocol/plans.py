"""Schedules as values: what happens at which call of the operator; played, judged, and told to people when they fail."""

import itertools
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

from unit.protocol.broken import Broken
from unit.protocol.faults import Fault, deliver
from unit.protocol.people import Act, act, ask, set_up
from unit.protocol.world import World, driven

HORIZON = 100.0  # seconds, after which everything is over
FAULT_TAKES = 70.0  # seconds, at most
MOST_LINES = 80
CHURNED = 400  # calls, at most: each one that is churned before may lead to more calls


@dataclass(frozen=True, slots=True)
class Plan:
    """What happens before the n-th call, and to it; the rest of the life is quiet."""

    faults: tuple[tuple[int, Fault], ...] = ()
    acts: tuple[tuple[int, Act], ...] = ()
    always: tuple[Act, ...] = ()  # before every call
    watch_lag: float = 0.0
    life: str = "Binding"
    later: float = 0.0  # seconds from the asking to the start that is asked for

    @property
    def horizon(self) -> float:
        """When everything is over."""
        return HORIZON + FAULT_TAKES * len(self.faults)

    def __str__(self) -> str:
        told = [f"before call {n}: {what.value}" for n, what in self.acts]
        told += [f"before every call: {what.value}" for what in self.always]
        told += [f"call {n} {what.value}" for n, what in self.faults]
        told += [TOLD[self.life]] if self.life in TOLD else []
        told += [f"it is to begin {self.later} s later"] if self.later else []
        lag = f"watches are {self.watch_lag} s behind" if self.watch_lag else ""
        return "; ".join([*told, lag] if lag else told) or "nothing unusual"


FIRST = 11  # the calls before it are made by an operator that finds nothing to do when it starts
# As what access is delivered; and of bindings, those that two stages decide, and those of which there may be one at a time.
BINDING, IDENTITY, STAGED, LIMITED = "Binding", "Identity", "staged", "limited"
TOLD = {IDENTITY: "access is an identity", STAGED: "two stages decide", LIMITED: "two ask where there is room for one"}
# That a life takes in which nothing unusual happens, and one more, or two to be odd.
CALLS = {BINDING: 17, IDENTITY: 27, STAGED: 19, LIMITED: 39}
# Every call, spread out: what goes wrong somewhere in the middle of a life is met soon.
SPREAD = {life: tuple(FIRST + n * 8 % calls for n in range(calls)) for life, calls in CALLS.items()}
LAGS = (0.2, 0.0)  # by which watches may be behind; taken in turn, each meets every call, since the number of calls is odd
ACTS = tuple(Act)
# What is looked for in each kind of life, once and in any place; what has nothing to do with it is looked for in others.
_IN_PAIRS = (Act.LIFT, Act.LOCK_BRIEFLY)  # nothing new alone
_OF_STAGES = (Act.APPROVE_ALONE, Act.RESTAGE)
PLAIN_ACTS = tuple(what for what in ACTS if what not in (*_IN_PAIRS, *_OF_STAGES))
ACTS_OF = {
    BINDING: (*PLAIN_ACTS, Act.LOCK_BRIEFLY, Act.RESTAGE),
    IDENTITY: tuple(what for what in PLAIN_ACTS if what not in (Act.LOCK_APPROVER, Act.SUSPEND)),
    STAGED: (*_OF_STAGES, Act.DENY, Act.LOCK_APPROVER),
    LIMITED: (Act.REVOKE, Act.DELETE_REQUEST, Act.LOCK_REQUESTER, Act.LOCK_APPROVER),
}
_TAKEN_OVER = (Fault.CRASH_AFTER, Fault.CRASH_LATE, Fault.PAUSED)  # two leaders at once may give the room to one request each
FAULTS_OF = {
    BINDING: tuple(Fault),
    IDENTITY: tuple(Fault),
    STAGED: (Fault.LOST, Fault.CONFLICT, Fault.CRASH_AFTER),
    LIMITED: (Fault.LOST, Fault.LATE, Fault.VERY_LATE, *_TAKEN_OVER),
}


RIVAL = "anna"  # the request that there is no room for beside the first
LATER = 4.0  # seconds; decided long before
# Of a life that is decided for later there are a record and a look more.
SPREAD_LATER = tuple(FIRST + n * 8 % (CALLS[BINDING] + 6) for n in range(CALLS[BINDING] + 6))


def scheduled(plans: Callable[[int], Plan]) -> Iterator[Plan]:
    """Lives that are decided for later, each with one unusual thing in it."""
    return (replace(plans(n), later=LATER) for n in SPREAD_LATER)


def with_fault(fault: Fault, life: str = BINDING) -> Iterator[Plan]:
    """Every life with one fault of that kind."""
    return (Plan(faults=((n, fault),), life=life) for n in SPREAD[life])


def with_act(what: Act, life: str = BINDING) -> Iterator[Plan]:
    """Every life in which somebody does that once, in any gap between two calls."""
    gaps = zip(SPREAD[life] * len(LAGS), itertools.cycle(LAGS), strict=False)
    return (Plan(acts=((n, what),), watch_lag=lag, life=life) for n, lag in gaps)


def simple_plans(life: str = BINDING) -> Iterator[Plan]:
    """Every life with at most one unusual thing in it, all kinds in turn."""
    yield Plan(life=life)
    yield from (Plan(always=(Act.CHURN,), watch_lag=lag, life=life) for lag in LAGS)
    kinds = [*(with_act(what, life) for what in ACTS_OF[life]), *(with_fault(fault, life) for fault in FAULTS_OF[life])]
    for abreast in itertools.zip_longest(*kinds):
        yield from (plan for plan in abreast if plan)


def random_pairs(seed: int, number: int, life: str = BINDING) -> Iterator[Plan]:
    """Lives with two unusual things in them, drawn at random; some of them with churn."""
    draw, later = random.Random(seed), (FIRST, FIRST + CALLS[life] + 10)  # after a fault a life takes more calls
    for _ in range(number):
        faults = tuple((draw.randrange(*later), draw.choice(FAULTS_OF[life])) for _ in range(draw.choice((0, 1, 1, 2))))
        acts = tuple((draw.randrange(*later), draw.choice(ACTS)) for _ in range(2 - len(faults)))
        yield Plan(faults, acts, draw.choice(((), (), (Act.CHURN,))), draw.choice(LAGS), life)


def play(plan: Plan, world: World | None = None) -> None:
    """Live one life: asked, approved, granted, ended; Broken if a promise is."""
    world = world or World(watch_lag=plan.watch_lag)
    faults, acts = dict(plan.faults), defaultdict(list)
    for n, what in plan.acts:
        acts[n].append(what)
    with driven(world):
        set_up(world, plan.life)
        world.start()
        _begin(world, plan)
        while world.server.time < plan.horizon:
            if call := world.ready_call():
                for what in (*acts[world.count], *(plan.always if world.count < CHURNED else ())):
                    act(world, what)
                deliver(world, call, faults.get(world.count))
            elif not world.advance(plan.horizon):
                break
            world.judge.look()
        world.judge.conclude()


def _begin(world: World, plan: Plan) -> None:
    """People ask and approve, in each stage if there are some."""
    world.judge.follows_reads = plan.life != LIMITED
    world.server.at(0.5, lambda: ask(world, later=plan.later))
    world.server.at(1.0, lambda: act(world, Act.APPROVE))
    if plan.life == STAGED:
        world.server.at(1.3, lambda: act(world, Act.APPROVE_TOO))
    if plan.life == LIMITED:
        world.server.at(0.5, lambda: ask(world, RIVAL))
        world.server.at(1.0, lambda: act(world, Act.APPROVE, RIVAL))


def first_broken(plans: Iterable[Plan]) -> str:
    """How the first of the plans breaks a promise, told as a story for people; empty if none does."""
    for plan in plans:
        try:
            play(plan)
        except Broken as broken:
            world = World(watch_lag=plan.watch_lag, explain=True)
            with suppress(Broken):
                play(plan, world)
            return f"{broken}\nwhen {plan}:\n{story(world)}"
    return ""


def story(world: World) -> str:
    """What happened, for people."""
    lines = world.trace
    if len(lines) > MOST_LINES:
        lines = [*lines[: MOST_LINES // 2], "          ...", *lines[-MOST_LINES // 2 :]]
    return "\n".join(lines)
