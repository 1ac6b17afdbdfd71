"""Objects followed by their metadata: listed, watched, and begun anew where the API server has forgotten where we were."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Collection
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from jitaccess.app import following as module
from jitaccess.app.following import Following, Permit
from jitaccess.domain.model import Key, Manifest
from jitaccess.kube.api import Cluster
from jitaccess.manifests.resources import NAMESPACES
from unit.waiting import until


def namespace(name: str, version: str = "5") -> dict[str, Any]:
    return {"metadata": {"name": name, "resourceVersion": version, "labels": {"env": "prod"}}}


REFUSAL = {"kind": "Status", "reason": "Forbidden", "message": "no", "code": 403}


class Server:
    """Lists what it has, and streams what a test tells it to; `streams` ends each watch with one of these scripts."""

    def __init__(self) -> None:
        self.names = ["a"]
        self.streams: list[list[dict[str, Any]]] = []
        self.refuses = 0
        self.refuses_watches = False
        self.lists = 0
        self.watches: list[dict[str, str]] = []
        self.accepts: set[str] = set()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """A list, or a watch."""
        self.accepts.add(request.headers["Accept"])
        if "watch" not in request.query:
            self.lists += 1
            if self.refuses:
                self.refuses -= 1
                return web.json_response(REFUSAL, status=403)
            return web.json_response({"metadata": {"resourceVersion": "7"}, "items": [namespace(name) for name in self.names]})
        self.watches.append(dict(request.query))
        if self.refuses_watches:
            return web.json_response(REFUSAL, status=403)
        response = web.StreamResponse()
        await response.prepare(request)
        if not self.streams:
            await asyncio.Event().wait()
        for event in self.streams.pop(0):
            await response.write(json.dumps(event).encode() + b"\n")
        return response


class Desk:
    """Something that follows, and what it has heard."""

    def __init__(self, cluster: Cluster) -> None:
        self.heard: list[tuple[str | None, str]] = []
        self.listed: list[set[str]] = []
        self.may = True
        self._looked = asyncio.Event()
        permit = Permit(lambda: self.may, self._reconsidered)
        self.following = Following(cluster, NAMESPACES, self._hear, listed=self._hear_list, permit=permit)

    def look(self, *, may: bool) -> None:
        """Somebody has looked whether it may be followed."""
        self.may = may
        self._looked.set()
        self._looked = asyncio.Event()

    async def _reconsidered(self) -> None:
        await self._looked.wait()

    async def _hear(self, what: str | None, item: Manifest) -> None:
        self.heard.append((what, item["metadata"]["name"]))

    def _hear_list(self, keys: Collection[Key]) -> None:
        self.listed.append({key.name for key in keys})


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
async def desk(server: Server, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    for pause in ("FIRST_PAUSE", "LONGEST_PAUSE"):
        monkeypatch.setattr(module, pause, 0.02)
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", server.answer)
    async with TestServer(application) as listening, aiohttp.ClientSession() as session:
        yield Desk(Cluster(session, str(listening.make_url("")).rstrip("/")))


async def follow(desk: Desk, far_enough: Callable[[], bool]) -> None:
    """Follow until it has come that far, and a moment longer."""
    running = asyncio.create_task(desk.following.run())
    await until(far_enough, lambda: f"more than {desk.heard} in lists of {desk.listed}")
    await asyncio.sleep(0.1)
    assert not running.done(), "it goes on for ever"
    running.cancel()


async def test_what_is_there_is_heard_and_then_what_happens(server: Server, desk: Desk) -> None:
    server.streams = [[{"type": "ADDED", "object": namespace("b", "8")}, {"type": "DELETED", "object": namespace("b", "9")}]]
    await follow(desk, lambda: len(server.watches) == 2)
    assert desk.heard == [(None, "a"), ("ADDED", "b"), ("DELETED", "b")]
    assert desk.listed == [{"a"}]
    assert server.watches[0]["resourceVersion"] == "7"
    assert all("PartialObjectMetadata" in accept for accept in server.accepts), "nothing but metadata is asked for"


async def test_only_what_is_selected_is_listed_and_watched(server: Server, desk: Desk) -> None:
    desk.following = Following(desk.following._cluster, NAMESPACES, desk._hear, selector="a=b", fields="status.settled=true")
    await follow(desk, lambda: len(server.watches) == 1)
    assert {name: server.watches[0][name] for name in ("labelSelector", "fieldSelector")} == {
        "labelSelector": "a=b",
        "fieldSelector": "status.settled=true",
    }


async def test_a_watch_that_the_server_ends_goes_on_where_it_ended(server: Server, desk: Desk) -> None:
    server.streams = [[{"type": "BOOKMARK", "object": namespace("", "12")}], [{"type": "ADDED", "object": namespace("b", "13")}]]
    await follow(desk, lambda: len(server.watches) == 3)
    assert [watch["resourceVersion"] for watch in server.watches] == ["7", "12", "13"]
    assert server.lists == 1
    assert desk.heard == [(None, "a"), ("ADDED", "b")], "a bookmark is nobody's change"


async def test_where_the_server_has_forgotten_all_is_listed_anew(server: Server, desk: Desk) -> None:
    server.streams = [[{"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired"}}]]
    await follow(desk, lambda: len(server.watches) == 2)
    assert server.lists == 2
    assert desk.listed == [{"a"}, {"a"}]


async def test_a_refusal_is_said_and_tried_again(server: Server, desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    server.refuses = 2
    await follow(desk, lambda: len(server.watches) == 1)
    assert [record.getMessage() for record in caplog.records] == ["cannot follow namespaces: no"] * 2
    assert desk.listed == [{"a"}]


async def test_what_may_not_be_followed_is_not_asked_for_and_is_followed_once_somebody_finds_that_it_may_be(
    server: Server, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    for pause in ("FIRST_PAUSE", "LONGEST_PAUSE"):
        monkeypatch.setattr(module, pause, 3600.0)  # nothing here waits for its time to pass
    desk.may = False
    running = asyncio.create_task(desk.following.run())
    await asyncio.sleep(0.1)
    desk.look(may=False)
    await asyncio.sleep(0.1)
    assert server.lists == 0
    desk.look(may=True)
    await until(lambda: desk.listed, "it is listed at once")
    assert desk.listed == [{"a"}], "all that is there is compared with what is known"
    running.cancel()


async def test_who_was_refused_tries_again_as_soon_as_somebody_has_looked(
    server: Server, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    for pause in ("FIRST_PAUSE", "LONGEST_PAUSE"):
        monkeypatch.setattr(module, pause, 3600.0)
    desk.following._pause, server.refuses = 3600.0, 1
    running = asyncio.create_task(desk.following.run())
    await until(lambda: desk.following.problem == "namespaces are not followed yet: no", "it says so")
    assert server.lists == 1
    desk.look(may=True)
    await until(lambda: desk.listed, "it is listed, and nobody had to wait an hour")
    running.cancel()


async def test_a_list_that_no_watch_can_follow_is_not_listed_ever_faster(
    server: Server, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LONGEST_PAUSE", 3600.0)
    server.refuses_watches = True
    running = asyncio.create_task(desk.following.run())
    await until(lambda: server.lists == 4, "four lists")
    assert desk.following._pause >= 8 * 0.02, "twice as long each time"
    running.cancel()


async def test_it_is_not_followed_before_its_first_list_and_from_then_on_trouble_is_no_more_than_a_remark(
    server: Server, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    following = desk.following

    def said() -> tuple[str, str]:
        return following.problem, following.remark

    desk.may = False
    assert said() == ("", ""), "what may not be followed is missed by nobody"
    desk.may = True
    assert said() == ("namespaces are not followed yet", "")
    monkeypatch.setattr(module, "LONGEST_PAUSE", 3600.0)
    following._pause, server.refuses = 3600.0, 1
    running = asyncio.create_task(following.run())
    await until(lambda: said() == ("namespaces are not followed yet: no", ""), "it was refused")
    desk.look(may=True)
    await until(lambda: said() == ("", ""), "it is followed")
    running.cancel()
    server.refuses_watches = True
    following._pause = 3600.0
    running = asyncio.create_task(following.run())
    await until(lambda: said() == ("", "namespaces are not followed: no"), "it was followed, and is not now")
    desk.may = False
    assert said() == ("", ""), "and nobody misses it once it may not be"
    running.cancel()
