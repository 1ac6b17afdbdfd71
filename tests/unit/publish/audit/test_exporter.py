"""One sink told of what is on record: all of it, in order, over failures of the sink, the API server and ourselves."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from jitaccess.domain.model import AccessRequest, Key
from jitaccess.domain.recorded import Entry, State
from jitaccess.domain.text import hour_of
from jitaccess.kube.api import Cluster
from jitaccess.manifests.checkpoint import CHECKPOINT_TYPE, CURSORS
from jitaccess.manifests.cloudevent import Event, as_line
from jitaccess.manifests.evidence import Place, Report
from jitaccess.manifests.parse import parse_request
from jitaccess.manifests.resources import CONFIG_MAPS, NAMESPACES, REQUESTS
from jitaccess.manifests.status import request_status
from jitaccess.manifests.stream import read_stream
from jitaccess.publish.audit import backlog, exporter
from jitaccess.publish.audit.cursors import Cursors
from jitaccess.publish.audit.export import Export
from jitaccess.publish.audit.exporter import Exporter
from jitaccess.publish.audit.pace import Pace, Standing
from jitaccess.publish.audit.trouble import LASTING, Trouble
from jitaccess.publish.metrics import Metrics
from jitaccess.publish.webhook import NotSent
from jitaccess.reconcile.retention import LONGEST_HOLD, remove_old
from unit.conftest import Now
from unit.examples import ALICE, HOUR, NAMESPACE, T0, request_manifest
from unit.fake_api import FakeApi
from unit.waiting import until

REASONS = ("Requested", "Granted", "DurationElapsed")
STATES = (State.PENDING, State.ACTIVE, State.EXPIRED)


class FakeSink:
    """Keeps what it takes; `refuses` and `away` say what it does not take."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.away = ""
        self.refuses = ""
        self.tries = 0

    async def put(self, events: Sequence[Event]) -> None:
        self.tries += 1
        if self.away:
            raise NotSent(self.away)
        for event in events:
            if self.refuses and event["subject"].endswith(self.refuses):
                raise NotSent("413 too large", refused=True)
            self.lines.append(as_line(event))

    async def close(self) -> None:
        self.lines.append(b"")

    @property
    def told(self) -> list[tuple[str, str]]:
        """(request, reason) of what it took, without checkpoints."""
        events = [json.loads(line) for line in self.lines if line]
        return [
            (event["subject"].rpartition("/")[2], event["type"].rpartition(".")[2])
            for event in events
            if event["type"] != CHECKPOINT_TYPE
        ]

    @property
    def report(self) -> Report:
        return read_stream((Place("sink", number), line.decode()) for number, line in enumerate(self.lines, 1))


class Bench:
    """An exporter, its sink and the API server; `leads` says whether it may write."""

    def __init__(self, api: FakeApi, cluster: Cluster, now: Now, pace: Pace) -> None:
        self.api, self.cluster, self.now, self.pace = api, cluster, now, pace
        self.sink = FakeSink()
        self.metrics = Metrics()
        self.news: list[str] = []
        self.task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """A process that has just begun to lead."""
        self.leading = True
        self.cursors = Cursors(self.cluster, lambda: self.leading)
        trouble = Trouble("siem", lambda reason, _message, _warning: self.news.append(reason))
        self.exporter = Exporter("siem", self.sink, self.cluster, self.cursors, trouble, self.now, self.pace, self.metrics)
        self.export = Export([self.exporter], self.now, required=True)
        self.export.won()
        self.task = asyncio.create_task(self.exporter.run())

    async def kill(self) -> None:
        if self.task:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)

    def record(self, name: str, upto: int, *, tell: bool = True) -> AccessRequest:
        """Record a request up to that entry of its history; `tell` the exporter of it, as the recorder does."""
        old = self.api.get(REQUESTS, Key(NAMESPACE, name))
        before = len(((old or {}).get("status") or {}).get("history") or ())
        history = tuple(
            Entry(T0, state, reason, "", ALICE if reason == "Requested" else "")
            for state, reason in zip(STATES[:upto], REASONS[:upto], strict=True)
        )
        manifest = old or request_manifest(name, uid=f"00000000-0000-4000-8000-{abs(hash(name)) % 10**12:012d}")
        request = parse_request(manifest)
        settled = self.now() if STATES[upto - 1].settled else None
        recorded = replace(request.recorded, state=STATES[upto - 1], history=history, settled_at=settled, revision=upto)
        made = parse_request(self.api.put(REQUESTS, {**manifest, "status": request_status(recorded)}))
        if tell:
            self.export.recorded(REQUESTS, made, before)
        return made

    @property
    def waiting(self) -> int:
        """How many requests have something that the sink has not taken."""
        return self.exporter._backlog.size if self.exporter._backlog else 0

    def counted(self, outcome: str) -> float:
        """What the metrics say of the attempts that came to that."""
        return self.metrics.registry.get_sample_value("jitaccess_exports_total", {"sink": "siem", "outcome": outcome}) or 0.0

    async def until(self, *told: tuple[str, str]) -> None:
        await eventually(lambda: sorted(dict.fromkeys(self.sink.told)) == sorted(told), lambda: self.sink.told)


async def eventually(look: Callable[[], object], seen: Callable[[], object] = lambda: "") -> None:
    await until(look, lambda: f"something else than {seen()}")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes seconds with real neighbours takes none here."""
    monkeypatch.setattr(exporter, "SETTLE", 0.0)
    monkeypatch.setattr(backlog, "LAG", 0.0)
    monkeypatch.setattr(backlog, "MARK_EVERY", 0.0)
    monkeypatch.setattr(Trouble, "pause", 0.01)


@pytest.fixture
def pace() -> Pace:
    return Pace(checkpoint_seconds=3600, checkpoint_events=200, linger=0.0)


@pytest.fixture
async def bench(api: FakeApi, cluster: Cluster, now: Now, pace: Pace) -> AsyncIterator[Bench]:
    api.put(CONFIG_MAPS, {"metadata": {"name": CURSORS.name, "namespace": CURSORS.namespace}})
    api.put(NAMESPACES, {"metadata": {"name": "kube-system", "uid": "0c1d2e3f-0000-4000-8000-00000000000a"}})
    made = Bench(api, cluster, now, pace)
    made.start()
    yield made
    await made.kill()


def story(name: str, upto: int = 3) -> list[tuple[str, str]]:
    return [(name, reason) for reason in REASONS[:upto]]


async def test_what_is_recorded_is_told_in_order(bench: Bench) -> None:
    bench.record("a", 1)
    bench.record("b", 1)
    bench.record("a", 2)
    bench.record("a", 3)
    await bench.until(*story("a"), *story("b", 1))
    assert [each for each in bench.sink.told if each[0] == "a"][:3] == story("a")
    assert bench.sink.report.findings == []


async def test_what_was_recorded_before_we_led_is_found(bench: Bench) -> None:
    await bench.kill()
    for name, upto in (("open", 1), ("active", 2), ("over", 3)):
        bench.record(name, upto, tell=False)
    bench.start()
    await bench.until(*story("open", 1), *story("active", 2), *story("over"))


async def test_a_sink_that_is_away_gets_all_later_and_its_trouble_is_told_once(bench: Bench) -> None:
    bench.sink.away = "nobody listens"
    for upto in (1, 2, 3):
        bench.record("a", upto)
    await eventually(lambda: bench.exporter.trouble.failures > 3)
    assert bench.export.remarks() == ("; audit sink siem: nobody listens",)
    assert bench.export.away() == "audit sink siem: nobody listens"
    assert bench.counted("retried") > 3
    bench.sink.away = ""
    await bench.until(*story("a"))
    await eventually(lambda: bench.export.remarks() == ())
    assert bench.counted("sent") == 3


async def test_an_event_that_a_sink_refuses_keeps_no_other_one(bench: Bench) -> None:
    bench.sink.refuses = "/poison"
    poison = bench.record("poison", 1)
    bench.record("a", 1)
    await bench.until(*story("a", 1))
    await eventually(lambda: poison.uid in bench.exporter.refused)
    assert bench.export.standing(REQUESTS, poison.key, poison.uid) is Standing.AWAY
    assert "413 too large" in bench.export.why_not(poison.uid)
    assert bench.export.remarks() == (), "the sink itself is well"
    assert bench.counted("failed") >= 1
    bench.sink.refuses = ""
    bench.record("poison", 2)
    await bench.until(*story("a", 1), *story("poison", 2))
    assert not bench.exporter.refused


async def test_standing_is_taken_only_once_the_sink_has_it(bench: Bench) -> None:
    bench.sink.away = "nobody listens"
    asked = bench.record("a", 1)
    assert bench.export.standing(REQUESTS, asked.key, asked.uid) in (Standing.AWAITED, Standing.AWAY)
    await eventually(lambda: bench.export.standing(REQUESTS, asked.key, asked.uid) is Standing.AWAY)
    bench.sink.away = ""
    await eventually(lambda: bench.export.standing(REQUESTS, asked.key, asked.uid) is Standing.TAKEN)


async def test_after_a_crash_a_request_that_nobody_told_us_of_is_not_taken_for_exported(bench: Bench) -> None:
    await bench.kill()
    asked = bench.record("a", 2, tell=False)
    bench.sink.away = "nobody listens"
    bench.start()
    assert bench.export.standing(REQUESTS, asked.key, asked.uid) is not Standing.TAKEN
    bench.sink.away = ""
    await eventually(lambda: bench.export.standing(REQUESTS, asked.key, asked.uid) is Standing.TAKEN)
    assert bench.sink.told[:2] == story("a", 2)


async def test_a_write_whose_answer_was_lost_is_looked_for(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jitaccess.publish.audit.export.DOUBT", 0.05)
    before = bench.record("a", 1)
    await bench.until(*story("a", 1))
    bench.export.doubt(REQUESTS, before)
    bench.record("a", 2, tell=False)
    await bench.until(*story("a", 2))


async def test_the_end_of_a_request_that_was_deleted_is_told(bench: Bench) -> None:
    gone = bench.record("a", 2)
    bench.api.remove(REQUESTS, gone.key)
    bench.export.deleted(REQUESTS, gone, "its access is ended")
    await bench.until(*story("a", 2), ("a", "RequestDeleted"))
    assert bench.sink.report.findings == []


async def test_an_api_server_that_does_not_answer_is_no_fault_of_the_sink(bench: Bench) -> None:
    bench.api.fail("GET accessrequests", 503, times=2)
    asked = bench.record("a", 1)
    bench.export.doubt(REQUESTS, asked)
    await eventually(lambda: bench.waiting)
    assert not bench.exporter.trouble.why


class TestCheckpoints:
    """With a checkpoint every two events."""

    @pytest.fixture
    def pace(self) -> Pace:
        return Pace(checkpoint_seconds=3600, checkpoint_events=2, linger=0.0)

    async def test_checkpoints_name_all_that_was_sent_and_follow_on_each_other(self, bench: Bench) -> None:
        for name in "abcdef":
            bench.record(name, 3)
        await eventually(lambda: bench.sink.report.unvouched == 0 and bench.sink.report.events == 18)
        assert bench.sink.report.findings == []

    async def test_after_a_restart_only_what_the_last_checkpoint_does_not_cover_is_sent_again(self, bench: Bench) -> None:
        for name in "abcdef":
            bench.record(name, 3)
        await eventually(lambda: bench.sink.report.events == 18 and bench.sink.report.unvouched == 0)
        bench.record("late", 3)
        await eventually(lambda: bench.sink.report.events == 21 and bench.sink.report.unvouched == 0)
        await bench.kill()
        version = bench.cursors.known("siem").version  # type: ignore[union-attr]
        again = {
            item["metadata"]["name"] for item in bench.api.all(REQUESTS) if int(item["metadata"]["resourceVersion"]) > version
        }
        before = len(bench.sink.lines)
        bench.start()
        bench.record("last", 1)
        await eventually(lambda: ("last", "Requested") in bench.sink.told)
        await eventually(lambda: bench.waiting == 0)
        sent = [json.loads(line) for line in bench.sink.lines[before:] if line]
        names = {event["subject"].rpartition("/")[2] for event in sent if event["type"] != CHECKPOINT_TYPE}
        assert names == again | {"last"}
        assert len(again) < 7, "not everything again"
        assert bench.sink.report.findings == []

    async def test_what_was_sent_right_before_a_crash_is_named_by_the_next_complete_checkpoint(self, bench: Bench) -> None:
        bench.pace = Pace(checkpoint_seconds=3600, checkpoint_events=200, linger=0.0)
        await bench.kill()
        bench.start()
        names = [f"r{number}" for number in range(20)]
        for name in names:
            bench.record(name, 2)
        await eventually(lambda: bench.sink.report.events == 40)
        await bench.kill()
        bench.pace = Pace(checkpoint_seconds=3600, checkpoint_events=2, linger=0.0)
        bench.start()
        await eventually(lambda: bench.sink.report.unvouched == 0)
        assert bench.sink.report.findings == []
        assert bench.sink.report.duplicates >= 40

    async def test_a_checkpoint_that_was_stored_and_not_sent_is_sent_by_whoever_takes_over(self, bench: Bench) -> None:
        put = bench.sink.put

        async def only_requests(events: Sequence[Event]) -> None:
            if events[0]["type"] == CHECKPOINT_TYPE:
                raise NotSent("not this one")
            await put(events)

        bench.sink.put = only_requests  # type: ignore[method-assign]
        bench.record("a", 3)
        await eventually(lambda: (bench.cursors.known("siem") or 0) and bench.cursors.known("siem").number == 1)  # type: ignore[union-attr]
        await bench.kill()
        bench.sink.put = put  # type: ignore[method-assign]
        bench.start()
        await eventually(lambda: bench.sink.report.unvouched == 0)
        assert bench.sink.report.findings == []
        assert list(map(str, bench.sink.report.checkpoints.values())) != []

    async def test_settled_requests_are_kept_until_a_checkpoint_covers_them_but_not_for_ever(
        self, bench: Bench, cluster: Cluster, now: Now
    ) -> None:
        bench.sink.away = "nobody listens"
        over = bench.record("a", 3)
        now.passes(days=31)
        assert await remove_old(cluster, REQUESTS, 30 * 24 * HOUR, now(), bench.export.exported) == 0
        assert bench.api.get(REQUESTS, over.key)
        bench.sink.away = ""
        bench.record("b", 2)
        bench.record("c", 2)
        await eventually(lambda: bench.export.exported(over.resource_version))
        bench.record("d", 3, tell=False)
        assert await remove_old(cluster, REQUESTS, 30 * 24 * HOUR, now(), lambda _: False) == 0
        now.value += LONGEST_HOLD
        assert await remove_old(cluster, REQUESTS, 30 * 24 * HOUR, now(), lambda _: False) == 1, "the bound"

    @pytest.mark.parametrize(
        ("reason", "fields"),
        [
            pytest.param("ReviewedAsFine", {"awaitingReview": False, "reviewedIn": "2026-07-01T12"}, id="reviewed"),
            pytest.param("ReviewOverdue", {"awaitingReview": True}, id="overdue"),
        ],
    )
    async def test_what_is_recorded_long_after_the_end_is_exported_though_nobody_told_us(
        self, bench: Bench, now: Now, reason: str, fields: dict[str, Any]
    ) -> None:
        over = bench.record("a", 3)
        await eventually(lambda: bench.export.exported(over.resource_version))
        now.passes(hours=9)
        later = bench.record("b", 3)
        await eventually(lambda: bench.export.exported(later.resource_version))
        await bench.kill()
        cursor, settled = bench.cursors.known("siem"), over.recorded.settled_at
        assert cursor
        assert settled
        assert cursor.since > hour_of(settled), "nobody looks through that hour any more"
        now.passes(hours=1)
        found = bench.api.get(REQUESTS, over.key)
        assert found
        entry = {"at": "2026-07-01T12:10:00.000Z", "state": "Expired", "reason": reason, "message": ""}
        status = found["status"] | fields | {"emergency": True, "reviewWithin": "1h"}
        bench.api.put(REQUESTS, {**found, "status": status | {"history": [*status["history"], entry]}})
        bench.start()
        await eventually(lambda: ("a", reason) in bench.sink.told)

    async def test_what_is_restored_from_a_backup_is_exported_again(self, bench: Bench) -> None:
        bench.record("a", 3)
        await eventually(lambda: bench.sink.report.unvouched == 0 and bench.sink.report.events == 3)
        await bench.kill()
        found = bench.api.get(CONFIG_MAPS, CURSORS)
        assert found
        cursor = json.loads(found["data"]["siem"]) | {"version": 10**6}
        bench.api.put(CONFIG_MAPS, {**found, "data": {"siem": json.dumps(cursor)}})
        before = len(bench.sink.lines)
        bench.start()
        await eventually(lambda: any(b"Requested" in line for line in bench.sink.lines[before:]))
        assert bench.sink.report.findings == []


async def test_without_the_component_it_says_what_to_apply(bench: Bench) -> None:
    await bench.kill()
    bench.api.remove(CONFIG_MAPS, CURSORS)
    bench.start()
    await eventually(lambda: "deploy/components/audit" in bench.exporter.trouble.why)


async def test_without_the_lead_nothing_is_exported(bench: Bench) -> None:
    await eventually(lambda: bench.exporter._backlog and bench.exporter._backlog.scanned)
    bench.leading = False
    bench.exporter._news.set()
    await eventually(lambda: bench.exporter._backlog is None)
    bench.record("a", 1)
    await asyncio.sleep(0.05)
    assert bench.sink.told == []


def test_trouble_that_lasts_is_an_alarm_and_its_end_is_told() -> None:
    told: list[tuple[str, bool]] = []
    trouble = Trouble("siem", lambda reason, _message, warning: told.append((reason, warning)))
    trouble.note("away", 0.0)
    trouble.note("away", LASTING - 1)
    assert told == []
    trouble.note("away", LASTING)
    trouble.note("away", LASTING + 1)
    assert told == [("AuditSinkAway", True)]
    trouble.clear()
    assert told[1:] == [("AuditSinkBack", False)]
    assert trouble.failures == 4
