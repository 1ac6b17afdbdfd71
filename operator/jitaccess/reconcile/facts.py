"""What is read before anything is decided: the request, its policy and its role, live and side by side."""

import asyncio
from dataclasses import dataclass

from jitaccess.domain.model import AccessPolicy, AccessRequest, Key, RoleRef
from jitaccess.domain.obstacles import role_not_found, role_unreadable
from jitaccess.domain.risk import KNOWN, RiskTable
from jitaccess.domain.roles import ShownRole
from jitaccess.domain.rules import Objection
from jitaccess.kube.api import Cluster, Refused
from jitaccess.manifests.resources import Resource
from jitaccess.workqueue.store import Open


@dataclass(frozen=True, slots=True)
class RoleFacts:
    """A role as people are shown it; None if there is no such role, and why it cannot be read if it cannot."""

    shown: ShownRole | None
    unreadable: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What was true a moment ago, of a request that is there."""

    request: AccessRequest
    policy: AccessPolicy | None
    role: RoleFacts


async def read_facts(
    cluster: Cluster, resource: Resource, key: Key, known: Open | None, table: RiskTable = KNOWN
) -> Facts | None:
    """Read everything that a decision about that request needs; None if there is no request. `known` lets all be read at once."""
    if known is None:
        request = await cluster.request(resource, key)
        if request is None:
            return None
        policy, role = await asyncio.gather(
            cluster.policy(request.policy), read_role(cluster, request.role, key.namespace, table)
        )
    else:
        request, policy, role = await asyncio.gather(
            cluster.request(resource, key),
            cluster.policy(known.policy),
            read_role(cluster, known.role, key.namespace, table),
        )
    return Facts(request, policy, role) if request else None


async def read_role(cluster: Cluster, role: RoleRef, namespace: str, table: RiskTable = KNOWN) -> RoleFacts:
    """Read a role; that it is missing, or may not be read, is a fact too."""
    try:
        found = await cluster.role(role, namespace)
    except Refused as error:
        return RoleFacts(None, str(error))
    return RoleFacts(table.shown(found) if found else None)


def role_obstacle(request: AccessRequest, role: RoleFacts) -> Objection | None:
    """What about the role stands in the way of a binding; None if nothing does."""
    if role.unreadable:
        return role_unreadable(request.role)
    return role_not_found(request) if role.shown is None else None
