"""Health as GitOps tools see it: the real kstatus, asked about objects that the real operator has written."""

from collections.abc import Callable
from typing import Any

import pytest

from gitops.health import health, program
from team import POLICIES, REQUESTS, Team, eventually, policy_manifest, request_manifest

Object = dict[str, Any]
Make = Callable[[Team], Object]


@pytest.fixture(scope="session", autouse=True)
def kstatus() -> None:
    """Before anything is timed."""
    program()


def looked_at(team: Team, resource: str, name: str) -> Object:
    """The object once the operator has looked at it as it is now."""

    def is_observed() -> bool:
        found = team.get(name, resource)
        return bool(found["status"]["observedGeneration"] == found["metadata"]["generation"])

    eventually(is_observed, f"the operator has looked at {resource} {name}")
    return team.get(name, resource)


def made(team: Team, **spec: Any) -> Object:
    team.policy("policy", ready=False, **spec)
    return looked_at(team, POLICIES, "policy")


# --- policies


def policy_before_the_first_look(team: Team) -> Object:
    with team.operator_frozen():
        team.policy("policy", ready=False)
        return team.get("policy", POLICIES)


def policy_changed_since_the_last_look(team: Team) -> Object:
    made(team)
    with team.operator_frozen():
        team.admin.merge(POLICIES, "policy", {"spec": {"maxDuration": "1h"}}).sure()
        return team.get("policy", POLICIES)


def policy_in_force(team: Team) -> Object:
    return made(team)


def policy_that_asks_for_nobody(team: Team) -> Object:
    return made(team, requiredApprovals=0, approvers=[])


def policy_that_offers_too_much(team: Team) -> Object:
    return made(team, roles=[{"kind": "ClusterRole", "name": "edit"}])


def policy_that_offers_too_much_on_purpose(team: Team) -> Object:
    return made(team, roles=[{"kind": "ClusterRole", "name": "edit"}], allowPersistentRisk=True)


def policy_with_a_missing_role(team: Team) -> Object:
    return made(team, roles=[{"kind": "ClusterRole", "name": "view"}, {"kind": "Role", "name": "db-reader"}])


def policy_whose_role_came_later(team: Team) -> Object:
    policy_with_a_missing_role(team)
    role = {"metadata": {"name": "db-reader"}, "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}
    team.admin.create("roles", role).sure()
    team.until_condition("policy", "RolesFound", "True", POLICIES)
    return team.get("policy", POLICIES)


def policy_that_is_suspended(team: Team) -> Object:
    return made(team, suspend=True)


POLICY_TABLE = [
    pytest.param(policy_before_the_first_look, "InProgress", id="before-the-first-look"),
    pytest.param(policy_changed_since_the_last_look, "InProgress", id="changed-since-the-last-look"),
    pytest.param(policy_in_force, "Current", id="in-force"),
    pytest.param(policy_that_asks_for_nobody, "Current", id="in-force-without-approvers"),
    pytest.param(policy_that_offers_too_much, "Failed", id="persistent-risk"),
    pytest.param(policy_that_offers_too_much_on_purpose, "Current", id="persistent-risk-on-purpose"),
    pytest.param(policy_with_a_missing_role, "Failed", id="a-role-is-missing"),
    pytest.param(policy_whose_role_came_later, "Current", id="the-role-came-later"),
    pytest.param(policy_that_is_suspended, "Failed", id="suspended"),
]


@pytest.mark.parametrize(("make", "expected"), POLICY_TABLE)
def test_a_policy_is_as_well_as_kstatus_says(team: Team, make: Make, expected: str) -> None:
    found = make(team)
    status, message = health(found)
    assert status == expected, f"{message}: {found['status']}"


def test_what_stalls_a_policy_is_the_message_of_kstatus(team: Team) -> None:
    assert "ClusterRole edit" in health(policy_that_offers_too_much(team))[1]


# --- requests


def request_before_the_first_look(team: Team) -> Object:
    team.policy()
    with team.operator_frozen():
        return team.get(team.request())


def pending(team: Team) -> Object:
    team.policy()
    return team.until(team.request(), "Pending")


def asked(team: Team, **spec: Any) -> str:
    """A request that waits for its approvers, under a policy like that."""
    team.policy(**spec)
    name = team.request()
    team.until(name, "Pending")
    return name


def half_approved(team: Team) -> Object:
    name = asked(team, requiredApprovals=2)
    team.decide("bob", "approve", name)
    eventually(lambda: team.status(name).get("approvals"), "the approval is on record")
    return team.get(name)


def approved_with_the_role_missing(team: Team) -> Object:
    gone = {"kind": "Role", "name": "gone"}
    team.policy(roles=[gone])
    name = team.request(roleRef=gone)
    team.until(name, "Pending")
    team.decide("bob", "approve", name)
    eventually(lambda: team.condition(name, "Granted").get("reason") == "RoleNotFound", "the role is missed")
    return team.get(name)


def active(team: Team) -> Object:
    team.policy()
    return team.get(team.granted())


def expired(team: Team) -> Object:
    team.policy()
    return team.until(team.approved(duration="1s"), "Expired")


def revoked(team: Team) -> Object:
    team.policy()
    name = team.granted()
    team.decide("bob", "revoke", name)
    return team.until(name, "Revoked")


def withdrawn(team: Team) -> Object:
    name = asked(team)
    team.decide("alice", "revoke", name)
    return team.until(name, "Withdrawn")


def denied(team: Team) -> Object:
    name = asked(team)
    team.decide("bob", "deny", name)
    return team.until(name, "Denied")


def too_long(team: Team) -> Object:
    team.policy()
    return team.until(team.request(duration="5h"), "Denied")


def not_offered(team: Team) -> Object:
    team.policy()
    return team.until(team.request(roleRef={"kind": "ClusterRole", "name": "edit"}), "Denied")


def timed_out(team: Team) -> Object:
    team.policy(pendingTimeout="2s")
    return team.until(team.request(), "TimedOut")


def failed(team: Team) -> Object:
    name = approved_with_the_role_missing(team)["metadata"]["name"]
    team.runs_out(name)
    return team.until(name, "Failed")


REQUEST_TABLE = [
    pytest.param(request_before_the_first_look, "InProgress", id="before-the-first-look"),
    pytest.param(pending, "InProgress", id="pending"),
    pytest.param(half_approved, "InProgress", id="half-approved"),
    pytest.param(approved_with_the_role_missing, "InProgress", id="approved-with-the-role-missing"),
    pytest.param(active, "Current", id="active"),
    pytest.param(expired, "Current", id="expired"),
    pytest.param(revoked, "Current", id="revoked"),
    pytest.param(withdrawn, "Current", id="withdrawn"),
    pytest.param(denied, "Failed", id="denied"),
    pytest.param(too_long, "Failed", id="too-long"),
    pytest.param(not_offered, "Failed", id="not-offered"),
    pytest.param(timed_out, "Failed", id="timed-out"),
    pytest.param(failed, "Failed", id="failed"),
]


@pytest.mark.parametrize(("make", "expected"), REQUEST_TABLE)
def test_a_request_is_current_only_when_nothing_is_awaited(team: Team, make: Make, expected: str) -> None:
    found = make(team)
    status, message = health(found)
    assert status == expected, f"{message}: {found['status']}"


# --- what the table rests on


@pytest.mark.parametrize(
    ("resource", "manifest"),
    [pytest.param(POLICIES, policy_manifest("p"), id="policy"), pytest.param(REQUESTS, request_manifest("r"), id="request")],
)
def test_an_object_without_any_status_would_count_as_current(resource: str, manifest: Object) -> None:
    assert health(manifest)[0] == "Current", f"else {resource} need no default of status.observedGeneration"
