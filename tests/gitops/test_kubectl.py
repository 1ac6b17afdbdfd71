"""Plain kubectl on requests and policies: what its columns show, what `kubectl wait` sees, and what is said to who mistypes."""

import json
from pathlib import Path
from typing import Any

import pytest

from controlplane.errors import KubectlError
from locking import LOCKS, locked
from team import PATIENCE, POLICIES, Team, annotations, eventually, policy_manifest

NEVER = f"--timeout={PATIENCE:.0f}s"
RBAC = "rbac.authorization.k8s.io"


def columns(team: Team, name: str, *flags: str, of: str = "accessrequest") -> dict[str, str]:
    """The row that `kubectl get` prints, by its header; columns are told apart by where they begin."""
    header, row = team.kubectl("get", of, name, *flags).splitlines()
    starts = [at for at, letter in enumerate(header) if letter != " " and (at == 0 or header[at - 1] == " ")]
    ends = [*starts[1:], max(len(row), len(header))]
    return {header[a:b].strip(): row[a:b].strip() for a, b in zip(starts, ends, strict=True)}


def test_the_columns_show_the_approvals_and_the_end_of_what_lasts(team: Team) -> None:
    team.policy(requiredApprovals=2)
    name = team.request()
    team.until(name, "Pending")
    assert (columns(team, name)["APPROVALS"], columns(team, name)["EXPIRES"]) == ("0/2", "")
    team.decide("bob", "approve", name)
    eventually(lambda: columns(team, name)["APPROVALS"] == "1/2", "one of two")
    team.decide("carol", "approve", name)
    expires = team.until(name, "Active")["status"]["expiresAt"]
    shown = columns(team, name)
    assert (shown["APPROVALS"], shown["EXPIRES"]) == ("2/2", expires)
    team.decide("alice", "revoke", name)
    status = team.until(name, "Revoked")["status"]
    assert (columns(team, name)["EXPIRES"], status["expiresAt"]) == ("", expires), "blank, and still on record"


def test_the_columns_show_no_end_of_what_is_over(team: Team) -> None:
    team.policy()
    name = team.approved(duration="1s")
    team.until(name, "Expired")
    assert columns(team, name)["EXPIRES"] == ""


def test_the_columns_of_a_lock_name_everybody_it_is_on(team: Team) -> None:
    with locked(team, "erin@example.com", "trent") as name:
        team.until_condition(name, "InForce", "True", of=LOCKS)
        shown = columns(team, name, "-o", "wide", of="accesslock")
        assert (shown["STATE"], shown["SUBJECTS"], shown["FIRST"]) == ("Active", "erin@example.com, trent", "erin@example.com")
        assert "FIRST" not in columns(team, name, of="accesslock")


REFUSED = [
    pytest.param({"duration": "5h"}, "DurationTooLong", id="too-long"),
    pytest.param({"roleRef": {"kind": "ClusterRole", "name": "edit"}}, "RoleNotOffered", id="not-offered"),
]


@pytest.mark.parametrize(("spec", "reason"), REFUSED)
def test_kubectl_wait_sees_at_once_what_the_policy_does_not_allow(
    either: Team, tmp_path: Path, spec: dict[str, Any], reason: str
) -> None:
    either.policy()
    file = tmp_path / "request.json"
    file.write_text(json.dumps(either.request_manifest("asked", **spec)))
    either.kubectl("create", "-f", str(file), user="alice")
    waits = ("condition=Reconciling=false", "condition=Denied", "jsonpath={.status.settled}=true")
    for what in waits:
        either.kubectl("wait", f"--for={what}", "accessrequest/asked", NEVER, user="alice")
    template = """jsonpath={.status.state}: {.status.conditions[?(@.type=="Granted")].message}"""
    said = either.kubectl("get", "accessrequest", "asked", "-o", template, user="alice")
    assert said.startswith("Denied: AccessPolicy debug ")
    assert either.condition("asked", "Denied")["reason"] == reason


def test_kubectl_wait_sees_that_access_is_there_by_the_same_condition(team: Team) -> None:
    team.policy(requiredApprovals=0, approvers=[])
    name = team.request()
    team.kubectl("wait", "--for=condition=Reconciling=false", f"accessrequest/{name}", NEVER, user="alice")
    assert team.state(name) == "Active"


def test_kubectl_wait_goes_on_while_somebody_has_to_decide(team: Team) -> None:
    team.policy()
    name = team.request()
    team.until(name, "Pending")
    with pytest.raises(KubectlError, match="timed out waiting"):
        team.kubectl("wait", "--for=condition=Reconciling=false", f"accessrequest/{name}", "--timeout=1s", user="alice")


@pytest.mark.parametrize("field", ["maxDuration", "pendingTimeout"])
def test_days_are_refused_in_one_sentence_that_says_what_to_write(team: Team, tmp_path: Path, field: str) -> None:
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(policy_manifest("days", **{field: "1d"})))
    with pytest.raises(KubectlError) as refusal:
        team.kubectl("apply", "-f", str(file))
    said = refusal.value.stderr.splitlines()
    sentence = "is not a duration: write it like 30m, 4h or 1h30m, and a day as 24h"
    assert said == [f'The AccessPolicy "days" is invalid: spec.{field}: Invalid value: "1d": {sentence}']


def test_subjects_and_roles_are_taken_as_a_rolebinding_has_them(either: Team) -> None:
    role = {"apiGroup": RBAC, "kind": "ClusterRole", "name": "view"}
    robot = {"apiGroup": "", "kind": "ServiceAccount", "name": "robot", "namespace": either.namespace}
    people = [{"apiGroup": RBAC, "kind": "Group", "name": "developers"}, robot]
    leads = [{"apiGroup": RBAC, "kind": "Group", "name": "leads"}]
    pasted = policy_manifest("debug", roles=[role], requesters=people, approvers=leads)
    either.admin.create(POLICIES, pasted, fieldValidation="Strict").sure()
    either.until_ready("debug")
    eventually(lambda: either.holds("alice", "request", "debug"), "alice may ask")
    eventually(lambda: either.holds("bob", "approve", "debug"), "bob may approve")
    name = either.granted(roleRef=role)
    binding = either.binding(name)
    assert binding
    assert binding["roleRef"] == role


def test_a_mistyped_annotation_names_the_ones_there_are(either: Team) -> None:
    either.policy()
    name = either.request()
    either.until(name, "Pending")
    answer = either.person("bob").merge("accessrequests", name, annotations({"jitaccess.dev/aprove": "ok"}))
    assert answer.status == 403
    for valid in ("jitaccess.dev/approve,", "jitaccess.dev/deny", "jitaccess.dev/revoke", "jitaccess.dev/approvals"):
        assert valid in answer.message


@pytest.mark.parametrize(
    ("field", "default"),
    [
        pytest.param("accesspolicy.spec.requiredApprovals", "Default: 1.", id="approvals"),
        pytest.param("accesspolicy.spec.pendingTimeout", "Default: 24h.", id="timeout"),
        pytest.param("accesspolicy.spec.noteRequired", "Default: false.", id="note"),
        pytest.param("accessrequest.spec.policyRef.kind", "Default: AccessPolicy.", id="kind"),
    ],
)
def test_kubectl_explain_says_the_default(team: Team, field: str, default: str) -> None:
    assert default in " ".join(team.kubectl("explain", field).split())
