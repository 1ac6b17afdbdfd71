"""The roles and bindings that a policy's lists become, as manifests: pure."""

import hashlib
import re
from collections.abc import Sequence

from jitaccess.domain.counting import stages_of
from jitaccess.domain.model import API_VERSION, GROUP, AccessPolicy, Key, Manifest, Stage, Subject
from jitaccess.domain.recorded import ObjectRef
from jitaccess.manifests.directory import DIRECTORY, entry_of, policy_of_entry
from jitaccess.manifests.grant import COMPONENT, MANAGED, MANAGED_SELECTOR, Object, has_labels, owner_reference
from jitaccess.manifests.kinds import POLICY_KINDS, PolicyKind, reach_of
from jitaccess.manifests.resources import RBAC, ROLE_BINDINGS, ROLES, Resource

POLICY = f"{GROUP}/policy"
_LONGEST_LABEL = 63
_STAGE = re.compile(r"stage-[a-z0-9]([-a-z0-9]*[a-z0-9])?")


def derived_selector(kind: PolicyKind, policy: str = "") -> str:
    """The label selector of all that is derived from policies of a kind, or from the one of that name."""
    of_kind = f"{MANAGED_SELECTOR},{COMPONENT}={kind.label}"
    return f"{of_kind},{POLICY}={_label_value(policy)}" if policy else of_kind


def derived_names(policy: Key, kind: PolicyKind) -> tuple[str, str, str]:
    """The names of the roles, and of their bindings, that are derived from a policy: requesters', approvers', reviewers'."""
    base = f"{kind.names}:{policy.name}"
    return f"{base}:requester", f"{base}:approver", f"{base}:reviewer"


def derived_name(policy: Key, kind: PolicyKind, stage: str) -> str:
    """The name of the role, and of its bindings, for the approvers of a stage; admission/managed-objects.yaml knows it too."""
    return f"{kind.names}:{policy.name}:stage-{stage}"


def policy_of(derived: Key, kind: PolicyKind) -> Key | None:
    """The policy of that kind that a derived role or binding belongs to; None for a name that we never give."""
    name, _, part = derived.name.removeprefix(f"{kind.names}:").partition(":")  # a policy's name has no colon
    policy = Key(derived.namespace if kind.namespaced else "", name)
    of_stage = _STAGE.fullmatch(part) and derived.name == f"{kind.names}:{name}:{part}"
    if not of_stage and derived.name not in derived_names(policy, kind):
        return None
    return policy_of_entry(policy.name) if derived.namespace == DIRECTORY and kind.namespaced else policy


def is_derived(found: Manifest) -> bool:
    """Whether a role or binding carries our label of derived ones; nobody but the operator can put it there."""
    return any(has_labels(found, {**MANAGED, COMPONENT: kind.label}) for kind in POLICY_KINDS)


def derived_roles(policy: AccessPolicy, kind: PolicyKind) -> tuple[Object, ...]:
    """The roles for the requesters of a policy, its approvers, those of each stage, and its reviewers.

    Without requesters, as a policy is that is not in force, for its reviewers alone.
    """
    requester, approver, reviewer = derived_names(policy.key, kind)
    verbs = ["get", "list", "watch", "patch"]
    asking = _role(policy, requester, ("request", policy.key.name), ["create", *verbs], kind)
    deciding = _role(policy, approver, ("approve", policy.key.name), verbs, kind)
    reviewing = [_role(policy, reviewer, ("review", policy.key.name), verbs, kind)] if policy.emergency else []
    if not policy.requesters:
        return tuple(reviewing)
    return asking, deciding, *(_stage_role(policy, stage, verbs, kind) for stage in policy.stages), *reviewing


def _stage_role(policy: AccessPolicy, stage: Stage, verbs: Sequence[str], kind: PolicyKind) -> Object:
    name, right = derived_name(policy.key, kind, stage.name), ("approve", policy.ref.in_stage(stage.name).key.name)
    return _role(policy, name, right, verbs, kind)


def directory_manifests(policy: AccessPolicy, kind: PolicyKind) -> tuple[tuple[Object, Object], ...]:
    """A policy's entries in the directory: a Role and its RoleBinding for each of requesters, approvers, reviewers."""
    entry = entry_of(policy.key)
    deciders = tuple(dict.fromkeys(subject for stage in stages_of(policy) for subject in stage.approvers))
    people = (policy.requesters, deciders, policy.emergency.reviewers if policy.emergency else ())
    parts = zip(derived_names(entry, kind), ("request", "approve", "review"), people, strict=True)
    return tuple(_directory_pair(entry, name, verb, subjects, kind) for name, verb, subjects in parts if subjects)


def _directory_pair(entry: Key, name: str, verb: str, subjects: Sequence[Subject], kind: PolicyKind) -> tuple[Object, Object]:
    # No owner: that would be in another namespace, and the garbage collector takes such orphans away.
    head = {
        "apiVersion": ROLES.api_version,
        "metadata": {"name": name, "namespace": entry.namespace, "labels": {**MANAGED, COMPONENT: kind.label}},
    }
    rule = {"apiGroups": [GROUP], "resources": [kind.resource.plural], "resourceNames": [entry.name], "verbs": [verb]}
    return (
        head | {"kind": ROLES.kind, "rules": [rule]},
        head | {"kind": ROLE_BINDINGS.kind, **_bound(ROLES, name, subjects)},
    )


def derived_bindings(policy: AccessPolicy, kind: PolicyKind, namespace: str) -> tuple[Object, ...]:
    """The bindings of these roles in a namespace (empty: cluster-wide), in the same order."""
    requester, approver, reviewer = derived_names(policy.key, kind)
    lists = [(requester, policy.requesters), (approver, policy.approvers)] if policy.requesters else []
    lists += [(derived_name(policy.key, kind, stage.name), stage.approvers) for stage in policy.stages]
    lists += [(reviewer, policy.emergency.reviewers)] if policy.emergency else []
    return tuple(_binding(policy, name, subjects, kind, namespace) for name, subjects in lists)


def _role(policy: AccessPolicy, name: str, right: tuple[str, str], verbs: Sequence[str], kind: PolicyKind) -> Object:
    verb, on = right
    reach, plural = reach_of(policy), kind.resource.plural
    rules = [
        {"apiGroups": [GROUP], "resources": [plural], "resourceNames": [on], "verbs": [verb]},
        {"apiGroups": [GROUP], "resources": [plural], "verbs": ["get", "list", "watch"]},
        {"apiGroups": [GROUP], "resources": [reach.requests.resource.plural], "verbs": list(verbs)},
    ]
    return {
        "apiVersion": reach.role.api_version,
        "kind": reach.role.kind,
        "metadata": _metadata(policy, name, kind, policy.key.namespace),
        "rules": rules,
    }


def _binding(policy: AccessPolicy, name: str, subjects: Sequence[Subject], kind: PolicyKind, namespace: str) -> Object:
    reach = reach_of(policy)
    return {
        "apiVersion": reach.binding.api_version,
        "kind": reach.binding.kind,
        "metadata": _metadata(policy, name, kind, namespace),
        **_bound(reach.role, name, subjects),
    }


def _bound(role: Resource, name: str, subjects: Sequence[Subject]) -> Object:
    return {
        "roleRef": {"apiGroup": RBAC, "kind": role.kind, "name": name},
        "subjects": [_rbac_subject(subject) for subject in subjects],
    }


def _rbac_subject(subject: Subject) -> dict[str, str]:
    if subject.kind == "ServiceAccount":
        return {"kind": subject.kind, "name": subject.name, "namespace": subject.namespace}
    return {"kind": subject.kind, "apiGroup": RBAC, "name": subject.name}


def _metadata(policy: AccessPolicy, name: str, kind: PolicyKind, namespace: str) -> Object:
    # A cluster-wide owner may own what is in namespaces: whatever becomes of us, all this goes with the policy.
    return {
        "name": name,
        **({"namespace": namespace} if namespace else {}),
        "labels": {**MANAGED, COMPONENT: kind.label, POLICY: _label_value(policy.key.name)},
        "ownerReferences": [owner_reference(API_VERSION, kind.resource.kind, ObjectRef(policy.key.name, policy.uid))],
    }


def _label_value(policy: str) -> str:
    """A policy's name as a label value, of at most 63 characters; a longer name ends in a digest of itself."""
    if len(policy) <= _LONGEST_LABEL:
        return policy
    digest = hashlib.sha256(policy.encode()).hexdigest()[:8]
    return f"{policy[: _LONGEST_LABEL - len(digest) - 1].rstrip('-.')}-{digest}"
