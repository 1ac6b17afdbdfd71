"""Read, decide, act, record: the same code for every trigger, be it an event, a deadline, a retry or the sweep."""

import asyncio
import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jitaccess.domain.lifecycle import NOT_INSTALLED, OBSTACLES, Grant, Verdict, blocked, decide, granted
from jitaccess.domain.model import AccessPolicy, AccessRequest, Key, State
from jitaccess.domain.rules import Objection, counting_approvals, risk_objection
from jitaccess.kube.api import Cluster, Conflict, Refused
from jitaccess.kube.installation import FIX, Installation
from jitaccess.manifests.resources import Scope
from jitaccess.manifests.status import Incident, Made, request_status
from jitaccess.publish.events import Announcer, News
from jitaccess.reconcile.facts import Facts, RoleFacts, read_facts, role_obstacle
from jitaccess.reconcile.grants import Blocked, Grants, Guard
from jitaccess.workqueue.clock import utcnow
from jitaccess.workqueue.schedule import Schedule, Target
from jitaccess.workqueue.store import Open, Store

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was decided and done in one pass over a request."""

    verdict: Verdict
    made: Made | None = None
    incident: Incident | None = None


class RequestReconciler:
    """Reconciles the requests of one scope."""

    def __init__(
        self, cluster: Cluster, scope: Scope, store: Store, schedule: Schedule, announcer: Announcer, installation: Installation
    ) -> None:
        self._cluster = cluster
        self._scope = scope
        self._store = store
        self._schedule = schedule
        self._announcer = announcer
        self._installation = installation
        self._grants = Grants(cluster, scope)

    async def reconcile(self, key: Key) -> None:
        """Make the cluster agree with what should be true of that request now."""
        now = utcnow()
        known = self._store.get(key)
        foreseen = self._foresee(self._store.take(key), now)
        guard, facts = await asyncio.gather(self._guard(foreseen, now), read_facts(self._cluster, self._scope, key, known))
        try:
            outcome = await self._look(key, known, facts, now, guard)
        except Conflict:
            # Somebody decided, or another replica acted, since we read: what is true now is for a fresh look to say.
            self._schedule.retry(self._target(key))
            return
        if guard and not (outcome and outcome.made):
            await self._grants.unguard(guard)

    async def _look(self, key: Key, known: Open | None, facts: Facts, now: datetime, guard: Guard | None) -> Outcome | None:
        request = facts.request
        if known and (request is None or request.uid != known.uid):
            # Another of the same name may be there already: its policy and role have not been read yet.
            await self._end_deleted(key, known)
            self._schedule.soon(self._target(key))
            return None
        if request is None or request.state.settled:
            self._store.forget(key)
            self._schedule.forget(self._target(key))
            return None
        self._store.remember(request, request.resource_version, request.state)
        outcome = await self._act(request, facts, now, guard)
        await self._record(request, facts.policy, outcome, now)
        return outcome

    def _foresee(self, request: AccessRequest | None, now: datetime) -> Grant | None:
        """The grant that is about to begin, going by what the watch has just told.

        Reason enough to make its Job while everything is read anew; the binding waits for what is true.
        """
        if request is None or request.state is not State.PENDING or self._installation.problems or _obstructed(request):
            return None
        return decide(request, self._store.policy(request.policy), now).grant

    async def _guard(self, foreseen: Grant | None, now: datetime) -> Guard | None:
        return await self._grants.guard(foreseen, now) if foreseen else None

    async def _act(self, request: AccessRequest, facts: Facts, now: datetime, guard: Guard | None) -> Outcome:
        verdict = decide(request, facts.policy, now)
        if verdict.state.settled:
            await self._grants.end(request.key, request.uid, request.binding, request.job)
        if verdict.grant is None or facts.policy is None:
            return Outcome(verdict)
        try:
            if request.state is State.ACTIVE:
                made, incident = await self._grants.verify(request, verdict.grant, now)
                return Outcome(verdict, made, incident)
            refusal = _refused_for_risk(request, facts.policy, facts.role)
            if refusal:
                return Outcome(refusal)
            self._raise_obstacle(request, facts)
            if _obstructed(request):
                await self._grants.rehearse(verdict.grant)
            grant, made = await self._grants.make(verdict.grant, now, guard)
            return Outcome(granted(grant, verdict.approvals), made)
        except Blocked as block:
            return Outcome(blocked(verdict, block.obstacle, request.state))

    def _raise_obstacle(self, request: AccessRequest, facts: Facts) -> None:
        problems = self._installation.problems
        missing = Objection(NOT_INSTALLED, f"{'; '.join(problems)}: {FIX}") if problems else None
        if obstacle := missing or role_obstacle(request, facts.role):
            raise Blocked(obstacle)

    async def _record(self, request: AccessRequest, policy: AccessPolicy | None, outcome: Outcome, now: datetime) -> None:
        verdict, target = outcome.verdict, self._target(request.key)
        status = request_status(request, verdict, now, policy, outcome.made, outcome.incident)
        if status != request.status:
            version = await self._write(request, status)
            if version is None:
                return await self._grants.end(request.key, request.uid)
            self._store.remember(request, version, verdict.state)
            self._announce(request, outcome)
        if verdict.state.settled:
            self._store.forget(request.key)
            self._schedule.forget(target)
            return
        if verdict.wake_at:
            self._schedule.at(target, verdict.wake_at)
        if verdict.reason in OBSTACLES:
            self._schedule.retry(target)
        else:
            self._schedule.done(target)

    async def _write(self, request: AccessRequest, status: dict[str, Any]) -> str | None:
        try:
            return await self._cluster.write_status(self._scope.request, request.key, request.resource_version, status)
        except Refused:
            # No access without a record: what cannot be written, unlike what cannot be written now, must not be.
            await self._grants.end(request.key, request.uid)
            raise

    async def _end_deleted(self, key: Key, known: Open) -> None:
        await self._grants.end(key, known.uid)
        self._store.forget(key)
        log.info("request deleted, access ended", extra={"request": str(key), "uid": known.uid, "reason": "RequestDeleted"})

    def _announce(self, request: AccessRequest, outcome: Outcome) -> None:
        verdict, incident = outcome.verdict, outcome.incident
        reason, message = (incident.reason, incident.message) if incident else (verdict.reason, verdict.message)
        before = request.condition("Granted")
        if not incident and before and before.reason == verdict.reason and before.message == verdict.message:
            return
        trouble = bool(incident) or verdict.reason in OBSTACLES
        facts = {"request": str(request.key), "uid": request.uid, "state": verdict.state.value, "reason": reason}
        by = verdict.by or ", ".join(approval.by for approval in verdict.approvals)
        people = {"requester": request.requester, "role": str(request.role), "by": by, "note": message}
        log.log(logging.WARNING if trouble else logging.INFO, "request %s", verdict.state.value, extra=facts | people)
        self._tell(request, reason, message, warning=trouble)
        if outcome.made and not outcome.made.job:
            self._tell(request, "ExpiryUnguarded", f"only the operator ends this access: {outcome.made.unguarded}", warning=True)

    def _tell(self, request: AccessRequest, reason: str, message: str, *, warning: bool) -> None:
        self._announcer.tell(News(self._scope.request, request.key, request.uid, reason, message, warning))

    def _target(self, key: Key) -> Target:
        return Target(self._scope.request, key)


def _obstructed(request: AccessRequest) -> bool:
    before = request.condition("Granted")
    return before is not None and before.reason in OBSTACLES


def _refused_for_risk(request: AccessRequest, policy: AccessPolicy, role: RoleFacts | None) -> Verdict | None:
    if role is None or not role.risks or policy.allow_persistent_risk:
        return None
    against = risk_objection(policy, request.role, role.risks)
    return Verdict(State.DENIED, against.reason, against.message, approvals=counting_approvals(request))
