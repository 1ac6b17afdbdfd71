"""What events do not tell: what vanished while a watch was down, leftovers of a crash, and requests past their retention."""

import logging
from datetime import datetime, timedelta

from jitaccess.domain.model import Key, Manifest
from jitaccess.domain.text import parse_time
from jitaccess.kube.api import Cluster, Conflict
from jitaccess.manifests.grant import DERIVED_SELECTOR, GRANT_SELECTOR, REQUEST_NAME, REQUEST_UID, expires_at, policy_of
from jitaccess.manifests.resources import ROLE_BINDINGS, Scope
from jitaccess.reconcile.grants import Grants
from jitaccess.workqueue.clock import utcnow
from jitaccess.workqueue.schedule import Schedule, Target
from jitaccess.workqueue.store import Store

log = logging.getLogger(__name__)


async def sweep_store(cluster: Cluster, scope: Scope, store: Store, schedule: Schedule) -> None:
    """Compare what we remember with what there is, metadata only, and look again at whatever differs."""
    known, policies = store.requests(), store.policies()
    found = {
        key_of(item): item["metadata"]["uid"]
        async for item in cluster.list_metadata(scope.request, fieldSelector="status.settled!=true")
    }
    for key, record in known:
        if found.get(key) != record.uid:
            schedule.soon(Target(scope.request, key))
    for key in found:
        if store.get(key) is None:
            schedule.soon(Target(scope.request, key))
    derived = [key_of(item) async for item in cluster.list_metadata(ROLE_BINDINGS, labelSelector=DERIVED_SELECTOR)]
    present = [key_of(item) async for item in cluster.list_metadata(scope.policy)]
    for key in {*policies, *present, *(policy_of(key) for key in derived)}:
        schedule.soon(Target(scope.policy, key))


async def sweep_grants(cluster: Cluster, scope: Scope) -> int:
    """End every grant that is over, or whose request is settled or gone; needs no memory. Returns how many were ended."""
    ended = 0
    grants = Grants(cluster, scope)
    async for binding in cluster.list_objects(scope.binding, labelSelector=GRANT_SELECTOR):
        request = Key(
            binding["metadata"].get("namespace", ""), (binding["metadata"].get("annotations") or {}).get(REQUEST_NAME, "")
        )
        uid = binding["metadata"]["labels"].get(REQUEST_UID, "")
        why = await _over(cluster, scope, binding, request, uid)
        if why:
            await _end(cluster, scope, grants, binding, request, uid)
            ended += 1
            log.warning("leftover access ended", extra={"binding": str(key_of(binding)), "request": str(request), "reason": why})
    return ended


async def _end(cluster: Cluster, scope: Scope, grants: Grants, binding: Manifest, request: Key, uid: str) -> None:
    try:
        await cluster.delete(scope.binding, key_of(binding), binding["metadata"]["uid"])
    except Conflict:
        return  # made again since the list: the next sweep looks at that one
    await grants.end(request, uid)


async def _over(cluster: Cluster, scope: Scope, binding: Manifest, key: Key, uid: str) -> str:
    until = expires_at(binding)
    if until is None or until <= utcnow():
        return "DurationElapsed"
    request = await cluster.request(key, scope) if key.name else None
    if request is None or request.uid != uid:
        return "RequestDeleted"
    return "RequestSettled" if request.state.settled else ""


async def remove_old(cluster: Cluster, scope: Scope, retention: timedelta, now: datetime) -> int:
    """Delete the requests that were settled longer ago than `retention`; returns how many."""
    removed = 0
    async for item in cluster.list_metadata(scope.request, fieldSelector="status.settled=true"):
        # Nothing younger than the retention time can have been settled that long ago, so most are never read.
        if parse_time(item["metadata"]["creationTimestamp"]) > now - retention:
            continue
        found = await cluster.find(scope.request, key_of(item))
        settled_at = ((found or {}).get("status") or {}).get("settledAt")
        if found and settled_at and parse_time(settled_at) <= now - retention:
            try:
                await cluster.delete(scope.request, key_of(item), found["metadata"]["uid"])
            except Conflict:
                continue  # another request of that name, made since
            removed += 1
    if removed:
        log.info("settled requests removed", extra={"requests": removed, "retention_days": retention / timedelta(days=1)})
    return removed


def key_of(item: Manifest) -> Key:
    """The key of any object."""
    return Key(item["metadata"].get("namespace", ""), item["metadata"]["name"])
