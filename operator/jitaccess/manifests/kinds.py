"""What differs between the kinds of requests and policies, as data in one table: nothing else asks which kind it is."""

from dataclasses import dataclass

from jitaccess.manifests.resources import POLICIES, REQUESTS, ROLE_BINDINGS, Resource


@dataclass(frozen=True, slots=True)
class RequestKind:
    """A kind of request: which policies it may name, which binding it becomes, and whether a Job can own that binding."""

    resource: Resource
    policies: tuple[Resource, ...]
    binding: Resource
    job_guard: bool  # a cluster-wide binding cannot have a namespaced owner


@dataclass(frozen=True, slots=True)
class PolicyKind:
    """A kind of policy, and the kind of requests that it lets people make and decide."""

    resource: Resource
    requests: Resource


ACCESS_REQUEST = RequestKind(REQUESTS, (POLICIES,), ROLE_BINDINGS, job_guard=True)
ACCESS_POLICY = PolicyKind(POLICIES, REQUESTS)

REQUEST_KINDS = (ACCESS_REQUEST,)
POLICY_KINDS = (ACCESS_POLICY,)


def policy_resource(kind: str) -> Resource | None:
    """The resource of a kind of policy, by the name that a policyRef has for it; None if we know no such kind."""
    return next((policy.resource for policy in POLICY_KINDS if policy.resource.kind == kind), None)
