"""Looking for what was recorded before we led and may not have been exported: open requests, and what was settled lately.

What it costs follows what is open and what happened since the last checkpoint, never how much is on record.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime

from jitaccess.domain.model import AccessRequest, Manifest
from jitaccess.kube.api import Cluster, Outage, Refused
from jitaccess.manifests.checkpoint import hours_from
from jitaccess.manifests.kinds import REQUEST_KINDS
from jitaccess.manifests.parse import key_of
from jitaccess.manifests.resources import OPEN_REQUESTS, REQUESTS, Resource
from jitaccess.manifests.reviews import OWED_REVIEWS
from jitaccess.publish.audit.backlog import Backlog, Waiting
from jitaccess.publish.audit.pace import FIRST_PAUSE, LONGEST_PAUSE
from jitaccess.workqueue.versions import version_of

log = logging.getLogger(__name__)

Found = Callable[[Backlog, Waiting], Awaitable[None]]


async def scan_somehow(cluster: Cluster, backlog: Backlog, now: Callable[[], datetime], found: Found) -> None:
    """Find everything that may not have been exported; tried until it is done."""
    pause = FIRST_PAUSE
    while True:
        try:
            return await _scan(cluster, backlog, now, found)
        except (Outage, Refused) as error:
            log.warning("what was not exported yet cannot be listed: %s", error)
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)


async def _scan(cluster: Cluster, backlog: Backlog, now: Callable[[], datetime], found: Found) -> None:
    for kind in REQUEST_KINDS:
        async for item in _candidates(cluster, kind.resource, backlog.since, now()):
            metadata = item["metadata"]
            version = version_of(metadata["resourceVersion"])
            if 0 <= version <= backlog.version:
                continue
            await found(backlog, Waiting(kind.resource, key_of(item), metadata["uid"], 0, max(version, 0), backlog.since))


async def _candidates(cluster: Cluster, resource: Resource, since: str, now: datetime) -> AsyncIterator[Manifest]:
    hours = hours_from(since, now)
    # What was settled long ago may still become overdue, or be reviewed.
    fields = ("status.settledIn", "status.reviewedIn")
    settled = [f"{field}={hour}" for hour in hours for field in fields] if hours else ["status.settled=true"]
    for selector in (OPEN_REQUESTS, OWED_REVIEWS, *settled):
        async for item in cluster.list_metadata(resource, fieldSelector=selector):
            yield item


async def read(cluster: Cluster, waiting: Waiting) -> AccessRequest | None:
    """A request as it is now; None if it was deleted, which is said loudly."""
    found = await cluster.request(waiting.resource, waiting.key)
    if found and found.uid == waiting.uid:
        return found
    log.error("a request was deleted before all of it was exported", extra={"request": str(waiting.key), "uid": waiting.uid})
    return None


async def current_version(cluster: Cluster) -> int:
    """The version of the cluster at this moment, as a number."""
    page = await cluster.call("GET", REQUESTS.path(), query={"limit": "1"})
    version = version_of(str((page.get("metadata") or {}).get("resourceVersion", "")))
    if version < 0:
        raise Outage("the API server's resourceVersion is no number")
    return version
