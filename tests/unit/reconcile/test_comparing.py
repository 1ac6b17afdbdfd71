"""What is on record, held against what is there: a look at what differs, and at nothing else."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from jitaccess.domain.model import Key
from jitaccess.domain.risk import KNOWN
from jitaccess.kube.api import Cluster
from jitaccess.manifests.grant import grant_name
from jitaccess.manifests.kinds import ACCESS_REQUEST
from jitaccess.manifests.parse import parse_request
from jitaccess.manifests.resources import CLUSTER_ROLES, JOBS, POLICIES, REQUESTS, ROLE_BINDINGS
from jitaccess.publish.events import Announcer
from jitaccess.publish.publisher import Publisher
from jitaccess.reconcile.comparing import Difference, LiveReads, apply, compare
from jitaccess.reconcile.recorder import Tools
from jitaccess.reconcile.requests import RequestReconciler
from jitaccess.workqueue.schedule import Schedule, Target
from jitaccess.workqueue.store import Store
from unit.conftest import Now
from unit.examples import (
    BOB,
    CAROL,
    HOUR,
    KEY,
    NAMESPACE,
    POLICY_KEY,
    T0,
    UID,
    approved_by,
    complete_installation,
    policy_manifest,
    request_manifest,
)
from unit.fake_api import FakeApi

GRANT_KEY = Key(NAMESPACE, grant_name(KEY, UID))
WAITING = Key(NAMESPACE, "waiting")
TARGET = Target(REQUESTS, KEY)


async def never(_: Target) -> None:
    raise AssertionError("the schedule does not run in these tests")


@dataclass
class Bench:
    """A cluster with one active and one waiting request, as an operator left it that is gone."""

    api: FakeApi
    cluster: Cluster
    now: Now

    async def compared(self, *, thorough: bool = True) -> Difference:
        return await compare(self.cluster, ACCESS_REQUEST, self.now, LiveReads(self.cluster, KNOWN) if thorough else None)


@pytest.fixture
async def bench(api: FakeApi, cluster: Cluster, now: Now) -> Bench:
    api.put_role("view", {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]})
    api.put(POLICIES, policy_manifest())
    api.put(REQUESTS, request_manifest(approvals=approved_by(BOB)))
    api.put(REQUESTS, request_manifest(WAITING.name, uid="9f9f9f9f-0000-4000-8000-000000000009"))
    installation = complete_installation()
    tools = Tools(cluster, Store([REQUESTS], [POLICIES]), Schedule(never, now), Publisher(Announcer(cluster)), installation, now)
    for key in (KEY, WAITING):
        await RequestReconciler(tools, ACCESS_REQUEST).reconcile(key)
    api.forget_calls()
    return Bench(api, cluster, now)


async def test_what_is_as_it_should_be_needs_no_look_whatever_the_number(bench: Bench) -> None:
    found = await bench.compared()
    assert (found.look, found.due) == (set(), {KEY: T0 + HOUR, WAITING: T0 + 24 * HOUR})
    assert found.bindings == {KEY: bench.api.all(ROLE_BINDINGS)[0]["metadata"]["uid"]}
    assert bench.api.writes == []
    assert sorted(bench.api.calls) == [
        "GET accesslocks",
        "GET accesspolicies",
        "GET accessrequests",
        "GET clusterroles",
        "GET jobs",
        "GET rolebindings",
        "GET rolebindings",
    ], "five lists, one of which is for identities and one of locks, and each policy and role once"


DIFFERENCES: list[Any] = [
    pytest.param(lambda api: api.remove(ROLE_BINDINGS, GRANT_KEY), {KEY}, id="a-binding-is-missing"),
    pytest.param(lambda api: api.get(ROLE_BINDINGS, GRANT_KEY).update(subjects=[]), {KEY}, id="a-binding-is-changed"),
    pytest.param(
        lambda api: api.get(ROLE_BINDINGS, GRANT_KEY)["metadata"].update(finalizers=["x.dev/keep"]), {KEY}, id="a-finalizer-came"
    ),
    pytest.param(lambda api: api.remove(JOBS, GRANT_KEY), {KEY}, id="a-job-is-gone"),
    pytest.param(lambda api: api.get(JOBS, GRANT_KEY)["metadata"].update(uid="another"), {KEY}, id="a-job-is-another"),
    pytest.param(lambda api: api.annotate(REQUESTS, WAITING, approvals=approved_by(CAROL)), {WAITING}, id="an-approval-came"),
    pytest.param(lambda api: api.annotate(REQUESTS, WAITING, denials=approved_by(CAROL)), {WAITING}, id="a-denial-came"),
    pytest.param(lambda api: api.annotate(REQUESTS, KEY, revocations=approved_by(CAROL)), {KEY}, id="a-revocation-came"),
    pytest.param(lambda api: api.remove(POLICIES, POLICY_KEY), {KEY, WAITING}, id="the-policy-is-gone"),
    pytest.param(lambda api: api.put(POLICIES, policy_manifest(maxDuration="30m")), {KEY, WAITING}, id="the-policy-is-narrower"),
    pytest.param(
        lambda api: api.put(POLICIES, policy_manifest(metadata={"uid": "another"})), {KEY, WAITING}, id="the-policy-is-another"
    ),
    pytest.param(
        lambda api: api.put_role("view", {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}),
        {KEY, WAITING},
        id="the-role-is-riskier",
    ),
    pytest.param(lambda api: api.remove(CLUSTER_ROLES, Key("", "view")), set(), id="a-role-that-is-gone-changes-nothing-yet"),
    pytest.param(
        lambda api: api.put(REQUESTS, request_manifest("fresh", uid="u3")), {Key(NAMESPACE, "fresh")}, id="a-request-nobody-saw"
    ),
]


@pytest.mark.parametrize(("change", "look"), DIFFERENCES)
async def test_what_differs_is_looked_at(bench: Bench, change: Callable[[FakeApi], Any], look: set[Key]) -> None:
    change(bench.api)
    assert (await bench.compared()).look == look


async def test_access_that_nobody_explains_is_ended_on_the_way(bench: Bench) -> None:
    binding = bench.api.all(ROLE_BINDINGS)[0]
    bench.api.put(ROLE_BINDINGS, {**binding, "metadata": binding["metadata"] | {"name": "odd", "uid": "odd"}})
    await bench.compared(thorough=False)
    assert [found["metadata"]["name"] for found in bench.api.all(ROLE_BINDINGS)] == [GRANT_KEY.name]


@pytest.mark.parametrize(
    ("left", "removed"),
    [
        pytest.param(request_manifest(), False, id="of-a-pending-request-stays"),
        pytest.param(request_manifest(status={"state": "Revoked", "settled": True}), True, id="of-a-settled-request-goes"),
        pytest.param(None, True, id="of-a-deleted-request-goes"),
    ],
)
async def test_jobs_that_are_left(bench: Bench, left: dict[str, Any] | None, removed: bool) -> None:
    bench.api.remove(REQUESTS, KEY)
    if left:
        bench.api.put(REQUESTS, left)
    await bench.compared(thorough=False)
    assert (bench.api.all(JOBS) == []) is removed


async def test_a_request_of_a_newer_version_stops_no_comparison(bench: Bench) -> None:
    bench.api.put(REQUESTS, request_manifest("newer", uid="u4", status={"state": "Suspended", "settled": False}))
    assert (await bench.compared()).look == set()


async def test_the_plan_has_every_deadline_and_looks_at_what_only_one_side_knows(bench: Bench) -> None:
    store, schedule = Store([REQUESTS], [POLICIES]), Schedule(never, bench.now)
    for name, uid in ((KEY.name, UID), ("vanished", "u5")):
        store.requests[REQUESTS].see(parse_request(request_manifest(name, uid=uid)))
    apply(await bench.compared(), ACCESS_REQUEST, store, schedule)
    assert set(schedule._news) == {Target(REQUESTS, WAITING), Target(REQUESTS, Key(NAMESPACE, "vanished"))}
    assert schedule._deadlines[TARGET] == (T0 + timedelta(hours=1)).timestamp()
    known = store.requests[REQUESTS].get(KEY)
    assert known
    assert known.binding == bench.api.all(ROLE_BINDINGS)[0]["metadata"]["uid"]


async def test_another_request_under_a_known_name_is_looked_at(bench: Bench) -> None:
    store, schedule = Store([REQUESTS], [POLICIES]), Schedule(never, bench.now)
    for name, uid in ((KEY.name, "before"), (WAITING.name, "9f9f9f9f-0000-4000-8000-000000000009")):
        store.requests[REQUESTS].see(parse_request(request_manifest(name, uid=uid)))
    apply(await bench.compared(), ACCESS_REQUEST, store, schedule)
    assert set(schedule._news) == {TARGET}
