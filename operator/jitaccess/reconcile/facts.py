"""What is read before anything is decided: the request, its policy and its role, live and side by side."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from jitaccess.domain.circumstances import Circumstances, Unreviewed
from jitaccess.domain.locks import NO_LOCKS, Locks
from jitaccess.domain.model import AccessPolicy, AccessRequest, Key, PolicyRef, RoleRef
from jitaccess.domain.obstacles import role_not_found, role_unreadable
from jitaccess.domain.recorded import State
from jitaccess.domain.reviews import unreviewed_of
from jitaccess.domain.risk import KNOWN, RiskTable
from jitaccess.domain.roles import Role, ShownRole
from jitaccess.domain.rules import Objection, seen_from
from jitaccess.domain.usage import Usage
from jitaccess.kube.api import Cluster, Outage, Refused
from jitaccess.manifests.parse import parse_request
from jitaccess.manifests.resources import ROLES, Resource
from jitaccess.manifests.reviews import AWAITING_REVIEW
from jitaccess.reconcile.provenance import with_provenance
from jitaccess.reconcile.sharing import SharedReads
from jitaccess.workqueue.locks import KnownLocks
from jitaccess.workqueue.store import Open

MOST_ROLES = 256  # whose words are remembered


@dataclass(frozen=True, slots=True)
class RoleFacts:
    """A role as people are shown it; None if there is no such role, and why it cannot be read if it cannot."""

    shown: ShownRole | None
    unreadable: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What was true a moment ago, of a request that is there; `guessed` where policy and locks are as the watch had them.

    `locks` are those that hold on the people in it, read live where the watch has told of one; of one that is newer the record of
    a grant is refused (LockedOut).
    """

    request: AccessRequest
    policy: AccessPolicy | None
    role: RoleFacts
    locks: Locks = NO_LOCKS
    guessed: bool = False
    usage: Usage | None = None  # of its policy's limits, where it has any
    unreviewed: tuple[Unreviewed, ...] = ()

    @property
    def around(self) -> Circumstances:
        """What a decision rests on beside the two."""
        return Circumstances(self.role.shown, self.usage, self.unreviewed, self.locks)


class Reader:
    """Reads policies and roles live, one read for all who wait for it, and requests where the watch is not enough."""

    def __init__(self, cluster: Cluster, table: RiskTable, known_locks: KnownLocks) -> None:
        self._cluster = cluster
        self._known_locks = known_locks
        # The same role is shown in the same words: to find them costs as much as to read it.
        self._show = lru_cache(maxsize=MOST_ROLES)(table.shown)
        self._policies: SharedReads[PolicyRef, AccessPolicy | None] = SharedReads(cluster.policy)
        self._labels: SharedReads[str, Mapping[str, str] | None] = SharedReads(cluster.labels)
        self._roles: SharedReads[tuple[RoleRef, str], RoleFacts] = SharedReads(self._role)
        self._locks: SharedReads[None, Locks] = SharedReads(lambda _: cluster.locks())

    async def facts(self, resource: Resource, key: Key, known: Open | None) -> Facts | None:
        """Everything that a decision about that request needs, live; None if it is gone. `known` lets all be read at once."""
        if known is None:
            request = await self._cluster.request(resource, key)
            return await self.around(resource, request) if request else None
        request, policy, role = await asyncio.gather(
            self._cluster.request(resource, key), self._policy_for(known.policy, key), self._role_for(known.role, key)
        )
        return await self._facts(resource, request, policy, role, await self._locks_on(request)) if request else None

    async def around(self, resource: Resource, request: AccessRequest) -> Facts:
        """The policy and the role of a request that is known already."""
        policy, role, locks = await asyncio.gather(
            self._policy_for(request.policy, request.key), self._role_for(request.role, request.key), self._locks_on(request)
        )
        return await self._facts(resource, request, policy, role, locks)

    async def with_locks(self, facts: Facts) -> Facts:
        """The same with the locks that hold now, whatever the watch has told."""
        return replace(facts, locks=await self._locks.get(None))

    async def learn_of_locks(self) -> list[Key]:
        """See the locks of which the watch has not told yet; returns those that are news; Outage where they cannot be read."""
        locks = await self._locks.get(None)
        locks_must_be_known(locks)
        return [Key("", lock.name) for lock in locks.found if self._known_locks.see(lock)]

    async def shown(self, request: AccessRequest, policy: AccessPolicy, locks: Locks) -> Facts:
        """The role of a request that gets nothing yet, whatever its policy is like at this very moment."""
        return Facts(request, policy, await self._role_for(request.role, request.key), locks, guessed=True)

    async def alone(self, resource: Resource, key: Key) -> Facts | None:
        """The request alone: for what ends by time, its policy and role say nothing."""
        request = await self._cluster.request(resource, key)
        return Facts(request, None, RoleFacts(None)) if request else None

    async def _facts(
        self, resource: Resource, request: AccessRequest, policy: AccessPolicy | None, role: RoleFacts, locks: Locks
    ) -> Facts:
        known = Facts(await with_provenance(self._cluster, resource, request, policy), policy, role, locks)
        return await self.with_unreviewed(resource, known)

    async def with_unreviewed(self, resource: Resource, facts: Facts) -> Facts:
        """The same with what the person has that is not reviewed yet, as it is now, where the policy asks for that.

        The list follows what awaits a review, in the namespace of the policy or everywhere, whatever else is on record.
        """
        request, policy = facts.request, facts.policy
        if request.state is State.ACTIVE or not policy or not (policy.emergency and policy.emergency.block_until_reviewed):
            return facts
        listed = self._cluster.list_objects(resource, namespace=policy.key.namespace, fieldSelector=AWAITING_REVIEW)
        return replace(facts, unreviewed=unreviewed_of(request, [parse_request(item) async for item in listed]))

    async def _locks_on(self, request: AccessRequest) -> Locks:
        """A list of a kind in which nothing happens takes long where others write (docs/adr/0028), so it is not for everybody."""
        people = (request.requester, *(approval.by for approval in request.approvals))
        return await self._locks.get(None) if self._known_locks.may_be_on(people) else NO_LOCKS

    async def _policy_for(self, ref: PolicyRef, key: Key) -> AccessPolicy | None:
        if ref.key.namespace == key.namespace:
            return await self._policies.get(ref)
        # It may be for some namespaces only, and whether for this one is read live too.
        policy, labels = await asyncio.gather(self._policies.get(ref), self._labels.get(key.namespace))
        return seen_from(policy, key.namespace, labels) if policy else None

    async def _role_for(self, role: RoleRef, key: Key) -> RoleFacts:
        return await self._roles.get(place_of(role, key.namespace))

    async def _role(self, where: tuple[RoleRef, str]) -> RoleFacts:
        return await read_role(self._cluster, *where, self._show)


def place_of(role: RoleRef, namespace: str) -> tuple[RoleRef, str]:
    """A role and where it is: the same for all namespaces, empty, if it is a ClusterRole."""
    return role, namespace if role.kind == ROLES.kind else ""


async def read_role(
    cluster: Cluster, role: RoleRef, namespace: str, show: Callable[[Role], ShownRole] = KNOWN.shown
) -> RoleFacts:
    """Read a role; that it is missing, or may not be read, is a fact too."""
    try:
        found = await cluster.role(role, namespace)
    except Refused as error:
        return RoleFacts(None, str(error))
    return RoleFacts(show(found) if found else None)


def locks_must_be_known(locks: Locks) -> None:
    """Outage where the locks could not be read: nothing begins meanwhile, and what may have to end is looked at again."""
    if locks.unknown:
        raise Outage(f"whether anybody is locked is not known: {locks.unknown}")


def role_obstacle(request: AccessRequest, role: RoleFacts) -> Objection | None:
    """What about the role stands in the way of a binding; None if nothing does."""
    if role.unreadable:
        return role_unreadable(request)
    return role_not_found(request) if role.shown is None else None
