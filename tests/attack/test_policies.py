"""Policies that give more than their author has, that cannot work, or whose roles outlive the hour."""

from collections.abc import Iterator
from typing import Any

import pytest

from attack import refusals
from attack.stage import RBAC, Stage, Theatre
from attack.table import Attempt, How, Scene, cannot, play, table
from attack.test_asking import CONTROLS
from controlplane.client import Answer, Person
from team import POLICIES, eventually, policy_manifest

VIEW, EDIT, ADMIN = ({"kind": "ClusterRole", "name": name} for name in ("view", "edit", "admin"))
SPARE = [{"kind": "ClusterRole", "name": f"spare-{n}"} for n in range(14)]
DEBUG, DB = {"kind": "ClusterRole", "name": "jitaccess-debug"}, {"kind": "Role", "name": "db-reader"}


def offers(**spec: Any) -> How:
    """Make a policy with these fields; None leaves one out."""

    def how(scene: Scene, me: Person) -> Answer:
        manifest = policy_manifest(f"p{next(scene.stage._names)}", **spec)
        manifest["spec"] = {field: value for field, value in manifest["spec"].items() if value is not None}
        return me.create(POLICIES, manifest, dryRun="All")

    return how


def changes(policy: str, patch: dict[str, Any]) -> How:
    return lambda scene, me: me.merge(POLICIES, policy, patch, dryRun="All")


def applies(policy: str, *roles: dict[str, str]) -> How:
    """Apply a list of roles by force."""

    def how(scene: Scene, me: Person) -> Answer:
        manifest = {"apiVersion": "jitaccess.dev/v1alpha1", "kind": "AccessPolicy", "metadata": {"name": policy}}
        return me.apply(POLICIES, policy, {**manifest, "spec": policy_manifest(policy)["spec"] | {"roles": list(roles)}})

    return how


def schema() -> Iterator[Attempt]:
    bob, group = {"kind": "User", "name": "bob"}, {"kind": "Group", "name": "leads"}
    few = "fewer approvers are named than requiredApprovals asks for, so nothing could ever be approved: name more, or a Group"
    none = "requiredApprovals is above 0, so name at least one approver (or set requiredApprovals: 0 if no human is needed)"
    nobody = "people who have not logged in can neither ask nor decide"
    namespace = "a ServiceAccount needs its namespace; a User or a Group has none"
    other = 'Unsupported value: "apps": supported values: "", "rbac.authorization.k8s.io"'
    robot = {"kind": "ServiceAccount", "name": "robot", "namespace": "x"}
    rows: list[tuple[str, dict[str, Any], str]] = [
        ("a role of another apiGroup", {"roles": [{**VIEW, "apiGroup": "apps"}]}, f"spec.roles[0].apiGroup: {other}"),
        (
            "a requester of another apiGroup",
            {"requesters": [{**group, "apiGroup": "apps"}]},
            f"spec.requesters[0].apiGroup: {other}",
        ),
        ("an approver of another apiGroup", {"approvers": [{**bob, "apiGroup": "apps"}]}, f"spec.approvers[0].apiGroup: {other}"),
        (
            "a ServiceAccount with the apiGroup of users",
            {"approvers": [{**robot, "apiGroup": RBAC}]},
            "a ServiceAccount is of no apiGroup: leave it out, as in the subjects of a RoleBinding",
        ),
        (
            "the same approver twice, once with its apiGroup",
            {"approvers": [bob, {**bob, "apiGroup": RBAC}], "requiredApprovals": 2},
            "spec.approvers: Invalid value: each is named once",
        ),
        (
            "the same role twice, once with its apiGroup",
            {"roles": [VIEW, {**VIEW, "apiGroup": RBAC}]},
            "spec.roles[1]: Duplicate value",
        ),
        ("notes asked for in words", {"noteRequired": "yes"}, 'spec.noteRequired: Invalid value: "string"'),
        ("no approvers", {"approvers": None}, none),
        ("an empty list of approvers", {"approvers": []}, none),
        ("more approvals than approvers", {"approvers": [bob], "requiredApprovals": 2}, few),
        ("seventeen approvals", {"requiredApprovals": 17}, "spec.requiredApprovals in body should be less than or equal to 16"),
        ("minus one approval", {"requiredApprovals": -1}, "spec.requiredApprovals in body should be greater than or equal to 0"),
        ("half an approval", {"requiredApprovals": 0.5}, 'spec.requiredApprovals in body must be of type int32: "float64"'),
        ("approvals as a word", {"requiredApprovals": "0"}, 'spec.requiredApprovals: Invalid value: "string"'),
        ("approvals as a truth", {"requiredApprovals": True}, "spec.requiredApprovals in body must be of type int32"),
        (
            "the same approver twice",
            {"approvers": [bob, bob], "requiredApprovals": 2},
            "spec.approvers: Invalid value: each is named once",
        ),
        ("the same requester twice", {"requesters": [group, group]}, "spec.requesters: Invalid value: each is named once"),
        ("the same role twice", {"roles": [VIEW, VIEW]}, "spec.roles[1]: Duplicate value"),
        (
            "people who have not logged in as requesters",
            {"requesters": [{"kind": "Group", "name": "system:unauthenticated"}]},
            nobody,
        ),
        (
            "people who have not logged in as approvers",
            {"approvers": [{"kind": "Group", "name": "system:unauthenticated"}]},
            nobody,
        ),
        ("anonymous as a requester", {"requesters": [{"kind": "User", "name": "system:anonymous"}]}, nobody),
        (
            "an approver whose name the ledger would cut",
            {"approvers": [{"kind": "User", "name": "bob: x"}]},
            "a user whose name contains ': ' cannot decide: the ledger ends names there",
        ),
        ("a ServiceAccount without its namespace", {"approvers": [{"kind": "ServiceAccount", "name": "robot"}]}, namespace),
        ("a User with a namespace", {"approvers": [{**bob, "namespace": "x"}]}, namespace),
        (
            "another kind of subject",
            {"approvers": [{"kind": "user", "name": "bob"}]},
            'supported values: "User", "Group", "ServiceAccount"',
        ),
        (
            "a subject without a name",
            {"requesters": [{"kind": "User", "name": ""}]},
            "spec.requesters[0].name in body should be at least 1 chars long",
        ),
        ("nobody who may ask", {"requesters": []}, "spec.requesters in body should have at least 1 items"),
        ("no roles", {"roles": []}, "spec.roles in body should have at least 1 items"),
        (
            "seventeen roles",
            {"roles": [{"kind": "ClusterRole", "name": f"r{n}"} for n in range(17)]},
            "spec.roles: Too many: 17: must have at most 16 items",
        ),
        (
            "a role in another directory",
            {"roles": [{"kind": "ClusterRole", "name": "view/../admin"}]},
            'spec.roles[0].name: Invalid value: "view/../admin": is no name of a role: it has neither',
        ),
        ("a risk taken in words", {"allowPersistentRisk": "true"}, 'spec.allowPersistentRisk: Invalid value: "string"'),
        ("no longest duration", {"maxDuration": None}, "spec.maxDuration: Required value"),
        ("a duration of nothing", {"maxDuration": "0s"}, "is too short: at least 1ms"),
        ("a duration of a year", {"maxDuration": "8760h"}, "is too long: at most 720h (30 days)"),
        (
            "a duration in days",
            {"maxDuration": "30d"},
            'spec.maxDuration: Invalid value: "30d": is not a duration: write it like 30m, 4h or 1h30m, and a day as 24h',
        ),
        ("a timeout of nothing", {"pendingTimeout": "0s"}, "is too short: at least 1ms"),
        (
            "a negative timeout",
            {"pendingTimeout": "-1h"},
            'spec.pendingTimeout: Invalid value: "-1h": is not a duration: write it like 30m, 4h or 1h30m, and a day as 24h',
        ),
    ]
    honest = offers(roles=[{**VIEW, "apiGroup": RBAC}, DEBUG], approvers=[{**group, "apiGroup": RBAC}, robot], noteRequired=True)
    for words, spec, refusal in rows:
        yield Attempt(words, "paul", offers(**spec), refusal, honest, status=422)
    for words, text in CONTROLS.items():
        yield Attempt(
            f"{words} in the name of an approver",
            "paul",
            offers(approvers=[{"kind": "User", "name": f"bob{text}"}]),
            refusals.hidden(4),
            offers(description="für die Nacht, 名前"),
            status=422,
        )
        yield Attempt(
            f"{words} in the description",
            "paul",
            offers(description=f"a{text}b"),
            refusals.hidden(2),
            offers(description="für die Nacht"),
            status=422,
        )


def authors() -> Iterator[Attempt]:
    yield Attempt(
        "a role that its author may not bind",
        "paul",
        offers(roles=[EDIT]),
        refusals.may_not_bind("ClusterRole edit"),
        offers(roles=[VIEW]),
    )
    yield Attempt(
        "such a role behind one that they may",
        "paul",
        offers(roles=[VIEW, DEBUG, ADMIN]),
        refusals.may_not_bind("ClusterRole admin"),
        offers(roles=[VIEW, DEBUG]),
    )
    yield Attempt(
        "such a role in the last of sixteen places",
        "paul",
        offers(roles=[VIEW, *SPARE, ADMIN]),
        refusals.may_not_bind("ClusterRole admin"),
        offers(roles=[VIEW, *SPARE, DEBUG]),
    )
    yield Attempt(
        "such a role in the middle of sixteen, of both kinds",
        "paul",
        offers(roles=[VIEW, *SPARE[:7], DB, *SPARE[7:]]),
        refusals.may_not_bind("Role db-reader"),
        offers(roles=[VIEW, *SPARE, DEBUG]),
    )
    yield Attempt(
        "a Role that its author may not bind", "paul", offers(roles=[DB]), refusals.may_not_bind("Role db-reader"), offers()
    )
    yield Attempt(
        "a Role of the name of a ClusterRole that they may",
        "paul",
        offers(roles=[{"kind": "Role", "name": "view"}]),
        refusals.may_not_bind("Role view"),
        offers(),
    )
    yield Attempt(
        "a role with a capital",
        "paul",
        offers(roles=[{"kind": "ClusterRole", "name": "View"}]),
        refusals.may_not_bind("ClusterRole View"),
        offers(),
    )
    yield Attempt(
        "adding a role to a policy",
        "paul",
        changes("debug", {"spec": {"roles": [VIEW, EDIT]}}),
        refusals.may_not_bind("ClusterRole edit"),
        changes("debug", {"spec": {"roles": [VIEW, DEBUG]}}),
    )
    yield Attempt(
        "adding a role by server-side apply",
        "paul",
        applies("crowd", VIEW, EDIT),
        refusals.may_not_bind("ClusterRole edit"),
        applies("debug", VIEW),
    )
    yield Attempt(
        "changing a policy that offers more than one has",
        "paul",
        changes("foreign", {"spec": {"maxDuration": "720h"}}),
        refusals.may_not_bind("ClusterRole edit"),
        changes("foreign", {"metadata": {"labels": {"a": "b"}}}),
    )
    yield Attempt(
        "naming oneself in a policy that offers more than one has",
        "paul",
        changes("foreign", {"spec": {"requesters": [{"kind": "User", "name": "paul"}], "requiredApprovals": 0}}),
        refusals.may_not_bind("ClusterRole edit"),
        changes("debug", {"spec": {"requesters": [{"kind": "User", "name": "paul"}]}}),
    )
    yield Attempt(
        "allowing the risk of what one may not bind",
        "paul",
        changes("unready", {"spec": {"allowPersistentRisk": True}}),
        refusals.may_not_bind("ClusterRole edit"),
        changes("debug", {"spec": {"allowPersistentRisk": True}}),
    )
    for who in ("mallory", "alice", "bob"):
        yield Attempt(f"{who} makes a policy", who, offers(), cannot("create", POLICIES), offers(), twin_who="paul")
        yield Attempt(
            f"{who} changes a policy",
            who,
            changes("debug", {"spec": {"requiredApprovals": 0}}),
            cannot("patch", POLICIES),
            changes("debug", {}),
            twin_who="paul",
        )
        yield Attempt(
            f"{who} lets a policy ask for no notes",
            who,
            changes("noted", {"spec": {"noteRequired": False}}),
            cannot("patch", POLICIES),
            changes("noted", {"spec": {"noteRequired": False}}),
            twin_who="paul",
        )
    yield Attempt(
        "somebody who was granted admin makes a policy", "ada", offers(), cannot("create", POLICIES), offers(), twin_who="paul"
    )
    yield Attempt(
        "somebody who was granted admin gives herself a say",
        "ada",
        lambda scene, me: me.create(
            "roles",
            {
                "metadata": {"name": "say"},
                "rules": [{"apiGroups": ["jitaccess.dev"], "resources": [POLICIES], "verbs": ["approve"]}],
            },
        ),
        refusals.ESCALATION,
        lambda scene, me: me.create("roles", {"metadata": {"name": f"own-{next(scene.stage._names)}"}, "rules": []}),
    )


@table(schema(), authors())
def test_is_refused_for_the_stated_reason_and_the_honest_twin_succeeds(attempt: Attempt, stage: Theatre) -> None:
    play(attempt, stage)


@pytest.mark.parametrize("namespace", ["kube-system", "jitaccess-system", "jitaccess-directory"])
def test_nothing_is_offered_where_one_can_become_anybody(stage: Theatre, namespace: str) -> None:
    path = f"/apis/jitaccess.dev/v1alpha1/namespaces/{namespace}/accesspolicies"
    answer = stage.admin.call("POST", path, policy_manifest("here"))
    assert answer.message.endswith(
        "there is no just-in-time access to kube-system, jitaccess-system and jitaccess-directory: who can write there can "
        "become anybody, or name anybody; make the policy in another namespace"
    )


@pytest.mark.parametrize(
    ("spec", "field", "value"),
    [
        pytest.param({"requiredApprovals": None}, "requiredApprovals", 1, id="null approvals are one"),
        pytest.param({"requiredApprovals": 2.0}, "requiredApprovals", 2, id="two point zero approvals are two"),
        pytest.param({"allowPersistentRisk": None}, "allowPersistentRisk", False, id="a null risk is not taken"),
        pytest.param({"pendingTimeout": None}, "pendingTimeout", "24h", id="a null timeout is a day"),
    ],
)
def test_null_is_as_absent(stage: Theatre, spec: dict[str, Any], field: str, value: Any) -> None:
    made = Stage.sure(stage.person("paul").create(POLICIES, policy_manifest("null", **spec), dryRun="All"))
    assert made["spec"][field] == value
    assert type(made["spec"][field]) is type(value)


RISKS = {
    "edit": [EDIT],
    "admin": [VIEW, ADMIN],
}


@pytest.mark.parametrize("name", RISKS)
def test_a_role_that_outlives_the_hour_is_not_offered_unless_the_policy_says_so(stage: Theatre, name: str) -> None:
    stage.policy(f"risky-{name}", ready=False, roles=RISKS[name])
    ready = eventually(lambda: stage.ready(f"risky-{name}"), "it is looked at")
    assert (ready["status"], ready["reason"]) == ("False", "PersistentRisk")
    assert f"ClusterRole {name} (" in ready["message"]
    assert "read Secrets" in ready["message"]
    assert ready["message"].endswith("set allowPersistentRisk: true to offer them all the same, or offer other roles")
    for side in ("requester", "approver"):
        assert stage.find(f"jitaccess:risky-{name}:{side}", "rolebindings") is None
    answer = stage.person("alice").create("accessrequests", stage.manifest("alice", policyRef={"name": f"risky-{name}"}))
    assert answer.message.endswith(refusals.may_not_request(f"risky-{name}").format(me="alice", namespace=stage.namespace))
    stage.sure(stage.admin.merge(POLICIES, f"risky-{name}", {"spec": {"allowPersistentRisk": True}}))
    stage.until_ready(f"risky-{name}")
    assert f"ClusterRole {name} (" in stage.ready(f"risky-{name}")["message"]


@pytest.fixture
def aggregated(stage: Theatre) -> Iterator[Person]:
    """A ClusterRole that is made of whatever carries a label, and is empty at first."""
    admin, select = stage.admin, [{"matchLabels": {"test-aggregated": "yes"}}]
    role = {"metadata": {"name": "test-aggregated"}, "aggregationRule": {"clusterRoleSelectors": select}, "rules": []}
    Stage.sure(admin.create("clusterroles", role))
    yield admin
    for name in ("test-aggregated", "test-part"):
        admin.delete("clusterroles", name)


def part(admin: Person, *rules: dict[str, Any]) -> None:
    """Let the aggregated role have these rules, and wait until the controller has put them there."""
    Stage.sure(
        admin.create(
            "clusterroles", {"metadata": {"name": "test-part", "labels": {"test-aggregated": "yes"}}, "rules": list(rules)}
        )
    )
    eventually(lambda: Stage.sure(admin.get("clusterroles", "test-aggregated")).get("rules"), "the rules are aggregated")


SECRETS = {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["one"], "verbs": ["get"]}
ROLE = {"kind": "ClusterRole", "name": "test-aggregated"}


def test_an_aggregated_role_is_known_by_what_it_is_made_of(stage: Theatre, aggregated: Person) -> None:
    part(aggregated, SECRETS)
    stage.policy("aggregate", ready=False, roles=[ROLE])
    ready = eventually(lambda: stage.ready("aggregate"), "it is looked at")
    assert (ready["reason"], "ClusterRole test-aggregated (read Secrets)" in ready["message"]) == ("PersistentRisk", True)


def test_a_role_that_has_become_risky_is_not_granted_any_more(stage: Theatre, aggregated: Person) -> None:
    stage.policy("late", roles=[ROLE])
    name = stage.request(policyRef={"name": "late"}, roleRef=ROLE)
    stage.until(name, "Pending")  # looked at, with the role as it was
    part(aggregated, SECRETS)
    stage.sure(stage.decide("bob", "approve", name))
    stage.until(name, "Denied")
    denied = stage.condition(name, "Denied")
    assert denied["reason"] == "PersistentRisk"
    assert denied["message"] == (
        "ClusterRole test-aggregated allows what outlives the grant (read Secrets), and AccessPolicy late does not say "
        "allowPersistentRisk: true"
    )
    assert not stage.bindings(name)


def test_a_grant_ends_when_its_role_has_become_risky(stage: Theatre, aggregated: Person) -> None:
    stage.policy("later", roles=[ROLE])
    name = stage.granted("alice", "later", roleRef=ROLE)
    part(aggregated, SECRETS)
    # Any look at the policy will do; the sweep looks every five minutes.
    stage.sure(stage.admin.merge(POLICIES, "later", {"metadata": {"labels": {"look": "again"}}}))
    status = stage.until(name, "Revoked")
    assert status["history"][-1]["reason"] == "PersistentRisk"
    assert not stage.bindings(name)


def test_a_grant_ends_when_the_policy_narrows_below_it(stage: Theatre) -> None:
    for number, (spec, reason) in enumerate(
        (
            ({"maxDuration": "30m"}, "DurationTooLong"),
            ({"roles": [DEBUG]}, "RoleNotOffered"),
            ({"requiredApprovals": 2}, "ApprovalsMissing"),
        )
    ):
        made = stage.policy(f"narrow-{number}")
        name = stage.granted("alice", made)
        stage.sure(stage.admin.merge(POLICIES, made, {"spec": spec}))
        assert stage.until(name, "Revoked")["history"][-1]["reason"] == reason
        assert not stage.bindings(name)


def test_a_policy_of_a_long_name_is_in_force(stage: Theatre) -> None:
    made = stage.policy("p" * 253)
    assert stage.bindings(stage.granted("alice", made))


def test_a_request_of_a_long_name_is_granted(stage: Theatre) -> None:
    name = stage.granted("alice", "debug", name="g" * 253)
    [found] = stage.bindings(name)
    assert len(found["metadata"]["name"]) <= 63
    assert found["metadata"]["name"].endswith(stage.get(name)["metadata"]["uid"][:8])


def test_a_policy_without_approvers_is_left_alone_once_it_is_in_force(stage: Theatre) -> None:
    stage.policy("auto", approvers=[], requiredApprovals=0)
    before = stage.get("jitaccess:auto:approver", "rolebindings")["metadata"]["uid"]
    stage.sure(stage.admin.merge(POLICIES, "auto", {"metadata": {"labels": {"look": "again"}}}))
    name = stage.request(policyRef={"name": "auto"})
    stage.until(name, "Active")
    stage.sure(stage.admin.merge(POLICIES, "auto", {"spec": {"description": "changed"}}))
    eventually(lambda: stage.ready("auto").get("observedGeneration") == 2, "it was looked at")
    assert stage.get("jitaccess:auto:approver", "rolebindings")["metadata"]["uid"] == before


def test_rights_orphaned_by_a_policy_that_went_while_nobody_looked_are_taken_back(stage: Theatre) -> None:
    stage.policy("unwatched")
    with stage.operator_frozen():
        stage.sure(stage.admin.delete(POLICIES, "unwatched", propagationPolicy="Orphan"))
        eventually(lambda: stage.find("unwatched", POLICIES) is None, "it is gone, its Roles are orphans")
    eventually(lambda: stage.find("jitaccess:unwatched:approver", "rolebindings") is None, "nobody holds the verb any more")
