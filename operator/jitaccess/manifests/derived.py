"""The Roles and RoleBindings that a policy's lists become, as manifests: pure."""

from collections.abc import Sequence

from jitaccess.domain.model import API_VERSION, GROUP, AccessPolicy, Key, Manifest, Subject
from jitaccess.domain.recorded import ObjectRef
from jitaccess.manifests.directory import DIRECTORY, entry_of, policy_of_entry
from jitaccess.manifests.grant import COMPONENT, MANAGED, MANAGED_SELECTOR, Object, has_labels, owner_reference
from jitaccess.manifests.kinds import PolicyKind
from jitaccess.manifests.resources import RBAC, ROLE_BINDINGS, ROLES

DERIVED = {COMPONENT: "policy"}
DERIVED_SELECTOR = f"{MANAGED_SELECTOR},{COMPONENT}=policy"
_PREFIX = "jitaccess"


def derived_names(policy: Key) -> tuple[str, str]:
    """The names of the Roles, and of their bindings, that are derived from a policy: requesters', approvers'."""
    return f"{_PREFIX}:{policy.name}:requester", f"{_PREFIX}:{policy.name}:approver"


def policy_of(derived: Key) -> Key | None:
    """The policy that a derived Role or RoleBinding of that key belongs to; None for a name that we never give."""
    prefix, _, rest = derived.name.partition(":")
    policy = Key(derived.namespace, rest.partition(":")[0])  # a policy's name has no colon
    if prefix != _PREFIX or derived.name not in derived_names(policy):
        return None
    return policy_of_entry(policy.name) if derived.namespace == DIRECTORY else policy


def is_derived(found: Manifest) -> bool:
    """Whether a Role or RoleBinding carries our label of derived ones; nobody but the operator can put it there."""
    return has_labels(found, MANAGED | DERIVED)


def derived_manifests(policy: AccessPolicy, kind: PolicyKind) -> tuple[tuple[Object, Object], ...]:
    """The Role and RoleBinding for the requesters of a policy, and those for its approvers."""
    requester, approver = derived_names(policy.key)
    asking = _derived_role(policy, requester, "request", ["create", "get", "list", "watch", "patch"], kind)
    deciding = _derived_role(policy, approver, "approve", ["get", "list", "watch", "patch"], kind)
    return (
        (asking, _derived_binding(policy, requester, policy.requesters, kind)),
        (deciding, _derived_binding(policy, approver, policy.approvers, kind)),
    )


def directory_manifests(policy: AccessPolicy, kind: PolicyKind) -> tuple[tuple[Object, Object], ...]:
    """A policy's entries in the directory: a Role and its RoleBinding each for requesters and for approvers, if it has any."""
    entry = entry_of(policy.key)
    parts = zip(derived_names(entry), ("request", "approve"), (policy.requesters, policy.approvers), strict=True)
    return tuple(_directory_pair(entry, name, verb, subjects, kind) for name, verb, subjects in parts if subjects)


def _directory_pair(entry: Key, name: str, verb: str, subjects: Sequence[Subject], kind: PolicyKind) -> tuple[Object, Object]:
    # No owner: that would be in another namespace, and the garbage collector takes such orphans away.
    head = {
        "apiVersion": ROLES.api_version,
        "metadata": {"name": name, "namespace": entry.namespace, "labels": {**MANAGED, **DERIVED}},
    }
    rule = {"apiGroups": [GROUP], "resources": [kind.resource.plural], "resourceNames": [entry.name], "verbs": [verb]}
    return (
        head | {"kind": ROLES.kind, "rules": [rule]},
        head | {"kind": ROLE_BINDINGS.kind, **_bound(name, subjects)},
    )


def _derived_role(policy: AccessPolicy, name: str, right: str, verbs: Sequence[str], kind: PolicyKind) -> Object:
    rules = [
        {"apiGroups": [GROUP], "resources": [kind.resource.plural], "resourceNames": [policy.key.name], "verbs": [right]},
        {"apiGroups": [GROUP], "resources": [kind.resource.plural], "verbs": ["get", "list", "watch"]},
        {"apiGroups": [GROUP], "resources": [kind.requests.plural], "verbs": list(verbs)},
    ]
    return {
        "apiVersion": ROLES.api_version,
        "kind": ROLES.kind,
        "metadata": _derived_metadata(policy, name, kind),
        "rules": rules,
    }


def _derived_binding(policy: AccessPolicy, name: str, subjects: Sequence[Subject], kind: PolicyKind) -> Object:
    return {
        "apiVersion": ROLE_BINDINGS.api_version,
        "kind": ROLE_BINDINGS.kind,
        "metadata": _derived_metadata(policy, name, kind),
        **_bound(name, subjects),
    }


def _bound(role: str, subjects: Sequence[Subject]) -> Object:
    return {
        "roleRef": {"apiGroup": RBAC, "kind": ROLES.kind, "name": role},
        "subjects": [_rbac_subject(subject) for subject in subjects],
    }


def _rbac_subject(subject: Subject) -> dict[str, str]:
    if subject.kind == "ServiceAccount":
        return {"kind": subject.kind, "name": subject.name, "namespace": subject.namespace}
    return {"kind": subject.kind, "apiGroup": RBAC, "name": subject.name}


def _derived_metadata(policy: AccessPolicy, name: str, kind: PolicyKind) -> Object:
    return {
        "name": name,
        "namespace": policy.key.namespace,
        "labels": {**MANAGED, **DERIVED},
        "ownerReferences": [owner_reference(API_VERSION, kind.resource.kind, ObjectRef(policy.key.name, policy.uid))],
    }
