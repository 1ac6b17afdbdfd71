"""Everywhere that I am named: found without any right over namespaces, and nobody learns where others are."""

import json

import pytest

from cli.plugin import Plugin
from team import POLICIES, REQUESTS, Team, eventually, new_team

DIRECTORY = "jitaccess-directory"


@pytest.fixture
def teams(jit_stamped: Plugin) -> list[Team]:
    """Three namespaces with a policy each: developers ask in the first two, nobody that we know in the third."""
    made = [jit_stamped.team, *(new_team(jit_stamped.team.system) for _ in range(2))]
    for team, requesters in zip(made, ("developers", "developers", "others"), strict=True):
        team.policy(requesters=[{"kind": "Group", "name": requesters}], approvers=[{"kind": "User", "name": "carol"}])
    return made


def policies_of(jit: Plugin, user: str) -> dict[str, bool]:
    """The namespaces that `policies -A` shows to somebody, and whether they may ask there."""
    answer = jit("policies", "-A", "-o", "json", user=user)
    return {each["namespace"]: each["mayRequest"] for each in json.loads(answer.out)} if answer.code == 0 else {}


def test_what_may_i_ask_for_and_what_waits_for_me(jit_stamped: Plugin, teams: list[Team]) -> None:
    jit, (one, two, third) = jit_stamped, teams
    eventually(lambda: {one.namespace, two.namespace} <= policies_of(jit, "alice").keys(), "the directory names alice's places")
    assert third.namespace not in policies_of(jit, "alice")
    assert policies_of(jit, "alice")[one.namespace] is True
    eventually(lambda: {team.namespace for team in teams} <= policies_of(jit, "carol").keys(), "and carol's")
    assert policies_of(jit, "carol")[third.namespace] is False, "she decides there"

    names = {team.namespace: jit.asked("-n", team.namespace) for team in (one, two)}
    others = jit.asked("-n", two.namespace, user="erin@example.com")
    for team in (one, two):
        team.until(names[team.namespace], "Pending")
    mine = jit("ls", "-A")
    assert mine.code == 0
    assert all(f"{name}  {space}  Pending" in mine.out for space, name in names.items())
    assert others not in mine.out
    assert ", where a policy names you; to look in all needs cluster-wide rights" in mine.err

    def waiting() -> set[str]:
        return {line.partition("/")[2] for line in jit.ok("ls", "--reviewable", "-A", "-o", "name", user="carol").split()}

    eventually(
        lambda: {*names.values(), others} <= waiting(), "the directory names where carol decides too, and all of it is there"
    )
    assert jit.ok("ls", "--reviewable", "-A", "-o", "name") == "", "alice decides nowhere"


def test_who_is_named_nowhere_is_told_no_more_than_is_known(jit_stamped: Plugin) -> None:
    for args in (["policies", "-A"], ["ls", "-A"]):
        answer = jit_stamped(*args, user="mallory")
        assert answer.code == 3
        assert "in all namespaces at once, and no policy names mallory, as far as the operator has published it" in answer.err


def test_the_record_is_exported_whole_or_not_at_all(jit_stamped: Plugin) -> None:
    answer = jit_stamped("export", "-A")
    assert (answer.code, answer.out) == (3, ""), "an auditor must not take a part for the whole"
    assert "alice may not list clusteraccessrequests" in answer.err


def test_a_policy_that_is_gone_or_narrower_is_not_listed(jit_stamped: Plugin, teams: list[Team]) -> None:
    jit, (one, two, _) = jit_stamped, teams
    eventually(lambda: {one.namespace, two.namespace} <= policies_of(jit, "alice").keys(), "both")
    one.admin.delete(POLICIES, "debug").sure()
    two.admin.merge(POLICIES, "debug", {"spec": {"requesters": [{"kind": "User", "name": "erin@example.com"}]}}).sure()
    eventually(lambda: not {one.namespace, two.namespace} & policies_of(jit, "alice").keys(), "neither")
    eventually(lambda: two.namespace in policies_of(jit, "erin@example.com"), "erin's place")
    entries = eventually(lambda: not _entries(one), "nothing is left of it in the directory")
    assert entries


def _entries(team: Team) -> list[str]:
    found = [item for kind in ("roles", "rolebindings") for item in _listed(team, "admin", kind)]
    return [name for name in found if f":{team.namespace}." in name]


def _listed(team: Team, user: str, kind: str) -> list[str]:
    answer = team.plane.person(user, namespace=DIRECTORY).get(kind)
    return [item["metadata"]["name"] for item in answer.sure()["items"]]


def rules(team: Team, user: str) -> list[str]:
    """What the API server says somebody may do with policies in the directory."""
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": {"namespace": DIRECTORY}}
    answer = team.plane.person(user).call("POST", "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", review).sure()
    # Everybody may read ClusterAccessPolicies, wherever; that is no entry.
    ours = [rule for rule in answer["status"]["resourceRules"] if "accesspolicies" in rule["resources"]]
    return sorted(f"{verb} {name}" for rule in ours for verb in rule["verbs"] for name in rule.get("resourceNames", ["*"]))


def test_the_directory_tells_nobody_of_others_and_gives_nothing(jit_stamped: Plugin, teams: list[Team]) -> None:
    one, _, third = teams
    eventually(lambda: f"request {one.namespace}.debug" in rules(one, "alice"), "alice's entry")
    here = [rule for rule in rules(one, "alice") if f" {one.namespace}." in rule]
    assert here == [f"request {one.namespace}.debug"], "she decides nothing"
    assert not any(third.namespace in rule for rule in rules(one, "alice"))
    assert rules(one, "mallory") == []
    alice = one.plane.person("alice", namespace=DIRECTORY)
    for kind in ("roles", "rolebindings", POLICIES, REQUESTS):
        assert alice.get(kind).status == 403, f"nobody reads {kind} there"
    asked = one.request_manifest("x", policyRef={"name": f"{one.namespace}.debug"})
    assert alice.create(REQUESTS, asked).status == 403
    # Even who may make requests there, and holds the entry's verb, asks for nothing: there is no such policy.
    one.plane.person("admin", namespace=DIRECTORY).create(
        "roles",
        {"metadata": {"name": "ask"}, "rules": [{"apiGroups": ["jitaccess.dev"], "resources": [REQUESTS], "verbs": ["create"]}]},
    ).sure()
    subject = {"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "alice"}
    reference = {"kind": "Role", "apiGroup": "rbac.authorization.k8s.io", "name": "ask"}
    one.plane.person("admin", namespace=DIRECTORY).create(
        "rolebindings", {"metadata": {"name": "ask"}, "roleRef": reference, "subjects": [subject]}
    ).sure()
    eventually(lambda: alice.create(REQUESTS, asked).ok, "she asks")
    there = Team(one.system, True, DIRECTORY)
    assert there.until("x", "Denied")["status"]["conditions"], "and is denied"
