"""The Job behind one grant, which ends it without us: made, taken up where it is there already, and removed at the end.

It is behind the binding, or behind the temporary identity that the binding is for (docs/adr/0004 and 0019).
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from jitaccess.domain.model import Key, Manifest
from jitaccess.domain.obstacles import sweep_only
from jitaccess.domain.recorded import DeliveredAs, ObjectRef
from jitaccess.domain.rules import Objection
from jitaccess.domain.verdicts import Grant
from jitaccess.kube.api import Cluster, Conflict, Refused
from jitaccess.manifests.grant import GRACE, JOB_IMAGE, Object, is_of, job_fault
from jitaccess.manifests.identity import job_key, job_of
from jitaccess.manifests.kinds import RequestKind
from jitaccess.manifests.parse import key_of
from jitaccess.manifests.resources import JOBS
from jitaccess.reconcile.blocked import must_be_ours
from jitaccess.reconcile.removal import remove


@dataclass(frozen=True, slots=True)
class Guard:
    """The Job behind a grant, or why there is none."""

    job: ObjectRef | None
    missing: Objection | None = None


class Guards:
    """The Jobs behind the grants of one kind of request."""

    def __init__(self, cluster: Cluster, kind: RequestKind, now: Callable[[], datetime], job_image: str = JOB_IMAGE) -> None:
        self._cluster = cluster
        self._kind = kind
        self._now = now
        self._job_image = job_image

    async def make(self, grant: Grant) -> Guard:
        """Make the Job behind a grant, or take up the one that is there; Blocked if its name is taken."""
        if not self._kind.job_guard and grant.delivered_as is DeliveredAs.BINDING:
            return Guard(None, sweep_only(self._kind.binding.kind))
        wanted = job_of(self._kind, grant, grant.expires_at - self._now(), self._job_image)
        try:
            made = await self._cluster.create(JOBS, wanted)
        except Refused as error:
            return Guard(None, Objection("JobRefused", f"the Job that would end it without the operator was refused: {error}"))
        except Conflict:
            return await self._existing(grant, wanted)
        return await self._as_asked(made, wanted)

    async def unmake(self, grant: Grant, guard: Guard) -> None:
        """Delete a Job whose grant is not to be; one that another replica has replaced is gone already."""
        if guard.job:
            with contextlib.suppress(Conflict):
                await self._cluster.delete(JOBS, _job_key(grant), guard.job.uid)

    async def end(self, request: Key, uid: str, job: ObjectRef | None, delivered_as: DeliveredAs) -> None:
        """Remove the Job of a grant whose binding is gone; its time to live would do it too."""
        if self._kind.job_guard or delivered_as is DeliveredAs.IDENTITY:
            key = job_key(request, uid, delivered_as)
            await remove(self._cluster, JOBS, key, partial(is_of, request_uid=uid), job.uid if job else "")

    async def find(self, grant: Grant, job: ObjectRef | None) -> Manifest | None:
        """The Job of an active grant, if there is to be one."""
        return await self._cluster.find(JOBS, _job_key(grant)) if job else None

    def fault(self, job: Manifest | None, grant: Grant) -> Objection | None:
        """Why that Job would not end an active grant in time; None where it would, or where there is none."""
        if job is None:
            return None
        fault = job_fault(job, job_of(self._kind, grant, grant.expires_at - grant.granted_at), grant.expires_at)
        return _job_changed(fault) if fault else None

    async def _existing(self, grant: Grant, wanted: Object) -> Guard:
        """The Job that is there already: begun before a crash or by another replica, or a leftover in the way."""
        found = await self._cluster.find(JOBS, _job_key(grant))
        if found is None:
            raise Conflict(f"Job {_job_key(grant)} came and went")
        must_be_ours(JOBS, found, grant)
        # With room to spare: the grant's time counts from its record, a little later.
        if not job_fault(found, wanted, grant.expires_at + GRACE / 2):
            return Guard(_ref(found))
        await self._cluster.delete(JOBS, _job_key(grant), found["metadata"]["uid"])
        return await self._as_asked(await self._cluster.create(JOBS, wanted), wanted)

    async def _as_asked(self, made: Manifest, wanted: Object) -> Guard:
        if not (fault := job_fault(made, wanted)):
            return Guard(_ref(made))
        await self._cluster.delete(JOBS, key_of(made), made["metadata"]["uid"])
        return Guard(None, _job_changed(fault))


def _job_changed(fault: str) -> Objection:
    why = "something in the cluster changes Jobs; look for a mutating admission policy or webhook"
    return Objection("JobChanged", f"the Job that would end it without the operator is not as asked: {fault} ({why})")


def _ref(found: Manifest) -> ObjectRef:
    return ObjectRef(found["metadata"]["name"], found["metadata"]["uid"])


def _job_key(grant: Grant) -> Key:
    return job_key(grant.request, grant.request_uid, grant.delivered_as)
