"""With --audit=required no access begins unless every sink has the record of it; and what ends does not wait."""

from dataclasses import dataclass, replace

import pytest

from jitaccess.domain.model import AccessRequest, Key
from jitaccess.kube.api import Cluster
from jitaccess.manifests.kinds import ACCESS_REQUEST
from jitaccess.manifests.resources import POLICIES, REQUESTS, Resource
from jitaccess.publish.audit.export import Export
from jitaccess.publish.audit.pace import Standing
from jitaccess.publish.events import Announcer
from jitaccess.reconcile.requests import RequestReconciler
from unit.conftest import Now
from unit.examples import BOB, CAROL, KEY, UID, policy_manifest, request_manifest
from unit.fake_api import FakeApi
from unit.reconcile.test_requests import Bench, tools_for


@dataclass
class FakeExport(Export):
    """Sinks that stand as told; `heard` is what was recorded: how many entries, and from which on they were new."""

    def __init__(self, now: Now) -> None:
        super().__init__((), now, required=True)
        self.stands = Standing.TAKEN
        self.heard: list[tuple[int, int]] = []
        self.doubts = 0

    def recorded(self, resource: Resource, request: AccessRequest, start: int) -> None:
        assert resource == REQUESTS
        self.heard.append((len(request.recorded.history), start))

    def doubt(self, resource: Resource, request: AccessRequest) -> None:
        assert (resource, request.uid) == (REQUESTS, UID)
        self.doubts += 1

    def standing(self, resource: Resource, key: Key, uid: str) -> Standing:
        assert (resource, key, uid) == (REQUESTS, KEY, UID)
        return self.stands

    def away(self) -> str:
        return "audit sink siem: no" if self.stands is Standing.AWAY else ""

    def why_not(self, uid: str) -> str:
        assert uid == UID
        return self.away()


@pytest.fixture
def export(now: Now) -> FakeExport:
    return FakeExport(now)


@pytest.fixture
def bench(api: FakeApi, cluster: Cluster, now: Now, export: FakeExport) -> Bench:
    """Alice's request, where the sinks must have what is recorded of it."""
    api.put_role("view", {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]})
    api.put(POLICIES, policy_manifest())
    api.put(REQUESTS, request_manifest())
    announcer = Announcer(cluster)
    tools = replace(tools_for(cluster, announcer, now), audit=export)
    return Bench(api, cluster, tools, RequestReconciler(tools, ACCESS_REQUEST), announcer, now)


def reasons(bench: Bench) -> list[str]:
    return [entry["reason"] for entry in bench.status["history"]]


async def test_every_record_is_told_with_what_of_it_is_new(bench: Bench, export: FakeExport) -> None:
    await bench.looks()
    bench.approve(BOB)
    await bench.looks()
    bench.now.passes(hours=1)
    await bench.looks()
    assert export.heard == [(1, 0), (3, 1), (4, 3)]


async def test_the_binding_waits_until_the_record_has_arrived_and_nothing_is_said_of_that(
    bench: Bench, export: FakeExport
) -> None:
    export.stands = Standing.AWAITED
    bench.approve(BOB)
    await bench.looks(times=3)
    assert (bench.state, bench.binding) == (("Active", "Granted"), None)
    assert bench.retries_soon
    export.stands = Standing.TAKEN
    await bench.looks()
    assert bench.binding
    assert reasons(bench) == ["Requested", "Approved", "Granted"]


async def test_a_sink_that_is_away_is_said_before_the_time_begins_to_count(bench: Bench, export: FakeExport) -> None:
    export.stands = Standing.AWAY
    bench.approve(BOB)
    await bench.looks()
    assert (bench.state, bench.binding) == (("Pending", "AuditUnavailable"), None)
    assert "audit sink siem: no" in bench.condition("Granted")["message"]
    assert bench.retries_soon
    export.stands = Standing.TAKEN
    await bench.looks()
    assert (bench.state, bench.binding is not None) == (("Active", "Granted"), True)


async def test_a_sink_that_goes_away_between_record_and_binding_is_said(bench: Bench, export: FakeExport) -> None:
    export.stands = Standing.AWAITED
    bench.approve(BOB)
    await bench.looks()
    export.stands = Standing.AWAY
    await bench.looks()
    assert (bench.state, bench.binding) == (("Active", "AuditUnavailable"), None)
    export.stands = Standing.TAKEN
    await bench.looks()
    assert (bench.state, bench.binding is not None) == (("Active", "Granted"), True)
    assert reasons(bench)[-1] == "BindingMade"


async def test_after_a_crash_between_record_and_binding_it_waits_as_well(
    bench: Bench, export: FakeExport, cluster: Cluster, now: Now
) -> None:
    export.stands = Standing.AWAITED
    bench.approve(BOB)
    await bench.looks()
    tools = replace(tools_for(cluster, bench.announcer, now), audit=export)
    restarted = Bench(bench.api, cluster, tools, RequestReconciler(tools, ACCESS_REQUEST), bench.announcer, now)
    await restarted.looks(times=2)
    assert restarted.binding is None
    export.stands = Standing.TAKEN
    await restarted.looks()
    assert restarted.binding


@pytest.mark.parametrize("stands", [Standing.AWAITED, Standing.AWAY])
@pytest.mark.parametrize("how", ["time", "denial"])
async def test_ending_never_waits(bench: Bench, export: FakeExport, stands: Standing, how: str) -> None:
    bench.approve(BOB)
    await bench.looks()
    export.stands = stands
    if how == "time":
        bench.now.passes(hours=1)
    else:
        bench.api.annotate(REQUESTS, KEY, denials=f"{CAROL}: no\n")
    before = bench.binding
    await bench.looks()
    assert (before is None, bench.binding is None, bench.status["settled"]) == (False, True, True)


async def test_a_write_without_an_answer_is_doubted(bench: Bench, export: FakeExport) -> None:
    bench.api.fail("PATCH accessrequests/status", 503, after=True)
    with pytest.raises(Exception, match="503"):
        await bench.looks()
    assert export.doubts == 1
