"""The promises of docs/reliability.md, without a cluster: every life with one unusual thing in it, at every call.

The real `decide`, reconciler, order of writes, schedule, store and adapter run against an API server in memory, call by call.
"""

import pytest

from unit.protocol.faults import Fault
from unit.protocol.people import Act
from unit.protocol.plans import (
    ACTS_OF,
    BINDING,
    CALLS,
    FAULTS_OF,
    FIRST,
    IDENTITY,
    LAGS,
    LATER,
    LIMITED,
    PLAIN_ACTS,
    STAGED,
    Plan,
    first_broken,
    play,
    random_pairs,
    scheduled,
    with_act,
    with_fault,
)
from unit.protocol.world import World

LIVES = pytest.mark.parametrize("life", [BINDING, IDENTITY, STAGED, LIMITED])


@LIVES
def test_nothing_unusual_breaks_no_promise(life: str) -> None:
    assert not (story := first_broken(Plan(watch_lag=lag, life=life) for lag in LAGS)), story


@LIVES
def test_churn_before_every_call_breaks_no_promise_and_delays_nothing(life: str) -> None:
    assert not (story := first_broken(Plan(always=(Act.CHURN,), watch_lag=lag, life=life) for lag in LAGS)), story


@pytest.mark.parametrize(
    ("fault", "life"),
    [pytest.param(fault, life, id=f"a call {fault.value}, {life}") for life in CALLS for fault in FAULTS_OF[life]],
)
def test_no_promise_breaks_where(fault: Fault, life: str) -> None:
    assert not (story := first_broken(with_fault(fault, life))), story


@pytest.mark.parametrize(
    ("what", "life"), [pytest.param(what, life, id=f"{what.value}, {life}") for life in CALLS for what in ACTS_OF[life]]
)
def test_no_promise_breaks_when_between_any_two_calls(what: Act, life: str) -> None:
    assert not (story := first_broken(with_act(what, life))), story


@pytest.mark.parametrize("life", CALLS)
def test_the_plans_meet_every_call_of_a_life(life: str) -> None:
    world = World(explain=True)
    play(Plan(life=life), world)
    asked = next(place for place, line in enumerate(world.trace) if "alice makes the request" in line)
    before, after = (sum("operator 1: " in line for line in part) for part in (world.trace[:asked], world.trace[asked:]))
    assert before == FIRST
    assert after < CALLS[life] <= after + 2, f"a life takes {after} calls now"


def test_nothing_unusual_breaks_no_promise_of_what_begins_later() -> None:
    assert not (story := first_broken(Plan(watch_lag=lag, later=LATER) for lag in LAGS)), story


@pytest.mark.parametrize("fault", [pytest.param(fault, id=f"a call {fault.value}") for fault in Fault])
def test_no_promise_of_what_begins_later_breaks_where(fault: Fault) -> None:
    assert not (story := first_broken(scheduled(lambda n: Plan(faults=((n, fault),))))), story


@pytest.mark.parametrize("what", [pytest.param(what, id=what.value) for what in PLAIN_ACTS])
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
        pytest.param(
            Plan(((FIRST + 21, Fault.LOST),), ((FIRST + 10, Act.LOCK_REQUESTER),)),
            id="a lock counts an end twice, since the answer to its record is lost",
        ),
        pytest.param(
            Plan(((FIRST + 18, Fault.LOST),), ((FIRST + 10, Act.LOCK_REQUESTER),)),
            id="a lock does not count an end, since the answer to its record is lost",
        ),
        pytest.param(
            Plan((), ((FIRST + 10, Act.LOCK_REQUESTER), (FIRST + 12, Act.GIVE_BACK))),
            id="a lock counts what was given back before it came",
        ),
        pytest.param(
            Plan(((18, Fault.OUTAGE),), ((20, Act.LOCK_BRIEFLY),), watch_lag=0.2, life=IDENTITY),
            id="a lock is over before anybody could read it, and the API server heeds it until that is on record",
        ),
    ],
)
def test_what_broke_once_holds(plan: Plan) -> None:
    assert not (story := first_broken([plan])), story


@LIVES
def test_no_promise_breaks_where_two_things_happen(life: str) -> None:
    number = 120 if life in (BINDING, IDENTITY) else 40
    assert not (story := first_broken(random_pairs(seed=8, number=number, life=life))), story
