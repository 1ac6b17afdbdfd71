"""The domain's values: frozen, parsed once at the edge (parse.py), never a manifest past it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

GROUP = "jitaccess.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

Manifest = Mapping[str, Any]


class State(StrEnum):
    """Where a request stands, in one word."""

    PENDING = "Pending"
    ACTIVE = "Active"
    EXPIRED = "Expired"
    REVOKED = "Revoked"
    DENIED = "Denied"
    WITHDRAWN = "Withdrawn"
    TIMED_OUT = "TimedOut"
    FAILED = "Failed"

    @property
    def settled(self) -> bool:
        """Whether a request in this state can never give access again."""
        return self not in (State.PENDING, State.ACTIVE)


class Ledger(StrEnum):
    """The append-only annotations that carry decisions, one line `user: note` each."""

    APPROVALS = f"{GROUP}/approvals"
    DENIALS = f"{GROUP}/denials"
    REVOCATIONS = f"{GROUP}/revocations"


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """The namespace and name of an object; the namespace of a cluster-wide one is empty."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


@dataclass(frozen=True, slots=True)
class Subject:
    """A User, Group or ServiceAccount, as in the subjects of a RoleBinding."""

    kind: str
    name: str
    namespace: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class RoleRef:
    """A Role or ClusterRole, by name."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class Decision:
    """One line of a ledger: who decided, and what they wrote."""

    by: str
    note: str


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """The name and UID of an object that the operator made."""

    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition, as in the Kubernetes API conventions; `status` is True, False or Unknown."""

    type: str
    status: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """What a person asked for, what was decided, and what the operator recorded."""

    key: Key
    uid: str
    resource_version: str
    created: datetime
    policy: Key
    role: RoleRef
    duration: timedelta
    reason: str
    requester: str
    approvals: tuple[Decision, ...] = ()
    denials: tuple[Decision, ...] = ()
    revocations: tuple[Decision, ...] = ()
    generation: int = 1
    deleting: bool = False
    invalid: str = ""  # why the spec cannot be read; empty when it can
    state: State = State.PENDING
    granted_at: datetime | None = None
    expires_at: datetime | None = None
    binding: ObjectRef | None = None
    job: ObjectRef | None = None
    status: Manifest | None = None  # as recorded; None before the first record

    conditions: tuple[Condition, ...] = ()

    def condition(self, kind: str) -> Condition | None:
        """The recorded condition of that type, if any."""
        return next((c for c in self.conditions if c.type == kind), None)


@dataclass(frozen=True, slots=True)
class AccessPolicy:
    """Who may ask for which roles in a namespace, for how long, and who decides."""

    key: Key
    uid: str
    resource_version: str
    generation: int
    roles: tuple[RoleRef, ...]
    requesters: tuple[Subject, ...]
    approvers: tuple[Subject, ...]
    required_approvals: int
    max_duration: timedelta
    pending_timeout: timedelta
    description: str = ""
    allow_persistent_risk: bool = False
    deleting: bool = False
    invalid: str = ""  # why the spec cannot be read; empty when it can
    risky: tuple[RoleRef, ...] = ()  # offered roles that were recorded as outliving a grant
    status: Manifest | None = None
