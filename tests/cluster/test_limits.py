"""Limits and tickets on a real control plane: at their edges, with what people are told, and what they cost."""

from typing import Any

from team import CLUSTER_POLICIES, POLICIES, REQUESTS, Team, cluster_policy_manifest, eventually, new_team

CONDITIONS = ("Approved", "Granted", "Denied")


def denial(team: Team, name: str) -> tuple[str, str]:
    """The reason of a request that was denied, and what was said."""
    last = team.until(name, "Denied")["status"]["history"][-1]
    return last["reason"], last["message"]


def test_the_last_room_is_given_and_there_is_room_again_when_access_ends(team: Team) -> None:
    team.policy(requiredApprovals=0, approvers=[], limits={"activePerRequester": 1})
    first = team.request("alice")
    until = team.until(first, "Active")["status"]["expiresAt"]
    reason, message = denial(team, team.request("alice"))
    words = f"alice has 1 of 1 grant under AccessPolicy debug; room again at {until}, when {first} ends"
    assert (reason, message) == ("LimitReached", words)
    team.decide("alice", "revoke", first)
    team.until(first, "Revoked")
    short = team.request("alice", duration="2s")
    team.until(short, "Expired")
    team.until(team.request("alice"), "Active")


def test_a_limit_counts_people_or_all_of_them(team: Team) -> None:
    team.policy(
        requiredApprovals=0,
        approvers=[],
        requesters=[{"kind": "Group", "name": "developers"}, {"kind": "Group", "name": "leads"}],
        limits={"activePerRequester": 1, "activeInTotal": 2},
    )
    for user in ("alice", "bob"):
        team.until(team.request(user), "Active")
    assert denial(team, team.request("alice"))[1].startswith("alice has 1 of 1 grant under AccessPolicy debug; room again at ")
    third = denial(team, team.request("dave"))[1]
    assert third.startswith("everybody together have 2 of 2 grants under AccessPolicy debug; room again at ")


def test_what_was_approved_meanwhile_is_asked_again_when_it_begins(team: Team) -> None:
    team.policy(limits={"activePerRequester": 1})
    names = [team.request("alice") for _ in range(3)]
    for name in names:
        team.until(name, "Pending")
        team.decide("bob", "approve", name)
    eventually(lambda: sorted(team.state(name) for name in names) == ["Active", "Denied", "Denied"], "one of three begins")
    assert {entry["reason"] for name in names for entry in team.status(name)["history"]} == {
        "Requested",
        "Approved",
        "Granted",
        "LimitReached",
    }
    refused = next(name for name in names if team.state(name) == "Denied")
    said = [(kind, team.condition(refused, kind)["status"], team.condition(refused, kind)["reason"]) for kind in CONDITIONS]
    assert said == [("Approved", "True", "Approved"), ("Granted", "False", "LimitReached"), ("Denied", "True", "LimitReached")]


def test_a_limit_that_is_lowered_ends_no_access(team: Team) -> None:
    team.policy(requiredApprovals=0, approvers=[], limits={"activeInTotal": 2})
    names = [team.request("alice") for _ in range(2)]
    for name in names:
        team.until(name, "Active")
    before = team.status("debug", POLICIES)["observedGeneration"]
    team.admin.merge(POLICIES, "debug", {"spec": {"limits": {"activeInTotal": 1}}}).sure()
    eventually(lambda: team.status("debug", POLICIES)["observedGeneration"] > before, "the operator has looked at it")
    assert denial(team, team.request("alice"))[0] == "LimitReached"
    assert [team.state(name) for name in names] == ["Active", "Active"]


def test_a_cluster_policy_counts_over_all_its_namespaces_and_names_no_request_of_another(team: Team) -> None:
    fleet, other = f"counted-{team.namespace}", new_team(team.system)
    spec = {"requiredApprovals": 0, "approvers": [], "limits": {"activeInTotal": 1}}
    selector = {"matchLabels": {"fleet": fleet}}
    team.admin.create(CLUSTER_POLICIES, cluster_policy_manifest(fleet, namespaceSelector=selector, **spec)).sure()
    for each in (team, other):
        each.admin.merge("namespaces", each.namespace, {"metadata": {"labels": {"fleet": fleet}}}).sure()
        eventually(lambda each=each: may_ask(each, fleet), "the policy reaches the namespace")  # type: ignore[misc]
    ref = {"kind": "ClusterAccessPolicy", "name": fleet}
    until = team.until(team.request("alice", policyRef=ref), "Active")["status"]["expiresAt"]
    said = denial(other, other.request("alice", policyRef=ref))
    words = f"everybody together have 1 of 1 grant under ClusterAccessPolicy {fleet}; room again at {until}"
    assert said == ("LimitReached", words)
    team.drop(fleet)


def may_ask(team: Team, policy: str) -> bool:
    """Whether alice may ask there under a ClusterAccessPolicy."""
    return team.person("alice").may("request", CLUSTER_POLICIES, group="jitaccess.dev", name=policy)


def test_a_policy_without_limits_costs_no_list_and_one_with_them_one(team: Team) -> None:
    team.policy("debug", requiredApprovals=0, approvers=[])
    team.policy("limited", requiredApprovals=0, approvers=[], limits={"activeInTotal": 1000})
    for name in ("debug", "limited"):
        team.until(team.request("alice", policyRef={"name": name}), "Active")  # roles are rehearsed once
        # Whoever begins to lead counts anew, as the operator of a busy machine may at any time.
        eventually(lambda name=name: not listed_by_five(team, name), f"what is there under {name} is counted once")  # type: ignore[misc]


def listed_by_five(team: Team, policy: str) -> list[Any]:
    """The lists of requests that five grants cost."""
    start = team.plane.audit_position()
    for _ in range(5):
        team.until(team.request("alice", policyRef={"name": policy}), "Active")
    return [event for event in team.plane.audit_events(start) if counted(event, team)]


def counted(event: dict[str, Any], team: Team) -> bool:
    """Whether the operator listed the requests of this namespace."""
    ref = event.get("objectRef") or {}
    ours = event.get("userAgent", "").startswith("jitaccess/") and event["verb"] == "list"
    return ours and ref.get("resource") == REQUESTS and ref.get("namespace") == team.namespace


def test_tickets_are_on_record_and_in_the_columns(team: Team) -> None:
    team.policy(ticket={"pattern": "^INC-[0-9]+$"})
    name = team.request("alice", ticket="INC-42")
    team.until(name, "Pending")
    assert "INC-42" in team.kubectl("get", REQUESTS, "-o", "wide")
    assert denial(team, team.request("alice"))[0] == "TicketMissing"
    team.decide("bob", "approve", name)
    team.until(name, "Active")
    team.admin.merge(POLICIES, "debug", {"spec": {"ticket": {"pattern": "^CHG-[0-9]+$"}}}).sure()
    waiting = team.request("alice", ticket="CHG-1")
    team.until(waiting, "Pending")
    assert team.state(name) == "Active", "access that has begun was asked for as it had to be then"
