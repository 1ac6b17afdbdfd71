"""Access delivered as a temporary identity, on a real control plane with real tokens (docs/adr/0019)."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from controlplane.client import Person
from team import POLICIES, Team, eventually, while_it_lasts

ACCOUNTS = "jitaccess-grants"
PARTS = ("serviceaccounts", "roles", "rolebindings", "jobs")


def granted(team: Team, **spec: Any) -> str:
    """A request of alice that bob has approved, delivered as an identity that she can be."""
    team.policy(delivery="Identity", **spec)
    name = team.granted()
    eventually(lambda: team.identity(name).get("pods").ok, "alice has the access")
    return name


def account(team: Team, name: str) -> str:
    """The name of the account of a request."""
    return str(team.status(name)["identity"]).rpartition(":")[2]


def left(team: Team, account: str) -> list[str]:
    """What there is of an identity."""
    return [each for each in PARTS if team.admin.at(ACCOUNTS).get(each, account).ok]


def test_the_requester_is_the_account_and_has_the_role_through_it_alone(either: Team) -> None:
    name = granted(either)
    uid = either.get(name)["metadata"]["uid"]
    assert either.status(name)["identity"] == f"system:serviceaccount:{ACCOUNTS}:jit-{name}-{uid}"
    assert not either.may("alice", "list", "pods"), "alice herself has nothing"
    assert either.token_of_identity(name).get("pods").ok
    assert either.identity(name).get("secrets").status == 403, "the account has the role and no more"
    guarded = either.condition(name, "ExpiryGuarded")
    assert (guarded["status"], guarded["reason"]) == ("True", "JobCreated")
    assert "the right to impersonate it" in guarded["message"]
    assert left(either, account(either, name)) == list(PARTS)


def test_the_audit_log_names_person_and_grant_on_every_call(team: Team) -> None:
    name = granted(team)
    start = team.plane.audit_position()
    team.identity(name).get("pods").sure()
    [event] = [each for each in team.plane.audit_events(start) if (each.get("objectRef") or {}).get("resource") == "pods"]
    assert event["user"]["username"] == "alice"
    assert event["impersonatedUser"]["username"] == team.status(name)["identity"]


def test_a_standing_right_does_not_hide_the_grant(team: Team) -> None:
    team.admin.create("roles", {"metadata": {"name": "pods"}, "rules": [_rule("pods")]}).sure()
    team.admin.create("rolebindings", _bound_to("alice")).sure()
    name = granted(team)
    start = team.plane.audit_position()
    team.identity(name).get("pods").sure()
    [event] = [each for each in team.plane.audit_events(start) if (each.get("objectRef") or {}).get("resource") == "pods"]
    assert account(team, name) in event["impersonatedUser"]["username"]


def test_when_it_is_revoked_impersonation_and_token_give_nothing_at_once_and_nothing_is_left(either: Team) -> None:
    name = granted(either)
    holding = either.token_of_identity(name)
    either.decide("alice", "revoke", name)
    either.until(name, "Revoked")
    gives_nothing(either, name, holding)


def test_when_its_time_is_up_impersonation_and_token_give_nothing_at_once_and_nothing_is_left(either: Team) -> None:
    either.policy(delivery="Identity")

    def held(duration: str) -> tuple[str, Person] | None:
        name = either.granted_for(duration)
        with either.nothing_ends():
            return (name, either.token_of_identity(name)) if name and either.lasts(name) else None

    name, holding = while_it_lasts(held)
    either.until(name, "Expired")
    gives_nothing(either, name, holding)


def gives_nothing(team: Team, name: str, holding: Person) -> None:
    """See that an identity is over: on record, for the authorizer, which follows, and in the end altogether."""
    impersonating, ours = team.identity(name), account(team, name)
    assert not team.binding(name)
    eventually(lambda: not impersonating.get("pods").ok, "impersonating gives nothing")
    eventually(lambda: not holding.get("pods").ok, "nor does the token")
    eventually(lambda: left(team, ours) == [], "nothing is left of the identity")
    eventually(lambda: holding.get("pods").status == 401, "the token is void, which the API server learns after ten seconds")


def test_what_somebody_takes_from_an_identity_is_put_back_when_the_binding_is_looked_at(team: Team) -> None:
    name = granted(team)
    for part in PARTS[:3]:
        team.admin.at(ACCOUNTS).delete(part, account(team, name)).sure()
    team.admin.delete("rolebindings", team.status(name)["bindingRef"]["name"]).sure()
    eventually(lambda: left(team, account(team, name)) == list(PARTS), "everything is back")
    eventually(lambda: team.identity(name).get("pods").ok, "and works")
    told = lambda: "IdentityRestored" in [entry["reason"] for entry in team.status(name)["history"]]  # noqa: E731
    eventually(told, "the record tells of it")


def test_access_whose_job_is_gone_is_over(team: Team) -> None:
    name = granted(team)
    ours = account(team, name)
    team.admin.at(ACCOUNTS).delete("jobs", ours, propagationPolicy="Background").sure()
    team.admin.delete("rolebindings", team.status(name)["bindingRef"]["name"]).sure()
    team.until(name, "Revoked")
    assert team.status(name)["history"][-1]["reason"] == "GuardGone"
    eventually(lambda: left(team, ours) == [], "and so is the identity")


def test_deleting_the_request_ends_the_identity_too(team: Team) -> None:
    name = granted(team)
    ours, binding = account(team, name), team.status(name)["bindingRef"]["name"]
    team.admin.delete("accessrequests", name).sure()
    eventually(lambda: team.admin.get("rolebindings", binding).status == 404, "the binding goes")
    eventually(lambda: left(team, ours) == [], "and the identity")


def test_a_finalizer_on_the_right_to_impersonate_is_told_and_ends_nothing_late(team: Team) -> None:
    name = granted(team)
    ours = account(team, name)
    impersonating = team.identity(name)
    team.admin.at(ACCOUNTS).merge("rolebindings", ours, {"metadata": {"finalizers": ["example.com/kept"]}}).sure()
    team.admin.delete("rolebindings", team.status(name)["bindingRef"]["name"]).sure()  # so that somebody looks
    team.until_condition(name, "ExpiryGuarded", "False")
    assert team.condition(name, "ExpiryGuarded")["reason"] == "FinalizerAdded"
    team.decide("alice", "revoke", name)
    team.until(name, "Revoked")
    eventually(lambda: not impersonating.get("pods").ok, "impersonating gives nothing")
    kept = team.admin.at(ACCOUNTS).get("rolebindings", ours).sure()
    assert not kept.get("subjects"), "it stands without subjects"
    team.admin.at(ACCOUNTS).merge("rolebindings", ours, {"metadata": {"finalizers": None}}).sure()


@contextmanager
def without_the_component(team: Team) -> Iterator[None]:
    """The operator has no rights where identities live, as where the component is not installed."""
    grants = team.admin.at(ACCOUNTS)
    found = grants.get("rolebindings", "jitaccess-identities").sure()
    grants.delete("rolebindings", "jitaccess-identities").sure()
    try:
        yield
    finally:
        made = {field: found[field] for field in ("roleRef", "subjects")}
        grants.create("rolebindings", {"metadata": {"name": "jitaccess-identities"}, **made}).sure()


def test_without_the_component_the_policy_says_so_and_nothing_is_granted(team: Team) -> None:
    with without_the_component(team):
        team.policy(delivery="Identity", ready=False)
        ready = team.until_condition("debug", "Ready", "False", of=POLICIES)
        assert ready["reason"] == "IdentityRefused"
        assert "deploy/components/identities" in ready["message"]
        refusal = team.person("alice").create("accessrequests", team.request_manifest("x"))
        assert refusal.status == 403, "nobody can even ask"
    team.until_ready("debug")
    team.granted()


def test_a_grant_goes_on_as_it_began_and_the_next_one_is_delivered_as_the_policy_says_then(team: Team) -> None:
    name = granted(team)
    team.admin.merge(POLICIES, "debug", {"spec": {"delivery": "Binding"}}).sure()
    other = team.granted()
    assert "identity" not in team.status(other)
    eventually(lambda: team.may("alice", "list", "pods"), "the second is hers directly")
    assert team.state(name) == "Active"
    assert team.identity(name).get("pods").ok


def _rule(resource: str) -> dict[str, Any]:
    return {"apiGroups": [""], "resources": [resource], "verbs": ["list"]}


def _bound_to(user: str) -> dict[str, Any]:
    group = "rbac.authorization.k8s.io"
    role = {"apiGroup": group, "kind": "Role", "name": "pods"}
    return {"metadata": {"name": "pods"}, "roleRef": role, "subjects": [{"apiGroup": group, "kind": "User", "name": user}]}


def test_another_persons_identity_is_nobody_elses(team: Team) -> None:
    name = granted(team)
    stranger = replace(team.person("carol"), headers={"Impersonate-User": str(team.status(name)["identity"])})
    refusal = stranger.get("pods")
    assert refusal.status == 403
    assert "cannot impersonate" in refusal.message
