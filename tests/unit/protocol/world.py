"""A cluster with its people, its faults and one clock: it delivers the calls of operators one by one, as a schedule says."""

import json
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from unittest import mock

import aiohttp

from jitaccess.kube import api
from unit.protocol.judge import Judge
from unit.protocol.process import UPTIME, Call, Process, Response
from unit.protocol.server import BINDINGS, JOBS, ROLES, Server

LASTS = 10  # seconds that a grant lasts
CALL_TAKES = 0.005  # seconds
RESTART_AFTER = 1.0
LONG = LASTS + 50.0  # longer than any Job lives
TAKEOVER_AFTER = 2.0


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


class World:
    """One run. `explain` keeps a trace for people."""

    def __init__(self, *, watch_lag: float = 0.0, explain: bool = False) -> None:
        self.server = Server()
        self.judge = Judge(self.server)
        self.calls: list[Call] = []
        self.processes: list[Process] = []
        self.skew = 0.0
        self.outage_until = 0.0
        self.trace: list[str] = []
        self._explain = explain
        self._watch_lag = watch_lag
        self._born = 0
        self.count = 0  # calls that were delivered

    # --- operators

    def start(self, *, leads: bool = True) -> Process:
        """Start an operator."""
        self._born += 1
        self.judge.follows_reads = self._born == 1  # one that begins to lead compares and looks at once
        process = Process(
            f"operator {self._born}", self.server, self.calls.append, lambda: self.skew, leads, watch_lag=self._watch_lag
        )
        self.processes.append(process)
        process.start()
        return process

    def kill(self, process: Process, back_after: float) -> None:
        """Kill an operator, and start another one after a while."""
        self._forget(process)
        self.judge.alive_since = None

        def back() -> None:
            self.note("an operator is started")
            self.start()
            self.calm()

        self.server.at(self.server.time + back_after, back)

    def _forget(self, process: Process) -> None:
        if process in self.processes:
            self.processes.remove(process)
            self.calls[:] = [call for call in self.calls if call.process is not process]
            process.die()

    def calm(self) -> None:
        """From now on nothing is in the operator's way, as far as anybody knows."""
        if any(process.leads and not process.paused for process in self.processes):
            self.judge.alive_since = max(self.server.time, self.outage_until)

    def lag(self, seconds: float) -> None:
        """From now on, watches are that late; what was under way is heard first."""
        self._watch_lag = seconds
        for process in self.processes:
            process.watch_lag = seconds

    # --- steps

    def settle(self) -> None:
        """Let operators compute and hear what they can, until all of them wait."""
        busy = True
        while busy:
            awake = [process for process in self.processes if not process.paused]
            for process in awake:
                process.loop.turn()
            busy = sum(process.hear_due() for process in awake) > 0

    def ready_calls(self) -> list[Call]:
        """The calls that wait for an answer once everybody has done what they can, the one that has waited longest first."""
        while self.server.act():
            pass
        self.settle()
        return [call for call in self.calls if not call.process.paused]

    def ready_call(self) -> Call | None:
        """The call that has waited longest, if any does."""
        return next(iter(self.ready_calls()), None)

    def advance(self, until: float) -> bool:
        """Let time pass until something is due; False if that is not before `until`."""
        timers = [process.loop.next_timer for process in self.processes if not process.paused]
        heard = [process.inbox[0][0] for process in self.processes if process.inbox and not process.paused]
        when = min([self.server.next_act, *timers, *heard])
        if when > until:
            return False
        self.server.time = max(self.server.time, when)
        while self.server.act():
            pass
        return True

    def deliver(self, call: Call, fault: Fault | None = None) -> None:
        """Do with a call what the fault says."""
        self.calls.remove(call)
        self.count += 1
        self.server.time += CALL_TAKES
        self.note(f"{call.process.name}: {call}{f' {fault.value}' if fault else ''}")
        if fault is None and self.server.time < self.outage_until:
            return self._answer(call, 503, b"")
        if fault is Fault.CONFLICT and call.verb == "GET":
            fault = None  # nobody answers a read with that
        if fault:
            self.judge.slack = 8.0
            self.calm()
            return _FAULTS[fault](self, call)
        self._answer(call, *self.do(call))

    def do(self, call: Call) -> tuple[int, bytes]:
        """Let the server do what a call asks."""
        if call.verb == "DELETE" and f"/{JOBS}/" in call.path:
            self.judge.job_deleted_by_operator(json.loads(call.body or b"{}")["preconditions"]["uid"])
        self.judge.by = call.process.name
        if f"/{ROLES}/" in call.path:
            self.judge.role_read[self.judge.by] = self.server.time
        before = set(self.server.objects)
        answer = self.server.answer(call.verb, call.path, call.query, call.body)
        for made in set(self.server.objects) - before:
            if made[0] == BINDINGS:
                self.judge.bound_by_operator(call.sent, self.server.objects[made])
        if self._explain and answer[0] >= 400:
            self.note(f"    -> {answer[0]}")
        return answer

    def note(self, text: str) -> None:
        """A line of the trace."""
        if self._explain:
            self.trace.append(f"{self.server.time:8.3f}  {text}")

    def _answer(self, call: Call, status: int, text: bytes) -> None:
        if not call.answer.done():
            call.answer.set_result(Response(status, text, {"Date": self.server.date()}))

    def fail(self, call: Call) -> None:
        """The connection breaks."""
        if not call.answer.done():
            call.answer.set_exception(aiohttp.ClientConnectionError("broken"))

    def refuse(self, call: Call, status: int, reason: str) -> None:
        """Answer with a failure of the API server's own."""
        text = f'{{"kind": "Status", "reason": "{reason}", "message": "no", "code": {status}}}'
        self._answer(call, status, text.encode())

    def later(self, call: Call, seconds: float, *, answered: bool = False) -> None:
        """The call arrives after a while."""

        def arrive() -> None:
            self.note(f"{call.process.name}: {call} arrives")
            answer = self.do(call)
            self.calm()
            if answered and call.process in self.processes:
                self._answer(call, *answer)

        self.server.at(self.server.time + seconds, arrive)

    def pause(self, call: Call) -> None:
        """Its process sleeps; a standby takes over; the call arrives in the middle of that, and the sleeper wakes up."""
        sleeper = call.process
        sleeper.paused, sleeper.leads = True, False
        self.judge.alive_since = None
        self._take_over()

        def wake() -> None:
            self.note(f"{sleeper.name} wakes up")
            sleeper.paused = False

        self.later(call, TAKEOVER_AFTER + 3.5 * CALL_TAKES, answered=True)
        self.server.at(self.server.time + TAKEOVER_AFTER + 3.5 * CALL_TAKES, wake)

    def _take_over(self) -> None:
        standby = self.start(leads=False)

        def win() -> None:
            if standby in self.processes:
                self.note(f"{standby.name} leads")
                standby.win()
                self.calm()

        self.server.at(self.server.time + TAKEOVER_AFTER, win)

    def second_leader(self, call: Call) -> None:
        """A second operator leads too, and the call arrives in the middle of what it does."""
        self.start()
        self.later(call, 3.5 * CALL_TAKES, answered=True)

    def outage(self, call: Call, seconds: float) -> None:
        """Everything fails for a while."""
        self.outage_until = self.server.time + seconds
        self.calm()
        self._answer(call, 503, b"")

    def step_clock(self, call: Call, seconds: float) -> None:
        """The operator's machine is set."""
        self.skew += seconds
        self.judge.clock_error = 1.1
        self._answer(call, *self.do(call))


def _crash(*, done: bool, back_after: float, late: bool = False) -> Callable[[World, Call], None]:
    def crash(world: World, call: Call) -> None:
        if done:
            world.do(call)
        world.kill(call.process, back_after)
        if late:
            world.later(call, back_after + 0.1)

    return crash


def _lose(world: World, call: Call) -> None:
    world.do(call)
    world.fail(call)


def _late(seconds: float) -> Callable[[World, Call], None]:
    def late(world: World, call: Call) -> None:
        world.fail(call)
        world.later(call, seconds)

    return late


_FAULTS: dict[Fault, Callable[[World, Call], None]] = {
    Fault.LOST: _lose,
    Fault.UNREACHED: World.fail,
    Fault.FORBIDDEN: lambda world, call: world.refuse(call, 403, "Forbidden"),
    Fault.CONFLICT: lambda world, call: world.refuse(call, 409, "Conflict"),
    Fault.ERROR: lambda world, call: world.refuse(call, 500, "InternalError"),
    Fault.LATE: _late(0.3),
    Fault.VERY_LATE: _late(LASTS + 2.0),
    Fault.SLOW: lambda world, call: world.later(call, 2.0, answered=True),
    Fault.CRASH_BEFORE: _crash(done=False, back_after=RESTART_AFTER),
    Fault.CRASH_AFTER: _crash(done=True, back_after=RESTART_AFTER),
    Fault.CRASH_LATE: _crash(done=False, back_after=RESTART_AFTER, late=True),
    Fault.DEAD_BEFORE: _crash(done=False, back_after=LONG),
    Fault.DEAD_AFTER: _crash(done=True, back_after=LONG),
    Fault.PAUSED: World.pause,
    Fault.BOTH: World.second_leader,
    Fault.OUTAGE: lambda world, call: world.outage(call, 20.0),
    Fault.LONG_OUTAGE: lambda world, call: world.outage(call, 60.0),
    Fault.CLOCK_BACK: lambda world, call: world.step_clock(call, -120.0),
    Fault.CLOCK_AHEAD: lambda world, call: world.step_clock(call, 120.0),
}
assert set(_FAULTS) == set(Fault)


@contextmanager
def driven(world: World) -> Iterator[World]:
    """Let the adapter read the world's clock, and retries be of one length, as long as the run lasts."""

    def uptime() -> float:
        return world.server.time + UPTIME

    with mock.patch.object(api, "uptime", uptime), mock.patch.object(random, "uniform", lambda low, high: (low + high) / 2):
        try:
            yield world
        finally:
            for process in list(world.processes):
                world._forget(process)
