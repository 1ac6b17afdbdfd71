"""Which roles outlive the hour, told from their rules."""

from typing import Any

import pytest
import yaml

from jitaccess.domain.dangers import DANGERS
from jitaccess.domain.effects import Effect
from jitaccess.domain.risk import KNOWN
from jitaccess.domain.roles import parse_rules
from unit.manifest_files import REPOSITORY

READ = ["get", "list", "watch"]
WRITE = ["create", "delete", "deletecollection", "patch", "update"]


def rule(group: str, resources: list[str], verbs: list[str], **more: Any) -> dict[str, Any]:
    return {"apiGroups": [group], "resources": resources, "verbs": verbs, **more}


# As kube-apiserver v1.36 fills them in by aggregation, shortened.
VIEW = [
    rule("", ["configmaps", "endpoints", "persistentvolumeclaims", "pods", "replicationcontrollers", "serviceaccounts"], READ),
    rule("", ["services", "bindings", "events", "limitranges", "namespaces/status", "pods/log", "pods/status"], READ),
    rule("", ["namespaces", "replicationcontrollers/scale", "resourcequotas"], READ),
    rule("apps", ["controllerrevisions", "daemonsets", "deployments", "deployments/scale", "replicasets", "statefulsets"], READ),
    rule("autoscaling", ["horizontalpodautoscalers"], READ),
    rule("batch", ["cronjobs", "jobs", "jobs/status"], READ),
    rule("networking.k8s.io", ["ingresses", "networkpolicies"], READ),
    rule("policy", ["poddisruptionbudgets"], READ),
]
EDIT = [
    rule("", ["pods/attach", "pods/exec", "pods/portforward", "pods/proxy", "secrets", "services/proxy"], READ),
    rule("", ["serviceaccounts"], ["impersonate"]),
    rule("", ["pods", "pods/attach", "pods/exec", "pods/portforward", "pods/proxy"], WRITE),
    rule("", ["pods/eviction"], ["create"]),
    rule("", ["configmaps", "secrets", "serviceaccounts", "services"], WRITE),
    rule("", ["serviceaccounts/token"], ["create"]),
    rule("apps", ["daemonsets", "deployments", "replicasets", "statefulsets"], WRITE),
    rule("batch", ["cronjobs", "jobs"], WRITE),
    *VIEW,
]
ADMIN = [
    *EDIT,
    rule("authorization.k8s.io", ["localsubjectaccessreviews"], ["create"]),
    rule("rbac.authorization.k8s.io", ["rolebindings", "roles"], [*READ, *WRITE]),
]
DEBUG = yaml.safe_load((REPOSITORY / "deploy" / "base" / "debug-role.yaml").read_text())["rules"]
ALL = {danger.words for danger in DANGERS}
EDITS = {
    "read Secrets",
    "write Secrets",
    "mint ServiceAccount tokens",
    "impersonate",
    "create Pods",
    "run commands in Pods",
}


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        pytest.param([], set(), id="a-role-without-rules-is-harmless"),
        pytest.param(VIEW, set(), id="view-is-harmless"),
        pytest.param(DEBUG, set(), id="the-debug-role-that-we-install-is-harmless"),
        pytest.param(EDIT, EDITS, id="edit-is-not-harmless"),
        pytest.param(ADMIN, EDITS | {"write RBAC"}, id="admin-also-writes-rbac"),
        pytest.param([rule("*", ["*"], ["*"])], ALL, id="cluster-admin-is-everything-at-once"),
        pytest.param([rule("*", ["*"], READ)], {"read Secrets", "run commands in Pods", "reach kubelets"}, id="read-everything"),
        pytest.param([rule("*", ["secrets"], ["get"])], {"read Secrets"}, id="all-groups-include-the-core-group"),
        pytest.param([rule("", ["*"], ["list"])], {"read Secrets"}, id="all-resources-include-secrets"),
        pytest.param([rule("", ["secrets"], ["*"])], {"read Secrets", "write Secrets"}, id="all-verbs-on-secrets"),
        pytest.param([rule("", ["secrets"], ["watch"])], {"read Secrets"}, id="watching-secrets-reads-them"),
        pytest.param([rule("", ["secrets"], ["get"], resourceNames=["db"])], {"read Secrets"}, id="one-named-secret-is-enough"),
        pytest.param(
            [rule("rbac.authorization.k8s.io", ["clusterroles"], ["bind"], resourceNames=["view"])],
            {"write RBAC"},
            id="binding-one-named-role-writes-rbac",
        ),
        pytest.param([rule("", ["*/token"], ["create"])], {"mint ServiceAccount tokens"}, id="every-token-subresource"),
        pytest.param([rule("", ["*/exec"], ["create"])], {"run commands in Pods"}, id="every-exec-subresource"),
        pytest.param([rule("", ["*/proxy"], ["get"])], {"run commands in Pods", "reach kubelets"}, id="every-proxy-subresource"),
        pytest.param(
            [rule("certificates.k8s.io", ["*/approval"], ["update"])], {"approve CertificateSigningRequests"}, id="approval"
        ),
        pytest.param([rule("", ["pods/*"], ["create"])], {"run commands in Pods"}, id="every-subresource-of-pods-as-it-is-meant"),
        pytest.param([rule("", ["serviceaccounts"], ["create"])], set(), id="the-resource-is-not-its-subresource"),
        pytest.param([rule("", ["pods/log"], ["create"])], set(), id="the-subresource-is-not-the-resource"),
        pytest.param([rule("example.com", ["secrets"], ["get"])], set(), id="secrets-of-another-group-are-not-secrets"),
        pytest.param([rule("", ["deployments"], ["create"])], set(), id="deployments-in-the-core-group-are-none"),
        pytest.param([rule("", ["pods"], ["delete"])], set(), id="deleting-a-pod-leaves-nothing-behind"),
        pytest.param([rule("apps", ["deployments/scale"], ["patch"])], set(), id="scaling-runs-what-runs-already"),
        pytest.param([{"nonResourceURLs": ["*"], "verbs": ["*"]}], set(), id="urls-outside-the-api"),
        pytest.param(
            [rule("apps", ["deployments"], ["get"]), rule("", ["pods"], ["patch"])], {"create Pods"}, id="any-rule-is-enough"
        ),
        pytest.param(
            [rule("apps", ["deployments"], ["get"]), rule("", ["deployments"], ["patch"])],
            set(),
            id="rules-are-not-mixed-with-each-other",
        ),
    ],
)
def test_a_role_is_judged_by_its_rules(rules: list[dict[str, Any]], expected: set[str]) -> None:
    found = KNOWN.risks_of(parse_rules(rules))
    assert set(found) == expected
    assert len(found) == len(set(found)), "each danger is told once"


ENTRIES = [
    pytest.param(danger, resource, verb, id=f"{verb}-{resource}-in-{danger.group or 'core'}")
    for danger in DANGERS
    for resource in danger.resources
    for verb in danger.verbs
]


@pytest.mark.parametrize(("danger", "resource", "verb"), ENTRIES)
def test_every_entry_of_the_table_is_recognised_alone(danger: Effect, resource: str, verb: str) -> None:
    alone = rule(danger.group, [resource], [verb])
    assert danger.words in KNOWN.risks_of(parse_rules([alone])), f"{alone} is expected to {danger.words}"
    elsewhere = rule("example.com", [resource], [verb])
    assert KNOWN.risks_of(parse_rules([elsewhere])) == (), "the same words in another API group are harmless"


@pytest.mark.parametrize("field", [pytest.param(field, id=f"without-{field}") for field in ("apiGroups", "resources", "verbs")])
@pytest.mark.parametrize("empty", [pytest.param([], id="empty"), pytest.param(None, id="null")])
def test_an_incomplete_rule_allows_nothing(field: str, empty: list[str] | None) -> None:
    assert KNOWN.risks_of(parse_rules([rule("*", ["*"], ["*"]) | {field: empty}])) == ()


def test_impersonating_with_extra_fields_is_recognised() -> None:
    assert KNOWN.risks_of(parse_rules([rule("authentication.k8s.io", ["userextras/scopes"], ["impersonate"])])) == (
        "impersonate",
    )


@pytest.mark.parametrize("verb", ["impersonate:user-info", "impersonate:serviceaccount"])
def test_constrained_impersonation_is_recognised(verb: str) -> None:
    assert KNOWN.risks_of(parse_rules([rule("authentication.k8s.io", ["users", "serviceaccounts"], [verb])])) == ("impersonate",)
