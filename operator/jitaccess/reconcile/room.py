"""How much room is left under a policy with limits: listed live once in each leadership, and counted in memory from then on.

What it reads follows what is open and what was asked within a day, never what is on record in all.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta

from jitaccess.domain.circumstances import NOTHING_AROUND, Circumstances
from jitaccess.domain.model import AccessPolicy, AccessRequest, Key, PolicyRef, Scope
from jitaccess.domain.terms import NO_LIMITS
from jitaccess.domain.text import hour_of
from jitaccess.domain.usage import DAY, Held, Usage, counted_for_its_day, grant_held
from jitaccess.domain.verdicts import Verdict
from jitaccess.kube.api import Cluster, Conflict
from jitaccess.manifests.parse import parse_request
from jitaccess.manifests.resources import OPEN_REQUESTS, Resource
from jitaccess.manifests.status import UnknownState
from jitaccess.reconcile.blocked import NotYet
from jitaccess.reconcile.facts import Facts
from jitaccess.workqueue.tally import Asked, Tally, as_asked

HOUR = timedelta(hours=1)
COUNTS_AT_ONCE, LISTS_AT_ONCE = 4, 8  # policies that are counted side by side, and lists for each


class Room:
    """The room that there is for the requests of one kind."""

    def __init__(
        self, cluster: Cluster, resource: Resource, tally: Tally, now: Callable[[], datetime], wake: Callable[[Key], None]
    ) -> None:
        self._cluster = cluster
        self._resource = resource
        self._tally = tally
        self._now = now
        self._wake = wake
        self._counting: set[PolicyRef] = set()
        self._waiting: dict[Key, None] = {}  # the requests that wait for a count

    async def counted(self, facts: Facts) -> Facts:
        """What was read, with what is taken of its policy's limits; for that all is listed where it is not known.

        NotYet while somebody else counts: whoever waits holds no place in which an end that is due could be looked at.
        """
        policy = facts.policy
        if policy is None or not self.limits(facts.request, policy):
            return facts
        if not self._tally.knows(policy):
            await self._count_in_turn(policy, facts.request)
        return self.recounted(facts)

    def recounted(self, facts: Facts) -> Facts:
        """The same with what is taken at this very moment; Conflict if another leadership has begun since it was counted."""
        policy = facts.policy
        if policy is None or not self.limits(facts.request, policy):
            return facts
        usage = self.known(facts.request, policy)
        if usage is None:
            raise Conflict(f"what there is under {policy.ref} has to be counted anew")
        return replace(facts, usage=usage)

    def foreseen(self, request: AccessRequest, policy: AccessPolicy | None) -> Circumstances | None:
        """What can be said at once of what is around a request; None where it has to be counted first."""
        if policy is None or not self.limits(request, policy):
            return NOTHING_AROUND
        usage = self.known(request, policy)
        return Circumstances(usage=usage) if usage else None

    def looked_at(self, facts: Facts, verdict: Verdict) -> None:
        """A request is about to be recorded: for the first time it is one of its day, and without a grant it takes no room."""
        if facts.policy and facts.request.recorded.unseen:
            self._tally.ask(facts.request, facts.policy, verdict.reason)
        if verdict.grant is None:
            self._tally.release(facts.request.key)

    @contextmanager
    def taken(self, request: AccessRequest, until: datetime) -> Iterator[None]:
        """A grant takes room from before its record is written; nobody must be counted between the verdict and this.

        Where that fails it stays taken until the next look at the request: an answer that was lost may have been a yes.
        """
        self._tally.begin(request, until)
        try:
            yield
        finally:
            self._tally.answered(request.key)

    def limits(self, request: AccessRequest, policy: AccessPolicy) -> bool:
        """Whether a policy limits such requests."""
        reaches = (policy.scope is Scope.CLUSTER) is not bool(request.key.namespace)
        return policy.limits != NO_LIMITS and policy.ref == request.policy and reaches

    def known(self, request: AccessRequest, policy: AccessPolicy) -> Usage | None:
        """What is taken of the limits of a policy; None where that is not known."""
        return self._tally.usage(request, policy, self._now()) if self._tally.knows(policy) else None

    async def _count_in_turn(self, policy: AccessPolicy, request: AccessRequest) -> None:
        if policy.ref in self._counting or len(self._counting) >= COUNTS_AT_ONCE:
            self._waiting[request.key] = None
            raise NotYet(f"what there is under {policy.ref} is being counted")
        self._counting.add(policy.ref)
        try:
            await self._count(policy, request)
        finally:
            self._counting.remove(policy.ref)
        waiting, self._waiting = self._waiting, {}
        for key in waiting:
            self._wake(key)

    async def _count(self, policy: AccessPolicy, request: AccessRequest) -> None:
        tally, term = self._tally, self._tally.term
        with ExitStack() as undone:
            tally.expect(policy.ref)
            undone.callback(tally.unlisted, policy.ref)
            grants, days, oldest = await self._open_ones(policy, request)
            if policy.limits.requests_per_day is not None:
                days |= await self._settled_ones(policy, oldest - DAY)
            if tally.term != term:
                raise Conflict("another leadership has begun since the counting")
            undone.pop_all()
        if policy.limits.requests_per_day is not None:
            tally.listed_days(policy.uid, days)
        tally.listed(policy.ref, grants)

    async def _open_ones(self, policy: AccessPolicy, asking: AccessRequest) -> tuple[list[Held], dict[str, Asked], datetime]:
        """The active grants, the requests that were looked at, and when the oldest was made that was not (a day ago at most)."""
        grants: list[Held] = []
        days: dict[str, Asked] = {}
        oldest = asking.created
        async for request in self._list(policy, OPEN_REQUESTS):
            if grant := grant_held(request):
                grants.append(grant)
            if request.recorded.unseen:
                oldest = min(oldest, request.created)
            elif counted_for_its_day(request, policy):
                days[request.uid] = as_asked(request)
        return grants, days, max(oldest, self._now() - DAY)

    async def _settled_ones(self, policy: AccessPolicy, since: datetime) -> dict[str, Asked]:
        """The requests that were made since then and are settled, hour by hour, and the next, as a clock may have been ahead."""
        hours = [hour_of(since + number * HOUR) for number in range(int((self._now() - since) / HOUR) + 2)]
        days: dict[str, Asked] = {}
        for first in range(0, len(hours), LISTS_AT_ONCE):
            lists = (self._settled_in(policy, hour, since) for hour in hours[first : first + LISTS_AT_ONCE])
            # What fails of them must not leave the others running behind our back.
            for listed in await asyncio.gather(*lists, return_exceptions=True):
                if isinstance(listed, BaseException):
                    raise listed
                days |= listed
        return days

    async def _settled_in(self, policy: AccessPolicy, hour: str, since: datetime) -> dict[str, Asked]:
        return {
            request.uid: as_asked(request)
            async for request in self._list(policy, f"status.settledIn={hour}")
            if request.created > since and counted_for_its_day(request, policy)
        }

    async def _list(self, policy: AccessPolicy, selector: str) -> AsyncIterator[AccessRequest]:
        async for item in self._cluster.list_objects(self._resource, namespace=policy.key.namespace, fieldSelector=selector):
            await asyncio.sleep(0)  # a page is long, and whatever else there is to do goes in between
            try:
                request = parse_request(item)
            except UnknownState:
                continue  # a newer version's; it says so where it is watched
            if request.policy == policy.ref:
                yield request
