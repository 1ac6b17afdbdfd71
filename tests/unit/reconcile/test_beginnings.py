"""Access that begins later: at its start, or when its window opens. Nothing is made before, and everything is read anew then."""

from dataclasses import dataclass
from typing import Any

import pytest

from jitaccess.domain.model import Key
from jitaccess.domain.recorded import State
from jitaccess.domain.text import parse_time
from jitaccess.kube.api import Cluster
from jitaccess.manifests.grant import grant_name
from jitaccess.manifests.kinds import ACCESS_REQUEST
from jitaccess.manifests.parse import parse_policy, parse_request
from jitaccess.manifests.resources import JOBS, POLICIES, REQUESTS, ROLE_BINDINGS
from jitaccess.publish.events import Announcer
from jitaccess.publish.publisher import Publisher
from jitaccess.reconcile.comparing import apply, compare
from jitaccess.reconcile.recorder import Tools
from jitaccess.reconcile.requests import RequestReconciler
from jitaccess.workqueue.schedule import Schedule, Target
from unit.conftest import Now
from unit.examples import (
    ALICE,
    BOB,
    KEY,
    NAMESPACE,
    UID,
    approved_by,
    complete_installation,
    empty_store,
    policy_manifest,
    request_manifest,
)
from unit.fake_api import FakeApi

GRANT_KEY = Key(NAMESPACE, grant_name(KEY, UID))
TARGET = Target(REQUESTS, KEY)
STATUS, JOB, BINDING = "PATCH accessrequests/status", "POST jobs", "POST rolebindings"
# It is Wednesday 2026-07-01 02:10 UTC.
START: dict[str, Any] = {"startTime": "2026-07-03T08:00:00Z"}
OFFICE = [{"from": "08:00", "to": "18:00", "timeZone": "Europe/Berlin"}]  # from 06:00 to 16:00 UTC
GETS_PODS = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}


@dataclass
class Bench:
    """One operator without Kopf, and alice's request."""

    api: FakeApi
    cluster: Cluster
    tools: Tools
    requests: RequestReconciler
    now: Now

    def policy(self, **spec: Any) -> None:
        self.api.put(POLICIES, policy_manifest(**spec))

    async def sees(self) -> None:
        """Look, told by the watch what there is."""
        for policy in self.api.all(POLICIES):
            self.tools.store.policies[POLICIES].see(parse_policy(policy))
        found = self.api.get(REQUESTS, KEY)
        assert found
        self.tools.store.requests[REQUESTS].see(parse_request(found))
        await self.looks()

    async def looks(self) -> None:
        """Look, as the clock would have it, and again as long as there is news."""
        self.tools.schedule._deadlines.pop(TARGET, None)
        await self.requests.reconcile(KEY)
        while self.tools.schedule._news.pop(TARGET, self) is None:
            await self.requests.reconcile(KEY)

    @property
    def status(self) -> dict[str, Any]:
        found = self.api.get(REQUESTS, KEY)
        assert found
        return dict(found.get("status") or {})

    @property
    def state(self) -> tuple[str, str]:
        granted: dict[str, Any] = next((c for c in self.status.get("conditions", []) if c["type"] == "Granted"), {})
        return self.status.get("state", ""), granted.get("reason", "")

    @property
    def wakes_at(self) -> float | None:
        return self.tools.schedule._deadlines.get(TARGET)


async def never(_: Target) -> None:
    raise AssertionError("the clock does not run in these tests")


def new_operator(api: FakeApi, cluster: Cluster, now: Now) -> Bench:
    installation = complete_installation()
    tools = Tools(cluster, empty_store(), Schedule(never, now), Publisher(Announcer(cluster)), installation, now)
    return Bench(api, cluster, tools, RequestReconciler(tools, ACCESS_REQUEST), now)


@pytest.fixture
def bench(api: FakeApi, cluster: Cluster, now: Now) -> Bench:
    """Alice's request, approved by bob."""
    api.put_role("view", GETS_PODS)
    api.put(REQUESTS, request_manifest(approvals=approved_by(BOB)))
    return new_operator(api, cluster, now)


@pytest.fixture
def scheduled(bench: Bench) -> Bench:
    """The same, to begin on Friday, where that is allowed."""
    bench.policy(allowScheduling=True)
    bench.api.put(REQUESTS, request_manifest(approvals=approved_by(BOB), **START))
    return bench


@pytest.mark.parametrize("told", [pytest.param(True, id="told-by-the-watch"), pytest.param(False, id="told-nothing")])
async def test_what_is_scheduled_costs_one_write_till_its_start_and_then_what_a_grant_costs(scheduled: Bench, told: bool) -> None:
    await (scheduled.sees() if told else scheduled.looks())
    assert (scheduled.state, scheduled.api.writes) == (("Scheduled", "Scheduled"), [STATUS]), "no Job before the start"
    assert scheduled.wakes_at == parse_time("2026-07-03T08:00:00Z").timestamp()
    scheduled.now.passes(days=2, hours=5, minutes=49, seconds=59.999)
    await scheduled.looks()
    assert scheduled.api.writes == [STATUS], "a millisecond before, nothing has happened"
    scheduled.now.passes(milliseconds=1)
    await scheduled.looks()
    assert (scheduled.state, scheduled.api.writes[1:]) == (("Active", "Granted"), [JOB, STATUS, BINDING])
    assert (scheduled.status["grantedAt"], scheduled.status["expiresAt"]) == (
        "2026-07-03T08:00:00.000Z",
        "2026-07-03T09:00:00.000Z",
    )
    job = scheduled.api.get(JOBS, GRANT_KEY)
    assert job
    assert job["spec"]["ttlSecondsAfterFinished"] == 3630
    assert "startsAt" not in scheduled.status


async def test_another_operator_begins_what_is_scheduled(scheduled: Bench, api: FakeApi, cluster: Cluster, now: Now) -> None:
    await scheduled.looks()
    another = new_operator(api, cluster, now)
    found = await compare(cluster, ACCESS_REQUEST, now)
    apply(found, ACCESS_REQUEST, another.tools.store, another.tools.schedule)
    assert (found.look, another.wakes_at) == (set(), parse_time("2026-07-03T08:00:00Z").timestamp())
    now.passes(days=3)
    await another.looks()
    assert another.state == ("Active", "Granted")
    assert another.status["grantedAt"] == "2026-07-04T02:10:00.000Z", "late, with all of its time"


async def test_one_entry_of_the_store_is_kept_of_what_is_scheduled(scheduled: Bench) -> None:
    await scheduled.sees()
    known = scheduled.tools.store.requests[REQUESTS].get(KEY)
    assert known
    assert (known.scheduled, known.active, known.asked) == (True, False, None), "nobody is reminded of it"
    assert not scheduled.tools.store.requests[REQUESTS]._hints
    assert scheduled.tools.schedule.planned == 1


@pytest.mark.parametrize(
    ("ledgers", "state"),
    [
        pytest.param({"denials": approved_by(BOB)}, ("Denied", "DeniedByApprover"), id="denied"),
        pytest.param({"revocations": approved_by(BOB)}, ("Denied", "DeniedByApprover"), id="revoked-by-an-approver"),
        pytest.param({"revocations": approved_by(ALICE)}, ("Withdrawn", "WithdrawnByRequester"), id="withdrawn"),
    ],
)
@pytest.mark.parametrize("days", [1, 3])
async def test_a_no_while_it_is_scheduled_or_at_its_start_is_the_last_word(
    scheduled: Bench, ledgers: dict[str, str], state: tuple[str, str], days: int
) -> None:
    await scheduled.looks()
    scheduled.now.passes(days=days)
    scheduled.api.annotate(REQUESTS, KEY, **ledgers)
    await scheduled.looks()
    assert scheduled.state == state
    assert scheduled.api.writes == [STATUS, STATUS], "nothing was made, so nothing is taken away"
    assert len(scheduled.tools.store.requests[REQUESTS]) == 0


@pytest.mark.parametrize(
    ("change", "state"),
    [
        pytest.param(lambda bench: bench.policy(), ("Denied", "SchedulingNotAllowed"), id="scheduling-forbidden"),
        pytest.param(
            lambda bench: bench.policy(allowScheduling=True, requiredApprovals=2),
            ("Denied", "ApprovalsMissing"),
            id="more-approvals-asked-for",
        ),
        pytest.param(
            lambda bench: bench.api.put_role("view", GETS_PODS, {"apiGroups": [""], "resources": ["services"], "verbs": ["get"]}),
            ("Denied", "RoleChanged"),
            id="role-changed",
        ),
    ],
)
async def test_all_rules_are_asked_again_at_the_start(scheduled: Bench, change: Any, state: tuple[str, str]) -> None:
    await scheduled.looks()
    scheduled.now.passes(days=3)
    change(scheduled)
    await scheduled.looks()
    assert scheduled.state == state
    assert not scheduled.api.get(ROLE_BINDINGS, GRANT_KEY)


async def test_what_is_in_the_way_at_the_start_may_wait_for_another_pending_time(scheduled: Bench) -> None:
    await scheduled.looks()
    scheduled.now.passes(days=2, hours=6)
    scheduled.api.mutate(ROLE_BINDINGS, lambda made: None)
    scheduled.tools.installation.problems = ("something is missing",)
    await scheduled.looks()
    assert scheduled.state == ("Scheduled", "NotInstalled")
    scheduled.now.passes(hours=24)
    await scheduled.looks()
    assert scheduled.state == ("Failed", "NotInstalled")


async def test_a_request_outside_its_window_is_granted_when_the_window_opens(bench: Bench) -> None:
    bench.policy(windows=OFFICE)
    await bench.sees()
    assert bench.state == ("Pending", "OutsideWindow")
    assert (bench.status["startsAt"], bench.wakes_at) == (
        "2026-07-01T06:00:00.000Z",
        parse_time("2026-07-01T06:00:00Z").timestamp(),
    )
    known = bench.tools.store.requests[REQUESTS].get(KEY)
    assert known
    assert known.asked is None, "it waits for nobody"
    bench.now.passes(hours=3, minutes=49, seconds=59.999)
    await bench.looks()
    assert (bench.state, bench.api.writes) == (("Pending", "OutsideWindow"), [STATUS])
    bench.now.passes(milliseconds=1)
    await bench.looks()
    assert (bench.state, bench.api.writes) == (("Active", "Granted"), [STATUS, JOB, STATUS, BINDING])
    assert bench.status["expiresAt"] == "2026-07-01T07:00:00.000Z"


async def test_a_policy_whose_windows_are_opened_grants_at_once(bench: Bench) -> None:
    bench.policy(windows=OFFICE)
    await bench.sees()
    bench.policy()
    await bench.looks()
    assert bench.state == ("Active", "Granted")


async def test_access_that_ends_with_its_window_has_a_job_that_does_too(bench: Bench) -> None:
    bench.policy(windows=OFFICE, endWithWindow=True)
    bench.now.passes(hours=13, minutes=35)  # 15:45 UTC
    await bench.sees()
    assert (bench.state, bench.status["expiresAt"]) == (("Active", "Granted"), "2026-07-01T16:00:00.000Z")
    job = bench.api.get(JOBS, GRANT_KEY)
    assert job
    assert job["spec"]["ttlSecondsAfterFinished"] == 15 * 60 + 30
    await bench.looks()
    assert bench.state == ("Active", "Granted"), "as it should be, by its Job too"
    bench.policy(windows=[{"from": "08:00", "to": "10:00", "timeZone": "Europe/Berlin"}], endWithWindow=True)
    await bench.looks()
    assert bench.status["expiresAt"] == "2026-07-01T16:00:00.000Z", "an end that is on record never moves"
    bench.now.passes(minutes=15)
    await bench.looks()
    assert bench.state == ("Expired", "DurationElapsed")


async def test_a_job_that_was_made_for_one_window_does_not_stand_behind_a_grant_in_the_next(bench: Bench) -> None:
    split = [{"from": "08:00", "to": "09:00", "timeZone": "Etc/UTC"}, {"from": "09:01", "to": "18:00", "timeZone": "Etc/UTC"}]
    bench.policy(windows=split, endWithWindow=True)
    bench.now.passes(hours=6, minutes=49, seconds=59)  # 08:59:59
    bench.api.before(BINDING, lambda: bench.now.passes(seconds=61))
    await bench.sees()  # the first of its role in its namespace is rehearsed, which takes a minute here
    await bench.looks()
    assert bench.state == ("Active", "Granted")
    job = bench.api.get(JOBS, GRANT_KEY)
    assert job
    lives, left = job["spec"]["ttlSecondsAfterFinished"], parse_time(bench.status["expiresAt"]) - bench.now()
    assert left.total_seconds() <= lives <= left.total_seconds() + 60


async def test_the_kinds_of_states_that_are_open_are_three() -> None:
    assert [state for state in State if not state.settled] == [State.PENDING, State.SCHEDULED, State.ACTIVE]
