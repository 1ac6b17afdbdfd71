"""What no event told: vanished objects, leftovers of a crash, records past their retention."""

from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from jitaccess.domain.model import Key
from jitaccess.domain.recorded import ObjectRef
from jitaccess.domain.verdicts import Grant
from jitaccess.kube.api import Cluster
from jitaccess.manifests.grant import binding_manifest, grant_name, job_manifest
from jitaccess.manifests.kinds import ACCESS_POLICY, ACCESS_REQUEST
from jitaccess.manifests.resources import JOBS, POLICIES, REQUESTS, ROLE_BINDINGS, Resource
from jitaccess.reconcile.comparing import compare
from jitaccess.reconcile.grants import Grants
from jitaccess.reconcile.removal import NotEnded
from jitaccess.reconcile.sweep import end_stray, sweep_grants, sweep_policies
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
    request_manifest,
)
from unit.fake_api import FakeApi

GRANT_KEY = Key(NAMESPACE, grant_name(KEY, UID))
OTHER = Key(NAMESPACE, "another")


async def never(_: Target) -> None:
    raise AssertionError("the clock does not run in these tests")


@pytest.fixture
def schedule() -> Schedule:
    return Schedule(never, lambda: T0)


def woken(schedule: Schedule) -> set[Target]:
    return set(schedule._news)


async def granted(cluster: Cluster, what: Grant) -> None:
    grants = Grants(cluster, ACCESS_REQUEST, lambda: what.granted_at)
    guard = await grants.guards.make(what)
    await grants.bind(what, guard.job)


# What is remembered, and what there is.


def derived() -> dict[str, Any]:
    labels = {"app.kubernetes.io/managed-by": "jitaccess", "jitaccess.dev/component": "policy"}
    return {"metadata": {"name": "jitaccess:prod-debug:requester", "namespace": NAMESPACE, "labels": labels}}


async def test_a_policy_that_vanished_is_looked_at(api: FakeApi, cluster: Cluster, schedule: Schedule) -> None:
    store = Store([REQUESTS], [POLICIES])
    store.policies[POLICIES].see(policy())
    api.put(REQUESTS, request_manifest())
    api.put(POLICIES, policy_manifest("another"))
    api.put(ROLE_BINDINGS, derived())
    await sweep_policies(cluster, ACCESS_POLICY, store, schedule)
    assert woken(schedule) >= {Target(POLICIES, POLICY_KEY), Target(POLICIES, OTHER)}


async def test_what_is_left_of_a_policy_that_nobody_remembers_is_looked_at(
    api: FakeApi, cluster: Cluster, schedule: Schedule
) -> None:
    api.put(REQUESTS, request_manifest())
    api.put(POLICIES, policy_manifest("another"))
    api.put(ROLE_BINDINGS, derived())
    await sweep_policies(cluster, ACCESS_POLICY, Store([REQUESTS], [POLICIES]), schedule)
    assert Target(POLICIES, POLICY_KEY) in woken(schedule)


async def test_an_empty_cluster_can_be_swept(cluster: Cluster, schedule: Schedule) -> None:
    await sweep_policies(cluster, ACCESS_POLICY, Store([REQUESTS], [POLICIES]), schedule)
    assert woken(schedule) == set()


# Grants.


@pytest.mark.parametrize(
    ("later", "left", "ended"),
    [
        pytest.param(0 * HOUR, request_manifest(status=active_status()), 0, id="a-live-grant-is-left-alone"),
        pytest.param(0 * HOUR, request_manifest(), 1, id="access-that-is-not-on-record-is-ended"),
        pytest.param(
            0 * HOUR,
            request_manifest(status=active_status(lasts=HOUR / 2)),
            1,
            id="access-that-lasts-longer-than-is-on-record-is-ended",
        ),
        pytest.param(
            HOUR - timedelta(milliseconds=1),
            request_manifest(status=active_status()),
            0,
            id="the-last-millisecond-is-still-alive",
        ),
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
    assert await sweep_grants(cluster, ACCESS_REQUEST, now) == ended
    assert (api.get(ROLE_BINDINGS, GRANT_KEY) is None) is bool(ended)


@pytest.mark.parametrize("annotations", [None, {}, {"jitaccess.dev/request": KEY.name}])
async def test_a_grant_that_does_not_say_when_it_ends_is_ended(
    api: FakeApi, cluster: Cluster, now: Now, annotations: dict[str, str] | None
) -> None:
    api.put(REQUESTS, request_manifest(status=active_status()))
    await granted(cluster, grant())
    found = api.get(ROLE_BINDINGS, GRANT_KEY)
    assert found
    found["metadata"]["annotations"] = annotations
    assert await sweep_grants(cluster, ACCESS_REQUEST, now) == 1
    assert api.get(ROLE_BINDINGS, GRANT_KEY) is None


async def test_a_grant_with_an_unreadable_end_is_ended_and_keeps_no_other_alive(api: FakeApi, cluster: Cluster, now: Now) -> None:
    api.put(REQUESTS, request_manifest(status=active_status()))
    await granted(cluster, grant())
    found = api.get(ROLE_BINDINGS, GRANT_KEY)
    assert found
    found["metadata"]["annotations"]["jitaccess.dev/expires-at"] = "tomorrow"
    assert await sweep_grants(cluster, ACCESS_REQUEST, now) == 1


async def test_bindings_of_others_are_left_alone(api: FakeApi, cluster: Cluster, now: Now) -> None:
    theirs = api.put(ROLE_BINDINGS, {"metadata": {"name": "theirs", "namespace": NAMESPACE}, "subjects": []})
    assert await sweep_grants(cluster, ACCESS_REQUEST, now) == 0
    assert api.all(ROLE_BINDINGS) == [theirs]


async def test_a_binding_made_again_while_it_is_swept_does_not_end_the_sweep(api: FakeApi, cluster: Cluster, now: Now) -> None:
    begun = grant()
    job = await cluster.create(JOBS, job_manifest(ACCESS_REQUEST, begun, HOUR))
    await cluster.create(
        ROLE_BINDINGS, binding_manifest(ACCESS_REQUEST, begun, ObjectRef(job["metadata"]["name"], job["metadata"]["uid"]))
    )
    now.passes(hours=1)

    def made_again() -> None:
        found = api.get(ROLE_BINDINGS, GRANT_KEY)
        assert found
        found["metadata"]["uid"] = "another"

    api.before("DELETE rolebindings", made_again)
    await sweep_grants(cluster, ACCESS_REQUEST, now)
    assert api.calls


@pytest.mark.parametrize(
    "strange",
    [
        pytest.param({"name": "odd"}, id="an-odd-name"),
        pytest.param({"annotations": None}, id="no-annotations"),
        pytest.param({"annotations": {"jitaccess.dev/expires-at": "tomorrow"}}, id="an-unreadable-end"),
        pytest.param({"labels": {"app.kubernetes.io/managed-by": "jitaccess", "jitaccess.dev/component": "grant"}}, id="no-uid"),
    ],
)
async def test_a_binding_that_nobody_explains_is_ended_and_brings_nothing_down(
    api: FakeApi, cluster: Cluster, now: Now, strange: dict[str, Any]
) -> None:
    api.put(REQUESTS, request_manifest(status=active_status()))
    found = binding_manifest(ACCESS_REQUEST, grant(), None)
    api.put(ROLE_BINDINGS, {**found, "metadata": found["metadata"] | strange})
    await sweep_grants(cluster, ACCESS_REQUEST, now)
    assert api.all(ROLE_BINDINGS) == []


async def test_a_derived_binding_with_an_odd_name_brings_nothing_down(api: FakeApi, cluster: Cluster, schedule: Schedule) -> None:
    labels = {"app.kubernetes.io/managed-by": "jitaccess", "jitaccess.dev/component": "policy"}
    api.put(ROLE_BINDINGS, {"metadata": {"name": "odd", "namespace": NAMESPACE, "labels": labels}})
    await sweep_policies(cluster, ACCESS_POLICY, Store([REQUESTS], [POLICIES]), schedule)
    assert woken(schedule) == set()


async def test_a_binding_that_came_back_is_ended_when_it_is_seen(api: FakeApi, cluster: Cluster, now: Now) -> None:
    api.put(REQUESTS, request_manifest(status={"state": "Revoked", "settled": True}))
    api.put(ROLE_BINDINGS, binding_manifest(ACCESS_REQUEST, grant(), None))
    await end_stray(cluster, ACCESS_REQUEST, now, GRANT_KEY)
    assert api.all(ROLE_BINDINGS) == []


async def test_a_binding_that_came_back_and_cannot_be_ended_is_tried_for_ever(api: FakeApi, cluster: Cluster, now: Now) -> None:
    api.put(ROLE_BINDINGS, binding_manifest(ACCESS_REQUEST, grant(), None))
    api.fail("DELETE rolebindings", 403, "delete protection")
    api.fail("PUT rolebindings", 403, "update protection")
    with pytest.raises(NotEnded, match="update protection"):
        await end_stray(cluster, ACCESS_REQUEST, now, GRANT_KEY)


async def test_a_binding_that_cannot_be_ended_keeps_no_other_alive(api: FakeApi, cluster: Cluster, now: Now) -> None:
    first = binding_manifest(ACCESS_REQUEST, grant(), None)
    api.put(ROLE_BINDINGS, {**first, "metadata": first["metadata"] | {"name": "a-first"}})
    api.put(ROLE_BINDINGS, first)
    api.fail("DELETE rolebindings", 403, "delete protection")
    api.fail("PUT rolebindings", 403, "update protection")
    assert await sweep_grants(cluster, ACCESS_REQUEST, now) == 1
    assert [found["metadata"]["name"] for found in api.all(ROLE_BINDINGS)] == ["a-first"]


async def test_an_emptied_binding_that_stands_is_not_ended_again_and_again(api: FakeApi, cluster: Cluster, now: Now) -> None:
    empty = binding_manifest(ACCESS_REQUEST, grant(), None)
    del empty["subjects"]
    api.put(ROLE_BINDINGS, empty | {"metadata": empty["metadata"] | {"finalizers": ["x.dev/keep"]}})
    assert await sweep_grants(cluster, ACCESS_REQUEST, now) == 0
    assert api.writes == []


async def test_access_without_a_record_is_counted_once_it_is_ended_or_not(api: FakeApi, cluster: Cluster, now: Now) -> None:
    counted: list[bool] = []
    stray = partial(end_stray, cluster, ACCESS_REQUEST, now, count=lambda _resource, ended: counted.append(ended))
    first = binding_manifest(ACCESS_REQUEST, grant(), None)
    api.put(ROLE_BINDINGS, first)
    api.fail("DELETE rolebindings", 403, "delete protection")
    api.fail("PUT rolebindings", 403, "update protection")
    with pytest.raises(NotEnded):
        await stray(GRANT_KEY)
    await stray(GRANT_KEY)
    await stray(GRANT_KEY)
    assert counted == [False, True]


async def test_a_comparison_counts_them_too(api: FakeApi, cluster: Cluster, now: Now) -> None:
    counted: list[tuple[Resource, bool]] = []
    api.put(ROLE_BINDINGS, binding_manifest(ACCESS_REQUEST, grant(), None))
    await compare(cluster, ACCESS_REQUEST, now, None, lambda resource, ended: counted.append((resource, ended)))
    assert counted == [(REQUESTS, True)]
