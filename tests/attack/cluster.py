"""Policies of the cluster on the stage of the attempts, and what people do with them and with cluster-wide requests."""

from collections.abc import Callable
from functools import partial
from typing import Any

from attack.stage import MANAGED, RBAC, Stage, binding
from attack.table import How, Scene
from controlplane.client import Answer, Person
from team import (
    CLUSTER_POLICIES,
    CLUSTER_REQUESTS,
    REQUESTS,
    annotations,
    cluster_policy_manifest,
    cluster_request_manifest,
    eventually,
)

FLEET: dict[str, Any] = {"policyRef": {"kind": "ClusterAccessPolicy", "name": "fleet"}}
LABELS = {**MANAGED, "jitaccess.dev/component": "cluster-policy", "jitaccess.dev/policy": "x"}  # of what is derived
BYSTANDER = "jitaccess:cluster:y:approver"  # a ClusterRole of that name which is not ours
ELSEWHERE = "attack-elsewhere"  # a namespace that no policy selects
HARMLESS = [{"apiGroups": ["jitaccess.dev"], "resources": ["accessrequests"], "verbs": ["get"]}]


def furnish_cluster(stage: Stage) -> None:
    """Cluster policies: `fleet` for the theatre's namespace, `wide` for the cluster, and people with standing rights at both."""
    admin = stage.admin
    stage.sure(admin.merge("namespaces", stage.namespace, {"metadata": {"labels": {"tier": "prod"}}}))
    stage.sure(admin.create("namespaces", {"metadata": {"name": ELSEWHERE}}))
    patching = ["get", "list", "watch", "create", "patch", "update", "delete"]
    for who, rules in {
        # They may write requests, as an aggregated role may let them; that gives them no say.
        "patchers": [{"apiGroups": ["jitaccess.dev"], "resources": [REQUESTS, CLUSTER_REQUESTS], "verbs": patching}],
        "developers": [{"apiGroups": ["jitaccess.dev"], "resources": [REQUESTS, CLUSTER_REQUESTS], "verbs": ["create"]}],
        "wardens": [
            {
                "apiGroups": ["jitaccess.dev"],
                "resources": [f"{each}/status" for each in (CLUSTER_REQUESTS, CLUSTER_POLICIES)],
                "verbs": ["*"],
            },
            {
                "apiGroups": [RBAC],
                "resources": ["clusterroles", "clusterrolebindings", "rolebindings"],
                "verbs": ["create", "update", "patch", "delete", "bind", "escalate"],  # all that RBAC asks for
            },
            *HARMLESS,
        ],
        "platform": [
            {"apiGroups": ["jitaccess.dev"], "resources": [CLUSTER_POLICIES], "verbs": patching},
            {"apiGroups": [RBAC], "resources": ["clusterroles"], "resourceNames": ["view"], "verbs": ["bind"]},
        ],
    }.items():
        role = f"test-cluster-{who}"
        stage.sure(admin.create("clusterroles", {"metadata": {"name": role}, "rules": rules}))
        made = binding(role, role, who, subject="Group") | {"kind": "ClusterRoleBinding"}
        stage.sure(admin.create("clusterrolebindings", made))
    leads, trent = {"kind": "Group", "name": "leads"}, {"kind": "User", "name": "trent"}
    developers = {"kind": "Group", "name": "developers"}
    identities = {"kind": "Group", "name": "system:serviceaccounts:jitaccess-grants"}
    selects: dict[str, Any] = {"namespaceSelector": {"matchLabels": {"tier": "prod"}}, "requiredApprovals": 2}
    for name, spec in {
        "fleet": {**selects, "approvers": [leads, trent]},
        "wide": {"clusterWide": True, "requiredApprovals": 2},
        "wide-identity": {"clusterWide": True, "delivery": "Identity"},
        # By RBAC, every identity may ask and decide under it.
        "wide-identities": {
            "clusterWide": True,
            "requesters": [developers, identities],
            "approvers": [leads, identities],
            "requiredApprovals": 2,
        },
    }.items():
        stage.sure(admin.create(CLUSTER_POLICIES, cluster_policy_manifest(name, **spec)))
    stage.sure(admin.create("clusterroles", {"metadata": {"name": BYSTANDER}, "rules": HARMLESS}))
    for who, verb, policy, where in (
        ("alice", "request", "fleet", stage.namespace),
        ("trent", "approve", "fleet", stage.namespace),
        ("alice", "request", "wide", ""),
        ("bob", "approve", "wide", ""),
        ("alice", "request", "wide-identity", ""),
        ("bob", "approve", "wide-identity", ""),
        ("alice", "request", "wide-identities", ""),
        ("bob", "approve", "wide-identities", ""),
    ):
        person = stage.person(who).at(where)
        eventually(partial(person.may, verb, CLUSTER_POLICIES, group="jitaccess.dev", name=policy), f"{who} may {verb} {policy}")


# --- what people do


def manifest(scene: Scene, who: str, policy: str = "wide", **spec: Any) -> dict[str, Any]:
    """A ClusterAccessRequest as that person would write it here."""
    stamp = {} if scene.stage.stamped else {"requester": who}
    return cluster_request_manifest(f"c{next(scene.stage._names)}", policy, **stamp | spec)


def asks(policy: str = "wide", metadata: dict[str, Any] | None = None, **spec: Any) -> How:
    """Ask cluster-wide."""

    def how(scene: Scene, me: Person) -> Answer:
        wanted = manifest(scene, me.name, policy, **spec)
        wanted["metadata"] |= metadata or {}
        return me.create(CLUSTER_REQUESTS, wanted)

    return how


def asked(scene: Scene, user: str = "alice", policy: str = "wide") -> str:
    """A cluster-wide request of that person's, which waits."""
    made = scene.stage.sure(scene.stage.person(user).create(CLUSTER_REQUESTS, manifest(scene, user, policy)))
    return str(made["metadata"]["name"])


def on(how: Callable[[Scene, Person, str], Answer], user: str = "alice") -> How:
    """Do something with a fresh cluster-wide request of that person's."""
    return lambda scene, me: how(scene, me, asked(scene, user))


def decides(verb: str, user: str = "alice") -> How:
    """Approve, deny or revoke as one does on this system."""
    return on(lambda scene, me, name: decide(scene, me, verb, name), user)


def decide(scene: Scene, me: Person, verb: str, name: str, note: str = "ok") -> Answer:
    return me.merge(CLUSTER_REQUESTS, name, scene.stage.decision(me.name, verb, name, note, CLUSTER_REQUESTS))


def writes(ledger: str, text: str) -> How:
    """Set a ledger to that text."""
    return on(
        lambda scene, me, name: me.merge(
            CLUSTER_REQUESTS, name, annotations({f"jitaccess.dev/{ledger}": text.replace("{me}", me.name)})
        )
    )


def merges(patch: dict[str, Any], subresource: str = "") -> How:
    """Change a cluster-wide request."""
    return on(lambda scene, me, name: me.merge(CLUSTER_REQUESTS, name, patch, subresource))


def in_fleet(verb: str) -> How:
    """Decide on a request under `fleet` in the theatre's namespace."""

    def how(scene: Scene, me: Person) -> Answer:
        name = scene.ask("alice", **FLEET)
        return me.merge(REQUESTS, name, scene.stage.decision(me.name, verb, name))

    return how


def offers(**spec: Any) -> How:
    """Make a cluster policy, as a rehearsal; None leaves a field out."""

    def how(scene: Scene, me: Person) -> Answer:
        wanted = cluster_policy_manifest(
            f"p{next(scene.stage._names)}", **{"namespaceSelector": {"matchLabels": {"a": "b"}}} | spec
        )
        wanted["spec"] = {field: value for field, value in wanted["spec"].items() if value is not None}
        return me.create(CLUSTER_POLICIES, wanted, dryRun="All")

    return how


def changes(policy: str, spec: dict[str, Any]) -> How:
    return lambda scene, me: me.merge(CLUSTER_POLICIES, policy, {"spec": spec}, dryRun="All")


def cannot_at_all(verb: str, resource: str, group: str = "jitaccess.dev") -> str:
    """A refusal by RBAC for what has no namespace."""
    return f'User "{{me}}" cannot {verb} resource "{resource}" in API group "{group}" at the cluster scope'


def cluster_binding(name: str, role: str, user: str, subject: str = "User") -> dict[str, Any]:
    """A ClusterRoleBinding for one subject."""
    return binding(name, role, user, subject=subject) | {"kind": "ClusterRoleBinding"}
