"""Requests that several groups must approve, and approvals for less time, on both kinds of installation."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from jitaccess.domain.text import parse_time
from team import (
    CLUSTER_POLICIES,
    CLUSTER_REQUESTS,
    POLICIES,
    REQUESTS,
    TWO_STAGES,
    Team,
    annotations,
    by_group,
    cluster_policy_manifest,
    eventually,
    stages,
)
from wide import Wide

FOUR: dict[str, Any] = {
    "approvers": None,
    "stages": stages(
        **{name: by_group("leads") for name in ("one", "two", "three")},
        four={"approvers": [{"kind": "Group", "name": "security"}]},
    ),
}


def pending(team: Team, policy: str = "debug", **spec: Any) -> str:
    """A request whose stages are on record."""
    name = team.request(policyRef={"name": policy}, **spec)
    eventually(lambda: team.status(name).get("stages"), "its stages are on record")
    return name


def waits_for(team: Team, name: str) -> str:
    return str(team.condition(name, "Granted").get("message", ""))


def progress(team: Team, name: str) -> dict[str, str]:
    """How far each stage is, as recorded."""
    return {each["name"]: f"{each['approvals']}/{each['required']}" for each in team.status(name).get("stages", [])}


def derived(team: Team, policy: str = "debug") -> set[str]:
    """The parts of the Roles that are derived from a policy, and bound."""
    selector = f"jitaccess.dev/policy={policy}"
    roles, bindings = (
        {each["metadata"]["name"].removeprefix(f"jitaccess:{policy}:") for each in team.items(resource, selector)}
        for resource in ("roles", "rolebindings")
    )
    return roles | bindings


def test_access_begins_when_every_stage_has_approved_and_not_before(either: Team) -> None:
    either.policy(**TWO_STAGES)
    name = pending(either)
    both = "needs 1 approval from Group leads (stage lead) and 1 approval from Group security (stage security)"
    assert waits_for(either, name) == both
    assert either.kubectl("auth", "can-i", "approve", "accesspolicies.jitaccess.dev/debug:lead", user="bob").strip() == "yes"
    assert not either.holds("bob", "approve", "debug:security")
    assert not either.holds("bob", "approve", "debug")

    either.decide("bob", "approve", name, "go ahead", stage="lead")
    eventually(lambda: progress(either, name) == {"lead": "1/1", "security": "0/1"}, "one of two is there")
    assert waits_for(either, name) == "needs 1 approval from Group security (stage security)"
    assert either.status(name)["summary"] == {"approvals": "1/2"}
    either.decide("carol", "approve", name, "me too", stage="lead")
    eventually(lambda: progress(either, name)["lead"] == "2/1", "a second lead")
    assert either.status(name)["summary"] == {"approvals": "1/2"}, "no number of leads stands for security"
    assert not either.binding(name)

    either.decide("sam", "approve", name, "[for 30m] seen", stage="security")
    status = either.until(name, "Active")["status"]
    assert [(a["by"], a["stage"], a["note"], a.get("duration")) for a in status["approvals"]] == [
        ("bob", "lead", "go ahead", None),
        ("carol", "lead", "me too", None),
        ("sam", "security", "seen", "30m"),
    ]
    assert parse_time(status["expiresAt"]) - parse_time(status["grantedAt"]) == timedelta(minutes=30)
    assert status["requiredApprovals"] == 2
    told = [(entry["reason"], entry.get("by"), entry.get("stage")) for entry in status["history"]]
    assert told == [
        ("Requested", "alice", None),
        ("Approved", "bob", "lead"),
        ("Approved", "carol", "lead"),
        ("Approved", "sam", "security"),
        ("Granted", None, None),
    ]
    eventually(lambda: either.binding(name), "the binding")
    either.decide("sam", "revoke", name, "done")
    assert either.until(name, "Revoked")["status"]["revocation"]["by"] == "sam"


def test_the_shortest_approval_holds(either: Team) -> None:
    either.policy(requiredApprovals=2)
    name = either.request()
    either.until(name, "Pending")
    either.decide("bob", "approve", name, "[for 10m] have a look")
    either.decide("carol", "approve", name, "[for 30m]")
    status = either.until(name, "Active")["status"]
    assert parse_time(status["expiresAt"]) - parse_time(status["grantedAt"]) == timedelta(minutes=10)
    assert [(a["by"], a.get("note"), a["duration"]) for a in status["approvals"]] == [
        ("bob", "have a look", "10m"),
        ("carol", "", "30m"),
    ]
    [job] = eventually(lambda: either.items("jobs"), "the Job behind it")
    assert job["spec"]["ttlSecondsAfterFinished"] <= 660, "the Job goes as early"


def test_the_shortest_approval_ends_the_access(either: Team) -> None:
    either.policy(requiredApprovals=2)
    name = either.request()
    either.until(name, "Pending")
    either.decide("bob", "approve", name, "[for 2s] have a look")
    either.decide("carol", "approve", name, "[for 30m]")
    status = either.until(name, "Expired")["status"]
    assert parse_time(status["expiresAt"]) - parse_time(status["grantedAt"]) == timedelta(seconds=2)
    assert not either.binding(name)


def test_a_denial_from_one_stage_ends_what_the_other_has_approved(either: Team) -> None:
    either.policy(**TWO_STAGES)
    name = pending(either)
    either.decide("bob", "approve", name, stage="lead")
    either.decide("sam", "deny", name, "not today")
    status = either.until(name, "Denied")["status"]
    assert status["denial"]["by"] == "sam"
    assert not either.binding(name)


def test_whose_stage_is_taken_away_can_no_longer_approve_in_it(either: Team) -> None:
    either.policy(**TWO_STAGES)
    name = pending(either)
    either.decide("bob", "approve", name, stage="lead")
    carol = {"approvers": [{"kind": "User", "name": "carol"}]}
    either.admin.merge(POLICIES, "debug", {"spec": {"stages": stages(lead=by_group("leads"), security=carol)}}).sure()
    eventually(lambda: not either.holds("sam", "approve", "debug:security"), "sam is out")
    sam = either.person("sam")
    refused = sam.merge(REQUESTS, name, either.decision("sam", "approve", name, stage="security"))
    # Who is in no stage at all may not even patch a request.
    assert refused.status == 403
    eventually(lambda: either.holds("carol", "approve", "debug:security"), "carol is in")
    either.decide("carol", "approve", name, stage="security")
    status = either.until(name, "Active")["status"]
    assert [(a["by"], a["stage"]) for a in status["approvals"]] == [("bob", "lead"), ("carol", "security")]


def test_a_stage_that_is_gone_is_not_waited_for_and_its_rights_go(either: Team) -> None:
    either.policy(**TWO_STAGES)
    assert {"stage-lead", "stage-security"} <= derived(either)
    name = pending(either)
    either.decide("bob", "approve", name, stage="lead")
    either.admin.merge(POLICIES, "debug", {"spec": {"stages": stages(lead=by_group("leads"))}}).sure()
    assert [a["by"] for a in either.until(name, "Active")["status"]["approvals"]] == ["bob"]
    eventually(lambda: derived(either) == {"requester", "approver", "stage-lead"}, "Role and binding of the stage are gone")
    eventually(lambda: not either.holds("sam", "approve", "debug:security"), "and the right with them")
    either.admin.delete(POLICIES, "debug").sure()
    either.until(name, "Revoked")
    eventually(lambda: not derived(either), "with the policy all of it goes")


def test_what_was_approved_before_there_were_stages_counts_in_none(either: Team) -> None:
    either.policy(requiredApprovals=2)
    name = either.request()
    either.until(name, "Pending")
    either.decide("bob", "approve", name)
    eventually(lambda: either.status(name)["summary"] == {"approvals": "1/2"}, "bob has approved")
    spec = {"approvers": None, "requiredApprovals": 1, "stages": TWO_STAGES["stages"]}
    either.admin.merge(POLICIES, "debug", {"spec": spec}).sure()
    eventually(lambda: progress(either, name) == {"lead": "0/1", "security": "0/1"}, "stages, and nothing in them")
    eventually(lambda: either.holds("sam", "approve", "debug:security"), "sam is in")
    either.decide("bob", "approve", name, stage="lead")
    either.decide("sam", "approve", name, stage="security")
    assert [a["stage"] for a in either.until(name, "Active")["status"]["approvals"]] == ["lead", "security"]


def test_a_policy_that_gets_stages_ends_the_access_that_they_have_not_approved(team: Team) -> None:
    team.policy()
    name = team.granted()
    spec = {"approvers": None, "stages": TWO_STAGES["stages"]}
    team.admin.merge(POLICIES, "debug", {"spec": spec}).sure()
    status = team.until(name, "Revoked")["status"]
    assert status["history"][-1]["reason"] == "ApprovalsMissing"
    assert not team.binding(name)


NOT_YET = "; as long as that lasts, the operator is down"


@pytest.mark.parametrize(
    ("verb", "stage", "words"),
    [
        pytest.param(
            "approve", "lead", "AccessPolicy 'debug' has no stage 'lead', nor any other that is on record: ", id="in-a-stage"
        ),
        pytest.param("approve", "", "bob is not an approver of AccessPolicy 'debug'", id="without-saying-which"),
        pytest.param("deny", "", "bob is not an approver of AccessPolicy 'debug'", id="denied"),
        pytest.param("revoke", "", "bob may not revoke this request", id="revoked"),
    ],
)
def test_before_the_operator_has_looked_who_decides_in_a_stage_is_told_to_wait(
    either: Team, verb: str, stage: str, words: str
) -> None:
    either.policy(**TWO_STAGES)
    bob = either.person("bob")
    with either.operator_frozen():
        name = either.request()
        refused = bob.merge(REQUESTS, name, either.decision("bob", verb, name, stage=stage))
        made = either.get(name)["metadata"]["creationTimestamp"]
        assert refused.status == 403
        assert words in refused.message
        assert f"the operator has not looked at this request since it was made ({made}), and until it has" in refused.message
        assert refused.message.endswith(NOT_YET), refused.message
        withdrawn = either.request()
        either.decide("alice", "revoke", withdrawn)  # one's own needs no stage
    eventually(lambda: progress(either, name), "the stages are on record")
    either.decide("bob", verb, name, stage="lead" if verb == "approve" else "")
    either.until(withdrawn, "Withdrawn")
    if verb == "approve":
        other = either.person("bob").merge(REQUESTS, name, either.decision("bob", "approve", name, stage="security"))
        assert (other.status, NOT_YET in other.message) == (403, False), "who is told to wait can do it then"


def test_a_plain_approval_lands_in_the_stage_that_its_author_holds(team: Team) -> None:
    team.policy(**TWO_STAGES)
    name = pending(team)
    approve = annotations({"jitaccess.dev/approve": "fine with me"})
    team.person("bob").merge(REQUESTS, name, approve).sure()
    assert team.annotations(name)["jitaccess.dev/approvals.lead"] == "bob: fine with me"
    eventually(lambda: progress(team, name)["lead"] == "1/1", "lead is there")
    # Sue holds both, and only one is open.
    team.person("sue").merge(REQUESTS, name, approve).sure()
    assert team.annotations(name)["jitaccess.dev/approvals.security"] == "sue: fine with me"
    team.until(name, "Active")


def test_four_stages_are_within_what_the_api_server_takes_time_for(either: Team) -> None:
    either.policy(**FOUR)
    eventually(lambda: either.holds("sam", "approve", "debug:four"), "sam is in")
    denied, approved = pending(either), pending(either)
    either.decide("sam", "deny", denied)
    either.until(denied, "Denied")
    if either.stamped:
        either.person("sam").merge(REQUESTS, approved, annotations({"jitaccess.dev/approve": "ok"})).sure()
    else:
        either.decide("sam", "approve", approved, stage="four")
    eventually(lambda: progress(either, approved)["four"] == "1/1", "the fourth is there")
    for who, stage in (("bob", "one"), ("carol", "two"), ("dave", "three")):
        either.decide(who, "approve", approved, stage=stage)
    either.until(approved, "Active")


@pytest.fixture
def wide(either: Team) -> Iterator[Wide]:
    """A cluster-wide policy of two stages, in force on each of the two installations."""
    made = Wide(either, **TWO_STAGES)
    for who, verb, on in (
        ("alice", "request", made.policy),
        ("bob", "approve", f"{made.policy}:lead"),
        ("sam", "approve", f"{made.policy}:security"),
    ):
        holds = lambda who=who, verb=verb, on=on: made.person(who).may(  # noqa: E731
            verb, CLUSTER_POLICIES, group="jitaccess.dev", name=on
        )
        eventually(holds, f"{who} may {verb} {on}")
    yield made
    either.drop(made.policy)
    eventually(lambda: not made.sees_everything(), "what it gave is gone with it")


def test_access_to_the_whole_cluster_takes_every_stage_too(wide: Wide) -> None:
    name = wide.request()
    eventually(lambda: wide.team.status(name, CLUSTER_REQUESTS).get("stages"), "its stages are on record")
    decision = {
        who: wide.team.decision(who, "approve", name, of=CLUSTER_REQUESTS, stage=stage)
        for who, stage in (("bob", "security"), ("carol", "lead"), ("sam", "security"))
    }
    refused = wide.person("bob").merge(CLUSTER_REQUESTS, name, decision["bob"])
    assert f"bob is not an approver of stage 'security' of ClusterAccessPolicy '{wide.policy}'" in refused.message
    wide.person("carol").merge(CLUSTER_REQUESTS, name, decision["carol"]).sure()
    wide.person("sam").merge(CLUSTER_REQUESTS, name, decision["sam"]).sure()
    status = wide.until(name, "Active")
    assert [(a["by"], a["stage"]) for a in status["approvals"]] == [("carol", "lead"), ("sam", "security")]
    eventually(wide.sees_everything, "alice sees everything")
    wide.decide("sam", "revoke", name)
    wide.until(name, "Revoked")


def test_a_policy_for_many_namespaces_has_its_stages_in_each_of_them(team: Team) -> None:
    fleet = f"{team.namespace}-fleet"
    label = {"fleet": fleet}
    team.admin.merge("namespaces", team.namespace, {"metadata": {"labels": label}}).sure()
    spec = {"namespaceSelector": {"matchLabels": label}} | TWO_STAGES
    team.admin.create(CLUSTER_POLICIES, cluster_policy_manifest(fleet, **spec)).sure()

    def may(who: str, verb: str, on: str) -> bool:
        return team.person(who).may(verb, CLUSTER_POLICIES, group="jitaccess.dev", name=on)

    for who, verb, on in (("alice", "request", ""), ("bob", "approve", ":lead"), ("sam", "approve", ":security")):
        eventually(lambda who=who, verb=verb, on=on: may(who, verb, f"{fleet}{on}"), f"{who} may {verb} {fleet}{on}")  # type: ignore[misc]
    name = team.request(policyRef={"kind": "ClusterAccessPolicy", "name": fleet})
    eventually(lambda: team.status(name).get("stages"), "its stages are on record")
    team.decide("bob", "approve", name, stage="lead")
    only_lead = {"spec": {"stages": stages(lead=by_group("leads"))}}
    team.admin.merge(CLUSTER_POLICIES, fleet, only_lead).sure()
    team.until(name, "Active")
    eventually(lambda: not may("sam", "approve", f"{fleet}:security"), "sam's right is gone where it was")
    team.admin.delete(CLUSTER_POLICIES, fleet).sure()
    team.until(name, "Revoked")
