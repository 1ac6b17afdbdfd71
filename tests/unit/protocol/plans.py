"""Schedules as values: what happens at which call of the operator; played, judged, and told to people when they fail."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from unit.protocol.judge import Broken
from unit.protocol.people import Act, act, ask, set_up
from unit.protocol.world import LASTS, Fault, World, driven

HORIZON = 260.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What happens before the n-th call, and to it; the rest of the life is quiet."""

    faults: tuple[tuple[int, Fault], ...] = ()
    acts: tuple[tuple[int, Act], ...] = ()
    always: tuple[Act, ...] = ()  # before every call
    watch_lag: float = 0.0

    def __str__(self) -> str:
        told = [f"before call {n}: {what.value}" for n, what in self.acts]
        told += [f"before every call: {what.value}" for what in self.always]
        told += [f"call {n} {what.value}" for n, what in self.faults]
        lag = f"watches are {self.watch_lag} s behind" if self.watch_lag else ""
        return "; ".join([*told, lag] if lag else told) or "nothing unusual"


def play(plan: Plan, *, explain: bool = False) -> World:
    """Live one life: asked, approved, granted, ended; Broken if a promise is."""
    faults, acts = dict(plan.faults), {}
    for n, what in plan.acts:
        acts.setdefault(n, []).append(what)
    world = World(watch_lag=plan.watch_lag, explain=explain)
    with driven(world):
        set_up(world)
        world.start()
        world.server.at(0.5, lambda: ask(world))
        world.server.at(1.0, lambda: act(world, Act.APPROVE))
        while True:
            world.settle()
            if call := world.next_call():
                for what in (*acts.get(world.count, ()), *plan.always):
                    act(world, what)
                world.deliver(call, faults.get(world.count))
            elif not world.advance(HORIZON):
                break
            world.judge.look()
        world.judge.conclude()
    return world


def first_broken(plans: Iterable[Plan]) -> tuple[Plan, str] | None:
    """The first of the plans that breaks a promise, and how."""
    for plan in plans:
        try:
            play(plan)
        except Broken as broken:
            return plan, str(broken)
    return None


def told(plan: Plan) -> str:
    """The whole life under a plan, for people."""
    raise NotImplementedError
