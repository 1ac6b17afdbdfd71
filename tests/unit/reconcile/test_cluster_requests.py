"""Requests of the cluster, and requests under policies for many namespaces: one life, by the table."""

from dataclasses import dataclass
from typing import Any

import pytest

from jitaccess.app import operator as operator_module
from jitaccess.domain.model import Key
from jitaccess.kube.api import Cluster
from jitaccess.kube.installation import Installation
from jitaccess.manifests.grant import grant_name
from jitaccess.manifests.kinds import ACCESS_REQUEST, CLUSTER_ACCESS_REQUEST, RequestKind
from jitaccess.manifests.resources import (
    CLUSTER_POLICIES,
    CLUSTER_REQUESTS,
    CLUSTER_ROLE_BINDINGS,
    JOBS,
    REQUESTS,
    ROLE_BINDINGS,
)
from jitaccess.publish.events import Announcer
from jitaccess.publish.publisher import Publisher
from jitaccess.reconcile.comparing import LiveReads, compare
from jitaccess.reconcile.recorder import Tools
from jitaccess.reconcile.requests import RequestReconciler
from jitaccess.reconcile.sweep import sweep_grants
from jitaccess.workqueue.schedule import Schedule, Target
from unit.conftest import Now
from unit.examples import (
    BOB,
    KEY,
    NAME,
    NAMESPACE,
    UID,
    approved_by,
    cluster_policy_manifest,
    cluster_request_manifest,
    empty_store,
    request_manifest,
)
from unit.fake_api import FakeApi

WIDE = Key("", NAME)
GRANT = grant_name(WIDE, UID)
STATUS, BINDING, NO_BINDING = "PATCH clusteraccessrequests/status", "POST clusterrolebindings", "DELETE clusterrolebindings"
UNDER_PROD: dict[str, Any] = {"policyRef": {"kind": "ClusterAccessPolicy", "name": "prod"}}


@dataclass
class Bench:
    """The operator's part for requests of one kind."""

    api: FakeApi
    tools: Tools
    kind: RequestKind
    key: Key

    def __post_init__(self) -> None:
        self.requests = RequestReconciler(self.tools, self.kind)

    async def looks(self) -> None:
        """Reconcile as long as there is news."""
        target = Target(self.kind.resource, self.key)
        for _ in range(20):
            self.tools.schedule._news.pop(target, None)
            await self.requests.reconcile(self.key)
            if target not in self.tools.schedule._news:
                return
        raise AssertionError("a loop without a pause")

    def approve(self) -> None:
        self.api.annotate(self.kind.resource, self.key, approvals=approved_by(BOB))

    @property
    def status(self) -> dict[str, Any]:
        found = self.api.get(self.kind.resource, self.key)
        assert found
        return dict(found.get("status") or {})

    @property
    def state(self) -> tuple[str, str]:
        return self.status["state"], self.condition("Granted")[1]

    def condition(self, kind: str) -> tuple[str, str, str]:
        found = next(each for each in self.status["conditions"] if each["type"] == kind)
        return found["status"], found["reason"], found["message"]


async def never(_: Target) -> None:
    raise AssertionError("the clock does not run in these tests")


@pytest.fixture
async def tools(api: FakeApi, cluster: Cluster, now: Now) -> Tools:
    api.put_role("view", {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]})
    api.put_namespace(NAMESPACE, env="prod")
    api.put(CLUSTER_POLICIES, cluster_policy_manifest())
    api.put(CLUSTER_POLICIES, cluster_policy_manifest("wide", namespaceSelector=None, clusterWide=True))
    installation = Installation()
    await installation.check(cluster)
    installation.problems = ()
    api.forget_calls()
    return Tools(cluster, empty_store(), Schedule(never, now), Publisher(Announcer(cluster)), installation, now)


@pytest.fixture
def wide(api: FakeApi, tools: Tools) -> Bench:
    """Alice asks for view in the whole cluster."""
    api.put(CLUSTER_REQUESTS, cluster_request_manifest())
    return Bench(api, tools, CLUSTER_ACCESS_REQUEST, WIDE)


@pytest.fixture
def fleet(api: FakeApi, tools: Tools) -> Bench:
    """Alice asks for view in her namespace, under a policy for many."""
    api.put(REQUESTS, request_manifest(**UNDER_PROD))
    return Bench(api, tools, ACCESS_REQUEST, KEY)


async def test_a_cluster_wide_life_has_no_job_and_two_writes_less(wide: Bench, now: Now) -> None:
    await wide.looks()
    wide.approve()
    await wide.looks()
    assert (wide.state, wide.api.writes) == (("Active", "Granted"), [STATUS, STATUS, BINDING]), "the record before the access"
    found = wide.api.get(CLUSTER_ROLE_BINDINGS, Key("", GRANT))
    assert found
    assert [(owner["kind"], owner["uid"]) for owner in found["metadata"]["ownerReferences"]] == [("ClusterAccessRequest", UID)]
    assert "namespace" not in found["metadata"] or found["metadata"]["namespace"] == ""
    now.passes(hours=1)
    await wide.looks()
    assert (wide.state, wide.api.writes[3:]) == (("Expired", "DurationElapsed"), [NO_BINDING, STATUS])
    assert wide.api.all(JOBS) == []


async def test_it_is_on_record_that_only_the_operator_and_the_sweep_end_it(wide: Bench) -> None:
    wide.approve()
    await wide.looks()
    status, reason, message = wide.condition("ExpiryGuarded")
    assert (status, reason) == ("False", "SweepOnly")
    assert "CronJob jitaccess-sweep" in message
    await wide.looks()
    assert [entry["reason"] for entry in wide.status["history"]].count("ExpiryUnguarded") == 1, "it is told once"


async def test_without_its_component_nothing_is_granted_and_it_waits(wide: Bench) -> None:
    wide.tools.installation.components = frozenset()
    wide.approve()
    await wide.looks()
    assert wide.state == ("Pending", "NotInstalled")
    assert "deploy/components/cluster-wide" in wide.condition("Granted")[2]
    assert wide.api.all(CLUSTER_ROLE_BINDINGS) == []
    wide.tools.installation.components = frozenset({"cluster-wide"})
    await wide.looks()
    assert wide.state == ("Active", "Granted")


async def test_before_it_is_known_what_is_installed_it_waits_and_nothing_is_said_to_be_missing(wide: Bench) -> None:
    installed, wide.tools.installation.components = wide.tools.installation.components, None
    wide.approve()
    await wide.looks()
    assert wide.api.all(CLUSTER_ROLE_BINDINGS) == []
    assert "NotInstalled" not in [entry["reason"] for entry in wide.status.get("history", [])]
    wide.tools.installation.components = installed
    await wide.looks()
    assert wide.state == ("Active", "Granted")


async def test_a_role_for_namespaces_alone_is_not_bound_and_the_way_out_is_said(wide: Bench) -> None:
    refusal = "the jitaccess operator may not bind ClusterRole view cluster-wide: it lacks the verb bind-cluster-wide; add ..."
    wide.api.fail(BINDING, 403, refusal, times=5)
    wide.approve()
    await wide.looks()
    assert wide.state == ("Pending", "BindForbidden")
    message = wide.condition("Granted")[2]
    assert "ClusterRole jitaccess-grantable-cluster-wide" in message
    assert "verbs [get, bind, bind-cluster-wide]" in message


async def test_a_cluster_wide_end_that_cannot_be_looked_at_is_said_and_never_called_over(wide: Bench, now: Now) -> None:
    wide.approve()
    await wide.looks()
    for call in (NO_BINDING, "GET clusterrolebindings"):
        wide.api.fail(call, 403, "no", times=9)
    now.passes(hours=1)
    await wide.looks()
    assert wide.state == ("Active", "EndRefused")
    assert "still stands is not known" in wide.condition("Granted")[2]


async def test_a_request_under_a_policy_for_many_namespaces_is_granted_in_its_own(fleet: Bench) -> None:
    fleet.approve()
    await fleet.looks()
    assert fleet.state == ("Active", "Granted")
    assert [found["metadata"]["namespace"] for found in fleet.api.all(ROLE_BINDINGS)] == [NAMESPACE]
    assert len(fleet.api.all(JOBS)) == 1, "in a namespace a Job owns it, whatever the policy"


async def test_the_labels_are_read_live_before_a_grant(fleet: Bench) -> None:
    await fleet.looks()
    assert fleet.state[0] == "Pending"
    fleet.api.put_namespace(NAMESPACE, env="dev")
    fleet.approve()
    await fleet.looks()
    assert fleet.state == ("Denied", "NamespaceNotSelected")
    assert fleet.api.all(ROLE_BINDINGS) == []


async def test_access_ends_where_the_policy_no_longer_selects(fleet: Bench) -> None:
    fleet.approve()
    await fleet.looks()
    fleet.api.put_namespace(NAMESPACE, env="dev")
    await fleet.looks()
    assert fleet.state == ("Revoked", "NamespaceNotSelected")
    assert fleet.api.all(ROLE_BINDINGS) == []


async def test_an_outage_of_the_labels_is_no_verdict(fleet: Bench) -> None:
    fleet.approve()
    fleet.api.fail("GET namespaces", 503, "away")
    with pytest.raises(Exception, match="503"):
        await fleet.looks()
    assert fleet.api.writes == []
    await fleet.looks()
    assert fleet.state == ("Active", "Granted")


async def test_the_sweep_ends_cluster_wide_access_that_is_over(wide: Bench, cluster: Cluster, now: Now) -> None:
    wide.approve()
    await wide.looks()
    assert await sweep_grants(cluster, CLUSTER_ACCESS_REQUEST, now) == 0
    now.passes(hours=1)
    assert await sweep_grants(cluster, CLUSTER_ACCESS_REQUEST, now) == 1
    assert wide.api.all(CLUSTER_ROLE_BINDINGS) == []


async def test_the_one_shot_sweep_leaves_out_what_it_may_not_list(
    wide: Bench, cluster: Cluster, now: Now, caplog: pytest.LogCaptureFixture
) -> None:
    wide.api.forbidden = {"clusterrolebindings"}
    wide.api.fail("GET clusterrolebindings", 403, "no")
    with caplog.at_level("INFO"):
        assert await operator_module._sweep(cluster, CLUSTER_ACCESS_REQUEST, now) == 0
    assert "ClusterRoleBindings are not swept: the component cluster-wide is not installed" in caplog.messages


async def test_who_takes_over_finds_the_namespace_that_was_deselected_while_nobody_led(fleet: Bench, cluster: Cluster) -> None:
    fleet.approve()
    await fleet.looks()
    table = fleet.tools.table
    quiet = await compare(cluster, ACCESS_REQUEST, fleet.tools.now, LiveReads(cluster, table))
    assert quiet.look == set()
    fleet.api.put_namespace(NAMESPACE, env="dev")
    difference = await compare(cluster, ACCESS_REQUEST, fleet.tools.now, LiveReads(cluster, table))
    assert difference.look == {KEY}


async def test_cluster_wide_access_that_nobody_explains_ends_when_it_is_compared(wide: Bench, cluster: Cluster) -> None:
    wide.approve()
    await wide.looks()
    wide.api.remove(CLUSTER_REQUESTS, WIDE)
    await compare(cluster, CLUSTER_ACCESS_REQUEST, wide.tools.now)
    assert wide.api.all(CLUSTER_ROLE_BINDINGS) == []
