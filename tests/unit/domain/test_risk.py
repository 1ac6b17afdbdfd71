"""Which roles outlive the hour, recognised by their rules. What is expected was written by hand, not taken from the code."""

from functools import partial
from typing import Any

import pytest
import yaml

from jitaccess.domain.dangers import DANGERS
from jitaccess.domain.effects import Effect
from jitaccess.domain.risk import KNOWN, RiskTable
from jitaccess.domain.roles import Rule, parse_rules
from unit.effort import grows_evenly
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

CHANGES = "create update patch"
CHANGES_AND_DELETES = "create update patch delete deletecollection"
CONNECTS = "get create update patch delete"
IMPERSONATES = (
    "impersonate impersonate:user-info impersonate:serviceaccount impersonate:arbitrary-node impersonate:associated-node"
)
OTHER_VERBS = "get list watch create update patch delete deletecollection use bind escalate impersonate approve request manage"

# In words: by API group, resources, and the verbs that matter, all others being harmless.
DANGEROUS: dict[str, list[tuple[str, str, str]]] = {
    "write RBAC": [
        ("rbac.authorization.k8s.io", "roles rolebindings clusterroles clusterrolebindings", f"{CHANGES} bind escalate"),
        ("authorization.openshift.io", "roles rolebindings clusterroles clusterrolebindings", CHANGES),
    ],
    "read Secrets": [("", "secrets", "get list watch deletecollection")],
    "write Secrets": [("", "secrets", CHANGES)],
    "mint ServiceAccount tokens": [("", "serviceaccounts/token", "create")],
    "write ServiceAccounts": [("", "serviceaccounts", CHANGES)],
    "impersonate": [
        ("", "users groups serviceaccounts", "impersonate"),
        ("authentication.k8s.io", "users groups serviceaccounts nodes uids userextras userextras/scopes", IMPERSONATES),
    ],
    "approve CertificateSigningRequests": [
        ("certificates.k8s.io", "certificatesigningrequests/approval certificatesigningrequests/status", "update patch"),
        ("certificates.k8s.io", "signers", "approve sign attest"),
    ],
    "obtain Pod certificates": [
        ("certificates.k8s.io", "podcertificaterequests", CHANGES),
        ("certificates.k8s.io", "podcertificaterequests/status", "update patch"),
    ],
    "write trust bundles": [("certificates.k8s.io", "clustertrustbundles", CHANGES)],
    "create Pods": [
        ("", "pods podtemplates replicationcontrollers", CHANGES),
        ("apps", "deployments daemonsets statefulsets replicasets controllerrevisions", CHANGES),
        ("batch", "jobs cronjobs", CHANGES),
    ],
    "run commands in Pods": [("", "pods/exec pods/attach", CONNECTS), ("", "pods/ephemeralcontainers", "update patch")],
    "open connections into Pods": [("", "pods/proxy pods/portforward services/proxy", CONNECTS)],
    "place Pods on nodes": [("", "pods/binding bindings", "create")],
    "use security context constraints": [("security.openshift.io", "securitycontextconstraints", "use")],
    "write security context constraints": [("security.openshift.io", "securitycontextconstraints", CHANGES)],
    "write autoscalers": [("autoscaling", "horizontalpodautoscalers", CHANGES)],
    "redirect traffic": [
        ("", "endpoints endpoints/restricted", CHANGES),
        ("", "services/status", "update patch"),
        ("discovery.k8s.io", "endpointslices endpointslices/restricted", CHANGES),
    ],
    "write Leases": [("coordination.k8s.io", "leases leasecandidates", CHANGES)],
    "reach kubelets": [("", "nodes/proxy", CONNECTS), ("", "nodes/checkpoint", "create")],
    "write nodes": [("", "nodes nodes/status", CHANGES)],
    "write namespaces": [("", "namespaces", CHANGES)],
    "write volumes": [("", "persistentvolumes", CHANGES)],
    "write storage classes and drivers": [
        ("storage.k8s.io", "storageclasses csidrivers csinodes volumeattachments volumeattributesclasses", CHANGES)
    ],
    "write runtime classes": [("node.k8s.io", "runtimeclasses", CHANGES)],
    "write priority classes": [("scheduling.k8s.io", "priorityclasses", CHANGES)],
    "write flow control": [("flowcontrol.apiserver.k8s.io", "flowschemas prioritylevelconfigurations", CHANGES_AND_DELETES)],
    "write webhooks and admission policies": [
        (
            "admissionregistration.k8s.io",
            "mutatingwebhookconfigurations mutatingadmissionpolicies mutatingadmissionpolicybindings",
            CHANGES_AND_DELETES,
        ),
        (
            "admissionregistration.k8s.io",
            "validatingwebhookconfigurations validatingadmissionpolicies validatingadmissionpolicybindings",
            CHANGES_AND_DELETES,
        ),
    ],
    "write API services": [("apiregistration.k8s.io", "apiservices", CHANGES)],
    "write CRDs": [("apiextensions.k8s.io", "customresourcedefinitions", CHANGES_AND_DELETES)],
    "decide on access": [
        ("jitaccess.dev", "accesspolicies clusteraccesspolicies", f"{CHANGES_AND_DELETES} approve"),
        ("jitaccess.dev", "grants", "manage"),
        ("jitaccess.dev", "accessrequests/status clusteraccessrequests/status", "update patch"),
        ("jitaccess.dev", "accesspolicies/status clusteraccesspolicies/status", "update patch"),
    ],
    "ask for more access": [("jitaccess.dev", "accesspolicies clusteraccesspolicies", "request")],
    "delete the record of access": [("jitaccess.dev", "accessrequests clusteraccessrequests", "delete deletecollection")],
}
BY_RIGHT = {
    (group, resource, verb): words
    for words, rows in DANGEROUS.items()
    for group, resources, verbs in rows
    for resource in resources.split()
    for verb in verbs.split()
}


def risks(*rules: dict[str, Any]) -> set[str]:
    """What a role with these rules allows that outlives a grant."""
    found = KNOWN.risks_of(parse_rules(rules))
    assert len(found) == len(set(found)), f"each danger is said once, not as in {found}"
    return set(found)


@pytest.mark.parametrize(
    ("group", "resource"), sorted({(group, resource) for group, resource, _ in BY_RIGHT}), ids=lambda part: part or "core"
)
def test_the_verbs_that_outlive_an_hour_are_exactly_these(group: str, resource: str) -> None:
    verbs = {*OTHER_VERBS.split(), *(verb for _, _, verb in BY_RIGHT)}
    found = {verb: risks(rule(group, [resource], [verb])) for verb in verbs}
    expected = {verb: {BY_RIGHT[group, resource, verb]} if (group, resource, verb) in BY_RIGHT else set() for verb in verbs}
    assert found == expected
    assert risks(rule("example.com", [resource], sorted(verbs))) == set(), "the same words in another API group are harmless"


def test_the_table_by_hand_has_every_row_of_the_code() -> None:
    rights = {(d.group, resource, verb): d.words for d in DANGERS for resource in d.resources for verb in d.verbs}
    keys = {("authentication.k8s.io", "userextras/"): ("authentication.k8s.io", "userextras/scopes")}
    coded = {(*keys.get((group, resource), (group, resource)), verb): words for (group, resource, verb), words in rights.items()}
    assert coded == BY_RIGHT


READS = {"read Secrets", "run commands in Pods", "open connections into Pods", "reach kubelets"}
EDITS = {
    "read Secrets",
    "write Secrets",
    "mint ServiceAccount tokens",
    "write ServiceAccounts",
    "impersonate",
    "create Pods",
    "run commands in Pods",
    "open connections into Pods",
}


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        pytest.param([], set(), id="a-role-without-rules-is-harmless"),
        pytest.param(VIEW, set(), id="view-is-harmless"),
        pytest.param(DEBUG, set(), id="the-debug-role-that-we-install-is-harmless"),
        pytest.param(EDIT, EDITS, id="edit-is-not-harmless"),
        pytest.param(ADMIN, EDITS | {"write RBAC"}, id="admin-also-writes-rbac"),
        pytest.param([rule("*", ["*"], ["*"])], set(DANGEROUS), id="cluster-admin-is-everything-at-once"),
        pytest.param([rule("*", ["*"], READ)], READS, id="read-everything"),
        pytest.param([rule("*", ["secrets"], ["get"])], {"read Secrets"}, id="all-groups-include-the-core-group"),
        pytest.param([rule("", ["*"], ["list"])], {"read Secrets"}, id="all-resources-include-secrets"),
        pytest.param([rule("", ["secrets"], ["*"])], {"read Secrets", "write Secrets"}, id="all-verbs-on-secrets"),
        pytest.param([rule("", ["secrets"], ["get"], resourceNames=["db"])], {"read Secrets"}, id="one-named-secret-is-enough"),
        pytest.param(
            [rule("rbac.authorization.k8s.io", ["clusterroles"], ["bind"], resourceNames=["view"])],
            {"write RBAC"},
            id="binding-one-named-role-writes-rbac",
        ),
        pytest.param([rule("", ["*/token"], ["create"])], {"mint ServiceAccount tokens"}, id="every-token-subresource"),
        pytest.param([rule("", ["*/exec"], ["create"])], {"run commands in Pods"}, id="every-exec-subresource"),
        pytest.param([rule("", ["*/proxy"], ["get"])], {"open connections into Pods", "reach kubelets"}, id="every-proxy"),
        pytest.param(
            [rule("certificates.k8s.io", ["*/approval"], ["update"])], {"approve CertificateSigningRequests"}, id="approval"
        ),
        pytest.param([rule("authentication.k8s.io", ["*/scopes"], ["impersonate"])], {"impersonate"}, id="an-extra-of-anything"),
        pytest.param(
            [rule("", ["pods/*"], ["create"])],
            {"run commands in Pods", "open connections into Pods", "place Pods on nodes"},
            id="pods-slash-star-is-judged-as-it-is-meant",
        ),
        pytest.param([rule("", ["pods/*"], ["list"])], set(), id="listing-subresources-of-pods-is-harmless"),
        pytest.param([rule("", ["services/*"], ["get"])], {"open connections into Pods"}, id="services-slash-star"),
        pytest.param([rule("", ["configmaps/*"], ["create"])], set(), id="configmaps-slash-star-is-harmless"),
        pytest.param(
            [rule("", ["*/*"], ["get"])],
            {"run commands in Pods", "open connections into Pods", "reach kubelets"},
            id="every-subresource-of-everything",
        ),
        pytest.param([rule("", ["podsx/*", "pod*", "*pods"], ["*"])], set(), id="no-other-pattern-is-a-wildcard"),
        pytest.param([rule("", ["pods/log"], ["create"])], set(), id="the-subresource-is-not-the-resource"),
        pytest.param([rule("", ["deployments"], ["create"])], set(), id="deployments-in-the-core-group-are-none"),
        pytest.param([rule("", ["pods"], ["delete"])], set(), id="deleting-a-pod-leaves-nothing-behind"),
        pytest.param([rule("apps", ["deployments/scale"], ["patch"])], set(), id="scaling-runs-what-runs-already"),
        pytest.param(
            [rule("jitaccess.dev", ["accessrequests"], ["create", "patch"])], set(), id="asking-needs-a-verb-of-its-own"
        ),
        pytest.param([{"nonResourceURLs": ["*"], "verbs": ["*"]}], set(), id="urls-outside-the-api"),
        pytest.param(
            [rule("apps", ["deployments"], ["get"]), rule("", ["pods"], ["patch"])], {"create Pods"}, id="any-rule-is-enough"
        ),
        pytest.param(
            [rule("apps", ["deployments"], ["get"]), rule("", ["deployments"], ["patch"])],
            set(),
            id="rules-are-not-mixed-with-each-other",
        ),
        pytest.param(
            [{"apiGroups": ["example.com", "batch"], "resources": ["notes", "jobs"], "verbs": ["get", "patch"]}],
            {"create Pods"},
            id="one-of-many-entries-is-enough",
        ),
    ],
)
def test_a_role_is_judged_by_its_rules(rules: list[dict[str, Any]], expected: set[str]) -> None:
    assert risks(*rules) == expected


@pytest.mark.parametrize("field", [pytest.param(field, id=f"without-{field}") for field in ("apiGroups", "resources", "verbs")])
@pytest.mark.parametrize("empty", [pytest.param([], id="empty"), pytest.param(None, id="null")])
def test_an_incomplete_rule_allows_nothing(field: str, empty: list[str] | None) -> None:
    incomplete = rule("*", ["*"], ["*"]) | {field: empty}
    assert risks(incomplete) == set()
    assert KNOWN.hints_for(parse_rules([incomplete])) == ()


# What may outlive the hour.

UNKNOWN = "writes custom resources of {}: whether that outlives the hour is not known to jitaccess"


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        pytest.param([], [], id="nothing"),
        pytest.param(VIEW, [], id="view"),
        pytest.param(DEBUG, [], id="the-debug-role-that-we-install"),
        pytest.param(
            EDIT,
            [
                "may change how Pods are configured through configmaps",
                "may redirect or open traffic through services",
            ],
            id="edit",
        ),
        pytest.param(
            [rule("tekton.dev", ["pipelineruns", "taskruns"], WRITE)],
            ["may run Pods through tekton.dev pipelineruns, taskruns"],
            id="pipelines",
        ),
        pytest.param(
            [rule("tekton.dev", ["taskruns"], ["create"]), rule("tekton.dev", ["pipelineruns"], ["patch"])],
            ["may run Pods through tekton.dev pipelineruns, taskruns"],
            id="two-rules-are-one-hint-in-a-stable-order",
        ),
        pytest.param([rule("tekton.dev", ["pipelineruns"], READ)], [], id="reading-is-no-hint"),
        pytest.param([rule("tekton.dev", ["pipelineruns"], ["delete"])], [], id="deleting-a-run-leaves-nothing"),
        pytest.param(
            [rule("argoproj.io", ["applications", "workflows"], ["create"])],
            ["may apply any objects through argoproj.io applications", "may run Pods through argoproj.io workflows"],
            id="one-group-two-things",
        ),
        pytest.param(
            [rule("argoproj.io", ["applications", "newthings"], ["create"])],
            ["may apply any objects through argoproj.io applications", UNKNOWN.format("argoproj.io")],
            id="a-known-group-with-something-unknown",
        ),
        pytest.param([rule("kubevirt.io", ["*"], ["patch"])], ["may run Pods through everything in kubevirt.io"], id="kubevirt"),
        pytest.param(
            [rule("subresources.kubevirt.io", ["virtualmachineinstances/console"], ["get"])],
            ["may run commands in virtual machines through subresources.kubevirt.io virtualmachineinstances/console"],
            id="the-console-of-a-virtual-machine",
        ),
        pytest.param(
            [rule("s3.aws.upbound.io", ["buckets"], ["update"])],
            ["may create cloud resources through s3.aws.upbound.io buckets"],
            id="groups-that-end-in-a-known-name",
        ),
        pytest.param(
            [rule("upbound.io.example.com", ["buckets"], ["update"])],
            [UNKNOWN.format("upbound.io.example.com")],
            id="groups-that-only-look-like-it",
        ),
        pytest.param(
            [rule("external-secrets.io", ["externalsecrets"], ["create"])],
            ["may read or write Secrets through external-secrets.io externalsecrets"],
            id="external-secrets",
        ),
        pytest.param(
            [rule("helm.toolkit.fluxcd.io", ["helmreleases"], ["create"])],
            ["may apply any objects through helm.toolkit.fluxcd.io helmreleases"],
            id="flux",
        ),
        pytest.param(
            [rule("cert-manager.io", ["certificates"], ["create"])],
            ["may obtain certificates through cert-manager.io certificates"],
            id="cert-manager",
        ),
        pytest.param(
            [rule("serving.knative.dev", ["services"], ["patch"])],
            ["may run Pods through serving.knative.dev services"],
            id="knative",
        ),
        pytest.param(
            [rule("kyverno.io", ["policies"], ["delete"])],
            ["may lift or write admission policies through kyverno.io policies"],
            id="deleting-a-policy-lifts-it",
        ),
        pytest.param(
            [rule("constraints.gatekeeper.sh", ["*"], ["patch"])],
            ["may lift or write admission policies through everything in constraints.gatekeeper.sh"],
            id="gatekeeper",
        ),
        pytest.param(
            [rule("networking.istio.io", ["virtualservices"], ["delete"])],
            ["may redirect or open traffic through networking.istio.io virtualservices"],
            id="istio",
        ),
        pytest.param(
            [rule("networking.k8s.io", ["networkpolicies"], ["delete"])],
            ["may redirect or open traffic through networking.k8s.io networkpolicies"],
            id="deleting-a-network-policy-opens-traffic",
        ),
        pytest.param([rule("example.com", ["notes"], READ)], [], id="reading-what-nobody-knows"),
        pytest.param([rule("example.com", ["notes"], ["delete"])], [], id="deleting-what-nobody-knows"),
        pytest.param([rule("example.com", ["notes"], ["patch"])], [UNKNOWN.format("example.com")], id="writing-it"),
        pytest.param([rule("example.com", ["*"], ["*"])], [UNKNOWN.format("example.com")], id="all-of-an-unknown-group"),
        pytest.param(
            [rule("example.com", ["notes"], ["patch"], resourceNames=["one"])], [UNKNOWN.format("example.com")], id="one-named"
        ),
        pytest.param([rule("example.com", ["notes/status"], ["patch"])], [UNKNOWN.format("example.com")], id="a-subresource"),
        pytest.param([rule("*", ["*"], ["*"])], [UNKNOWN.format("every API group")], id="all-groups-say-it-all"),
        pytest.param(
            [rule("*", ["pipelineruns"], ["create"])],
            ["may run Pods through tekton.dev pipelineruns", UNKNOWN.format("every API group")],
            id="one-resource-of-all-groups",
        ),
        pytest.param([rule("*", ["*"], READ)], [], id="reading-all-groups"),
        pytest.param([{"nonResourceURLs": ["*"], "verbs": ["*"]}], [], id="urls"),
        pytest.param(
            [rule("keda.sh", [f"r{number}" for number in range(10)], ["create"])],
            ["may run Pods through keda.sh r0, r1, r2, r3, r4, r5, r6, r7 and 2 more"],
            id="many-resources",
        ),
    ],
)
def test_what_may_outlive_the_hour_is_hinted_at(rules: list[dict[str, Any]], expected: list[str]) -> None:
    assert list(KNOWN.hints_for(parse_rules(rules))) == expected
    assert list(KNOWN.hints_for(parse_rules(list(reversed(rules))))) == expected, "in whatever order the rules stand"


TAUGHT = RiskTable(
    dangers=(Effect("pay invoices", "billing.example.com", ("invoices",), ("create",)),),
    hints=(Effect("may call people", "*.example.com", ("calls",)),),
    harmless=(Effect("", "example.com", ("notes",)), Effect("", "notes.example.org")),
)


@pytest.mark.parametrize(
    ("allowed", "risks", "hints"),
    [
        pytest.param(rule("billing.example.com", ["invoices"], ["create"]), ("pay invoices",), (), id="a-danger-is-no-hint-too"),
        pytest.param(
            rule("billing.example.com", ["invoices"], ["patch"]),
            (),
            (UNKNOWN.format("billing.example.com"),),
            id="another-verb-is-not-known",
        ),
        pytest.param(
            rule("a.example.com", ["calls"], ["create"]), (), ("may call people through a.example.com calls",), id="a-hint"
        ),
        pytest.param(rule("example.com", ["notes"], ["create"]), (), (), id="what-is-known-to-be-harmless"),
        pytest.param(
            rule("example.com", ["*"], ["create"]),
            (),
            (UNKNOWN.format("example.com"),),
            id="a-harmless-part-does-not-make-it-all-so",
        ),
        pytest.param(rule("notes.example.org", ["*"], ["create"]), (), (), id="a-group-that-is-harmless-as-a-whole"),
        pytest.param(
            rule("example.com", ["notes", "books"], ["create"]), (), (UNKNOWN.format("example.com"),), id="a-book-is-not-known"
        ),
    ],
)
def test_the_table_can_be_taught(allowed: dict[str, Any], risks: tuple[str, ...], hints: tuple[str, ...]) -> None:
    rules = parse_rules([allowed])
    assert (TAUGHT.risks_of(rules), TAUGHT.hints_for(rules)) == (risks, hints)


def test_any_resource_and_any_verb_can_be_meant() -> None:
    table = RiskTable(dangers=(Effect("touch it", "example.com", ("*",), ("*",)),))
    assert table.risks_of([Rule(("get",), ("example.com",), ("notes",))]) == ("touch it",)
    assert table.risks_of([Rule(("get",), ("example.org",), ("notes",))]) == ()
    assert table.risks_of([Rule((), ("example.com",), ("notes",))]) == (), "a rule without verbs gives nothing"


def test_a_role_that_is_as_long_as_it_can_be_is_judged_in_a_moment() -> None:
    many = tuple(f"x{number}.istio.io" for number in range(30_000))  # an object of 1.5 MB has no room for more
    short = [Rule(("create",), (f"g{number}",), ("a", "b")) for number in range(5000)]
    rules = [Rule(("create",), many, many), *short]

    def judge(rules: list[Rule]) -> tuple[str, ...]:
        KNOWN.risks_of(rules)
        return KNOWN.hints_for(rules)

    def tenth(part: int) -> list[Rule]:
        names = many[part * 3000 : (part + 1) * 3000]
        return [Rule(("create",), names, names), *short[part * 500 : (part + 1) * 500]]

    parts = [partial(judge, tenth(part)) for part in range(10)]
    assert grows_evenly(partial(judge, rules), parts), "nobody may stop the operator by writing a Role"
    hints = judge(rules)
    assert hints[0].startswith("may redirect or open traffic through x0.istio.io x0.istio.io, x1.istio.io, x10.istio.io")
