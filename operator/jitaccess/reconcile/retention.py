"""Requests past their retention: settled long ago, and removed."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from jitaccess.domain.model import Manifest
from jitaccess.domain.text import parse_time
from jitaccess.kube.api import Cluster, Conflict, Refused
from jitaccess.manifests.parse import key_of
from jitaccess.manifests.resources import LOCKS, Resource
from jitaccess.manifests.reviews import SETTLED_FOR_GOOD

log = logging.getLogger(__name__)


LONGEST_HOLD = timedelta(days=30)  # past its retention, for a request that no audit sink has taken


async def remove_old(
    cluster: Cluster, resource: Resource, retention: timedelta, now: datetime, exported: Callable[[str], bool] = lambda _: True
) -> int:
    """Delete the requests that were settled longer ago than `retention`; returns how many.

    One that may not be deleted keeps no other one; Refused at the end says how many there were, and why the last one. What is not
    `exported` yet, by its resourceVersion, is kept, but for no longer than LONGEST_HOLD.
    """
    removed, refusals, why, held, lost = 0, 0, "", 0, 0
    async for item in cluster.list_metadata(resource, fieldSelector=SETTLED_FOR_GOOD):
        # Nothing younger than the retention time can have been settled that long ago, so most are never read.
        if parse_time(item["metadata"]["creationTimestamp"]) <= now - retention and (
            settled_at := await _settled(cluster, resource, item, now - retention)
        ):
            safe = exported(item["metadata"]["resourceVersion"])
            if not safe and settled_at > now - retention - LONGEST_HOLD:
                held += 1
                continue
            lost += not safe
            try:
                await cluster.delete(resource, key_of(item), item["metadata"]["uid"])
            except Conflict:
                continue  # another request of that name, made since
            except Refused as error:
                refusals, why = refusals + 1, str(error)
                continue
            removed += 1
    if removed:
        log.info(
            "settled %s removed",
            _what(resource),
            extra={_what(resource): removed, "retention_days": retention / timedelta(days=1)},
        )
    if held:
        log.warning("settled requests are kept past their retention: not exported yet", extra={"requests": held})
    if lost:
        log.error("settled requests were removed that no audit sink has taken", extra={"requests": lost})
    if refusals:
        raise Refused(f"{refusals} {resource.plural} may not be deleted: {why}")
    return removed


def _what(resource: Resource) -> str:
    return "locks" if resource == LOCKS else "requests"


async def _settled(cluster: Cluster, resource: Resource, item: Manifest, before: datetime) -> datetime | None:
    """When exactly that request was settled, if that was before, and it is owed no review."""
    found = await cluster.find(resource, key_of(item))
    status = (found or {}).get("status") or {}
    settled_at = "" if status.get("awaitingReview") else str(status.get("settledAt", ""))
    same = found is not None and found["metadata"]["uid"] == item["metadata"]["uid"]
    return parse_time(settled_at) if same and settled_at and parse_time(settled_at) <= before else None
