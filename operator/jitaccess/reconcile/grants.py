"""Making the access itself (Job, then binding) and ending it (binding, then Job).

Names are deterministic, what is there is compared exactly, and deletes carry UIDs, so nothing rests on being the only replica.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from jitaccess.domain.lifecycle import BIND_FORBIDDEN, BINDING_REFUSED, NAME_TAKEN, Grant
from jitaccess.domain.model import AccessRequest, Key, Manifest, ObjectRef
from jitaccess.domain.rules import Objection
from jitaccess.kube.api import Cluster, Conflict, Refused
from jitaccess.manifests.grant import (
    binding_manifest,
    expires_at,
    grant_name,
    granted_at,
    guards,
    is_managed,
    is_same,
    job_manifest,
    will_go,
)
from jitaccess.manifests.resources import JOBS, Resource, Scope
from jitaccess.manifests.status import Incident, Made


class Blocked(Exception):
    """Something stands between the approval and the binding; tried again until the request times out."""

    def __init__(self, obstacle: Objection) -> None:
        super().__init__(obstacle.message)
        self.obstacle = obstacle


@dataclass(frozen=True, slots=True)
class Guard:
    """The Job that was made for a grant, or why there is none."""

    grant: Grant
    job: ObjectRef | None
    missing: str = ""


class Grants:
    """The bindings and Jobs of one scope."""

    def __init__(self, cluster: Cluster, scope: Scope) -> None:
        self._cluster = cluster
        self._scope = scope

    async def guard(self, grant: Grant, now: datetime) -> Guard | None:
        """Make the Job behind a grant, ahead of the binding; None if its name is taken, which `make` then looks into."""
        if not self._scope.job_guard:
            return Guard(grant, None, "a cluster-wide binding cannot be owned by a Job")
        try:
            made = await self._cluster.create(JOBS, job_manifest(grant, now))
        except Refused as error:
            return Guard(grant, None, f"the Job that would end it without the operator was refused: {error}")
        except Conflict:
            return None
        guard = Guard(grant, _ref(made))
        if will_go(made):
            return guard
        await self.unguard(guard)
        return Guard(
            grant,
            None,
            "something in the cluster changed the Job that would end it without the operator, for example suspended it",
        )

    async def unguard(self, guard: Guard) -> None:
        """Take back a Job whose grant is not to be."""
        if guard.job:
            await self._cluster.delete(JOBS, self._key(guard.grant), guard.job.uid)

    async def make(self, grant: Grant, now: datetime, guard: Guard | None = None) -> tuple[Grant, Made]:
        """Make the access exist; returns it as it is, which after a crash is as it was begun. Blocked says what is in the way."""
        guard = guard if guard and guard.grant == grant else await self.guard(grant, now)
        try:
            if guard:
                return grant, await self._bind(grant, guard)
        except Conflict:
            pass  # a binding of that name is there already: begun before a crash, or not ours
        begun = await self._begun(grant)
        if begun:
            return begun
        await self.end(grant.request, grant.request_uid)
        guard = await self.guard(grant, now)
        if guard is None:
            raise Conflict(f"Job {self._key(grant).name} was made by somebody else meanwhile")
        return grant, await self._bind(grant, guard)

    async def rehearse(self, grant: Grant) -> None:
        """Ask the API server whether the binding could be made, without making anything; Blocked says what is in the way."""
        try:
            await self._cluster.create(self._scope.binding, binding_manifest(grant, None, self._scope), dry_run=True)
        except Refused as error:
            raise Blocked(_binding_obstacle(grant, str(error))) from error
        except Conflict:
            await self._begun(grant)

    async def verify(self, request: AccessRequest, grant: Grant, now: datetime) -> tuple[Made | None, Incident | None]:
        """Put back a binding that was deleted or changed by hand; (None, None) when it is as it should be."""
        key = self._key(grant)
        found = await self._cluster.find(self._scope.binding, key)
        if found and is_same(found, binding_manifest(grant, request.job, self._scope)):
            return None, None
        what = "changed" if found else "deleted"
        if found and request.binding and found["metadata"]["uid"] == request.binding.uid:
            await self._cluster.delete(self._scope.binding, key, request.binding.uid)
        _, made = await self.make(grant, now)
        return made, Incident("BindingRestored", f"the {self._scope.binding.kind} {key.name} was {what} by hand and is put back")

    async def end(self, key: Key, uid: str, binding: ObjectRef | None = None, job: ObjectRef | None = None) -> None:
        """Make sure that no access exists for that request, whatever is left of it; needs the key and the UID only."""
        name = Key(key.namespace, grant_name(key, uid))
        await self._remove(self._scope.binding, name, uid, binding)
        if self._scope.job_guard:
            await self._remove(JOBS, name, uid, job)

    async def _bind(self, grant: Grant, guard: Guard) -> Made:
        try:
            binding = await self._cluster.create(self._scope.binding, binding_manifest(grant, guard.job, self._scope))
        except Refused as error:
            await self.unguard(guard)
            raise Blocked(_binding_obstacle(grant, str(error))) from error
        return Made(_ref(binding), guard.job, guard.missing)

    async def _begun(self, grant: Grant) -> tuple[Grant, Made] | None:
        key = self._key(grant)
        job = await self._ours(JOBS, key, grant) if self._scope.job_guard else None
        binding = await self._ours(self._scope.binding, key, grant)
        if not binding:
            return None
        since, until = granted_at(binding), expires_at(binding)
        if since is None or until is None:
            return None
        resumed = replace(grant, granted_at=since, expires_at=until)
        owner = _ref(job) if job and guards(job, resumed) else None
        as_wanted = is_same(binding, binding_manifest(resumed, owner, self._scope))
        in_time = until <= grant.expires_at and bool(owner or not job)
        return (
            (resumed, Made(_ref(binding), owner, "" if owner else "it was begun without one")) if as_wanted and in_time else None
        )

    async def _ours(self, resource: Resource, key: Key, grant: Grant) -> Manifest | None:
        found = await self._cluster.find(resource, key)
        if found and not is_managed(found, grant.request_uid):
            await self.end(grant.request, grant.request_uid)
            message = f"a {resource.kind} {key.name} that jitaccess did not make is in the way: delete it"
            raise Blocked(Objection(NAME_TAKEN, message))
        return found

    async def _remove(self, resource: Resource, key: Key, request_uid: str, known: ObjectRef | None) -> None:
        if known:
            try:
                return await self._cluster.delete(resource, key, known.uid)
            except Conflict:
                pass  # made again since it was recorded: look at what is there now
        found = await self._cluster.find(resource, key)
        if found and is_managed(found, request_uid):
            await self._cluster.delete(resource, key, found["metadata"]["uid"])

    def _key(self, grant: Grant) -> Key:
        return Key(grant.request.namespace, grant_name(grant.request, grant.request_uid))


def _ref(found: Manifest) -> ObjectRef:
    return ObjectRef(found["metadata"]["name"], found["metadata"]["uid"])


def _binding_obstacle(grant: Grant, message: str) -> Objection:
    if "attempting to grant RBAC permissions not currently held" not in message:
        return Objection(BINDING_REFUSED, f"the binding was refused: {message}")
    resource = f"{grant.role.kind.lower()}s"
    return Objection(
        BIND_FORBIDDEN,
        f"the operator may not bind {grant.role}: add it to the ClusterRole jitaccess-grantable-roles "
        f"(apiGroups [rbac.authorization.k8s.io], resources [{resource}], resourceNames [{grant.role.name}], verbs [get, bind])",
    )
