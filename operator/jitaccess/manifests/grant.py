"""The objects that the operator makes, as manifests, and whether an object that is there is exactly ours: pure."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from jitaccess.domain.lifecycle import Grant
from jitaccess.domain.model import API_VERSION, GROUP, AccessPolicy, Key, Manifest, ObjectRef, Subject
from jitaccess.domain.text import format_time, parse_time
from jitaccess.manifests.resources import JOBS, NAMESPACED, RBAC, ROLE_BINDINGS, ROLES, Scope

Object = dict[str, Any]

MANAGED = {"app.kubernetes.io/managed-by": "jitaccess"}
MANAGED_SELECTOR = "app.kubernetes.io/managed-by=jitaccess"
COMPONENT = f"{GROUP}/component"
GRANT = {COMPONENT: "grant"}
DERIVED = {COMPONENT: "policy"}
GRANT_SELECTOR = f"{MANAGED_SELECTOR},{COMPONENT}=grant"
DERIVED_SELECTOR = f"{MANAGED_SELECTOR},{COMPONENT}=policy"
REQUEST_UID = f"{GROUP}/request-uid"
REQUEST_NAME = f"{GROUP}/request"
GRANTED_AT = f"{GROUP}/granted-at"
EXPIRES_AT = f"{GROUP}/expires-at"

# How long after the expiry the Job, and with it the binding, goes: long enough that a living operator always comes first.
GRACE = timedelta(seconds=30)

# Names of Jobs also become label values, of at most 63 characters.
_NAME_ROOM = 63 - len("jit-") - len("-1a2b3c4d")


def grant_name(request: Key, uid: str) -> str:
    """The name of the binding and the Job of a request: `jit-<request>-<first 8 digits of its UID>`, at most 63 characters."""
    return f"jit-{request.name[:_NAME_ROOM].rstrip('-.')}-{uid[:8]}"


def job_manifest(grant: Grant, now: datetime) -> Object:
    """The dead-man's switch: a Job that runs no Pod, completes at once, and whose time to live ends after the grant."""
    seconds = math.ceil(max(timedelta(0), grant.expires_at - now + GRACE) / timedelta(seconds=1))
    return {
        "apiVersion": JOBS.api_version,
        "kind": JOBS.kind,
        "metadata": _grant_metadata(grant, [request_owner(grant.request, grant.request_uid)]),
        "spec": {
            "completions": 0,
            "parallelism": 0,
            "backoffLimit": 0,
            "ttlSecondsAfterFinished": seconds,
            "template": {"spec": _NEVER_RUNS},
        },
    }


# Never scheduled, since completions is 0; but policy engines read Pod templates, so it is as restricted as can be.
_NEVER_RUNS: Object = {
    "restartPolicy": "Never",
    "automountServiceAccountToken": False,
    "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
    "containers": [
        {
            "name": "never-runs",
            "image": "jitaccess-never-runs",
            "resources": {"requests": {"cpu": "1m", "memory": "1Mi"}, "limits": {"cpu": "1m", "memory": "1Mi"}},
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            },
        }
    ],
}


def binding_manifest(grant: Grant, job: ObjectRef | None, scope: Scope = NAMESPACED) -> Object:
    """The access itself: bound to the requester as a user, owned by the Job, or by the request where there is no Job."""
    owner = _owner(JOBS.api_version, JOBS.kind, job) if job else request_owner(grant.request, grant.request_uid)
    return {
        "apiVersion": scope.binding.api_version,
        "kind": scope.binding.kind,
        "metadata": _grant_metadata(grant, [owner]),
        "roleRef": {"apiGroup": RBAC, "kind": grant.role.kind, "name": grant.role.name},
        "subjects": [{"kind": "User", "apiGroup": RBAC, "name": grant.requester}],
    }


def request_owner(request: Key, uid: str, scope: Scope = NAMESPACED) -> Object:
    """The owner reference to a request."""
    return _owner(API_VERSION, scope.request.kind, ObjectRef(request.name, uid))


def is_same(found: Manifest, wanted: Manifest) -> bool:
    """Whether the object that is there is exactly the one that we would make."""
    theirs, ours = found["metadata"], wanted["metadata"]
    return (
        all((theirs.get("labels") or {}).get(name) == value for name, value in ours["labels"].items())
        and all((theirs.get("annotations") or {}).get(name) == value for name, value in ours.get("annotations", {}).items())
        and _owners(theirs) == _owners(ours)
        and not theirs.get("finalizers")
        and all((found.get(field) or []) == (wanted.get(field) or []) for field in ("roleRef", "subjects", "rules"))
    )


def guards(job: Manifest, grant: Grant) -> bool:
    """Whether a Job that is there is ours for this grant, and ends neither before the grant nor long after it."""
    metadata, lives = job["metadata"], (job.get("spec") or {}).get("ttlSecondsAfterFinished") or 0
    fires = parse_time(metadata["creationTimestamp"]) + timedelta(seconds=lives)
    in_time = grant.expires_at <= fires <= grant.expires_at + 2 * GRACE
    ours = all((metadata.get("labels") or {}).get(name) == value for name, value in _grant_labels(grant).items())
    owned = _owners(metadata) == _owners({"ownerReferences": [request_owner(grant.request, grant.request_uid)]})
    return in_time and ours and owned and will_go(job)


def will_go(job: Manifest) -> bool:
    """Whether a Job completes at once and is removed when its time to live is over, whatever a webhook made of it."""
    metadata, spec = job["metadata"], job.get("spec") or {}
    runs_nothing = spec.get("completions") == 0 and not spec.get("suspend") and not spec.get("managedBy")
    free = not metadata.get("finalizers") and "deletionTimestamp" not in metadata
    return runs_nothing and free and spec.get("ttlSecondsAfterFinished") is not None


def is_managed(found: Manifest, request_uid: str) -> bool:
    """Whether the object carries our label for this request; nobody but the operator can put it there."""
    labels = found["metadata"].get("labels") or {}
    return all(labels.get(name) == value for name, value in MANAGED.items()) and labels.get(REQUEST_UID) == request_uid


def granted_at(binding: Manifest) -> datetime | None:
    """When the grant that a binding of ours carries began; None when it does not say."""
    return _annotated_time(binding, GRANTED_AT)


def expires_at(binding: Manifest) -> datetime | None:
    """When the grant that a binding of ours carries ends; None when it does not say."""
    return _annotated_time(binding, EXPIRES_AT)


def derived_names(policy: Key) -> tuple[str, str]:
    """The names of the Roles, and of their bindings, that are derived from a policy: requesters', approvers'."""
    return f"jitaccess:{policy.name}:requester", f"jitaccess:{policy.name}:approver"


def policy_of(derived: Key) -> Key:
    """The policy that a derived Role or RoleBinding of that key belongs to; a policy's name has no colon."""
    return Key(derived.namespace, derived.name.split(":")[1])


def derived_manifests(policy: AccessPolicy, scope: Scope = NAMESPACED) -> tuple[tuple[Object, Object], ...]:
    """The Role and RoleBinding for the requesters of a policy, and those for its approvers."""
    requester, approver = derived_names(policy.key)
    asking = _derived_role(policy, requester, "request", ["create", "get", "list", "watch", "patch"], scope)
    deciding = _derived_role(policy, approver, "approve", ["get", "list", "watch", "patch"], scope)
    return (
        (asking, _derived_binding(policy, requester, policy.requesters, scope)),
        (deciding, _derived_binding(policy, approver, policy.approvers, scope)),
    )


def _derived_role(policy: AccessPolicy, name: str, right: str, verbs: Sequence[str], scope: Scope) -> Object:
    rules = [
        {"apiGroups": [GROUP], "resources": [scope.policy.plural], "resourceNames": [policy.key.name], "verbs": [right]},
        {"apiGroups": [GROUP], "resources": [scope.policy.plural], "verbs": ["get", "list", "watch"]},
        {"apiGroups": [GROUP], "resources": [scope.request.plural], "verbs": list(verbs)},
    ]
    return {
        "apiVersion": ROLES.api_version,
        "kind": ROLES.kind,
        "metadata": _derived_metadata(policy, name, scope),
        "rules": rules,
    }


def _derived_binding(policy: AccessPolicy, name: str, subjects: Sequence[Subject], scope: Scope) -> Object:
    return {
        "apiVersion": ROLE_BINDINGS.api_version,
        "kind": ROLE_BINDINGS.kind,
        "metadata": _derived_metadata(policy, name, scope),
        "roleRef": {"apiGroup": RBAC, "kind": ROLES.kind, "name": name},
        "subjects": [_rbac_subject(subject) for subject in subjects],
    }


def _rbac_subject(subject: Subject) -> dict[str, str]:
    if subject.kind == "ServiceAccount":
        return {"kind": subject.kind, "name": subject.name, "namespace": subject.namespace}
    return {"kind": subject.kind, "apiGroup": RBAC, "name": subject.name}


def _derived_metadata(policy: AccessPolicy, name: str, scope: Scope) -> Object:
    return {
        "name": name,
        "namespace": policy.key.namespace,
        "labels": {**MANAGED, **DERIVED},
        "ownerReferences": [_owner(API_VERSION, scope.policy.kind, ObjectRef(policy.key.name, policy.uid))],
    }


def _grant_labels(grant: Grant) -> dict[str, str]:
    return {**MANAGED, **GRANT, REQUEST_UID: grant.request_uid}


def _grant_metadata(grant: Grant, owners: list[Object]) -> Object:
    return {
        "name": grant_name(grant.request, grant.request_uid),
        "namespace": grant.request.namespace,
        "labels": _grant_labels(grant),
        "annotations": {
            REQUEST_NAME: grant.request.name,
            GRANTED_AT: format_time(grant.granted_at),
            EXPIRES_AT: format_time(grant.expires_at),
        },
        "ownerReferences": owners,
    }


# blockOwnerDeletion stays away: nothing of ours may hold up a deletion.
def _owner(api_version: str, kind: str, ref: ObjectRef) -> Object:
    return {"apiVersion": api_version, "kind": kind, "name": ref.name, "uid": ref.uid}


def _owners(metadata: Mapping[str, Any]) -> list[tuple[str, str, str, str, bool]]:
    return [
        (owner["apiVersion"], owner["kind"], owner["name"], owner["uid"], bool(owner.get("blockOwnerDeletion")))
        for owner in metadata.get("ownerReferences") or []
    ]


def _annotated_time(binding: Manifest, name: str) -> datetime | None:
    text = (binding["metadata"].get("annotations") or {}).get(name)
    try:
        return parse_time(text) if text else None
    except ValueError:
        return None
