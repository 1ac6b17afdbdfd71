"""The domain's values: frozen, parsed once at the edge (parse.py), never a manifest past it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from jitaccess.domain.notices import Notify
from jitaccess.domain.recorded import NOTHING_RECORDED, Condition, DeliveredAs, Recorded, State
from jitaccess.domain.roles import ShownRole
from jitaccess.domain.selector import Selector
from jitaccess.domain.terms import NO_LIMITS, Limits, TicketRule, Window
from jitaccess.domain.text import lower_ascii

GROUP = "jitaccess.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

Manifest = Mapping[str, Any]


class Ledger(StrEnum):
    """The append-only annotations that carry decisions, one line `user: note` each."""

    APPROVALS = f"{GROUP}/approvals"
    DENIALS = f"{GROUP}/denials"
    REVOCATIONS = f"{GROUP}/revocations"
    REVIEWS = f"{GROUP}/reviews"  # of emergency access that is over: `user: fine` or `user: misuse`, and maybe `: note`


def approvals_of(stage: str) -> str:
    """The annotation with the approvals of a stage; without a name, of a policy that has no stages."""
    return f"{Ledger.APPROVALS}.{stage}" if stage else Ledger.APPROVALS.value


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
    """One line of a ledger: who decided, and what they wrote; of an approval also in which stage, and for how long at most."""

    by: str
    note: str
    stage: str = ""
    length: timedelta | None = None  # None: as long as was asked for
    unclear: bool = False  # it begins as one for less time does, and cannot be read


@dataclass(frozen=True, slots=True, order=True)
class PolicyRef:
    """A policy of some kind, by key."""

    kind: str
    key: Key

    def __str__(self) -> str:
        return f"{self.kind} {self.key.name}"

    def in_stage(self, stage: str) -> "PolicyRef":
        """What the approvers of a stage hold the verb `approve` on: a policy that cannot be, for no name has a colon."""
        return PolicyRef(self.kind, Key(self.key.namespace, f"{self.key.name}:{stage}")) if stage else self


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """What a person asked for, what was decided, and what the operator recorded."""

    key: Key
    uid: str
    resource_version: str
    created: datetime
    policy: PolicyRef
    role: RoleRef
    duration: timedelta
    reason: str
    requester: str
    ticket: str = ""
    start: datetime | None = None  # when the access is to begin; None for as soon as it is approved
    groups: tuple[str, ...] = ()  # the requester's, as the API server knew them; empty where it did not say
    approvals: tuple[Decision, ...] = ()
    denials: tuple[Decision, ...] = ()
    revocations: tuple[Decision, ...] = ()
    reviews: tuple[Decision, ...] = ()
    generation: int = 1
    deleting: bool = False
    invalid: str = ""  # why the spec cannot be read; empty when it can
    asked_under: str = ""  # UID of the policy it was created under, where that had to be looked up
    recorded: Recorded = NOTHING_RECORDED

    @property
    def state(self) -> State:
        """Where the request stands, as recorded."""
        return self.recorded.state

    def as_old_as(self, policy: "AccessPolicy") -> bool:
        """Whether timestamps, which are whole seconds, cannot tell which of the two was there first, nor the record."""
        return self.recorded.policy is None and policy.created == self.created


class Scope(StrEnum):
    """How far a policy reaches: its own namespace, the namespaces that it selects, or the cluster as a whole."""

    OWN = "its own namespace"
    SELECTED = "selected namespaces"
    CLUSTER = "cluster-wide"


@dataclass(frozen=True, slots=True)
class OfferedRole:
    """A role that a policy offers, as the operator saw it last; None if it was not there, or not to be read."""

    role: RoleRef
    shown: ShownRole | None


@dataclass(frozen=True, slots=True)
class PolicyRecorded:
    """What the operator has recorded of a policy."""

    generation: int = 0
    roles: tuple[OfferedRole, ...] = ()
    conditions: tuple[Condition, ...] = ()
    namespaces: int | None = None  # how many it selected; None where it selects none by its nature


NOTHING_RECORDED_OF_A_POLICY = PolicyRecorded()


@dataclass(frozen=True, slots=True)
class Stage:
    """One of several groups of approvers that must all approve, and how many of it."""

    name: str
    approvers: tuple[Subject, ...]
    required: int = 1


@dataclass(frozen=True, slots=True)
class Emergency:
    """Access without approval that is owed a review: by whom, and within what time of its end."""

    review_within: timedelta
    reviewers: tuple[Subject, ...]
    block_until_reviewed: bool = False

    def reviewers_of(self, requester: str) -> tuple[Subject, ...]:
        """Who of them may review what somebody had: nobody reviews their own access."""
        person = lower_ascii(requester)
        return tuple(each for each in self.reviewers if each.kind != "User" or lower_ascii(each.name) != person)


@dataclass(frozen=True, slots=True)
class AccessPolicy:
    """Who may ask for which roles, for how long, and who decides."""

    ref: PolicyRef
    uid: str
    resource_version: str
    generation: int
    created: datetime
    roles: tuple[RoleRef, ...]
    requesters: tuple[Subject, ...]
    approvers: tuple[Subject, ...]
    required_approvals: int
    max_duration: timedelta
    pending_timeout: timedelta
    description: str = ""
    allow_persistent_risk: bool = False
    note_required: bool = False
    delivery: DeliveredAs = DeliveredAs.BINDING
    windows: tuple[Window, ...] = ()  # when access may begin; none: at any time
    end_with_window: bool = False
    allow_scheduling: bool = False
    limits: Limits = NO_LIMITS
    ticket: TicketRule | None = None
    stages: tuple[Stage, ...] = ()  # instead of approvers
    emergency: Emergency | None = None
    suspended: bool = False
    notify: tuple[Notify, ...] | None = None  # None: as the administrator has it for policies that say nothing
    scope: Scope = Scope.OWN
    selector: Selector | None = None  # of namespaces
    unreached: str = ""  # why it is not for the namespace that it was read for (rules.seen_from); empty where it is, or may be
    deleting: bool = False
    invalid: str = ""  # why the spec cannot be read; empty when it can
    recorded: PolicyRecorded = NOTHING_RECORDED_OF_A_POLICY

    @property
    def key(self) -> Key:
        """Its namespace and name."""
        return self.ref.key

    @property
    def risky(self) -> tuple[RoleRef, ...]:
        """The offered roles that were recorded as outliving a grant."""
        return tuple(offered.role for offered in self.recorded.roles if offered.shown and offered.shown.risks)
