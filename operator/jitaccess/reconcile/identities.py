"""The temporary identity of one grant, where it has one: made before the access binding, checked, and ended after it.

Account and Role first, then the right to impersonate; at the end that right, then Role and account (docs/adr/0019).
"""

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from jitaccess.domain.model import Key, Manifest, RoleRef
from jitaccess.domain.obstacles import identity_refused, name_taken
from jitaccess.domain.recorded import DeliveredAs, ObjectRef
from jitaccess.domain.rules import Objection
from jitaccess.domain.verdicts import Grant
from jitaccess.kube.api import Cluster, Conflict, Refused
from jitaccess.manifests.accounts import account_key
from jitaccess.manifests.grant import Object, gives_the_same, is_managed, is_same, kept_by
from jitaccess.manifests.identity import identity_parts
from jitaccess.manifests.kinds import REQUEST_KINDS, RequestKind
from jitaccess.manifests.parse import key_of
from jitaccess.manifests.resources import ROLE_BINDINGS, ROLES, SERVICE_ACCOUNTS, Resource
from jitaccess.reconcile.blocked import Blocked
from jitaccess.reconcile.removal import NotEnded, remove

log = logging.getLogger(__name__)

_NOBODY = "00000000-0000-0000-0000-000000000000"  # no request has this UID


@dataclass(frozen=True, slots=True)
class Standing:
    """An identity that is there: what of it was put back, and why it would not go by itself, if so."""

    restored: tuple[str, ...] = ()
    unguarded: Objection | None = None


class Identities:
    """The temporary identities of one kind of request; of a grant that is bound to its requester there is none."""

    def __init__(self, cluster: Cluster, kind: RequestKind) -> None:
        self._cluster = cluster
        self._kind = kind

    async def rehearse(self, grant: Grant) -> None:
        """Ask the API server whether account and Role could be made, without making anything; Blocked says what it said."""
        for resource, part in self._wanted(grant, None).items():
            if resource is ROLE_BINDINGS:  # which asks for the Role to be there
                continue
            with contextlib.suppress(Conflict):
                try:
                    await self._cluster.create(resource, part, dry_run=True)
                except Refused as error:
                    raise Blocked(identity_refused(str(error))) from error

    async def make(self, grant: Grant, job: ObjectRef | None) -> Standing:
        """Make everything exist exactly like that; Blocked says what is in the way."""
        return Standing(unguarded=_held([await self._ensure(*part, grant) for part in self._wanted(grant, job).items()]))

    async def check(self, grant: Grant, job: ObjectRef | None) -> Standing:
        """Compare with what is there, and put back what somebody deleted or changed."""
        wanted = self._wanted(grant, job)
        try:
            found = await asyncio.gather(*(self._cluster.find(resource, key_of(part)) for resource, part in wanted.items()))
        except Refused as error:  # the component was removed
            raise Blocked(identity_refused(str(error))) from error
        standing, restored = [], []
        for (resource, part), there in zip(wanted.items(), found, strict=True):
            if there is None or not is_same(there, part):
                restored.append(resource.kind)
                standing.append(await self._ensure(resource, part, grant))
            else:
                standing.append(there)
        return Standing(tuple(restored), _held(standing))

    async def end(self, request: Key, uid: str) -> None:
        """Remove the right to impersonate, then Role and account; what stays has no access, and the sweep looks for it."""
        for resource in (ROLE_BINDINGS, ROLES, SERVICE_ACCOUNTS):
            try:
                await remove(self._cluster, resource, account_key(request, uid), partial(is_managed, request_uid=uid))
            except (NotEnded, Refused, Conflict) as error:
                words = {"request": str(request), "uid": uid}
                log.warning("the %s of an ended grant is left behind: %s", resource.kind, error, extra=words)

    def _wanted(self, grant: Grant, job: ObjectRef | None) -> dict[Resource, Object]:
        return dict(identity_parts(self._kind, grant, job)) if grant.delivered_as is DeliveredAs.IDENTITY else {}

    async def _ensure(self, resource: Resource, wanted: Object, grant: Grant) -> Manifest:
        try:
            made = await self._cluster.create(resource, wanted)
        except Refused as error:
            raise Blocked(identity_refused(str(error))) from error
        except Conflict:
            made = await self._existing(resource, wanted, grant)
        if not gives_the_same(made, wanted):
            await self._cluster.delete(resource, key_of(made), made["metadata"]["uid"])
            why = "something in the cluster changes it; look for a mutating admission policy or webhook"
            raise Blocked(identity_refused(f"the {resource.kind} came out different: {why}"))
        return made

    async def _existing(self, resource: Resource, wanted: Object, grant: Grant) -> Manifest:
        """The part that is there already: ours, perhaps changed by somebody, or something in the way."""
        key = key_of(wanted)
        found = await self._cluster.find(resource, key)
        if found is None:
            raise Conflict(f"{resource.kind} {key} came and went")
        if not is_managed(found, grant.request_uid):
            raise Blocked(name_taken(resource.kind, key.name))
        if is_same(found, wanted):
            return found
        left = await self._cluster.delete(resource, key, found["metadata"]["uid"])
        if left:
            raise Blocked(identity_refused(f"the {resource.kind} was changed, and finalizers keep it: {kept_by(left)}"))
        return await self._cluster.create(resource, wanted)


async def lacking(cluster: Cluster) -> Objection | None:
    """Why no temporary identity could be made here, asked of the API server without making anything; None if one could."""
    since = datetime.fromtimestamp(0, UTC)
    nobody = Grant(Key("", "rehearsal"), _NOBODY, "nobody", RoleRef("", ""), since, since, DeliveredAs.IDENTITY)
    try:
        await Identities(cluster, REQUEST_KINDS[0]).rehearse(nobody)
    except Blocked as block:
        return block.obstacle
    return None


def _held(parts: list[Manifest]) -> Objection | None:
    """Why these would not go with their Job."""
    keepers = [f"{part['metadata']['name']} by {kept_by(part)}" for part in parts if kept_by(part)]
    if not keepers:
        return None
    return Objection("FinalizerAdded", f"finalizers keep the temporary identity from going by itself: {'; '.join(keepers)}")
