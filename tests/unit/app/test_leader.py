"""The Lease: when it may be taken, what is written into it, and until when its holder may write."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from jitaccess.app.leader import MARGIN, RENEW_EVERY, RETRY_EVERY, Leader
from jitaccess.domain.model import Key, Manifest
from jitaccess.kube.api import Cluster, Conflict, Outage, Refused
from jitaccess.manifests.lease import DURATION, LEASE, Observed
from jitaccess.manifests.resources import JOBS, LEASES, REQUESTS, Resource
from jitaccess.workqueue.schedule import LONGEST_SLEEP, Schedule, Target
from unit.fake_api import FakeApi
from unit.held import HeldLoop
from unit.waiting import until


def lease(version: str, holder: str | None = "other", **spec: Any) -> Manifest:
    held = {} if holder is None else {"holderIdentity": holder}
    return {"metadata": {"name": "jitaccess", "resourceVersion": version}, "spec": {"leaseDurationSeconds": 8, **held, **spec}}


NEVER_SEEN = Observed(100.0)
HELD = NEVER_SEEN.then(lease("1"), 100.0)

LOOKS = [
    pytest.param(NEVER_SEEN, None, 105.0, 100.0, id="no-lease-is-free"),
    pytest.param(NEVER_SEEN, lease("1"), 105.0, 113.0, id="held-is-free-its-duration-after-we-first-saw-it"),
    pytest.param(
        NEVER_SEEN,
        lease("1", renewTime="2001-01-01T00:00:00.000000Z"),
        105.0,
        113.0,
        id="a-renewal-long-ago-by-the-wall-counts-not",
    ),
    pytest.param(NEVER_SEEN, lease("1", leaseDurationSeconds=15), 105.0, 120.0, id="the-duration-is-the-holders"),
    pytest.param(NEVER_SEEN, lease("1", leaseDurationSeconds=None), 105.0, 113.0, id="no-duration-is-ours"),
    pytest.param(NEVER_SEEN, lease("1", ""), 105.0, 105.0, id="released-is-free"),
    pytest.param(NEVER_SEEN, lease("1", None), 105.0, 105.0, id="a-lease-without-a-holder-is-free"),
    pytest.param(NEVER_SEEN, {"metadata": {"resourceVersion": "1"}}, 105.0, 105.0, id="a-lease-without-a-spec-is-free"),
    pytest.param(HELD, lease("1"), 107.9, 108.0, id="unchanged-is-no-news"),
    pytest.param(HELD, lease("2"), 107.9, 115.9, id="renewed-starts-anew"),
    pytest.param(HELD, lease("2", "third"), 107.9, 115.9, id="taken-by-another-starts-anew"),
    pytest.param(HELD, lease("2", ""), 103.0, 103.0, id="released-is-free-at-once"),
    pytest.param(HELD, None, 107.0, 115.0, id="deleted-still-binds-as-its-holder-may-not-know"),
    pytest.param(HELD.then(None, 107.0), None, 114.0, 115.0, id="still-gone-is-no-news"),
]


@pytest.mark.parametrize(("before", "found", "now", "free_at"), LOOKS)
def test_when_the_lease_may_be_taken(before: Observed, found: Manifest | None, now: float, free_at: float) -> None:
    assert before.then(found, now).free_at == pytest.approx(free_at)


NOW = datetime(2026, 11, 24, 12, 0, 0, 5000, tzinfo=UTC)
STAMP = "2026-11-24T12:00:00.005000Z"
OLD = {"acquireTime": "then", "renewTime": "then", "leaseTransitions": 3}

WRITTEN = [
    pytest.param(NEVER_SEEN, "me", {"acquireTime": STAMP, "leaseTransitions": 1}, id="made"),
    pytest.param(
        NEVER_SEEN.then(lease("1", "other", **OLD), 0), "me", {"acquireTime": STAMP, "leaseTransitions": 4}, id="taken-over"
    ),
    pytest.param(NEVER_SEEN.then(lease("1", "me", **OLD), 0), "me", {"acquireTime": "then", "leaseTransitions": 3}, id="renewed"),
    pytest.param(NEVER_SEEN.then(lease("1", "me", **OLD), 0), "", {"acquireTime": "then", "leaseTransitions": 3}, id="released"),
]


@pytest.mark.parametrize(("seen", "holder", "fields"), WRITTEN)
def test_what_is_written_rests_on_exactly_what_was_seen(seen: Observed, holder: str, fields: dict[str, Any]) -> None:
    made = seen.manifest(holder, NOW)
    assert made["metadata"].get("resourceVersion", "") == seen.version
    assert made["spec"] == {"holderIdentity": holder, "leaseDurationSeconds": DURATION, "renewTime": STAMP, **fields}


def test_the_holder_stops_before_anybody_may_follow() -> None:
    assert RENEW_EVERY * 2 <= DURATION - MARGIN, "one renewal may fail"
    assert MARGIN > 0


class FakeLease(Cluster):
    """A Cluster with one Lease in it, which can be watched, be away, and fall silent."""

    def __init__(self) -> None:
        self.lease: Manifest | None = None
        self.writes: list[str] = []
        self.failure: Exception | None = None
        self.hangs = False
        self.loses_answers = 0
        self._version = 0
        self._changed = asyncio.Condition()

    async def find(self, resource: Resource, key: Key) -> Manifest | None:
        await self._serve(resource, key)
        return self.lease

    async def create(self, resource: Resource, manifest: Manifest, *, dry_run: bool = False) -> Manifest:
        await self._serve(resource, LEASE)
        if self.lease:
            raise Conflict("already exists")
        return await self._put(manifest)

    async def replace(self, resource: Resource, key: Key, manifest: Manifest) -> Manifest:
        await self._serve(resource, key)
        if not self.lease or self.lease["metadata"]["resourceVersion"] != manifest["metadata"]["resourceVersion"]:
            raise Conflict("changed")
        return await self._put(manifest)

    async def watch(self, resource: Resource, key: Key, version: str) -> AsyncGenerator[Manifest | None]:
        seen = int(version or 0)
        while True:
            await self._serve(resource, key)
            async with self._changed:
                while self._version <= seen:
                    await self._changed.wait()
            seen = self._version
            yield self.lease

    async def set(self, found: Manifest | None) -> None:
        """Somebody else writes or deletes the Lease."""
        async with self._changed:
            self._version += 1
            self.lease = found and {**found, "metadata": found["metadata"] | {"resourceVersion": str(self._version)}}
            self._changed.notify_all()

    async def _put(self, manifest: Manifest) -> Manifest:
        await self.set(manifest)
        assert self.lease
        self.writes.append(manifest["spec"]["holderIdentity"])
        if self.loses_answers:
            self.loses_answers -= 1
            raise Outage("the answer got lost")
        return self.lease

    async def _serve(self, resource: Resource, key: Key) -> None:
        assert (resource, key) == (LEASES, LEASE)
        if self.hangs:
            await asyncio.Event().wait()
        if self.failure:
            raise self.failure

    @property
    def holder(self) -> str:
        return str(self.lease["spec"]["holderIdentity"]) if self.lease else ""


@dataclass
class Replica:
    leader: Leader
    task: asyncio.Task[None]
    wins: list[str]

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.wait([self.task])


Start = Callable[..., Replica]


@pytest.fixture
async def api() -> FakeLease:
    return FakeLease()


@pytest.fixture
async def start(api: FakeLease, held: HeldLoop) -> AsyncIterator[Start]:
    replicas: list[Replica] = []

    def run(name: str, now: Callable[[], float] = held.time) -> Replica:
        wins: list[str] = []
        leader = Leader(api, name, lambda: wins.append(name), now)
        replicas.append(Replica(leader, asyncio.create_task(leader.run()), wins))
        return replicas[-1]

    yield run
    for replica in replicas:
        await replica.stop()


A_MOMENT = 0.05  # of the loop's time, in which nobody waits for anything but to be looked at


async def test_a_single_replica_leads_at_once_and_keeps_leading(api: FakeLease, start: Start) -> None:
    one = start("one")
    await until(one.leader.leads, within=A_MOMENT)
    for _ in range(200):
        assert one.leader.leads()
        await asyncio.sleep(0.1)
    assert one.wins == ["one"], "it won once, however often it renewed"
    assert len(api.writes) <= 20 / RENEW_EVERY + 1, "no more often than it must"


async def test_of_many_replicas_one_leads(api: FakeLease, start: Start) -> None:
    replicas = [start(f"replica-{number}") for number in range(5)]
    await until(lambda: any(replica.leader.leads() for replica in replicas))
    for _ in range(200):
        assert sum(replica.leader.leads() for replica in replicas) == 1
        await asyncio.sleep(0.1)
    assert not any(replica.leader.problem for replica in replicas)


async def test_a_clean_stop_hands_over_at_once(api: FakeLease, start: Start) -> None:
    one = start("one")
    await until(one.leader.leads)
    two = start("two")
    await until(lambda: not two.leader.problem)
    await one.stop()
    assert not one.leader.leads()
    await until(two.leader.leads, within=A_MOMENT)


async def test_a_stop_in_the_middle_of_a_renewal_hands_over_too(api: FakeLease, start: Start) -> None:
    one = start("one")
    await until(one.leader.leads)
    assert api.lease
    await api.set(api.lease)  # as if a renewal had been written whose answer did not come
    await one.stop()
    assert api.holder == ""


@pytest.mark.parametrize("down", [False, True], ids=["answered", "not-answered"])
async def test_a_release_is_told_when_it_was_written(
    api: FakeLease, start: Start, caplog: pytest.LogCaptureFixture, down: bool
) -> None:
    one = start("one")
    await until(one.leader.leads)
    api.failure = Outage("down") if down else None
    with caplog.at_level("INFO"):
        await one.stop()
    assert ("the Lease is released" in caplog.messages) is not down


async def test_a_crash_is_waited_out_and_no_longer(api: FakeLease, start: Start) -> None:
    await api.set(lease("1", "crashed", leaseDurationSeconds=DURATION))
    two = start("two")
    took = await until(two.leader.leads)
    assert DURATION <= took < DURATION + A_MOMENT


async def test_whoever_sleeps_through_the_lease_has_lost_it_before_another_may_take_it(api: FakeLease, start: Start) -> None:
    one = start("one")
    await until(one.leader.leads)
    api.hangs = True
    took = await until(lambda: not one.leader.leads())
    assert took < DURATION - MARGIN + A_MOMENT, "its last renewal was sent no later than now"
    api.hangs = False
    await until(one.leader.leads)
    assert one.wins == ["one", "one"], "everything is looked at anew"


async def test_a_suspended_process_may_not_write_when_it_wakes(start: Start, held: HeldLoop) -> None:
    slept = 0.0
    one = start("one", lambda: held.time() + slept)
    await until(one.leader.leads)
    slept = 60.0
    assert not one.leader.leads(), "at once, before any task has run"


async def test_a_lost_answer_to_a_renewal_does_not_lose_the_lease(api: FakeLease, start: Start) -> None:
    one = start("one")
    await until(one.leader.leads)
    api.loses_answers = 1
    for _ in range(60):
        assert one.leader.leads()
        await asyncio.sleep(DURATION / 40)
    assert one.wins == ["one"]


async def test_a_usurper_ends_the_lead_at_the_next_renewal(api: FakeLease, start: Start) -> None:
    one = start("one")
    await until(one.leader.leads)
    await api.set(lease("9", "usurper"))
    await until(lambda: not one.leader.leads(), within=RENEW_EVERY + A_MOMENT)
    await asyncio.sleep(DURATION - RENEW_EVERY - 1)
    assert api.holder == "usurper"


async def test_a_deleted_lease_is_made_again_by_its_holder(api: FakeLease, start: Start) -> None:
    one, _ = start("one"), start("two")
    await until(lambda: api.holder)
    holder = api.holder
    await api.set(None)
    await until(lambda: api.holder)
    assert api.holder == holder
    assert one.leader.leads() == (holder == "one")


async def test_what_rbac_forbids_is_told_as_a_problem_until_it_is_mended(api: FakeLease, start: Start) -> None:
    api.failure = Refused("leases is forbidden")
    one = start("one")
    await until(lambda: "leases is forbidden" in one.leader.problem)
    assert not one.leader.leads()
    api.failure = None
    await until(one.leader.leads)
    assert one.leader.problem == ""


async def test_an_outage_is_waited_for(api: FakeLease, start: Start) -> None:
    api.failure = Outage("down")
    one = start("one")
    await asyncio.sleep(60)
    assert one.leader.problem == "the Lease has not been looked at yet"
    api.failure = None
    await until(one.leader.leads, within=RETRY_EVERY + A_MOMENT)


async def test_who_does_not_lead_may_read_and_try_but_not_write() -> None:
    async with FakeApi(lambda: NOW) as server, aiohttp.ClientSession() as session:
        cluster = Cluster(session, server.url, lambda: False)
        job = {"metadata": {"name": "job", "namespace": "team-a"}}
        assert await cluster.find(JOBS, Key("team-a", "job")) is None
        await cluster.create(JOBS, job, dry_run=True)
        for write in (
            cluster.create(JOBS, job),
            cluster.replace(JOBS, Key("team-a", "job"), job),
            cluster.delete(JOBS, Key("team-a", "job"), "uid"),
            cluster.write_status(REQUESTS, Key("team-a", "r"), "1", {}),
        ):
            with pytest.raises(Outage, match="not the leader"):
                await write
        assert not [call for call in server.calls if call in ("PUT jobs", "DELETE jobs", "PATCH accessrequests/status")]
        assert server.writes == []


async def test_the_clock_fires_nothing_until_it_may(held: HeldLoop) -> None:
    fired: list[Target] = []
    may, asked = False, 0

    async def fire(target: Target) -> None:
        fired.append(target)

    def may_fire() -> bool:
        nonlocal asked
        asked += 1
        return may

    def now() -> datetime:
        return NOW + timedelta(seconds=held.time())

    schedule = Schedule(fire, now, may_fire=may_fire)
    running = asyncio.create_task(schedule.run())
    news, due = Target(REQUESTS, Key("team-a", "news")), Target(REQUESTS, Key("team-a", "due"))
    schedule.soon(news)
    schedule.at(due, now())
    await asyncio.sleep(10 * LONGEST_SLEEP + 1)
    assert fired == []
    assert asked <= 2 * 11, "it waits, it does not spin"
    may = True
    schedule.wake()
    await until(lambda: len(fired) == 2, within=A_MOMENT)
    assert set(fired) == {news, due}
    await schedule.stop(1.0)
    await running


def line(kind: str, version: str) -> str:
    return json.dumps({"type": kind, "object": lease(version)}) + "\n"


WATCHES = [
    pytest.param(200, line("ADDED", "1") + line("MODIFIED", "2"), ["1", "2"], None, id="changes-until-the-server-ends-it"),
    pytest.param(200, line("DELETED", "2"), [None], None, id="deleted-is-none"),
    pytest.param(200, line("ADDED", "1") + line("ERROR", "2"), ["1"], "ERROR", id="an-error-is-an-outage"),
    pytest.param(200, line("ADDED", "1") + "{", ["1"], "not JSON", id="half-a-line-is-an-outage"),
    pytest.param(503, "no", [], "503", id="unavailable-is-an-outage"),
    pytest.param(404, json.dumps({"kind": "Status", "reason": "NotFound", "message": "none"}), [], "none", id="404-is-an-outage"),
]


@pytest.mark.parametrize(("status", "body", "versions", "failure"), WATCHES)
async def test_a_watch_tells_what_changes(status: int, body: str, versions: list[str | None], failure: str | None) -> None:
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.rel_url.raw_path_qs)
        return web.Response(status=status, text=body)

    application = web.Application()
    application.router.add_get("/{path:.*}", answer)
    told: list[str | None] = []
    async with TestServer(application) as server, aiohttp.ClientSession() as session:
        cluster = Cluster(session, str(server.make_url("")).rstrip("/"))
        with pytest.raises(Outage, match=failure) if failure else nullcontext():
            async for found in cluster.watch(LEASES, LEASE, "7"):
                told.append(str(found["metadata"]["resourceVersion"]) if found else None)  # noqa: PERF401 (kept when it breaks)
    assert told == versions
    query = "watch=1&fieldSelector=metadata.name%3Djitaccess&resourceVersion=7"
    assert asked == [f"/apis/coordination.k8s.io/v1/namespaces/jitaccess-system/leases?{query}"]
