"""What is gone, what is only away, and lists that take longer than the API server remembers."""

import json
from collections.abc import AsyncIterator, Callable

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from jitaccess.domain.model import Key
from jitaccess.kube.api import Cluster, Outage
from jitaccess.manifests.resources import JOBS, REQUESTS, Resource

NOT_FOUND = json.dumps({"kind": "Status", "reason": "NotFound", "message": "not found"})
EXPIRED = json.dumps({"kind": "Status", "reason": "Expired", "message": "The provided continue parameter is too old"})
DEFINITION = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/accessrequests.jitaccess.dev"
Answers = Callable[[str], tuple[int, str]]


class Server:
    """An API server that answers what a test says."""

    def __init__(self) -> None:
        self.answers: Answers = lambda _: (500, "no")
        self.asked: list[str] = []

    async def answer(self, request: web.Request) -> web.Response:
        """By path and query."""
        self.asked.append(request.path_qs)
        status, text = self.answers(request.path_qs)
        return web.Response(status=status, text=text)


@pytest.fixture
def server() -> Server:
    """As yet without answers."""
    return Server()


@pytest.fixture
async def cluster(server: Server) -> AsyncIterator[Cluster]:
    """The adapter, talking to it."""
    application = web.Application()
    application.router.add_get("/{path:.*}", server.answer)
    async with TestServer(application) as test_server, aiohttp.ClientSession() as session:
        yield Cluster(session, str(test_server.make_url("")).rstrip("/"))


PAGE_404 = (404, "404 page not found\n")
ABSENT = [
    pytest.param(REQUESTS, (404, NOT_FOUND), (500, "no"), True, id="the API server says that there is none"),
    pytest.param(REQUESTS, PAGE_404, (404, NOT_FOUND), True, id="the kind is not even defined: it went with its definition"),
    pytest.param(REQUESTS, PAGE_404, (200, "{}"), False, id="the kind is defined, and only not served now"),
    pytest.param(REQUESTS, PAGE_404, PAGE_404, False, id="a proxy that finds nothing at all"),
    pytest.param(REQUESTS, PAGE_404, (503, "away"), False, id="nobody says whether it is defined"),
    pytest.param(JOBS, PAGE_404, (404, NOT_FOUND), False, id="a kind that is not ours cannot be undefined"),
]


@pytest.mark.parametrize(("resource", "answer", "definition", "absent"), ABSENT)
async def test_absence_is_what_the_api_server_says_and_nothing_else(
    server: Server, cluster: Cluster, resource: Resource, answer: tuple[int, str], definition: tuple[int, str], absent: bool
) -> None:
    server.answers = lambda path: definition if path == DEFINITION else answer
    if absent:
        assert await cluster.find(resource, Key("team-a", "r")) is None
    else:
        with pytest.raises(Outage):
            await cluster.find(resource, Key("team-a", "r"))


def page(*names: str, token: str = "") -> tuple[int, str]:
    """One page of a list."""
    return 200, json.dumps({"metadata": {"continue": token}, "items": [{"metadata": {"name": name}} for name in names]})


async def names(cluster: Cluster) -> list[str]:
    """What a list brings."""
    return [item["metadata"]["name"] async for item in cluster.list_metadata(REQUESTS)]


async def test_a_list_whose_token_has_expired_starts_again_once(server: Server, cluster: Cluster) -> None:
    pages = iter([page("a", token="1"), (410, EXPIRED), page("a", "b", token="2"), page("c")])
    server.answers = lambda _: next(pages)
    assert await names(cluster) == ["a", "a", "b", "c"], "all that there is, though some of it twice"
    assert ["continue" in path for path in server.asked] == [False, True, False, True]


async def test_a_list_whose_tokens_keep_expiring_is_an_outage_not_a_refusal(server: Server, cluster: Cluster) -> None:
    server.answers = lambda path: (410, EXPIRED) if "continue" in path else page("a", token="1")
    with pytest.raises(Outage, match="410 The provided continue parameter is too old"):
        await names(cluster)
    assert len(server.asked) == 4


async def test_a_list_that_is_gone_from_the_start_is_an_outage(server: Server, cluster: Cluster) -> None:
    server.answers = lambda _: (410, EXPIRED)
    with pytest.raises(Outage):
        await names(cluster)
    assert len(server.asked) == 1
