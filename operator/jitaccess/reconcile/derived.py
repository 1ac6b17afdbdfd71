"""The roles and bindings that the lists of policies become: made exactly so, put right, and removed where they are not to be."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from dataclasses import dataclass
from functools import partial

from jitaccess.domain.model import AccessPolicy, Key, Manifest
from jitaccess.domain.obstacles import name_taken
from jitaccess.domain.reviews import under_review_alone
from jitaccess.domain.rules import Objection
from jitaccess.kube.api import Cluster, Conflict, Refused
from jitaccess.manifests.derived import derived_bindings, derived_names, derived_roles, derived_selector, is_derived, policy_of
from jitaccess.manifests.grant import Object, is_same
from jitaccess.manifests.kinds import REACH, PolicyKind, Reach, reach_of
from jitaccess.manifests.parse import key_of
from jitaccess.manifests.resources import Resource
from jitaccess.reconcile.making import make_same
from jitaccess.reconcile.removal import remove

AT_ONCE = 16  # writes; a policy may be for thousands of namespaces


@dataclass(frozen=True, slots=True)
class Refusal:
    """What could not be made in which namespace (empty: a role, or what is cluster-wide), and why."""

    namespace: str
    why: Objection


class Waves:
    """Work done several at once, however much there is; the first error is raised when its wave is through."""

    def __init__(self) -> None:
        self._waiting: list[Callable[[], Awaitable[Refusal | None]]] = []
        self.refusals: list[Refusal] = []

    async def add(self, work: Callable[[], Awaitable[Refusal | None]]) -> None:
        """Do it with the next wave."""
        self._waiting.append(work)
        if len(self._waiting) >= AT_ONCE:
            await self.done()

    async def done(self) -> None:
        """Do what waits."""
        wave, self._waiting = self._waiting, []
        results = await asyncio.gather(*(work() for work in wave), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
            if result:
                self.refusals.append(result)


class Derived:
    """What is derived from the policies of one kind; `has` says whether a component of deploy/ is installed."""

    def __init__(self, cluster: Cluster, kind: PolicyKind, has: Callable[[str], bool]) -> None:
        self._cluster = cluster
        self._kind = kind
        self._has = has

    async def agree(self, policy: AccessPolicy, namespaces: Collection[str]) -> list[Refusal]:
        """Make what a policy's lists become exactly so, in these namespaces (an empty one: cluster-wide) and nowhere else.

        What is too much goes before anything new comes. Returns what was refused.
        """
        reach, waves = reach_of(policy), Waves()
        for other in self._reaches():
            if other.binding is not reach.binding:
                await self._remove_bindings(policy.key, other)
        for role in derived_roles(policy, self._kind):
            await waves.add(partial(self._put if reach.blind else self._ensure, reach.role, role))
        await waves.done()
        if not waves.refusals:
            await self._agree_bindings(policy, reach, namespaces, waves)
        return waves.refusals

    async def agree_in(self, policy: AccessPolicy, namespace: str, found: Collection[Manifest]) -> list[Refusal]:
        """Make the bindings in one namespace exactly so, of which these are there already; what is too much stays."""
        reach, there, waves = reach_of(policy), {key_of(each): each for each in found}, Waves()
        for wanted in derived_bindings(policy, self._kind, namespace):
            await waves.add(partial(self._bind, reach.binding, wanted, there.get(key_of(wanted))))
        await waves.done()
        return waves.refusals

    async def withhold(self, policy: AccessPolicy, namespaces: Collection[str]) -> None:
        """Take back what a policy that is not in force gave, but for the right to review what was given under it."""
        left = under_review_alone(policy)
        if left is None or reach_of(policy) not in self._reaches():
            return await self.withdraw(policy.key)
        await self.withdraw(policy.key, [role["metadata"]["name"] for role in derived_roles(left, self._kind)])
        await self.agree(left, namespaces)

    async def withdraw(self, policy: Key, spared: Collection[str] = ()) -> None:
        """Take the rights that a policy gave away again, but for what has one of these names: bindings first."""
        for reach in self._reaches():
            await self._remove_bindings(policy, reach, spared)
        for reach in self._reaches():
            if not reach.blind:
                await self._remove_roles(policy, reach, {Key(policy.namespace, name) for name in spared})

    async def bindings_in(self, namespace: str, reach: Reach) -> list[Manifest]:
        """The bindings that are derived from policies of this kind, in one namespace."""
        selector = derived_selector(self._kind)
        return [each async for each in self._cluster.list_objects(reach.binding, namespace=namespace, labelSelector=selector)]

    async def remove(self, reach: Reach, binding: Manifest) -> None:
        """Remove a binding that is too much."""
        await remove(self._cluster, reach.binding, key_of(binding), is_derived, binding["metadata"]["uid"])

    def _reaches(self) -> list[Reach]:
        """How far policies of this kind may reach, as far as the operator may act there."""
        reaches = (REACH[scope] for scope in self._kind.scopes)
        return [reach for reach in reaches if not reach.component or self._has(reach.component)]

    async def _agree_bindings(self, policy: AccessPolicy, reach: Reach, namespaces: Collection[str], waves: Waves) -> None:
        there: set[Key] = set()
        left = False
        async for found in self._bindings(policy.key, reach):
            key = key_of(found)
            wanted = next((each for each in derived_bindings(policy, self._kind, key.namespace) if key_of(each) == key), None)
            if key.namespace not in namespaces or wanted is None:  # not selected, or a list that is gone
                await waves.add(partial(self._too_much, reach, found))
                left |= wanted is None
                continue
            there.add(key)
            if not is_same(found, wanted):
                await waves.add(partial(self._bind, reach.binding, wanted, found))
        await waves.done()
        for namespace in sorted(namespaces):
            for wanted in derived_bindings(policy, self._kind, namespace):
                if key_of(wanted) not in there:
                    await waves.add(partial(self._bind, reach.binding, wanted))
        await waves.done()
        if left and not reach.blind:
            await self._remove_roles(policy.key, reach, {key_of(role) for role in derived_roles(policy, self._kind)})

    async def _bindings(self, policy: Key, reach: Reach) -> AsyncIterator[Manifest]:
        """The bindings that are derived from a policy, wherever they are; of one recreated since, too."""
        selector = derived_selector(self._kind, policy.name)
        async for found in self._cluster.list_objects(reach.binding, namespace=policy.namespace, labelSelector=selector):
            if policy_of(key_of(found), self._kind) == policy:
                yield found

    async def _remove_bindings(self, policy: Key, reach: Reach, spared: Collection[str] = ()) -> None:
        waves = Waves()
        if self._kind.namespaced:  # by name: those of older versions lack the label
            for name in sorted({*derived_names(policy, self._kind)}.difference(spared)):
                await remove(self._cluster, reach.binding, Key(policy.namespace, name), is_derived)
        async for found in self._bindings(policy, reach):
            if key_of(found).name not in spared:
                await waves.add(partial(self._too_much, reach, found))
        await waves.done()

    async def _remove_roles(self, policy: Key, reach: Reach, wanted: Collection[Key] = ()) -> None:
        """Remove the roles that are derived from a policy, but for those that are wanted; they are bound to nobody any more."""
        selector = derived_selector(self._kind, policy.name)
        listed = self._cluster.list_objects(reach.role, namespace=policy.namespace, labelSelector=selector)
        found = {key_of(each) async for each in listed}
        by_name = {Key(policy.namespace, name) for name in derived_names(policy, self._kind)}  # older ones lack the label
        for key in sorted((found | by_name).difference(wanted)):
            if policy_of(key, self._kind) == policy:
                await remove(self._cluster, reach.role, key, is_derived)

    async def _too_much(self, reach: Reach, found: Manifest) -> None:
        await self.remove(reach, found)

    async def _put(self, resource: Resource, wanted: Object) -> Refusal | None:
        """For roles that the operator may not read: a write that changes nothing costs nothing."""
        try:
            await self._cluster.put(resource, wanted)
        except Refused as error:
            return _refused(resource, wanted, error)
        return None

    async def _ensure(self, resource: Resource, wanted: Object) -> Refusal | None:
        """Make the object exist exactly like that; returns why it cannot be, None when it does."""
        return await self._agree_on(resource, wanted, await self._cluster.find(resource, key_of(wanted)))

    async def _bind(self, resource: Resource, wanted: Object, found: Manifest | None = None) -> Refusal | None:
        """The same for a binding, which was listed before if it is there: most are new."""
        if found is None:
            try:
                await self._cluster.create(resource, wanted)
            except Refused as error:
                return _refused(resource, wanted, error)
            except Conflict:
                return await self._ensure(resource, wanted)
            return None
        return await self._agree_on(resource, wanted, found)

    async def _agree_on(self, resource: Resource, wanted: Object, found: Manifest | None) -> Refusal | None:
        if found and not is_derived(found):
            key = key_of(wanted)
            return Refusal(key.namespace, name_taken(resource.kind, key.name))
        try:
            await make_same(self._cluster, resource, found, wanted)
        except Refused as error:
            return _refused(resource, wanted, error)
        return None


def _refused(resource: Resource, wanted: Object, error: Refused) -> Refusal:
    name, namespace = wanted["metadata"]["name"], wanted["metadata"].get("namespace", "")
    return Refusal(namespace, Objection("Refused", f"the {resource.kind} {name} was refused: {error}"))
