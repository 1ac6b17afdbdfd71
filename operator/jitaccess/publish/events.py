"""Telling the world, behind the real writes: Kubernetes Events on the object, and one log line per transition."""

import asyncio
import itertools
import logging
import os
from dataclasses import dataclass

from jitaccess.domain.model import Key
from jitaccess.domain.text import format_time
from jitaccess.kube.api import Cluster, Conflict, Outage, Refused
from jitaccess.kube.clock import utcnow
from jitaccess.manifests.gone import RECORD
from jitaccess.manifests.resources import EVENTS, Resource

log = logging.getLogger(__name__)

MOST_WAITING = 1000
LONGEST_MESSAGE = 1024
_UNIQUE = f"{os.getpid():x}"


@dataclass(frozen=True, slots=True)
class News:
    """One thing that happened to an object, as `kubectl describe` shows it; a warning if somebody should look."""

    resource: Resource
    key: Key
    uid: str
    reason: str
    message: str
    warning: bool = False
    record: str = ""  # what is left of a request that is gone (manifests/gone.py)


class Announcer:
    """Posts Events one after the other; the first thing to be dropped under pressure."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._waiting: asyncio.Queue[News] = asyncio.Queue(MOST_WAITING)
        self._numbers = itertools.count(1)
        self.dropped = 0

    @property
    def waiting(self) -> int:
        """How many are still to be posted."""
        return self._waiting.qsize()

    def tell(self, news: News) -> None:
        """Queue an Event; dropped, and counted, if too many are waiting."""
        try:
            self._waiting.put_nowait(news)
        except asyncio.QueueFull:
            self.dropped += 1

    async def run(self) -> None:
        """Post what is queued, for ever."""
        while True:
            news = await self._waiting.get()
            try:
                await self._cluster.create(EVENTS, self._manifest(news))
            except (Outage, Refused, Conflict) as error:
                self.dropped += 1
                log.debug("event dropped: %s", error)
            finally:
                self._waiting.task_done()

    async def flush(self, patience: float) -> None:
        """Wait until all is posted, at most `patience` seconds."""
        try:
            async with asyncio.timeout(patience):
                await self._waiting.join()
        except TimeoutError:
            log.warning("events dropped at the end", extra={"events": self._waiting.qsize()})

    def _manifest(self, news: News) -> dict[str, object]:
        now = utcnow()
        second = format_time(now.replace(microsecond=0)).replace(".000Z", "Z")
        name = f"{news.key.name[:200].rstrip('-.')}.{_UNIQUE}{int(now.timestamp() * 1000):x}.{next(self._numbers)}"
        return {
            "apiVersion": EVENTS.api_version,
            "kind": EVENTS.kind,
            "metadata": {
                "name": name,
                "namespace": news.key.namespace or "default",
                **({"annotations": {RECORD: news.record}} if news.record else {}),
            },
            "involvedObject": {
                "apiVersion": news.resource.api_version,
                "kind": news.resource.kind,
                "namespace": news.key.namespace,
                "name": news.key.name,
                "uid": news.uid,
            },
            "type": "Warning" if news.warning else "Normal",
            "reason": news.reason,
            "message": news.message[:LONGEST_MESSAGE],
            "source": {"component": "jitaccess"},
            "reportingComponent": "jitaccess.dev/operator",
            "reportingInstance": "jitaccess",
            "firstTimestamp": second,
            "lastTimestamp": second,
            "count": 1,
        }
