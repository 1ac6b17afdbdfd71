"""Break-glass: access at once, marked as an emergency, and a review that is owed until somebody gives it."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest

from conftest import installed_system
from controlplane.process import Process
from jitaccess.domain.text import parse_time
from jitaccess.kube.api import Cluster
from jitaccess.kube.credentials import connect
from jitaccess.manifests.kinds import ACCESS_REQUEST
from jitaccess.reconcile.retention import remove_old
from system import System
from team import (
    CLUSTER_POLICIES,
    CLUSTER_REQUESTS,
    PATIENCE,
    POLICIES,
    REQUESTS,
    Team,
    cluster_policy_manifest,
    eventually,
    new_team,
)
from wide import Wide

LEADS = [{"kind": "Group", "name": "leads"}]
GLASS: dict[str, Any] = {"requiredApprovals": 0, "approvers": LEADS}


@pytest.fixture(scope="module")
def installed() -> Iterator[System]:
    """A control plane of its own, for operators that come and go."""
    with installed_system() as system:
        yield system


@pytest.fixture
def system(installed: System) -> System:
    """With an operator that runs."""
    if installed.operator is None or not installed.operator.running:
        installed.start_operator()
    return installed


def break_glass(team: Team, within: str = "24h", **spec: Any) -> str:
    """A policy for emergencies that the leads review."""
    name = team.policy(**GLASS, emergency={"reviewWithin": within, "reviewers": LEADS, **spec})
    eventually(lambda: team.holds("bob", "review", name), "bob may review")
    return name


def over(team: Team, duration: str = "1s") -> str:
    """An emergency of alice's that is over."""
    name = team.request("alice", duration=duration)
    team.until(name, "Expired")
    return name


def reasons(team: Team, name: str) -> list[str]:
    """The history of a request, in words for programs."""
    return [entry["reason"] for entry in team.status(name)["history"]]


def reviewed(team: Team, name: str) -> dict[str, Any]:
    """The condition of the review."""
    return team.condition(name, "Reviewed")


def test_break_glass_from_the_asking_to_the_review(either: Team) -> None:
    break_glass(either)
    name = either.request("alice", duration="2s")
    status = either.until(name, "Expired")["status"]
    assert parse_time(status["reviewDue"]) - parse_time(status["settledAt"]) == timedelta(hours=24)
    condition = either.condition(name, "Reviewed")
    assert (condition["status"], condition["reason"]) == ("False", "ReviewOwed")
    assert "Group leads" in condition["message"]
    revision = status["revision"]

    either.decide("bob", "review", name, "fine: all as said")
    condition = either.until_condition(name, "Reviewed", "True")
    assert (condition["reason"], condition["message"]) == ("Fine", "bob: all as said")
    status = either.status(name)
    assert status["revision"] == revision + 1, "nothing else was recorded meanwhile"
    assert status["awaitingReview"] is False
    assert [(each["by"], each["verdict"], each["note"]) for each in status["reviews"]] == [("bob", "fine", "all as said")]
    assert [(entry["state"], entry["reason"], entry.get("by")) for entry in status["history"]] == [
        ("Pending", "Requested", "alice"),
        ("Active", "Granted", None),
        ("Active", "Emergency", None),
        ("Expired", "DurationElapsed", None),
        ("Expired", "ReviewOwed", None),
        ("Expired", "ReviewedAsFine", "bob"),
    ]
    eventually(lambda: {"Emergency", "ReviewOwed", "ReviewedAsFine"} <= set(either.events()), "all of it was told")
    late = either.person("carol").merge(REQUESTS, name, either.decision("carol", "review", name, "misuse"))
    assert "was reviewed already" in late.message


def test_break_glass_gives_access_without_approval_and_is_not_reviewed_while_it_lasts(either: Team) -> None:
    break_glass(either)
    name = either.request("alice")
    status = either.until(name, "Active")["status"]
    assert (status["emergency"], status["awaitingReview"]) == (True, True)
    eventually(lambda: either.may("alice", "list", "pods"), "alice has access without approval")
    early = either.person("bob").merge(REQUESTS, name, either.decision("bob", "review", name, "fine"))
    assert "still lasts" in early.message
    assert early.status == 403


def test_what_never_began_owes_no_review_and_what_was_revoked_does(team: Team) -> None:
    break_glass(team)
    team.policy("small", **GLASS, maxDuration="1m", emergency={"reviewWithin": "1h", "reviewers": LEADS})
    denied = team.request("alice", policyRef={"name": "small"}, duration="2m")
    status = team.until(denied, "Denied")["status"]
    assert not {"emergency", "awaitingReview", "reviewDue"} & set(status)
    assert not reviewed(team, denied)
    revoked = team.request("alice")
    team.until(revoked, "Active")
    team.decide("bob", "revoke", revoked, "that is enough")
    team.until(revoked, "Revoked")
    assert reviewed(team, revoked)["reason"] == "ReviewOwed"
    team.decide("carol", "review", revoked, "misuse: not what it is for")
    assert team.until_condition(revoked, "Reviewed", "True")["reason"] == "Misuse"


def test_a_review_that_nobody_gives_is_overdue_once_and_can_still_be_given(system: System) -> None:
    team = new_team(system)
    break_glass(team, within="2s")
    name = over(team)
    eventually(lambda: reviewed(team, name).get("reason") == "ReviewOverdue", "it is overdue")
    status = team.status(name)
    assert parse_time(status["history"][-1]["at"]) >= parse_time(status["reviewDue"])
    assert reasons(team, name)[-2:] == ["ReviewOwed", "ReviewOverdue"]
    eventually(lambda: "ReviewOverdue" in team.events(), "an Event says so")

    def told() -> list[str]:
        requests = [entry["request"] for entry in system.log() if entry["message"] == "request ReviewOverdue"]
        return [request for request in requests if team.namespace in request]

    assert eventually(told, "the log says so") == [f"{team.namespace}/{name}"]
    overdue = 'jitaccess_reviews_overdue{kind="AccessRequest"} 1.0'
    eventually(lambda: overdue in system.health("/metrics")[1], "the metric counts it")
    team.decide("bob", "review", name, "fine")
    team.until_condition(name, "Reviewed", "True")
    assert reasons(team, name)[-1] == "ReviewedAsFine"
    eventually(lambda: 'jitaccess_reviews_owed{kind="AccessRequest"} 0.0' in system.health("/metrics")[1], "none is owed")


def test_a_review_given_while_no_operator_runs_is_recorded_by_the_next(system: System) -> None:
    team = new_team(system)
    break_glass(team)
    given, owed = over(team), over(team)
    team.policy("short", **GLASS, emergency={"reviewWithin": "4s", "reviewers": LEADS})
    short = team.request("alice", policyRef={"name": "short"}, duration="1s")
    due = parse_time(team.until(short, "Expired")["status"]["reviewDue"])
    assert system.operator
    system.operator.kill()
    team.decide("bob", "review", given, "fine: seen")
    eventually(lambda: datetime.now(UTC) > due, "the other review is due")
    system.start_operator()
    assert team.until_condition(given, "Reviewed", "True")["message"] == "bob: seen"
    eventually(lambda: reviewed(team, short)["reason"] == "ReviewOverdue", "what came due meanwhile is overdue")
    assert reviewed(team, owed)["reason"] == "ReviewOwed"
    team.decide("bob", "review", owed, "fine")
    team.until_condition(owed, "Reviewed", "True")


@pytest.mark.parametrize("writes", range(5))
def test_killed_anywhere_between_the_grant_and_the_review_it_owes_exactly_one(system: System, writes: int) -> None:
    team = new_team(system)
    break_glass(team)
    name = team.request("alice", duration="1s")
    time.sleep(0.3 + 0.3 * writes)
    assert system.operator
    system.operator.kill()
    system.start_operator()
    team.until(name, "Expired")
    status = team.status(name)
    assert (status["emergency"], status["awaitingReview"]) == (True, True)
    assert reasons(team, name).count("Emergency") == reasons(team, name).count("ReviewOwed") == 1
    team.decide("bob", "review", name, "fine")
    team.until_condition(name, "Reviewed", "True")


async def test_retention_leaves_what_awaits_its_review(system: System) -> None:
    team = new_team(system)
    break_glass(team)
    owed, given = over(team), over(team)
    team.decide("bob", "review", given, "fine")
    team.until_condition(given, "Reviewed", "True")
    connection = connect(system.plane.service_account_kubeconfig("jitaccess-system", "jitaccess"))
    async with connection.session(aiohttp.ClientTimeout(total=PATIENCE)) as session:
        later = datetime.now(UTC) + timedelta(days=400)
        await remove_old(Cluster(session, connection.server), ACCESS_REQUEST.resource, timedelta(days=30), later)
    assert [each["metadata"]["name"] for each in team.items(REQUESTS, "")] == [owed]


def test_one_emergency_at_a_time_where_the_policy_says_so(team: Team) -> None:
    policy = break_glass(team, blockUntilReviewed=True)
    with team.operator_frozen():  # so that it sees all of them at once
        names = [team.request("alice", duration="1h") for _ in range(8)]
    states = eventually(lambda: _all_decided(team, names), "every request is decided")
    assert sorted(states.values()) == ["Active", *["Denied"] * 7]
    active = next(name for name, state in states.items() if state == "Active")
    refused = next(name for name, state in states.items() if state == "Denied")
    assert team.condition(refused, "Granted")["reason"] == "UnreviewedEmergency"
    assert active in team.condition(refused, "Granted")["message"]

    other = team.request("dave", duration="1h")
    team.until(other, "Active")
    team.decide("bob", "revoke", active)
    team.until(active, "Revoked")
    again = team.request("alice", duration="1h")
    team.until(again, "Denied")
    assert "Group leads may review it" in team.condition(again, "Granted")["message"]
    assert team.get(policy, POLICIES)["spec"]["emergency"]["blockUntilReviewed"] is True
    team.decide("bob", "review", active, "fine")
    team.until_condition(active, "Reviewed", "True")
    team.until(team.request("alice", duration="1h"), "Active")


def _all_decided(team: Team, names: list[str]) -> dict[str, str]:
    states = {name: team.state(name) for name in names}
    return {} if {"", "Pending"} & set(states.values()) else states


def test_two_replicas_and_a_restart_still_give_one_at_a_time(installed: System) -> None:
    system = installed
    if system.operator and system.operator.running:
        system.operator.kill()
    replicas = [system.start_replica("--identity", f"emergency-{n}") for n in range(2)]
    try:
        team = new_team(system)
        break_glass(team, blockUntilReviewed=True)
        first = team.request("alice", duration="1s")
        team.until(first, "Expired")
        [leader] = eventually(lambda: [each for each in replicas if leads(system, each)], "somebody leads")
        leader.kill()
        name = team.request("alice", duration="1h")
        team.until(name, "Denied")
        team.decide("bob", "review", first, "fine")
        team.until_condition(first, "Reviewed", "True")
        team.until(team.request("alice", duration="1h"), "Active")
    finally:
        for each in replicas:
            each.kill()


def leads(system: System, replica: Process) -> bool:
    return system.health("/readyz", replica)[1] == "ok\n"


def test_the_review_stays_owed_when_the_policy_has_no_emergency_any_more(team: Team) -> None:
    policy = break_glass(team)
    name = over(team)
    team.admin.merge(POLICIES, policy, {"spec": {"emergency": None}}).sure()
    eventually(lambda: "cluster administrator" in reviewed(team, name)["message"], "the condition says that nobody may")
    eventually(lambda: not team.holds("bob", "review", policy), "bob may not review any more")
    refused = team.person("bob").merge(REQUESTS, name, team.decision("bob", "review", name, "fine"))
    assert "is not a reviewer" in refused.message
    assert team.status(name)["awaitingReview"] is True
    emergency = {"reviewWithin": "1h", "reviewers": [{"kind": "User", "name": "carol"}]}
    team.admin.merge(POLICIES, policy, {"spec": {"emergency": emergency}}).sure()
    eventually(lambda: "User carol" in reviewed(team, name)["message"], "the condition says who may now")
    eventually(lambda: team.holds("carol", "review", policy), "carol may review")
    team.decide("carol", "review", name, "fine")
    team.until_condition(name, "Reviewed", "True")


def test_what_a_suspension_has_ended_can_be_reviewed_and_nothing_else_is_left(either: Team) -> None:
    policy = break_glass(either)
    name = either.request("alice")
    either.until(name, "Active")
    either.admin.merge(POLICIES, policy, {"spec": {"suspend": True}}).sure()
    either.until(name, "Revoked")
    eventually(lambda: either.condition(policy, "Ready", POLICIES).get("reason") == "Suspended", "it is suspended")
    eventually(lambda: not either.holds("alice", "request", policy), "nobody may ask")
    eventually(lambda: not either.holds("bob", "approve", policy), "nor decide")
    assert either.holds("bob", "review", policy), "as the condition says"
    either.decide("bob", "review", name, "fine: a drill")
    assert either.until_condition(name, "Reviewed", "True")["reason"] == "Fine"


def test_emergencies_cluster_wide(either: Team) -> None:
    emergency = {"reviewWithin": "24h", "reviewers": LEADS}
    wide = Wide(either, **GLASS, emergency=emergency)
    holds = lambda: wide.person("bob").may("review", CLUSTER_POLICIES, group="jitaccess.dev", name=wide.policy)  # noqa: E731
    wide.until_in_force()
    eventually(holds, "bob may review")
    name = wide.request(duration="1s")
    status = wide.until(name, "Expired")
    assert (status["emergency"], status["awaitingReview"]) == (True, True)
    review = either.decision("bob", "review", name, "misuse: I know of no such incident", of=CLUSTER_REQUESTS)
    wide.person("bob").merge(CLUSTER_REQUESTS, name, review).sure()
    assert either.until_condition(name, "Reviewed", "True", CLUSTER_REQUESTS)["reason"] == "Misuse"


def test_emergencies_in_selected_namespaces(team: Team) -> None:
    policy = f"fleet-{team.namespace}"
    selector = {"matchLabels": {"kubernetes.io/metadata.name": team.namespace}}
    emergency = {"reviewWithin": "24h", "reviewers": LEADS, "blockUntilReviewed": True}
    wanted = cluster_policy_manifest(policy, namespaceSelector=selector, emergency=emergency, **GLASS)
    team.admin.create(CLUSTER_POLICIES, wanted).sure()
    for who, verb in (("alice", "request"), ("bob", "review")):
        holds = lambda who=who, verb=verb: team.person(who).may(verb, CLUSTER_POLICIES, group="jitaccess.dev", name=policy)  # noqa: E731
        eventually(holds, f"{who} may {verb}")
    ref = {"kind": "ClusterAccessPolicy", "name": policy}
    name = team.request("alice", policyRef=ref, duration="1s")
    team.until(name, "Expired")
    team.until(team.request("alice", policyRef=ref), "Denied")
    team.decide("bob", "review", name, "fine")
    team.until_condition(name, "Reviewed", "True")
    team.until(team.request("alice", policyRef=ref), "Active")
