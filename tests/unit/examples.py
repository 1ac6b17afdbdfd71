"""Alice, Bob and their request, as manifests and as values: what every unit test starts from."""

from datetime import UTC, datetime, timedelta
from typing import Any

from jitaccess.domain.circumstances import Circumstances
from jitaccess.domain.locks import Locks
from jitaccess.domain.model import AccessPolicy, AccessRequest, Key, PolicyRef, RoleRef
from jitaccess.domain.recorded import ObjectRef
from jitaccess.domain.recording import Delivery
from jitaccess.domain.text import format_time
from jitaccess.domain.verdicts import Grant
from jitaccess.kube.installation import Installation
from jitaccess.manifests.kinds import POLICY_KINDS, REQUEST_KINDS
from jitaccess.manifests.locks import parse_lock
from jitaccess.manifests.parse import parse_policy, parse_request
from jitaccess.workqueue.store import Store

T0 = datetime(2026, 7, 1, 2, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
MS = timedelta(milliseconds=1)
NAMESPACE = "team-a"
NAME = "alice-7f3k"
UID = "1a2b3c4d-0000-4000-8000-000000000001"
KEY = Key(NAMESPACE, NAME)
POLICY_KEY = Key(NAMESPACE, "prod-debug")
POLICY_REF = PolicyRef("AccessPolicy", POLICY_KEY)
ALICE, BOB, CAROL, DAVE = "alice@example.com", "bob@example.com", "carol@example.com", "dave@example.com"
VIEW = RoleRef("ClusterRole", "view")
EDIT = RoleRef("ClusterRole", "edit")
BINDING_REF = ObjectRef("jit-alice-7f3k-1a2b3c4d")
JOB_REF = ObjectRef("jit-alice-7f3k-1a2b3c4d", "j-1")
DELIVERY = Delivery(BINDING_REF, JOB_REF)
EMERGENCY: dict[str, Any] = {"reviewWithin": "24h", "reviewers": [{"kind": "Group", "name": "security"}]}
LEDGERS = ("approvals", "denials", "revocations", "reviews")


def request_manifest(name: str = NAME, *, uid: str = UID, created: datetime = T0, **fields: Any) -> dict[str, Any]:
    """An AccessRequest as the API server has it; ledgers, those of `stages`, and `status` by name, else the spec."""
    annotations = {f"jitaccess.dev/{ledger}": fields.pop(ledger) for ledger in LEDGERS if ledger in fields}
    annotations |= {f"jitaccess.dev/approvals.{stage}": ledger for stage, ledger in fields.pop("stages", {}).items()}
    status, metadata = fields.pop("status", None), fields.pop("metadata", {})
    spec = {
        "policyRef": {"kind": "AccessPolicy", "name": POLICY_KEY.name},
        "roleRef": {"kind": "ClusterRole", "name": "view"},
        "duration": "1h",
        "reason": "INC-42 pods crash looping",
        "requester": ALICE,
    } | fields
    manifest: dict[str, Any] = {
        "apiVersion": "jitaccess.dev/v1alpha1",
        "kind": "AccessRequest",
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "uid": uid,
            "resourceVersion": "10",
            "generation": 1,
            "creationTimestamp": created.strftime("%Y-%m-%dT%H:%M:%SZ"),
            **({"annotations": annotations} if annotations else {}),
            **metadata,
        },
        "spec": {field: value for field, value in spec.items() if value is not None},
    }
    return manifest | ({"status": status} if status is not None else {})


def policy_manifest(name: str = POLICY_KEY.name, **fields: Any) -> dict[str, Any]:
    """An AccessPolicy with the defaults that the API server fills in; `status` and `metadata` by name, else the spec."""
    status, metadata = fields.pop("status", None), fields.pop("metadata", {})
    spec = {
        "roles": [{"kind": "ClusterRole", "name": "view"}],
        "requesters": [{"kind": "Group", "name": "developers"}],
        "approvers": [{"kind": "Group", "name": "leads"}],
        "requiredApprovals": 1,
        "maxDuration": "4h",
        "pendingTimeout": "24h",
        "allowPersistentRisk": False,
    } | fields
    manifest: dict[str, Any] = {
        "apiVersion": "jitaccess.dev/v1alpha1",
        "kind": "AccessPolicy",
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "uid": f"p-{name}",
            "resourceVersion": "5",
            "generation": 3,
            "creationTimestamp": "2026-06-01T00:00:00Z",
            **metadata,
        },
        "spec": {field: value for field, value in spec.items() if value is not None},
    }
    return manifest | ({"status": status} if status is not None else {})


def lock_manifest(*people: str, until: datetime | None = None, **fields: Any) -> dict[str, Any]:
    """An AccessLock of Carol's; `status` by name."""
    status = fields.pop("status", None)
    spec = {"subjects": [{"kind": "User", "name": who} for who in people], "reason": "INC-7 stolen laptop", "by": CAROL} | fields
    manifest: dict[str, Any] = {
        "apiVersion": "jitaccess.dev/v1alpha1",
        "kind": "AccessLock",
        "metadata": {"name": "lock-1", "uid": "l-lock-1", "resourceVersion": "20", "generation": 1},
        "spec": spec | ({"until": format_time(until)} if until else {}),
    }
    return manifest | ({"status": status} if status is not None else {})


def locks(*people: str, **fields: Any) -> Circumstances:
    """While these people are locked."""
    return Circumstances(locks=Locks((parse_lock(lock_manifest(*people, **fields)),)))


def request(**fields: Any) -> AccessRequest:
    """The request as a value; see `request_manifest`."""
    return parse_request(request_manifest(**fields))


def policy(**fields: Any) -> AccessPolicy:
    """The policy as a value; see `policy_manifest`."""
    return parse_policy(policy_manifest(**fields))


def active_status(granted_at: datetime = T0, lasts: timedelta = HOUR) -> dict[str, Any]:
    """What is recorded of a request once it is granted."""
    return {
        "state": "Active",
        "settled": False,
        "grantedAt": format_time(granted_at),
        "expiresAt": format_time(granted_at + lasts),
        "bindingRef": {"name": BINDING_REF.name},
        "jobRef": {"name": JOB_REF.name, "uid": JOB_REF.uid},
    }


def cluster_policy_manifest(name: str = "prod", **fields: Any) -> dict[str, Any]:
    """A ClusterAccessPolicy for namespaces with env=prod; `namespaceSelector=None, clusterWide=True`: for the cluster."""
    manifest = policy_manifest(name, **{"namespaceSelector": {"matchLabels": {"env": "prod"}}} | fields)
    del manifest["metadata"]["namespace"]
    return manifest | {"kind": "ClusterAccessPolicy"}


def cluster_policy(**fields: Any) -> AccessPolicy:
    """The same as a value."""
    return parse_policy(cluster_policy_manifest(**fields))


def cluster_request_manifest(**fields: Any) -> dict[str, Any]:
    """A ClusterAccessRequest of Alice's under the policy `wide`."""
    manifest = request_manifest(**{"policyRef": {"kind": "ClusterAccessPolicy", "name": "wide"}} | fields)
    del manifest["metadata"]["namespace"]
    return manifest | {"kind": "ClusterAccessRequest"}


def cluster_request(**fields: Any) -> AccessRequest:
    """The same as a value."""
    return parse_request(cluster_request_manifest(**fields))


def empty_store() -> Store:
    """What an operator remembers when it starts."""
    return Store((kind.resource for kind in REQUEST_KINDS), (kind.resource for kind in POLICY_KINDS))


def complete_installation() -> Installation:
    """An installation that was checked: nothing of it is missing, and it has no components."""
    installation = Installation()
    installation.problems, installation.components = (), frozenset()
    return installation


def stages_manifest(**required: int) -> dict[str, Any]:
    """What of a policy's spec gives it stages: the group of each is called like it."""
    made = [
        {"name": name, "required": number, "approvers": [{"kind": "Group", "name": name}]} for name, number in required.items()
    ]
    return {"approvers": None, "requiredApprovals": 1, "stages": made}


def lines(*decisions: tuple[str, str]) -> str:
    """A ledger."""
    return "\n".join(f"{user}: {note}" for user, note in decisions)


def approved_by(*users: str) -> str:
    """A ledger in which these people said ok."""
    return lines(*((user, "ok") for user in users))


def grant(role: RoleRef = VIEW, granted_at: datetime = T0, lasts: timedelta = HOUR) -> Grant:
    """Alice's hour."""
    return Grant(KEY, UID, ALICE, role, granted_at, granted_at + lasts)
