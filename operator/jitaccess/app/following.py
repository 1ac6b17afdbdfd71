"""Following objects by their metadata alone, which Kopf cannot: listed, then watched, for ever; and only while we may."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Collection

from jitaccess.domain.model import Key, Manifest
from jitaccess.kube.answers import Expired
from jitaccess.kube.api import Cluster, Outage, Refused
from jitaccess.manifests.parse import key_of
from jitaccess.manifests.resources import Resource

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
LOOK_SECONDS = 5.0  # how often to see whether we may

log = logging.getLogger(__name__)

# What happened (None: it was listed; else ADDED, MODIFIED or DELETED) to which object, its metadata only.
Heard = Callable[[str | None, Manifest], Awaitable[None]]
Listed = Callable[[Collection[Key]], None]


class Following:
    """Follows the objects of one kind; `listed` hears of all keys after each full list, of which some may have gone meanwhile."""

    def __init__(
        self,
        cluster: Cluster,
        resource: Resource,
        heard: Heard,
        *,
        listed: Listed = lambda _: None,
        may: Callable[[], bool] = lambda: True,
        selector: str = "",
        fields: str = "",
    ) -> None:
        self.resource = resource
        self._cluster = cluster
        self._heard = heard
        self._listed = listed
        self._may = may
        given = {"labelSelector": selector, "fieldSelector": fields}
        self._selectors = {name: value for name, value in given.items() if value}
        self._pause = FIRST_PAUSE

    async def run(self) -> None:
        """Follow for ever."""
        version = ""
        while True:
            if not self._may():
                await asyncio.sleep(LOOK_SECONDS)
                continue
            try:
                version = version or await self._list()
                version = await self._watch(version)
                await asyncio.sleep(FIRST_PAUSE)  # nothing is lost: it goes on where it ended
            except Expired:
                version = ""  # what happened since is forgotten: begin anew
            except (Outage, Refused) as error:
                log.warning("cannot follow %s: %s", self.resource.plural, error, extra={"retry_seconds": self._pause})
                await asyncio.sleep(self._pause)
                version, self._pause = "", min(2 * self._pause, LONGEST_PAUSE)

    async def _list(self) -> str:
        items, version = await self._cluster.snapshot(self.resource, **self._selectors)
        for item in items:
            await self._heard(None, item)
        self._listed({key_of(item) for item in items})
        self._pause = FIRST_PAUSE
        return version

    async def _watch(self, version: str) -> str:
        """Watch until the server ends it, as it does now and then; returns where to go on."""
        async with contextlib.aclosing(self._cluster.changes(self.resource, version, **self._selectors)) as changes:
            async for what, item in changes:
                version = item["metadata"]["resourceVersion"]
                if what != "BOOKMARK":
                    await self._heard(what, item)
        return version
