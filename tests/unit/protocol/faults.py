"""What can happen to a call, as a table: each fault with what it does to the World."""

from collections.abc import Callable
from enum import Enum

from unit.protocol.process import Call
from unit.protocol.world import CALL_TAKES, LASTS, World

RESTART_AFTER = 1.0
LONG = LASTS + 50.0  # longer than any Job lives
TAKEOVER_AFTER = 2.0
IN_THE_MIDDLE = 3.5 * CALL_TAKES  # of what whoever takes over does first
SLACK = 8.0  # seconds: the longest pause between two tries, and what they take


class Fault(Enum):
    """What can happen to one call."""

    LOST = "is done, and its answer is lost"
    UNREACHED = "never arrives"
    FORBIDDEN = "is refused with 403"
    CONFLICT = "is refused with 409"
    ERROR = "is answered with 500"
    LATE = "times out, and is done 0.3 s later"
    VERY_LATE = "times out, and is done after the end of the grant"
    SLOW = "takes 2 s"
    CRASH_BEFORE = "never arrives: the operator is killed, back after 1 s"
    CRASH_AFTER = "is done, and the operator is killed, back after 1 s"
    CRASH_LATE = "is done 0.1 s after its operator, killed, is back"
    DEAD_BEFORE = "never arrives: the operator is killed, back after a minute"
    DEAD_AFTER = "is done, and the operator is killed, back after a minute"
    PAUSED = "is done while a standby works that took over from its operator, which sleeps"
    BOTH = "is done while a second operator leads too"
    OUTAGE = "fails with everything for 20 s"
    LONG_OUTAGE = "fails with everything for a minute"
    CLOCK_BACK = "is done; the operator's machine is set back by 120 s before"
    CLOCK_AHEAD = "is done; the operator's machine is set ahead by 120 s before"


def deliver(world: World, call: Call, fault: Fault | None = None) -> None:
    """Do what a call asks, or what the fault says."""
    if fault is None or (fault is Fault.CONFLICT and call.verb == "GET"):  # nobody answers a read with that
        return world.deliver(call)
    world.take(call, fault.value)
    world.judge.slack = SLACK
    world.calm()
    _FAULTS[fault](world, call)


def _lose(world: World, call: Call) -> None:
    world.do(call)
    world.fail(call)


def _late(seconds: float) -> Callable[[World, Call], None]:
    def late(world: World, call: Call) -> None:
        world.fail(call)
        world.later(call, seconds)

    return late


def _crash(*, done: bool, back_after: float, late: bool = False) -> Callable[[World, Call], None]:
    def crash(world: World, call: Call) -> None:
        if done:
            world.do(call)
        world.kill(call.process, back_after)
        if late:
            world.later(call, back_after + 0.1)

    return crash


def _pause(world: World, call: Call) -> None:
    sleeper = call.process
    sleeper.paused, sleeper.leads = True, False
    world.judge.alive_since = None
    standby = world.start(leads=False)

    def win() -> None:
        if standby in world.processes:
            world.note(f"{standby.name} leads")
            standby.win()
            world.calm()

    def wake() -> None:
        world.note(f"{sleeper.name} wakes up")
        sleeper.paused = False

    world.after(TAKEOVER_AFTER, win)
    world.later(call, TAKEOVER_AFTER + IN_THE_MIDDLE, answered=True)
    world.after(TAKEOVER_AFTER + IN_THE_MIDDLE, wake)


def _second_leader(world: World, call: Call) -> None:
    world.start()
    world.later(call, IN_THE_MIDDLE, answered=True)


def _outage(seconds: float) -> Callable[[World, Call], None]:
    def outage(world: World, call: Call) -> None:
        world.outage_until = world.server.time + seconds
        world.calm()
        world.answer(call, 503, b"")

    return outage


def _step_clock(seconds: float) -> Callable[[World, Call], None]:
    def step(world: World, call: Call) -> None:
        world.skew += seconds
        world.judge.clock_error = 1.1
        world.answer(call, *world.do(call))

    return step


def _refuse(status: int, reason: str) -> Callable[[World, Call], None]:
    text = f'{{"kind": "Status", "reason": "{reason}", "message": "no", "code": {status}}}'
    return lambda world, call: world.answer(call, status, text.encode())


_FAULTS: dict[Fault, Callable[[World, Call], None]] = {
    Fault.LOST: _lose,
    Fault.UNREACHED: World.fail,
    Fault.FORBIDDEN: _refuse(403, "Forbidden"),
    Fault.CONFLICT: _refuse(409, "Conflict"),
    Fault.ERROR: _refuse(500, "InternalError"),
    Fault.LATE: _late(0.3),
    Fault.VERY_LATE: _late(LASTS + 2.0),
    Fault.SLOW: lambda world, call: world.later(call, 2.0, answered=True),
    Fault.CRASH_BEFORE: _crash(done=False, back_after=RESTART_AFTER),
    Fault.CRASH_AFTER: _crash(done=True, back_after=RESTART_AFTER),
    Fault.CRASH_LATE: _crash(done=False, back_after=RESTART_AFTER, late=True),
    Fault.DEAD_BEFORE: _crash(done=False, back_after=LONG),
    Fault.DEAD_AFTER: _crash(done=True, back_after=LONG),
    Fault.PAUSED: _pause,
    Fault.BOTH: _second_leader,
    Fault.OUTAGE: _outage(20.0),
    Fault.LONG_OUTAGE: _outage(60.0),
    Fault.CLOCK_BACK: _step_clock(-120.0),
    Fault.CLOCK_AHEAD: _step_clock(120.0),
}
assert set(_FAULTS) == set(Fault)
