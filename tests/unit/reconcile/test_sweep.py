"""What no event told: vanished objects, leftovers of a crash, records past their retention."""

from datetime import timedelta
from typing import Any

import pytest

from jitaccess.domain.lifecycle import Grant
from jitaccess.domain.model import Key
from jitaccess.domain.recorded import ObjectRef
from jitaccess.kube.api import Cluster
from jitaccess.manifests.grant import binding_manifest, grant_name, job_manifest
from jitaccess.manifests.resources import JOBS, NAMESPACED, POLICIES, REQUESTS, ROLE_BINDINGS
from jitaccess.reconcile.grants import Grants
from jitaccess.reconcile.sweep import remove_old, sweep_grants, sweep_store
from jitaccess.workqueue.schedule import Schedule, Target
from jitaccess.workqueue.store import Store
from unit.conftest import Now
from unit.examples import (
    HOUR,
    KEY,
    NAMESPACE,
    POLICY_KEY,
    T0,
    UID,
    active_status,
    grant,
    policy,
    policy_manifest,
    request,
    request_manifest,
)
from unit.fake_api import FakeApi

GRANT_KEY = Key(NAMESPACE, grant_name(KEY, UID))
OTHER = Key(NAMESPACE, "another")


async def never(_: Target) -> None:
    raise AssertionError("the clock does not run in these tests")


@pytest.fixture
def schedule() -> Schedule:
    return Schedule(never)


def woken(schedule: Schedule) -> set[Target]:
    return set(schedule._news)


async def granted(cluster: Cluster, what: Grant) -> None:
    await Grants(cluster, NAMESPACED).make(what, what.granted_at)


# What is remembered, and what there is.


async def test_what_is_there_and_remembered_needs_no_second_look(api: FakeApi, cluster: Cluster, schedule: Schedule) -> None:
    store = Store()
    api.put(REQUESTS, request_manifest())
    api.put(POLICIES, policy_manifest())
    api.put(ROLE_BINDINGS, derived())
    store.see(request())
    await sweep_store(cluster, NAMESPACED, store, schedule)
    assert woken(schedule) == {Target(POLICIES, POLICY_KEY)}, "policies are always looked at again, requests are not"


def derived() -> dict[str, Any]:
    labels = {"app.kubernetes.io/managed-by": "jitaccess", "jitaccess.dev/component": "policy"}
    return {"metadata": {"name": "jitaccess:prod-debug:requester", "namespace": NAMESPACE, "labels": labels}}


@pytest.mark.parametrize(
    "there",
    [
        pytest.param({"uid": "made-again"}, id="made-again"),
        pytest.param({"status": {"settled": True}}, id="settled-elsewhere"),
    ],
)
async def test_what_is_remembered_but_not_there_is_looked_at(
    api: FakeApi, cluster: Cluster, schedule: Schedule, there: dict[str, Any]
) -> None:
    store = Store()
    store.see(request())
    api.put(REQUESTS, request_manifest(**there))
    api.put(REQUESTS, request_manifest("another", uid="u2"))
    api.put(POLICIES, policy_manifest())
    api.put(ROLE_BINDINGS, derived())
    await sweep_store(cluster, NAMESPACED, store, schedule)
    assert woken(schedule) >= {Target(REQUESTS, KEY), Target(REQUESTS, OTHER)}


async def test_a_policy_that_vanished_is_looked_at(api: FakeApi, cluster: Cluster, schedule: Schedule) -> None:
    store = Store()
    store.see_policy(policy())
    api.put(REQUESTS, request_manifest())
    api.put(POLICIES, policy_manifest("another"))
    api.put(ROLE_BINDINGS, derived())
    await sweep_store(cluster, NAMESPACED, store, schedule)
    assert woken(schedule) >= {Target(POLICIES, POLICY_KEY), Target(POLICIES, OTHER)}


async def test_what_is_left_of_a_policy_that_nobody_remembers_is_looked_at(
    api: FakeApi, cluster: Cluster, schedule: Schedule
) -> None:
    api.put(REQUESTS, request_manifest())
    api.put(POLICIES, policy_manifest("another"))
    api.put(ROLE_BINDINGS, derived())
    await sweep_store(cluster, NAMESPACED, Store(), schedule)
    assert Target(POLICIES, POLICY_KEY) in woken(schedule)


async def test_an_empty_cluster_can_be_swept(api: FakeApi, cluster: Cluster, schedule: Schedule) -> None:
    store = Store()
    store.see(request())
    await sweep_store(cluster, NAMESPACED, store, schedule)
    assert woken(schedule) == {Target(REQUESTS, KEY)}


# Grants.


@pytest.mark.parametrize(
    ("later", "left", "ended"),
    [
        pytest.param(0 * HOUR, request_manifest(status=active_status()), 0, id="a-live-grant-is-left-alone"),
        pytest.param(0 * HOUR, request_manifest(), 0, id="a-grant-not-yet-recorded-is-left-alone"),
        pytest.param(HOUR - timedelta(milliseconds=1), request_manifest(), 0, id="the-last-millisecond-is-still-alive"),
        pytest.param(HOUR, request_manifest(status=active_status()), 1, id="the-exact-expiry-is-over"),
        pytest.param(0 * HOUR, None, 1, id="the-request-is-gone"),
        pytest.param(0 * HOUR, request_manifest(uid="made-again"), 1, id="the-request-was-made-again"),
        pytest.param(0 * HOUR, request_manifest(status={"state": "Revoked", "settled": True}), 1, id="the-request-is-settled"),
    ],
)
async def test_a_grant_that_is_over_is_ended(
    api: FakeApi, cluster: Cluster, now: Now, later: timedelta, left: dict[str, Any] | None, ended: int
) -> None:
    await granted(cluster, grant())
    if left:
        api.put(REQUESTS, left)
    now.value = T0 + later
    assert await sweep_grants(cluster, NAMESPACED) == ended
    assert (api.get(ROLE_BINDINGS, GRANT_KEY) is None, api.get(JOBS, GRANT_KEY) is None) == (bool(ended), bool(ended))


@pytest.mark.parametrize("annotations", [None, {}, {"jitaccess.dev/request": KEY.name}])
async def test_a_grant_that_does_not_say_when_it_ends_is_ended(
    api: FakeApi, cluster: Cluster, annotations: dict[str, str] | None
) -> None:
    api.put(REQUESTS, request_manifest(status=active_status()))
    await granted(cluster, grant())
    found = api.get(ROLE_BINDINGS, GRANT_KEY)
    assert found
    found["metadata"]["annotations"] = annotations
    assert await sweep_grants(cluster, NAMESPACED) == 1
    assert api.get(ROLE_BINDINGS, GRANT_KEY) is None


async def test_a_grant_with_an_unreadable_end_is_ended_and_keeps_no_other_alive(api: FakeApi, cluster: Cluster) -> None:
    api.put(REQUESTS, request_manifest(status=active_status()))
    await granted(cluster, grant())
    found = api.get(ROLE_BINDINGS, GRANT_KEY)
    assert found
    found["metadata"]["annotations"]["jitaccess.dev/expires-at"] = "tomorrow"
    assert await sweep_grants(cluster, NAMESPACED) == 1


async def test_bindings_of_others_are_left_alone(api: FakeApi, cluster: Cluster) -> None:
    theirs = api.put(ROLE_BINDINGS, {"metadata": {"name": "theirs", "namespace": NAMESPACE}, "subjects": []})
    assert await sweep_grants(cluster, NAMESPACED) == 0
    assert api.all(ROLE_BINDINGS) == [theirs]


async def test_a_binding_made_again_while_it_is_swept_does_not_end_the_sweep(api: FakeApi, cluster: Cluster, now: Now) -> None:
    begun = grant()
    job = await cluster.create(JOBS, job_manifest(begun, T0))
    await cluster.create(ROLE_BINDINGS, binding_manifest(begun, ObjectRef(job["metadata"]["name"], job["metadata"]["uid"])))
    now.passes(hours=1)

    def made_again() -> None:
        found = api.get(ROLE_BINDINGS, GRANT_KEY)
        assert found
        found["metadata"]["uid"] = "another"

    api.before("DELETE rolebindings", made_again)
    await sweep_grants(cluster, NAMESPACED)
    assert api.calls


# Records.


def settled(name: str, uid: str, *, asked: timedelta, ended: timedelta | None) -> dict[str, Any]:
    at = {} if ended is None else {"settledAt": (T0 - ended).strftime("%Y-%m-%dT%H:%M:%S.000Z")}
    return request_manifest(name, uid=uid, created=T0 - asked, status={"state": "Expired", "settled": True, **at})


DAYS = 24 * HOUR


@pytest.mark.parametrize(
    ("left", "removed"),
    [
        pytest.param(settled("r", "u", asked=40 * DAYS, ended=30 * DAYS), 1, id="exactly-at-the-end-of-the-retention"),
        pytest.param(settled("r", "u", asked=40 * DAYS, ended=30 * DAYS - timedelta(seconds=1)), 0, id="a-second-before"),
        pytest.param(settled("r", "u", asked=40 * DAYS, ended=DAYS), 0, id="asked-long-ago-and-settled-yesterday"),
        pytest.param(settled("r", "u", asked=DAYS, ended=DAYS), 0, id="young"),
        pytest.param(settled("r", "u", asked=40 * DAYS, ended=None), 0, id="that-does-not-say-when-is-kept"),
        pytest.param(request_manifest("r", created=T0 - 40 * DAYS, status={"state": "Active"}), 0, id="not-settled"),
    ],
)
async def test_records_are_kept_for_the_retention(api: FakeApi, cluster: Cluster, left: dict[str, Any], removed: int) -> None:
    api.put(REQUESTS, settled("always-there", "x", asked=DAYS, ended=DAYS))
    api.put(REQUESTS, left)
    assert await remove_old(cluster, NAMESPACED, 30 * DAYS, T0) == removed
    assert (api.get(REQUESTS, Key(NAMESPACE, "r")) is None) is bool(removed)
    assert api.get(REQUESTS, Key(NAMESPACE, "always-there"))
