"""The end of a grant: the binding first, then the record, then the Job; said loudly where the API server does not let it."""

import logging
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from jitaccess.domain.model import AccessRequest, Key
from jitaccess.domain.recorded import NOTHING_RECORDED, ObjectRef, Recorded, State
from jitaccess.domain.recording import Incident, Outcome
from jitaccess.domain.rules import LOCKED
from jitaccess.domain.verdicts import Verdict, not_ended
from jitaccess.kube.api import Conflict, Outage, Refused
from jitaccess.manifests.grant import grant_key, is_of
from jitaccess.manifests.kinds import RequestKind
from jitaccess.manifests.resources import LOCKS
from jitaccess.reconcile.facts import Facts
from jitaccess.reconcile.grants import Grants
from jitaccess.reconcile.recorder import Recorder, Tools
from jitaccess.reconcile.removal import NotEnded, Remains, remove
from jitaccess.workqueue.schedule import LONGEST_OUTAGE_RETRY, Target
from jitaccess.workqueue.store import Open

# An end that fails for the first time is tried again at once; one that goes on failing is said on the request.
LOUD_AFTER = 3
COUNT_AFTER = timedelta(seconds=1)  # of many that end at once for one lock, the count goes on its record once

log = logging.getLogger(__name__)


class Endings:
    """Ends the grants of one kind of request."""

    def __init__(self, tools: Tools, kind: RequestKind, recorder: Recorder, grants: Grants) -> None:
        self._tools = tools
        self._kind = kind
        self._open = tools.store.requests[kind.resource]
        self._recorder = recorder
        self._grants = grants
        self._unsure: dict[str, str] = {}  # by the UID of a request: the lock that its end is for, recorded or not

    async def cut(self, key: Key, known: Open | None) -> bool:
        """End access whose time is up, or whose person is locked, by what we know of it; True if it is gone, to be recorded next.

        So of many that end at once, each loses its access before the first is recorded. Where anything is not as we know it,
        the whole look that follows deals with it.
        """
        if known is None or not known.binding or known.gone or known.until is None:
            return False
        now = self._tools.now()
        over = now >= known.until
        if not over and not self._tools.store.locks.now.on(known.requester, now):
            return False
        try:
            if await self._remove_binding(key, known.uid, None):
                return False
        except (NotEnded, Outage) as error:
            if isinstance(error, Outage) and not self._goes_on_failing(key):
                raise
            return False
        if over:
            self._ended(known, known.until)
        self._open.unbound(key)
        self._tools.schedule.soon(self._recorder.target(key))
        return True

    async def end(self, facts: Facts, verdict: Verdict) -> None:
        """End the access, see that it is gone, record it; what cannot be ended stays open, and says so."""
        request, known = facts.request, self._open.get(facts.request.key)
        try:
            # Where no grant is on record there is no access: that is the order of writes.
            granted = request.recorded.granted_at is not None
            remains = await self._remove_access(request) if granted else None
        except (NotEnded, Outage) as error:
            if isinstance(error, Outage) and not self._goes_on_failing(request.key):
                raise
            late = not_ended(verdict, request.state, str(error))
            await self._recorder.record(request, Outcome(late, facts.policy))
            self._tools.schedule.retry(self._recorder.target(request.key), LONGEST_OUTAGE_RETRY)
            return
        if verdict.state is State.EXPIRED and known and known.until and not known.gone:
            self._ended(known, known.until)
        self._note_its_lock(facts)
        try:
            request = await self._recorder.record(request, Outcome(verdict, facts.policy, None, None, _emptied(remains)))
        except Conflict:
            self._unsure.pop(request.uid, None)  # whatever is on record, it is not ours
            raise
        # Before the Job, which takes a while: another request of that name may come meanwhile, and must not be forgotten.
        self._recorder.forget(request.key)
        if granted:
            self._count_for_its_lock(request)
            await self._drop_job(request.key, request.uid, request.recorded)

    def _note_its_lock(self, facts: Facts) -> None:
        """What is about to be recorded may be an end for a lock; the answer may be lost, and the record written."""
        lock = facts.locks.on(facts.request.requester, self._tools.now())
        self._unsure.pop(facts.request.uid, None)
        if lock and facts.request.recorded.granted_at:
            self._unsure[facts.request.uid] = lock.name

    def _count_for_its_lock(self, request: AccessRequest) -> None:
        """An end is on record: as one for a lock, or as another that came first."""
        lock = self._unsure.pop(request.uid, "")
        if lock and any(entry.reason == LOCKED for entry in request.recorded.history):
            self._tools.store.locks.has_ended(lock)
            self._tools.schedule.at(Target(LOCKS, Key("", lock)), self._tools.now() + COUNT_AFTER)

    async def clear(self, request: AccessRequest, known: Open) -> None:
        """Remove whatever is left of a request that somebody else, or a write whose answer was lost, has settled."""
        await self._remove_access(request)
        self._count_for_its_lock(request)
        self._recorder.forget(request.key)
        await self._drop_job(request.key, known.uid, request.recorded)

    async def deleted(self, key: Key, known: Open) -> None:
        """End the access of a request that was deleted; its record went with it, so the log and an Event say what it was."""
        gone = self._open.deleted(key)
        recorded = gone.recorded if gone else NOTHING_RECORDED
        try:
            remains = await self._remove_binding(key, known.uid, recorded.job)
            left = f"the binding stands without subjects: {remains.why}" if remains else ""
        except NotEnded as error:
            # There is no record to say it on, and another request of that name may wait: the binding has looks of its own.
            left = f"NOT ENDED: {error}"
            self._tools.schedule.retry(Target(self._kind.binding, grant_key(key, known.uid)), LONGEST_OUTAGE_RETRY)
        self._recorder.forget(key)
        await self._drop_job(key, known.uid, replace(recorded, job=None))
        self._tools.publisher.deleted(self._kind.resource, key, known.uid, gone, left)
        if gone:
            self._tools.audit.deleted(self._kind.resource, gone, left or "its access, if it had any, is ended")

    def _ended(self, known: Open, until: datetime) -> None:
        """The access is gone, at its end or later; a Job was to end it too, unless the record says that none is."""
        self._tools.publisher.metrics.ended(self._kind.resource, self._tools.now() - until, guarded=not known.unguarded)

    def _goes_on_failing(self, key: Key) -> bool:
        return self._tools.schedule.attempts(self._recorder.target(key)) >= LOUD_AFTER

    async def _remove_access(self, request: AccessRequest) -> Remains | None:
        """The binding first: that ends tokens and impersonation alike. Whatever becomes of it, a temporary identity goes too."""
        try:
            return await self._remove_binding(request.key, request.uid, request.recorded.job)
        finally:
            if request.recorded.identity:
                await self._grants.end_identity(request.key, request.uid)

    async def _remove_binding(self, key: Key, uid: str, job: ObjectRef | None) -> Remains | None:
        known = self._open.get(key)
        if known and known.uid == uid and known.gone:
            return None
        binding = known.binding if known and known.uid == uid else ""
        return await remove(
            self._tools.cluster,
            self._kind.binding,
            grant_key(key, uid),
            partial(is_of, request_uid=uid, job_uid=job.uid if job else ""),
            binding,
        )

    async def _drop_job(self, key: Key, uid: str, recorded: Recorded) -> None:
        """The Job, and with it whatever is left of an identity."""
        try:
            await self._grants.guards.end(key, uid, recorded.job, recorded.delivered_as)
        except (Outage, Refused, Conflict, NotEnded) as error:
            # It gives no access, and goes by itself; the sweep looks for it too.
            log.warning("the Job of an ended grant is left behind: %s", error, extra={"request": str(key), "uid": uid})


def _emptied(remains: Remains | None) -> tuple[Incident, ...]:
    if remains is None:
        return ()
    return (Incident("BindingEmptied", f"the binding {remains.name} stands without subjects, giving nothing: {remains.why}"),)
