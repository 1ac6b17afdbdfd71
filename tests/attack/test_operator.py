"""The operator's own account in the wrong hands: what its real token can and cannot do."""

from collections.abc import Iterator
from typing import Any

import pytest

from attack import refusals
from attack.stage import MANAGED, OPERATOR, RBAC, Theatre, binding, clone, job
from attack.table import Attempt, How, Scene, cannot, decides, merges, play, table
from controlplane.client import Answer, Person
from team import REQUESTS, eventually

GRANT = {**MANAGED, "jitaccess.dev/component": "grant"}
OWNER = {"apiVersion": "batch/v1", "kind": "Job", "name": "x", "uid": "00000000-0000-0000-0000-000000000001"}
DERIVED = {**MANAGED, "jitaccess.dev/component": "policy"}


def makes(
    resource: str, manifest: dict[str, Any], *, labels: dict[str, str] | None = None, namespace: str = "", owned: bool = True
) -> How:
    """Make an object as the operator, as a rehearsal."""

    def how(scene: Scene, me: Person) -> Answer:
        wanted = clone(manifest)
        wanted["metadata"] |= {"labels": labels or {}} | ({"ownerReferences": [OWNER]} if owned else {})
        path = me.path(resource)
        if namespace:
            path = path.replace(f"/{me.namespace}/", f"/{namespace}/")
        return me.call("POST", path, wanted, dryRun="All")

    return how


def reads(scene: Scene, me: Person) -> Answer:
    """What the operator is there for."""
    return me.get(REQUESTS)


def replaces(name: str, resource: str = "rolebindings", **changed: Any) -> How:
    """Replace somebody else's object, perhaps with our label put on."""

    def how(scene: Scene, me: Person) -> Answer:
        found = clone(scene.stage.get(name, resource))
        if "subjects" in changed:
            found["subjects"] = changed["subjects"]
        found["metadata"] |= {field: value for field, value in changed.items() if field != "subjects"}
        return me.put(resource, name, found)

    return how


def rewrites(subjects: list[dict[str, str]], **labels: str) -> How:
    """Replace the subjects of the grant that lasts throughout, and perhaps labels, as a rehearsal."""

    def how(scene: Scene, me: Person) -> Answer:
        name = scene.stage.names()["binding"]
        found = clone(scene.stage.get(name, "rolebindings")) | {"subjects": subjects}
        found["metadata"]["labels"] |= labels
        return me.call("PUT", me.path("rolebindings", name), found, dryRun="All")

    return how


def nobody() -> dict[str, Any]:
    return binding("jit-x", "view", "alice") | {"subjects": []}


def two_people() -> dict[str, Any]:
    both = binding("jit-x", "view", "mallory")
    both["subjects"].append({"apiGroup": RBAC, "kind": "User", "name": "alice"})
    return both


HARMLESS = [{"apiGroups": ["jitaccess.dev"], "resources": ["accessrequests"], "verbs": ["get"]}]
HONEST = makes("rolebindings", binding("jit-x", "view", "alice"), labels=GRANT)
ITSELF = binding("jit-x", "view", OPERATOR)
POD = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "p", "image": "p"}]}}


def cannot_anywhere(verb: str, resource: str) -> str:
    """A refusal by RBAC for what has no namespace."""
    return f'User "{{me}}" cannot {verb} resource "{resource}" in API group "{RBAC}" at the cluster scope'


def mints(scene: Scene, me: Person) -> Answer:
    """Ask for a token of another account."""
    return me.call("POST", me.path("serviceaccounts", "robot", "token"), {"spec": {}})


def shapes() -> Iterator[Attempt]:
    running = job("jit-x")
    running["spec"] |= {"completions": 1, "parallelism": 1}
    secrets = {
        "metadata": {"name": "jitaccess:x:approver"},
        "rules": [{"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["create"]}],
    }
    for words, how in (
        ("a Job that runs a Pod", makes("jobs", running, labels=GRANT)),
        ("a grant of another name", makes("rolebindings", binding("x", "view", "alice"), labels=GRANT)),
        ("a grant for a group", makes("rolebindings", binding("jit-x", "view", "developers", subject="Group"), labels=GRANT)),
        ("a grant for two", makes("rolebindings", two_people(), labels=GRANT)),
        ("a grant for nobody", makes("rolebindings", nobody(), labels=GRANT)),
        ("a grant for itself", makes("rolebindings", ITSELF, labels=GRANT)),
        ("a grant without saying that it is one", makes("rolebindings", binding("jit-x", "view", "alice"), labels=MANAGED)),
        (
            "a grant in kube-system",
            makes("rolebindings", binding("jit-x", "edit", "alice"), labels=GRANT, namespace="kube-system"),
        ),
        (
            "a grant in jitaccess-system",
            makes("rolebindings", binding("jit-x", "edit", "alice"), labels=GRANT, namespace="jitaccess-system"),
        ),
        (
            "a ClusterRole for the approvers of a policy",
            makes("rolebindings", binding("jitaccess:x:approver", "edit", "alice"), labels=DERIVED),
        ),
        ("other rights in a derived Role", makes("roles", secrets, labels=DERIVED)),
        ("a Role of another name", makes("roles", {"metadata": {"name": "x"}, "rules": []}, labels=DERIVED)),
    ):
        yield Attempt(words, "operator", how, refusals.OPERATOR_SHAPES, HONEST)
    yield Attempt(
        "a grant that nothing ends",
        "operator",
        makes("rolebindings", binding("jit-x", "view", "alice"), labels=GRANT, owned=False),
        refusals.OPERATOR_SHAPES,
        HONEST,
    )


def emptying() -> Iterator[Attempt]:
    alice, mallory = ({"apiGroup": RBAC, "kind": "User", "name": name} for name in ("alice", "mallory"))
    group = {"apiGroup": RBAC, "kind": "Group", "name": "developers"}
    for words, how in (
        ("a second person for a grant", rewrites([alice, mallory])),
        ("a group for a grant", rewrites([group])),
        ("a grant without subjects that is no grant any more", rewrites([], **{"jitaccess.dev/component": "other"})),
    ):
        yield Attempt(words, "operator", how, refusals.OPERATOR_SHAPES, rewrites([]))


def foreign() -> Iterator[Attempt]:
    rows: tuple[tuple[str, How], ...] = (
        ("a binding without the label", makes("rolebindings", binding("jit-x", "view", "alice"))),
        (
            "a binding with another label",
            makes("rolebindings", binding("jit-x", "view", "alice"), labels={"app.kubernetes.io/managed-by": "Jitaccess"}),
        ),
        ("a Job without the label", makes("jobs", job("jit-x"))),
        ("a Role without the label", makes("roles", {"metadata": {"name": "jitaccess:x:approver"}, "rules": []})),
        ("changing another's binding", replaces("bystander")),
        ("adopting another's binding", replaces("jit-bystander", labels=GRANT, ownerReferences=[OWNER])),
        ("adopting another's Role", replaces("jitaccess:bystander:x", "roles", labels=DERIVED)),
        ("emptying another's binding", replaces("bystander", subjects=[])),
        ("adopting another's binding without its subjects", replaces("jit-bystander", labels=GRANT, subjects=[])),
        ("deleting another's binding", lambda scene, me: me.delete("rolebindings", "bystander")),
        ("deleting another's Role", lambda scene, me: me.delete("roles", "bystander")),
    )
    for words, how in rows:
        yield Attempt(
            words,
            "operator",
            how,
            refusals.OPERATOR_FOREIGN,
            HONEST,
        )


def rbac() -> Iterator[Attempt]:
    for words, how, refusal in (
        (
            "binding cluster-admin",
            makes("rolebindings", binding("jit-x", "cluster-admin", "alice"), labels=GRANT),
            refusals.ESCALATION,
        ),
        (
            "binding a role that is not on its list",
            makes("rolebindings", binding("jit-x", "system:node", "alice"), labels=GRANT),
            refusals.ESCALATION,
        ),
        ("reading Secrets", lambda scene, me: me.get("secrets"), cannot("list", "secrets", "")),
        ("reading one Secret", lambda scene, me: me.get("secrets", "x"), cannot("get", "secrets", "")),
        ("making a Pod", lambda scene, me: me.create("pods", POD), cannot("create", "pods", "")),
        ("minting a token", mints, cannot("create", "serviceaccounts/token", "")),
        (
            "patching a binding",
            lambda scene, me: me.merge("rolebindings", "bystander", {}),
            cannot("patch", "rolebindings", RBAC),
        ),
        ("changing a Job", lambda scene, me: me.merge("jobs", scene.stage.names()["job"], {}), cannot("patch", "jobs", "batch")),
        (
            "making a policy",
            lambda scene, me: me.create("accesspolicies", {"metadata": {"name": "x"}}),
            cannot("create", "accesspolicies"),
        ),
        ("changing a policy", lambda scene, me: me.merge("accesspolicies", "debug", {}), cannot("patch", "accesspolicies")),
        ("deleting all bindings", lambda scene, me: me.delete("rolebindings"), cannot("deletecollection", "rolebindings", RBAC)),
    ):
        yield Attempt(words, "operator", how, refusal, HONEST)
    for words, how, refusal in (
        (
            "deleting a ClusterRole",
            lambda scene, me: me.delete("clusterroles", "view"),
            cannot_anywhere("delete", "clusterroles"),
        ),
        ("reading all ClusterRoles", lambda scene, me: me.get("clusterroles"), cannot_anywhere("list", "clusterroles")),
        (
            "reading a ClusterRole",
            lambda scene, me: me.get("clusterroles", "cluster-admin"),
            cannot_anywhere("get", "clusterroles"),
        ),
    ):
        yield Attempt(words, "operator", how, refusal, reads)
    yield Attempt(
        "acting as somebody",
        "operator",
        lambda scene, me: scene.stage.person(OPERATOR, **{"Impersonate-User": "admin"}).get(REQUESTS),
        cannot("impersonate-on:user-info:list"),
        reads,
    )


@pytest.fixture(scope="session", autouse=True)
def bystander(stage: Theatre) -> None:
    """A Role and a binding of somebody else's, with no right in them that the operator could not give."""
    stage.sure(stage.admin.create("roles", {"metadata": {"name": "bystander"}, "rules": []}))
    stage.sure(stage.admin.create("roles", {"metadata": {"name": "jitaccess:bystander:x"}, "rules": HARMLESS}))
    for name in ("bystander", "jit-bystander"):
        stage.sure(stage.admin.create("rolebindings", binding(name, "view", "mallory")))


@table(
    shapes(),
    emptying(),
    foreign(),
    rbac(),
    Attempt(
        "changing what was asked",
        "operator",
        merges({"spec": {"duration": "4h"}}),
        refusals.IMMUTABLE,
        decides("revoke"),
        twin_who="alice",
        status=422,
    ),
    Attempt(
        "revoking in the requester's name",
        "operator",
        merges({"metadata": {"annotations": {"jitaccess.dev/revocations": "alice: x"}}}),
        refusals.OPERATOR_DECIDES,
        decides("revoke"),
        twin_who="alice",
    ),
)
def test_is_refused_for_the_stated_reason_and_the_honest_twin_succeeds(attempt: Attempt, stage: Theatre) -> None:
    play(attempt, stage)


@pytest.mark.parametrize("verb", ["escalate", "bind", "impersonate", "*"])
def test_the_operator_holds_no_verb_that_opens_everything(stage: Theatre, verb: str) -> None:
    attributes = {"group": "*", "resource": "*", "verb": verb}
    person = stage.service_account("jitaccess-system", "jitaccess")
    answer = person.call(
        "POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {"spec": {"resourceAttributes": attributes}}
    )
    assert stage.sure(answer)["status"]["allowed"] is False


def test_a_binding_that_somebody_keeps_from_going_is_emptied(stage: Theatre) -> None:
    other = {"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "00000000-0000-0000-0000-000000000002"}
    held = binding("jit-held", "view", "alice")
    held["metadata"] |= {"labels": GRANT, "ownerReferences": [OWNER, other], "finalizers": ["example.com/keep"]}
    stage.sure(stage.admin.create("rolebindings", held))
    operator = stage.service_account("jitaccess-system", "jitaccess")
    try:
        stage.sure(operator.delete("rolebindings", "jit-held"))
        assert "deletionTimestamp" in stage.get("jit-held", "rolebindings")["metadata"], "RBAC honours it still"
        # The garbage collector looks at what is being deleted too, so a write may come too late (409).
        eventually(lambda: _emptied(stage, operator, "jit-held"), "its subjects are taken out")
        assert not stage.get("jit-held", "rolebindings").get("subjects")
    finally:
        stage.sure(stage.admin.merge("rolebindings", "jit-held", {"metadata": {"finalizers": None}}))
    assert stage.find("jit-held", "rolebindings") is None


def _emptied(stage: Theatre, operator: Person, name: str) -> bool:
    answer = operator.put("rolebindings", name, stage.get(name, "rolebindings") | {"subjects": []})
    assert answer.ok or answer.status == 409, answer
    return answer.ok
