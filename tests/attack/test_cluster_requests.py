"""Asking and deciding under policies for many namespaces and for the cluster: as strict as in one namespace."""

from collections.abc import Iterator
from typing import Any

from attack import refusals
from attack.cluster import ELSEWHERE, FLEET, asks, cannot_at_all, decide, decides, in_fleet, merges, on, writes
from attack.stage import Theatre
from attack.table import Attempt, Scene, creates, denied, known, on_both, play, table
from attack.test_operator import OWNER
from controlplane.client import Answer, Person
from team import CLUSTER_POLICIES, CLUSTER_REQUESTS, REQUESTS, annotations, eventually

POLICY_OWNER = {"apiVersion": "jitaccess.dev/v1alpha1", "kind": "ClusterAccessPolicy", "name": "x", "uid": OWNER["uid"]}


# --- asking


HONEST_FLEET, HONEST_WIDE = creates(**FLEET), asks()


def elsewhere(scene: Scene, me: Person) -> Answer:
    return me.at(ELSEWHERE).create(REQUESTS, scene.stage.manifest(me.name, "", **FLEET))


def asking() -> Iterator[Attempt]:
    nowhere = refusals.may_not_request_cluster("fleet").replace("{namespace}", ELSEWHERE)
    yield Attempt("in a namespace that the policy does not select", "alice", elsewhere, nowhere, HONEST_FLEET)
    yield Attempt(
        "under a policy for namespaces that does not name me",
        "trent",
        HONEST_FLEET,
        refusals.may_not_request_cluster("fleet"),
        HONEST_FLEET,
        twin_who="alice",
    )
    yield Attempt(
        "under a policy of the namespace, called one of the cluster",
        "alice",
        creates(policyRef={"kind": "ClusterAccessPolicy", "name": "two"}),
        refusals.may_not_request_cluster("two"),
        HONEST_FLEET,
    )
    yield Attempt(
        "under a policy of the cluster, called one of the namespace",
        "alice",
        creates(policyRef={"kind": "AccessPolicy", "name": "fleet"}),
        refusals.may_not_request("fleet"),
        HONEST_FLEET,
    )
    yield Attempt(
        "under a policy of the cluster without its kind",
        "alice",
        creates(policyRef={"name": "fleet"}),
        refusals.may_not_request("fleet"),
        HONEST_FLEET,
    )
    yield Attempt(
        "under a kind of policy that there is not",
        "alice",
        creates(policyRef={"kind": "clusteraccesspolicy", "name": "fleet"}),
        'supported values: "AccessPolicy", "ClusterAccessPolicy"',
        HONEST_FLEET,
        status=422,
    )
    yield Attempt(
        "in another's name under a policy for namespaces",
        "alice",
        creates(requester="bob", **FLEET),
        refusals.NOT_YOU,
        HONEST_FLEET,
    )
    yield Attempt(
        "as the operator under a policy for namespaces",
        "operator",
        HONEST_FLEET,
        refusals.OPERATOR_ASKS,
        HONEST_FLEET,
        twin_who="alice",
    )
    none = refusals.may_not_request_cluster
    yield Attempt("cluster-wide, named by no policy", "trent", asks(), none("wide", ""), HONEST_WIDE, twin_who="alice")
    yield Attempt("cluster-wide, under a policy for namespaces", "alice", asks("fleet"), none("fleet", ""), HONEST_WIDE)
    yield Attempt("cluster-wide, under a policy that there is not", "alice", asks("none"), none("none", ""), HONEST_WIDE)
    yield Attempt(
        "cluster-wide, without any right",
        "mallory",
        asks(),
        cannot_at_all("create", CLUSTER_REQUESTS),
        HONEST_WIDE,
        twin_who="alice",
    )
    yield Attempt("cluster-wide, in another's name", "alice", asks(requester="bob"), refusals.NOT_YOU, HONEST_WIDE)
    yield Attempt("cluster-wide, in another's name, in capitals", "alice", asks(requester="ALICE"), refusals.NOT_YOU, HONEST_WIDE)
    yield Attempt("cluster-wide, as the operator", "operator", asks(), refusals.OPERATOR_ASKS, HONEST_WIDE, twin_who="alice")
    for ledger in ("approvals", "denials", "approve"):
        key = f"jitaccess.dev/{ledger}"
        yield Attempt(
            f"cluster-wide, decided already: {ledger}",
            "alice",
            asks(metadata={"annotations": {key: "bob: ok"}}),
            refusals.already_decided(key),
            HONEST_WIDE,
        )
    yield Attempt(
        "cluster-wide, with a finalizer",
        "alice",
        asks(metadata={"finalizers": ["example.com/keep"]}),
        refusals.NO_OWNERS_YET,
        HONEST_WIDE,
    )
    yield Attempt(
        "cluster-wide, with an owner",
        "alice",
        asks(metadata={"ownerReferences": [POLICY_OWNER]}),
        refusals.NO_OWNERS_YET,
        HONEST_WIDE,
    )
    for words, spec, refusal in (
        (
            "under a policy of a namespace",
            {"policyRef": {"kind": "AccessPolicy", "name": "two"}},
            'supported values: "ClusterAccessPolicy"',
        ),
        ("for a Role", {"roleRef": {"kind": "Role", "name": "db-reader"}}, 'supported values: "ClusterRole"'),
        ("with a reason that hides something", {"reason": "a\u202eb"}, refusals.hidden(2)),
        ("for a year", {"duration": "8760h"}, "is too long: at most 720h (30 days)"),
    ):
        yield Attempt(f"cluster-wide, {words}", "alice", asks(**spec), refusal, HONEST_WIDE, status=422)


# --- deciding


def deciding() -> Iterator[Attempt]:
    none, approve = refusals.not_a_cluster_approver, decides("approve")
    yield Attempt("approving cluster-wide without a say", "trent", approve, none("wide", ""), approve, twin_who="bob")
    yield Attempt("approving cluster-wide with a say in a namespace", "trent", approve, none("wide", ""), in_fleet("approve"))
    yield Attempt(
        "denying cluster-wide without a say", "trent", decides("deny"), none("wide", ""), decides("deny"), twin_who="bob"
    )
    yield Attempt(
        "revoking cluster-wide without a say",
        "trent",
        decides("revoke"),
        refusals.not_a_cluster_revoker("alice", "wide"),
        decides("revoke"),
        twin_who="alice",
    )
    yield Attempt("approving one's own cluster-wide request", "dave", decides("approve", "dave"), refusals.OWN_REQUEST, approve)
    yield Attempt(
        "approving cluster-wide as oneself in capitals",
        "ALICE",
        approve,
        refusals.OWN_REQUEST_IN_CAPITALS,
        approve,
        twin_who="bob",
    )
    yield Attempt(
        "approving cluster-wide as the operator",
        "operator",
        writes("approvals", "{me}: ok"),
        refusals.OPERATOR_DECIDES,
        approve,
        twin_who="bob",
    )
    for words, text in (("in another's name", "carol: ok"), ("for two", "{me}: ok\ncarol: ok"), ("without a name", ": ok")):
        one = refusals.OWN_LINE if "\n" not in text else refusals.ONE_LINE
        yield Attempt(f"approving cluster-wide {words}", "bob", writes("approvals", text), one, writes("approvals", "{me}: ok"))
    yield Attempt(
        "approving cluster-wide with a hidden note",
        "bob",
        writes("approvals", "{me}: a\u200bb"),
        refusals.ONE_LINE,
        writes("approvals", "{me}: ab"),
    )

    def twice(scene: Scene, me: Person, name: str) -> Answer:
        scene.stage.sure(decide(scene, me, "approve", name))
        return decide(scene, me, "approve", name)

    def forgets(scene: Scene, me: Person, name: str) -> Answer:
        scene.stage.sure(decide(scene, scene.stage.person("bob"), "deny", name))
        return me.merge(CLUSTER_REQUESTS, name, annotations({"jitaccess.dev/denials": None}))

    def too_late(scene: Scene, me: Person, name: str) -> Answer:
        scene.stage.sure(decide(scene, scene.stage.person("alice"), "revoke", name))
        status = lambda: scene.stage.status(name, CLUSTER_REQUESTS).get("state") == "Withdrawn"  # noqa: E731
        eventually(status, f"{name} is Withdrawn")
        return decide(scene, me, "approve", name)

    yield Attempt("approving cluster-wide twice", "bob", on(twice), refusals.TWICE, approve)
    yield Attempt("forgetting a denial cluster-wide", "carol", on(forgets), denied("decisions", ""), decides("deny"))
    yield Attempt("approving cluster-wide what is settled", "bob", on(too_late), refusals.settled("Withdrawn"), approve)
    yield Attempt(
        "approving in a namespace with a say in a policy of that namespace",
        "erin@example.com",
        in_fleet("approve"),
        none("fleet"),
        in_fleet("approve"),
        twin_who="bob",
    )
    yield Attempt(
        "denying in a namespace with a say in a policy of that namespace",
        "erin@example.com",
        in_fleet("deny"),
        none("fleet"),
        in_fleet("deny"),
        twin_who="carol",
    )


def metadata() -> Iterator[Attempt]:
    harmless = merges(annotations({"example.com/note": "x"}))
    for words, patch, refusal in (
        (
            "an annotation that reads as ours",
            annotations({"jitaccess.dev/expires-at": "never"}),
            denied("request-metadata", "the annotation"),
        ),
        (
            "our label",
            {"metadata": {"labels": {"app.kubernetes.io/managed-by": "x"}}},
            refusals.label("app.kubernetes.io/managed-by"),
        ),
        ("a finalizer", {"metadata": {"finalizers": ["example.com/keep"]}}, refusals.FINALIZERS),
        ("an owner", {"metadata": {"ownerReferences": [POLICY_OWNER]}}, refusals.OWNERS),
    ):
        yield Attempt(f"{words} on a cluster-wide request", "bob", merges(patch), refusal, harmless)
    for words, spec in (
        ("duration", {"duration": "4h"}),
        ("requester", {"requester": "mallory"}),
        ("role", {"roleRef": {"name": "edit"}}),
    ):
        yield Attempt(
            f"another {words} of a cluster-wide request",
            "bob",
            merges({"spec": spec}),
            "spec: Invalid value: a ClusterAccessRequest cannot be changed after it was made; make a new one",
            harmless,
            status=422,
        )
    state = {"status": {"state": "Active", "settled": False}}
    yield Attempt(
        "the status of a cluster-wide request", "wanda", merges(state, "status"), refusals.STATUS, HONEST_WIDE, twin_who="alice"
    )
    ready: dict[str, Any] = {"status": {"conditions": []}}
    yield Attempt(
        "the status of a cluster policy",
        "wanda",
        lambda scene, me: me.merge(CLUSTER_POLICIES, "fleet", ready, "status"),
        refusals.STATUS,
        HONEST_WIDE,
        twin_who="alice",
    )


@table(asking(), deciding(), metadata())
def test_is_refused_for_the_stated_reason_and_the_honest_twin_succeeds(attempt: Attempt, stage: Theatre) -> None:
    play(attempt, stage)


@on_both()
def test_a_cluster_wide_policy_gives_nothing_in_a_namespace(stage: Theatre) -> None:
    """Its requesters hold `request` everywhere, so the API server lets it in; the operator denies it."""
    scene = Scene(stage)
    name = scene.ask("alice", policyRef={"kind": "ClusterAccessPolicy", "name": "wide"})
    eventually(lambda: stage.status(name).get("state") == "Denied", f"{name} is Denied")
    assert stage.condition(name, "Denied")["reason"] == "OutOfReach"


@on_both()
def test_nobody_sees_requests_where_the_policy_does_not_select(stage: Theatre) -> None:
    scene = Scene(stage)
    scene.ask("alice", **FLEET)
    trent = known(stage, "carol")
    assert trent.get(REQUESTS).ok
    assert trent.at(ELSEWHERE).get(REQUESTS).status == 403
    assert trent.call("GET", "/apis/jitaccess.dev/v1alpha1/accessrequests").status == 403, "nor in all namespaces at once"
