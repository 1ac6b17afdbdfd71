"""The Roles and RoleBindings that a policy becomes, and which policy one of them belongs to."""

import copy
from typing import Any

import pytest

from jitaccess.domain.model import Key
from jitaccess.manifests.derived import derived_manifests, derived_names, directory_manifests, policy_of
from jitaccess.manifests.directory import DIRECTORY, entry_of, policy_of_entry
from jitaccess.manifests.grant import is_same
from jitaccess.manifests.kinds import ACCESS_POLICY
from unit.examples import CAROL, NAMESPACE, POLICY_KEY, policy


def test_a_policy_becomes_a_role_to_ask_and_a_role_to_decide() -> None:
    approvers = [
        {"kind": "Group", "name": "leads"},
        {"kind": "User", "name": CAROL},
        {"kind": "ServiceAccount", "name": "bot", "namespace": "ci"},
    ]
    (asking, askers), (deciding, deciders) = derived_manifests(policy(approvers=approvers), ACCESS_POLICY)
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
        assert made["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "jitaccess", "jitaccess.dev/component": "policy"}
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
    made = derived_manifests(policy(), ACCESS_POLICY)
    assert derived_names(POLICY_KEY) == tuple(role["metadata"]["name"] for role, _ in made)


def test_a_derived_binding_without_subjects_is_the_same_when_read_back() -> None:
    _, (_, deciders) = derived_manifests(policy(requiredApprovals=0, approvers=None), ACCESS_POLICY)
    found = copy.deepcopy(deciders)
    del found["subjects"]  # seen on v1.36.3: `omitempty`
    assert is_same(found, deciders)


@pytest.mark.parametrize(
    ("name", "policy_name"),
    [
        pytest.param("jitaccess:prod-debug:requester", "prod-debug", id="the-requesters"),
        pytest.param("jitaccess:prod-debug:approver", "prod-debug", id="the-approvers"),
        pytest.param("jitaccess:a.b-c:approver", "a.b-c", id="a-name-with-a-dot"),
        pytest.param("odd", None, id="no-colon"),
        pytest.param("jitaccess:prod-debug", None, id="one-colon"),
        pytest.param("jitaccess:prod-debug:owner", None, id="another-role"),
        pytest.param("other:prod-debug:approver", None, id="another-prefix"),
        pytest.param("jitaccess:a:b:approver", None, id="too-many-colons"),
    ],
)
def test_only_names_that_we_give_belong_to_a_policy(name: str, policy_name: str | None) -> None:
    found = policy_of(Key(NAMESPACE, name))
    assert found == (Key(NAMESPACE, policy_name) if policy_name else None)


def test_the_directory_names_people_and_gives_them_nothing() -> None:
    (asking, askers), (deciding, deciders) = directory_manifests(policy(), ACCESS_POLICY)
    assert rights(asking) == {("accesspolicies", "request", f"{NAMESPACE}.prod-debug")}
    assert rights(deciding) == {("accesspolicies", "approve", f"{NAMESPACE}.prod-debug")}
    assert [subject["name"] for binding in (askers, deciders) for subject in binding["subjects"]] == ["developers", "leads"]
    for made in (asking, askers, deciding, deciders):
        assert made["metadata"]["namespace"] == DIRECTORY
        assert "ownerReferences" not in made["metadata"], "an owner in another namespace is an orphan to the garbage collector"
        assert policy_of(Key(DIRECTORY, made["metadata"]["name"])) == POLICY_KEY


def test_who_decides_nothing_is_not_in_the_directory() -> None:
    made = directory_manifests(policy(requiredApprovals=0, approvers=None), ACCESS_POLICY)
    assert [role["metadata"]["name"] for role, _ in made] == [f"jitaccess:{NAMESPACE}.prod-debug:requester"]


@pytest.mark.parametrize("key", [Key("team-a", "debug"), Key("team-a", "a.b.c"), Key("a", "b")])
def test_an_entry_names_its_policy(key: Key) -> None:
    assert policy_of_entry(entry_of(key).name) == key


@pytest.mark.parametrize("name", ["", "team-a", "team-a.", ".debug"])
def test_what_is_no_entry_names_none(name: str) -> None:
    assert policy_of_entry(name) is None
