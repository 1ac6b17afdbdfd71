"""The access of one grant: made (Job, then binding), checked, and ended (binding, then Job).

Names are deterministic, what is there is compared exactly, and deletes carry UIDs, so nothing rests on being the only replica.
The record of a grant is written between its Job and its binding (requests.py): there is never access without a record.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from jitaccess.domain.model import Key, Manifest
from jitaccess.domain.obstacles import binding_altered, binding_refused
from jitaccess.domain.recorded import DeliveredAs, ObjectRef
from jitaccess.domain.rules import Objection
from jitaccess.domain.verdicts import Grant
from jitaccess.kube.api import Cluster, Conflict, Refused
from jitaccess.manifests.grant import (
    JOB_IMAGE,
    Object,
    binding_manifest,
    gives_the_same,
    grant_key,
    is_of,
    is_same,
    kept_by,
)
from jitaccess.manifests.kinds import RequestKind
from jitaccess.manifests.parse import key_of
from jitaccess.reconcile.blocked import Blocked, must_be_ours
from jitaccess.reconcile.guards import Guards
from jitaccess.reconcile.identities import Identities, Standing
from jitaccess.reconcile.removal import remove


@dataclass(frozen=True, slots=True)
class Bound:
    """A binding that is there: its UID, and why it would not go by itself at the end, if so."""

    uid: str
    unguarded: Objection | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found of an active grant, and done about it; with `over` its Job is gone, and with it the right to renew it."""

    bound: Bound | None = None
    restored: str = ""
    identity_restored: tuple[str, ...] = ()  # the kinds of what was put back of it
    over: str = ""


class Grants:
    """The grants of one kind of request; `guards` are the Jobs behind them."""

    def __init__(
        self,
        cluster: Cluster,
        kind: RequestKind,
        now: Callable[[], datetime],
        job_image: str = JOB_IMAGE,
        admit: Callable[[Grant], None] = lambda _: None,
    ) -> None:
        self._cluster = cluster
        self._admit = admit  # raises what speaks against access that is about to begin
        self._kind = kind
        self._now = now
        self.guards = Guards(cluster, kind, now, job_image)
        self._identities = Identities(cluster, kind)
        self.end_identity = self._identities.end

    async def rehearse(self, grant: Grant) -> None:
        """Ask the API server whether the binding could be made, without making anything; Blocked says what is in the way."""
        await self._identities.rehearse(grant)
        try:
            await self._cluster.create(self._kind.binding, binding_manifest(self._kind, grant, None), dry_run=True)
        except Refused as error:
            raise Blocked(binding_refused(grant.role, grant.request.namespace, str(error))) from error
        except Conflict:
            found = await self._cluster.find(self._kind.binding, _key(grant))
            if found:
                must_be_ours(self._kind.binding, found, grant)

    async def bind(self, grant: Grant, job: ObjectRef | None) -> Bound | None:
        """Make the access exist, for what is left of its time; None if nothing is. Blocked says what is in the way."""
        return await self._bind(grant, job, await self._identities.make(grant, job)) if self._now() < grant.expires_at else None

    async def _bind(self, grant: Grant, job: ObjectRef | None, identity: Standing) -> Bound | None:
        if self._now() >= grant.expires_at:
            return None
        self._admit(grant)
        wanted = binding_manifest(self._kind, grant, job)
        try:
            made = await self._cluster.create(self._kind.binding, wanted)
        except Refused as error:
            raise Blocked(binding_refused(grant.role, grant.request.namespace, str(error))) from error
        except Conflict:
            made = await self._existing_binding(grant, wanted)
        return _as_delivered(grant, await self._as_bound(made, wanted), identity)

    async def check(self, grant: Grant, job: ObjectRef | None, known_uid: str) -> Checked:
        """Compare an active grant with what is there: put back what somebody deleted or changed, unless its time was up.

        A binding of the UID that we know is ours whatever somebody made of its labels.
        """
        found, guard = await asyncio.gather(self._cluster.find(self._kind.binding, _key(grant)), self.guards.find(grant, job))
        if job and (guard is None or guard["metadata"]["uid"] != job.uid):
            return Checked(over=f"the Job {job.name} behind it is gone")
        if self._now() >= grant.expires_at:
            return Checked()
        identity = await self._identities.check(grant, job)
        bound, restored = await self._check_binding(grant, job, found, known_uid, identity)
        if bound and not bound.unguarded and not restored:
            bound = replace(bound, unguarded=self.guards.fault(guard, grant))
        return Checked(bound, restored, identity.restored)

    async def _check_binding(
        self, grant: Grant, job: ObjectRef | None, found: Manifest | None, known_uid: str, identity: Standing
    ) -> tuple[Bound | None, str]:
        """The binding as it should be, and what it was before, if it was not."""
        wanted = binding_manifest(self._kind, grant, job)
        if found is None:
            return await self._bind(grant, job, identity), "missing"
        if is_same(found, wanted):
            return _as_delivered(grant, _bound(found), identity), ""
        if found["metadata"]["uid"] != known_uid:
            must_be_ours(self._kind.binding, found, grant)
        return _as_delivered(grant, await self._put_right(found, wanted, grant), identity), "changed by somebody"

    async def _existing_binding(self, grant: Grant, wanted: Object) -> Manifest:
        """The binding that is there already: ours, whose answer was lost, or something in the way."""
        found = await self._cluster.find(self._kind.binding, _key(grant))
        if found is None:
            raise Conflict(f"{self._kind.binding.kind} {_key(grant)} came and went")
        must_be_ours(self._kind.binding, found, grant)
        if is_same(found, wanted):
            return found
        await self._cluster.delete(self._kind.binding, _key(grant), found["metadata"]["uid"])
        return await self._cluster.create(self._kind.binding, wanted)

    async def _as_bound(self, made: Manifest, wanted: Object) -> Bound:
        if not gives_the_same(made, wanted):
            await self._cluster.delete(self._kind.binding, key_of(made), made["metadata"]["uid"])
            raise Blocked(binding_altered())
        if not is_same(made, wanted):
            return Bound(made["metadata"]["uid"], Objection("BindingChanged", "its owner or labels were changed as it was made"))
        return _bound(made)

    async def _put_right(self, found: Manifest, wanted: Object, grant: Grant) -> Bound:
        metadata = found["metadata"]
        if found.get("roleRef") != wanted["roleRef"]:
            ours = partial(is_of, request_uid=grant.request_uid)
            left = await remove(self._cluster, self._kind.binding, _key(grant), ours, metadata["uid"])
            if left:
                why = f"one with another role stands in its place: {left.why}"
                raise Blocked(binding_refused(grant.role, grant.request.namespace, why))
            return _bound(await self._cluster.create(self._kind.binding, wanted))
        kept = {"resourceVersion": metadata["resourceVersion"], "finalizers": metadata.get("finalizers") or []}
        right = {**wanted, "metadata": {**wanted["metadata"], **kept}}
        return _bound(await self._cluster.replace(self._kind.binding, _key(grant), right))


def _bound(found: Manifest, fault: Objection | None = None) -> Bound:
    keepers = kept_by(found)
    held = Objection("FinalizerAdded", f"finalizers keep the binding from going by itself: {keepers}") if keepers else None
    return Bound(found["metadata"]["uid"], held or fault)


def _as_delivered(grant: Grant, bound: Bound, identity: Standing) -> Bound:
    """What goes by itself is the identity, where there is one: what keeps the binding that points at it matters less."""
    return bound if grant.delivered_as is DeliveredAs.BINDING else Bound(bound.uid, identity.unguarded)


def _key(grant: Grant) -> Key:
    return grant_key(grant.request, grant.request_uid)
