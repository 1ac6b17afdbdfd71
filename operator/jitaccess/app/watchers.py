"""Kopf kept alive: started once there is something to watch, and started anew as a whole when any part of it has ended.

A watcher of Kopf whose resource goes away (404) fails for good, and leaves behind an operator that neither watches nor stops.
So we hold its tasks ourselves: each of them, and each watcher, must live.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

import kopf

from jitaccess.app.watch import settings
from jitaccess.domain.model import GROUP, Key, Manifest
from jitaccess.kube.api import Cluster, Outage, Refused
from jitaccess.kube.installation import is_established
from jitaccess.manifests.resources import CRDS, Resource

START_SECONDS = 10.0  # until every watcher must be there
END_SECONDS = 5.0  # until Kopf must have stopped
LOOK_EVERY, LOOK_OFTEN = 10.0, 1.0
LOOK_SECONDS = 5.0
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 15.0  # between two starts

log = logging.getLogger(__name__)

Tasks = Collection[asyncio.Task[None]]


class Stuck(Exception):
    """Kopf does not stop; only the end of the process helps."""


@dataclass(frozen=True, slots=True)
class Definition:
    """One CustomResourceDefinition: which one it is, and why its objects cannot be watched, if they cannot."""

    name: str
    uid: str
    fault: str = ""

    def __str__(self) -> str:
        return f"{CRDS.kind} {self.name} {self.fault or 'is there'}"


class Watchers:
    """Watches `resources` with the handlers that `handlers` makes anew for each start.

    `spawned` is called after each start of Kopf (it has taken the signals by then), `changed` when the definitions of our
    resources come, go, or are others. `problem` says why nothing is watched, and is empty while all is.
    """

    def __init__(
        self,
        cluster: Cluster,
        resources: Iterable[Resource],
        handlers: Callable[[], kopf.OperatorRegistry],
        spawned: Callable[[], None],
        changed: Callable[[], None],
    ) -> None:
        self.problem = "not watching yet"
        self.watching = asyncio.Event()  # set from the first time that all is watched
        self._cluster = cluster
        self._resources = tuple(dict.fromkeys(resources))
        self._handlers = handlers
        self._spawned = spawned
        self._changed = changed
        self._definitions: tuple[Definition, ...] = ()
        self._pause = FIRST_PAUSE

    async def run(self) -> None:
        """Watch for ever; Stuck if that cannot go on in this process."""
        while True:
            await self._served()
            self.problem = await self._watch()
            log.error("not watching, and starting anew: %s", self.problem)
            await asyncio.sleep(self._pause)
            self._pause = min(2 * self._pause, LONGEST_PAUSE)

    async def _served(self) -> None:
        """Return once all that is to be watched is there."""
        while not await self._look() or any(definition.fault for definition in self._definitions):
            faults = [str(definition) for definition in self._definitions if definition.fault]
            self.problem = "\n".join(faults) or self.problem
            await asyncio.sleep(LOOK_OFTEN)

    async def _look(self) -> bool:
        """Look at the definitions; False if there was no answer, which says nothing about them."""
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                found = tuple([await self._definition(each) for each in self._resources if each.group == GROUP])
        except (Outage, Refused, TimeoutError) as error:
            log.warning("cannot look at the %ss: %s", CRDS.kind, error)
            return False
        if found != self._definitions:
            self._definitions = found
            self._changed()
        return True

    async def _definition(self, resource: Resource) -> Definition:
        name = f"{resource.plural}.{resource.group}"
        found = await self._cluster.find(CRDS, Key("", name))
        return Definition(name, found["metadata"]["uid"], _fault(found)) if found else Definition(name, "", "is missing")

    async def _watch(self) -> str:
        """Watch until that ends; returns why it did."""
        tasks = await kopf.spawn_tasks(
            registry=self._handlers(),
            settings=settings(),
            clusterwide=True,
            identity="jitaccess",  # type: ignore[arg-type]  # else Kopf asks for the name of a user whom a Pod need not have
        )
        self._spawned()
        watchers: Tasks = ()
        try:
            watchers = await self._find_watchers(tasks)
            return await self._until_one_ends([*tasks, *watchers])
        finally:
            self.problem = "the watchers are being stopped"
            await _end([*watchers, *tasks])

    async def _find_watchers(self, tasks: Tasks) -> Tasks:
        """The watchers' tasks, all or as many as come up in time."""
        wanted = {watcher_name(resource) for resource in self._resources}
        loop = asyncio.get_running_loop()
        deadline = loop.time() + START_SECONDS
        while True:
            found = [task for task in asyncio.all_tasks() if task.get_name() in wanted]
            if len(found) == len(wanted) or loop.time() > deadline or any(task.done() for task in tasks):
                return found
            await asyncio.sleep(0.05)

    async def _until_one_ends(self, tasks: Tasks) -> str:
        names = {task.get_name() for task in tasks}
        if missing := [watcher_name(each) for each in self._resources if watcher_name(each) not in names]:
            return f"no {', '.join(missing)}"
        began, self.problem = self._definitions, ""
        self.watching.set()
        while self._definitions == began:
            done, _ = await asyncio.wait(tasks, timeout=LOOK_EVERY, return_when=asyncio.FIRST_COMPLETED)
            if done:
                await self._look()
                return "; ".join(sorted(_obituary(task) for task in done))
            self._pause = FIRST_PAUSE
            await self._look()
        return "\n".join(str(now) for now in self._definitions if now.fault) or f"a {CRDS.kind} was replaced"


def watcher_name(resource: Resource) -> str:
    """What Kopf calls the task that watches this resource in the whole cluster."""
    return f"watcher for {resource.plural}.{resource.version}.{resource.group}@None"


def _fault(definition: Manifest) -> str:
    if "deletionTimestamp" in definition["metadata"]:
        return "is being deleted"
    return "" if is_established(definition) else "is not established"


def _obituary(task: asyncio.Task[None]) -> str:
    error = None if task.cancelled() else task.exception()
    return f"{task.get_name()} has ended" + (f": {error}" if error else "")


async def _end(tasks: Tasks) -> None:
    # Not kopf.run_tasks: it takes every task of the process for Kopf's, and waits for ever for watchers of a dead orchestrator.
    for task in tasks:
        task.cancel()
    done, late = await asyncio.wait(tasks, timeout=END_SECONDS)
    for task in done:
        if not task.cancelled() and (error := task.exception()):
            log.debug("%s: %s", task.get_name(), error)
    if late:
        raise Stuck(f"Kopf does not stop: {', '.join(sorted(task.get_name() for task in late))}")
