"""What is measured of a life: from the last approval to the binding, and from the end to the access being gone."""

import pytest

from jitaccess.kube.api import Outage
from jitaccess.manifests.resources import JOBS, REQUESTS, ROLE_BINDINGS
from unit.examples import BOB, CAROL, KEY
from unit.reconcile.test_requests import GRANT_KEY, NO_BINDING, STATUS, Bench, active, bench

__all__ = ["active", "bench"]  # fixtures


def value(bench: Bench, name: str, **labels: str) -> float:
    """A sample of AccessRequests."""
    registry = bench.tools.publisher.metrics.registry
    return registry.get_sample_value(f"jitaccess_{name}", {"kind": "AccessRequest"} | labels) or 0.0


async def test_the_latency_begins_with_the_last_approval_and_is_told_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter([1000.0, 1600.0, 1600.25])  # when it was asked, when bob had made up his mind, the binding
    monkeypatch.setattr("jitaccess.workqueue.store.monotonic", lambda: next(seconds))
    await bench.sees()
    bench.approve(BOB)
    await bench.sees()
    await bench.looks()
    assert bench.state == ("Active", "Granted")
    assert (value(bench, "grant_latency_seconds_count"), value(bench, "grant_latency_seconds_sum")) == (1, 0.25)


async def test_an_obstacle_is_part_of_the_latency(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = [1000.0]
    monkeypatch.setattr("jitaccess.workqueue.store.monotonic", lambda: seconds[0])
    bench.installation.problems = ("not yet",)
    bench.approve(BOB)
    await bench.sees()
    assert bench.state == ("Pending", "NotInstalled")
    seconds[0] += 30
    bench.installation.problems = ()
    await bench.looks()
    assert bench.state == ("Active", "Granted")
    assert value(bench, "grant_latency_seconds_sum") == 30


async def test_a_binding_that_is_put_back_has_no_latency_and_is_drift(active: Bench) -> None:
    before = value(active, "grant_latency_seconds_count")
    active.api.remove(ROLE_BINDINGS, GRANT_KEY)
    await active.looks()
    assert active.binding
    assert value(active, "grant_latency_seconds_count") == before
    assert value(active, "drift_repaired_total", what="binding") == 1


@pytest.mark.parametrize("seconds", [0.0, 0.5, 31.0])
async def test_the_lag_is_from_the_end_to_the_access_being_gone(active: Bench, seconds: float) -> None:
    active.now.passes(hours=1, seconds=seconds)
    await active.looks()
    assert (value(active, "expiry_lag_seconds_count"), value(active, "expiry_lag_seconds_sum")) == (1, seconds)
    assert value(active, "dead_mans_switch_total", cause="OperatorTooLate") == float(seconds > 30)


async def test_an_end_whose_record_fails_is_measured_once(active: Bench) -> None:
    active.now.passes(hours=1)
    active.api.fail(STATUS, 503)
    with pytest.raises(Outage):
        await active.looks()
    await active.looks()
    assert active.state == ("Expired", "DurationElapsed")
    assert value(active, "expiry_lag_seconds_count") == 1


async def test_an_end_that_fails_is_measured_when_it_succeeds(active: Bench) -> None:
    active.now.passes(hours=1)
    active.api.fail(NO_BINDING, 503)
    with pytest.raises(Outage):
        await active.looks()
    assert value(active, "expiry_lag_seconds_count") == 0
    active.now.passes(seconds=2)
    await active.looks()
    assert value(active, "expiry_lag_seconds_sum") == 2


async def test_an_end_that_we_know_nothing_of_is_measured_too(active: Bench) -> None:
    active.open.forget(KEY)
    active.now.passes(hours=1, seconds=3)
    await active.looks()
    assert active.state == ("Expired", "DurationElapsed")
    assert value(active, "expiry_lag_seconds_sum") == 3


async def test_access_that_is_taken_back_has_no_lag(active: Bench) -> None:
    active.api.annotate(REQUESTS, KEY, revocations=f"{BOB}: enough\n")
    await active.looks()
    assert active.state[0] == "Revoked"
    assert value(active, "expiry_lag_seconds_count") == 0
    assert value(active, "decisions_total", decision="revoked") == 1


async def test_a_job_that_somebody_deleted_is_the_dead_mans(active: Bench) -> None:
    active.api.remove(JOBS, GRANT_KEY)
    active.now.passes(minutes=5)
    await active.looks()
    assert active.state[0] == "Revoked"
    assert value(active, "dead_mans_switch_total", cause="GuardGone") == 1


async def test_each_approver_is_a_decision(bench: Bench) -> None:
    bench.approve(BOB, CAROL)
    await bench.sees()
    assert value(bench, "decisions_total", decision="approved") == 2
