"""The objects of a grant, the binding and the Job behind it, as manifests; and what an object that is there lacks. Pure."""

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from jitaccess.domain.model import API_VERSION, GROUP, Key, Manifest
from jitaccess.domain.recorded import DeliveredAs, ObjectRef
from jitaccess.domain.text import format_time, parse_time
from jitaccess.domain.verdicts import Grant
from jitaccess.manifests.accounts import account_key
from jitaccess.manifests.kinds import RequestKind
from jitaccess.manifests.resources import JOBS, RBAC

Object = dict[str, Any]

MANAGED = {"app.kubernetes.io/managed-by": "jitaccess"}
MANAGED_SELECTOR = "app.kubernetes.io/managed-by=jitaccess"
COMPONENT = f"{GROUP}/component"
GRANT = {COMPONENT: "grant"}
GRANT_SELECTOR = f"{MANAGED_SELECTOR},{COMPONENT}=grant"
REQUEST_UID = f"{GROUP}/request-uid"
REQUEST_NAME = f"{GROUP}/request"
GRANTED_AT = f"{GROUP}/granted-at"
EXPIRES_AT = f"{GROUP}/expires-at"

# How long after the expiry the Job, and with it the binding, goes: long enough that a living operator always comes first.
GRACE = timedelta(seconds=30)

# Of a registry that everybody allows, small, and with a tag; nothing ever pulls it.
JOB_IMAGE = "registry.k8s.io/pause:3.10"
JOB_LABELS = {
    "app.kubernetes.io/name": "jitaccess-grant",
    "app.kubernetes.io/component": "grant",
    "app.kubernetes.io/part-of": "jitaccess",
}
_LEAST = {"cpu": "1m", "memory": "1Mi"}

# Names of Jobs also become label values, of at most 63 characters.
_NAME_ROOM = 63 - len("jit-") - len("-1a2b3c4d")


def grant_name(request: Key, uid: str) -> str:
    """The name of the binding and the Job of a request: `jit-<request>-<first 8 digits of its UID>`, at most 63 characters."""
    return f"jit-{request.name[:_NAME_ROOM].rstrip('-.')}-{uid[:8]}"


def grant_key(request: Key, uid: str) -> Key:
    """The key of the binding and of the Job of a request."""
    return Key(request.namespace, grant_name(request, uid))


def job_manifest(kind: RequestKind, grant: Grant, lasts: timedelta, image: str = JOB_IMAGE) -> Object:
    """The dead-man's switch: a Job that runs no Pod, completes at once, and is gone `lasts` and GRACE after it was created."""
    seconds = math.ceil(max(timedelta(0), lasts + GRACE) / timedelta(seconds=1))
    return {
        "apiVersion": JOBS.api_version,
        "kind": JOBS.kind,
        "metadata": {
            "name": grant_name(grant.request, grant.request_uid),
            "namespace": grant.request.namespace,
            "labels": _grant_labels(grant) | JOB_LABELS,
            "annotations": {REQUEST_NAME: grant.request.name},
            "ownerReferences": [request_owner(kind, grant)],
        },
        "spec": {
            "completions": 0,
            "parallelism": 0,
            "backoffLimit": 0,
            "ttlSecondsAfterFinished": seconds,
            "template": {"metadata": {"labels": MANAGED | JOB_LABELS}, "spec": _never_runs(image)},
        },
    }


# Never scheduled, since completions is 0; but policy engines read Pod templates, so it is what the usual ones ask for.
def _never_runs(image: str) -> Object:
    identity = {"runAsNonRoot": True, "runAsUser": 65532, "runAsGroup": 65532, "seccompProfile": {"type": "RuntimeDefault"}}
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "securityContext": identity,
        "containers": [
            {
                "name": "never-runs",
                "image": image,
                "resources": {"requests": _LEAST, "limits": _LEAST},
                "securityContext": {
                    **identity,
                    "privileged": False,
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
            }
        ],
    }


def binding_manifest(kind: RequestKind, grant: Grant, job: ObjectRef | None) -> Object:
    """The access itself: bound to the requester as a user, owned by the Job, or by the request where there is no Job.

    Or bound to the temporary account; then the request owns it, for the Job is in another namespace.
    """
    guarded = grant.delivered_as is DeliveredAs.BINDING
    return {
        "apiVersion": kind.binding.api_version,
        "kind": kind.binding.kind,
        "metadata": {
            "name": grant_name(grant.request, grant.request_uid),
            "namespace": grant.request.namespace,
            "labels": _grant_labels(grant),
            "annotations": {
                REQUEST_NAME: grant.request.name,
                GRANTED_AT: format_time(grant.granted_at),
                EXPIRES_AT: format_time(grant.expires_at),
            },
            "ownerReferences": [
                owner_reference(JOBS.api_version, JOBS.kind, job) if guarded and job else request_owner(kind, grant)
            ],
        },
        "roleRef": {"apiGroup": RBAC, "kind": grant.role.kind, "name": grant.role.name},
        "subjects": [_subject(grant)],
    }


def _subject(grant: Grant) -> Object:
    if grant.delivered_as is DeliveredAs.BINDING:
        return {"kind": "User", "apiGroup": RBAC, "name": grant.requester}
    account = account_key(grant.request, grant.request_uid)
    return {"kind": "ServiceAccount", "name": account.name, "namespace": account.namespace}


def emptied(binding: Manifest) -> Object:
    """A binding that gives nothing to anybody: where it cannot be deleted, it can still lose its effect.

    It asks for the UID, and not for the resourceVersion: nobody else's writes can get in its way.
    """
    metadata = {field: value for field, value in binding["metadata"].items() if field != "resourceVersion"}
    return {**binding, "metadata": metadata, "subjects": []}


def request_owner(kind: RequestKind, grant: Grant) -> Object:
    """The owner reference to the request of a grant."""
    return owner_reference(API_VERSION, kind.resource.kind, ObjectRef(grant.request.name, grant.request_uid))


def gives_the_same(found: Manifest, wanted: Manifest) -> bool:
    """Whether two bindings give the same role to the same subjects, or two Roles the same rules."""
    return all((found.get(field) or []) == (wanted.get(field) or []) for field in ("roleRef", "subjects", "rules"))


def is_same(found: Manifest, wanted: Manifest) -> bool:
    """Whether the object that is there is exactly the one that we would make, but for what keeps it from going (`kept_by`)."""
    theirs, ours = found["metadata"], wanted["metadata"]
    return (
        has_labels(found, ours["labels"])
        and all((theirs.get("annotations") or {}).get(name) == value for name, value in ours.get("annotations", {}).items())
        and _owners(theirs) == _owners(ours)
        and gives_the_same(found, wanted)
    )


def kept_by(found: Manifest) -> str:
    """What would keep the object standing when it is deleted, its finalizers; empty when it would go at once."""
    return ", ".join(found["metadata"].get("finalizers") or ())


def job_fault(job: Manifest, wanted: Manifest, expires_at: datetime | None = None) -> str:
    """Why a Job that is there does not remove the binding at the end, in words; empty when it does.

    With `expires_at` a Job made earlier, for the same request, is as good as the wanted one if it ends neither before that
    moment nor long after it; without, its time to live must be exactly the one that was asked for.
    """
    theirs, spec = job["metadata"], job.get("spec") or {}
    lives = spec.get("ttlSecondsAfterFinished")
    if lives is None or spec.get("completions") != 0 or spec.get("suspend") or spec.get("managedBy"):
        return "it does not complete at once and go by itself"
    if theirs.get("finalizers") or "deletionTimestamp" in theirs:
        return f"it is kept, or going already (finalizers: {kept_by(job) or 'none'})"
    if _owners(theirs) != _owners(wanted["metadata"]) or not has_labels(job, wanted["metadata"]["labels"]):
        return "it has other owners or labels than it was made with"
    asked = wanted["spec"]["ttlSecondsAfterFinished"]
    if expires_at is None:
        return "" if lives == asked else f"its time to live is {lives} s instead of {asked} s"
    fires = parse_time(theirs["creationTimestamp"]) + timedelta(seconds=lives)
    in_time = expires_at <= fires <= expires_at + 2 * GRACE
    return "" if in_time else f"it goes at {format_time(fires)}, which is not when this grant ends"


def has_labels(found: Manifest, labels: Mapping[str, str]) -> bool:
    """Whether the object carries all of these labels."""
    theirs = found["metadata"].get("labels") or {}
    return all(theirs.get(name) == value for name, value in labels.items())


def is_managed(found: Manifest, request_uid: str) -> bool:
    """Whether the object carries our label for this request; nobody but the operator can put it there."""
    return has_labels(found, {**MANAGED, REQUEST_UID: request_uid})


def is_of(found: Manifest, request_uid: str, job_uid: str = "") -> bool:
    """Whether the object is, or was, of the grant of that request: by our label, or where somebody stripped it by its owner."""
    owners = {owner["uid"] for owner in found["metadata"].get("ownerReferences") or []}
    return is_managed(found, request_uid) or bool(owners & ({request_uid, job_uid} - {""}))


def grant_start(binding: Manifest) -> datetime | None:
    """When the grant that a binding of ours carries began; None when it does not say."""
    return _annotated_time(binding, GRANTED_AT)


def grant_end(binding: Manifest) -> datetime | None:
    """When the grant that a binding of ours carries ends; None when it does not say."""
    return _annotated_time(binding, EXPIRES_AT)


def _grant_labels(grant: Grant) -> dict[str, str]:
    return {**MANAGED, **GRANT, REQUEST_UID: grant.request_uid}


# blockOwnerDeletion stays away: nothing of ours may hold up a deletion.
def owner_reference(api_version: str, kind: str, ref: ObjectRef) -> Object:
    """The owner reference to an object."""
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
