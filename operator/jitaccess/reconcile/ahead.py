"""Jobs that are made ahead of their grants, while everything is read anew: used by the grant, or taken back."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from jitaccess.domain.lifecycle import Grant
from jitaccess.domain.model import AccessRequest, Key
from jitaccess.kube.api import Conflict
from jitaccess.manifests.grant import GRACE
from jitaccess.reconcile.guards import Guard, Guards


@dataclass(frozen=True, slots=True)
class Ahead:
    """A Job that waits for its grant; `since` is when its time to live was counted from."""

    grant: Grant
    guard: Guard
    since: datetime


class JobsAhead:
    """The Jobs that were made for grants that have not begun, one a request."""

    def __init__(self, guards: Guards, now: Callable[[], datetime]) -> None:
        self._guards = guards
        self._now = now
        self._waiting: dict[Key, Ahead] = {}

    async def make(self, grant: Grant) -> None:
        """Make the Job of a grant that is foreseen; Blocked if its name is taken."""
        if grant.request not in self._waiting:
            since = self._now()
            self._waiting[grant.request] = Ahead(grant, await self._guards.make(grant), since)

    async def guard(self, grant: Grant) -> Guard:
        """The Job for a grant that is about to begin: the one that waits for it, or one made now."""
        waiting = self._waiting.get(grant.request)
        if waiting and (not _fits(waiting.grant, grant) or self._age(waiting) > GRACE / 2):
            await self.take_back(grant.request)
        await self.make(grant)
        return self._waiting[grant.request].guard

    def still_in_time(self, request: Key) -> None:
        """Conflict where the Job would go before a grant that begins now ends: everything took too long, so begin anew."""
        if self._age(self._waiting[request]) > GRACE * 0.8:
            raise Conflict(f"the Job for {request} was made too long ago")

    def used(self, request: AccessRequest) -> None:
        """The grant of that request is on record: the Job that it names is the grant's now."""
        waiting = self._waiting.get(request.key)
        if waiting and (waiting.guard.job is None or waiting.guard.job == request.recorded.job):
            del self._waiting[request.key]

    async def take_back(self, request: Key) -> None:
        """Remove the Job of a grant that did not begin, if one waits."""
        if request in self._waiting:
            waiting = self._waiting[request]
            await self._guards.unmake(waiting.grant, waiting.guard)
            del self._waiting[request]

    def _age(self, waiting: Ahead) -> timedelta:
        return self._now() - waiting.since


def _fits(made_for: Grant, grant: Grant) -> bool:
    """Whether a Job guards this grant too: of the same request, and for as long; an approval may have made it shorter since."""
    lengths = [each.expires_at - each.granted_at for each in (made_for, grant)]
    return made_for.request_uid == grant.request_uid and lengths[0] == lengths[1]
