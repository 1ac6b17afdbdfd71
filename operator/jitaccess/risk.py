"""What in a role outlives the hour: recognised by its rules, never by its name (DESIGN section 4.7)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from jitaccess.model import Manifest

_WRITE = ("create", "update", "patch")
# Constrained impersonation, Kubernetes 1.36+, has verbs of its own.
_WHO = ("uids", "userextras", "users", "groups", "serviceaccounts", "nodes")
_IMPERSONATE = (
    "impersonate",
    "impersonate:user-info",
    "impersonate:serviceaccount",
    "impersonate:arbitrary-node",
    "impersonate:associated-node",
)
_WORKLOADS = (
    ("", ("pods", "podtemplates", "replicationcontrollers")),
    ("apps", ("deployments", "daemonsets", "statefulsets", "replicasets")),
    ("batch", ("jobs", "cronjobs")),
)


@dataclass(frozen=True, slots=True)
class Danger:
    """Verbs on resources of one API group whose effect stays when the binding is gone, and what they allow, in words."""

    words: str
    group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...]


DANGERS = (
    Danger(
        "write RBAC",
        "rbac.authorization.k8s.io",
        ("roles", "rolebindings", "clusterroles", "clusterrolebindings"),
        (*_WRITE, "bind", "escalate"),
    ),
    Danger("read Secrets", "", ("secrets",), ("get", "list", "watch", "deletecollection")),  # which answers with what it deletes
    Danger("write Secrets", "", ("secrets",), _WRITE),
    Danger("mint ServiceAccount tokens", "", ("serviceaccounts/token",), ("create",)),
    Danger("impersonate", "", ("users", "groups", "serviceaccounts"), ("impersonate",)),
    Danger("impersonate", "authentication.k8s.io", _WHO, _IMPERSONATE),
    *(Danger("create Pods", group, resources, _WRITE) for group, resources in _WORKLOADS),
    Danger("run commands in Pods", "", ("pods/exec", "pods/attach", "pods/proxy"), ("create", "get")),
    Danger("run commands in Pods", "", ("pods/ephemeralcontainers",), ("update", "patch")),
    Danger("reach kubelets", "", ("nodes/proxy",), ("get", "create")),
    Danger("write nodes", "", ("nodes",), _WRITE),
    Danger("write volumes", "", ("persistentvolumes",), _WRITE),
    Danger(
        "write webhooks and admission policies",
        "admissionregistration.k8s.io",
        (
            "mutatingwebhookconfigurations",
            "validatingwebhookconfigurations",
            "mutatingadmissionpolicies",
            "mutatingadmissionpolicybindings",
            "validatingadmissionpolicies",
            "validatingadmissionpolicybindings",
        ),
        (*_WRITE, "delete", "deletecollection"),
    ),
    Danger("write API services", "apiregistration.k8s.io", ("apiservices",), _WRITE),
    Danger("write CRDs", "apiextensions.k8s.io", ("customresourcedefinitions",), _WRITE),
    Danger(
        "approve CertificateSigningRequests",
        "certificates.k8s.io",
        ("certificatesigningrequests/approval", "certificatesigningrequests/status"),
        ("update", "patch"),
    ),
    Danger("approve CertificateSigningRequests", "certificates.k8s.io", ("signers",), ("approve", "sign", "attest")),
    Danger("decide on access", "jitaccess.dev", ("accesspolicies",), (*_WRITE, "approve")),
    Danger("decide on access", "jitaccess.dev", ("grants",), ("manage",)),
    Danger("decide on access", "jitaccess.dev", ("accessrequests/status", "accesspolicies/status"), ("update", "patch")),
)


def role_risks(rules: Sequence[Manifest]) -> tuple[str, ...]:
    """What these RBAC rules allow that outlives a grant, in words, each once; empty for a harmless role.

    Names in `resourceNames` do not make a rule harmless: one Secret is enough. Matching follows the RBAC authorizer (`*` for
    groups, verbs and resources, `*/sub` for a subresource of everything).
    """
    return tuple(dict.fromkeys(danger.words for danger in DANGERS if any(_allows(rule, danger) for rule in rules)))


def _allows(rule: Manifest, danger: Danger) -> bool:
    return (
        _matches(rule.get("apiGroups"), [danger.group])
        and _matches(rule.get("verbs"), danger.verbs)
        and any(_matches(rule.get("resources"), _spellings(resource)) for resource in danger.resources)
    )


def _matches(listed: Iterable[str] | None, wanted: Iterable[str]) -> bool:
    have = set(listed or ())
    return "*" in have or not have.isdisjoint(wanted)


def _spellings(resource: str) -> list[str]:
    _, slash, subresource = resource.partition("/")
    return [resource, f"*/{subresource}"] if slash else [resource]
