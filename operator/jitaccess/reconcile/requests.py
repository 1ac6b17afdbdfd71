"""Read, decide, act, record: the same code for every trigger, be it an event, a deadline, a retry or the sweep.

The order of writes is what the promises rest on (docs/adr/0016): the Job, then the record with the end of the grant, then the
binding; at the end the binding, then the record, then the Job.
"""

import asyncio
from dataclasses import replace
from functools import partial

from jitaccess.domain.circumstances import Circumstances
from jitaccess.domain.lifecycle import decide
from jitaccess.domain.model import AccessRequest, Key, RoleRef
from jitaccess.domain.obstacles import obstructed
from jitaccess.domain.recorded import DeliveredAs, ObjectRef, State
from jitaccess.domain.recording import Delivery, Outcome
from jitaccess.domain.rules import Objection
from jitaccess.domain.verdicts import Grant, Verdict, blocked, guard_gone
from jitaccess.kube.api import Conflict, LockedOut
from jitaccess.manifests.grant import grant_name
from jitaccess.manifests.identity import account_name
from jitaccess.manifests.kinds import RequestKind
from jitaccess.manifests.resources import LOCKS
from jitaccess.reconcile.ahead import JobsAhead
from jitaccess.reconcile.auditing import must_be_exported, sinks_must_work
from jitaccess.reconcile.blocked import Blocked, NotYet, must_be_installed
from jitaccess.reconcile.ending import Endings
from jitaccess.reconcile.facts import Facts, Reader, locks_must_be_known, role_obstacle
from jitaccess.reconcile.grants import Grants
from jitaccess.reconcile.guards import Guard
from jitaccess.reconcile.incidents import incidents_of
from jitaccess.reconcile.recorder import Recorder, Tools
from jitaccess.reconcile.room import Room
from jitaccess.reconcile.turns import Turns
from jitaccess.workqueue.schedule import Target
from jitaccess.workqueue.store import Open


class RequestReconciler:
    """Reconciles the requests of one kind."""

    def __init__(self, tools: Tools, kind: RequestKind) -> None:
        self._tools = tools
        self._kind = kind
        self._cluster = tools.cluster
        self._schedule = tools.schedule
        self._now = tools.now
        self._open = tools.store.requests[kind.resource]
        self._grants = Grants(
            tools.cluster, kind, tools.now, tools.job_image, partial(must_be_exported, tools.audit, kind.resource)
        )
        self._reader = Reader(tools.cluster, tools.table.for_access(everywhere=kind.everywhere), tools.store.locks)
        self._recorder = Recorder(tools, kind)
        self._room = Room(tools.cluster, kind.resource, self._open.tally, tools.now, self._look_soon)
        self._endings = Endings(tools, kind, self._recorder, self._grants)
        self._ahead = JobsAhead(self._grants.guards)
        self._proven: set[tuple[str, RoleRef, DeliveredAs]] = set()  # what could be bound where
        self._turns = Turns()
        self._held: dict[str, Guard] = {}  # by the UID of a request: its grant is on record, and the binding waits for the sinks

    async def reconcile(self, key: Key) -> None:
        """Make the cluster agree with what should be true of that request now."""
        known, hint = self._open.get(key), self._open.take(key)
        if await self._endings.cut(key, known):
            return
        hint = None if known and known.active else hint
        foreseen = self._foresee(hint)
        # What fails of the two must not leave the other one running behind our back.
        ahead, facts = await asyncio.gather(self._guard_ahead(foreseen), self._read(key, known, hint), return_exceptions=True)
        if isinstance(facts, BaseException):
            raise facts
        if isinstance(ahead, BaseException) and not isinstance(ahead, (Blocked, Conflict)):
            raise ahead
        try:
            await self._look(key, known, facts)
        except (Conflict, NotYet):
            # Somebody decided, or another replica acted, since we read: what is true now is for a fresh look to say.
            self._schedule.retry(self._recorder.target(key))
            return
        await self._ahead.take_back(key)

    def _look_soon(self, key: Key) -> None:
        self._schedule.soon(self._recorder.target(key))

    async def _read(self, key: Key, known: Open | None, hint: AccessRequest | None) -> Facts | None:
        """What the decision rests on.

        A request that waits is taken as the watch has just reported it: its record is only written on top of the one that the
        watch saw, and that of a grant only where nobody has denied or revoked it. Policy and role are read live before a grant.
        """
        resource = self._kind.resource
        if known and known.active and known.until and self._now() >= known.until:
            return await self._reader.alone(resource, key)
        if hint is None:
            return await self._reader.facts(resource, key, known)
        policy, locks = self._tools.store.policy(hint.policy), self._tools.store.locks.now
        verdict = decide(hint, policy, self._now(), Circumstances(locks=locks))
        waits = verdict.grant is None and verdict.state is hint.state
        return await (self._reader.shown(hint, policy, locks) if policy and waits else self._reader.around(resource, hint))

    async def _look(self, key: Key, known: Open | None, facts: Facts | None) -> None:
        if known and (facts is None or facts.request.uid != known.uid):
            # Another of the same name may be there already: its policy and role have not been read yet.
            await self._endings.deleted(key, known)
            return self._look_soon(key)
        if facts is None or facts.request.state.settled:
            if facts and known:
                return await self._endings.clear(facts.request, known)
            return self._recorder.forget(key)
        request = facts.request
        self._open.remember(request, request.resource_version, request.state)
        self._open.tally.see(request)
        await (self._look_at_active(facts) if request.state is State.ACTIVE else self._look_at_pending(facts))

    # --- before a grant

    def _foresee(self, request: AccessRequest | None) -> Grant | None:
        """The grant that is about to begin, going by what the watch has just reported.

        Reason enough to make its Job while everything is read anew; record and binding wait for what is true.
        """
        if request is None or request.state is not State.PENDING or self._tools.installation.problems or obstructed(request):
            return None
        policy = self._tools.store.policy(request.policy)
        around = self._room.foreseen(request, policy)
        if around is None:
            return None
        return decide(request, policy, self._now(), replace(around, locks=self._tools.store.locks.now)).grant

    async def _guard_ahead(self, foreseen: Grant | None) -> None:
        if foreseen:
            await self._ahead.make(foreseen)

    async def _look_at_pending(self, facts: Facts) -> None:
        request, facts = facts.request, await self._room.counted(facts)
        verdict = decide(request, facts.policy, self._now(), facts.around)
        self._room.looked_at(facts, verdict)
        if verdict.state.settled:
            return await self._endings.end(facts, verdict)
        if verdict.grant is None:
            await self._recorder.record(request, Outcome(verdict, facts.policy, facts.role.shown))
            return self._recorder.plan(request.key, verdict)
        if facts.guessed:
            return self._look_soon(request.key)
        locks_must_be_known(facts.locks)
        try:
            guard = await self._prepare(facts, verdict.grant)
        except Blocked as block:
            return await self._obstructed_by(facts, verdict, block)
        async with self._turns.of(facts.request, facts.policy):
            await self._begin(await self._reader.with_unreviewed(self._kind.resource, facts), guard)

    async def _prepare(self, facts: Facts, grant: Grant) -> Guard:
        """Everything that can be made sure of before the grant is on record; Blocked says what is in the way."""
        must_be_installed(self._tools.installation, self._kind)
        if obstacle := role_obstacle(facts.request, facts.role):
            raise Blocked(obstacle)
        sinks_must_work(self._tools.audit)
        if (grant.request.namespace, grant.role, grant.delivered_as) not in self._proven or obstructed(facts.request):
            await self._grants.rehearse(grant)
        return await self._ahead.guard(grant)

    async def _begin(self, facts: Facts, guard: Guard) -> None:
        """Record the grant with its end, then make the binding."""
        request, facts = facts.request, self._room.recounted(facts)
        verdict = decide(request, facts.policy, self._now(), facts.around)  # its time counts from here
        if verdict.grant is None:
            return self._look_soon(request.key)
        self._ahead.still_in_time(verdict.grant)
        delivery = _delivery(verdict.grant, guard.job, guard.missing)
        try:
            with self._room.taken(request, verdict.grant.expires_at):
                request = await self._recorder.record(request, Outcome(verdict, facts.policy, facts.role.shown, delivery))
        except LockedOut:
            for lock in await self._reader.learn_of_locks():
                self._schedule.soon(Target(LOCKS, lock))  # the watch will have nothing new to tell of it
            raise
        self._ahead.used(request)
        if decide(request, facts.policy, self._now(), facts.around).grant is None:
            return self._look_soon(request.key)  # somebody decided otherwise meanwhile
        await self._give(replace(facts, request=request), verdict, verdict.grant, guard)

    async def _give(self, facts: Facts, verdict: Verdict, grant: Grant, guard: Guard) -> None:
        """Make the binding of a grant that is on record."""
        request = facts.request
        try:
            bound = await self._grants.bind(grant, guard.job)
        except NotYet:
            self._held[request.uid] = guard
            raise
        except Blocked as block:
            return await self._obstructed_by(facts, verdict, block)
        if bound:
            self._bound(grant, bound.uid)
            if bound.unguarded:
                delivery = _delivery(grant, guard.job, bound.unguarded)
                await self._recorder.record(request, Outcome(verdict, delivery=delivery))
        self._recorder.plan(request.key, verdict)

    # --- while it lasts

    async def _look_at_active(self, facts: Facts) -> None:
        request, job, known = facts.request, facts.request.recorded.job, self._open.get(facts.request.key)
        self._ahead.used(request)  # where the answer to the record got lost
        verdict = decide(request, facts.policy, self._now(), facts.around)
        held = self._held.pop(request.uid, None)
        if verdict.grant:  # what would stay, or be put back: the API server stands in nobody's way there
            facts = await self._reader.with_locks(facts)
            verdict = decide(request, facts.policy, self._now(), facts.around)
        if verdict.grant is None:
            return await self._endings.end(facts, verdict)
        if held:
            return await self._give(facts, verdict, verdict.grant, held)
        try:
            checked = await self._grants.check(verdict.grant, job, known.binding if known else "")
        except Blocked as block:
            return await self._obstructed_by(facts, verdict, block)
        if checked.over:
            return await self._endings.end(facts, guard_gone(checked.over))
        incidents = incidents_of(self._kind, request, checked, known=bool(known and known.binding))
        if checked.bound:
            self._bound(verdict.grant, checked.bound.uid)
        delivery = _delivery(verdict.grant, job, checked.bound.unguarded if checked.bound else None)
        await self._recorder.record(request, Outcome(verdict, facts.policy, facts.role.shown, delivery, incidents))
        self._recorder.plan(request.key, verdict)
        locks_must_be_known(facts.locks)

    def _bound(self, grant: Grant, uid: str) -> None:
        self._open.bound(grant.request, uid)
        if (seconds := self._open.answered(grant.request)) is not None:
            self._tools.publisher.metrics.bound(self._kind.resource, seconds)
        self._proven.add((grant.request.namespace, grant.role, grant.delivered_as))

    async def _obstructed_by(self, facts: Facts, verdict: Verdict, block: Blocked) -> None:
        request = facts.request
        verdict = blocked(verdict, block.obstacle, request.state)
        self._open.tally.release(request.key)
        self._proven -= {(request.key.namespace, request.role, how) for how in DeliveredAs}
        await self._recorder.record(request, Outcome(verdict, facts.policy, facts.role.shown))
        self._recorder.plan(request.key, verdict)


def _delivery(grant: Grant, job: ObjectRef | None, unguarded: Objection | None) -> Delivery:
    return Delivery(ObjectRef(grant_name(grant.request, grant.request_uid)), job, unguarded, account_name(grant))
