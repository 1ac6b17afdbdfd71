"""Every other field of a request: spec, metadata and status, by every kind of patch."""

from collections.abc import Iterator
from typing import Any

import pytest

from attack import refusals
from attack.api import Answer, Person
from attack.stage import POLICIES, REQUESTS, Stage, Theatre, annotations
from attack.table import Attempt, How, Scene, about, cannot, decides, merges, patches, play, table
from conftest import eventually

APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
OWNER = {"apiVersion": "v1", "kind": "ConfigMap", "name": "mine", "uid": "00000000-0000-0000-0000-000000000001"}


def applies(**parts: Any) -> How:
    """Apply these parts of a request by force."""

    def how(scene: Scene, me: Person) -> Answer:
        manifest = {"apiVersion": "jitaccess.dev/v1alpha1", "kind": "AccessRequest", **parts}
        manifest["metadata"] = {"name": scene.name, **parts.get("metadata", {})}
        return me.apply(REQUESTS, scene.name, manifest)

    return how


def replaces(**parts: dict[str, Any]) -> How:
    """Replace the whole request, with these fields changed."""

    def how(scene: Scene, me: Person) -> Answer:
        while True:
            found = scene.stage.get(scene.name)
            for part, values in parts.items():
                found[part] = {**found.get(part, {}), **values}
            answer = me.put(REQUESTS, scene.name, found)
            if answer.status != 409 or "uid" in parts.get("metadata", {}):
                return answer

    return how


def with_managers(number: int) -> How:
    """Apply the whole request under that many names; what is said to the last one counts."""

    def how(scene: Scene, me: Person) -> Answer:
        spec = {"spec": scene.stage.get(scene.name)["spec"]}
        head = {"apiVersion": "jitaccess.dev/v1alpha1", "kind": "AccessRequest", "metadata": {"name": scene.name}}
        return [me.apply(REQUESTS, scene.name, {**head, **spec}, manager=f"m{each}") for each in range(number)][-1]

    return how


def live(scene: Scene) -> str:
    """Let the scene be about a grant."""
    return scene.about(scene.stage.live)


def labelled(scene: Scene) -> str:
    """Let the scene be about a request with a label and an annotation of its own."""
    manifest = scene.stage.manifest("alice")
    manifest["metadata"] |= {"labels": {"team": "a"}, "annotations": {"ticket": "INC-42"}}
    return scene.about(str(Stage.sure(scene.stage.person("alice").create(REQUESTS, manifest))["metadata"]["name"]))


def spec() -> Iterator[Attempt]:
    for words, changed in (
        ("a longer duration", {"duration": "8h"}),
        ("the same duration in other words", {"duration": "60m"}),
        ("another's name", {"requester": "bob"}),
        ("another role", {"roleRef": {"kind": "ClusterRole", "name": "admin"}}),
        ("another policy", {"policyRef": {"kind": "AccessPolicy", "name": "foreign"}}),
        ("another reason", {"reason": "INC-43"}),
    ):
        yield Attempt(
            f"{words} in a pending request", "alice", merges({"spec": changed}), refusals.IMMUTABLE, decides("revoke"), status=422
        )
        yield Attempt(
            f"{words} in a live grant",
            "alice",
            about(live, merges({"spec": changed})),
            refusals.IMMUTABLE,
            merges(annotations({APPLIED: words})),
            status=422,
        )
        if changed.keys() - {"duration", "requester"}:
            continue  # one immutable spec: every way for two fields, the plain way for the others
        yield Attempt(
            f"{words} by JSON patch",
            "alice",
            patches(*({"op": "replace", "path": f"/spec/{name}", "value": value} for name, value in changed.items())),
            refusals.IMMUTABLE,
            decides("revoke"),
            status=422,
        )
        yield Attempt(
            f"{words} by server-side apply", "alice", applies(spec=changed), refusals.IMMUTABLE, decides("revoke"), status=422
        )
        yield Attempt(f"{words} by PUT", "trent", replaces(spec=changed), refusals.IMMUTABLE, replaces(), status=422)
        yield Attempt(
            f"{words} together with an approval",
            "bob",
            merges({"spec": changed, **annotations({"jitaccess.dev/approvals": "bob: ok"})}),
            refusals.IMMUTABLE,
            decides("approve"),
            status=422,
        )
        yield Attempt(
            f"{words} by somebody with every right on requests",
            "wanda",
            merges({"spec": changed}),
            refusals.IMMUTABLE,
            merges({"spec": {}}),
            status=422,
        )
    for field in ("duration", "reason", "roleRef", "policyRef"):
        yield Attempt(
            f"no {field} any more",
            "alice",
            merges({"spec": {field: None}}),
            f"spec.{field}: Required value",
            decides("revoke"),
            status=422,
        )
    yield Attempt(
        "no requester any more", "alice", merges({"spec": {"requester": None}}), refusals.IMMUTABLE, decides("revoke"), status=422
    )
    yield Attempt("no spec any more", "alice", merges({"spec": None}), "spec: Required value", decides("revoke"), status=422)


def metadata() -> Iterator[Attempt]:
    fields: tuple[tuple[str, str, Any, str], ...] = (
        ("a label", "labels", {"team": "b"}, refusals.LABELS),
        ("one of our labels", "labels", {"app.kubernetes.io/managed-by": "jitaccess"}, refusals.LABELS),
        ("an annotation", "annotations", {"seen": "yes"}, refusals.ANNOTATIONS),
        ("a ledger of another name", "annotations", {"jitaccess.dev/Approvals": "bob: ok"}, refusals.ANNOTATIONS),
        ("a ledger of another group", "annotations", {"x.jitaccess.dev/approvals": "bob: ok"}, refusals.ANNOTATIONS),
        ("a finalizer", "finalizers", ["example.com/forever"], refusals.FINALIZERS),
        ("the garbage collector's finalizer", "finalizers", ["foregroundDeletion"], refusals.FINALIZERS),
        ("the orphaning finalizer", "finalizers", ["orphan"], refusals.FINALIZERS),
        ("an owner", "ownerReferences", [OWNER], refusals.OWNERS),
        ("a blocking owner", "ownerReferences", [{**OWNER, "blockOwnerDeletion": True}], refusals.OWNERS),
    )
    for words, field, value, refusal in fields:
        for who in ("bob", "erin@example.com", "operator"):
            honest = "alice" if who in ("erin@example.com", "operator") else who
            yield Attempt(
                f"{words} by {who}", who, merges({"metadata": {field: value}}), refusal, decides("revoke"), twin_who=honest
            )
        if words.startswith(("one of", "a ledger of another group", "the ", "a blocking")):
            continue  # another value of a field that is tried every way already
        yield Attempt(f"{words} in a live grant", "alice", about(live, merges({"metadata": {field: value}})), refusal, merges({}))
        yield Attempt(
            f"{words} by JSON patch",
            "bob",
            patches({"op": "add", "path": f"/metadata/{field}", "value": value}),
            refusal,
            decides("approve"),
        )
        yield Attempt(f"{words} by server-side apply", "bob", applies(metadata={field: value}), refusal, decides("approve"))
        yield Attempt(f"{words} by PUT", "trent", replaces(metadata={field: value}), refusal, replaces())
        yield Attempt(
            f"{words} together with an approval",
            "bob",
            merges(
                {
                    "metadata": {
                        field: value,
                        "annotations": {**(value if field == "annotations" else {}), "jitaccess.dev/approvals": "bob: ok"},
                    }
                }
            ),
            refusal,
            decides("approve"),
        )
    yield Attempt(
        "changing a label",
        "alice",
        about(labelled, merges({"metadata": {"labels": {"team": "b"}}})),
        refusals.LABELS,
        merges({"metadata": {"labels": {"team": "a"}}}),
    )
    yield Attempt(
        "removing a label",
        "alice",
        about(labelled, merges({"metadata": {"labels": {"team": None}}})),
        refusals.LABELS,
        decides("revoke"),
    )
    yield Attempt(
        "removing all labels",
        "alice",
        about(labelled, merges({"metadata": {"labels": None}})),
        refusals.LABELS,
        decides("revoke"),
    )
    yield Attempt(
        "changing an annotation",
        "alice",
        about(labelled, merges(annotations({"ticket": "INC-1"}))),
        refusals.ANNOTATIONS,
        merges(annotations({"ticket": "INC-42"})),
    )
    yield Attempt(
        "removing an annotation",
        "alice",
        about(labelled, merges(annotations({"ticket": None}))),
        refusals.ANNOTATIONS,
        decides("revoke"),
    )
    yield Attempt(
        "another's notes for kubectl apply",
        "bob",
        merges(annotations({APPLIED: "{}"})),
        refusals.ANNOTATIONS,
        merges(annotations({APPLIED: "{}"})),
        twin_who="alice",
    )
    yield Attempt(
        "notes for kubectl apply that fill the room for decisions",
        "alice",
        merges(annotations({APPLIED: "x" * 8193})),
        refusals.NOTES,
        merges(annotations({APPLIED: "x" * 8192})),
    )
    yield Attempt(
        "another UID",
        "trent",
        replaces(metadata={"uid": "00000000-0000-0000-0000-000000000000"}),
        "Precondition failed: UID in precondition",
        replaces(),
        status=409,
    )
    yield Attempt(
        "another name",
        "trent",
        replaces(metadata={"name": "other"}),
        "the name of the object (other) does not match the name on the URL",
        replaces(),
        status=400,
    )
    yield Attempt(
        "another namespace",
        "trent",
        replaces(metadata={"namespace": "default"}),
        "the namespace of the provided object does not match the namespace sent on the request",
        replaces(),
        status=400,
    )
    yield Attempt(
        "another name that the name was generated from",
        "erin@example.com",
        merges({"metadata": {"generateName": "bob-approved-this-"}}),
        refusals.GENERATED_FROM,
        merges({"metadata": {"generateName": None}}),
    )
    yield Attempt(
        "filling a request with field managers",
        "erin@example.com",
        with_managers(17),
        refusals.MANAGERS,
        about(lambda scene: scene.about(""), with_managers(16)),
    )
    yield Attempt(
        "deleting one's own request",
        "alice",
        lambda scene, me: me.delete(REQUESTS, scene.name),
        cannot("delete"),
        decides("revoke"),
    )
    yield Attempt(
        "deleting another's request", "bob", lambda scene, me: me.delete(REQUESTS, scene.name), cannot("delete"), decides("deny")
    )
    yield Attempt(
        "deleting all requests", "bob", lambda scene, me: me.delete(REQUESTS), cannot("deletecollection"), decides("deny")
    )
    yield Attempt(
        "making a request by patching one that is not there",
        "trent",
        about(
            lambda scene: scene.about("not-there"),
            applies(
                spec={
                    "policyRef": {"name": "two"},
                    "roleRef": {"kind": "ClusterRole", "name": "view"},
                    "duration": "1h",
                    "reason": "x",
                    "requester": "trent",
                }
            ),
        ),
        refusals.may_not_request("two"),
        lambda scene, me: me.get(REQUESTS),
    )
    yield Attempt(
        "making a request by PUT",
        "trent",
        lambda scene, me: me.put(REQUESTS, "not-there", {**scene.stage.get(scene.name), "metadata": {"name": "not-there"}}),
        'accessrequests.jitaccess.dev "not-there" not found',
        replaces(),
        status=404,
        hole="",
    )


def status() -> Iterator[Attempt]:
    active = {"state": "Active", "settled": False}
    for words, who, how in (
        ("by merge patch", "wanda", merges({"status": active}, "status")),
        ("by JSON patch", "wanda", patches({"op": "add", "path": "/status", "value": active}, subresource="status")),
        (
            "by PUT",
            "wanda",
            lambda scene, me: me.put(REQUESTS, scene.name, {**scene.stage.get(scene.name), "status": active}, "status"),
        ),
        (
            "by server-side apply",
            "wanda",
            lambda scene, me: me.apply(
                REQUESTS,
                scene.name,
                {
                    "apiVersion": "jitaccess.dev/v1alpha1",
                    "kind": "AccessRequest",
                    "metadata": {"name": scene.name},
                    "status": active,
                },
                "status",
            ),
        ),
        ("without changing anything", "wanda", merges({}, "status")),
    ):
        yield Attempt(
            f"writing status {words}",
            who,
            about(lambda scene: scene.about(scene.stage.over), how),
            refusals.STATUS,
            lambda scene, me: me.get(REQUESTS, scene.name),
        )
    yield Attempt(
        "settling another's grant",
        "wanda",
        about(live, merges({"status": {"settled": True}}, "status")),
        refusals.STATUS,
        lambda scene, me: me.get(REQUESTS, scene.name),
    )
    yield Attempt(
        "lengthening one's grant",
        "alice",
        about(live, merges({"status": {"expiresAt": "2100-01-01T00:00:00Z"}}, "status")),
        cannot("patch", "accessrequests/status"),
        lambda scene, me: me.get(REQUESTS, scene.name),
    )
    yield Attempt(
        "writing the status of a policy",
        "wanda",
        lambda scene, me: me.merge(POLICIES, "unready", {"status": {"conditions": []}}, "status"),
        refusals.STATUS,
        lambda scene, me: me.get(POLICIES, "unready"),
    )
    yield Attempt(
        "an author writes the status of a policy",
        "paul",
        lambda scene, me: me.merge(POLICIES, "unready", {"status": {"conditions": []}}, "status"),
        cannot("patch", "accesspolicies/status"),
        lambda scene, me: me.get(POLICIES, "unready"),
    )


@table(spec(), metadata(), status())
def test_is_refused_for_the_stated_reason_and_the_honest_twin_succeeds(attempt: Attempt, stage: Theatre) -> None:
    play(attempt, stage)


@pytest.mark.parametrize(
    ("who", "how"),
    [
        pytest.param(
            "alice", merges({"status": {"state": "Active", "settled": False}}), id="status in a merge patch of the request"
        ),
        pytest.param(
            "trent", replaces(status={"state": "Active", "settled": False, "approvals": []}), id="status in a PUT of the request"
        ),
        pytest.param("alice", applies(status={"state": "Active"}), id="status in server-side apply of the request"),
        pytest.param(
            "alice",
            patches({"op": "add", "path": "/status", "value": {"state": "Active"}}),
            id="status in a JSON patch of the request",
        ),
        pytest.param(
            "alice", merges({"spec": {"approved": True}, "approvals": ["bob"]}), id="fields that were absent and are not known"
        ),
        pytest.param("alice", merges({"metadata": {"managedFields": []}}), id="managedFields wiped"),
        pytest.param("alice", merges({"kind": "AccessPolicy", "apiVersion": "v1"}), id="another kind"),
        pytest.param("alice", merges({"metadata": {"selfLink": "/x"}}), id="a link"),
        pytest.param("alice", merges({"metadata": {"generation": 99}}), id="a generation"),
        pytest.param("alice", merges({"metadata": {"deletionTimestamp": "2020-01-01T00:00:00Z"}}), id="a deletion time"),
        pytest.param("alice", merges({"metadata": {"creationTimestamp": "2100-01-01T00:00:00Z"}}), id="a birthday"),
        pytest.param(
            "operator",
            merges(
                {
                    "metadata": {
                        "annotations": {"jitaccess.dev/approvals": "bob: ok\ncarol: ok"},
                        "labels": {"a": "b"},
                        "finalizers": ["a.b/c"],
                    }
                },
                "status",
            ),
            id="metadata smuggled in with status, by the operator",
        ),
    ],
)
def test_what_is_not_for_people_to_write_stays_as_it_was(stage: Theatre, who: str, how: How) -> None:
    scene = Scene(stage)
    stage.until(scene.name, "Pending")
    before = stage.get(scene.name)
    person = stage.service_account("jitaccess-system", "jitaccess") if who == "operator" else stage.person(who)
    how(scene, person)  # refused or ignored: either will do
    found = stage.get(scene.name)
    kept = (
        "annotations",
        "labels",
        "finalizers",
        "ownerReferences",
        "deletionTimestamp",
        "creationTimestamp",
        "uid",
        "generation",
    )
    assert (found["spec"], found["status"]) == (before["spec"], before["status"])
    assert {k: found["metadata"].get(k) for k in kept} == {k: before["metadata"].get(k) for k in kept}
    assert (found.keys(), found["kind"]) == (before.keys(), "AccessRequest")


def test_a_request_that_brings_field_managers_along_can_still_be_denied_and_revoked(stage: Theatre) -> None:
    entry = {
        "operation": "Apply",
        "apiVersion": "jitaccess.dev/v1alpha1",
        "fieldsType": "FieldsV1",
        "time": "2020-01-01T00:00:00Z",
    }
    manifest = stage.manifest("alice")
    fields: dict[str, Any] = {"fieldsV1": {"f:spec": {"f:duration": {}}}}
    manifest["metadata"]["managedFields"] = [{**entry, **fields, "manager": f"m{number}"} for number in range(17)]
    answer = stage.person("alice").create(REQUESTS, manifest)
    if answer.ok:
        Stage.sure(stage.decide("bob", "deny", manifest["metadata"]["name"]))


def test_a_request_made_again_under_the_same_name_starts_from_nothing(stage: Theatre) -> None:
    name = stage.granted("alice", "debug", name="twice")
    old = stage.get(name)
    [binding] = stage.bindings(name)
    Stage.sure(stage.person("wanda").delete(REQUESTS, name))
    assert stage.request(name="twice", policyRef={"name": "debug"}) == name
    status = stage.until(name, "Pending")
    assert "approvals" not in status
    assert not stage.annotations(name)
    assert stage.get(name)["metadata"]["uid"] != old["metadata"]["uid"]
    left = [each["metadata"]["uid"] for each in stage.bindings(name)]
    assert binding["metadata"]["uid"] not in left or eventually_gone(stage, binding["metadata"]["name"])
    stale = stage.person("bob").put(REQUESTS, name, old)
    assert stale.status == 403
    assert "cannot update" in stale.message
    stale = stage.person("pat").put(REQUESTS, name, old)
    assert stale.status == 409, stale.message
    Stage.sure(stage.decide("bob", "approve", name))
    assert [each["by"] for each in stage.until(name, "Active")["approvals"]] == ["bob"]
    assert len(stage.bindings(name)) == 1


def eventually_gone(stage: Theatre, binding: str) -> bool:
    """Wait until a binding is gone."""
    return bool(eventually(lambda: stage.find(binding, "rolebindings") is None, f"{binding} is gone"))


def test_a_settled_request_made_again_does_not_revive_what_was_approved(stage: Theatre) -> None:
    name = stage.request(name="thrice")
    Stage.sure(stage.decide("bob", "approve", name))
    Stage.sure(stage.decide("carol", "approve", name))
    stage.until(name, "Active")
    Stage.sure(stage.decide("alice", "revoke", name))
    stage.until(name, "Revoked")
    stage.sure(stage.person("wanda").delete(REQUESTS, name))
    stage.request(name="thrice")
    Stage.sure(stage.decide("bob", "approve", name))
    assert stage.until(name, "Pending")["state"] == "Pending"
    assert not stage.bindings(name)
    assert stage.person("wanda").get(REQUESTS, name).ok
