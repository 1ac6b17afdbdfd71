"""Kopf kept alive, the real one, against a small API server that can take away what is watched."""

import asyncio
import contextlib
import json
import signal
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from jitaccess.app import watchers as watchers_module
from jitaccess.app.unreadable import Unreadable
from jitaccess.app.watch import Watch
from jitaccess.app.watchers import Stuck, Watchers, watcher_name
from jitaccess.domain.model import Key
from jitaccess.kube.api import Cluster
from jitaccess.kube.credentials import Connection
from jitaccess.manifests.resources import CRDS, POLICIES, REQUESTS, ROLE_BINDINGS, Resource
from jitaccess.workqueue.schedule import Schedule, Target
from jitaccess.workqueue.store import Store
from team import PATIENCE
from unit.waiting import until

WATCHED = (REQUESTS, POLICIES, ROLE_BINDINGS)
DISCOVERED = (*WATCHED, CRDS, Resource("", "v1", "namespaces", "Namespace"))  # Kopf wants to see the last two
STATUS = {"kind": "Status", "reason": "NotFound", "message": "not found"}


class SmallApi:
    """Discovery, CRDs, empty lists, and watches that say what is put into them."""

    def __init__(self) -> None:
        self.definitions = {f"{resource.plural}.{resource.group}": "1" for resource in (REQUESTS, POLICIES)}
        self.deleting = False
        self.watches: list[tuple[str, web.StreamResponse]] = []
        self.lists = 0
        self.forbidden = ""  # which kind may not be read
        self.hung_up = asyncio.Event()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Whatever Kopf and the adapter ask."""
        path, last = request.path, request.path.rpartition("/")[2]
        if "/customresourcedefinitions/" in path:
            return self._definition(last)
        if path in ("/api", "/apis"):
            groups = [
                {"name": r.group, "versions": [version(r)], "preferredVersion": version(r)}
                for r in (REQUESTS, ROLE_BINDINGS, CRDS)
            ]
            return web.json_response({"versions": ["v1"], "groups": groups})
        if path.endswith(("/v1", "/v1alpha1")):
            found = [
                r for r in DISCOVERED if path.partition("/")[2].partition("/")[2] == r.api_version and self._served(r.plural)
            ]
            return web.json_response({"resources": [discovered(resource) for resource in found]})
        return await self._objects(request, last)

    async def _objects(self, request: web.Request, plural: str) -> web.StreamResponse:
        """A list or a watch."""
        if not self._served(plural):
            return web.Response(status=404, text="404 page not found\n")
        if plural == self.forbidden:
            return web.json_response(STATUS | {"code": 403, "reason": "Forbidden"}, status=403)
        if "watch" in request.query:
            return await self._watch(request, plural)
        self.lists += 1
        return web.json_response({"metadata": {"resourceVersion": "1"}, "items": []})

    def _definition(self, name: str) -> web.Response:
        if name not in self.definitions:
            return web.json_response(STATUS, status=404)
        metadata = {"name": name, "uid": self.definitions[name]} | ({"deletionTimestamp": "now"} if self.deleting else {})
        return web.json_response({"metadata": metadata, "status": {"conditions": [{"type": "Established", "status": "True"}]}})

    def _served(self, plural: str) -> bool:
        return plural not in (REQUESTS.plural, POLICIES.plural) or f"{plural}.{REQUESTS.group}" in self.definitions

    async def _watch(self, request: web.Request, plural: str) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        self.watches.append((plural, response))
        await self.hung_up.wait()
        return response

    async def tell(self, plural: str, name: str) -> None:
        """An object of that kind was made."""
        metadata = {"namespace": "team-a", "name": name, "uid": name, "resourceVersion": "7"}
        made = {"metadata": {**metadata, "creationTimestamp": "2026-11-24T12:00:00Z"}, "spec": {}}
        line = json.dumps({"type": "ADDED", "object": made}) + "\n"
        await next(response for kind, response in reversed(self.watches) if kind == plural).write(line.encode())

    async def forget(self, plural: str) -> None:
        """Say to who watches that kind that what happened since is forgotten, so that it must be listed anew."""
        line = json.dumps({"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired"}}) + "\n"
        await next(response for kind, response in reversed(self.watches) if kind == plural).write(line.encode())

    def hang_up(self) -> None:
        """End all watches, as the API server does where a CRD goes away."""
        self.hung_up.set()
        self.hung_up = asyncio.Event()
        self.watches.clear()


def version(resource: Resource) -> dict[str, str]:
    """As discovery has it."""
    return {"groupVersion": resource.api_version, "version": resource.version}


def discovered(resource: Resource) -> dict[str, Any]:
    """As discovery has it."""
    verbs = ["get", "list", "watch", "patch"]
    return {"name": resource.plural, "kind": resource.kind, "singularName": "", "namespaced": True, "verbs": verbs}


class Desk:
    """Watchers at work, and what they have said."""

    def __init__(self, api: SmallApi, url: str, session: aiohttp.ClientSession) -> None:
        self.api = api
        self.changes = 0
        self.spawned = 0
        self.store = Store([REQUESTS], [POLICIES])
        schedule = Schedule(fire, lambda: datetime.now(UTC))
        self.relisted = 0
        self.watch = Watch(self.store, schedule, Unreadable(), self._on_list, lambda: True)
        connection = Connection(url, ssl.create_default_context())
        self.watchers = Watchers(
            Cluster(session, url), WATCHED, lambda: self.watch.registry(connection), self._on_spawn, self._on_change
        )
        self.running = asyncio.create_task(self.watchers.run())

    def _on_spawn(self) -> None:
        self.spawned += 1
        for number in (signal.SIGTERM, signal.SIGINT):  # Kopf has taken them
            asyncio.get_running_loop().remove_signal_handler(number)

    def _on_list(self) -> None:
        self.relisted += 1

    def _on_change(self) -> None:
        self.changes += 1

    async def ready(self) -> None:
        """Wait until it says that it watches, and every watch is open."""
        await until(lambda: not self.watchers.problem and len(self.api.watches) == 3, f"ready: {self.watchers.problem}")


async def fire(_: Target) -> None:
    """Nobody looks here."""


@pytest.fixture
async def desk(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    """Watchers that have just been started, and look often."""
    for name, seconds in (("FIRST_PAUSE", 0.1), ("LOOK_OFTEN", 0.05), ("LOOK_EVERY", 0.3)):
        monkeypatch.setattr(watchers_module, name, seconds)
    for name in ("START_SECONDS", "END_SECONDS", "LOOK_SECONDS"):  # in which Kopf and the API server need not hurry
        monkeypatch.setattr(watchers_module, name, PATIENCE)
    api = SmallApi()
    application = web.Application()
    application.router.add_get("/{path:.*}", api.answer)
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    async with TestServer(application) as server, aiohttp.ClientSession() as session:
        made = Desk(api, str(server.make_url("")).rstrip("/"), session)
        yield made
        made.running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await made.running
        api.hang_up()
        left = [task.get_name() for task in asyncio.all_tasks() if "watcher" in task.get_name()]
        assert left == [], "Kopf is stopped to the last watcher"
    for number, handler in before.items():
        signal.signal(number, handler)


def tasks(resource: Resource) -> list[asyncio.Task[Any]]:
    """The watcher of that resource."""
    return [task for task in asyncio.all_tasks() if task.get_name() == watcher_name(resource)]


async def test_it_watches_everything_and_says_so(desk: Desk) -> None:
    assert desk.watchers.problem == "not watching yet"
    await desk.ready()
    assert desk.watchers.watching.is_set()
    assert [len(tasks(resource)) for resource in WATCHED] == [1, 1, 1], "one each, by the names that Kopf gives them"
    await desk.api.tell("accessrequests", "r")
    await until(lambda: desk.store.requests[REQUESTS].get(Key("team-a", "r")), "the request is known")


@pytest.mark.parametrize("resource", WATCHED, ids=lambda resource: resource.plural)
async def test_a_watcher_that_ends_is_told_and_all_are_back_soon(
    desk: Desk, resource: Resource, caplog: pytest.LogCaptureFixture
) -> None:
    await desk.ready()
    desk.api.watches.clear()
    tasks(resource)[0].cancel()  # which Kopf itself does not notice
    await until(lambda: desk.watchers.problem, "it says that it does not watch")
    await desk.ready()
    assert desk.spawned == 2
    assert [len(tasks(each)) for each in WATCHED] == [1, 1, 1]
    assert f"not watching, and starting anew: {watcher_name(resource)} has ended" in caplog.messages
    await desk.api.tell(resource.plural, "r")
    if resource is REQUESTS:
        await until(lambda: desk.store.requests[REQUESTS].get(Key("team-a", "r")), "the request is known")


@pytest.mark.parametrize("resource", WATCHED, ids=lambda resource: resource.plural)
async def test_what_is_listed_anew_is_told_also_where_nothing_is_left_of_it(desk: Desk, resource: Resource) -> None:
    await desk.ready()
    assert desk.relisted == desk.api.lists == 3, "one list of each kind, and none of them has anything"
    await desk.api.forget(resource.plural)
    await until(lambda: desk.relisted == 4, "another list, which no handler hears of: nothing is in it")
    assert desk.api.lists == 4


async def test_each_kind_is_said_not_to_be_watched_until_its_watch_is_open(desk: Desk) -> None:
    sight = desk.watch.sight
    every = ("accessrequests", "clusteraccessrequests", "accesspolicies", "clusteraccesspolicies", "accesslocks", "rolebindings")
    assert sight.problems == tuple(f"{plural} are not watched yet" for plural in every)
    await desk.ready()
    never = ("clusteraccessrequests", "clusteraccesspolicies", "accesslocks")  # what this small API server does not have
    said = tuple(f"{plural} are not watched yet" for plural in never)
    await until(lambda: sight.problems == said, "what is watched is not said any more")
    tasks(POLICIES)[0].cancel()
    await until(lambda: len(sight.problems) == len(every), "where Kopf starts anew, all begins anew")
    desk.api.watches.clear()
    await desk.ready()
    await until(lambda: sight.problems == said, "and it is watched again")


async def test_what_may_not_be_watched_any_more_is_said_until_it_may_be(desk: Desk) -> None:
    await desk.ready()
    before = desk.watch.sight.problems
    desk.api.forbidden = ROLE_BINDINGS.plural
    desk.api.hang_up()
    said = "rolebindings are not watched: the API server refuses it (403)"
    await until(lambda: desk.watch.sight.problems == (*before, said), "whoever asks whether we are ready learns it")
    desk.api.forbidden = ""
    await until(lambda: desk.watch.sight.problems == before, "it is watched again")


async def test_without_definitions_it_waits_for_them(desk: Desk) -> None:
    await desk.ready()
    await desk.api.tell("accessrequests", "r")
    await until(lambda: desk.store.requests[REQUESTS].get(Key("team-a", "r")), "the request is known")
    desk.api.definitions.clear()
    desk.api.hang_up()
    gone = "\n".join(f"CustomResourceDefinition {name}.jitaccess.dev is missing" for name in ("accessrequests", "accesspolicies"))
    await until(lambda: desk.watchers.problem == gone, gone)
    # Whoever looks while they go may see one of them gone first.
    assert desk.changes in (2, 3), "told when they came and when they went"
    assert len(desk.store.requests[REQUESTS]) == 1, "what was known is still known"
    desk.api.watches.clear()
    before = desk.changes
    desk.api.definitions = {"accessrequests.jitaccess.dev": "2", "accesspolicies.jitaccess.dev": "2"}
    await desk.ready()
    assert desk.changes - before in (1, 2)


@pytest.mark.parametrize("deleting", [pytest.param(True, id="being deleted"), pytest.param(False, id="replaced")])
async def test_definitions_that_are_no_longer_the_same_are_noticed_though_the_watches_stand(desk: Desk, deleting: bool) -> None:
    await desk.ready()
    desk.api.watches.clear()
    if deleting:
        desk.api.deleting = True
        await until(lambda: "accesspolicies.jitaccess.dev is being deleted" in desk.watchers.problem, "it says so")
        desk.api.deleting = False
    desk.api.definitions["accessrequests.jitaccess.dev"] = "2"
    await until(lambda: desk.spawned == 2, "it starts anew")
    await desk.ready()


async def test_kopf_that_does_not_stop_ends_the_watch(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchers_module, "END_SECONDS", 0.2)
    await desk.ready()
    stuck = asyncio.create_task(stubborn(), name="one that is stuck")
    await asyncio.sleep(0)
    with pytest.raises(Stuck, match="Kopf does not stop: one that is stuck"):
        await watchers_module._end([stuck])
    stuck.set_name("released")
    stuck.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await stuck


async def stubborn() -> None:
    """Survives the first cancellation."""
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.sleep(60)
    await asyncio.sleep(60)
