"""What differs between the kinds of requests and policies, as data in one table: nothing else asks which kind it is.

(docs/adr/0018-cluster-kinds-are-data.md)
"""

from collections.abc import Mapping
from dataclasses import dataclass

from jitaccess.domain.model import AccessPolicy, Key, PolicyRef, Scope
from jitaccess.manifests.resources import (
    CLUSTER_POLICIES,
    CLUSTER_POLICY_COUNTS,
    CLUSTER_REQUESTS,
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    POLICIES,
    REQUESTS,
    ROLE_BINDINGS,
    ROLES,
    Resource,
)

CLUSTER_WIDE = "cluster-wide"  # deploy/components/cluster-wide
# What the operator may make only where that component of deploy/ is installed.
COMPONENTS: Mapping[str, Resource] = {CLUSTER_WIDE: CLUSTER_ROLE_BINDINGS}


@dataclass(frozen=True, slots=True)
class RequestKind:
    """A kind of request: the policies it names unless it says otherwise, and the binding it becomes.

    `job_guard`: whether a Job can own that binding. `everywhere`: whether it gives access to every namespace, ours too.
    `component`: what of deploy/ must be installed for it, if anything.
    """

    resource: Resource
    policies: Resource
    binding: Resource
    job_guard: bool  # a cluster-wide binding cannot have a namespaced owner
    everywhere: bool = False
    component: str = ""


@dataclass(frozen=True, slots=True)
class PolicyKind:
    """A kind of policy, and how far it may reach; `names` begin the names of what is derived, `label` is the component on it."""

    resource: Resource
    counts: Resource  # the schedule's name for a look at how many namespaces a policy selects
    namespaced: bool
    scopes: tuple[Scope, ...]
    names: str
    label: str


@dataclass(frozen=True, slots=True)
class Reach:
    """What it takes to reach as far as a policy does: for which requests, by which roles, through which bindings.

    `blind`: the operator writes these roles, and may neither read nor delete them: they go with their policy.
    """

    requests: RequestKind
    role: Resource
    binding: Resource
    blind: bool = False
    component: str = ""


ACCESS_REQUEST = RequestKind(REQUESTS, POLICIES, ROLE_BINDINGS, job_guard=True)
CLUSTER_ACCESS_REQUEST = RequestKind(
    CLUSTER_REQUESTS, CLUSTER_POLICIES, CLUSTER_ROLE_BINDINGS, job_guard=False, everywhere=True, component=CLUSTER_WIDE
)
ACCESS_POLICY = PolicyKind(POLICIES, POLICIES, namespaced=True, scopes=(Scope.OWN,), names="jitaccess", label="policy")
CLUSTER_ACCESS_POLICY = PolicyKind(
    CLUSTER_POLICIES,
    CLUSTER_POLICY_COUNTS,
    namespaced=False,
    scopes=(Scope.SELECTED, Scope.CLUSTER),
    names="jitaccess:cluster",
    label="cluster-policy",
)

REQUEST_KINDS = (ACCESS_REQUEST, CLUSTER_ACCESS_REQUEST)
POLICY_KINDS = (ACCESS_POLICY, CLUSTER_ACCESS_POLICY)
REACH: Mapping[Scope, Reach] = {
    Scope.OWN: Reach(ACCESS_REQUEST, ROLES, ROLE_BINDINGS),
    Scope.SELECTED: Reach(ACCESS_REQUEST, CLUSTER_ROLES, ROLE_BINDINGS, blind=True),
    Scope.CLUSTER: Reach(CLUSTER_ACCESS_REQUEST, CLUSTER_ROLES, CLUSTER_ROLE_BINDINGS, blind=True, component=CLUSTER_WIDE),
}


def reach_of(policy: AccessPolicy) -> Reach:
    """What it takes to reach as far as that policy does."""
    return REACH[policy.scope]


def policy_kind(name: str) -> PolicyKind | None:
    """The kind of policy of that name, as a policyRef has it; None if we know no such kind."""
    return next((kind for kind in POLICY_KINDS if kind.resource.kind == name), None)


def policy_resource(kind: str) -> Resource | None:
    """The resource of a kind of policy, by the name that a policyRef has for it; None if we know no such kind."""
    known = policy_kind(kind)
    return known.resource if known else None


def policy_ref(kind: str, namespace: str, name: str) -> PolicyRef:
    """The policy that a request in that namespace (empty: in none) means by a kind, which may be empty, and a name."""
    kind = kind or request_kind(namespace).policies.kind
    known = policy_kind(kind)
    return PolicyRef(kind, Key(namespace if known is None or known.namespaced else "", name))


def request_kind(namespace: str) -> RequestKind:
    """The kind of the requests in a namespace, or of those that are in none."""
    return ACCESS_REQUEST if namespace else CLUSTER_ACCESS_REQUEST
