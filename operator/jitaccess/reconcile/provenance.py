"""Under which policy a request was made, where both are of the same second: the API server's history knows the order."""

from dataclasses import replace

from jitaccess.domain.model import AccessPolicy, AccessRequest
from jitaccess.kube.answers import Expired, NotFound
from jitaccess.kube.api import Cluster
from jitaccess.manifests.kinds import policy_resource
from jitaccess.manifests.resources import Resource

# How many writes to a request, all within its first second or before it was looked at, are walked back.
MOST_VERSIONS = 50


async def with_provenance(
    cluster: Cluster, resource: Resource, request: AccessRequest, policy: AccessPolicy | None
) -> AccessRequest:
    """The request, with `asked_under` where only the history tells; it stays empty where the history is forgotten too."""
    if policy is None or not request.as_old_as(policy):
        return request
    try:
        return replace(request, asked_under=await _asked_under(cluster, resource, request, policy))
    except (Expired, NotFound):
        return request


async def _asked_under(cluster: Cluster, resource: Resource, request: AccessRequest, policy: AccessPolicy) -> str:
    policies = policy_resource(policy.ref.kind)
    revision = await _created_at(cluster, resource, request)
    found = await cluster.as_of(policies, policy.key, revision - 1) if policies and revision else None
    return found["metadata"]["uid"] if found else ""


async def _created_at(cluster: Cluster, resource: Resource, request: AccessRequest) -> int:
    """The revision at which a request was created; 0 where it has been written too often to walk back to it."""
    revision = int(request.resource_version)
    for _ in range(MOST_VERSIONS):
        before = await cluster.as_of(resource, request.key, revision - 1)
        if before is None or before["metadata"]["uid"] != request.uid:
            return revision
        revision = int(before["metadata"]["resourceVersion"])
    return 0
