"""A cluster with its people, its faults and one clock: it delivers the calls of operators one by one, as a schedule says."""

import json
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from unittest import mock

import aiohttp

from jitaccess.kube import calls
from unit.protocol.judge import Judge
from unit.protocol.process import UPTIME, Call, Process, Response
from unit.protocol.server import ACCOUNTS, BINDINGS, JOBS, ROLES, Server

LASTS = 10  # seconds that a grant lasts
CALL_TAKES = 0.005  # seconds


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
        self.judge.fences.alone = self._born == 1
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

        self.after(back_after, back)

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

    def take(self, call: Call, fate: str = "") -> None:
        """A call is on its way."""
        self.calls.remove(call)
        self.count += 1
        self.server.time += CALL_TAKES
        self.note(f"{call.process.name}: {call} {fate}".rstrip())

    def deliver(self, call: Call) -> None:
        """Do what a call asks, and answer it."""
        self.take(call)
        self.answer(call, *((503, b"") if self.server.time < self.outage_until else self.do(call)))

    def do(self, call: Call) -> tuple[int, bytes]:
        """Let the server do what a call asks."""
        if call.verb == "DELETE" and f"/{JOBS}/" in call.path:
            self.judge.job_deleted_by_operator(json.loads(call.body or b"{}")["preconditions"]["uid"])
        self.judge.by, self.judge.sole = call.process.name, self._leads_alone(call.process)
        if f"/{ROLES}/" in call.path:
            self.judge.role_read[self.judge.by] = self.server.time
        before = set(self.server.objects)
        answer = self.server.answer(call.verb, call.path, call.query, call.body)
        for made in set(self.server.objects) - before:
            if made[0] == BINDINGS and made[1] != ACCOUNTS:
                self.judge.bound_by_operator(call.sent, self.server.objects[made])
        if self._explain and answer[0] >= 400:
            self.note(f"    -> {answer[0]}")
        return answer

    def _leads_alone(self, process: Process) -> bool:
        """Whether it leads, and nobody else does: two at once, and one that was overtaken, a Lease must keep apart."""
        return [each for each in self.processes if each.leads] == [process]

    def note(self, text: str) -> None:
        """A line of the trace."""
        if self._explain:
            self.trace.append(f"{self.server.time:8.3f}  {text}")

    def answer(self, call: Call, status: int, text: bytes) -> None:
        """Answer a call, if anybody still waits for it."""
        if not call.answer.done():
            if call.verb == "GET" and status == 200:
                self.judge.fences.read(call.process.name, call.path, text)
            call.answer.set_result(Response(status, text, {"Date": self.server.date()}))

    def fail(self, call: Call) -> None:
        """The connection breaks."""
        if not call.answer.done():
            call.answer.set_exception(aiohttp.ClientConnectionError("broken"))

    def later(self, call: Call, seconds: float, *, answered: bool = False) -> None:
        """The call arrives after a while."""

        def arrive() -> None:
            self.note(f"{call.process.name}: {call} arrives")
            answer = self.do(call)
            self.calm()
            if answered and call.process in self.processes:
                self.answer(call, *answer)

        self.after(seconds, arrive)

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        """Do something after a while."""
        self.server.at(self.server.time + seconds, act)


@contextmanager
def driven(world: World) -> Iterator[World]:
    """Let the adapter read the world's clock, and retries be of one length, as long as the run lasts."""

    def uptime() -> float:
        return world.server.time + UPTIME

    with mock.patch.object(calls, "uptime", uptime), mock.patch.object(random, "uniform", lambda low, high: (low + high) / 2):
        try:
            yield world
        finally:
            for process in list(world.processes):
                world._forget(process)
