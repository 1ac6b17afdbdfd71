"""The attacks that are no dice: a fault at each write of a life, the churn, a wrong clock, an end that is refused."""

import itertools
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from chaos.bounds import RECOVERY, RETRY, Case
from chaos.client import jit, rbac
from chaos.crowd import Crowd
from chaos.faults import AGAIN_SECONDS, HANG, HANG_SECONDS
from chaos.keeper import Keeper
from chaos.observer import Observer
from chaos.plane import ChaosSystem
from chaos.waves import FROZEN_SECONDS, GARBLED_SECONDS
from controlplane.patience import PATIENCE
from controlplane.process import Process

SETTLED = ("Expired", "Revoked", "Denied", "Withdrawn", "TimedOut", "Failed")
LONG = "1h"
LIVES = 3  # for each write at which an operator is to die
UNSAID = 30.0  # seconds, as for Observer.rest: after which nobody will say any more that an end is refused
TOO_LATE = 8.0  # likewise: longer than any end may take
LOOKED = 2.0  # likewise: in which an operator looks at what has changed
CHURNER = Path(__file__).with_name("churner.py")
_numbers = itertools.count(1)


def new_crowd(system: ChaosSystem, what: str, **policy: object) -> Crowd:
    """People in a fresh namespace with a policy in force."""
    crowd = Crowd(system.plane, f"{what}-{next(_numbers)}")
    crowd.settle(**policy)
    return crowd


def life(crowd: Crowd, name: str, lasts: str) -> None:
    """Alice asks, bob approves, and it ends."""
    crowd.granted(name, lasts)
    crowd.until(name, SETTLED)


def lasting(crowd: Crowd, name: str) -> dict[str, Any]:
    """Alice has access that ends when somebody ends it; what is on record of it."""
    crowd.granted(name, LONG)
    crowd.until_bound()
    return crowd.until(name, ("Active",))


def closed(crowd: Crowd, observer: Observer) -> Case:
    """The case; whatever a bug has left is nobody else's to find."""
    case = observer.case()
    crowd.admin("DELETE", jit(crowd.namespace, "accessrequests"))
    crowd.admin("DELETE", rbac(crowd.namespace, "rolebindings") + "?labelSelector=jitaccess.dev/component=grant")
    return case


def deaths(system: ChaosSystem, keeper: Keeper, rows: Iterable[tuple[int, str]]) -> Case:
    """One life after the other, whose operator dies at its n-th write: before it is sent, or before it is answered.

    Where the machine stands still a life has fewer writes, as its time is over before it began; then there is another one.
    """
    with new_crowd(system, "deaths") as crowd, Observer(system, crowd.namespace) as observer:
        for number, (nth, kind) in enumerate(rows, 1):
            for name in (f"d{number}-{attempt}" for attempt in range(LIVES)):
                keeper.warm()
                system.rules.nth_of(crowd.namespace, name, nth, kind)
                life(crowd, name, "1s")
                if any(disturbance.request == name for disturbance in system.journal.disturbances):
                    break
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
            crowd.until(name, SETTLED)
        system.rules.clear()
        observer.quiet(at_least=AGAIN_SECONDS + 1)
        return observer.case()


def churn(system: ChaosSystem, *, lasts: str, seconds: float, at_once: int = 1) -> tuple[Case, float]:
    """Alice rewrites her request's annotation as fast as she can, before, during and after the grant; also writes a second."""
    with new_crowd(system, "churn") as crowd, Observer(system, crowd.namespace) as observer:
        crowd.ask("busy", lasts)
        busy = churner(system, crowd, at_once, seconds)
        busy.wait_until(lambda: "started" in busy.output())
        crowd.approve("busy")
        busy.wait(PATIENCE)
        rate = float(busy.output().split()[-1])
        observer.quiet()
        return observer.case(), rate


def churner(system: ChaosSystem, crowd: Crowd, at_once: int, seconds: float) -> Process:
    """The process that rewrites the request `busy` in alice's name, through nine connections."""
    argv = [sys.executable, CHURNER, system.plane.kubeconfig("alice"), crowd.namespace, "busy", 9, at_once, seconds]
    return Process("churner", [str(word) for word in argv], system.plane.files.root / f"churner-{crowd.namespace}.log").start()


def clock_step(system: ChaosSystem, keeper: Keeper, offset: str, seconds: float = 10) -> Case:
    """The operator's wall clock is set for so long while a grant of 8 s runs, and set right again after its end."""
    with new_crowd(system, "clock") as crowd, Observer(system, crowd.namespace, clock_is_right=False) as observer:
        crowd.granted("stepped", "8s")
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
        crowd.granted("inherited", "8s")
        crowd.until_bound()
        keeper.leader().process.kill()
        time.sleep(10)
        observer.quiet(10)
        system.clock = "+0"
        return observer.case()


def refused_end(system: ChaosSystem, seconds: float = 4.5) -> Case:
    """A grant whose end is refused until that is said, and for a while: its binding can neither be deleted nor emptied."""
    with new_crowd(system, "refused") as crowd, Observer(system, crowd.namespace) as observer:
        rule = system.rules.add(
            lambda write: (write.resource, write.request) == ("rolebindings", "kept") and write.verb != "POST",
            lambda _: "refused with 403",
        )
        before = lasting(crowd, "kept").get("conditions")
        crowd.approve("kept", "revoke")
        observer.rest(UNSAID, lambda: _is_said(crowd, "kept", before))
        observer.rest(seconds)
        system.rules.remove(rule)
        observer.quiet(10)
        return closed(crowd, observer)


def _is_said(crowd: Crowd, name: str, before: object) -> bool:
    """Whether a condition and a Warning say so, or it is called over."""
    status = crowd.request(name).get("status", {})
    events = crowd.admin("GET", f"/api/v1/namespaces/{crowd.namespace}/events?fieldSelector=type=Warning")[1].get("items", [])
    warned = any(event["involvedObject"]["name"] == name for event in events)
    return bool(status.get("settled")) or (status.get("conditions") != before and warned)


def hanging_end(system: ChaosSystem) -> Case:
    """A grant whose end is asked for, and nobody ever answers."""
    with new_crowd(system, "hanging") as crowd, Observer(system, crowd.namespace) as observer:
        rule = system.rules.add(
            lambda write: (write.namespace, write.resource, write.verb) == (crowd.namespace, "rolebindings", "DELETE"),
            lambda seen: HANG if seen == 1 else "",
        )
        crowd.granted("unheard", "10s")
        crowd.until_bound()
        observer.quiet(10 + HANG_SECONDS + RETRY + 5)
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
        lasting(crowd, "back")
        while not crowd.back_up("back"):  # a bug may replace it at any moment
            crowd.until_bound()
        crowd.approve("back", "revoke")
        crowd.until("back", SETTLED)
        status, said = crowd.restore("back")
        assert status == 201, f"expected that an administrator can restore a binding: {status} {said}"
        observer.quiet(TOO_LATE)
        return closed(crowd, observer)


def garbled(system: ChaosSystem, keeper: Keeper) -> Case:
    """A grant that is revoked after each watch has said what nobody can decode, and while no list can be read."""
    with new_crowd(system, "garbled") as crowd, Observer(system, crowd.namespace) as observer:
        lasting(crowd, "unseen")
        system.garble(keeper.leader(), GARBLED_SECONDS)
        crowd.approve("unseen", "revoke")
        observer.quiet(RECOVERY + TOO_LATE)
        return closed(crowd, observer)


def nobody_there(system: ChaosSystem, keeper: Keeper) -> Case:
    """All operators die while a grant lasts, and none comes back until the second line has ended it."""
    with new_crowd(system, "nobody") as crowd, Observer(system, crowd.namespace) as observer:
        crowd.granted("alone", "10s")
        crowd.until_bound()
        with keeper.absent(), system.journal.during("nobody was there"):
            for replica in system.replicas:
                replica.process.kill()
            crowd.until_unbound()
        keeper.leader()
        observer.quiet()
        return observer.case()


def revoked(system: ChaosSystem) -> Case:
    """A grant that is revoked long before its end."""
    with new_crowd(system, "revoked") as crowd, Observer(system, crowd.namespace) as observer:
        lasting(crowd, "unwanted")
        crowd.approve("unwanted", "revoke")
        observer.quiet(TOO_LATE)
        return closed(crowd, observer)


def looked_at(system: ChaosSystem) -> Case:
    """A grant that the operator has to look at while it lasts, since its policy changes and still allows it."""
    with new_crowd(system, "looked-at") as crowd, Observer(system, crowd.namespace) as observer:
        until = lasting(crowd, "watched")["expiresAt"]
        for most in ("3h", "4h"):
            crowd.change_policy({"maxDuration": most})
            observer.rest(LOOKED, lambda: crowd.request("watched").get("status", {}).get("expiresAt") != until)
        crowd.approve("watched", "revoke")
        observer.quiet(TOO_LATE)
        return closed(crowd, observer)


def everywhere(kinds: Sequence[str], writes: Sequence[int]) -> list[tuple[int, str]]:
    """Each kind of fault at each write."""
    return list(itertools.product(writes, kinds))
