"""Locks, reconciled: whose requests are looked at, what goes on record, and what is not known keeps anything from beginning."""

from typing import Any

import pytest

from jitaccess.domain.model import Key
from jitaccess.kube.api import Outage
from jitaccess.manifests.locks import parse_lock
from jitaccess.manifests.parse import parse_request
from jitaccess.manifests.resources import LOCKS, REQUESTS, ROLE_BINDINGS
from jitaccess.reconcile.locks import LockReconciler
from jitaccess.workqueue.schedule import Target
from unit.examples import ALICE, BOB, CAROL, DAVE, HOUR, T0, approved_by, lock_manifest, request_manifest
from unit.reconcile.test_requests import BINDING, GRANT_KEY, NO_BINDING, NO_JOB, STATUS, TARGET, Bench, active, bench

__all__ = ["active", "bench"]

LOCK = Key("", "lock-1")
LOCK_TARGET = Target(LOCKS, LOCK)
LOCK_STATUS = "PATCH accesslocks/status"
LIFTED: dict[str, Any] = {"lifted": {"by": DAVE, "reason": "found it"}}


@pytest.fixture
def locker(bench: Bench) -> LockReconciler:
    return LockReconciler(bench.tools)


def put(bench: Bench, *people: str, **fields: Any) -> None:
    """Somebody makes a lock, or changes it: the watch reports it."""
    manifest = lock_manifest(*people, **fields) | {"status": status(bench)}
    bench.tools.store.locks.see(parse_lock(bench.api.put(LOCKS, manifest)))


def status(bench: Bench) -> dict[str, Any]:
    found = bench.api.get(LOCKS, LOCK) or {}
    return dict(found.get("status") or {})


def told(bench: Bench) -> list[tuple[str, str]]:
    return [(entry["state"], entry["reason"]) for entry in status(bench)["history"]]


async def test_a_lock_ends_what_a_person_has_and_is_on_record(active: Bench, locker: LockReconciler) -> None:
    put(active, ALICE)
    await locker.reconcile(LOCK)
    assert TARGET in active.schedule._news
    await active.looks()
    assert (active.state, active.binding) == (("Revoked", "Locked"), None)
    assert active.api.writes == [LOCK_STATUS, NO_BINDING, STATUS, NO_JOB]
    assert active.schedule._deadlines[LOCK_TARGET] == T0.timestamp() + 1, "the count follows"
    await locker.reconcile(LOCK)
    assert status(active)["endedGrants"] == 1
    assert told(active) == [("Active", "Locked")]
    assert ("Locked", True) in active.news
    writes = list(active.api.writes)
    await locker.reconcile(LOCK)
    assert active.api.writes == writes, "a further look writes nothing"


async def test_a_lock_on_others_touches_nobody_else(active: Bench, locker: LockReconciler) -> None:
    put(active, BOB)
    await locker.reconcile(LOCK)
    await active.looks()
    assert active.state == ("Active", "Granted")
    assert active.api.writes == [LOCK_STATUS]


async def test_what_the_locked_have_approved_begins_once_the_lock_is_lifted(bench: Bench, locker: LockReconciler) -> None:
    put(bench, BOB)
    bench.approve(BOB)
    await bench.sees()
    assert bench.state == ("Pending", "WaitingForApproval")
    await locker.reconcile(LOCK)
    bench.schedule._news.clear()
    put(bench, BOB, **LIFTED)
    await locker.reconcile(LOCK)
    assert TARGET in bench.schedule._news
    await bench.looks()
    assert bench.state == ("Active", "Granted")
    assert told(bench) == [("Active", "Locked"), ("Lifted", "Lifted")]
    assert status(bench)["settled"] is True


async def test_a_lock_is_over_when_its_time_is_up(bench: Bench, locker: LockReconciler) -> None:
    put(bench, ALICE, until=T0 + HOUR)
    await locker.reconcile(LOCK)
    assert bench.schedule._deadlines[LOCK_TARGET] == (T0 + HOUR).timestamp()
    bench.now.passes(hours=1)
    await locker.reconcile(LOCK)
    assert told(bench) == [("Active", "Locked"), ("Over", "TimeIsUp")]
    assert len(bench.tools.store.locks) == 0


@pytest.mark.parametrize(
    ("locked", "then"),
    [
        pytest.param(ALICE, ("Denied", "Locked"), id="who-asked"),
        pytest.param(BOB, ("Pending", "WaitingForApproval"), id="who-approved"),
    ],
)
async def test_a_grant_meets_a_lock_that_the_watch_has_not_told(bench: Bench, locked: str, then: tuple[str, str]) -> None:
    await bench.sees()
    bench.api.put(LOCKS, lock_manifest(locked))
    bench.approve(BOB)
    await bench.sees()
    assert bench.state == ("Pending", "WaitingForApproval"), "the API server refused the record that it begins"
    assert bench.retries_soon
    await bench.looks()
    assert bench.state == then
    assert BINDING not in bench.api.writes
    assert bench.job is None, "what was made ahead is taken back"


async def test_a_lock_of_which_a_refused_grant_tells_is_looked_at_for_all_that_it_ends(bench: Bench) -> None:
    await bench.sees()
    bench.api.put(LOCKS, lock_manifest(ALICE))
    bench.approve(BOB)
    await bench.sees()
    assert LOCK_TARGET in bench.schedule._news, "what the watch tells afterwards is no news any more"


async def test_access_begins_without_the_approvals_of_the_locked_where_others_suffice(bench: Bench) -> None:
    await bench.sees()
    put(bench, BOB)
    bench.approve(BOB, CAROL)
    await bench.sees()
    assert bench.state == ("Active", "Granted")
    assert [approval["by"] for approval in bench.status["approvals"]] == [CAROL], "it begins on her word alone"


async def test_where_the_api_server_knows_of_a_lock_that_is_over_by_its_time_it_is_tried_again(bench: Bench) -> None:
    await bench.sees()
    bench.api.put(LOCKS, lock_manifest(ALICE, until=T0 - HOUR))
    bench.approve(BOB)
    await bench.sees()
    assert (bench.binding, bench.retries_soon) == (None, True), "admission has no clock"
    over = lock_manifest(ALICE, until=T0 - HOUR) | {"status": {"state": "Over", "settled": True}}
    bench.api.put(LOCKS, over)
    await bench.looks()
    assert bench.state == ("Active", "Granted")


UNREADABLE = pytest.mark.parametrize("answer", [500, 403, 404], ids=["an-outage", "not-allowed", "not-served"])


@UNREADABLE
@pytest.mark.parametrize("told", [True, False], ids=["told-by-the-watch", "not-told"])
async def test_where_a_lock_cannot_be_read_nothing_begins(bench: Bench, answer: int, told: bool) -> None:
    await bench.sees()
    manifest = bench.api.put(LOCKS, lock_manifest(ALICE))
    if told:
        bench.tools.store.locks.see(parse_lock(manifest))
    bench.api.fail("GET accesslocks", answer, times=9)
    bench.approve(BOB)
    with pytest.raises(Outage, match="whether anybody is locked is not known"):
        await bench.looks()
    assert bench.binding is None
    assert bench.state == ("Pending", "WaitingForApproval"), "and nothing is denied for it"


async def test_a_lock_that_was_lifted_before_the_watch_tells_denies_nothing(bench: Bench) -> None:
    await bench.sees()
    put(bench, ALICE)
    bench.api.put(LOCKS, lock_manifest(ALICE, **LIFTED))
    bench.approve(BOB)
    await bench.sees()
    assert bench.state == ("Active", "Granted")


async def test_nobody_asks_for_locks_where_the_watch_tells_of_none_on_these_people(bench: Bench) -> None:
    await bench.sees()
    put(bench, CAROL)
    bench.approve(BOB)
    await bench.sees()
    assert bench.state == ("Active", "Granted")
    assert "GET accesslocks" not in bench.api.calls


async def test_access_is_not_put_back_for_who_is_locked_though_the_watch_has_not_told(active: Bench) -> None:
    active.api.put(LOCKS, lock_manifest(ALICE))
    active.api.remove(ROLE_BINDINGS, GRANT_KEY)
    await active.looks()
    assert active.state == ("Revoked", "Locked")
    assert BINDING not in active.api.writes


async def test_where_locks_are_not_known_what_is_revoked_ends_all_the_same(active: Bench) -> None:
    active.api.fail("GET accesslocks", 500, times=9)
    active.api.annotate(REQUESTS, TARGET.key, revocations=approved_by(CAROL))
    await active.looks()
    assert (active.state, active.binding) == (("Revoked", "RevokedByApprover"), None)


async def test_where_locks_are_not_known_what_lasts_is_looked_at_again(active: Bench) -> None:
    active.api.fail("GET accesslocks", 500, times=9)
    with pytest.raises(Outage):
        await active.looks()
    assert active.state == ("Active", "Granted")


async def test_a_lock_that_cannot_be_recorded_ends_access_all_the_same(active: Bench, locker: LockReconciler) -> None:
    put(active, ALICE)
    active.api.fail(LOCK_STATUS, 500)
    with pytest.raises(Outage):
        await locker.reconcile(LOCK)
    assert TARGET in active.schedule._news
    await active.looks()
    assert active.state == ("Revoked", "Locked")


async def test_a_lock_that_is_gone_is_forgotten_and_those_who_wait_are_looked_at(bench: Bench, locker: LockReconciler) -> None:
    put(bench, BOB)
    bench.open.see(parse_request(request_manifest(approvals=approved_by(BOB))))
    await locker.reconcile(LOCK)
    bench.schedule._news.clear()
    bench.api.remove(LOCKS, LOCK)
    await locker.reconcile(LOCK)
    assert (len(bench.tools.store.locks), TARGET in bench.schedule._news) == (0, True)


async def test_of_many_each_loses_its_access_before_the_first_is_recorded(active: Bench, locker: LockReconciler) -> None:
    put(active, ALICE)
    await locker.reconcile(LOCK)
    active.api.forget_calls()
    await active.requests.reconcile(TARGET.key)
    assert (active.api.writes, active.state) == ([NO_BINDING], ("Active", "Granted"))
    await active.requests.reconcile(TARGET.key)
    assert active.state == ("Revoked", "Locked")


async def test_a_lock_that_is_lifted_between_reading_and_writing_is_looked_at_again(
    active: Bench, locker: LockReconciler
) -> None:
    put(active, ALICE)
    lifted = lock_manifest(ALICE, **LIFTED)
    lifted["metadata"]["generation"] = 2
    active.api.before(LOCK_STATUS, lambda: active.api.put(LOCKS, lifted))
    await locker.reconcile(LOCK)
    assert LOCK_TARGET in active.schedule._deadlines
    await locker.reconcile(LOCK)
    assert told(active) == [("Lifted", "Lifted")]
    await active.looks()
    assert active.state == ("Active", "Granted"), "it was lifted before anything was ended"


@pytest.mark.parametrize("done", [pytest.param(True, id="and-was-written"), pytest.param(False, id="and-was-not")])
async def test_an_end_is_counted_once_though_the_answer_to_the_count_is_lost(
    active: Bench, locker: LockReconciler, done: bool
) -> None:
    put(active, ALICE)
    await locker.reconcile(LOCK)
    await active.looks()
    active.api.fail(LOCK_STATUS, 500, after=done)
    with pytest.raises(Outage):
        await locker.reconcile(LOCK)
    await locker.reconcile(LOCK)
    await locker.reconcile(LOCK)
    assert status(active)["endedGrants"] == 1


async def test_an_end_is_counted_though_the_answer_to_its_record_is_lost(active: Bench, locker: LockReconciler) -> None:
    put(active, ALICE)
    await locker.reconcile(LOCK)
    active.api.fail(STATUS, 500, after=True)
    with pytest.raises(Outage):
        await active.looks()
    await active.looks()
    assert active.state == ("Revoked", "Locked")
    await locker.reconcile(LOCK)
    assert status(active)["endedGrants"] == 1


async def test_what_was_given_back_before_the_lock_could_end_it_is_not_counted(active: Bench, locker: LockReconciler) -> None:
    put(active, ALICE)
    active.api.annotate(REQUESTS, TARGET.key, revocations=f"{ALICE}: fixed\n")
    await locker.reconcile(LOCK)
    await active.looks()
    assert active.state == ("Revoked", "RevokedByRequester")
    await locker.reconcile(LOCK)
    assert status(active)["endedGrants"] == 0
