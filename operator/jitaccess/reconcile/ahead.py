"""Jobs that are made ahead of their grants, while everything is read anew: used by the grant, or taken back."""

from dataclasses import dataclass
from datetime import timedelta

from jitaccess.domain.model import AccessRequest, Key
from jitaccess.domain.verdicts import Grant
from jitaccess.kube.api import Conflict
from jitaccess.manifests.grant import GRACE
from jitaccess.reconcile.guards import Guard, Guards


@dataclass(frozen=True, slots=True)
class Ahead:
    """A Job that waits for its grant, which is the one that was foreseen when it was made."""

    grant: Grant
    guard: Guard


class JobsAhead:
    """The Jobs that were made for grants that have not begun, one a request."""

    def __init__(self, guards: Guards) -> None:
        self._guards = guards
        self._waiting: dict[Key, Ahead] = {}

    async def make(self, grant: Grant) -> None:
        """Make the Job of a grant that is foreseen; Blocked if its name is taken."""
        if grant.request not in self._waiting:
            self._waiting[grant.request] = Ahead(grant, await self._guards.make(grant))

    async def guard(self, grant: Grant) -> Guard:
        """The Job for a grant that is about to begin: the one that waits for it, or one made now."""
        waiting = self._waiting.get(grant.request)
        if waiting and (waiting.grant.request_uid != grant.request_uid or abs(_behind(waiting, grant)) > GRACE / 2):
            await self.take_back(grant.request)
        await self.make(grant)
        return self._waiting[grant.request].guard

    def still_in_time(self, grant: Grant) -> None:
        """Conflict where the Job would go before the grant, as it begins now, ends: then begin anew."""
        if _behind(self._waiting[grant.request], grant) > GRACE * 0.8:
            raise Conflict(f"the Job for {grant.request} was made for an earlier end")

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


def _behind(waiting: Ahead, grant: Grant) -> timedelta:
    """How much too early a Job that waits would go for the grant: it took long, or ends with another window now."""
    return grant.expires_at - waiting.grant.expires_at
