"""What in a role outlives the hour: recognised by its rules, never by its name (DESIGN section 4.7)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from jitaccess.domain.model import Manifest
from jitaccess.domain.text import legible

MOST_LINES, LONGEST_LINE = 24, 400
_WRITE = ("create", "update", "patch")
# Constrained impersonation, Kubernetes 1.36+, has verbs of its own.
_WHO = ("uids", "userextras", "userextras/", "users", "groups", "serviceaccounts", "nodes")
_IMPERSONATE = (
    "impersonate",
    "impersonate:user-info",
    "impersonate:serviceaccount",
    "impersonate:arbitrary-node",
    "impersonate:associated-node",
)
_WORKLOADS = (
    ("", ("pods", "podtemplates", "replicationcontrollers")),
    ("apps", ("deployments", "daemonsets", "statefulsets", "replicasets", "controllerrevisions")),
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
    Danger(
        "run commands in Pods", "", ("pods/exec", "pods/attach", "pods/proxy"), ("create", "get", "update", "patch", "delete")
    ),
    Danger("run commands in Pods", "", ("pods/ephemeralcontainers",), ("update", "patch")),
    Danger("reach kubelets", "", ("nodes/proxy",), ("get", "create")),
    Danger("write nodes", "", ("nodes",), _WRITE),
    Danger("write namespaces", "", ("namespaces",), _WRITE),  # whose labels say what Pods may do
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


def rules_in_words(rules: Sequence[Manifest]) -> tuple[str, ...]:
    """What RBAC rules allow, a line a rule: `get, list, watch: deployments, replicasets (apps)`; at most MOST_LINES lines."""
    lines = [_rule_in_words(rule) for rule in rules if rule.get("resources")]
    rest = len(lines) - MOST_LINES
    return tuple(lines) if rest <= 0 else (*lines[: MOST_LINES - 1], f"and {rest + 1} more rules")


def _rule_in_words(rule: Manifest) -> str:
    groups = [group for group in rule.get("apiGroups") or [] if group]
    names = f" named {', '.join(rule['resourceNames'])}" if rule.get("resourceNames") else ""
    where = f" ({', '.join(groups)})" if groups else ""
    line = legible(f"{', '.join(rule.get('verbs') or [])}: {', '.join(rule['resources'])}{where}{names}")
    return line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE - 4]} ..."


def _allows(rule: Manifest, danger: Danger) -> bool:
    return (
        _matches(rule.get("apiGroups"), [danger.group])
        and _matches(rule.get("verbs"), danger.verbs)
        and any(_names(rule.get("resources") or (), resource) for resource in danger.resources)
    )


def _matches(listed: Iterable[str] | None, wanted: Iterable[str]) -> bool:
    have = set(listed or ())
    return "*" in have or not have.isdisjoint(wanted)


def _names(listed: Iterable[str], resource: str) -> bool:
    if resource.endswith("/"):  # whatever the subresource: RBAC spells the keys of user extras like that
        return any(name.startswith(resource) for name in listed)
    _, slash, subresource = resource.partition("/")
    return _matches(listed, [resource, f"*/{subresource}"] if slash else [resource])
