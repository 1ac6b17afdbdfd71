"""The operator's bindings, Jobs and derived Roles, in the hands of somebody who was granted `admin`."""

from collections.abc import Iterator
from typing import Any

import pytest

from attack import refusals
from attack.stage import MANAGED, RBAC, Stage, Theatre, binding, clone, job
from attack.table import Attempt, How, Scene, play, table
from controlplane.client import Answer, Person
from team import REQUESTS, eventually

# What the operator made, by resource, and what else of that kind ada makes for the twin.
KINDS = {"rolebindings": ("RoleBinding", "binding"), "jobs": ("Job", "job"), "roles": ("Role", "derived")}
OWNER = {"apiVersion": "v1", "kind": "ConfigMap", "name": "mine", "uid": "00000000-0000-0000-0000-000000000001"}
RBAC_IS_FIRST = (
    "adding a label to",
    "relabelling",
    "unlabelling",
    "unlabelling by JSON patch",
    "relabelling by server-side apply",
    "replacing without labels",
    "annotating",
    "rehearsing a change of",
)
CONTROLLERS = "system:serviceaccount:kube-system:"


def own(scene: Scene, me: Person, resource: str, **metadata: Any) -> str:
    """An object of that kind that is one's own."""
    name = f"own-{next(scene.stage._names)}"
    made: dict[str, dict[str, Any]] = {
        "rolebindings": binding(name, "view", "mallory"),
        "jobs": job(name),
        "roles": {"metadata": {"name": name}, "rules": []},
    }
    manifest = made[resource]
    manifest["metadata"] |= metadata
    return str(Stage.sure(me.create(resource, manifest))["metadata"]["name"])


def on(resource: str, do: Any, *, theirs: bool) -> How:
    """Do something to the operator's object of that kind, or to one's own."""
    kind = KINDS[resource][1]
    return lambda scene, me: do(me, resource, scene.stage.names()[kind] if theirs else own(scene, me, resource))


def merged(patch: dict[str, Any], subresource: str = "", **query: str) -> Any:
    return lambda me, resource, name: me.merge(resource, name, patch, subresource, **query)


def patched(*operations: dict[str, Any]) -> Any:
    return lambda me, resource, name: me.patch(resource, name, *operations)


def deleted(**options: Any) -> Any:
    return lambda me, resource, name: me.delete(resource, name, **options)


def put_without(*fields: str) -> Any:
    """Replace the object by one without these fields of metadata."""

    def do(me: Person, resource: str, name: str) -> Answer:
        while True:
            found = clone(Stage.sure(me.get(resource, name)))
            for field in fields:
                found["metadata"].pop(field, None)
            answer = me.put(resource, name, found)
            if answer.status != 409:  # a controller wrote meanwhile
                return answer

    return do


def applied(me: Person, resource: str, name: str) -> Answer:
    versions = {"jobs": "batch/v1"}
    head = {"apiVersion": versions.get(resource, f"{RBAC}/v1"), "kind": KINDS[resource][0]}
    return me.apply(resource, name, {**head, "metadata": {"name": name, "labels": {"app.kubernetes.io/managed-by": "me"}}})


def attempts() -> Iterator[Attempt]:
    strip = {"op": "remove", "path": "/metadata/labels/app.kubernetes.io~1managed-by"}
    everywhere: tuple[tuple[str, Any, Any], ...] = (
        ("adding a label to", merged({"metadata": {"labels": {"a": "b"}}}), None),
        ("relabelling", merged({"metadata": {"labels": {"app.kubernetes.io/managed-by": "me"}}}), None),
        ("unlabelling", merged({"metadata": {"labels": None}}), None),
        ("unlabelling by JSON patch", patched(strip), merged({})),
        ("relabelling by server-side apply", applied, None),
        ("replacing without labels", put_without("labels"), None),
        ("replacing without owners", put_without("ownerReferences"), None),
        ("annotating", merged({"metadata": {"annotations": {"jitaccess.dev/expires-at": "2100-01-01T00:00:00.000Z"}}}), None),
        ("re-owning", merged({"metadata": {"ownerReferences": [OWNER]}}), None),
        ("disowning", merged({"metadata": {"ownerReferences": None}}), None),
        ("putting a finalizer on", merged({"metadata": {"finalizers": ["example.com/forever"]}}), None),
        ("changing nothing in", merged({}), None),
        ("rehearsing a change of", merged({"metadata": {"labels": None}}, dryRun="All"), None),
        ("deleting", deleted(), None),
        ("deleting in the foreground", deleted(propagationPolicy="Foreground"), deleted(propagationPolicy="Foreground")),
        ("orphaning", deleted(propagationPolicy="Orphan"), deleted(propagationPolicy="Orphan")),
    )
    for resource, (kind, _) in KINDS.items():
        for words, do, honest in everywhere:
            twin = on(resource, honest or do, theirs=False)
            # RBAC itself looks at every change of a Role that is more than an owner or a finalizer, before any admission policy.
            refusal = refusals.ESCALATION if resource == "roles" and words in RBAC_IS_FIRST else refusals.BELONGS
            yield Attempt(f"{words} the operator's {kind}", "ada", on(resource, do, theirs=True), refusal, twin)
        yield Attempt(
            f"making a {kind} with the operator's label",
            "ada",
            lambda scene, me, resource=resource: me.create(resource, labelled(resource)),  # type: ignore[misc]
            refusals.BELONGS,
            on(resource, merged({}), theirs=False),
        )
        yield Attempt(
            f"putting the operator's label on one's own {kind}",
            "ada",
            on(resource, merged({"metadata": {"labels": MANAGED}}), theirs=False),
            refusals.BELONGS,
            on(resource, merged({"metadata": {"labels": {"app.kubernetes.io/managed-by": "Helm"}}}), theirs=False),
        )
        yield Attempt(
            f"deleting every {kind} with the operator's label",
            "ada",
            lambda scene, me, resource=resource: me.call(  # type: ignore[misc]
                "DELETE", me.path(resource), labelSelector="app.kubernetes.io/managed-by=jitaccess"
            ),
            refusals.BELONGS,
            lambda scene, me, resource=resource: me.call("DELETE", me.path(resource), labelSelector="mine=yes"),  # type: ignore[misc]
        )
    for words, resource, patch in (
        ("adding a friend to the binding", "rolebindings", {"subjects": [{"apiGroup": RBAC, "kind": "User", "name": "mallory"}]}),
        ("adding a friend to the approvers", "rolebindings", {"subjects": None}),
        ("giving the derived Role more verbs", "roles", {"rules": []}),
        ("taking the time to live from the Job", "jobs", {"spec": {"ttlSecondsAfterFinished": None}}),
        ("lengthening the time to live of the Job", "jobs", {"spec": {"ttlSecondsAfterFinished": 2592000}}),
        ("suspending the Job", "jobs", {"spec": {"suspend": True}}),
    ):
        yield Attempt(
            words,
            "ada",
            on(resource, merged(patch), theirs=True),
            refusals.BELONGS,
            on(resource, merged(patch), theirs=False),
        )
    labels = {"metadata": {"labels": None, "ownerReferences": None}}
    yield Attempt(
        "taking the label from the Job through its status",
        "wanda",
        on("jobs", merged(labels, "status"), theirs=True),
        refusals.BELONGS,
        lambda scene, me: me.get("jobs"),
    )


def labelled(resource: str) -> dict[str, Any]:
    """A manifest that carries the operator's label."""
    made: dict[str, dict[str, Any]] = {
        "rolebindings": binding("forged", "view", "mallory"),
        "jobs": job("forged"),
        "roles": {"metadata": {"name": "forged"}, "rules": []},
    }
    manifest = made[resource]
    manifest["metadata"]["labels"] = MANAGED
    return manifest


def identities() -> Iterator[Attempt]:
    """Who passes for kube-controller-manager: exactly its controllers, and nobody who is called like them."""
    for who in (
        "system:serviceaccount:kube-system:deployment-controller",
        "system:serviceaccount:default:generic-garbage-collector",
        "system:serviceaccount:kube-system:generic-garbage-collector2",
        "system:serviceaccount:kube-system:Generic-Garbage-Collector",
        "generic-garbage-collector",
        "system:kube-controller-manager2",
        "system:kube-scheduler",
        "system:node:worker-1",
    ):
        yield Attempt(
            f"as {who!r}",
            "admin",
            as_(who, "rolebindings"),
            refusals.BELONGS,
            as_(f"{CONTROLLERS}generic-garbage-collector", "rolebindings"),
        )
    for controller in ("generic-garbage-collector", "namespace-controller", "ttl-after-finished-controller", "job-controller"):
        yield Attempt(
            f"as mallory instead of {controller}",
            "admin",
            as_("mallory", "jobs"),
            refusals.BELONGS,
            as_(CONTROLLERS + controller, "jobs"),
        )
    yield Attempt(
        "as mallory instead of kube-controller-manager",
        "admin",
        as_("mallory", "jobs"),
        refusals.BELONGS,
        as_("system:kube-controller-manager", "jobs"),
    )


def as_(user: str, resource: str) -> How:
    """Rehearse a deletion of the operator's object, as that user; only an administrator may act as others."""

    def how(scene: Scene, me: Person) -> Answer:
        actor = scene.stage.person("admin", **{"Impersonate-User": user})
        name = scene.stage.names()[KINDS[resource][1]]
        return actor.call("DELETE", actor.path(resource, name), {"dryRun": ["All"]})

    return how


@pytest.fixture(scope="session", autouse=True)
def rights(stage: Theatre) -> None:
    """RBAC must not be what stops these: only the admission policy is tried here."""
    rules = [
        {"apiGroups": [RBAC], "resources": ["rolebindings", "roles"], "verbs": ["*"]},
        {"apiGroups": ["batch"], "resources": ["jobs", "jobs/status"], "verbs": ["*"]},
    ]
    stage.sure(stage.admin.create("roles", {"metadata": {"name": "test-objects"}, "rules": rules}))
    made = binding("test-objects", "test-objects", "system:authenticated", subject="Group", kind="Role")
    made["subjects"] = [{"apiGroup": RBAC, "kind": "Group", "name": "objects"}]
    impersonated = {row.id[4:-1] for row in identities() if row.id.startswith("as '")}
    passing = {
        "mallory",
        "system:kube-controller-manager",
        *(
            CONTROLLERS + c
            for c in ("generic-garbage-collector", "namespace-controller", "ttl-after-finished-controller", "job-controller")
        ),
    }
    made["subjects"] += [{"apiGroup": RBAC, "kind": "User", "name": name} for name in sorted({*impersonated, *passing, "wanda"})]
    stage.sure(stage.admin.create("rolebindings", made))
    eventually(lambda: stage.person("wanda").get("jobs").ok, "wanda may work with Jobs")


@table(attempts(), identities())
def test_is_refused_for_the_stated_reason_and_the_honest_twin_succeeds(attempt: Attempt, stage: Theatre) -> None:
    play(attempt, stage)


def test_what_was_tried_has_left_the_grant_as_it_was(stage: Theatre) -> None:
    names = stage.names()
    found = stage.get(names["binding"], "rolebindings")
    status = stage.status(stage.live)
    assert found["metadata"]["name"] == status["bindingRef"]["name"]
    assert found["metadata"]["annotations"]["jitaccess.dev/expires-at"] == status["expiresAt"]
    assert [(each["kind"], each["name"]) for each in found["subjects"]] == [("User", "alice")]
    assert [entry["reason"] for entry in status["history"]] == ["Requested", "Approved", "Granted"]


def reason(condition: dict[str, Any], wanted: str) -> dict[str, Any]:
    """The condition if it has that reason, else nothing."""
    return condition if condition.get("reason") == wanted else {}


def plant(stage: Stage, resource: str, name: str, who: str = "ada") -> dict[str, Any]:
    """Put an object of one's own where the operator is going to put one of its own."""
    made: dict[str, dict[str, Any]] = {
        "rolebindings": binding(name, "view", "mallory"),
        "jobs": job(name),
        "roles": {"metadata": {"name": name}, "rules": []},
    }
    return Stage.sure(stage.person(who).create(resource, made[resource]))


@pytest.mark.parametrize("resource", ["jobs", "rolebindings"])
def test_what_sits_under_the_name_of_a_grant_is_never_adopted(stage: Theatre, resource: str) -> None:
    name = stage.request(policyRef={"name": "debug"})
    uid = stage.get(name)["metadata"]["uid"]
    planted = plant(stage, resource, f"jit-{name}-{uid[:8]}")
    stage.sure(stage.decide("bob", "approve", name))
    told = eventually(lambda: reason(stage.condition(name, "Granted"), "NameTaken"), "it says so")
    kind = KINDS[resource][0]
    assert told["message"] == f"a {kind} jit-{name}-{uid[:8]} that jitaccess did not make is in the way: delete it"
    # Before its record a grant has not begun; the name of a binding is only tried after it, and then its time runs.
    assert stage.status(name)["state"] == {"jobs": "Pending", "rolebindings": "Active"}[resource]
    assert stage.condition(name, "Granted")["status"] == "False"
    assert not stage.bindings(name)
    found = stage.get(planted["metadata"]["name"], resource)
    assert found["metadata"]["uid"] == planted["metadata"]["uid"]
    assert "labels" not in found["metadata"] or MANAGED.items() - found["metadata"]["labels"].items()
    stage.sure(stage.person("ada").delete(resource, planted["metadata"]["name"], propagationPolicy="Background"))
    stage.until(name, "Active")
    eventually(lambda: len(stage.bindings(name)) == 1, "the binding is made when the name is free")
    assert stage.bindings(name)[0]["subjects"][0]["name"] == "alice"


@pytest.mark.parametrize("resource", ["roles", "rolebindings"])
@pytest.mark.parametrize("side", ["requester", "approver"])
def test_what_sits_under_the_name_of_a_derived_object_is_never_adopted(stage: Theatre, resource: str, side: str) -> None:
    policy = f"planted-{resource}-{side}"
    planted = plant(stage, resource, f"jitaccess:{policy}:{side}", "admin")  # nobody else may use such names
    stage.policy(policy, ready=False)
    ready = eventually(lambda: reason(stage.ready(policy), "NameTaken"), "it says so")
    kind = KINDS[resource][0]
    assert ready["status"] == "False"
    assert ready["message"] == f"a {kind} jitaccess:{policy}:{side} that jitaccess did not make is in the way: delete it"
    found = stage.get(planted["metadata"]["name"], resource)
    assert (found["metadata"]["uid"], found["metadata"]["resourceVersion"]) == (
        planted["metadata"]["uid"],
        planted["metadata"]["resourceVersion"],
    )
    stage.sure(stage.person("ada").delete(resource, planted["metadata"]["name"]))
    stage.until_ready(policy)
    assert stage.may("bob", "approve", policy)
    assert not stage.may("mallory", "approve", policy)


@pytest.mark.parametrize("side", ["requester", "approver"])
def test_a_binding_does_not_lie_in_wait_for_a_derived_role(stage: Theatre, side: str) -> None:
    ada, policy = stage.person("ada"), f"awaited-{side}"
    role = f"jitaccess:{policy}:{side}"
    refused = [
        ada.create("roles", {"metadata": {"name": role}, "rules": []}),
        ada.create("rolebindings", binding(role, "view", "mallory")),
    ]
    # Even where a Role of that name is left over from somewhere, with nothing in it that she could not give.
    leftover = {"metadata": {"name": role}, "rules": []}
    Stage.sure(stage.admin.create("roles", leftover))
    refused.append(ada.create("rolebindings", binding("in-wait", role, "mallory", kind="Role")))
    Stage.sure(stage.admin.delete("roles", role))
    for answer in refused:
        assert answer.message.endswith(refusals.RESERVED), answer.message
    stage.policy(policy)
    assert not stage.may("mallory", {"approver": "approve", "requester": "request"}[side], policy)


def test_nobody_binds_a_derived_role_that_is_there(stage: Theatre) -> None:
    forged = stage.person("ada").create("rolebindings", binding("friends", "jitaccess:debug:approver", "mallory", kind="Role"))
    assert "is attempting to grant RBAC permissions not currently held" in forged.message
    twin = stage.person("ada").create("rolebindings", binding("viewers", "view", "mallory"))
    assert twin.ok, twin.message


@pytest.mark.parametrize("policy", ["Orphan", "Foreground", "Background"])
def test_access_whose_job_was_deleted_is_over(stage: Theatre, policy: str) -> None:
    name = stage.granted("alice", "debug")
    before = stage.status(name)
    stage.sure(stage.admin.delete("jobs", before["jobRef"]["name"], propagationPolicy=policy))
    eventually(lambda: stage.status(name)["state"] == "Revoked", "without the second line the access is over")
    status = stage.status(name)
    assert not stage.bindings(name)
    assert (status["history"][-1]["reason"], status["expiresAt"]) == ("GuardGone", before["expiresAt"])
    assert "is gone" in status["history"][-1]["message"]


@pytest.mark.parametrize("policy", ["Orphan", "Foreground", "Background"])
def test_a_deleted_request_takes_its_access_along(stage: Theatre, policy: str) -> None:
    name = stage.granted("alice", "debug")
    refs = stage.status(name)
    stage.sure(stage.person("wanda").delete(REQUESTS, name, propagationPolicy=policy))
    eventually(lambda: stage.find(refs["bindingRef"]["name"], "rolebindings") is None, "the binding is gone")
    eventually(lambda: stage.find(refs["jobRef"]["name"], "jobs") is None, "the Job is gone")


@pytest.mark.parametrize("policy", ["Orphan", "Foreground", "Background"])
def test_a_deleted_policy_takes_its_rights_and_its_grants_along(stage: Theatre, policy: str) -> None:
    made = stage.policy(f"gone-{policy.lower()}")
    name = stage.granted("alice", made)
    stage.sure(stage.person("paul").delete("accesspolicies", made, propagationPolicy=policy))
    status = stage.until(name, "Revoked")
    assert status["history"][-1]["reason"] == "PolicyNotFound"
    derived = [
        (f"jitaccess:{made}:{side}", resource) for side in ("requester", "approver") for resource in ("rolebindings", "roles")
    ]
    eventually(lambda: not any(stage.find(*each) for each in derived), "nobody holds a right any more")
    assert not stage.bindings(name)


def test_a_binding_changed_by_a_cluster_administrator_is_put_back(stage: Theatre) -> None:
    name = stage.granted("alice", "debug")
    ref = stage.status(name)["bindingRef"]
    friend = {"subjects": [{"apiGroup": RBAC, "kind": "User", "name": "mallory"}]}
    stage.sure(stage.admin.merge("rolebindings", ref["name"], friend))
    eventually(lambda: [each["subjects"][0]["name"] for each in stage.bindings(name)] == ["alice"], "it is put back")
    eventually(lambda: stage.status(name)["history"][-1]["reason"] == "BindingRestored", "it is reported")
