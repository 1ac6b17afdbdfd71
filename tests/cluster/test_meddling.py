"""Gone means gone, whoever meddles: finalizers, delete protection, webhooks that change what is made, restored backups."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from pace import promptly
from team import PATIENCE, POLICIES, Team, eventually, while_it_lasts

VALIDATING = ("validatingadmissionpolicies", "validatingadmissionpolicybindings")
MUTATING = ("mutatingadmissionpolicies", "mutatingadmissionpolicybindings")
SOON = 15.0  # seconds of an onlooker
JOB, ROLE_BINDING = ("batch", "jobs"), ("rbac.authorization.k8s.io", "rolebindings")


@contextmanager
def admission(
    team: Team, kinds: tuple[str, str], name: str, what: tuple[str, str], operations: list[str], **spec: Any
) -> Iterator[None]:
    """Somebody's admission policy for one kind of object in this namespace alone; when it is in force is for the test to see."""
    rule = {"apiGroups": [what[0]], "apiVersions": ["*"], "resources": [what[1]], "operations": operations}
    here = [{"name": "here", "expression": f"request.namespace == '{team.namespace}'"}]
    policy = {"failurePolicy": "Fail", "matchConstraints": {"resourceRules": [rule]}, "matchConditions": here, **spec}
    bound = {"policyName": name} | ({"validationActions": ["Deny"]} if kinds is VALIDATING else {})
    base = "/apis/admissionregistration.k8s.io/v1"
    for resource, body in zip(kinds, (policy, bound), strict=True):
        team.admin.call("POST", f"{base}/{resource}", {"metadata": {"name": name}, "spec": body}).sure()
    try:
        yield
    finally:
        for resource in reversed(kinds):
            team.admin.call("DELETE", f"{base}/{resource}/{name}").sure()


def protected(team: Team, operations: list[str]) -> Any:
    """A policy engine that refuses these operations on every RoleBinding of the namespace, to everybody."""
    refusal = [{"expression": "false", "message": "protected by the platform team"}]
    return admission(team, VALIDATING, f"protect-{team.namespace}", ROLE_BINDING, operations, validations=refusal)


def mutated(team: Team, what: tuple[str, str], change: str) -> Any:
    """A webhook, as a policy, that changes every new object of that kind in the namespace: a JSONPatch in CEL."""
    mutation = {"patchType": "JSONPatch", "jsonPatch": {"expression": f"[{change}]"}}
    spec = {"mutations": [mutation], "reinvocationPolicy": "Never"}
    return admission(team, MUTATING, f"mutate-{team.namespace}", what, ["CREATE"], **spec)


def in_force(team: Team, operation: str) -> None:
    """Wait until the protection refuses: on a binding of nobody's, by a dry run."""
    role = {"apiGroup": ROLE_BINDING[0], "kind": "ClusterRole", "name": "view"}
    probe = f"probe-{operation.lower()}"
    team.admin.create("rolebindings", {"metadata": {"name": probe}, "roleRef": role, "subjects": []}).sure()
    path = team.admin.path("rolebindings", probe)

    def refused() -> bool:
        answers = {
            "DELETE": lambda: team.admin.call("DELETE", path, dryRun="All"),
            "UPDATE": lambda: team.admin.merge("rolebindings", probe, {"metadata": {"labels": {"a": "b"}}}, dryRun="All"),
        }
        return "protected by the platform team" in answers[operation]().message

    eventually(refused, f"{operation} is refused")


def reasons(team: Team, name: str) -> list[str]:
    """What happened to a request, in one word each."""
    return [entry["reason"] for entry in team.status(name)["history"]]


def test_a_finalizer_on_the_binding_keeps_no_access_alive(team: Team) -> None:
    team.policy()

    def kept(duration: str) -> str:
        name = team.granted_for(duration)
        with team.nothing_ends():
            if not name or not team.lasts(name):
                return ""
            finalizer = {"metadata": {"finalizers": ["x.dev/keep"]}}
            team.admin.merge("rolebindings", team.status(name)["bindingRef"]["name"], finalizer).sure()
        return name

    name = while_it_lasts(kept)
    team.until(name, "Expired")
    lost = "RBAC honours a binding that is being deleted: it must have lost its subjects"
    eventually(lambda: not team.may("alice", "list", "pods"), lost)
    left = team.binding(name)
    assert left, "the finalizer keeps the object"
    assert left.get("subjects", []) == []
    assert "BindingEmptied" in reasons(team, name)
    team.admin.merge("rolebindings", left["metadata"]["name"], {"metadata": {"finalizers": None}}).sure()
    eventually(lambda: team.binding(name) is None, "it goes when it is let go")


def test_a_finalizer_that_comes_with_every_binding_is_said_from_the_start(team: Team) -> None:
    team.policy()
    change = 'JSONPatch{op: "add", path: "/metadata/finalizers", value: ["controller.cattle.io/keep"]}'
    with mutated(team, ROLE_BINDING, change):
        role = {"apiGroup": ROLE_BINDING[0], "kind": "ClusterRole", "name": "view"}
        probe = {"metadata": {"name": "probe"}, "roleRef": role, "subjects": []}

        def finalizers() -> object:
            return team.admin.create("rolebindings", probe, dryRun="All").sure()["metadata"].get("finalizers")

        eventually(finalizers, "new bindings get the finalizer")
        name = team.granted()
        guarded = team.until_condition(name, "ExpiryGuarded", "False")
        assert guarded["reason"] == "FinalizerAdded"
        assert "controller.cattle.io/keep" in guarded["message"]
        short = team.approved(duration="2s")
        team.until(short, "Expired")
    team.decide("alice", "revoke", name)
    team.until(name, "Revoked")
    eventually(lambda: not team.may("alice", "list", "pods"), "alice may nothing")
    for left in team.items("rolebindings"):
        team.admin.merge("rolebindings", left["metadata"]["name"], {"metadata": {"finalizers": None}}).sure()


def test_a_binding_whose_deletion_is_refused_gives_nothing_any_more(team: Team) -> None:
    team.policy()
    with protected(team, ["DELETE"]):
        in_force(team, "DELETE")
        name = while_it_lasts(team.granted_for)
        team.until(name, "Expired")
        eventually(lambda: not team.may("alice", "list", "pods"), "alice may nothing")
        assert "BindingEmptied" in reasons(team, name)
        assert "protected by the platform team" in json.dumps(team.status(name)["history"])


def test_an_end_that_is_refused_altogether_is_said_loudly_and_never_called_over(team: Team) -> None:
    team.policy()
    with protected(team, ["DELETE", "UPDATE"]):
        in_force(team, "DELETE")
        in_force(team, "UPDATE")
        name = while_it_lasts(team.granted_for)
        granted = eventually(lambda: refused(team, name), "it says that its end is refused")
        assert granted["status"] == "True", "the access exists"
        assert "protected by the platform team" in granted["message"]
        assert team.status(name)["state"] == "Active"
        eventually(lambda: team.may("alice", "list", "pods"), "and so it must not be called over")
        eventually(lambda: "EndRefused" in team.events(), "an Event says it")
        logged = lambda: [entry for entry in team.system.log() if entry.get("reason") == "EndRefused"]  # noqa: E731
        told = eventually(logged, "and a line in the log that one can alarm on")
        assert {entry["level"] for entry in told} == {"WARNING"}
    team.until(name, "Expired")
    eventually(lambda: not team.may("alice", "list", "pods"), "what is no longer refused ends")


def refused(team: Team, name: str) -> dict[str, Any]:
    """The condition Granted of a request whose end is refused, else nothing."""
    granted = team.condition(name, "Granted")
    return granted if granted.get("reason") == "EndRefused" else {}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        pytest.param('JSONPatch{op: "replace", path: "/spec/ttlSecondsAfterFinished", value: 86400}', "86400 s", id="a-day"),
        pytest.param(
            'JSONPatch{op: "replace", path: "/spec/ttlSecondsAfterFinished", value: 1}', "1 s instead of", id="one-second"
        ),
        pytest.param('JSONPatch{op: "add", path: "/metadata/finalizers", value: ["x.dev/keep"]}', "x.dev/keep", id="a-finalizer"),
    ],
)
def test_a_job_that_comes_out_different_guards_nothing_and_says_so(team: Team, change: str, told: str) -> None:
    team.policy()
    with mutated(team, JOB, change):
        container = {"name": "x", "image": "x.example/x:1"}
        spec = {
            "completions": 0,
            "ttlSecondsAfterFinished": 77,
            "template": {"spec": {"restartPolicy": "Never", "containers": [container]}},
        }
        probe = {"metadata": {"name": "probe"}, "spec": spec}

        def changed() -> bool:
            made = team.admin.create("jobs", probe, dryRun="All").sure()
            return made["spec"]["ttlSecondsAfterFinished"] != 77 or bool(made["metadata"].get("finalizers"))

        eventually(changed, "new Jobs are changed")
        name = team.granted()
        guarded = team.until_condition(name, "ExpiryGuarded", "False")
        assert guarded["reason"] == "JobChanged"
        assert told in guarded["message"], guarded["message"]
        binding = team.binding(name)
        assert binding
        assert [owner["kind"] for owner in binding["metadata"]["ownerReferences"]] == ["AccessRequest"]
        short = team.approved(duration="2s")
        team.until(short, "Expired")
    time.sleep(3)  # in which a Job that is over could take the binding along
    assert team.state(name) == "Active"
    team.decide("alice", "revoke", name)
    team.until(name, "Revoked")
    assert "BindingRestored" not in reasons(team, name) + reasons(team, short), "it does not flap"
    eventually(lambda: not team.may("alice", "list", "pods"), "alice may nothing")
    for left in team.items("jobs"):
        team.admin.merge("jobs", left["metadata"]["name"], {"metadata": {"finalizers": None}}).sure()


def backed_up(team: Team, name: str) -> dict[str, Any]:
    """The binding of a request as a backup has it."""
    binding = team.binding(name)
    assert binding
    kept = ("name", "labels", "annotations")
    return {**binding, "metadata": {field: binding["metadata"][field] for field in kept}}


def test_a_binding_that_comes_back_ends_when_it_is_seen(team: Team) -> None:
    team.policy()
    name = team.granted()
    backup = backed_up(team, name)
    team.decide("alice", "revoke", name, "done")
    team.until(name, "Revoked")
    team.admin.create("rolebindings", backup).sure()
    promptly(team, SOON, lambda: team.binding(name) is None, "the restored binding is gone")
    assert team.state(name) == "Revoked"


def test_a_binding_that_comes_back_before_its_end_is_on_record_ends_too(team: Team) -> None:
    team.policy()
    for name in [team.granted() for _ in range(5)]:
        backup = backed_up(team, name)
        team.decide("alice", "revoke", name, "done")
        given_up = time.monotonic() + PATIENCE
        while not team.admin.create("rolebindings", backup).ok:  # without a pause: the record comes milliseconds later
            assert time.monotonic() < given_up, "expected the binding to go"
        team.until(name, "Revoked")
        promptly(team, SOON, lambda name=name: team.binding(name) is None, "the restored binding is gone")  # type: ignore[misc]


def test_a_policy_recreated_under_its_name_inherits_neither_approvals_nor_access(team: Team) -> None:
    team.policy(requiredApprovals=2)
    half, whole = team.request(), team.request()
    for who in ("bob", "carol"):
        team.decide(who, "approve", whole)
    team.until(whole, "Active")
    team.decide("bob", "approve", half)
    eventually(lambda: team.status(half).get("approvals"), "the first approval is on record")
    team.admin.delete(POLICIES, "debug").sure()
    team.policy(requiredApprovals=1, approvers=[{"kind": "User", "name": "carol"}], ready=False)
    team.until(whole, "Revoked")
    team.until(half, "Denied")
    eventually(lambda: not team.may("alice", "list", "pods"), "alice may nothing")
    ended = {reasons(team, half)[-1], reasons(team, whole)[-1]}
    assert ended <= {"PolicyNotFound", "PolicyRecreated"}, f"by whichever the operator saw first, and got {ended}"


def test_a_role_widened_after_an_approval_is_not_what_was_approved(team: Team) -> None:
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}]
    team.admin.create("roles", {"metadata": {"name": "db-reader"}, "rules": rules}).sure()
    team.policy(roles=[{"kind": "Role", "name": "db-reader"}], requiredApprovals=2)
    name = team.request(roleRef={"kind": "Role", "name": "db-reader"})
    team.decide("bob", "approve", name)
    eventually(lambda: team.status(name).get("approvals"), "the first approval is on record")
    wider = [*rules, {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["delete"]}]
    team.admin.merge("roles", "db-reader", {"rules": wider}).sure()
    team.decide("carol", "approve", name)
    status = team.until(name, "Denied")["status"]
    assert status["history"][-1]["reason"] == "RoleChanged"
    assert status["role"]["rules"] == [{"verbs": ["get"], "groups": [""], "resources": ["configmaps"]}], "as it was shown"
    assert not team.may("alice", "delete", "deployments", "apps")
