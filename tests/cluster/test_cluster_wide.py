"""Cluster-wide access: asked for, granted and ended like any other, with the sweep as the second line instead of a Job."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from conftest import COMPONENTS, installed_system
from controlplane.client import Person
from system import System
from team import CLUSTER_POLICIES, CLUSTER_REQUESTS, Team, cluster_request_manifest, eventually, new_team, while_it_lasts
from wide import Wide


@pytest.fixture
def wide(either: Team) -> Iterator[Wide]:
    """In force, on each of the two installations."""
    made = Wide(either)
    made.until_in_force()
    yield made
    either.drop(made.policy)
    eventually(lambda: not made.sees_everything(), "what it gave is gone with it")


def test_access_to_the_whole_cluster_begins_with_an_approval(wide: Wide) -> None:
    assert not wide.sees_everything()
    name = wide.granted()
    eventually(wide.sees_everything, "alice sees everything")
    status = wide.until(name, "Active")
    guarded = next(each for each in status["conditions"] if each["type"] == "ExpiryGuarded")
    assert (guarded["status"], guarded["reason"]) == ("False", "SweepOnly")
    assert "jobRef" not in status
    binding = wide.binding(name)
    assert binding
    assert [owner["kind"] for owner in binding["metadata"]["ownerReferences"]] == ["ClusterAccessRequest"]


def test_access_to_the_whole_cluster_ends_with_its_time(wide: Wide) -> None:
    name = while_it_lasts(wide.granted_for)
    wide.until(name, "Expired")
    assert wide.binding(name) is None
    eventually(lambda: not wide.sees_everything(), "alice sees no more")
    eventually(lambda: {"Granted", "ExpiryUnguarded", "DurationElapsed"} <= wide.told(name), "kubectl describe tells it")


@pytest.mark.parametrize("who", ["alice", "carol"])
def test_it_can_be_revoked(wide: Wide, who: str) -> None:
    name = wide.granted()
    wide.decide(who, "revoke", name)
    wide.until(name, "Revoked")
    assert wide.binding(name) is None


def test_a_deleted_request_ends_its_access(wide: Wide) -> None:
    name = wide.granted()
    wide.team.admin.delete(CLUSTER_REQUESTS, name).sure()
    eventually(lambda: wide.binding(name) is None, "the binding goes with it")


def test_a_deleted_policy_ends_its_grants(wide: Wide) -> None:
    name = wide.granted()
    wide.team.admin.delete(CLUSTER_POLICIES, wide.policy).sure()
    wide.until(name, "Revoked")
    assert wide.binding(name) is None


def test_a_binding_changed_by_hand_is_put_right_and_one_deleted_is_put_back(wide: Wide) -> None:
    name = wide.granted()
    deface(wide, name)
    eventually(lambda: subjects(wide, name) == ["alice"], "it is put right")
    before = wide.binding(name)
    assert before
    wide.team.admin.delete("clusterrolebindings", before["metadata"]["name"]).sure()
    eventually(lambda: (wide.binding(name) or before)["metadata"]["uid"] != before["metadata"]["uid"], "it is put back")
    eventually(lambda: restored(wide, name) >= 2, "both are on record, each after it was put right")


def deface(of: Wide | Team, name: str) -> None:
    """Give the binding of a request to somebody else, as a cluster administrator may."""
    other = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "mallory"}

    def put() -> bool:
        found = of.binding(name)
        assert found
        return admin_of(of).put(bindings_of(of), found["metadata"]["name"], found | {"subjects": [other]}).ok

    eventually(put, f"the binding of {name} is somebody else's")


def take(of: Wide | Team, name: str) -> None:
    """Delete the binding of a request."""
    found = of.binding(name)
    assert found
    admin_of(of).delete(bindings_of(of), found["metadata"]["name"]).sure()


def subjects(of: Wide | Team, name: str) -> list[str]:
    """Whom the binding of a request is for."""
    return [subject["name"] for subject in (of.binding(name) or {"subjects": []})["subjects"]]


def restored(of: Wide | Team, name: str) -> int:
    """How often it is on record that the binding of a request was put back."""
    return [entry["reason"] for entry in of.status(name)["history"]].count("BindingRestored")


def admin_of(of: Wide | Team) -> Person:
    """The cluster administrator, at work where the bindings are."""
    return of.team.admin if isinstance(of, Wide) else of.admin


def bindings_of(of: Wide | Team) -> str:
    """What the access is given with."""
    return "clusterrolebindings" if isinstance(of, Wide) else "rolebindings"


def test_what_befell_a_binding_before_an_operator_followed_it_is_put_right_and_not_by_the_sweep() -> None:
    with installed_system() as system:
        seldom = ("--sweep-every", "12h")
        system.start_operator(*seldom)
        team = new_team(system)
        team.policy()
        wide = Wide(team)
        wide.until_in_force()
        victims = {moment: [(of, of.granted(), of.granted()) for of in (wide, team)] for moment in MOMENTS}
        assert system.operator
        system.operator.kill()
        for moment, says in MOMENTS.items():
            if moment == "started":
                system.start_operator(*seldom, ready=False)
            eventually(lambda says=says: says(system), f"the operator has come to: {moment}")  # type: ignore[misc]
            for of, defaced, taken in victims[moment]:
                deface(of, defaced)
                take(of, taken)
        for moment, of, each in [
            (moment, of, each) for moment, all_of_it in victims.items() for of, *both in all_of_it for each in both
        ]:
            what = f"the binding of {each}, changed when the operator had come to: {moment}"
            eventually(lambda of=of, each=each: subjects(of, each) == ["alice"], f"{what}, is as it was")  # type: ignore[misc]
            eventually(lambda of=of, each=each: restored(of, each) == 1, f"{what}, is told of once")  # type: ignore[misc]


def logged(message: str) -> Callable[[System], bool]:
    """Whether the operator has logged that since its last start."""
    return lambda system: any(entry["message"].startswith(message) for entry in system.log())


# The moments of an operator's start, and how each is known to have come.
MOMENTS: dict[str, Callable[[System], bool]] = {
    "killed": lambda _: True,
    "started": logged("serving /livez"),
    "checked": logged("the installation is complete"),
    "leading": logged("leading"),
    "ready": lambda system: system.health("/readyz") == (200, "ok\n"),
}


@contextmanager
def left_alone(wide: Wide) -> Iterator[str]:
    """A grant whose operator sleeps from before its end, and does not end it."""
    operator = wide.team.system.operator
    assert operator

    def attempt(duration: str) -> str:
        name = wide.granted_for(duration)
        if name:
            operator.pause()
            if wide.lasts(name):
                return name
            operator.resume()
            wide.until(name, "Expired")
        return ""

    try:
        yield while_it_lasts(attempt)
    finally:
        operator.resume()


def swept(wide: Wide, name: str) -> bool:
    """Sweep; whether that has ended the grant. What other tests have left may be over too."""
    ended = re.fullmatch(r"(\d+) ended\n", wide.team.system.jitaccess("sweep").stdout)
    return ended is not None and int(ended[1]) > 0 and wide.binding(name) is None


def test_the_sweep_ends_what_is_over_while_no_operator_runs(wide: Wide) -> None:
    with left_alone(wide) as name:
        eventually(lambda: swept(wide, name), "the sweep ends it")
    wide.until(name, "Expired")


def test_a_role_that_may_be_granted_in_namespaces_alone_is_not_granted(wide: Wide) -> None:
    other = Wide(wide.team, roles=[{"kind": "ClusterRole", "name": "jitaccess-debug"}])
    other.until_in_force()
    name = other.request(roleRef={"kind": "ClusterRole", "name": "jitaccess-debug"})
    other.decide("bob", "approve", name)
    eventually(lambda: wide.why(name).get("reason") == "BindForbidden", "the operator may not bind it cluster-wide")
    assert "ClusterRole jitaccess-grantable-cluster-wide" in wide.why(name)["message"]
    assert other.binding(name) is None


def test_many_roles_in_namespaces_but_no_request_cluster_wide_under_a_policy_for_namespaces(wide: Wide) -> None:
    denied = wide.person("alice").create(CLUSTER_REQUESTS, cluster_request_manifest("x", "none", requester="alice"))
    assert denied.status == 403
    assert "may not request access under ClusterAccessPolicy 'none'" in denied.message


# --- delivered as a temporary identity, which a Job takes along though it can own no ClusterRoleBinding

ACCOUNTS = "jitaccess-grants"
PARTS = ("serviceaccounts", "roles", "rolebindings", "jobs")


@pytest.fixture
def borne(either: Team) -> Iterator[Wide]:
    """In force, delivered as an identity, on each of the two installations."""
    made = Wide(either, delivery="Identity")
    made.until_in_force()
    yield made
    either.drop(made.policy)


def left(wide: Wide, name: str) -> list[str]:
    """What there is of an identity in its namespace."""
    account = wide.account(name)
    return [each for each in PARTS if wide.team.admin.at(ACCOUNTS).get(each, account).ok]


def test_the_requester_sees_everything_through_the_account_alone_until_it_is_revoked(borne: Wide) -> None:
    name = borne.granted()
    impersonating, holding = borne.identity(name), borne.token_of_identity(name)
    eventually(lambda: borne.sees_everything(impersonating), "alice sees everything through the account")
    assert borne.sees_everything(holding), "and so does who has its token"
    assert not borne.sees_everything(), "alice herself has nothing"
    assert not borne.sees_everything(borne.identity(name, "erin@example.com")), "nor has anybody else who says to be it"
    status = borne.until(name, "Active")
    guarded = next(each for each in status["conditions"] if each["type"] == "ExpiryGuarded")
    assert (guarded["status"], guarded["reason"]) == ("True", "JobCreated")
    job = borne.team.admin.at(ACCOUNTS).get("jobs", borne.account(name)).sure()
    assert [owner["kind"] for owner in job["metadata"]["ownerReferences"]] == ["ClusterAccessRequest"]
    assert left(borne, name) == list(PARTS)
    borne.decide("alice", "revoke", name)
    borne.until(name, "Revoked")
    assert borne.binding(name) is None
    eventually(lambda: not borne.sees_everything(impersonating), "impersonating gives nothing")
    eventually(lambda: not borne.sees_everything(holding), "nor does the token")
    eventually(lambda: left(borne, name) == [], "nothing is left of the identity")


def test_what_somebody_takes_from_a_cluster_wide_identity_is_put_back(borne: Wide) -> None:
    name = borne.granted()
    for part in PARTS[:3]:
        borne.team.admin.at(ACCOUNTS).delete(part, borne.account(name)).sure()
    binding = borne.binding(name)
    assert binding
    borne.team.admin.delete("clusterrolebindings", binding["metadata"]["name"]).sure()
    eventually(lambda: left(borne, name) == list(PARTS) and borne.binding(name), "everything is back")
    eventually(lambda: borne.sees_everything(borne.identity(name)), "and works")
    both = {"IdentityRestored", "BindingRestored"}
    eventually(lambda: both <= {entry["reason"] for entry in borne.until(name, "Active")["history"]}, "the record tells of both")


def test_the_sweep_ends_a_cluster_wide_identity_while_no_operator_runs(borne: Wide) -> None:
    with left_alone(borne) as name:
        impersonating = borne.identity(name)
        eventually(lambda: swept(borne, name), "the sweep ends it")
        assert left(borne, name) == []
        eventually(lambda: not borne.sees_everything(impersonating), "impersonating gives nothing")
    borne.until(name, "Expired")


# --- without the component, and what it adds


def rights(team: Team) -> set[str]:
    """What the operator may do in the whole cluster, a line for each rule."""
    token = team.plane.kubectl("create", "token", "jitaccess", "--namespace=jitaccess-system").stdout.strip()
    operator = Person("operator", team.plane.server, team.plane.ca_file, token)
    review = operator.call(
        "POST", "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", {"spec": {"namespace": "default"}}
    ).sure()
    rules = review["status"]["resourceRules"]
    operator.close()
    return {
        f"{verb} {group or 'core'}/{resource}{':' + name if name else ''}"
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        for name in rule.get("resourceNames") or [""]
    }


RBAC = "rbac.authorization.k8s.io"
BEFORE = {
    "create rbac.authorization.k8s.io/clusterroles",
    "update rbac.authorization.k8s.io/clusterroles",
    *(f"{verb} core/namespaces" for verb in ("get", "list", "watch")),
}


def test_without_the_component_nothing_is_given_cluster_wide_and_with_it_no_more_than_it_says() -> None:
    with installed_system(components=False) as system:
        team = new_team(system)
        before = rights(team)
        assert not {right for right in before if "clusterrolebindings" in right}
        assert {right for right in before if right.endswith((f"{RBAC}/clusterroles", "core/namespaces"))} == BEFORE
        assert not {right for right in before if right.startswith(("escalate ", "impersonate ", "* ")) or "/*" in right}
        system.start_operator()
        wide = Wide(team)
        eventually(lambda: wide.ready().get("reason") == "ComponentMissing", "the policy says what is missing")
        assert "deploy/components/cluster-wide" in wide.ready()["message"]
        assert not wide.person("alice").may("request", CLUSTER_POLICIES, group="jitaccess.dev", name=wide.policy)
        assert "0 ended" in system.jitaccess("sweep").stdout
        system.plane.kubectl("apply", "-k", str(COMPONENTS))
        assert rights(team) - before == {
            *(f"{verb} {RBAC}/clusterrolebindings" for verb in ("get", "list", "watch", "create", "update", "delete")),
            f"bind-cluster-wide {RBAC}/clusterroles:view",
        }
        wide.until_in_force()  # the installation is looked at once a minute
        name = wide.granted()
        eventually(wide.sees_everything, "alice sees everything")
        system.plane.kubectl("delete", "clusterrolebinding", "jitaccess-cluster-wide")
        wide.decide("alice", "revoke", name)
        eventually(lambda: wide.why(name).get("reason") == "EndRefused", "what cannot be ended is said, and never called over")
        system.plane.kubectl("apply", "-k", str(COMPONENTS))
        wide.until(name, "Revoked")
