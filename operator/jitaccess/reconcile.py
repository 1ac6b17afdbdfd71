"""Read, decide, act, record: the same code for every trigger, be it an event, a deadline, a retry or the sweep."""

import asyncio
import logging
from dataclasses import dataclass, replace
from datetime import datetime

from jitaccess.announce import Announcer, News
from jitaccess.clock import Clock, Target, utcnow
from jitaccess.cluster import Cluster, Conflict, Refused
from jitaccess.grants import Blocked, Grants
from jitaccess.installation import FIX, Installation
from jitaccess.lifecycle import (
    NOT_INSTALLED,
    OBSTACLES,
    ROLE_NOT_FOUND,
    ROLE_UNREADABLE,
    Grant,
    Verdict,
    blocked,
    decide,
)
from jitaccess.model import AccessPolicy, AccessRequest, Key, Manifest, State
from jitaccess.policy import Objection, risk_objection
from jitaccess.record import Incident, Made, request_status
from jitaccess.resources import Scope
from jitaccess.risk import role_risks
from jitaccess.store import Open, Store

log = logging.getLogger(__name__)

Rules = list[Manifest] | Refused | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was decided and done in one pass over a request."""

    verdict: Verdict
    made: Made | None = None
    incident: Incident | None = None


class Requests:
    """Reconciles the requests of one scope."""

    def __init__(
        self, cluster: Cluster, scope: Scope, store: Store, clock: Clock, announcer: Announcer, installation: Installation
    ) -> None:
        self._cluster = cluster
        self._scope = scope
        self._store = store
        self._clock = clock
        self._announcer = announcer
        self._installation = installation
        self._grants = Grants(cluster, scope)

    async def reconcile(self, key: Key) -> None:
        """Make the cluster agree with what should be true of that request now."""
        known = self._store.get(key)
        request, policy, rules = await self._read(key, known)
        if known and (request is None or request.uid != known.uid):
            await self._end_deleted(key, known)
        if request is None:
            self._clock.forget(self._target(key))
            return
        if request.state.settled:
            self._store.forget(key)
            return
        self._store.see(request)
        now = utcnow()
        try:
            outcome = await self._act(request, policy, rules, now)
            await self._record(request, policy, outcome, now)
        except Conflict:
            # Somebody decided, or another replica acted, since we read: what is true now is for a fresh look to say.
            self._clock.now(self._target(key))

    async def _read(self, key: Key, known: Open | None) -> tuple[AccessRequest | None, AccessPolicy | None, Rules]:
        if known is None:
            request = await self._cluster.request(key, self._scope)
            if request is None:
                return None, None, None
            known = Open(request.uid, -1, request.policy, request.role, request.state is State.ACTIVE)
            return request, await self._cluster.policy(known.policy, self._scope), await self._rules(known, key.namespace)
        request, policy, rules = await asyncio.gather(
            self._cluster.request(key, self._scope),
            self._cluster.policy(known.policy, self._scope),
            self._rules(known, key.namespace),
        )
        return request, policy, rules

    async def _rules(self, known: Open, namespace: str) -> Rules:
        if known.active:
            return None
        try:
            return await self._cluster.role_rules(known.role, namespace)
        except Refused as error:
            return error

    async def _act(self, request: AccessRequest, policy: AccessPolicy | None, rules: Rules, now: datetime) -> Outcome:
        verdict = decide(request, policy, now)
        if verdict.state.settled:
            await self._grants.end(request.key, request.uid, request.binding, request.job)
            return Outcome(verdict)
        if verdict.grant is None or policy is None:
            return Outcome(verdict)
        try:
            if request.state is State.ACTIVE:
                made, incident = await self._grants.verify(request, verdict.grant, now)
                return Outcome(verdict, made, incident)
            self._clear(request, rules)
            return _refused_for_risk(request, policy, verdict, rules) or await self._begin(request, verdict, verdict.grant, now)
        except Blocked as block:
            return Outcome(blocked(verdict, block.obstacle, request.state))

    async def _begin(self, request: AccessRequest, verdict: Verdict, grant: Grant, now: datetime) -> Outcome:
        before = request.condition("Granted")
        if before and before.reason in OBSTACLES:
            await self._grants.rehearse(grant)
        grant, made = await self._grants.make(grant, now)
        return Outcome(replace(verdict, grant=grant, wake_at=grant.expires_at), made)

    def _clear(self, request: AccessRequest, rules: Rules) -> None:
        """Raise Blocked if something that can be seen beforehand stands in the way of a binding."""
        if self._installation.problems:
            raise Blocked(Objection(NOT_INSTALLED, f"{'; '.join(self._installation.problems)}: {FIX}"))
        if rules is None:
            where = f" in namespace {request.key.namespace}" if request.role.kind == "Role" else ""
            raise Blocked(Objection(ROLE_NOT_FOUND, f"there is no {request.role}{where}: create it"))
        if isinstance(rules, Refused):
            fix = "add it, with the verbs get and bind, to the ClusterRole jitaccess-grantable-roles"
            raise Blocked(Objection(ROLE_UNREADABLE, f"the operator may not read {request.role}: {fix}"))

    async def _record(self, request: AccessRequest, policy: AccessPolicy | None, outcome: Outcome, now: datetime) -> None:
        verdict, target = outcome.verdict, self._target(request.key)
        status = request_status(request, verdict, now, policy, outcome.made, outcome.incident)
        if status != request.status:
            version = await self._cluster.write_status(self._scope.request, request.key, request.resource_version, status)
            if version is None:
                return await self._grants.end(request.key, request.uid)
            self._store.wrote(request, version, verdict.state)
            self._announce(request, outcome)
        if verdict.state.settled:
            self._store.forget(request.key)
            self._clock.forget(target)
            return
        if verdict.wake_at:
            self._clock.at(target, verdict.wake_at)
        if verdict.reason in OBSTACLES:
            self._clock.retry(target)
        else:
            self._clock.done(target)

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
        people = {"requester": request.requester, "role": str(request.role), "by": verdict.by, "note": message}
        log.log(logging.WARNING if trouble else logging.INFO, "request %s", verdict.state.value, extra=facts | people)
        self._tell(request, reason, message, warning=trouble)
        if outcome.made and not outcome.made.job:
            self._tell(request, "ExpiryUnguarded", f"only the operator ends this access: {outcome.made.unguarded}", warning=True)

    def _tell(self, request: AccessRequest, reason: str, message: str, *, warning: bool) -> None:
        self._announcer.tell(News(self._scope.request, request.key, request.uid, reason, message, warning))

    def _target(self, key: Key) -> Target:
        return Target(self._scope.request, key)


def _refused_for_risk(request: AccessRequest, policy: AccessPolicy, verdict: Verdict, rules: Rules) -> Outcome | None:
    risks = role_risks(rules) if isinstance(rules, list) else ()
    if not risks or policy.allow_persistent_risk:
        return None
    against = risk_objection(policy, request.role, risks)
    return Outcome(Verdict(State.DENIED, against.reason, against.message, approvals=verdict.approvals))
