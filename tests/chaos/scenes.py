"""The attacks that are no dice: a fault at each write of a life, the churn, a wrong clock, an end that is refused."""

import itertools
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from chaos.bounds import RECOVERY, RETRY, SECOND_LINE, Case
from chaos.crowd import Crowd
from chaos.faults import AGAIN_SECONDS, HANG, HANG_SECONDS
from chaos.keeper import Keeper
from chaos.observer import Observer
from chaos.plane import ChaosSystem
from chaos.waves import FROZEN_SECONDS, GARBLED_SECONDS
from controlplane.process import Process

SETTLED = ("Expired", "Revoked", "Denied", "Withdrawn", "TimedOut", "Failed")
CHURNER = Path(__file__).with_name("churner.py")
_numbers = itertools.count(1)


def new_crowd(system: ChaosSystem, what: str, **policy: object) -> Crowd:
    """People in a fresh namespace with a policy in force."""
    crowd = Crowd(system.plane, f"{what}-{next(_numbers)}")
    crowd.settle(**policy)
    return crowd


def life(crowd: Crowd, name: str, lasts: str, patience: float) -> None:
    """Alice asks, bob approves, and it ends."""
    crowd.granted(name, lasts)
    crowd.until(name, SETTLED, patience)


def deaths(system: ChaosSystem, keeper: Keeper, rows: Iterable[tuple[int, str]]) -> Case:
    """One life after the other, whose operator dies at its n-th write: before it is sent, or before it is answered."""
    with new_crowd(system, "deaths") as crowd, Observer(system, crowd.namespace) as observer:
        for number, (nth, kind) in enumerate(rows, 1):
            keeper.warm()
            system.rules.nth_of(crowd.namespace, f"d{number}", nth, kind)
            life(crowd, f"d{number}", "1s", 60)
        system.rules.clear()
        observer.quiet()
        return observer.case()


def troubles(system: ChaosSystem, rows: Iterable[tuple[int, str]]) -> Case:
    """Many lives at once, each of which meets one fault at its n-th write."""
    with new_crowd(system, "troubles") as crowd, Observer(system, crowd.namespace) as observer:
        names = []
        for number, (nth, kind) in enumerate(rows, 1):
            names.append(f"t{number}")
            system.rules.nth_of(crowd.namespace, names[-1], nth, kind)
            crowd.granted(names[-1], "2s")
        for name in names:
            crowd.until(name, SETTLED, 60)
        system.rules.clear()
        observer.quiet(at_least=AGAIN_SECONDS + 1)
        return observer.case()


def churn(system: ChaosSystem, *, lasts: str, seconds: float, at_once: int = 1) -> tuple[Case, float]:
    """Alice rewrites her request's annotation as fast as she can, before, during and after the grant; also writes a second."""
    with new_crowd(system, "churn") as crowd, Observer(system, crowd.namespace) as observer:
        crowd.ask("busy", lasts)
        busy = churner(system, crowd, at_once, seconds)
        busy.wait_until(lambda: "started" in busy.output(), 20)
        crowd.approve("busy")
        busy.wait(seconds + 30)
        rate = float(busy.output().split()[-1])
        observer.quiet()
        return observer.case(), rate


def churner(system: ChaosSystem, crowd: Crowd, at_once: int, seconds: float) -> Process:
    """The process that rewrites the request `busy` in alice's name, through nine connections."""
    argv = [sys.executable, CHURNER, system.plane.kubeconfig("alice"), crowd.namespace, "busy", 9, at_once, seconds]
    return Process("churner", [str(word) for word in argv], system.plane.files.root / f"churner-{crowd.namespace}.log").start()


def clock_step(system: ChaosSystem, keeper: Keeper, offset: str, seconds: float = 3.5) -> Case:
    """The operator's wall clock is set for so long while a grant of 2 s runs, and set right again after its end."""
    with new_crowd(system, "clock") as crowd, Observer(system, crowd.namespace, clock_is_right=False) as observer:
        crowd.granted("stepped", "2s")
        crowd.until_bound()
        keeper.leader().set_clock(offset)
        time.sleep(seconds)
        after = crowd.bindings()
        keeper.leader().set_clock("+0")
        observer.quiet(10 if after else 40)
        return observer.case()


def wrong_clock_from_birth(system: ChaosSystem, keeper: Keeper, offset: str) -> Case:
    """The operator dies while a grant runs, and who takes over has never had a right clock."""
    system.clock = offset
    with new_crowd(system, "born-wrong") as crowd, Observer(system, crowd.namespace, clock_is_right=False) as observer:
        crowd.granted("inherited", "4s")
        crowd.until_bound()
        keeper.leader().process.kill()
        time.sleep(6)
        observer.quiet(10)
        system.clock = "+0"
        return observer.case()


def refused_end(system: ChaosSystem, seconds: float = 4.5) -> Case:
    """A grant whose end is refused for a while: its binding can neither be deleted nor emptied."""
    with new_crowd(system, "refused") as crowd, Observer(system, crowd.namespace) as observer:
        rule = system.rules.add(
            lambda write: (write.resource, write.request) == ("rolebindings", "kept") and write.verb != "POST",
            lambda _: "refused with 403",
        )
        crowd.granted("kept", "1s")
        time.sleep(1 + seconds)
        system.rules.remove(rule)
        observer.quiet(10)
        return observer.case()


def hanging_end(system: ChaosSystem) -> Case:
    """A grant whose end is asked for, and nobody ever answers."""
    with new_crowd(system, "hanging") as crowd, Observer(system, crowd.namespace) as observer:
        rule = system.rules.add(
            lambda write: (write.namespace, write.resource, write.verb) == (crowd.namespace, "rolebindings", "DELETE"),
            lambda seen: HANG if seen == 1 else "",
        )
        crowd.granted("unheard", "1s")
        crowd.until_bound()
        observer.quiet(HANG_SECONDS + RETRY + 5)
        system.rules.remove(rule)
        return observer.case()


def frozen(system: ChaosSystem, keeper: Keeper) -> Case:
    """A grant that is due while every connection of its operator stays open and carries nothing."""
    with new_crowd(system, "frozen") as crowd, Observer(system, crowd.namespace) as observer:
        crowd.granted("stuck", "2s")
        crowd.until_bound()
        system.freeze(keeper.leader(), FROZEN_SECONDS)
        observer.quiet(RECOVERY + 4)
        return observer.case()


def restored(system: ChaosSystem) -> Case:
    """A grant that is over, and whose binding comes back from a backup."""
    with new_crowd(system, "restored") as crowd, Observer(system, crowd.namespace) as observer:
        crowd.granted("back", "2s")
        while not crowd.back_up("back"):  # a bug may replace it at any moment
            crowd.until_bound()
        crowd.until("back", SETTLED, 20)
        status, said = crowd.restore("back")
        assert status == 201, f"expected that an administrator can restore a binding: {status} {said}"
        observer.quiet(4)
        return observer.case()


def garbled(system: ChaosSystem, keeper: Keeper) -> Case:
    """A grant that is revoked after each watch has said what nobody can decode, and while no list can be read."""
    with new_crowd(system, "garbled") as crowd, Observer(system, crowd.namespace) as observer:
        crowd.granted("unseen", "40s")
        crowd.until_bound()
        system.garble(keeper.leader(), GARBLED_SECONDS)
        crowd.decide("bob", "revoke", "unseen")
        observer.quiet(RECOVERY + 4)
        return observer.case()


def nobody_there(system: ChaosSystem, keeper: Keeper) -> Case:
    """All operators die while a grant lasts, and none comes back until the second line has ended it."""
    with new_crowd(system, "nobody") as crowd, Observer(system, crowd.namespace) as observer:
        crowd.granted("alone", "3s")
        crowd.until_bound()
        with keeper.absent(), system.journal.during("nobody was there"):
            for replica in system.replicas:
                replica.process.kill()
            crowd.until_unbound(SECOND_LINE + 10)
        keeper.leader()
        observer.quiet()
        return observer.case()


def revoked(system: ChaosSystem) -> Case:
    """A grant that is revoked long before its end."""
    with new_crowd(system, "revoked") as crowd, Observer(system, crowd.namespace) as observer:
        crowd.granted("unwanted", "5s")
        crowd.until_bound()
        crowd.decide("bob", "revoke", "unwanted")
        observer.quiet()
        return observer.case()


def looked_at(system: ChaosSystem) -> Case:
    """A grant that the operator has to look at while it lasts, since its policy changes and still allows it."""
    with new_crowd(system, "looked-at") as crowd, Observer(system, crowd.namespace) as observer:
        crowd.granted("watched", "3s")
        crowd.until_bound()
        for most in ("2m", "3m"):
            crowd.change_policy({"maxDuration": most})
            time.sleep(0.7)
        observer.quiet()
        return observer.case()


def everywhere(kinds: Sequence[str], writes: Sequence[int]) -> list[tuple[int, str]]:
    """Each kind of fault at each write."""
    return list(itertools.product(writes, kinds))
