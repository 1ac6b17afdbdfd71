"""The same promises under what hypothesis makes up: two requests, two operators, any order of calls, any number of faults."""

from collections.abc import Iterator
from contextlib import contextmanager

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from unit.protocol.broken import Broken
from unit.protocol.faults import SLACK, Fault, deliver
from unit.protocol.people import Act, act, ask, set_up
from unit.protocol.plans import ACTS, FAULT_TAKES, HORIZON, LAGS, story
from unit.protocol.process import Call
from unit.protocol.world import World, driven

REQUESTS = ("alice", "anna")
WHAT = tuple(what for what in ACTS if what is not Act.PROTECT_BINDINGS)  # which would stop all life


class AnyOrder(RuleBasedStateMachine):
    """The World, with hypothesis as its schedule."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(explain=True)
        self._driven = driven(self.world)
        self._driven.__enter__()
        self._broken = False
        self.world.judge.slack = SLACK
        set_up(self.world)
        self.world.start()
        self.world.judge.follows_reads = False
        for name in REQUESTS:
            ask(self.world, name)
        # Times of creation have whole seconds: what is made anew in the same second cannot be told from what was.
        self._pass(1.5)
        for name in REQUESTS:
            act(self.world, Act.APPROVE, name)

    @rule(calls=st.integers(1, 6))
    def deliver(self, calls: int) -> None:
        """Some calls are done, in the order in which they were made."""
        for _ in range(calls):
            if call := self.world.ready_call():
                self._deliver(call)

    @rule(place=st.integers(0, 7), fault=st.none() | st.sampled_from(list(Fault)))
    def deliver_out_of_order(self, place: int, fault: Fault | None) -> None:
        """One of the calls that wait overtakes the others, and something happens to it."""
        if calls := self.world.ready_calls():
            self._deliver(calls[place % len(calls)], fault)

    @rule(what=st.sampled_from(WHAT), name=st.sampled_from(REQUESTS))
    def do(self, what: Act, name: str) -> None:
        """Somebody does something."""
        act(self.world, what, name)

    @rule(seconds=st.sampled_from((0.1, 1.0, 5.0, 20.0, 60.0)))
    def wait(self, seconds: float) -> None:
        """Time passes, and whatever is asked meanwhile is done."""
        self._pass(self.world.server.time + seconds)

    @precondition(lambda self: not self.world.calls)
    @rule(lag=st.sampled_from(LAGS))
    def watches_lag(self, lag: float) -> None:
        """From now on, watches are that late."""
        self.world.lag(lag)

    @invariant()
    def holds(self) -> None:
        """What must hold at every instant."""
        with self._told():
            self.world.judge.look()

    def _deliver(self, call: Call, fault: Fault | None = None) -> None:
        with self._told():
            deliver(self.world, call, fault)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """A promise that is broken is told with its story; nothing is judged any more."""
        try:
            yield
        except Broken as broken:
            self._broken = True
            raise Broken(f"{broken}:\n{story(self.world)}") from broken

    def _pass(self, until: float) -> None:
        while self.world.server.time < until:
            if call := self.world.ready_call():
                self._deliver(call)
            elif not self.world.advance(until):
                self.world.server.time = until
            self.holds()

    def teardown(self) -> None:
        """Quiet follows, and everything comes to its end; unless a promise is broken already."""
        try:
            if self._broken:
                return
            self._pass(self.world.server.time + HORIZON + FAULT_TAKES)
            with self._told():
                self.world.judge.conclude()
        finally:
            self._driven.__exit__(None, None, None)


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(
    max_examples=100, stateful_step_count=30, deadline=None, derandomize=True, phases=(Phase.generate,)
)
