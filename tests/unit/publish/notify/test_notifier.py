"""From the transition to the message: each once, over restarts and lost answers; tried again where nobody took it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

import pytest

from jitaccess.domain.notices import REQUESTER, Notify, Occasion
from jitaccess.domain.recorded import Entry, State
from jitaccess.kube.api import Cluster
from jitaccess.manifests.kinds import POLICY_KINDS, REQUEST_KINDS
from jitaccess.manifests.parse import parse_request
from jitaccess.manifests.resources import CONFIG_MAPS, EVENTS, NAMESPACES, REQUESTS
from jitaccess.publish.events import Announcer
from jitaccess.publish.metrics import Metrics
from jitaccess.publish.notify import notifier as module
from jitaccess.publish.notify.channels import Address, Channel, Channels, Requesters
from jitaccess.publish.notify.marks import FIELD, STATE
from jitaccess.publish.notify.notifier import Notifier
from jitaccess.publish.notify.outbox import Parcel
from jitaccess.publish.notify.sending import Senders
from jitaccess.publish.notify.verdicts import TAKEN, Fate, Sent
from jitaccess.publish.transitions import Transition
from jitaccess.workqueue.store import Store
from team import PATIENCE
from unit.conftest import Now
from unit.examples import ALICE, KEY, T0, UID, policy, request_manifest
from unit.fake_api import FakeApi
from unit.waiting import until

REFUSED = Sent(Fate.REFUSED, "it answered 500")
WISH = [{"channel": "chat", "when": ["Requested", "Granted"], "remindAfter": "30m"}]
HISTORY = [{"at": "2026-07-01T02:10:00.000Z", "state": "Pending", "reason": "Requested", "message": "x", "by": ALICE}]


@dataclass
class Places(Senders):
    """Keeps what it is to send; `answers` are given in order, then all is taken."""

    sent: list[tuple[str, str]] = field(default_factory=list)
    answers: list[Sent] = field(default_factory=list)
    hang: asyncio.Event | None = None

    def __post_init__(self) -> None:
        own = Requesters("mailto://x", frozenset({"example.com"}), Notify(REQUESTER, frozenset({Occasion.GRANTED})))
        self.channels = Channels({"chat": Channel("chat")}, own)

    async def send(self, address: Address, parcel: Parcel, cluster: str, now: datetime) -> Sent:
        assert cluster == "cluster-uid"
        counts = " ".join(f"{number} {what[0]}" for what, number in parcel.counts.items())
        self.sent.append((address.channel, counts))
        if self.hang:
            await self.hang.wait()
        return self.answers.pop(0) if self.answers else TAKEN

    async def close(self) -> None:
        """Nothing is open."""


@dataclass
class Desk:
    """A notifier that runs, with all around it."""

    api: FakeApi
    store: Store
    places: Places
    notifier: Notifier
    leads: list[bool]

    def happens(self, reason: str = "Requested", state: State = State.PENDING, name: str = KEY.name, uid: str = UID) -> None:
        """Something is on record."""
        manifest = request_manifest(name, uid=uid, status={"state": state.value, "history": HISTORY, "revision": 1})
        entry = Entry(T0, state, reason, "x", ALICE)
        self.notifier.hear(Transition(REQUESTS, parse_request(manifest), entry))

    async def until(self, look: Callable[[], object]) -> None:
        """Wait until that is so."""
        await until(look, lambda: f"otherwise than with {self.places.sent} sent, {self.notifier.problem or 'no problem'}")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounds follow each other at once; what time it is, the test says."""
    for name in ("ROUND_SECONDS", "PUT_OFF_SECONDS", "MARK_SECONDS"):
        monkeypatch.setattr(module, name, 0.01)


@pytest.fixture
def stage(api: FakeApi) -> FakeApi:
    """The namespace that names the cluster, and the memory."""
    api.put(NAMESPACES, {"metadata": {"name": "kube-system", "uid": "cluster-uid"}})
    api.put_namespace("jitaccess-system")
    api.put(CONFIG_MAPS, {"metadata": {"name": STATE.name, "namespace": STATE.namespace}})
    return api


@asynccontextmanager
async def desk(api: FakeApi, cluster: Cluster, now: Now, *answers: Sent) -> AsyncIterator[Desk]:
    """A replica that leads."""
    store = Store((kind.resource for kind in REQUEST_KINDS), (kind.resource for kind in POLICY_KINDS))
    store.policies[POLICY_KINDS[0].resource].see(policy(notify=WISH))
    places, leads, announcer = Places.__new__(Places), [True], Announcer(cluster)
    places.sent, places.answers = [], list(answers)
    places.__post_init__()
    notifier = Notifier(cluster, store, announcer, Metrics(), places, lambda: leads[0], now)
    tasks = [asyncio.create_task(notifier.run()), asyncio.create_task(announcer.run())]
    try:
        yield Desk(api, store, places, notifier, leads)
    finally:
        await notifier.close()
        await announcer.flush(PATIENCE)
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(each, asyncio.CancelledError) for each in ended), ended


async def test_what_happens_is_told_once(stage: FakeApi, cluster: Cluster, now: Now) -> None:
    async with desk(stage, cluster, now) as office:
        office.happens()
        office.happens()  # as where a record is published by two replicas
        await office.until(lambda: office.places.sent)
        now.passes(seconds=5)
        office.happens("Granted", State.ACTIVE)
        await office.until(lambda: len(office.places.sent) == 3)
    assert office.places.sent[0] == ("chat", "1 Requested")
    assert sorted(office.places.sent[1:]) == [("chat", "1 Granted"), ("requester", "1 Granted")]


async def test_it_is_marked_before_it_is_told_and_not_told_again_by_the_next_leader(
    stage: FakeApi, cluster: Cluster, now: Now
) -> None:
    async with desk(stage, cluster, now) as first:
        first.happens()
        await first.until(lambda: first.places.sent)
    async with desk(stage, cluster, now) as second:
        second.happens()
        second.happens("Granted", State.ACTIVE, name="other", uid="0" * 31 + "1")
        await second.until(lambda: ("chat", "1 Granted") in second.places.sent)
    assert ("chat", "1 Requested") not in second.places.sent


async def test_what_was_not_taken_is_tried_again_also_by_the_next_leader(stage: FakeApi, cluster: Cluster, now: Now) -> None:
    stage.put(REQUESTS, request_manifest(status={"state": "Pending", "history": HISTORY, "revision": 1}))
    async with desk(stage, cluster, now, REFUSED) as first:
        first.happens()
        await first.until(lambda: first.places.sent)
        await first.until(lambda: "left" in _memory(stage) and _memory(stage)["left"])
    async with desk(stage, cluster, now) as second:
        await second.until(lambda: second.places.sent)
    assert second.places.sent == [("chat", "1 Requested")]


async def test_what_may_have_been_taken_is_not_tried_again_and_an_event_says_so(
    stage: FakeApi, cluster: Cluster, now: Now
) -> None:
    stage.put_namespace("team-a")
    async with desk(stage, cluster, now, Sent(Fate.UNKNOWN, "it may have been delivered, or not")) as office:
        office.happens()
        await office.until(lambda: stage.all(EVENTS))
        now.passes(minutes=5)
        await asyncio.sleep(0.1)
    assert office.places.sent == [("chat", "1 Requested")]
    [event] = stage.all(EVENTS)
    assert event["reason"] == "NotificationFailed"
    assert event["message"] == "the channel chat was perhaps not told of Requested: it may have been delivered, or not"


async def test_what_nobody_took_in_time_is_given_up(stage: FakeApi, cluster: Cluster, now: Now) -> None:
    stage.put_namespace("team-a")
    async with desk(stage, cluster, now, *([REFUSED] * 50)) as office:
        office.happens()
        await office.until(lambda: office.places.sent)
        now.passes(minutes=11)
        await office.until(lambda: stage.all(EVENTS))
    assert [event["message"] for event in stage.all(EVENTS)] == [
        "the channel chat was perhaps not told of Requested: it did not take it in time"
    ]


async def test_a_storm_is_folded(stage: FakeApi, cluster: Cluster, now: Now) -> None:
    async with desk(stage, cluster, now) as office:
        for number in range(17):
            office.happens(name=f"r{number}", uid=f"{number:032x}")
        await office.until(lambda: len(office.places.sent) == 4)
    assert office.places.sent == [*[("chat", "1 Requested")] * 3, ("chat", "14 Requested")]


async def test_nothing_is_told_that_cannot_be_marked(api: FakeApi, cluster: Cluster, now: Now) -> None:
    async with desk(api, cluster, now) as office:
        office.happens()
        await office.until(lambda: office.notifier.problem)
    assert office.notifier.problem == (
        "there is no ConfigMap jitaccess-system/jitaccess-notified: apply deploy/components/notifications"
    )
    assert office.places.sent == []


async def test_a_lost_answer_and_another_writer_tell_nothing_twice(stage: FakeApi, cluster: Cluster, now: Now) -> None:
    stage.fail("PUT configmaps", 500, after=True)
    async with desk(stage, cluster, now) as office:
        office.happens()
        await office.until(lambda: now.passes(seconds=1) > T0 and office.places.sent)
        stage.touch(CONFIG_MAPS, STATE)
        office.happens("Granted", State.ACTIVE)
        await office.until(lambda: now.passes(seconds=1) > T0 and len(office.places.sent) == 3)
    assert office.places.sent.count(("chat", "1 Requested")) == 1


async def test_a_replica_that_does_not_lead_tells_nothing(stage: FakeApi, cluster: Cluster, now: Now) -> None:
    async with desk(stage, cluster, now) as office:
        office.leads[0] = False
        office.happens()
        await office.until(lambda: not office.notifier._heard)
        office.leads[0] = True
        office.happens("Granted", State.ACTIVE)
        await office.until(lambda: office.places.sent)
    assert ("chat", "1 Requested") not in office.places.sent


async def test_what_happens_before_the_channels_are_known_is_told_then(stage: FakeApi, cluster: Cluster, now: Now) -> None:
    async with desk(stage, cluster, now) as office:
        channels, office.places.channels = office.places.channels, Channels({})
        office.happens()
        await asyncio.sleep(0.1)
        office.notifier.configure(channels)
        await office.until(lambda: office.places.sent)
        office.notifier.configure(Channels({}))
        office.happens("Granted", State.ACTIVE)
        await asyncio.sleep(0.1)
        office.notifier.configure(channels)
        await asyncio.sleep(0.1)
    assert office.places.sent == [("chat", "1 Requested")]


async def test_what_is_on_its_way_when_the_operator_stops_is_not_sent_again_and_what_waits_is_left(
    stage: FakeApi, cluster: Cluster, now: Now
) -> None:
    stage.put_namespace("team-a")
    for number in range(3):
        status = {"state": "Pending", "history": HISTORY, "revision": 1}
        stage.put(REQUESTS, request_manifest(f"r{number}", uid=f"{number:032x}", status=status))
    async with desk(stage, cluster, now) as first:
        first.places.hang = asyncio.Event()
        for number in range(3):
            first.happens(name=f"r{number}", uid=f"{number:032x}")
        await first.until(lambda: first.places.sent)
    assert [event["message"] for event in stage.all(EVENTS)] == [
        "the channel chat was perhaps not told of Requested: the operator stopped over it"
    ]
    async with desk(stage, cluster, now) as second:
        await second.until(lambda: len(second.places.sent) == 2)
    assert first.places.sent + second.places.sent == [("chat", "1 Requested")] * 3


async def test_the_clock_reminds_once_of_what_still_waits(stage: FakeApi, cluster: Cluster, now: Now) -> None:
    manifest = request_manifest(status={"state": "Pending", "history": HISTORY, "revision": 1})
    stage.put(REQUESTS, manifest)
    async with desk(stage, cluster, now) as office:
        office.store.requests[REQUESTS].see(parse_request(manifest))
        await office.until(lambda: office.places.sent)  # the crash of whoever recorded it had swallowed it
        now.passes(minutes=29)
        await asyncio.sleep(0.1)
        assert office.places.sent == [("chat", "1 Requested")]
        now.passes(minutes=2)
        await office.until(lambda: len(office.places.sent) == 2)
        for _ in range(5):
            now.passes(seconds=30)
            await asyncio.sleep(0.05)
    assert office.places.sent == [("chat", "1 Requested"), ("chat", "1 Reminder")]


def _memory(api: FakeApi) -> dict[str, object]:
    found = api.get(CONFIG_MAPS, STATE)
    assert found
    memory: dict[str, object] = json.loads((found.get("data") or {}).get(FIELD) or "{}")
    return memory
