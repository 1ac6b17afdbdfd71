"""What is read before anything is decided: the request, its policy and its role, live and side by side."""

import asyncio
from dataclasses import dataclass

from jitaccess.domain.lifecycle import ROLE_NOT_FOUND, ROLE_UNREADABLE
from jitaccess.domain.model import AccessPolicy, AccessRequest, Key, RoleRef
from jitaccess.domain.risk import KNOWN, RiskTable
from jitaccess.domain.roles import ShownRole
from jitaccess.domain.rules import Objection
from jitaccess.kube.api import Cluster, Refused
from jitaccess.manifests.resources import Scope
from jitaccess.workqueue.store import Open


@dataclass(frozen=True, slots=True)
class RoleFacts:
    """A role as people are shown it; None if there is no such role, and why it cannot be read if it cannot."""

    shown: ShownRole | None
    unreadable: str = ""

    @property
    def risks(self) -> tuple[str, ...]:
        """What the role allows that outlives a grant."""
        return self.shown.risks if self.shown else ()


@dataclass(frozen=True, slots=True)
class Facts:
    """What was true a moment ago; `role` is read only while a grant may still begin."""

    request: AccessRequest | None
    policy: AccessPolicy | None = None
    role: RoleFacts | None = None


async def read_facts(cluster: Cluster, scope: Scope, key: Key, known: Open | None, table: RiskTable = KNOWN) -> Facts:
    """Read everything that a decision about that request needs; `known` lets all of it be read at once."""
    if known is None:
        request = await cluster.request(key, scope)
        if request is None:
            return Facts(None)
        policy, role = await asyncio.gather(
            cluster.policy(request.policy, scope), read_role(cluster, request.role, key.namespace, table)
        )
        return Facts(request, policy, role)
    request, policy, active_role = await asyncio.gather(
        cluster.request(key, scope),
        cluster.policy(known.policy, scope),
        _nothing() if known.active else read_role(cluster, known.role, key.namespace, table),
    )
    return Facts(request, policy, active_role)


async def read_role(cluster: Cluster, role: RoleRef, namespace: str, table: RiskTable = KNOWN) -> RoleFacts:
    """Read a role; that it is missing, or may not be read, is a fact too."""
    try:
        found = await cluster.role(role, namespace)
    except Refused as error:
        return RoleFacts(None, str(error))
    return RoleFacts(table.shown(found) if found else None)


def role_obstacle(request: AccessRequest, role: RoleFacts | None) -> Objection | None:
    """What about the role stands in the way of a binding; None if nothing does."""
    if role and role.unreadable:
        fix = "add it, with the verbs get and bind, to the ClusterRole jitaccess-grantable-roles"
        return Objection(ROLE_UNREADABLE, f"the operator may not read {request.role}: {fix}")
    if role is None or role.shown is None:
        where = f" in namespace {request.key.namespace}" if request.role.kind == "Role" else ""
        return Objection(ROLE_NOT_FOUND, f"there is no {request.role}{where}: create it")
    return None


async def _nothing() -> None:
    return None
