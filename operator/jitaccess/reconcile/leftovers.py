"""Temporary identities, held against the requests on record: what is missing of them, and what no grant explains any more."""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

from jitaccess.domain.model import Key, Manifest
from jitaccess.domain.recorded import ObjectRef
from jitaccess.domain.verdicts import Grant
from jitaccess.kube.api import Cluster, Conflict, Refused
from jitaccess.manifests.accounts import ACCOUNTS, account_key
from jitaccess.manifests.grant import grant_end, is_managed, is_same, kept_by
from jitaccess.manifests.identity import identity_parts, made_for, selector
from jitaccess.manifests.kinds import RequestKind
from jitaccess.manifests.resources import JOBS, ROLE_BINDINGS, ROLES, SERVICE_ACCOUNTS, Resource
from jitaccess.manifests.status import UnknownState
from jitaccess.reconcile.identities import Identities
from jitaccess.reconcile.removal import NotEnded, remove

log = logging.getLogger(__name__)

Now = Callable[[], datetime]
Found = dict[str, dict[Resource, Manifest]]  # what there is of identities, by the request's UID


async def incomplete(
    cluster: Cluster, kind: RequestKind, identities: Sequence[tuple[Grant, ObjectRef | None]], now: Now
) -> set[Key]:
    """The requests of these grants, each with its Job, whose identity is not as it should be.

    Identities that no grant explains are ended on the way.
    """
    found = await _list(cluster, kind, all_of_it=bool(identities))
    wrong = {grant.request for grant, job in identities if not _is_whole(kind, grant, job, found.pop(grant.request_uid, {}))}
    for uid, left in found.items():
        await _end_if_over(cluster, kind, uid, left, now)
    return wrong


async def sweep_identities(cluster: Cluster, kind: RequestKind, now: Now) -> None:
    """End what is left of identities whose time is up, or whose request is settled or gone; needs no memory."""
    for uid, left in (await _list(cluster, kind)).items():
        await _end_if_over(cluster, kind, uid, left, now)


async def _list(cluster: Cluster, kind: RequestKind, *, all_of_it: bool = False) -> Found:
    """What there is; all of it only if it is asked for, or if anybody has a right to impersonate: nothing else gives anything."""
    found: Found = {}
    for resource in (ROLE_BINDINGS, JOBS, ROLES, SERVICE_ACCOUNTS):
        try:
            async for part in cluster.list_objects(resource, namespace=ACCOUNTS, labelSelector=selector(kind)):
                found.setdefault(made_for(part)[1], {})[resource] = part
        except Refused:
            # Without deploy/components/identities the operator may not ask for accounts, and none are granted; what is left goes.
            if resource is not SERVICE_ACCOUNTS:
                raise
        if not found and not all_of_it:
            break
    return found


def _is_whole(kind: RequestKind, grant: Grant, job: ObjectRef | None, there: dict[Resource, Manifest]) -> bool:
    found = there.get(JOBS)
    if job and (found is None or found["metadata"]["uid"] != job.uid):
        return False
    return all(
        resource in there and is_same(there[resource], part) and not kept_by(there[resource])
        for resource, part in identity_parts(kind, grant, job).items()
    )


async def _end_if_over(cluster: Cluster, kind: RequestKind, uid: str, left: dict[Resource, Manifest], now: Now) -> None:
    """What keeps one identity from being looked at or ended is told, and keeps no other one alive."""
    request, _ = made_for(next(iter(left.values())))
    words = {"request": str(request), "uid": uid}
    try:
        why = await _over(cluster, kind, request, uid, left, now)
        if not why:
            return
        await Identities(cluster, kind).end(request, uid)
        if JOBS in left:
            key = account_key(request, uid)
            await remove(cluster, JOBS, key, partial(is_managed, request_uid=uid), left[JOBS]["metadata"]["uid"])
    except (NotEnded, Refused, Conflict, UnknownState) as error:
        log.warning("a leftover identity cannot be ended: %s", error, extra=words)
        return
    log.warning("leftover identity ended", extra=words | {"reason": why})


async def _over(cluster: Cluster, kind: RequestKind, request: Key, uid: str, left: dict[Resource, Manifest], now: Now) -> str:
    until = grant_end(left[ROLE_BINDINGS]) if ROLE_BINDINGS in left else None
    if until and until <= now():
        return "DurationElapsed"
    found = await cluster.request(kind.resource, request) if request.name else None
    if found is None or found.uid != uid:
        return "RequestDeleted"
    return "RequestSettled" if found.state.settled else ""
