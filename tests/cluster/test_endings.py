"""Every way in which a request or a grant ends before its time, each with its reason on record."""

from collections.abc import Callable

import pytest

from team import POLICIES, REQUESTS, Team, eventually

DEBUG_ROLE = {"kind": "ClusterRole", "name": "jitaccess-debug"}


def last(team: Team, name: str) -> tuple[str, str | None]:
    """The reason of the last transition, and whose decision it was."""
    entry = team.get(name)["status"]["history"][-1]
    return entry["reason"], entry.get("by")


def active(team: Team) -> str:
    """A request of alice that bob has approved, with its binding there."""
    return team.granted()


@pytest.mark.parametrize(
    ("user", "verb", "state", "reason"),
    [
        pytest.param("alice", "revoke", "Withdrawn", "WithdrawnByRequester", id="requester-withdraws"),
        pytest.param("bob", "deny", "Denied", "DeniedByApprover", id="approver-denies"),
        pytest.param("bob", "revoke", "Denied", "DeniedByApprover", id="approver-revokes-before-it-began"),
    ],
)
def test_a_pending_request_ends_by_a_decision(either: Team, user: str, verb: str, state: str, reason: str) -> None:
    either.policy()
    name = either.request("alice")
    either.until(name, "Pending")
    either.decide(user, verb, name, "not today")
    status = either.until(name, state)["status"]
    assert last(either, name) == (reason, user)
    assert status["settled"] is True
    assert "not today" in either.condition(name, "Granted")["message"]
    assert not either.items("jobs"), "no Job was ever needed"


@pytest.mark.parametrize(
    ("user", "verb", "reason"),
    [
        pytest.param("alice", "revoke", "RevokedByRequester", id="requester-gives-it-back"),
        pytest.param("bob", "revoke", "RevokedByApprover", id="approver-revokes"),
        pytest.param("carol", "deny", "RevokedByApprover", id="another-approver-denies-afterwards"),
    ],
)
def test_an_active_grant_ends_by_a_decision(either: Team, user: str, verb: str, reason: str) -> None:
    either.policy()
    name = active(either)
    either.decide(user, verb, name, "enough")
    either.until(name, "Revoked")
    assert last(either, name) == (reason, user)
    assert not either.binding(name)
    eventually(lambda: not either.items("jobs"), "the Job is gone too")


def narrow(change: dict[str, object]) -> Callable[[Team], None]:
    """Change the policy so that it no longer allows what was granted."""

    def apply(team: Team) -> None:
        team.admin.merge(POLICIES, "debug", {"spec": change}).sure()

    return apply


def delete_policy(team: Team) -> None:
    """Take the whole policy away."""
    team.admin.delete(POLICIES, "debug").sure()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param(delete_policy, "PolicyNotFound", id="policy-deleted"),
        pytest.param(narrow({"maxDuration": "10m"}), "DurationTooLong", id="shorter-than-what-runs"),
        pytest.param(narrow({"roles": [DEBUG_ROLE]}), "RoleNotOffered", id="role-withdrawn"),
        pytest.param(narrow({"requiredApprovals": 2}), "ApprovalsMissing", id="more-approvals-needed"),
    ],
)
def test_a_grant_ends_when_its_policy_no_longer_allows_it(team: Team, change: Callable[[Team], None], reason: str) -> None:
    team.policy()
    name = active(team)
    change(team)
    team.until(name, "Revoked")
    assert last(team, name) == (reason, None)
    assert not team.binding(name)


def test_a_policy_change_that_still_allows_it_leaves_a_grant_alone(team: Team) -> None:
    team.policy()
    name = active(team)
    before = team.binding(name)
    narrow({"maxDuration": "2h", "description": "still enough"})(team)
    generation = team.get("debug", POLICIES)["metadata"]["generation"]
    eventually(lambda: team.status("debug", POLICIES).get("observedGeneration") == generation, "the change is seen")
    assert team.state(name) == "Active"
    assert team.binding(name) == before


def test_nobody_decides_and_the_request_times_out(team: Team) -> None:
    team.policy(pendingTimeout="2s")
    name = team.request("alice")
    status = team.until(name, "TimedOut")["status"]
    assert last(team, name) == ("PendingTimeout", None)
    assert status["settledAt"] >= status["pendingUntil"], "it was given all of its time"


def test_deleting_an_active_request_ends_its_access_at_once(team: Team) -> None:
    team.policy()
    name = active(team)
    team.admin.delete(REQUESTS, name).sure()
    eventually(lambda: not team.items("rolebindings") and not team.items("jobs"), "binding and Job are gone")
    eventually(lambda: not team.may("alice", "list", "pods"), "alice may no longer list pods")


def test_a_namespace_with_a_live_grant_is_deleted_without_a_hang(team: Team) -> None:
    team.policy()
    active(team)
    team.admin.delete("namespaces", team.namespace).sure()
    eventually(lambda: team.find(team.namespace, "namespaces") is None, "the namespace is gone")


def test_a_policy_that_needs_no_human_grants_at_once(team: Team) -> None:
    team.policy(requiredApprovals=0, approvers=[])
    name = team.request("alice")
    team.until(name, "Active")
    assert team.condition(name, "Approved")["reason"] == "ApprovedByPolicy"
    short = team.request("alice", duration="2s")
    status = team.until(short, "Expired")["status"]
    assert [entry["reason"] for entry in status["history"]] == ["Requested", "Granted", "DurationElapsed"]


def test_two_approvals_are_two_people(team: Team) -> None:
    team.policy(requiredApprovals=2)
    name = team.request("alice")
    team.until(name, "Pending")
    team.decide("bob", "approve", name, "one")
    eventually(lambda: "1 more approval" in team.condition(name, "Granted")["message"], "it says that one more is needed")
    assert team.state(name) == "Pending"
    team.decide("carol", "approve", name, "two")
    status = team.until(name, "Active")["status"]
    assert [approval["by"] for approval in status["approvals"]] == ["bob", "carol"]


@pytest.mark.parametrize(
    ("fields", "reason", "words"),
    [
        pytest.param(
            {"roleRef": DEBUG_ROLE},
            "RoleNotOffered",
            "does not offer ClusterRole jitaccess-debug; it offers ClusterRole view",
            id="role-that-is-not-offered",
        ),
        pytest.param({"duration": "5h"}, "DurationTooLong", "allows at most 4h, not 5h", id="longer-than-allowed"),
    ],
)
def test_what_a_policy_does_not_allow_is_denied_with_the_way_out(
    team: Team, fields: dict[str, object], reason: str, words: str
) -> None:
    team.policy()
    name = team.request("alice", **fields)
    team.until(name, "Denied")
    assert last(team, name) == (reason, None)
    assert words in team.condition(name, "Denied")["message"]
