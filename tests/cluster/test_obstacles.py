"""What can stand between an approval and its binding: the request says what, and goes on once it is gone."""

from typing import Any

from team import Team, eventually, while_it_lasts

QUOTA = {
    "apiVersion": "v1",
    "kind": "ResourceQuota",
    "metadata": {"name": "no-jobs"},
    "spec": {"hard": {"count/jobs.batch": "0"}},
}


def obstacle(team: Team, name: str, reason: str) -> str:
    """Wait until the request says that this is in the way; returns the sentence."""
    eventually(lambda: team.condition(name, "Granted").get("reason") == reason, f"Granted is False with the reason {reason}")
    assert team.condition(name, "Approved")["status"] == "True", "the approval itself is on record"
    return str(team.condition(name, "Granted")["message"])


def test_a_role_that_does_not_exist_is_named_and_waited_for(team: Team) -> None:
    team.policy(roles=[{"kind": "Role", "name": "db-reader"}])
    name = team.request("alice", roleRef={"kind": "Role", "name": "db-reader"})
    team.until(name, "Pending")
    team.decide("bob", "approve", name)
    assert "there is no Role db-reader in namespace" in obstacle(team, name, "RoleNotFound")
    eventually(lambda: not team.items("jobs"), "nothing is left behind while it waits")
    rule = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}
    team.admin.create("roles", {"metadata": {"name": "db-reader"}, "rules": [rule]}).sure()
    team.until(name, "Active")
    eventually(lambda: team.may("alice", "get", "configmaps"), "alice may get configmaps")


def test_a_role_that_the_operator_may_not_bind_is_named_with_the_rule_to_add(team: Team) -> None:
    rule = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}
    team.admin.create("roles", {"metadata": {"name": "unknown"}, "rules": [rule]}).sure()
    team.policy(roles=[{"kind": "Role", "name": "unknown"}])
    name = team.request("alice", roleRef={"kind": "Role", "name": "unknown"})
    team.until(name, "Pending")
    team.decide("bob", "approve", name)
    message = obstacle(team, name, "BindForbidden")
    assert "may not bind Role unknown" in message
    assert "resources [roles], resourceNames [unknown], verbs [get, bind]" in message
    eventually(lambda: not team.items("jobs"), "nothing is left behind while it waits")
    team.runs_out(name)
    status = team.until(name, "Failed")["status"]
    assert status["history"][-1]["reason"] == "BindForbidden"


def without_jobs(team: Team) -> None:
    """A policy in a namespace in which no Job may be made."""
    team.policy()
    team.admin.create("resourcequotas", QUOTA).sure()
    eventually(lambda: "count/jobs.batch" in str(team.status("no-jobs", "resourcequotas")), "the quota is in force")


def test_without_a_job_the_grant_still_happens_and_says_what_is_missing(team: Team) -> None:
    without_jobs(team)
    name = team.granted()
    guarded = team.condition(name, "ExpiryGuarded")
    assert (guarded["status"], guarded["reason"]) == ("False", "JobRefused")
    assert "exceeded quota" in guarded["message"]
    binding = team.binding(name)
    assert binding
    assert [owner["kind"] for owner in binding["metadata"]["ownerReferences"]] == ["AccessRequest"]
    eventually(lambda: "ExpiryUnguarded" in team.events(), "a warning event tells of it")
    team.decide("alice", "revoke", name)
    team.until(name, "Revoked")


def test_without_a_job_the_grant_ends_when_its_time_is_up(team: Team) -> None:
    without_jobs(team)
    name = while_it_lasts(team.granted_for)
    status = team.until(name, "Expired")["status"]
    reasons = [entry["reason"] for entry in status["history"]]
    assert reasons == ["Requested", "Approved", "Granted", "ExpiryUnguarded", "DurationElapsed"]
    assert not team.binding(name)
    eventually(lambda: "ExpiryUnguarded" in team.events(), "there was no Job")


def test_a_binding_deleted_by_hand_is_put_back_and_reported(team: Team) -> None:
    team.policy()
    name = team.granted()
    status, old = team.status(name), team.binding(name)
    team.admin.delete("rolebindings", status["bindingRef"]["name"]).sure()
    restored = eventually(lambda: _another(team, name, old), "the binding is back")
    assert restored["subjects"][0]["name"] == "alice"
    after = eventually(lambda: _with_history(team, name, "BindingRestored"), "the history tells of it")
    assert after["bindingRef"] == {"name": restored["metadata"]["name"]}
    assert after["expiresAt"] == status["expiresAt"], "the end stays where it was"


def test_a_binding_changed_by_hand_is_put_back_and_reported(team: Team) -> None:
    team.policy()
    name = team.granted()
    subjects = [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "mallory"}]
    team.admin.merge("rolebindings", team.status(name)["bindingRef"]["name"], {"subjects": subjects}).sure()
    eventually(lambda: _bound(team, name) == ["alice"], "the binding is as it was")
    eventually(lambda: _with_history(team, name, "BindingRestored"), "the history tells of it")
    eventually(lambda: not team.may("mallory", "list", "pods"), "mallory may nothing")


def _another(team: Team, name: str, old: dict[str, Any] | None) -> dict[str, Any]:
    """The binding of that request, if it is not that old one."""
    found = team.binding(name)
    return found if found and old and found["metadata"]["uid"] != old["metadata"]["uid"] else {}


def _bound(team: Team, name: str) -> list[str]:
    """Who has the access of that request."""
    return [subject["name"] for subject in (team.binding(name) or {}).get("subjects", [])]


def _with_history(team: Team, name: str, reason: str) -> dict[str, Any]:
    status: dict[str, Any] = team.get(name)["status"]
    return status if any(entry["reason"] == reason for entry in status["history"]) else {}
