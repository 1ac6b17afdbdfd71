"""The directory follows the policies: compared as a whole, now and then and when they have changed; nothing depends on it."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby

from jitaccess.domain.model import AccessPolicy, Key
from jitaccess.domain.recorded import condition_of
from jitaccess.domain.reviews import under_review_alone
from jitaccess.kube.api import Cluster, Conflict, Outage, Refused
from jitaccess.manifests.derived import derived_selector, directory_manifests, is_derived, policy_of
from jitaccess.manifests.directory import DIRECTORY
from jitaccess.manifests.grant import Object
from jitaccess.manifests.kinds import ACCESS_POLICY
from jitaccess.manifests.parse import key_of
from jitaccess.manifests.resources import ROLE_BINDINGS, ROLES, Resource
from jitaccess.reconcile.making import make_same
from jitaccess.reconcile.removal import NotEnded, remove
from jitaccess.workqueue.store import Store

LOOK_SECONDS = 2.0  # how soon a change of a policy shows
RETRY_SECONDS = 10.0
MOST_PROBLEMS = 3
AT_ONCE = 8  # the API server takes a tenth of a second for each write of RBAC, whoever waits meanwhile
COMPARE_SECONDS = 600.0  # how soon a change of the directory by somebody else is put right

log = logging.getLogger(__name__)

Place = tuple[Resource, Key]
Places = dict[Place, Object]


class Directory:
    """Keeps the entries of all namespaced policies in force; what there is to write is for the one that leads."""

    def __init__(self, cluster: Cluster, store: Store, leads: Callable[[], bool]) -> None:
        self._cluster = cluster
        self._known = store.policies[ACCESS_POLICY.resource]
        self._leads = leads
        self._problem = ""

    async def keep_for_ever(self) -> None:
        """Compare soon after policies have changed, or we began to lead, and every few minutes."""
        seen, left = 0, 0.0
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            left -= LOOK_SECONDS
            now = hash(frozenset(map(_version, self._listed()))) if self._leads() else 0
            if now and (now != seen or left <= 0):
                left = COMPARE_SECONDS if await self._succeeded() else RETRY_SECONDS
            seen = now

    async def _succeeded(self) -> bool:
        try:
            problem = next(iter(await self.compare()), "")
        except Outage as error:
            problem = str(error)
        if problem and problem != self._problem:
            log.warning("the directory, by which people find the policies that name them, is incomplete: %s", problem)
        self._problem = problem
        return not problem

    async def compare(self) -> list[str]:
        """Make the directory say what the policies say, with a write for each difference; returns what was refused, in words."""
        found = await self._found()
        wanted = {place: entry for policy in self._listed() for place, entry in _entries(policy)}
        problems: list[str] = []
        places = sorted({*found, *wanted}, key=lambda place: (place[1], place[0] is ROLE_BINDINGS))  # a Role before its binding
        work = iter([list(pair) for _, pair in groupby(places, key=lambda place: place[1])])

        async def agree() -> None:
            for pair in work:
                if len(problems) < MOST_PROBLEMS:  # as many as there are policies where the namespace is missing
                    problems.extend(await self._agreed(pair, wanted, found))

        await asyncio.gather(*(agree() for _ in range(AT_ONCE)))
        return problems

    async def _agreed(self, pair: Iterable[Place], wanted: Places, found: Places) -> list[str]:
        try:
            for place in pair:
                await self._agree(place, wanted.get(place), found.get(place))
        except (Refused, Conflict, NotEnded) as error:
            return [str(error)]
        return []

    async def _found(self) -> Places:
        found: Places = {}
        selector = derived_selector(ACCESS_POLICY)
        for resource in (ROLE_BINDINGS, ROLES):
            async for item in self._cluster.list_objects(resource, namespace=DIRECTORY, labelSelector=selector):
                found[resource, key_of(item)] = dict(item)
        return found

    async def _agree(self, place: Place, wanted: Object | None, found: Object | None) -> None:
        resource, key = place
        if wanted is not None:
            await make_same(self._cluster, resource, found, wanted)
        elif await self._is_stale(key):
            await remove(self._cluster, resource, key, is_derived)

    def _listed(self) -> Iterator[AccessPolicy]:
        known = (self._known.get(key) for key in self._known.all())
        return (listed for policy in known if policy and (listed := _as_listed(policy)))

    async def _is_stale(self, key: Key) -> bool:
        """Whether an entry is nobody's, which what we remember cannot tell: it may not be complete yet."""
        policy = policy_of(key, ACCESS_POLICY)
        found = await self._cluster.find(ACCESS_POLICY.resource, policy) if policy else None
        known = self._known.get(policy) if policy else None
        listed = _as_listed(known) if known else None
        return found is None or (
            known is not None and key not in {entry for (_, entry), _ in (_entries(listed) if listed else ())}
        )


def _version(listed: AccessPolicy) -> tuple[str, int, bool]:
    return listed.uid, listed.generation, bool(listed.requesters)


def _as_listed(policy: AccessPolicy) -> AccessPolicy | None:
    """The policy with the lists that have entries: all of one in force, else its reviewers; None where none has any."""
    ready = condition_of(policy.recorded.conditions, "Ready")
    if policy.deleting or ready is None:
        return None
    return policy if ready.status == "True" else under_review_alone(policy)


def _entries(policy: AccessPolicy) -> Iterator[tuple[Place, Object]]:
    for role, binding in directory_manifests(policy, ACCESS_POLICY):
        yield (ROLES, key_of(role)), role
        yield (ROLE_BINDINGS, key_of(binding)), binding
