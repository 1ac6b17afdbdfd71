"""The attacks on what limits, stages, locks and suspended policies promise; each locks people of its own."""

import time
from collections.abc import Callable

from chaos.bounds import CALM, Case
from chaos.client import Answer
from chaos.crowd import Crowd
from chaos.fences import BOTH, NOBODY, ONE, erin, frank
from chaos.observer import Observer
from chaos.plane import ChaosSystem
from chaos.scenes import LONG, SETTLED, TOO_LATE, closed, new_crowd
from controlplane.patience import PATIENCE

DECIDED = ("Active", *SETTLED)


def more_than_there_may_be(system: ChaosSystem) -> Case:
    """Three ask at once where there is room for one."""
    with new_crowd(system, "crowded") as crowd, Observer(system, crowd.namespace) as observer:
        crowd.make_fence({**NOBODY, "limits": {"activeInTotal": 1}})
        for name in ("f1", "f2", "f3"):
            _asked(crowd, "alice", name, LONG)
        for name in ("f1", "f2", "f3"):
            crowd.until(name, DECIDED)
        for name in ("f1", "f2", "f3"):
            crowd.decide("bob", "revoke", name)  # refused where it is over
        observer.quiet(TOO_LATE)
        return closed(crowd, observer)


def one_of_two_stages(system: ChaosSystem) -> Case:
    """A lead has approved, and security takes its time."""
    with new_crowd(system, "staged") as crowd, Observer(system, crowd.namespace) as observer:
        crowd.make_fence(BOTH)
        _asked(crowd, "alice", "f1", LONG)
        crowd.until("f1", ("Pending",))
        _sure(lambda: crowd.fencing.approve("bob", "f1", "lead"))
        observer.rest(2 * CALM, lambda: crowd.state("f1") == "Active")
        crowd.fencing.approve("grace", "f1", "security")
        crowd.until("f1", DECIDED)
        crowd.approve("f1", "revoke")
        observer.quiet(TOO_LATE)
        return closed(crowd, observer)


def locked(system: ChaosSystem) -> Case:
    """Somebody who has access, and waits for more, is locked; what they wait for is approved afterwards."""
    with new_crowd(system, "locked") as crowd, Observer(system, crowd.namespace) as observer:
        crowd.make_fence(ONE, erin(0))
        for name in ("f1", "f2"):
            _asked(crowd, erin(0), name, LONG)
        for name in ("f1", "f2"):
            crowd.until(name, ("Pending",))
        _sure(lambda: crowd.decide("bob", "approve", "f1"))
        crowd.until_bound()
        crowd.fencing.lock(erin(0))
        observer.rest(2 * CALM)
        crowd.decide("bob", "approve", "f2")  # refused if it is denied already
        observer.quiet(TOO_LATE)
        crowd.fencing.lift()
        return closed(crowd, observer)


def on_the_word_of_the_locked(system: ChaosSystem) -> Case:
    """One of the two who must approve is locked before the other one does."""
    with new_crowd(system, "word") as crowd, Observer(system, crowd.namespace) as observer:
        crowd.make_fence({**ONE, "requiredApprovals": 2})
        _asked(crowd, "alice", "f1", LONG)
        crowd.until("f1", ("Pending",))
        _sure(lambda: crowd.decide(frank(1), "approve", "f1"))
        crowd.fencing.lock(frank(1))
        observer.rest(2 * CALM)
        _sure(lambda: crowd.decide("bob", "approve", "f1"))
        observer.rest(CALM)
        crowd.fencing.lift()
        crowd.until("f1", DECIDED)
        crowd.decide("bob", "revoke", "f1")
        observer.quiet(TOO_LATE)
        return closed(crowd, observer)


def suspended(system: ChaosSystem) -> Case:
    """A policy is suspended while somebody has access under it."""
    with new_crowd(system, "suspended") as crowd, Observer(system, crowd.namespace) as observer:
        crowd.make_fence(ONE)
        _asked(crowd, "alice", "f1", LONG)
        _sure(lambda: crowd.decide("bob", "approve", "f1"))
        crowd.until_bound()
        crowd.fencing.change({"suspend": True})
        observer.quiet(TOO_LATE)
        return closed(crowd, observer)


def _asked(crowd: Crowd, who: str, name: str, lasts: str) -> None:
    _sure(lambda: crowd.fencing.ask(who, name, lasts))


def _sure(act: Callable[[], Answer]) -> None:
    """Do it, again if somebody wrote at the same moment, or a right is on its way."""
    deadline = time.monotonic() + PATIENCE
    while not 200 <= (answer := act())[0] < 300:
        assert time.monotonic() < deadline, f"expected to be let: {answer}"
        time.sleep(0.05)
