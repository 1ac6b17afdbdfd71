"""Policies for many namespaces: bound where they select, and nowhere else, whatever comes, goes, or changes its labels."""

from dataclasses import dataclass
from typing import Any

import pytest

from jitaccess.domain.model import Key
from jitaccess.kube.api import Cluster
from jitaccess.kube.installation import Installation
from jitaccess.manifests.kinds import CLUSTER_ACCESS_POLICY
from jitaccess.manifests.parse import parse_policy
from jitaccess.manifests.resources import (
    CLUSTER_POLICIES,
    CLUSTER_POLICY_COUNTS,
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    NAMESPACES,
    REQUESTS,
    ROLE_BINDINGS,
)
from jitaccess.publish.events import Announcer
from jitaccess.publish.publisher import Publisher
from jitaccess.reconcile.namespaces import NamespaceReconciler
from jitaccess.reconcile.policies import PolicyReconciler
from jitaccess.reconcile.recorder import Tools
from jitaccess.workqueue.schedule import Schedule, Target
from unit.conftest import Now
from unit.examples import EMERGENCY, KEY, cluster_policy_manifest, empty_store, request
from unit.fake_api import FakeApi

PROD, WIDE = Key("", "prod"), Key("", "wide")
ASKERS, DECIDERS = "jitaccess:cluster:prod:requester", "jitaccess:cluster:prod:approver"
REVIEWERS = "jitaccess:cluster:prod:reviewer"
COUNT = Target(CLUSTER_POLICY_COUNTS, PROD)
DEPENDENT = Target(REQUESTS, KEY)


@dataclass
class Bench:
    """The operator's part for cluster policies and namespaces: team-a and team-b are prod, dev is not."""

    api: FakeApi
    tools: Tools
    policies: PolicyReconciler
    namespaces: NamespaceReconciler

    async def looks(self, policy: Key = PROD) -> None:
        await self.policies.reconcile(policy)

    async def looks_at(self, namespace: str) -> None:
        """Look at a namespace, with the policies as the watch has reported them."""
        self.tools.schedule._news.clear()
        await self.namespaces.reconcile(Key("", namespace))

    def bound(self) -> set[tuple[str, str]]:
        """Where what is bound."""
        return {
            (each["metadata"]["namespace"], each["metadata"]["name"].rpartition(":")[2])
            for each in self.api.all(ROLE_BINDINGS)
            if each["metadata"]["name"] in (ASKERS, DECIDERS, REVIEWERS)
        }

    def status(self, policy: Key = PROD) -> dict[str, Any]:
        found = self.api.get(CLUSTER_POLICIES, policy)
        assert found
        return dict(found["status"])

    def ready(self, policy: Key = PROD) -> tuple[str, str, str]:
        condition = next(each for each in self.status(policy)["conditions"] if each["type"] == "Ready")
        return condition["status"], condition["reason"], condition["message"]


async def never(_: Target) -> None:
    raise AssertionError("the clock does not run in these tests")


@pytest.fixture
async def bench(api: FakeApi, cluster: Cluster, now: Now) -> Bench:
    api.put_role("view", {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]})
    for name, env in (("team-a", "prod"), ("team-b", "prod"), ("dev", "dev"), ("kube-system", "prod")):
        api.put_namespace(name, env=env)
    api.put(CLUSTER_POLICIES, cluster_policy_manifest())
    installation = Installation()
    await installation.check(cluster)
    schedule = Schedule(never, now)
    tools = Tools(cluster, empty_store(), schedule, Publisher(Announcer(cluster)), installation, now)
    api.forget_calls()
    return Bench(api, tools, PolicyReconciler(tools, CLUSTER_ACCESS_POLICY), NamespaceReconciler(tools, CLUSTER_ACCESS_POLICY))


BOTH = {(namespace, who) for namespace in ("team-a", "team-b") for who in ("requester", "approver")}


async def test_a_policy_is_bound_in_every_namespace_that_it_selects_and_in_no_other(bench: Bench) -> None:
    await bench.looks()
    assert bench.bound() == BOTH, "kube-system carries the label too"
    assert bench.ready() == ("True", "InForce", "requests are accepted")
    assert bench.status()["namespaces"] == 2
    assert bench.status()["summary"]["reach"] == "namespaces with env=prod"
    assert {each["metadata"]["name"] for each in bench.api.all(CLUSTER_ROLES)} == {"view", ASKERS, DECIDERS}


async def test_looking_again_changes_nothing(bench: Bench) -> None:
    await bench.looks()
    before = dict(bench.api.objects)
    bench.api.forget_calls()
    await bench.looks()
    assert set(bench.api.writes) == {"PUT clusterroles"}, "the operator may not read them, so it writes what they are"
    assert {key: value["metadata"]["uid"] for key, value in bench.api.objects.items()} == {
        key: value["metadata"]["uid"] for key, value in before.items()
    }


async def test_a_policy_that_selects_nothing_says_so(bench: Bench) -> None:
    bench.api.put(CLUSTER_POLICIES, cluster_policy_manifest(namespaceSelector={"matchLabels": {"env": "staging"}}))
    await bench.looks()
    assert bench.bound() == set()
    assert bench.ready() == ("True", "InForce", "no namespace is selected yet: it selects namespaces with env=staging")
    assert bench.status()["namespaces"] == 0


async def test_a_narrower_selector_takes_the_rights_away_where_it_no_longer_selects(bench: Bench) -> None:
    await bench.looks()
    narrower = cluster_policy_manifest(
        namespaceSelector={"matchLabels": {"kubernetes.io/metadata.name": "team-a"}}, metadata={"generation": 4}
    )
    bench.api.put_namespace("team-a", **{"env": "prod", "kubernetes.io/metadata.name": "team-a"})
    bench.api.put(CLUSTER_POLICIES, narrower | {"status": bench.status()})
    await bench.looks()
    assert {namespace for namespace, _ in bench.bound()} == {"team-a"}


async def test_a_changed_list_changes_every_binding_without_a_gap(bench: Bench) -> None:
    await bench.looks()
    bench.api.forget_calls()
    changed = cluster_policy_manifest(approvers=[{"kind": "User", "name": "carol"}], metadata={"generation": 4})
    bench.api.put(CLUSTER_POLICIES, changed | {"status": bench.status()})
    await bench.looks()
    deciders = [each for each in bench.api.all(ROLE_BINDINGS) if each["metadata"]["name"] == DECIDERS]
    assert [[subject["name"] for subject in each["subjects"]] for each in deciders] == [["carol"], ["carol"]]
    assert bench.api.writes.count("PUT rolebindings") == 2
    assert "DELETE rolebindings" not in bench.api.writes


async def test_a_policy_recreated_under_its_name_takes_over_what_the_old_one_left(bench: Bench) -> None:
    await bench.looks()
    bench.api.put(CLUSTER_POLICIES, cluster_policy_manifest(metadata={"uid": "another"}))
    await bench.looks()
    owners = {each["metadata"]["ownerReferences"][0]["uid"] for each in bench.api.all(ROLE_BINDINGS)}
    assert owners == {"another"}


async def test_a_deleted_policy_leaves_no_binding(bench: Bench) -> None:
    await bench.looks()
    bench.api.remove(CLUSTER_POLICIES, PROD)
    await bench.looks()
    assert bench.bound() == set()


async def test_a_policy_of_that_name_in_a_namespace_is_another_one(bench: Bench) -> None:
    own = {"metadata": {"name": "jitaccess:prod:requester", "namespace": "team-a", "labels": {}}}
    bench.api.put(ROLE_BINDINGS, own)
    await bench.looks()
    bench.api.remove(CLUSTER_POLICIES, PROD)
    await bench.looks()
    assert bench.api.get(ROLE_BINDINGS, Key("team-a", "jitaccess:prod:requester"))


async def test_one_namespace_that_refuses_keeps_no_other_from_being_reached(bench: Bench) -> None:
    bench.api.fail("POST rolebindings", 403, "quota", times=1)
    await bench.looks()
    assert len(bench.bound()) == 3
    status, reason, message = bench.ready()
    assert (status, reason) == ("True", "InForce")
    assert "not in namespace team-a: the RoleBinding" in message
    assert "quota" in message
    assert Target(CLUSTER_POLICIES, PROD) in bench.tools.schedule._deadlines, "it is tried again"
    await bench.looks()
    assert bench.bound() == BOTH


async def test_a_role_that_cannot_be_made_keeps_the_policy_from_being_in_force(bench: Bench) -> None:
    bench.api.fail("PUT clusterroles", 403, "not labelled", times=2)
    await bench.looks()
    assert bench.bound() == set()
    assert bench.ready()[:2] == ("False", "Refused")


async def test_a_role_of_each_namespace_is_looked_up_for_each_request(bench: Bench) -> None:
    roles = [{"kind": "Role", "name": "db-reader"}, {"kind": "ClusterRole", "name": "view"}]
    bench.api.put(CLUSTER_POLICIES, cluster_policy_manifest(roles=roles))
    await bench.looks()
    assert bench.ready()[2] == "requests are accepted; looked up in the namespace of each request: Role db-reader"
    assert [role["name"] for role in bench.status()["roles"]] == ["view"]


# A namespace comes, goes, or changes its labels.


async def test_a_new_namespace_costs_what_it_needs_and_no_more(bench: Bench) -> None:
    await bench.looks()
    bench.api.put_namespace("team-c", env="prod")
    bench.api.forget_calls()
    await bench.looks_at("team-c")
    assert bench.bound() == BOTH | {("team-c", "requester"), ("team-c", "approver")}
    assert sorted(bench.api.calls) == ["GET namespaces", "GET rolebindings", "POST rolebindings", "POST rolebindings"]
    assert COUNT in bench.tools.schedule._deadlines, "and the policy counts it"


async def test_a_namespace_that_nobody_selects_costs_two_reads(bench: Bench) -> None:
    await bench.looks()
    bench.api.forget_calls()
    await bench.looks_at("dev")
    assert sorted(bench.api.calls) == ["GET namespaces", "GET rolebindings"]
    assert COUNT not in bench.tools.schedule._deadlines


async def test_a_namespace_that_loses_its_label_loses_the_bindings_and_its_requests_are_looked_at(bench: Bench) -> None:
    await bench.looks()
    asked = request(policyRef={"kind": "ClusterAccessPolicy", "name": "prod"})
    bench.tools.store.requests[REQUESTS].see(asked)
    bench.api.put_namespace("team-a", env="dev")
    await bench.looks_at("team-a")
    assert {namespace for namespace, _ in bench.bound()} == {"team-b"}
    assert DEPENDENT in bench.tools.schedule._news
    await bench.policies.recount(PROD)
    assert bench.status()["namespaces"] == 1


async def test_the_reviewers_of_a_suspended_policy_follow_the_namespaces_that_it_selects(bench: Bench) -> None:
    glass: dict[str, Any] = {"requiredApprovals": 0, "emergency": EMERGENCY}
    bench.api.put(CLUSTER_POLICIES, cluster_policy_manifest(**glass))
    await bench.looks()
    bench.api.put(CLUSTER_POLICIES, cluster_policy_manifest(**glass, suspend=True, metadata={"generation": 4}))
    await bench.looks()
    assert bench.ready()[1] == "Suspended"
    assert bench.bound() == {("team-a", "reviewer"), ("team-b", "reviewer")}
    bench.api.put_namespace("team-a", env="dev")
    bench.api.put_namespace("team-c", env="prod")
    await bench.looks_at("team-a")
    await bench.looks_at("team-c")
    assert bench.bound() == {("team-b", "reviewer"), ("team-c", "reviewer")}


async def test_a_request_in_another_namespace_is_left_alone(bench: Bench) -> None:
    await bench.looks()
    bench.tools.store.requests[REQUESTS].see(request(policyRef={"kind": "ClusterAccessPolicy", "name": "prod"}))
    bench.api.put_namespace("team-b", env="dev")
    await bench.looks_at("team-b")
    assert DEPENDENT not in bench.tools.schedule._news


async def test_a_namespace_that_is_going_is_left_alone_and_not_counted(bench: Bench) -> None:
    await bench.looks()
    bench.api.put(
        NAMESPACES, {"metadata": {"name": "team-b", "labels": {"env": "prod"}, "deletionTimestamp": "2026-07-01T02:10:00Z"}}
    )
    bench.api.forget_calls()
    await bench.looks_at("team-b")
    assert bench.api.writes == []
    await bench.policies.recount(PROD)
    assert bench.status()["namespaces"] == 1


async def test_a_binding_changed_by_hand_is_put_right_with_its_namespace(bench: Bench) -> None:
    await bench.looks()
    key = Key("team-a", DECIDERS)
    found = bench.api.get(ROLE_BINDINGS, key)
    assert found
    bench.api.put(ROLE_BINDINGS, found | {"subjects": [{"kind": "User", "name": "mallory"}]})
    await bench.looks_at("team-a")
    again = bench.api.get(ROLE_BINDINGS, key)
    assert again
    assert [subject["name"] for subject in again["subjects"]] == ["leads"]


async def test_a_policy_that_is_news_while_a_namespace_is_looked_at_has_it_looked_at_again(bench: Bench) -> None:
    await bench.looks()
    newer = cluster_policy_manifest(metadata={"resourceVersion": "99999", "generation": 9})

    bench.api.before("GET rolebindings", lambda: bench.tools.store.policies[CLUSTER_POLICIES].see(parse_policy(newer)))
    await bench.looks_at("team-a")
    assert Target(NAMESPACES, Key("", "team-a")) in bench.tools.schedule._news


async def test_a_namespace_that_is_news_while_a_policy_is_looked_at_is_looked_at_after_it(bench: Bench) -> None:
    bench.api.before("PUT clusterroles", lambda: bench.tools.store.namespaces.see("team-a", {"env": "dev"}))
    await bench.looks()
    assert Target(NAMESPACES, Key("", "team-a")) in bench.tools.schedule._news
    assert Target(NAMESPACES, Key("", "team-b")) not in bench.tools.schedule._news


async def test_a_namespace_that_is_news_while_the_record_is_written_is_looked_at_once_the_policy_is_in_force(
    bench: Bench,
) -> None:
    """Else a look at it in between finds no policy in force, and nobody comes back."""

    def labelled() -> None:
        bench.api.put_namespace("dev", env="prod")
        bench.tools.store.namespaces.see("dev", {"env": "prod"})
        assert Target(NAMESPACES, Key("", "dev")) not in bench.tools.schedule._news, "not before the record"

    bench.api.before("PATCH clusteraccesspolicies/status", labelled)
    await bench.looks()
    assert Target(NAMESPACES, Key("", "dev")) in bench.tools.schedule._news
    await bench.looks_at("dev")
    assert ("dev", "approver") in bench.bound()


# Cluster-wide.


async def test_without_its_component_a_cluster_wide_policy_says_so_and_gives_nothing(bench: Bench, cluster: Cluster) -> None:
    bench.api.forbidden = {"clusterrolebindings"}
    await bench.tools.installation.check(cluster)
    bench.api.put(CLUSTER_POLICIES, cluster_policy_manifest("wide", namespaceSelector=None, clusterWide=True))
    await bench.looks(WIDE)
    assert bench.ready(WIDE) == (
        "False",
        "ComponentMissing",
        "the operator may not make ClusterRoleBindings: add the component deploy/components/cluster-wide to your kustomization",
    )
    assert bench.api.all(CLUSTER_ROLE_BINDINGS) == []
    bench.api.forbidden = set()
    assert await bench.tools.installation.check(cluster), "what is installed since is news"
    await bench.looks(WIDE)
    assert bench.ready(WIDE)[:2] == ("True", "InForce")
    assert len(bench.api.all(CLUSTER_ROLE_BINDINGS)) == 2
    assert "namespaces" not in bench.status(WIDE)


async def test_before_it_is_known_what_is_installed_nothing_is_said_and_nothing_taken_away(bench: Bench) -> None:
    bench.api.put(CLUSTER_POLICIES, cluster_policy_manifest("wide", namespaceSelector=None, clusterWide=True))
    await bench.looks(WIDE)
    bench.tools.installation.components = None
    bench.api.forget_calls()
    await bench.looks(WIDE)
    assert bench.api.writes == []
    assert bench.ready(WIDE)[:2] == ("True", "InForce")
    assert Target(CLUSTER_POLICIES, WIDE) in bench.tools.schedule._deadlines


async def test_a_policy_recreated_for_namespaces_leaves_nothing_cluster_wide(bench: Bench) -> None:
    bench.api.put(CLUSTER_POLICIES, cluster_policy_manifest(namespaceSelector=None, clusterWide=True))
    await bench.looks()
    assert len(bench.api.all(CLUSTER_ROLE_BINDINGS)) == 2
    bench.api.put(CLUSTER_POLICIES, cluster_policy_manifest(metadata={"uid": "another"}))
    await bench.looks()
    assert bench.api.all(CLUSTER_ROLE_BINDINGS) == []
    assert bench.bound() == BOTH


async def test_what_may_stop_jitaccess_is_hinted_at_cluster_wide_alone(bench: Bench) -> None:
    bench.api.put_role("restart", {"apiGroups": [""], "resources": ["pods"], "verbs": ["delete"]})
    roles = [{"kind": "ClusterRole", "name": "restart"}]
    bench.api.put(CLUSTER_POLICIES, cluster_policy_manifest(roles=roles))
    bench.api.put(CLUSTER_POLICIES, cluster_policy_manifest("wide", namespaceSelector=None, clusterWide=True, roles=roles))
    for policy in (PROD, WIDE):
        await bench.looks(policy)
    assert bench.ready()[2] == "requests are accepted"
    assert "may keep jitaccess from running, and this access from ending, through pods" in bench.ready(WIDE)[2]
