"""Seeded bugs: one method each, as it was once, or as somebody could well write it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import datetime
from enum import Enum
from typing import Any
from unittest import mock

from jitaccess.domain import counting, rules
from jitaccess.domain.counting import given_approvals
from jitaccess.domain.lifecycle import decide
from jitaccess.domain.model import AccessPolicy, AccessRequest, Decision, Key
from jitaccess.domain.recorded import ObjectRef, Recorded
from jitaccess.domain.recording import Delivery, Outcome
from jitaccess.domain.verdicts import Grant, Verdict
from jitaccess.kube.api import Cluster
from jitaccess.kube.clock import Clock
from jitaccess.manifests.grant import binding_manifest, grant_key, grant_name, is_same
from jitaccess.manifests.identity import identity_parts
from jitaccess.manifests.kinds import RequestKind
from jitaccess.manifests.parse import parse_request
from jitaccess.manifests.resources import Resource
from jitaccess.manifests.status import request_status
from jitaccess.reconcile import identities, recorder, removal
from jitaccess.reconcile.ahead import JobsAhead
from jitaccess.reconcile.ending import Endings
from jitaccess.reconcile.facts import Facts
from jitaccess.reconcile.grants import Checked, Grants
from jitaccess.reconcile.guards import Guard
from jitaccess.reconcile.locks import LockReconciler
from jitaccess.reconcile.requests import RequestReconciler
from jitaccess.reconcile.room import Room
from unit.protocol.plans import BINDING, IDENTITY, LIMITED, STAGED


async def _bind_first(self: RequestReconciler, facts: Facts, guard: Guard) -> None:
    request = facts.request
    verdict = decide(request, facts.policy, self._now(), facts.around)
    assert verdict.grant
    await self._grants.bind(verdict.grant, guard.job)
    delivery = Delivery(ObjectRef(grant_name(request.key, request.uid)), guard.job)
    request = await self._recorder.record(request, Outcome(verdict, facts.policy, facts.role.shown, delivery))
    self._ahead.used(request)
    self._recorder.plan(request.key, verdict)


async def _record_version(self: Cluster, resource: Resource, request: AccessRequest, recorded: Recorded) -> AccessRequest | None:
    expected = {"op": "test", "path": "/metadata/resourceVersion", "value": request.resource_version}
    written = await self.write_status(resource, request.key, request.uid, request_status(recorded), expected)
    return parse_request(written) if written else None


async def _record_anyway(self: Cluster, resource: Resource, request: AccessRequest, recorded: Recorded) -> AccessRequest | None:
    written = await self.write_status(resource, request.key, request.uid, request_status(recorded))
    return parse_request(written) if written else None


def _resume_afresh(check: Callable[..., Any]) -> Callable[..., Any]:
    async def resume(self: Grants, grant: Grant, job: ObjectRef | None, known_uid: str) -> Checked:
        found = await self._cluster.find(self._kind.binding, grant_key(grant.request, grant.request_uid))
        if found is None:
            now = self._now()
            grant = replace(grant, granted_at=now, expires_at=now + (grant.expires_at - grant.granted_at))
        checked: Checked = await check(self, grant, job, known_uid)
        return checked

    return resume


async def _put_back_anyway(self: Grants, grant: Grant, job: ObjectRef | None, known_uid: str) -> Checked:
    found = await self._cluster.find(self._kind.binding, grant_key(grant.request, grant.request_uid))
    if found and is_same(found, binding_manifest(self._kind, grant, job)):
        return Checked()
    return Checked(await self.bind(grant, job), restored="missing")


async def _delete_blindly(cluster: Cluster, resource: Resource, key: Key, uid: str) -> None:
    await cluster.delete(resource, key, uid)


async def _record_the_end_first(self: Endings, facts: Facts, verdict: Verdict) -> None:
    request = await self._recorder.record(facts.request, Outcome(verdict, facts.policy))
    await self._remove_binding(request.key, request.uid, request.recorded.job)
    await self._drop_job(request.key, request.uid, request.recorded)
    self._recorder.forget(request.key)


def _of_nobody(kind: RequestKind, grant: Grant, _: ObjectRef | None) -> Any:
    return identity_parts(kind, grant, None)


def _in_every_stage(request: AccessRequest, policy: AccessPolicy | None = None) -> tuple[Decision, ...]:
    return given_approvals(request)


def _wall(self: Clock) -> datetime:
    return self._wall()


class Bug(Enum):
    """What is wrong."""

    BINDING_FIRST = "the binding is made before the record"
    VERSION = "a record asks for the resourceVersion"
    ANY_REVISION = "a record goes on top of any revision"
    FRESH_WINDOW = "a grant that is resumed gets a fresh window"
    END_UNSEEN = "a binding is not seen to be gone"
    NO_JOB = "a binding is put back though its Job is gone"
    END_FIRST = "the end is recorded before the binding is gone"
    JOB_TAKEN = "a Job is taken back though its grant is on record"
    LOST_NEWS = "what happens between reading and recording is no news"
    OWN_CLOCK = "the machine's clock is believed"
    ANY_POLICY = "another policy of the same name inherits the approvals"
    ANY_ROLE = "a role that was changed is what was shown"
    UNOWNED_IDENTITY = "the Job takes nothing of an identity along"
    ENDLESS_IDENTITY = "an identity is ended, and the binding that points at it is not"
    DEAF_TO_LOCKS = "nobody is looked at for being locked"
    DEAF_TO_SUSPENSIONS = "that a policy is suspended speaks against nothing"
    IN_EVERY_STAGE = "a person counts in every stage in which they have approved"
    NO_ROOM_TAKEN = "a grant whose record is under way takes no room"
    NOT_COUNTED_ANEW = "whoever takes over counts what it has begun itself"

    @property
    def life(self) -> str:
        """The kind of life in which this shows."""
        return _LIVES.get(self, BINDING)

    @contextmanager
    def seeded(self) -> Iterator[None]:
        """The operator with this bug."""
        with _PATCHES[self]():
            yield


_LIVES = {
    Bug.UNOWNED_IDENTITY: IDENTITY,
    Bug.ENDLESS_IDENTITY: IDENTITY,
    Bug.IN_EVERY_STAGE: STAGED,
    Bug.NO_ROOM_TAKEN: LIMITED,
    Bug.NOT_COUNTED_ANEW: LIMITED,
}


def _counts_in_every_stage() -> Any:
    return mock.patch.multiple(counting, counting_approvals=_in_every_stage)


def _begins_with_nothing() -> Any:
    async def count(self: Room, policy: AccessPolicy, _: AccessRequest) -> None:
        self._tally.expect(policy.ref)
        self._tally.listed(policy.ref, [])

    return mock.patch.object(Room, "_count", count)


def _rules_without(rule: Callable[..., Any]) -> Any:
    return mock.patch.object(rules, "RULES", tuple(each for each in rules.RULES if each is not rule))


_PATCHES: dict[Bug, Callable[[], Any]] = {
    Bug.BINDING_FIRST: lambda: mock.patch.object(RequestReconciler, "_begin", _bind_first),
    Bug.VERSION: lambda: mock.patch.object(Cluster, "record", _record_version),
    Bug.ANY_REVISION: lambda: mock.patch.object(Cluster, "record", _record_anyway),
    Bug.FRESH_WINDOW: lambda: mock.patch.object(Grants, "check", _resume_afresh(Grants.check)),
    Bug.END_UNSEEN: lambda: mock.patch.object(removal, "_delete", _delete_blindly),
    Bug.NO_JOB: lambda: mock.patch.object(Grants, "check", _put_back_anyway),
    Bug.END_FIRST: lambda: mock.patch.object(Endings, "end", _record_the_end_first),
    Bug.JOB_TAKEN: lambda: mock.patch.object(JobsAhead, "used", return_value=None),
    Bug.LOST_NEWS: lambda: mock.patch.object(recorder, "facts_of", return_value=0),
    Bug.OWN_CLOCK: lambda: mock.patch.object(Clock, "now", _wall),
    Bug.ANY_POLICY: lambda: _rules_without(rules._recreated),
    Bug.ANY_ROLE: lambda: _rules_without(rules._changed),
    Bug.UNOWNED_IDENTITY: lambda: mock.patch.object(identities, "identity_parts", _of_nobody),
    Bug.ENDLESS_IDENTITY: lambda: mock.patch.object(Endings, "_remove_binding", mock.AsyncMock(return_value=None)),
    Bug.DEAF_TO_LOCKS: lambda: mock.patch.object(LockReconciler, "_wake", return_value=None),
    Bug.DEAF_TO_SUSPENSIONS: lambda: _rules_without(rules._suspended),
    Bug.IN_EVERY_STAGE: _counts_in_every_stage,
    Bug.NO_ROOM_TAKEN: lambda: mock.patch.object(Room, "taken", return_value=nullcontext()),
    Bug.NOT_COUNTED_ANEW: _begins_with_nothing,
}
assert set(_PATCHES) == set(Bug)
