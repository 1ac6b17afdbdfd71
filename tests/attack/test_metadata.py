"""Every other field of a request: spec, metadata and status, by every kind of patch."""

from collections.abc import Iterator
from typing import Any

import pytest

from attack import refusals
from attack.stage import Stage, Theatre
from attack.table import Attempt, How, Scene, about, after, cannot, decides, merges, patches, play, table
from attack.test_asking import BLOATED
from controlplane.client import Answer, Person
from team import POLICIES, REQUESTS, annotations, eventually

APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
MANAGED_BY = "app.kubernetes.io/managed-by"
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
        ("a label of our group", "labels", {"jitaccess.dev/component": "grant"}, refusals.label("jitaccess.dev/component")),
        ("one of our labels", "labels", {MANAGED_BY: "jitaccess"}, refusals.label(MANAGED_BY)),
        ("an annotation of our group", "annotations", {"jitaccess.dev/seen": "yes"}, refusals.annotation("jitaccess.dev/seen")),
        ("a broken line", "annotations", {"seen": "yes\nno"}, refusals.unclear("seen")),
        (
            "a ledger of another name",
            "annotations",
            {"jitaccess.dev/Approvals": "bob: ok"},
            refusals.annotation("jitaccess.dev/Approvals"),
        ),
        (
            "a ledger of another group",
            "annotations",
            {"x.jitaccess.dev/approvals": "bob: ok"},
            refusals.annotation("x.jitaccess.dev/approvals"),
        ),
        ("a ledger of no group", "annotations", {"Revocations": "bob: ok"}, refusals.annotation("Revocations")),
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
        if words.startswith(("one of", "a broken", "a ledger of another group", "a ledger of no", "the ", "a blocking")):
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
        "another's notes for kubectl apply",
        "bob",
        merges(annotations({APPLIED: "{}"})),
        refusals.NOTES,
        merges(annotations({APPLIED: "{}"})),
        twin_who="alice",
    )
    yield Attempt(
        "notes for kubectl apply that fill the room for decisions",
        "alice",
        merges(annotations({APPLIED: "x" * 8193})),
        refusals.unclear(APPLIED),
        merges(annotations({APPLIED: "x" * 8191 + "\n"})),
    )
    yield from rooms()
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


def rooms() -> Iterator[Attempt]:
    """What would leave no room for a decision, or for the operator's record."""
    long = {f"example.com/n{number}": "x" * 8000 for number in range(4)}
    yield Attempt(
        "more annotations than anybody needs",
        "erin@example.com",
        merges(annotations({f"n{number}": "" for number in range(33)})),
        refusals.NO_ROOM,
        merges(annotations({f"n{number}": "" for number in range(32)})),
    )
    yield Attempt(
        "one annotation more than there is room for",
        "erin@example.com",
        after(merges(annotations(long)), merges(annotations({"example.com/more": "x" * 800}))),
        refusals.NO_ROOM + "example.com/more" + refusals.NO_ROOM_WHY,
        decides_with("revoke", {"example.com/more": "x" * 8000}),
        twin_who="alice",
    )
    yield Attempt(
        "annotations of four bytes a character",
        "erin@example.com",
        merges(annotations({"example.com/n": "\U0001f642" * 8192})),
        refusals.NO_ROOM,
        merges(annotations({"example.com/n": "\U0001f642" * 8000})),
    )
    yield Attempt(
        "more labels than anybody needs",
        "erin@example.com",
        merges({"metadata": {"labels": {f"n{number}": "" for number in range(33)}}}),
        refusals.TOO_MANY_LABELS,
        merges({"metadata": {"labels": {f"n{number}": "" for number in range(32)}}}),
    )
    for words, fields in (
        ("annotations", BLOATED["fieldsV1"]),
        ("fields of the spec", {"f:spec": {f"f:{'x' * 200}": {}}}),
        ("fields below the spec", {"f:spec": {"f:policyRef": {f"f:{'x' * 200}": {}}}}),
        ("deep fields", {"f:metadata": {"f:annotations": {"f:seen": {"f:deep": {}}}}}),
        ("other fields", {"f:data": {"f:x": {}}}),
    ):
        yield Attempt(
            f"field managers that own {words} which nobody has",
            "erin@example.com",
            brings_manager({**BLOATED, "fieldsV1": fields}),
            refusals.OVERGROWN,
            brings_manager({**BLOATED, "fieldsV1": {"f:spec": {"f:reason": {}}}}),
        )


def brings_manager(entry: dict[str, Any]) -> How:
    """Send an entry of managedFields beside those that are there."""

    def how(scene: Scene, me: Person) -> Answer:
        scene.stage.until(scene.name, "Pending")  # so that the operator's entry is there too
        managed = scene.stage.get(scene.name)["metadata"]["managedFields"]
        return me.merge(REQUESTS, scene.name, {"metadata": {"managedFields": [*managed, entry], "annotations": {"seen": "yes"}}})

    return how


def decides_with(verb: str, others: dict[str, str], **labels: str) -> How:
    """Decide on a cluster whose admission webhooks annotate and label every update."""

    def how(scene: Scene, me: Person) -> Answer:
        patch = scene.stage.decision(me.name, verb, scene.name)
        patch["metadata"]["annotations"] |= others
        return me.merge(REQUESTS, scene.name, {"metadata": {**patch["metadata"], "labels": labels}})

    return how


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
            about(lambda scene: scene.stage.until(scene.name, "Pending"), how),
            refusals.STATUS,
            lambda scene, me: me.get(REQUESTS, scene.name),
        )
    yield Attempt(
        "reviving a settled request",
        "wanda",
        about(lambda scene: scene.about(scene.stage.over), merges({"status": active}, "status")),
        refusals.SETTLED_FOR_GOOD,
        lambda scene, me: me.get(REQUESTS, scene.name),
        status=422,
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


FOREIGN = {
    "policies.kyverno.io/last-applied-patches": "add-owner.owners.kyverno.io: added /metadata/annotations/owner\n",
    "argocd.argoproj.io/tracking-id": "team-a:jitaccess.dev/AccessRequest:team-a/r1",
    "example.com/last-modified-by": "somebody",
    "field.cattle.io/description": "Zoë 名前",
}


@pytest.mark.parametrize("verb", ["approve", "deny", "revoke"])
def test_decisions_pass_where_a_webhook_annotates_and_labels_every_update(stage: Theatre, verb: str) -> None:
    scene = Scene(stage)
    Stage.sure(decides_with(verb, FOREIGN, team="a")(scene, stage.person("bob")))
    changed = {key: f"{number}" for number, key in enumerate(FOREIGN)}
    assert merges({"metadata": {"annotations": changed, "labels": {"team": None}}})(scene, stage.person("carol")).ok
    assert merges(annotations(dict.fromkeys(FOREIGN)))(scene, stage.person("carol")).ok
    if verb == "approve":
        Stage.sure(decides_with(verb, FOREIGN, team="b")(scene, stage.person("carol")))
        stage.until(scene.name, "Active")
    else:
        stage.until(scene.name, "Denied")


def test_a_request_that_others_have_filled_up_can_still_be_decided_on(stage: Theatre) -> None:
    scene = Scene(stage)
    full = {f"example.com/n{number}": "x" * 8000 for number in range(4)} | {f"n{number}": "" for number in range(28)}
    filling = {"metadata": {"annotations": full, "labels": {f"n{number}": "" for number in range(32)}}}
    Stage.sure(merges(filling)(scene, stage.person("erin@example.com")))
    assert not merges(annotations(FOREIGN))(scene, stage.person("bob")).ok, "there is no room for more"
    Stage.sure(decides_with("approve", FOREIGN, team="a")(scene, stage.person("bob")))
    Stage.sure(decides_with("deny", {**FOREIGN, "example.com/at": "noon"}, team="b")(scene, stage.person("carol")))
    stage.until(scene.name, "Denied")


def test_fields_of_status_that_somebody_owns_leave_no_trace(stage: Theatre) -> None:
    # The status is one field to the API server: whatever is sent below it is cut off before it is looked at, or stored.
    scene = Scene(stage)
    fields: dict[str, Any] = {"f:status": {"f:conditions": {f"f:{'x' * 200}": {}}, f"f:{'y' * 200}": {}}}
    Stage.sure(brings_manager({**BLOATED, "fieldsV1": fields})(scene, stage.person("erin@example.com")))
    owned = [entry.get("fieldsV1", {}).get("f:status", {}) for entry in stage.get(scene.name)["metadata"]["managedFields"]]
    assert not any(owned), f"expected nothing below status, and got {owned}"


def test_more_field_managers_than_the_api_server_keeps_do_not_stand_in_the_way(stage: Theatre) -> None:
    scene = Scene(stage)
    for number in range(24):
        stage.until(scene.name, "Pending")
        erin = stage.person("erin@example.com", **{"User-Agent": f"client{number}/1"})
        gone = {f"example.com/n{number - 1}": None} if number else {}
        Stage.sure(erin.merge(REQUESTS, scene.name, annotations({f"example.com/n{number}": "x", **gone})))
        if number == 12:
            Stage.sure(stage.decide("bob", "approve", scene.name))
    Stage.sure(stage.decide("carol", "approve", scene.name))
    stage.until(scene.name, "Active")
    Stage.sure(stage.decide("alice", "revoke", scene.name))
    stage.until(scene.name, "Revoked")


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
    [binding] = eventually(lambda: stage.bindings(name), f"{name} has its binding")
    Stage.sure(stage.person("wanda").delete(REQUESTS, name))
    assert stage.request(name="twice", policyRef={"name": "debug"}) == name
    status = stage.until(name, "Pending")
    assert "approvals" not in status
    assert not stage.annotations(name)
    assert stage.get(name)["metadata"]["uid"] != old["metadata"]["uid"]
    eventually(lambda: stage.find(binding["metadata"]["name"], "rolebindings") is None, "the old binding is gone")
    stale = stage.person("bob").put(REQUESTS, name, old)
    assert stale.status == 403
    assert "cannot update" in stale.message
    stale = stage.person("pat").put(REQUESTS, name, old)
    assert stale.status == 409, stale.message
    Stage.sure(stage.decide("bob", "approve", name))
    assert [each["by"] for each in stage.until(name, "Active")["approvals"]] == ["bob"]
    eventually(lambda: len(stage.bindings(name)) == 1, "it has one binding, which is made after the record")


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
