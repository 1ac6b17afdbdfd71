"""What the operator makes for the cluster's kinds, in others' hands; and its own account in the wrong hands."""

from collections.abc import Iterator
from typing import Any

from attack import refusals
from attack.cluster import BYSTANDER, ELSEWHERE, HARMLESS, LABELS, cannot_at_all, cluster_binding, offers
from attack.stage import OPERATOR, RBAC, Theatre, binding, clone
from attack.table import Attempt, How, play, table
from attack.test_operator import DERIVED, GRANT, makes, reads
from team import CLUSTER_POLICIES

APPROVER, FLEET_APPROVER = "jitaccess:cluster:x:approver", "jitaccess:cluster:fleet:approver"


# --- the operator's objects, and the operator itself


def puts_on(resource: str, name: str, patch: dict[str, Any]) -> How:
    return lambda scene, me: me.merge(resource, name, patch, dryRun="All")


def rehearses(resource: str, made: dict[str, Any]) -> How:
    return lambda scene, me: me.create(resource, made, dryRun="All")


def replaces_subjects(name: str, wanted: dict[str, Any]) -> How:
    return lambda scene, me: me.put("rolebindings", name, clone(scene.stage.get(name, "rolebindings")) | wanted)


def deletes(resource: str, name: str) -> How:
    return lambda scene, me: me.delete(resource, name)


def objects() -> Iterator[Attempt]:
    mine = {"subjects": [{"apiGroup": RBAC, "kind": "User", "name": "ada"}]}
    honest = rehearses("rolebindings", binding("mine", "view", "mallory"))
    for side in ("requester", "approver"):
        name = f"jitaccess:cluster:fleet:{side}"
        yield Attempt(
            f"somebody else among the {side}s of a cluster policy",
            "wanda",
            replaces_subjects(name, mine),
            refusals.BELONGS,
            honest,
            twin_who="ada",
        )
        yield Attempt(
            f"a namespace admin deletes who the {side}s of a cluster policy are",
            "ada",
            deletes("rolebindings", name),
            refusals.BELONGS,
            honest,
        )
    role = "jitaccess:cluster:fleet:approver"
    theirs = {"metadata": {"name": "theirs"}, "rules": HARMLESS}
    made = rehearses("clusterroles", theirs)
    in_wait = binding(role, "view", "mallory")
    yield Attempt(
        "a binding with the name of a derived one", "ada", rehearses("rolebindings", in_wait), refusals.RESERVED, honest
    )
    named = {"metadata": {"name": "jitaccess:cluster:next:approver"}, "rules": HARMLESS}
    yield Attempt(
        "a ClusterRole with the name of a derived one", "wanda", rehearses("clusterroles", named), refusals.RESERVED, made
    )
    labelled = {"metadata": {"name": "theirs", "labels": LABELS}, "rules": HARMLESS}
    yield Attempt("a ClusterRole with our label", "wanda", rehearses("clusterroles", labelled), refusals.BELONGS, made)
    yield Attempt(
        "a derived ClusterRole with more in it",
        "wanda",
        puts_on("clusterroles", role, {"rules": HARMLESS}),
        refusals.BELONGS,
        made,
    )
    aggregated = {"metadata": {"labels": {"rbac.authorization.k8s.io/aggregate-to-view": "true"}}}
    yield Attempt(
        "a derived ClusterRole made a part of view", "wanda", puts_on("clusterroles", role, aggregated), refusals.BELONGS, made
    )
    yield Attempt(
        "a derived ClusterRole without our label",
        "wanda",
        puts_on("clusterroles", role, {"metadata": {"labels": {"app.kubernetes.io/managed-by": None}}}),
        refusals.OURS,
        made,
    )
    yield Attempt(
        "deleting a derived ClusterRole", "wanda", lambda scene, me: me.delete("clusterroles", role), refusals.BELONGS, made
    )
    wide = "jitaccess:cluster:wide:approver"
    yield Attempt(
        "another approver of a cluster-wide policy", "wanda", puts_on("clusterrolebindings", wide, mine), refusals.BELONGS, made
    )
    yield Attempt(
        "deleting who approves cluster-wide",
        "wanda",
        lambda scene, me: me.delete("clusterrolebindings", wide),
        refusals.BELONGS,
        made,
    )


HONEST_GRANT = makes("clusterrolebindings", cluster_binding("jit-x", "view", "alice"), labels=GRANT)
RULES = [{"apiGroups": ["jitaccess.dev"], "resources": ["clusteraccesspolicies"], "resourceNames": ["x"], "verbs": ["approve"]}]


def derived_role(**changed: Any) -> dict[str, Any]:
    return {"metadata": {"name": APPROVER}, "rules": RULES} | changed


def operator() -> Iterator[Attempt]:
    two = cluster_binding("jit-x", "view", "alice")
    two["subjects"].append({"apiGroup": RBAC, "kind": "User", "name": "mallory"})
    for words, made in (
        ("for a group", cluster_binding("jit-x", "view", "developers", "Group")),
        ("for two", two),
        ("for nobody", cluster_binding("jit-x", "view", "alice") | {"subjects": []}),
        ("for itself", cluster_binding("jit-x", "view", OPERATOR)),
        ("of another name", cluster_binding("x", "view", "alice")),
    ):
        how = makes("clusterrolebindings", made, labels=GRANT)
        yield Attempt(f"a cluster-wide grant {words}", "operator", how, refusals.OPERATOR_SHAPES, HONEST_GRANT)
    plain = cluster_binding("jit-x", "view", "alice")
    yield Attempt(
        "a cluster-wide grant that nothing owns",
        "operator",
        makes("clusterrolebindings", plain, labels=GRANT, owned=False),
        refusals.OPERATOR_SHAPES,
        HONEST_GRANT,
    )
    yield Attempt(
        "a ClusterRoleBinding without the label",
        "operator",
        makes("clusterrolebindings", plain),
        refusals.OPERATOR_FOREIGN,
        HONEST_GRANT,
    )
    debug = cluster_binding("jit-x", "jitaccess-debug", "alice")
    yield Attempt(
        "cluster-wide what may be granted in namespaces alone",
        "operator",
        makes("clusterrolebindings", debug, labels=GRANT),
        refusals.NOT_CLUSTER_WIDE,
        HONEST_GRANT,
    )
    master = cluster_binding("jit-x", "cluster-admin", "alice")
    yield Attempt(
        "cluster-admin, cluster-wide",
        "operator",
        makes("clusterrolebindings", master, labels=GRANT),
        refusals.ESCALATION,
        HONEST_GRANT,
    )
    honest = makes("clusterroles", derived_role(), labels=LABELS)
    jobs = [{"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["create"]}]
    other = [RULES[0] | {"resourceNames": ["y"]}]
    every = [{field: value for field, value in RULES[0].items() if field != "resourceNames"}]
    for words, made, labels in (
        ("other rights in it", derived_role(rules=jobs), LABELS),
        ("a say on another policy", derived_role(rules=other), LABELS),
        ("a say on every policy", derived_role(rules=every), LABELS),
        ("a part in view", derived_role(), {**LABELS, "rbac.authorization.k8s.io/aggregate-to-view": "true"}),
        ("another name", derived_role(metadata={"name": "x"}), LABELS),
        ("the label of a Role", derived_role(), DERIVED),
    ):
        yield Attempt(
            f"a derived ClusterRole with {words}",
            "operator",
            makes("clusterroles", made, labels=labels),
            refusals.OPERATOR_SHAPES,
            honest,
        )
    of_stage = {"metadata": {"name": "jitaccess:cluster:x:stage-lead"}}
    for words, stage, name in (
        ("a say in another stage", "x:security", of_stage),
        ("a say in a stage of another policy", "y:lead", of_stage),
        ("a say in every stage", "x", of_stage),
        ("a stage in it, under the name of the approvers", "x:lead", {}),
    ):
        yield Attempt(
            f"a derived ClusterRole with {words}",
            "operator",
            makes("clusterroles", derived_role(**name, rules=[RULES[0] | {"resourceNames": [stage]}]), labels=LABELS),
            refusals.OPERATOR_SHAPES,
            makes("clusterroles", derived_role(**of_stage, rules=[RULES[0] | {"resourceNames": ["x:lead"]}]), labels=LABELS),
        )
    aggregating = derived_role(aggregationRule={"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]}, rules=[])
    yield Attempt(
        "a derived ClusterRole with whatever others aggregate",
        "operator",
        makes("clusterroles", aggregating, labels=LABELS),
        "must have cluster-admin privileges to use the aggregationRule",
        honest,
    )
    yield Attempt(
        "changing a ClusterRole of others",
        "operator",
        lambda scene, me: me.put("clusterroles", "view", clone(scene.stage.get("view", "clusterroles"))),
        refusals.OPERATOR_FOREIGN,
        honest,
    )
    yield Attempt(
        "adopting a ClusterRole of others",
        "operator",
        lambda scene, me: me.put(
            "clusterroles",
            BYSTANDER,
            {"metadata": {"name": BYSTANDER, "labels": LABELS}, "rules": other},
        ),
        refusals.OPERATOR_FOREIGN,
        honest,
    )
    bound = binding(FLEET_APPROVER, FLEET_APPROVER, "leads", subject="Group")
    in_namespace = makes("rolebindings", bound, labels=LABELS, namespace=ELSEWHERE)
    for namespace in ("kube-system", "kube-public", "kube-node-lease", "jitaccess-system"):
        yield Attempt(
            f"approvers in {namespace}",
            "operator",
            makes("rolebindings", bound, labels=LABELS, namespace=namespace),
            refusals.OPERATOR_SHAPES,
            in_namespace,
        )
    yield Attempt(
        "another role under a derived name",
        "operator",
        makes("rolebindings", binding(FLEET_APPROVER, "view", "leads"), labels=LABELS),
        refusals.OPERATOR_SHAPES,
        in_namespace,
    )
    yield Attempt(
        "another role under a derived name, cluster-wide",
        "operator",
        makes("clusterrolebindings", cluster_binding(FLEET_APPROVER, "view", "leads"), labels=LABELS),
        refusals.OPERATOR_SHAPES,
        makes("clusterrolebindings", bound | {"kind": "ClusterRoleBinding"}, labels=LABELS),
    )
    yield Attempt(
        "deleting a ClusterRoleBinding of others",
        "operator",
        lambda scene, me: me.delete("clusterrolebindings", "test-cluster-patchers"),
        refusals.OPERATOR_FOREIGN,
        HONEST_GRANT,
    )
    yield Attempt(
        "making a cluster policy",
        "operator",
        offers(),
        cannot_at_all("create", CLUSTER_POLICIES),
        reads,
    )
    yield Attempt(
        "labelling a namespace",
        "operator",
        lambda scene, me: me.merge("namespaces", ELSEWHERE, {"metadata": {"labels": {"tier": "prod"}}}),
        'User "{me}" cannot patch resource "namespaces" in API group ""',
        reads,
    )
    yield Attempt(
        "deleting a derived ClusterRole as the operator",
        "operator",
        lambda scene, me: me.delete("clusterroles", "jitaccess:cluster:fleet:approver"),
        cannot_at_all("delete", "clusterroles", RBAC),
        reads,
    )


@table(objects(), operator())
def test_is_refused_for_the_stated_reason_and_the_honest_twin_succeeds(attempt: Attempt, stage: Theatre) -> None:
    play(attempt, stage)
