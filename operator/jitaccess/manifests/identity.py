"""A temporary identity: the account, a Role that allows to be exactly it, who has that Role, and the Job behind them. Pure."""

from collections.abc import Mapping
from datetime import timedelta

from jitaccess.domain.model import GROUP, Key, Manifest
from jitaccess.domain.recorded import DeliveredAs, ObjectRef
from jitaccess.domain.text import format_time
from jitaccess.domain.verdicts import Grant
from jitaccess.manifests.accounts import ACCOUNTS, account_key, user_name
from jitaccess.manifests.grant import (
    COMPONENT,
    EXPIRES_AT,
    JOB_IMAGE,
    JOB_LABELS,
    MANAGED,
    MANAGED_SELECTOR,
    REQUEST_NAME,
    REQUEST_UID,
    Object,
    grant_key,
    job_manifest,
    owner_reference,
    request_owner,
)
from jitaccess.manifests.kinds import RequestKind
from jitaccess.manifests.resources import JOBS, RBAC, ROLE_BINDINGS, ROLES, SERVICE_ACCOUNTS, Resource

IDENTITY = {COMPONENT: "identity"}
REQUEST_KIND = f"{GROUP}/request-kind"
REQUEST_NAMESPACE = f"{GROUP}/request-namespace"


def selector(kind: RequestKind) -> str:
    """The label selector for the identities of one kind of request."""
    return f"{MANAGED_SELECTOR},{COMPONENT}={IDENTITY[COMPONENT]},{REQUEST_KIND}={kind.resource.kind}"


def account_name(grant: Grant) -> str:
    """The user name of the account that has the access; empty where the requester has it."""
    is_identity = grant.delivered_as is DeliveredAs.IDENTITY
    return user_name(account_key(grant.request, grant.request_uid)) if is_identity else ""


def job_key(request: Key, uid: str, delivered_as: DeliveredAs) -> Key:
    """The key of the Job behind a grant: it is where that is which it takes along, the binding or the account."""
    return account_key(request, uid) if delivered_as is DeliveredAs.IDENTITY else grant_key(request, uid)


def job_of(kind: RequestKind, grant: Grant, lasts: timedelta, image: str = JOB_IMAGE) -> Object:
    """The Job behind a grant, however that is delivered."""
    job = job_manifest(kind, grant, lasts, image)
    if grant.delivered_as is DeliveredAs.BINDING:
        return job
    # A request in a namespace can own nothing in another one; a cluster-wide request can.
    owners = [] if grant.request.namespace else [request_owner(kind, grant)]
    metadata = _metadata(kind, grant, owners)
    return {**job, "metadata": {**metadata, "labels": metadata["labels"] | JOB_LABELS}}


def identity_parts(kind: RequestKind, grant: Grant, job: ObjectRef | None) -> Mapping[Resource, Object]:
    """The account, the Role, and the RoleBinding that gives the Role to the requester; owned by the Job."""
    metadata = _metadata(kind, grant, [owner_reference(JOBS.api_version, JOBS.kind, job)] if job else [])
    name = metadata["name"]
    return {
        SERVICE_ACCOUNTS: {
            "apiVersion": SERVICE_ACCOUNTS.api_version,
            "kind": SERVICE_ACCOUNTS.kind,
            "metadata": metadata,
            "automountServiceAccountToken": False,
        },
        ROLES: {"apiVersion": ROLES.api_version, "kind": ROLES.kind, "metadata": metadata, "rules": _to_be(name)},
        ROLE_BINDINGS: {
            "apiVersion": ROLE_BINDINGS.api_version,
            "kind": ROLE_BINDINGS.kind,
            "metadata": {**metadata, "annotations": metadata["annotations"] | {EXPIRES_AT: format_time(grant.expires_at)}},
            "roleRef": {"apiGroup": RBAC, "kind": ROLES.kind, "name": name},
            "subjects": [{"kind": "User", "apiGroup": RBAC, "name": grant.requester}],
        },
    }


def made_for(part: Manifest) -> tuple[Key, str]:
    """The request that a part of an identity says it belongs to, and that request's UID."""
    metadata = part["metadata"]
    annotations, labels = metadata.get("annotations") or {}, metadata.get("labels") or {}
    request = Key(annotations.get(REQUEST_NAMESPACE, ""), annotations.get(REQUEST_NAME, ""))
    return request, labels.get(REQUEST_UID, "")


def _to_be(name: str) -> list[Object]:
    """What it takes to be exactly that account."""
    return [
        {"apiGroups": [""], "resources": ["serviceaccounts"], "resourceNames": [name], "verbs": ["impersonate"]},
        {"apiGroups": [""], "resources": ["serviceaccounts/token"], "resourceNames": [name], "verbs": ["create"]},
        # Who may mint tokens everywhere (`edit`, bound cluster-wide) does not hold this one, which admission asks for.
        {"apiGroups": [GROUP], "resources": ["grants"], "resourceNames": [name], "verbs": ["use"]},
    ]


def _metadata(kind: RequestKind, grant: Grant, owners: list[Object]) -> Object:
    return {
        "name": account_key(grant.request, grant.request_uid).name,
        "namespace": ACCOUNTS,
        "labels": {**MANAGED, **IDENTITY, REQUEST_UID: grant.request_uid, REQUEST_KIND: kind.resource.kind},
        "annotations": {REQUEST_NAME: grant.request.name, REQUEST_NAMESPACE: grant.request.namespace},
        **({"ownerReferences": owners} if owners else {}),
    }
