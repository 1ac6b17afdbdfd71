"""The adapter: absence is a value, a refusal is somebody's answer, and an outage is never an answer."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port
from yarl import URL

from jitaccess.domain.model import AccessRequest, Key, PolicyRef, RoleRef
from jitaccess.domain.recorded import Recorded, State
from jitaccess.domain.roles import Role, Rule
from jitaccess.kube.api import Cluster, Conflict, Outage, Refused
from jitaccess.kube.calls import PAGE
from jitaccess.manifests.parse import parse_request
from jitaccess.manifests.resources import (
    CLUSTER_ROLES,
    EVENTS,
    JOBS,
    POLICIES,
    REQUESTS,
    ROLE_BINDINGS,
    ROLES,
    Resource,
)
from team import PATIENCE
from unit.examples import KEY, POLICY_KEY, POLICY_REF, UID, VIEW, policy_manifest, request_manifest
from unit.fake_api import FakeApi

GONE = Key("team-a", "gone")
JOB: dict[str, Any] = {"metadata": {"name": "job", "namespace": "team-a"}, "spec": {"completions": 0}}
JOB_KEY = Key("team-a", "job")
Call = Callable[[Cluster], Awaitable[object]]

CALLS: dict[str, tuple[str, Call]] = {
    "reading": ("GET accessrequests", lambda cluster: cluster.request(REQUESTS, KEY)),
    "reading-a-role": ("GET clusterroles", lambda cluster: cluster.role(VIEW, "team-a")),
    "creating": ("POST jobs", lambda cluster: cluster.create(JOBS, JOB)),
    "replacing": ("PUT jobs", lambda cluster: cluster.replace(JOBS, JOB_KEY, JOB)),
    "deleting": ("DELETE jobs", lambda cluster: cluster.delete(JOBS, JOB_KEY, "x")),
    "recording": ("PATCH accessrequests/status", lambda cluster: cluster.write_status(REQUESTS, KEY, UID, {"state": "Pending"})),
    "listing": ("GET rolebindings", lambda cluster: collect(cluster, ROLE_BINDINGS)),
}


async def collect(cluster: Cluster, resource: Resource, **selectors: str) -> list[str]:
    return [item["metadata"]["name"] async for item in cluster.list_objects(resource, **selectors)]


@pytest.mark.parametrize(
    ("resource", "key", "subresource", "path"),
    [
        pytest.param(
            REQUESTS, KEY, "", "/apis/jitaccess.dev/v1alpha1/namespaces/team-a/accessrequests/alice-7f3k", id="namespaced"
        ),
        pytest.param(
            REQUESTS,
            KEY,
            "status",
            "/apis/jitaccess.dev/v1alpha1/namespaces/team-a/accessrequests/alice-7f3k/status",
            id="status",
        ),
        pytest.param(REQUESTS, None, "", "/apis/jitaccess.dev/v1alpha1/accessrequests", id="the-whole-collection"),
        pytest.param(
            CLUSTER_ROLES, Key("", "view"), "", "/apis/rbac.authorization.k8s.io/v1/clusterroles/view", id="cluster-wide"
        ),
        pytest.param(EVENTS, Key("default", "x"), "", "/api/v1/namespaces/default/events/x", id="the-core-group"),
        pytest.param(
            ROLES,
            Key("team-a", "a/b c:d"),
            "",
            "/apis/rbac.authorization.k8s.io/v1/namespaces/team-a/roles/a%2Fb%20c%3Ad",
            id="quoted",
        ),
        pytest.param(
            CLUSTER_ROLES,
            Key("", "a?b#c"),
            "",
            "/apis/rbac.authorization.k8s.io/v1/clusterroles/a%3Fb%23c",
            id="no-query-in-a-name",
        ),
    ],
)
def test_paths_are_those_of_the_api(resource: Resource, key: Key | None, subresource: str, path: str) -> None:
    assert resource.path(key, subresource=subresource) == path


@pytest.mark.parametrize("name", [".", ".."])
@pytest.mark.parametrize("kind", ["Role", "ClusterRole"])
async def test_no_name_of_a_role_leads_out_of_its_collection(api: FakeApi, cluster: Cluster, kind: str, name: str) -> None:
    assert await cluster.role(RoleRef(kind, name), "team-a") is None
    assert api.calls == [], "aiohttp would resolve the dots: seen on v1.36.3, the API index is then read as the rules of a role"


async def test_what_is_there_is_read(api: FakeApi, cluster: Cluster) -> None:
    api.put(REQUESTS, request_manifest())
    api.put(POLICIES, policy_manifest())
    api.put(CLUSTER_ROLES, {"metadata": {"name": "view", "uid": "1"}, "rules": [{"verbs": ["get"]}]})
    api.put(ROLES, {"metadata": {"name": "db", "namespace": "team-a", "uid": "2"}, "rules": [{"verbs": ["list"]}]})
    request, policy = await cluster.request(REQUESTS, KEY), await cluster.policy(POLICY_REF)
    assert request
    assert policy
    assert (request.key, policy.key) == (KEY, POLICY_KEY)
    assert await cluster.role(VIEW, "team-a") == Role("1", (Rule(("get",), (), ()),))
    assert await cluster.role(RoleRef("Role", "db"), "team-a") == Role("2", (Rule(("list",), (), ()),))


async def test_what_is_not_there_is_none(api: FakeApi, cluster: Cluster) -> None:
    assert await cluster.request(REQUESTS, GONE) is None
    assert await cluster.policy(PolicyRef("AccessPolicy", GONE)) is None
    assert await cluster.role(VIEW, "team-a") is None
    assert await cluster.find(JOBS, GONE) is None
    assert await cluster.write_status(REQUESTS, GONE, UID, {}) is None


async def test_a_role_without_rules_is_there(api: FakeApi, cluster: Cluster) -> None:
    api.put(CLUSTER_ROLES, {"metadata": {"name": "empty"}, "rules": None})
    found = await cluster.role(RoleRef("ClusterRole", "empty"), "team-a")
    assert found, "aggregated roles begin with `rules: null`"
    assert found.rules == ()


async def test_deleting_what_is_gone_is_no_error(api: FakeApi, cluster: Cluster) -> None:
    await cluster.delete(JOBS, GONE, "any")
    assert api.writes == []


async def test_a_delete_is_of_that_very_object(api: FakeApi, cluster: Cluster) -> None:
    made = await cluster.create(JOBS, JOB)
    with pytest.raises(Conflict, match="UID"):
        await cluster.delete(JOBS, JOB_KEY, "of-an-earlier-one")
    assert api.get(JOBS, JOB_KEY), "another object of that name is left alone"
    await cluster.delete(JOBS, JOB_KEY, made["metadata"]["uid"])
    assert api.get(JOBS, JOB_KEY) is None


async def test_what_was_made_is_told_as_it_came_out(api: FakeApi, cluster: Cluster) -> None:
    made = await cluster.create(JOBS, JOB)
    assert made == api.get(JOBS, JOB_KEY)
    assert made["spec"] == JOB["spec"]


async def test_a_dry_run_makes_nothing(api: FakeApi, cluster: Cluster) -> None:
    assert (await cluster.create(JOBS, JOB, dry_run=True))["metadata"]["name"] == "job"
    assert (api.dry_runs, api.writes, api.all(JOBS)) == (["POST jobs"], [], [])


async def test_a_namespace_that_is_gone_refuses(api: FakeApi, cluster: Cluster) -> None:
    with pytest.raises(Refused, match='namespaces "nowhere" not found'):
        await cluster.create(JOBS, {"metadata": {"name": "x", "namespace": "nowhere"}})


def recorded(api: FakeApi) -> AccessRequest:
    """Alice's request as it is there now."""
    found = api.get(REQUESTS, KEY)
    assert found
    return parse_request(found)


def record(revision: int, state: State = State.PENDING) -> Recorded:
    """A record of that revision."""
    return Recorded(revision=revision, generation=1, state=state)


async def test_a_record_is_written_on_top_of_the_one_that_was_read(api: FakeApi, cluster: Cluster) -> None:
    api.put(REQUESTS, request_manifest())
    for revision in (1, 2, 3):
        written = await cluster.record(REQUESTS, recorded(api), record(revision))
        assert written == recorded(api)
        assert written.recorded.revision == revision


async def test_what_others_write_beside_it_keeps_no_record_from_being_written(api: FakeApi, cluster: Cluster) -> None:
    api.put(REQUESTS, request_manifest())
    read = recorded(api)
    for _ in range(100):
        api.touch(REQUESTS, KEY)
    assert await cluster.record(REQUESTS, read, record(1)), "a rewritten annotation, and the record would never be made"


@pytest.mark.parametrize("written", [1, 2])
async def test_a_record_that_comes_late_overwrites_nothing(api: FakeApi, cluster: Cluster, written: int) -> None:
    api.put(REQUESTS, request_manifest())
    reads = [recorded(api)]
    for revision in range(1, written + 1):
        await cluster.record(REQUESTS, reads[-1], record(revision))
        reads.append(recorded(api))
    for late in reads[:-1]:
        with pytest.raises(Conflict, match="is not as it was read"):
            await cluster.record(REQUESTS, late, record(9, State.ACTIVE))
    assert recorded(api).state is State.PENDING


async def test_a_record_is_of_that_very_request(api: FakeApi, cluster: Cluster) -> None:
    api.put(REQUESTS, request_manifest())
    read = recorded(api)
    api.put(REQUESTS, request_manifest(uid="another"))
    with pytest.raises(Conflict, match="is not as it was read"):
        await cluster.record(REQUESTS, read, record(1))


async def test_a_record_of_an_earlier_version_is_written_on(api: FakeApi, cluster: Cluster) -> None:
    api.put(REQUESTS, request_manifest(status={"observedGeneration": 1, "state": "Pending", "settled": False}))
    assert await cluster.record(REQUESTS, recorded(api), record(1)), "version 0.1.0 counted no revisions"


async def test_the_first_record_replaces_the_default_that_the_crd_gives_a_status(api: FakeApi, cluster: Cluster) -> None:
    api.put(REQUESTS, request_manifest(status={"observedGeneration": -1}))
    read = recorded(api)
    assert await cluster.record(REQUESTS, read, record(1))
    with pytest.raises(Conflict, match="is not as it was read"):
        await cluster.record(REQUESTS, read, record(1))


async def test_a_record_of_a_request_that_is_gone_is_none(cluster: Cluster) -> None:
    assert await cluster.record(REQUESTS, parse_request(request_manifest()), record(1)) is None


async def test_what_a_finalizer_keeps_is_told(api: FakeApi, cluster: Cluster) -> None:
    made = api.put(JOBS, {**JOB, "metadata": {**JOB["metadata"], "finalizers": ["x.dev/keep"]}})
    left = await cluster.delete(JOBS, JOB_KEY, made["metadata"]["uid"])
    assert left, "the object is still there"
    assert left["metadata"]["finalizers"] == ["x.dev/keep"]


async def test_a_replacement_is_of_the_version_that_was_read_only(api: FakeApi, cluster: Cluster) -> None:
    await cluster.create(JOBS, JOB)
    stale = {**JOB, "metadata": {**JOB["metadata"], "resourceVersion": "1"}}
    with pytest.raises(Conflict, match="modified"):
        await cluster.replace(JOBS, JOB_KEY, stale)
    with pytest.raises(Conflict, match="not found"):
        await cluster.replace(JOBS, GONE, JOB)


@pytest.mark.parametrize("metadata_only", [False, True])
async def test_lists_are_read_page_by_page(api: FakeApi, cluster: Cluster, metadata_only: bool) -> None:
    names = [f"b-{number:04}" for number in range(2 * PAGE + 1)]
    for name in names:
        api.put(ROLE_BINDINGS, {"metadata": {"name": name, "namespace": "team-a", "labels": {"a": "b"}}, "subjects": []})
    api.put(ROLE_BINDINGS, {"metadata": {"name": "other", "namespace": "team-a"}})
    listed = cluster.list_metadata if metadata_only else cluster.list_objects
    items = [item async for item in listed(ROLE_BINDINGS, labelSelector="a=b")]
    assert [item["metadata"]["name"] for item in items] == names
    assert [(query.get("continue"), query["limit"], query["labelSelector"]) for query in api.queries] == [
        (None, str(PAGE), "a=b"),
        (str(PAGE), str(PAGE), "a=b"),
        (str(2 * PAGE), str(PAGE), "a=b"),
    ]
    assert ("subjects" in items[0]) is not metadata_only


async def test_an_empty_list_has_no_items(api: FakeApi, cluster: Cluster) -> None:
    assert [item async for item in cluster.list_objects(ROLE_BINDINGS)] == []


async def test_an_empty_list_of_metadata_has_no_items(api: FakeApi, cluster: Cluster) -> None:
    assert [item async for item in cluster.list_metadata(ROLE_BINDINGS)] == []


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    "status",
    [
        pytest.param(401, id="401-a-token-being-rotated"),
        pytest.param(408, id="408-request-timeout"),
        pytest.param(410, id="410-too-old-to-be-continued"),
        pytest.param(429, id="429-pressure"),
        pytest.param(500, id="500"),
        pytest.param(503, id="503-starting"),
        pytest.param(504, id="504-timeout-behind-the-server"),
        pytest.param(302, id="302-a-proxy-that-wants-a-login"),
    ],
)
async def test_an_outage_is_never_an_answer(api: FakeApi, cluster: Cluster, call: str, status: int) -> None:
    plural, act = CALLS[call]
    api.fail(plural, status, "try later")
    with pytest.raises(Outage, match=f"{status}.*try later"):
        await act(cluster)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("status", [400, 403, 405, 413, 422])
async def test_a_refusal_carries_the_words_of_whoever_refused(api: FakeApi, cluster: Cluster, call: str, status: int) -> None:
    plural, act = CALLS[call]
    api.fail(plural, status, "exceeded quota: pods=0")
    with pytest.raises(Refused, match=r"^exceeded quota: pods=0$"):
        await act(cluster)


async def test_a_name_that_is_taken_is_a_conflict(api: FakeApi, cluster: Cluster) -> None:
    await cluster.create(JOBS, JOB)
    with pytest.raises(Conflict, match="already exists"):
        await cluster.create(JOBS, JOB)


Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@pytest.fixture
async def odd() -> AsyncIterator[Callable[[Answer], Awaitable[Cluster]]]:
    """An adapter that talks to a server which answers as it is told."""
    servers: list[TestServer] = []
    session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE))

    async def serve(answer: Answer) -> Cluster:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", answer)
        servers.append(TestServer(application))
        await servers[-1].start_server()
        return Cluster(session, str(servers[-1].make_url("")).rstrip("/"))

    yield serve
    await session.close()
    for server in servers:
        await server.close()


Serve = Callable[[Answer], Awaitable[Cluster]]


async def test_what_is_sent_is_what_the_api_expects(odd: Serve) -> None:
    seen: list[tuple[str, str, dict[str, str], object]] = []

    async def answer(request: web.Request) -> web.Response:
        body = json.loads(await request.read() or b"null")
        headers = {name: request.headers.get(name, "") for name in ("Accept", "Content-Type")}
        seen.append((request.method, request.rel_url.raw_path_qs, headers, body))
        return web.json_response({"metadata": {"name": "job", "uid": "u", "resourceVersion": "9"}, "items": []})

    cluster = await odd(answer)
    await cluster.delete(JOBS, JOB_KEY, "u-1")
    await cluster.write_status(REQUESTS, KEY, "u-1", {"state": "Pending"})
    _ = [item async for item in cluster.list_metadata(REQUESTS, fieldSelector="status.settled!=true")]
    json_in = {"Accept": "application/json", "Content-Type": "application/json"}
    assert seen[0] == (
        "DELETE",
        "/apis/batch/v1/namespaces/team-a/jobs/job",
        json_in,
        {"propagationPolicy": "Background", "preconditions": {"uid": "u-1"}},
    )
    assert seen[1] == (
        "PATCH",
        "/apis/jitaccess.dev/v1alpha1/namespaces/team-a/accessrequests/alice-7f3k/status",
        {"Accept": "application/json", "Content-Type": "application/json-patch+json"},
        [
            {"op": "test", "path": "/metadata/uid", "value": "u-1"},
            {"op": "add", "path": "/status", "value": {"state": "Pending"}},
        ],
    )
    assert seen[2][2]["Accept"] == "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
    assert URL(seen[2][1]).query["fieldSelector"] == "status.settled!=true"


async def test_no_answer_in_time_is_an_outage(api: FakeApi) -> None:
    hung = asyncio.Event()
    api.hang = hung
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=0.05)) as session:
        with pytest.raises(Outage, match="Timeout"):
            await Cluster(session, api.url).find(JOBS, JOB_KEY)
    hung.set()


async def test_a_connection_that_breaks_is_an_outage(odd: Serve) -> None:
    async def answer(request: web.Request) -> web.Response:
        assert request.transport
        request.transport.close()
        return web.Response()

    cluster = await odd(answer)
    with pytest.raises(Outage, match="Disconnected"):
        await cluster.find(JOBS, JOB_KEY)


async def test_nobody_listening_is_an_outage() -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(Outage, match="GET /apis/batch/v1/namespaces/team-a/jobs/job: ClientConnectorError"):
            await Cluster(session, f"http://127.0.0.1:{unused_port()}").find(JOBS, JOB_KEY)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        pytest.param("<html>Bad gateway</html>", "<html>Bad gateway</html>", id="html"),
        pytest.param("x" * 9999, "x" * 500, id="a-long-text-is-cut"),
        pytest.param('["no"]', "no", id="json-of-another-shape"),
        pytest.param("\ufffd\x00", "", id="noise"),
    ],
)
async def test_an_answer_that_is_no_status_is_still_told(odd: Serve, body: str, told: str) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=502, text=body)

    with pytest.raises(Outage) as raised:
        await (await odd(answer)).find(JOBS, JOB_KEY)
    assert told in str(raised.value)
    assert len(str(raised.value)) < 700


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("default backend - 404", id="a-proxy"),
        pytest.param("", id="nothing"),
        pytest.param("[]", id="a-list"),
        pytest.param('"NotFound"', id="a-word"),
        pytest.param('{"reason": "NotFound"}', id="no-status"),
        pytest.param('{"kind": "Status", "code": 404}', id="no-reason"),
        pytest.param('{"kind": "Status", "reason": "Gone"}', id="another-reason"),
    ],
)
async def test_a_404_that_is_not_about_the_object_is_an_outage(odd: Serve, text: str) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=404, text=text)

    cluster = await odd(answer)
    for call in (cluster.policy(POLICY_REF), cluster.delete(JOBS, JOB_KEY, "x"), cluster.create(JOBS, JOB)):
        with pytest.raises(Outage):
            await call


async def test_only_the_api_server_says_that_something_is_gone(odd: Serve) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"kind": "Status", "reason": "NotFound", "message": "gone"}, status=404)

    cluster = await odd(answer)
    assert await cluster.policy(POLICY_REF) is None
    await cluster.delete(JOBS, JOB_KEY, "x")
    with pytest.raises(Conflict, match="gone"):
        await cluster.replace(JOBS, JOB_KEY, JOB)
    with pytest.raises(Refused, match="gone"):
        await cluster.create(JOBS, JOB)


async def test_a_success_that_is_no_json_is_an_outage(odd: Serve) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text="<html>please log in</html>", content_type="text/html")

    with pytest.raises(Outage):
        await (await odd(answer)).find(JOBS, JOB_KEY)


async def test_listing_a_kind_that_is_not_served_is_one_of_the_three_failures(odd: Serve) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=404, text="404 page not found")

    cluster = await odd(answer)
    with pytest.raises((Outage, Refused)):
        _ = [item async for item in cluster.list_metadata(REQUESTS)]


COUNTED = [
    pytest.param(200, "", "ok", id="an answer"),
    pytest.param(404, "NotFound", "ok", id="that there is none is an answer"),
    pytest.param(404, "", "outage", id="a proxy's 404"),
    pytest.param(409, "Conflict", "conflict", id="a conflict"),
    pytest.param(403, "Forbidden", "refused", id="a refusal"),
    pytest.param(410, "Expired", "expired", id="what is forgotten"),
    pytest.param(503, "", "outage", id="an outage"),
]


@pytest.mark.parametrize(("status", "reason", "outcome"), COUNTED)
async def test_each_call_is_counted_with_what_came_of_it(odd: Serve, status: int, reason: str, outcome: str) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"kind": "Status" if status != 200 else "Job", "reason": reason}, status=status)

    counted: list[tuple[str, str]] = []
    cluster = await odd(answer)
    cluster._count = lambda verb, outcome: counted.append((verb, outcome))
    with contextlib.suppress(Outage, Conflict, Refused):
        await cluster.find(JOBS, JOB_KEY)
    assert counted == [("GET", outcome)]


async def test_a_call_that_nobody_waits_for_is_counted_as_that(api: FakeApi) -> None:
    counted: list[tuple[str, str]] = []
    api.hang = asyncio.Event()
    async with aiohttp.ClientSession() as session:
        cluster = Cluster(session, api.url, count=lambda verb, outcome: counted.append((verb, outcome)))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await cluster.find(JOBS, JOB_KEY)
    api.hang.set()
    assert counted == [("GET", "abandoned")]


async def test_what_is_not_sent_is_not_counted(api: FakeApi) -> None:
    counted: list[tuple[str, str]] = []
    async with aiohttp.ClientSession() as session:
        standby = Cluster(session, api.url, lambda: False, count=lambda verb, outcome: counted.append((verb, outcome)))
        with pytest.raises(Outage, match="not the leader"):
            await standby.delete(JOBS, JOB_KEY, "u-1")
    assert counted == []
