"""Access and Jobs that nobody explains, and policies: what events do not tell, looked for now and then."""

import logging
from collections.abc import Callable
from datetime import datetime
from functools import partial

from jitaccess.domain.model import Key, Manifest
from jitaccess.domain.text import format_time
from jitaccess.kube.api import Cluster, Conflict, Refused
from jitaccess.manifests.derived import derived_selector, policy_of
from jitaccess.manifests.grant import (
    GRANT,
    GRANT_SELECTOR,
    MANAGED,
    REQUEST_NAME,
    REQUEST_UID,
    grant_end,
    grant_key,
    has_labels,
    is_managed,
)
from jitaccess.manifests.kinds import PolicyKind, RequestKind
from jitaccess.manifests.parse import key_of
from jitaccess.manifests.resources import JOBS, LOCKS, OPEN, ROLE_BINDINGS, Resource
from jitaccess.manifests.status import UnknownState
from jitaccess.reconcile.removal import NotEnded, is_harmless, remove
from jitaccess.workqueue.schedule import Schedule, Target
from jitaccess.workqueue.store import Store

log = logging.getLogger(__name__)

Now = Callable[[], datetime]
CountLeftover = Callable[[Resource, bool], None]  # of which kind of request, and whether its access could be ended


async def sweep_policies(cluster: Cluster, kind: PolicyKind, store: Store, schedule: Schedule) -> None:
    """Look again at every policy that we remember, that there is, or of which something derived is left."""
    derived = cluster.list_metadata(ROLE_BINDINGS, labelSelector=derived_selector(kind))
    left = {policy_of(key_of(item), kind) async for item in derived}
    present = [key_of(item) async for item in cluster.list_metadata(kind.resource)]
    for key in {*store.policies[kind.resource].all(), *present, *left} - {None}:
        if key:
            schedule.soon(Target(kind.resource, key))


async def sweep_locks(cluster: Cluster, store: Store, schedule: Schedule) -> None:
    """Look again at every lock that we remember, or that holds by the record."""
    holding = {key_of(item) async for item in cluster.list_metadata(LOCKS, fieldSelector=OPEN)}
    for key in holding | {Key("", name) for name in store.locks.names()}:
        schedule.soon(Target(LOCKS, key))


async def sweep_grants(cluster: Cluster, kind: RequestKind, now: Now) -> int:
    """End every grant that is over, or whose request is settled or gone; needs no memory. Returns how many were ended."""
    ended = 0
    async for binding in cluster.list_objects(kind.binding, labelSelector=GRANT_SELECTOR):
        ended += await end_if_over(cluster, kind, binding, now)
    return ended


async def remove_job_if_over(cluster: Cluster, kind: RequestKind, job: Manifest) -> None:
    """Remove a Job whose request is settled or gone; its time to live would do it too."""
    request, uid = request_of(job)
    if await _settled_or_gone(cluster, kind, request, uid):
        await remove(cluster, JOBS, key_of(job), partial(is_managed, request_uid=uid), job["metadata"]["uid"])


async def end_if_over(
    cluster: Cluster, kind: RequestKind, binding: Manifest, now: Now, count: CountLeftover = lambda _resource, _ended: None
) -> bool:
    """End the access that a binding with our label gives, if it is over or nobody's; returns whether it was.

    What keeps one binding from being looked at or ended is told, and keeps no other one alive; `count` learns of both.
    """
    try:
        ended = await _end(cluster, kind, binding, now)
    except (NotEnded, Refused, UnknownState) as error:
        log.error("leftover access cannot be ended: %s", error, extra=_in_words(binding))
        count(kind.resource, False)
        return False
    if ended:
        count(kind.resource, True)
    return ended


async def end_stray(
    cluster: Cluster, kind: RequestKind, now: Now, key: Key, count: CountLeftover = lambda _resource, _ended: None
) -> None:
    """End a binding with our label that no open request of ours explains, if it is over or nobody's.

    NotEnded, Refused or UnknownState where that cannot be: for the schedule to report, and to try for ever.
    """
    found = await cluster.find(kind.binding, key)
    if found is None or not has_labels(found, MANAGED | GRANT):
        return
    try:
        if await _end(cluster, kind, found, now):
            count(kind.resource, True)
    except (NotEnded, Refused, UnknownState):
        count(kind.resource, False)
        raise


async def _end(cluster: Cluster, kind: RequestKind, binding: Manifest, now: Now) -> bool:
    ours, (_, uid) = key_of(binding), request_of(binding)
    try:
        why = await _over(cluster, kind, binding, now)
        if not why or is_harmless(binding):
            return False
        remains = await remove(cluster, kind.binding, ours, partial(is_managed, request_uid=uid), binding["metadata"]["uid"])
    except Conflict:
        return False  # recreated since: its own event, or the next sweep, looks at that one
    log.warning("leftover access ended", extra=_in_words(binding) | {"reason": why, "remains": remains.why if remains else ""})
    return True


def _in_words(binding: Manifest) -> dict[str, str]:
    request, uid = request_of(binding)
    subjects = str(binding.get("subjects") or "")
    return {"binding": str(key_of(binding)), "request": str(request), "uid": uid, "subjects": subjects}


async def _over(cluster: Cluster, kind: RequestKind, binding: Manifest, now: Now) -> str:
    request, uid = request_of(binding)
    until = grant_end(binding)
    if until is None or until <= now():
        return "DurationElapsed"
    if key_of(binding) != grant_key(request, uid):
        return "NotMadeForARequest"
    found = await cluster.request(kind.resource, request) if request.name else None
    if found is None or found.uid != uid:
        return "RequestDeleted"
    if found.state.settled:
        return "RequestSettled"
    recorded = found.recorded.expires_at
    return "" if recorded == until else f"NotAsRecorded: until {format_time(until)}"


async def _settled_or_gone(cluster: Cluster, kind: RequestKind, request: Key, uid: str) -> bool:
    found = await cluster.request(kind.resource, request) if request.name else None
    return found is None or found.uid != uid or found.state.settled


def request_of(item: Manifest) -> tuple[Key, str]:
    """The request that an object with our label says it belongs to, and that request's UID."""
    metadata = item["metadata"]
    name = (metadata.get("annotations") or {}).get(REQUEST_NAME, "")
    return Key(metadata.get("namespace", ""), name), (metadata.get("labels") or {}).get(REQUEST_UID, "")
