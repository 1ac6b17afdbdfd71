"""One policy for every namespace with a label: in force where it selects, within seconds, and nowhere else."""

import itertools
import os
from collections.abc import Iterator
from typing import Any

import pytest

from pace import promptly
from team import CLUSTER_POLICIES, REQUESTS, Team, cluster_policy_manifest, eventually, new_team

SOON = 5.0  # seconds of an onlooker, while the operator leads
_numbers = itertools.count(1)


@pytest.fixture
def fleet(team: Team) -> Iterator[str]:
    """A policy for the namespaces with a label that no other test has; its name is the label's value too."""
    name = f"fleet-{os.getpid()}-{next(_numbers)}"
    selector = {"matchLabels": {"fleet": name}}
    team.admin.create(CLUSTER_POLICIES, cluster_policy_manifest(name, namespaceSelector=selector)).sure()
    yield name
    team.drop(name)


def label(team: Team, value: str | None) -> None:
    """Move the team's namespace in, or out."""
    team.admin.merge("namespaces", team.namespace, {"metadata": {"labels": {"fleet": value}}}).sure()


def reaches(team: Team, fleet: str) -> bool:
    """Whether the authorizer lets alice ask and bob decide there."""
    return all(
        team.person(who).may(verb, CLUSTER_POLICIES, group="jitaccess.dev", name=fleet)
        for who, verb in (("alice", "request"), ("bob", "approve"))
    )


def under(fleet: str) -> dict[str, Any]:
    return {"policyRef": {"kind": "ClusterAccessPolicy", "name": fleet}}


def joined(team: Team, fleet: str) -> Team:
    """The team, once the policy reaches its namespace."""
    label(team, fleet)
    promptly(team, SOON, lambda: reaches(team, fleet), "the policy reaches the namespace")
    return team


def counted(team: Team, fleet: str) -> int | None:
    return dict(team.get(fleet, CLUSTER_POLICIES).get("status") or {}).get("namespaces")


def test_a_namespace_that_gets_the_label_is_reached_and_its_people_are_granted_access(team: Team, fleet: str) -> None:
    assert not reaches(team, fleet)
    joined(team, fleet)
    name = team.granted(**under(fleet))
    eventually(lambda: team.may("alice", "list", "pods"), "the authorizer has heard of the binding")
    assert team.status(name)["conditions"][0]["status"] == "True"
    assert team.get(name)["spec"]["policyRef"]["kind"] == "ClusterAccessPolicy"
    eventually(lambda: counted(team, fleet) == 1, "the policy counts its namespaces")


def test_a_new_namespace_with_the_label_is_reached(team: Team, fleet: str) -> None:
    other = f"{team.namespace}-new"
    team.admin.create("namespaces", {"metadata": {"name": other, "labels": {"fleet": fleet}}}).sure()
    alice = team.person("alice").at(other)
    holds = lambda: alice.may("request", CLUSTER_POLICIES, group="jitaccess.dev", name=fleet)  # noqa: E731
    promptly(team, SOON, holds, "the policy reaches the new namespace")


def test_a_namespace_that_loses_the_label_loses_the_policy_and_its_grants(team: Team, fleet: str) -> None:
    joined(team, fleet)
    active, pending = team.granted(**under(fleet)), team.request(**under(fleet))
    team.until(pending, "Pending")
    label(team, None)
    promptly(team, SOON, lambda: team.state(active) == "Revoked", "the grant ends")
    promptly(team, SOON, lambda: team.state(pending) == "Denied", "what was asked for is denied")
    promptly(team, SOON, lambda: not reaches(team, fleet), "the policy is gone there")
    assert {team.status(name)["history"][-1]["reason"] for name in (active, pending)} == {"NamespaceNotSelected"}
    assert team.binding(active) is None
    eventually(lambda: not team.may("alice", "list", "pods"), "alice may nothing")
    eventually(lambda: counted(team, fleet) == 0, "and the policy counts it no more")


def test_a_label_taken_away_while_nobody_looks_still_keeps_access_from_being_granted(team: Team, fleet: str) -> None:
    joined(team, fleet)
    name = team.request(**under(fleet))
    team.until(name, "Pending")
    operator = team.system.operator
    assert operator
    operator.pause()
    try:
        label(team, None)
        team.decide("bob", "approve", name)
    finally:
        operator.resume()
    team.until(name, "Denied")
    assert team.binding(name) is None


def test_a_deleted_policy_leaves_nothing_behind_and_its_grants_end(team: Team, fleet: str) -> None:
    joined(team, fleet)
    name = team.granted(**under(fleet))
    team.admin.delete(CLUSTER_POLICIES, fleet).sure()
    team.until(name, "Revoked")
    eventually(lambda: not team.items("rolebindings", f"jitaccess.dev/policy={fleet}"), "the bindings go")
    labelled = {"labelSelector": f"jitaccess.dev/policy={fleet}"}
    eventually(
        lambda: not team.admin.get("clusterroles", **labelled).sure()["items"],
        "garbage collection takes the roles with the policy",
    )


def test_a_narrowed_policy_ends_a_grant(team: Team, fleet: str) -> None:
    joined(team, fleet)
    name = team.granted(**under(fleet))
    team.admin.merge(CLUSTER_POLICIES, fleet, {"spec": {"maxDuration": "30m"}}).sure()
    team.until(name, "Revoked")


def test_two_namespaces_of_one_policy_see_nothing_of_each_other(team: Team, fleet: str) -> None:
    other = joined(new_team(team.system), fleet)
    joined(team, fleet)
    other.request(**under(fleet))
    alice = team.person("alice")
    assert alice.get(REQUESTS).ok
    assert alice.call("GET", "/apis/jitaccess.dev/v1alpha1/accessrequests").status == 403, "not all of them at once"
