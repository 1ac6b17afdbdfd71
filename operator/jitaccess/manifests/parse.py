"""From Kubernetes manifests to values; bad input is told in the value, never raised."""

from datetime import timedelta

from jitaccess.domain.model import (
    AccessPolicy,
    AccessRequest,
    Key,
    Ledger,
    Manifest,
    PolicyRef,
    RoleRef,
    Scope,
)
from jitaccess.domain.recorded import DeliveredAs
from jitaccess.domain.selector import OPERATORS, Requirement, Selector
from jitaccess.domain.text import parse_duration, parse_time
from jitaccess.manifests.kinds import policy_ref, request_kind
from jitaccess.manifests.ledgers import parse_approvals, parse_ledger
from jitaccess.manifests.notices import parse_notify
from jitaccess.manifests.status import parse_policy_recorded, parse_recorded
from jitaccess.manifests.subjects import parse_subjects
from jitaccess.manifests.terms import parse_terms


def key_of(manifest: Manifest) -> Key:
    """The namespace and name of any object."""
    return Key(manifest["metadata"].get("namespace", ""), manifest["metadata"]["name"])


def is_there(manifest: Manifest) -> bool:
    """Whether an object is there to stay, and not being deleted."""
    return "deletionTimestamp" not in manifest["metadata"]


def parse_request(manifest: Manifest) -> AccessRequest:
    """Read a request; what cannot be read of its spec is told in `invalid`; UnknownState where a newer jitaccess recorded it."""
    metadata, spec = manifest["metadata"], manifest.get("spec") or {}
    annotations = metadata.get("annotations") or {}
    key = key_of(manifest)
    invalid = ""
    try:
        duration = parse_duration(str(spec.get("duration", "")))
    except ValueError as error:
        duration, invalid = timedelta(0), f"spec.duration: {error}"
    try:
        start = parse_time(spec["startTime"]) if "startTime" in spec else None
    except ValueError as error:
        start, invalid = None, f"spec.startTime: {error}"
    invalid = invalid or _missing(spec, "requester", "policyRef", "roleRef")
    return AccessRequest(
        key,
        metadata["uid"],
        resource_version=metadata["resourceVersion"],
        generation=metadata.get("generation", 1),
        created=parse_time(metadata["creationTimestamp"]),
        deleting="deletionTimestamp" in metadata,
        policy=_parse_policy_ref(key.namespace, spec.get("policyRef") or {}),
        role=_parse_role(spec.get("roleRef") or {}),
        duration=duration,
        reason=spec.get("reason", ""),
        ticket=spec.get("ticket", ""),
        start=start,
        requester=spec.get("requester", ""),
        groups=tuple(spec.get("requesterGroups") or ()),
        approvals=parse_approvals(annotations),
        denials=parse_ledger(annotations.get(Ledger.DENIALS, "")),
        revocations=parse_ledger(annotations.get(Ledger.REVOCATIONS, "")),
        reviews=parse_ledger(annotations.get(Ledger.REVIEWS, "")),
        invalid=invalid,
        recorded=parse_recorded(manifest.get("status")),
    )


def parse_policy(manifest: Manifest) -> AccessPolicy:
    """Read a policy of any kind; what cannot be read of its spec is told in `invalid`, never raised."""
    metadata, spec = manifest["metadata"], manifest.get("spec") or {}
    required = spec.get("requiredApprovals", 1)
    invalid = _missing(spec, "roles", "requesters", "maxDuration")
    if not isinstance(required, int) or isinstance(required, bool) or required < 0:
        invalid = "spec.requiredApprovals is not a whole number from 0"
    delivery = spec.get("delivery", DeliveredAs.BINDING)
    if delivery not in list(DeliveredAs):
        invalid = f"spec.delivery is neither {' nor '.join(DeliveredAs)}"
    try:
        longest = parse_duration(str(spec.get("maxDuration", "")))
        pending = parse_duration(str(spec.get("pendingTimeout", "24h")))
    except ValueError as error:
        longest, pending, invalid = timedelta(0), timedelta(hours=24), invalid or str(error)
    key = key_of(manifest)
    scope, selector, unclear = _parse_scope(key, spec)
    terms, unreadable = parse_terms(spec)
    return AccessPolicy(
        ref=PolicyRef(manifest.get("kind") or request_kind(key.namespace).policies.kind, key),
        uid=metadata["uid"],
        resource_version=metadata["resourceVersion"],
        generation=metadata.get("generation", 1),
        created=parse_time(metadata["creationTimestamp"]),
        deleting="deletionTimestamp" in metadata,
        roles=tuple(_parse_role(role) for role in spec.get("roles") or []),
        requesters=parse_subjects(spec.get("requesters")),
        approvers=parse_subjects(spec.get("approvers")),
        required_approvals=required if isinstance(required, int) else 0,
        max_duration=longest,
        pending_timeout=pending,
        description=spec.get("description", ""),
        allow_persistent_risk=spec.get("allowPersistentRisk") is True,
        note_required=spec.get("noteRequired") is True,
        delivery=DeliveredAs.IDENTITY if delivery == DeliveredAs.IDENTITY else DeliveredAs.BINDING,
        notify=parse_notify(spec),
        scope=scope,
        selector=selector,
        invalid=invalid or unclear or unreadable,
        recorded=parse_policy_recorded(manifest.get("status")),
        **terms,
    )


def _parse_policy_ref(namespace: str, ref: Manifest) -> PolicyRef:
    return policy_ref(ref.get("kind", ""), namespace, ref.get("name", ""))


def _parse_scope(key: Key, spec: Manifest) -> tuple[Scope, Selector | None, str]:
    """How far a policy reaches, which namespaces it selects, and why that cannot be read, if it cannot."""
    if key.namespace:
        return Scope.OWN, None, ""
    wide, selector = spec.get("clusterWide") is True, spec.get("namespaceSelector")
    if wide is (selector is not None):
        return Scope.CLUSTER, None, "exactly one of spec.namespaceSelector and spec.clusterWide must be there"
    if selector is None:
        return Scope.CLUSTER, None, ""
    parsed = parse_selector(selector)
    # What cannot be read selects nothing.
    return Scope.SELECTED, parsed or Selector((Requirement("", "In"),)), "" if parsed else "spec.namespaceSelector cannot be read"


def parse_selector(selector: Manifest) -> Selector | None:
    """Read a label selector; None if it asks for something that we do not know."""
    labels = sorted((selector.get("matchLabels") or {}).items())
    expressions = [
        Requirement(str(each.get("key", "")), str(each.get("operator", "")), tuple(each.get("values") or ()))
        for each in selector.get("matchExpressions") or ()
    ]
    if any(each.operator not in OPERATORS for each in expressions):
        return None
    return Selector((*(Requirement(key, "In", (value,)) for key, value in labels), *expressions))


def _parse_role(role: Manifest) -> RoleRef:
    return RoleRef(role.get("kind", ""), role.get("name", ""))


def _missing(spec: Manifest, *fields: str) -> str:
    absent = [f"spec.{field}" for field in fields if not spec.get(field)]
    return f"{', '.join(absent)} missing" if absent else ""
