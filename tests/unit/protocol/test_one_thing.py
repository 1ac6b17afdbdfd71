"""Invariants 1 to 5 of docs/reliability.md, without a cluster: every life with one unusual thing in it, at every call.

The real `decide`, reconciler, order of writes, schedule, store and adapter run against an API server in memory, call by call.
"""

import pytest

from unit.protocol.people import Act
from unit.protocol.plans import ACTS, LAGS, Plan, first_broken, random_pairs, with_act, with_fault
from unit.protocol.world import Fault


def test_nothing_unusual_breaks_no_promise() -> None:
    assert not (story := first_broken(Plan(watch_lag=lag) for lag in LAGS)), story


def test_churn_before_every_call_breaks_no_promise_and_delays_nothing() -> None:
    assert not (story := first_broken(Plan(always=(Act.CHURN,), watch_lag=lag) for lag in LAGS)), story


@pytest.mark.parametrize("fault", [pytest.param(fault, id=f"a call {fault.value}") for fault in Fault])
def test_no_promise_breaks_where(fault: Fault) -> None:
    assert not (story := first_broken(with_fault(fault))), story


@pytest.mark.parametrize("what", [pytest.param(what, id=what.value) for what in ACTS])
def test_no_promise_breaks_when_between_any_two_calls(what: Act) -> None:
    assert not (story := first_broken(with_act(what))), story


def test_no_promise_breaks_where_two_things_happen() -> None:
    assert not (story := first_broken(random_pairs(seed=8, number=120))), story
