"""The attacks on what limits, stages, locks and suspended policies promise; each locks people of its own."""

import time
from collections.abc import Callable

from chaos.bounds import CALM, Case
from chaos.client import Answer
from chaos.crowd import PATIENCE, Crowd
from chaos.fences import BOTH, NOBODY, ONE, erin, frank
from chaos.observer import Observer
from chaos.plane import ChaosSystem
from chaos.scenes import SETTLED, new_crowd

LONG, SHORT = "5s", "2s"


def more_than_there_may_be(system: ChaosSystem) -> Case:
    """Three ask at once where there is room for one."""
    with new_crowd(system, "crowded") as crowd, Observer(system, crowd.namespace) as observer:
        crowd.make_fence({**NOBODY, "limits": {"activeInTotal": 1}})
        for name in ("f1", "f2", "f3"):
            _asked(crowd, "alice", name, SHORT)
        for name in ("f1", "f2", "f3"):
            crowd.until(name, SETTLED, 20)
        observer.quiet()
        return observer.case()


def one_of_two_stages(system: ChaosSystem) -> Case:
    """A lead has approved, and security takes its time."""
    with new_crowd(system, "staged") as crowd, Observer(system, crowd.namespace) as observer:
        crowd.make_fence(BOTH)
        _asked(crowd, "alice", "f1", SHORT)
        crowd.until("f1", ("Pending",), 20)
        _sure(lambda: crowd.fencing.approve("bob", "f1", "lead"))
        time.sleep(CALM)
        crowd.fencing.approve("grace", "f1", "security")  # refused if it is over
        crowd.until("f1", SETTLED, 20)
        observer.quiet()
        return observer.case()


def locked(system: ChaosSystem) -> Case:
    """Somebody who has access, and waits for more, is locked; what they wait for is approved afterwards."""
    with new_crowd(system, "locked") as crowd, Observer(system, crowd.namespace) as observer:
        crowd.make_fence(ONE, erin(0))
        for name in ("f1", "f2"):
            _asked(crowd, erin(0), name, LONG)
        crowd.until("f2", ("Pending",), 20)
        _sure(lambda: crowd.decide("bob", "approve", "f1"))
        crowd.until_bound()
        crowd.fencing.lock(erin(0))
        time.sleep(2 * CALM)
        crowd.decide("bob", "approve", "f2")  # refused if it is denied already
        observer.quiet()
        crowd.fencing.lift()
        return observer.case()


def on_the_word_of_the_locked(system: ChaosSystem) -> Case:
    """One of the two who must approve is locked before the other one does."""
    with new_crowd(system, "word") as crowd, Observer(system, crowd.namespace) as observer:
        crowd.make_fence({**ONE, "requiredApprovals": 2})
        _asked(crowd, "alice", "f1", SHORT)
        crowd.until("f1", ("Pending",), 20)
        _sure(lambda: crowd.decide(frank(1), "approve", "f1"))
        crowd.fencing.lock(frank(1))
        time.sleep(2 * CALM)
        _sure(lambda: crowd.decide("bob", "approve", "f1"))
        time.sleep(CALM)
        crowd.fencing.lift()
        crowd.until("f1", SETTLED, 20)
        observer.quiet()
        return observer.case()


def suspended(system: ChaosSystem) -> Case:
    """A policy is suspended while somebody has access under it."""
    with new_crowd(system, "suspended") as crowd, Observer(system, crowd.namespace) as observer:
        crowd.make_fence(ONE)
        _asked(crowd, "alice", "f1", LONG)
        _sure(lambda: crowd.decide("bob", "approve", "f1"))
        crowd.until_bound()
        crowd.fencing.change({"suspend": True})
        observer.quiet()
        return observer.case()


def _asked(crowd: Crowd, who: str, name: str, lasts: str) -> None:
    _sure(lambda: crowd.fencing.ask(who, name, lasts))


def _sure(act: Callable[[], Answer]) -> None:
    """Do it, again if somebody wrote at the same moment, or a right is on its way."""
    deadline = time.monotonic() + PATIENCE
    while not 200 <= (answer := act())[0] < 300:
        assert time.monotonic() < deadline, f"expected to be let: {answer}"
        time.sleep(0.05)
