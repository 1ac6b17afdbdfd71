"""Invariants 1 to 5 of docs/reliability.md, without a cluster: every life with one unusual thing in it, at every call.

The real `decide`, reconciler, order of writes, schedule, store and adapter run against an API server in memory, call by call.
"""

import pytest

from unit.protocol.faults import Fault
from unit.protocol.people import Act
from unit.protocol.plans import (
    ACTS,
    BINDING,
    CALLS,
    FIRST,
    IDENTITY,
    LAGS,
    LATER,
    Plan,
    first_broken,
    play,
    random_pairs,
    scheduled,
    with_act,
    with_fault,
)
from unit.protocol.world import World

DELIVERIES = pytest.mark.parametrize("delivery", [BINDING, IDENTITY])


@DELIVERIES
def test_nothing_unusual_breaks_no_promise(delivery: str) -> None:
    assert not (story := first_broken(Plan(watch_lag=lag, delivery=delivery) for lag in LAGS)), story


@DELIVERIES
def test_churn_before_every_call_breaks_no_promise_and_delays_nothing(delivery: str) -> None:
    assert not (story := first_broken(Plan(always=(Act.CHURN,), watch_lag=lag, delivery=delivery) for lag in LAGS)), story


@DELIVERIES
@pytest.mark.parametrize("fault", [pytest.param(fault, id=f"a call {fault.value}") for fault in Fault])
def test_no_promise_breaks_where(fault: Fault, delivery: str) -> None:
    assert not (story := first_broken(with_fault(fault, delivery))), story


@DELIVERIES
@pytest.mark.parametrize("what", [pytest.param(what, id=what.value) for what in ACTS])
def test_no_promise_breaks_when_between_any_two_calls(what: Act, delivery: str) -> None:
    assert not (story := first_broken(with_act(what, delivery))), story


@pytest.mark.parametrize("delivery", CALLS)
def test_the_plans_meet_every_call_of_a_life(delivery: str) -> None:
    world = World(explain=True)
    play(Plan(delivery=delivery), world)
    asked = next(place for place, line in enumerate(world.trace) if "alice makes the request" in line)
    before, after = (sum("operator 1: " in line for line in part) for part in (world.trace[:asked], world.trace[asked:]))
    assert before == FIRST
    assert after < CALLS[delivery] <= after + 2, f"a life takes {after} calls now"


def test_nothing_unusual_breaks_no_promise_of_what_begins_later() -> None:
    assert not (story := first_broken(Plan(watch_lag=lag, later=LATER) for lag in LAGS)), story


@pytest.mark.parametrize("fault", [pytest.param(fault, id=f"a call {fault.value}") for fault in Fault])
def test_no_promise_of_what_begins_later_breaks_where(fault: Fault) -> None:
    assert not (story := first_broken(scheduled(lambda n: Plan(faults=((n, fault),))))), story


@pytest.mark.parametrize("what", [pytest.param(what, id=what.value) for what in ACTS])
def test_no_promise_of_what_begins_later_breaks_when(what: Act) -> None:
    assert not (story := first_broken(scheduled(lambda n: Plan(acts=((n, what),), watch_lag=LAGS[n % 2])))), story


@pytest.mark.parametrize(
    "plan",
    [
        pytest.param(
            Plan(((FIRST, Fault.BOTH), (FIRST + 8, Fault.OUTAGE))),
            id="a second operator replaced the Job of the first one",
        ),
        pytest.param(
            Plan(((FIRST + 6, Fault.BOTH),), ((FIRST + 8, Act.DELETE_POLICY),), watch_lag=0.2),
            id="a second operator ends what the first one is about to bind",
        ),
        pytest.param(
            Plan((), ((FIRST + 4, Act.PROTECT_BINDINGS), (FIRST + 8, Act.RECREATE_REQUEST))),
            id="a request is made again while the binding of the old one cannot be ended",
        ),
    ],
)
def test_what_broke_once_holds(plan: Plan) -> None:
    assert not (story := first_broken([plan])), story


@DELIVERIES
def test_no_promise_breaks_where_two_things_happen(delivery: str) -> None:
    assert not (story := first_broken(random_pairs(seed=8, number=120, delivery=delivery))), story
