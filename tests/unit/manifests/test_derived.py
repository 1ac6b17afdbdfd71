"""The Roles and RoleBindings that a policy becomes, and which policy one of them belongs to."""

import copy
from typing import Any

import pytest

from jitaccess.domain.model import Key
from jitaccess.manifests.derived import (
    derived_bindings,
    derived_names,
    derived_roles,
    derived_selector,
    directory_manifests,
    policy_of,
)
from jitaccess.manifests.directory import DIRECTORY, entry_of, policy_of_entry
from jitaccess.manifests.grant import is_same
from jitaccess.manifests.kinds import ACCESS_POLICY, CLUSTER_ACCESS_POLICY
from unit.examples import CAROL, EMERGENCY, NAMESPACE, POLICY_KEY, cluster_policy, policy, stages_manifest

TWO = stages_manifest(lead=1, security=1)


def test_a_policy_becomes_a_role_to_ask_and_a_role_to_decide() -> None:
    approvers = [
        {"kind": "Group", "name": "leads"},
        {"kind": "User", "name": CAROL},
        {"kind": "ServiceAccount", "name": "bot", "namespace": "ci"},
    ]
    asking, deciding = derived_roles(policy(approvers=approvers), ACCESS_POLICY)
    askers, deciders = derived_bindings(policy(approvers=approvers), ACCESS_POLICY, NAMESPACE)
    assert [m["metadata"]["name"] for m in (asking, askers)] == ["jitaccess:prod-debug:requester"] * 2
    assert [m["metadata"]["name"] for m in (deciding, deciders)] == ["jitaccess:prod-debug:approver"] * 2
    assert rights(asking) == {
        ("accesspolicies", "request", "prod-debug"),
        *(("accesspolicies", verb, "*") for verb in ("get", "list", "watch")),
        *(("accessrequests", verb, "*") for verb in ("create", "get", "list", "watch", "patch")),
    }
    assert rights(deciding) == {
        ("accesspolicies", "approve", "prod-debug"),
        *(("accesspolicies", verb, "*") for verb in ("get", "list", "watch")),
        *(("accessrequests", verb, "*") for verb in ("get", "list", "watch", "patch")),
    }
    rbac = "rbac.authorization.k8s.io"
    assert deciders["subjects"] == [
        {"kind": "Group", "apiGroup": rbac, "name": "leads"},
        {"kind": "User", "apiGroup": rbac, "name": CAROL},
        {"kind": "ServiceAccount", "name": "bot", "namespace": "ci"},
    ]
    assert askers["roleRef"] == {"apiGroup": rbac, "kind": "Role", "name": "jitaccess:prod-debug:requester"}
    for made in (asking, askers, deciding, deciders):
        assert made["metadata"]["namespace"] == NAMESPACE
        assert made["metadata"]["labels"] == {
            "app.kubernetes.io/managed-by": "jitaccess",
            "jitaccess.dev/component": "policy",
            "jitaccess.dev/policy": "prod-debug",
        }
        assert [owner["uid"] for owner in made["metadata"]["ownerReferences"]] == ["p-prod-debug"]


def rights(role: dict[str, Any]) -> set[tuple[str, str, str]]:
    """What a Role allows, one by one; every rule is about our group."""
    assert all(rule["apiGroups"] == ["jitaccess.dev"] for rule in role["rules"])
    return {
        (resource, verb, name)
        for rule in role["rules"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        for name in rule.get("resourceNames", ["*"])
    }


def test_derived_names_are_those_of_the_manifests() -> None:
    made = derived_roles(policy(requiredApprovals=0, emergency=EMERGENCY), ACCESS_POLICY)
    assert derived_names(POLICY_KEY, ACCESS_POLICY) == tuple(role["metadata"]["name"] for role in made)


def test_a_policy_for_namespaces_becomes_cluster_roles_bound_in_each_of_them() -> None:
    asking, deciding = derived_roles(cluster_policy(), CLUSTER_ACCESS_POLICY)
    askers, _ = derived_bindings(cluster_policy(), CLUSTER_ACCESS_POLICY, "team-b")
    assert (asking["kind"], askers["kind"]) == ("ClusterRole", "RoleBinding")
    assert ("clusteraccesspolicies", "request", "prod") in rights(asking)
    assert ("accessrequests", "create", "*") in rights(asking)
    assert ("clusteraccesspolicies", "approve", "prod") in rights(deciding)
    assert not {verb for _, verb, _ in rights(deciding)} & {"create", "request"}
    assert askers["metadata"]["namespace"] == "team-b"
    assert askers["roleRef"]["kind"] == "ClusterRole"
    assert askers["roleRef"]["name"] == asking["metadata"]["name"] == "jitaccess:cluster:prod:requester"
    assert "namespace" not in asking["metadata"]
    assert askers["metadata"]["ownerReferences"][0]["kind"] == "ClusterAccessPolicy"


def test_a_cluster_wide_policy_is_about_cluster_access_requests_alone() -> None:
    wide = cluster_policy(namespaceSelector=None, clusterWide=True)
    asking, _ = derived_roles(wide, CLUSTER_ACCESS_POLICY)
    askers, _ = derived_bindings(wide, CLUSTER_ACCESS_POLICY, "")
    assert {resource for resource, _, _ in rights(asking)} == {"clusteraccesspolicies", "clusteraccessrequests"}
    assert (askers["kind"], "namespace" in askers["metadata"]) == ("ClusterRoleBinding", False)


@pytest.mark.parametrize(
    "name",
    [pytest.param("prod", id="short"), pytest.param("a" * 63, id="as long as a label"), pytest.param("a" * 253, id="long")],
)
def test_what_is_derived_is_found_by_the_policy_in_its_label(name: str) -> None:
    made = derived_bindings(cluster_policy(name=name), CLUSTER_ACCESS_POLICY, "team-b")[0]["metadata"]["labels"]
    wanted = dict(pair.split("=") for pair in derived_selector(CLUSTER_ACCESS_POLICY, name).split(","))
    assert wanted.items() <= made.items()
    assert len(made["jitaccess.dev/policy"]) <= 63
    other = derived_selector(CLUSTER_ACCESS_POLICY, name[:-1] + "b")
    assert dict(pair.split("=") for pair in other.split(","))["jitaccess.dev/policy"] != made["jitaccess.dev/policy"]


def test_a_derived_binding_without_subjects_is_the_same_when_read_back() -> None:
    _, deciders = derived_bindings(policy(requiredApprovals=0, approvers=None), ACCESS_POLICY, NAMESPACE)
    found = copy.deepcopy(deciders)
    del found["subjects"]  # seen on v1.36.3: `omitempty`
    assert is_same(found, deciders)


def test_a_stage_is_a_right_on_a_policy_that_cannot_be() -> None:
    asking, deciding, lead, security = derived_roles(policy(**TWO), ACCESS_POLICY)
    assert ("accesspolicies", "approve", "prod-debug:lead") in rights(lead)
    assert ("accesspolicies", "approve", "prod-debug:security") in rights(security)
    assert not {verb for _, verb, _ in rights(lead)} & {"create", "request"}
    bound = derived_bindings(policy(**TWO), ACCESS_POLICY, NAMESPACE)
    assert [[subject["name"] for subject in each["subjects"]] for each in bound] == [["developers"], [], ["lead"], ["security"]]
    assert [each["roleRef"]["name"] for each in bound] == [r["metadata"]["name"] for r in (asking, deciding, lead, security)]


def test_a_stage_of_a_policy_for_namespaces_is_bound_in_each_of_them() -> None:
    _, _, lead, _ = derived_roles(cluster_policy(**TWO), CLUSTER_ACCESS_POLICY)
    _, _, leads, _ = derived_bindings(cluster_policy(**TWO), CLUSTER_ACCESS_POLICY, "team-b")
    assert ("clusteraccesspolicies", "approve", "prod:lead") in rights(lead)
    assert leads["roleRef"]["name"] == lead["metadata"]["name"] == "jitaccess:cluster:prod:stage-lead"
    assert leads["metadata"]["namespace"] == "team-b"


def test_whoever_decides_in_a_stage_is_in_the_directory() -> None:
    _, (deciding, deciders) = directory_manifests(policy(**TWO), ACCESS_POLICY)
    assert rights(deciding) == {("accesspolicies", "approve", f"{NAMESPACE}.prod-debug")}
    assert [subject["name"] for subject in deciders["subjects"]] == ["lead", "security"]


@pytest.mark.parametrize(
    ("name", "policy_name"),
    [
        pytest.param("jitaccess:prod-debug:stage-lead", "prod-debug", id="a-stage"),
        pytest.param("jitaccess:cluster:stage-lead", "cluster", id="a stage of a policy that is called cluster"),
        pytest.param("jitaccess:prod-debug:stage-", None, id="a-stage-without-a-name"),
        pytest.param("jitaccess:prod-debug:stage-Lead", None, id="a-stage-that-cannot-be"),
        pytest.param("other:prod-debug:stage-lead", None, id="a-stage-with-another-prefix"),
        pytest.param("jitaccess:cluster:prod:stage-lead", None, id="a stage of another kind of policy"),
        pytest.param("jitaccess:prod-debug:requester", "prod-debug", id="the-requesters"),
        pytest.param("jitaccess:prod-debug:approver", "prod-debug", id="the-approvers"),
        pytest.param("jitaccess:a.b-c:approver", "a.b-c", id="a-name-with-a-dot"),
        pytest.param("odd", None, id="no-colon"),
        pytest.param("jitaccess:prod-debug", None, id="one-colon"),
        pytest.param("jitaccess:prod-debug:owner", None, id="another-role"),
        pytest.param("other:prod-debug:approver", None, id="another-prefix"),
        pytest.param("jitaccess:a:b:approver", None, id="too-many-colons"),
        pytest.param("jitaccess:cluster:prod:approver", None, id="another kind of policy"),
        pytest.param("jitaccess:cluster:approver", "cluster", id="a policy that is called cluster"),
    ],
)
def test_only_names_that_we_give_belong_to_a_policy(name: str, policy_name: str | None) -> None:
    found = policy_of(Key(NAMESPACE, name), ACCESS_POLICY)
    assert found == (Key(NAMESPACE, policy_name) if policy_name else None)


def test_the_directory_names_people_and_gives_them_nothing() -> None:
    (asking, askers), (deciding, deciders) = directory_manifests(policy(), ACCESS_POLICY)
    assert rights(asking) == {("accesspolicies", "request", f"{NAMESPACE}.prod-debug")}
    assert rights(deciding) == {("accesspolicies", "approve", f"{NAMESPACE}.prod-debug")}
    assert [subject["name"] for binding in (askers, deciders) for subject in binding["subjects"]] == ["developers", "leads"]
    for made in (asking, askers, deciding, deciders):
        assert made["metadata"]["namespace"] == DIRECTORY
        assert "ownerReferences" not in made["metadata"], "an owner in another namespace is an orphan to the garbage collector"
        assert policy_of(Key(DIRECTORY, made["metadata"]["name"]), ACCESS_POLICY) == POLICY_KEY


def test_the_directory_names_reviewers_too() -> None:
    *_, (reviewing, reviewers) = directory_manifests(policy(requiredApprovals=0, emergency=EMERGENCY), ACCESS_POLICY)
    assert rights(reviewing) == {("accesspolicies", "review", f"{NAMESPACE}.prod-debug")}
    assert [subject["name"] for subject in reviewers["subjects"]] == ["security"]


def test_reviewers_may_review_and_neither_ask_nor_approve() -> None:
    *_, reviewing = derived_roles(policy(requiredApprovals=0, emergency=EMERGENCY), ACCESS_POLICY)
    assert {verb for resource, verb, _ in rights(reviewing) if resource == "accesspolicies"} == {"review", "get", "list", "watch"}
    assert {verb for resource, verb, _ in rights(reviewing) if resource == "accessrequests"} == {"get", "list", "watch", "patch"}


def test_who_decides_nothing_is_not_in_the_directory() -> None:
    made = directory_manifests(policy(requiredApprovals=0, approvers=None), ACCESS_POLICY)
    assert [role["metadata"]["name"] for role, _ in made] == [f"jitaccess:{NAMESPACE}.prod-debug:requester"]


@pytest.mark.parametrize("key", [Key("team-a", "debug"), Key("team-a", "a.b.c"), Key("a", "b")])
def test_an_entry_names_its_policy(key: Key) -> None:
    assert policy_of_entry(entry_of(key).name) == key


@pytest.mark.parametrize("name", ["", "team-a", "team-a.", ".debug"])
def test_what_is_no_entry_names_none(name: str) -> None:
    assert policy_of_entry(name) is None


def test_what_is_derived_from_a_cluster_policy_belongs_to_one_of_no_namespace() -> None:
    assert policy_of(Key(NAMESPACE, "jitaccess:cluster:prod:approver"), CLUSTER_ACCESS_POLICY) == Key("", "prod")
    assert policy_of(Key(NAMESPACE, "jitaccess:prod:approver"), CLUSTER_ACCESS_POLICY) is None
