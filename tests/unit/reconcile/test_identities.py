"""Access delivered as a temporary identity: made in order, held against what there is, and ended whatever stands in the way."""

from dataclasses import dataclass
from typing import Any

import pytest

from jitaccess.domain.model import Key
from jitaccess.kube.api import Cluster
from jitaccess.manifests.accounts import account_key
from jitaccess.manifests.grant import grant_name
from jitaccess.manifests.kinds import ACCESS_POLICY, ACCESS_REQUEST
from jitaccess.manifests.resources import JOBS, POLICIES, REQUESTS, ROLE_BINDINGS, ROLES, SERVICE_ACCOUNTS, Resource
from jitaccess.publish.events import Announcer
from jitaccess.publish.publisher import Publisher
from jitaccess.reconcile.comparing import compare
from jitaccess.reconcile.leftovers import sweep_identities
from jitaccess.reconcile.policies import PolicyReconciler
from jitaccess.reconcile.recorder import Tools
from jitaccess.reconcile.requests import RequestReconciler
from jitaccess.workqueue.schedule import Schedule, Target
from jitaccess.workqueue.store import Store
from unit.conftest import Now
from unit.examples import (
    ALICE,
    BOB,
    KEY,
    NAMESPACE,
    POLICY_KEY,
    UID,
    approved_by,
    complete_installation,
    policy_manifest,
    request_manifest,
)
from unit.fake_api import FakeApi

BINDING_KEY = Key(NAMESPACE, grant_name(KEY, UID))
ACCOUNT = account_key(KEY, UID)
PARTS = (SERVICE_ACCOUNTS, ROLES, ROLE_BINDINGS)
STATUS = "PATCH accessrequests/status"
ENDED = ["DELETE rolebindings", "DELETE rolebindings", "DELETE roles", "DELETE serviceaccounts", STATUS, "DELETE jobs"]


@dataclass
class Bench:
    """Alice's request, under a policy that delivers identities; nothing is left out but Kopf."""

    api: FakeApi
    cluster: Cluster
    tools: Tools
    requests: RequestReconciler
    now: Now

    async def looks(self) -> None:
        await self.requests.reconcile(KEY)

    @property
    def status(self) -> dict[str, Any]:
        found = self.api.get(REQUESTS, KEY)
        assert found
        return dict(found.get("status") or {})

    @property
    def reasons(self) -> list[str]:
        return [entry["reason"] for entry in self.status["history"]]

    def condition(self, kind: str) -> dict[str, Any]:
        return next((dict(c) for c in self.status["conditions"] if c["type"] == kind), {})

    @property
    def left(self) -> set[str]:
        """The kinds of what there is of the identity."""
        return {resource.kind for resource in (*PARTS, JOBS) if self.api.get(resource, ACCOUNT)}

    async def compared(self) -> set[Key]:
        return (await compare(self.cluster, ACCESS_REQUEST, self.now)).look


async def never(_: Target) -> None:
    raise AssertionError("the clock does not run in these tests")


@pytest.fixture
def bench(api: FakeApi, cluster: Cluster, now: Now) -> Bench:
    api.put_role("view", {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]})
    api.put(POLICIES, policy_manifest(delivery="Identity"))
    api.put(REQUESTS, request_manifest(approvals=approved_by(BOB)))
    installation = complete_installation()
    store, schedule = Store([REQUESTS], [POLICIES]), Schedule(never, now)
    tools = Tools(cluster, store, schedule, Publisher(Announcer(cluster)), installation, now)
    return Bench(api, cluster, tools, RequestReconciler(tools, ACCESS_REQUEST), now)


@pytest.fixture
async def active(bench: Bench) -> Bench:
    """An hour granted at T0; calls are counted from here."""
    await bench.looks()
    assert bench.status["state"] == "Active"
    bench.api.forget_calls()
    return bench


async def test_the_record_goes_before_the_account_and_the_access_comes_last(bench: Bench) -> None:
    await bench.looks()
    made = ["POST jobs", STATUS, "POST serviceaccounts", "POST roles", "POST rolebindings", "POST rolebindings"]
    assert bench.api.writes == made
    assert bench.api.all(ROLE_BINDINGS)[-1]["metadata"]["name"] == BINDING_KEY.name, "the last of all"
    assert bench.api.dry_runs == ["POST serviceaccounts", "POST roles", "POST rolebindings"]
    assert bench.status["identity"] == f"system:serviceaccount:jitaccess-grants:{ACCOUNT.name}"
    guarded = bench.condition("ExpiryGuarded")
    assert (guarded["status"], guarded["reason"]) == ("True", "JobCreated")


async def test_the_job_owns_what_makes_somebody_the_account_and_the_request_owns_the_binding(active: Bench) -> None:
    job, binding = active.api.get(JOBS, ACCOUNT), active.api.get(ROLE_BINDINGS, BINDING_KEY)
    assert job
    assert binding
    assert "ownerReferences" not in job["metadata"], "an owner in another namespace is none"
    for resource in PARTS:
        part = active.api.get(resource, ACCOUNT)
        assert part
        assert [owner["uid"] for owner in part["metadata"]["ownerReferences"]] == [job["metadata"]["uid"]]
    assert [owner["uid"] for owner in binding["metadata"]["ownerReferences"]] == [UID]
    account = {"kind": "ServiceAccount", "name": ACCOUNT.name, "namespace": "jitaccess-grants"}
    assert binding["subjects"] == [account]
    right = active.api.get(ROLE_BINDINGS, ACCOUNT)
    assert right
    assert [subject["name"] for subject in right["subjects"]] == [ALICE]


async def test_at_the_end_the_binding_goes_first_then_the_right_then_the_account_then_the_record_then_the_job(
    active: Bench,
) -> None:
    active.now.passes(hours=1)
    await active.looks()
    assert active.api.writes == ENDED[:1], "of many that end at once, every binding goes first"
    await active.looks()
    assert active.api.writes == ENDED
    assert (active.status["state"], active.left, active.api.get(ROLE_BINDINGS, BINDING_KEY)) == ("Expired", set(), None)


async def test_a_binding_that_cannot_be_ended_takes_the_identity_along_all_the_same_and_says_so(active: Bench) -> None:
    active.api.annotate(REQUESTS, KEY, revocations="alice@example.com: done")
    active.api.fail("DELETE rolebindings", 403, "protected")
    active.api.fail("PUT rolebindings", 403, "protected")
    await active.looks()
    assert (active.status["state"], active.condition("Granted")["reason"]) == ("Active", "EndRefused")
    assert active.left == {"Job"}, "nobody can be the account any more"
    await active.looks()
    assert (active.status["state"], active.left) == ("Revoked", set())


@pytest.mark.parametrize("part", [pytest.param(part, id=part.kind) for part in PARTS])
async def test_what_cannot_be_removed_of_an_identity_delays_no_record(active: Bench, part: Resource) -> None:
    active.api.annotate(REQUESTS, KEY, revocations="alice@example.com: done")
    if part is ROLE_BINDINGS:
        found = active.api.get(part, ACCOUNT)
        assert found
        found["metadata"]["finalizers"] = ["example.com/kept"]
    else:
        active.api.fail(f"DELETE {part.plural}", 403, "protected")
    await active.looks()
    assert active.status["state"] == "Revoked"
    assert active.api.get(ROLE_BINDINGS, BINDING_KEY) is None
    right = active.api.get(ROLE_BINDINGS, ACCOUNT)
    assert not (right or {}).get("subjects"), "nobody can impersonate the account"


@pytest.mark.parametrize("part", [pytest.param(part, id=part.kind) for part in PARTS])
async def test_what_somebody_takes_of_an_identity_is_noticed_and_put_back(active: Bench, part: Resource) -> None:
    assert await active.compared() == set(), "nothing differs"
    active.api.remove(part, ACCOUNT)
    assert await active.compared() == {KEY}
    await active.looks()
    assert active.left == {"ServiceAccount", "Role", "RoleBinding", "Job"}
    assert active.reasons[-1] == "IdentityRestored"
    assert part.kind in active.status["history"][-1]["message"]
    assert await active.compared() == set()


@pytest.mark.parametrize(
    ("part", "changed"),
    [
        pytest.param(ROLES, {"rules": []}, id="what-the-role-allows"),
        pytest.param(ROLE_BINDINGS, {"subjects": []}, id="who-has-it"),
    ],
)
async def test_what_somebody_changes_of_an_identity_is_made_anew(active: Bench, part: Resource, changed: dict[str, Any]) -> None:
    found = active.api.get(part, ACCOUNT)
    assert found
    active.api.put(part, {**found, **changed})
    assert await active.compared() == {KEY}
    await active.looks()
    assert await active.compared() == set()
    restored = active.api.get(part, ACCOUNT)
    assert restored
    assert all(restored[field] == found[field] for field in changed)


async def test_an_object_of_that_name_that_is_not_ours_is_never_adopted(bench: Bench) -> None:
    bench.api.put(SERVICE_ACCOUNTS, {"metadata": {"name": ACCOUNT.name, "namespace": ACCOUNT.namespace}})
    await bench.looks()
    assert bench.condition("Granted")["reason"] == "NameTaken"
    assert bench.api.get(ROLE_BINDINGS, BINDING_KEY) is None, "no access"


async def test_a_finalizer_on_the_right_to_impersonate_is_told(active: Bench) -> None:
    found = active.api.get(ROLE_BINDINGS, ACCOUNT)
    assert found
    found["metadata"]["finalizers"] = ["example.com/kept"]
    assert await active.compared() == {KEY}
    await active.looks()
    assert (active.condition("ExpiryGuarded")["status"], active.condition("ExpiryGuarded")["reason"]) == (
        "False",
        "FinalizerAdded",
    )


async def test_a_finalizer_on_the_binding_keeps_nothing_alive(active: Bench) -> None:
    found = active.api.get(ROLE_BINDINGS, BINDING_KEY)
    assert found
    found["metadata"]["finalizers"] = ["example.com/kept"]
    await active.looks()
    assert active.condition("ExpiryGuarded")["status"] == "True"
    assert await active.compared() == set()


async def test_access_whose_job_is_gone_is_over_and_so_is_the_identity(active: Bench) -> None:
    active.api.remove(JOBS, ACCOUNT)
    assert await active.compared() == {KEY}
    await active.looks()
    assert (active.reasons[-1], active.left) == ("GuardGone", set())


async def test_without_the_component_nothing_is_recorded_as_granted(bench: Bench) -> None:
    bench.api.fail("POST serviceaccounts", 403, "no rights", times=2)
    await bench.looks()
    granted = bench.condition("Granted")
    assert (bench.status["state"], granted["reason"]) == ("Pending", "IdentityRefused")
    assert "deploy/components/identities" in granted["message"]
    assert bench.api.writes == [STATUS]


async def test_a_component_that_is_removed_while_access_lasts_is_said(active: Bench) -> None:
    active.api.fail("GET serviceaccounts", 403, "no rights")
    await active.looks()
    assert (active.status["state"], active.condition("Granted")["reason"]) == ("Active", "IdentityRefused")


async def test_a_role_that_comes_out_different_is_deleted_and_said(bench: Bench) -> None:
    def widen(role: dict[str, Any]) -> None:
        if role["metadata"]["name"] == ACCOUNT.name:
            role["rules"] = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]

    bench.api.mutate(ROLES, widen)
    await bench.looks()
    assert (bench.status["state"], bench.condition("Granted")["reason"]) == ("Active", "IdentityRefused")
    assert bench.api.get(ROLES, ACCOUNT) is None
    assert bench.api.get(ROLE_BINDINGS, BINDING_KEY) is None, "no access"


@pytest.mark.parametrize("sweeping", [True, False], ids=["the one-shot", "the comparison"])
async def test_an_identity_whose_request_is_gone_is_ended(active: Bench, sweeping: bool) -> None:
    active.api.remove(REQUESTS, KEY)
    await (sweep_identities(active.cluster, ACCESS_REQUEST, active.now) if sweeping else active.compared())
    assert active.left == set()


async def test_an_identity_whose_time_is_up_is_ended_by_the_one_shot(active: Bench) -> None:
    await sweep_identities(active.cluster, ACCESS_REQUEST, active.now)
    assert active.left == {"ServiceAccount", "Role", "RoleBinding", "Job"}
    active.now.passes(hours=1)
    await sweep_identities(active.cluster, ACCESS_REQUEST, active.now)
    assert active.left == set()


async def test_a_grant_goes_on_as_it_was_delivered(active: Bench) -> None:
    active.api.put(POLICIES, policy_manifest(delivery="Binding"))
    await active.looks()
    assert active.api.writes == []
    active.now.passes(hours=1)
    await active.looks()
    await active.looks()
    assert active.api.writes == ENDED


@pytest.mark.parametrize(("status", "message"), [(403, "no rights"), (404, 'namespaces "jitaccess-grants" not found')])
async def test_a_policy_that_cannot_deliver_says_so_and_hands_out_no_rights(bench: Bench, status: int, message: str) -> None:
    policies = PolicyReconciler(bench.tools, ACCESS_POLICY)
    bench.api.fail("POST serviceaccounts", status, message)
    bench.api.fail("POST roles", status, message)
    await policies.reconcile(POLICY_KEY)
    found = bench.api.get(POLICIES, POLICY_KEY)
    assert found
    [ready] = [condition for condition in found["status"]["conditions"] if condition["type"] == "Ready"]
    assert (ready["status"], ready["reason"]) == ("False", "IdentityRefused")
    assert "deploy/components/identities" in ready["message"]
    assert message in ready["message"]
    assert [each for each in bench.api.all(ROLES) if each["metadata"]["namespace"] == NAMESPACE] == []
