"""Following objects by their metadata alone, which Kopf cannot: listed, then watched, for ever; and only while we may."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass

from jitaccess.domain.model import Key, Manifest
from jitaccess.kube.answers import Expired
from jitaccess.kube.api import Cluster, Outage, Refused
from jitaccess.manifests.parse import key_of
from jitaccess.manifests.resources import Resource

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0

log = logging.getLogger(__name__)

# What happened (None: it was listed; else ADDED, MODIFIED or DELETED) to which object, its metadata only.
Heard = Callable[[str | None, Manifest], Awaitable[None]]
Listed = Callable[[Collection[Key]], None]


async def _never() -> None:
    await asyncio.Event().wait()


@dataclass(frozen=True, slots=True)
class Permit:
    """Whether we may follow, as far as is known; `reconsidered` returns once somebody has looked at that again."""

    given: Callable[[], bool] = lambda: True
    reconsidered: Callable[[], Awaitable[None]] = _never


ALWAYS = Permit()


class Following:
    """Follows the objects of one kind; `listed` hears of all keys after each full list, of which some may have gone meanwhile."""

    def __init__(
        self,
        cluster: Cluster,
        resource: Resource,
        heard: Heard,
        *,
        listed: Listed = lambda _: None,
        permit: Permit = ALWAYS,
        selector: str = "",
        fields: str = "",
    ) -> None:
        self.resource = resource
        self._cluster = cluster
        self._heard = heard
        self._listed = listed
        self._permit = permit
        given = {"labelSelector": selector, "fieldSelector": fields}
        self._selectors = {name: value for name, value in given.items() if value}
        self._pause = FIRST_PAUSE
        self._begun = False  # there was a full list
        self._trouble = ""

    @property
    def problem(self) -> str:
        """That its objects are not followed yet, though they may be; empty from their first list on."""
        if self._begun or not self._permit.given():
            return ""
        return f"{self.resource.plural} are not followed yet" + (f": {self._trouble}" if self._trouble else "")

    @property
    def remark(self) -> str:
        """Why its objects, which were followed, are not followed at the moment; empty while they are, or may not be."""
        if not self._begun or not self._trouble or not self._permit.given():
            return ""
        return f"{self.resource.plural} are not followed: {self._trouble}"

    async def run(self) -> None:
        """Follow for ever."""
        version = ""
        while True:
            if not self._permit.given():
                await self._permit.reconsidered()
                continue
            try:
                version = version or await self._list()
                version = await self._watch(version)
                await asyncio.sleep(FIRST_PAUSE)  # nothing is lost: it goes on where it ended
            except Expired:
                version = ""  # what happened since is forgotten: begin anew
            except (Outage, Refused) as error:
                log.warning("cannot follow %s: %s", self.resource.plural, error, extra={"retry_seconds": self._pause})
                version, self._trouble = "", str(error)
                await self._rest()

    async def _rest(self) -> None:
        """Wait before the next try, less long where somebody has just found out what we may do."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._pause):
                await self._permit.reconsidered()
        self._pause = min(2 * self._pause, LONGEST_PAUSE)

    async def _list(self) -> str:
        items, version = await self._cluster.snapshot(self.resource, **self._selectors)
        for item in items:
            await self._heard(None, item)
        self._listed({key_of(item) for item in items})
        self._begun, self._trouble = True, ""
        return version

    async def _watch(self, version: str) -> str:
        """Watch until the server ends it, as it does now and then; returns where to go on."""
        async with contextlib.aclosing(self._cluster.changes(self.resource, version, **self._selectors)) as changes:
            async for what, item in changes:
                version = item["metadata"]["resourceVersion"]
                if what != "BOOKMARK":
                    await self._heard(what, item)
                self._pause = FIRST_PAUSE  # not before: a list that no watch can follow is no reason to hurry
        self._pause = FIRST_PAUSE
        return version
