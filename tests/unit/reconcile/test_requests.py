"""Read, decide, act, record: against an API server that holds state, counts writes, and fails where it is told to."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from jitaccess.domain.model import Key
from jitaccess.domain.recorded import DeliveredAs, Recorded, State
from jitaccess.domain.text import format_time, parse_time
from jitaccess.kube.api import Cluster, Outage
from jitaccess.kube.installation import Installation
from jitaccess.manifests.grant import binding_manifest, grant_name, job_manifest
from jitaccess.manifests.kinds import ACCESS_REQUEST
from jitaccess.manifests.parse import parse_policy, parse_request
from jitaccess.manifests.resources import CLUSTER_ROLES, JOBS, POLICIES, REQUESTS, ROLE_BINDINGS, Resource
from jitaccess.publish.events import Announcer
from jitaccess.publish.publisher import Publisher
from jitaccess.reconcile.ending import LOUD_AFTER
from jitaccess.reconcile.recorder import Tools
from jitaccess.reconcile.requests import RequestReconciler
from jitaccess.workqueue.policies import Policies
from jitaccess.workqueue.schedule import Schedule, Target
from jitaccess.workqueue.store import Requests, Store
from team import PATIENCE
from unit.conftest import Now
from unit.examples import (
    ALICE,
    BOB,
    CAROL,
    HOUR,
    KEY,
    NAMESPACE,
    POLICY_KEY,
    T0,
    UID,
    VIEW,
    approved_by,
    complete_installation,
    grant,
    lines,
    policy_manifest,
    request_manifest,
)
from unit.fake_api import FakeApi
from unit.waiting import until

GRANT_KEY = Key(NAMESPACE, grant_name(KEY, UID))
TARGET = Target(REQUESTS, KEY)
STATUS, JOB, BINDING = "PATCH accessrequests/status", "POST jobs", "POST rolebindings"
NO_BINDING, NO_JOB = "DELETE rolebindings", "DELETE jobs"
FORBIDDEN = (
    'rolebindings.rbac.authorization.k8s.io "x" is forbidden: user "system:serviceaccount:jitaccess-system:jitaccess" '
    "is attempting to grant RBAC permissions not currently held: ..."
)


@dataclass
class Bench:
    """The operator's part for requests, without Kopf: what the watch would tell is told by `sees`."""

    api: FakeApi
    cluster: Cluster
    tools: Tools
    requests: RequestReconciler
    announcer: Announcer
    now: Now

    @property
    def open(self) -> Requests:
        return self.tools.store.requests[REQUESTS]

    @property
    def policies(self) -> Policies:
        return self.tools.store.policies[POLICIES]

    @property
    def schedule(self) -> Schedule:
        return self.tools.schedule

    @property
    def installation(self) -> Installation:
        return self.tools.installation

    async def looks(self, *, times: int = 1) -> None:
        """Reconcile, as a deadline, a retry or the sweep would have it, and whatever follows from that at once."""
        for _ in range(times):
            await self.fires()

    async def sees(self) -> None:
        """Reconcile, told by the watch what there is."""
        for policy in self.api.all(POLICIES):
            self.policies.see(parse_policy(policy))
        found = self.api.get(REQUESTS, KEY)
        if found and not (found.get("status") or {}).get("settled"):
            self.open.see(parse_request(found))
        await self.looks()

    async def fires(self, *, most: int = 20) -> int:
        """Do as the clock would: look as long as there is news. Returns how often."""
        for count in range(1, most + 1):
            self.schedule._news.pop(TARGET, None)
            await self.requests.reconcile(KEY)
            if TARGET not in self.schedule._news:
                return count
        raise AssertionError(f"still news after {most} looks: a loop without a pause")

    @property
    def status(self) -> dict[str, Any]:
        found = self.api.get(REQUESTS, KEY)
        assert found, "the request is gone"
        status: dict[str, Any] = found.get("status") or {}
        return status

    @property
    def state(self) -> tuple[str, str]:
        """The state, and the reason of the condition Granted."""
        return self.status.get("state", ""), self.condition("Granted").get("reason", "")

    def condition(self, kind: str) -> dict[str, Any]:
        found: dict[str, Any] = next((c for c in self.status.get("conditions", []) if c["type"] == kind), {})
        return found

    @property
    def binding(self) -> dict[str, Any] | None:
        return self.api.get(ROLE_BINDINGS, GRANT_KEY)

    @property
    def job(self) -> dict[str, Any] | None:
        return self.api.get(JOBS, GRANT_KEY)

    @property
    def news(self) -> list[tuple[str, bool]]:
        """The Events that wait to be posted, and whether they warn."""
        return [(item.reason, item.warning) for item in self.announcer._waiting._queue]  # type: ignore[attr-defined]

    def approve(self, *users: str) -> None:
        self.api.annotate(REQUESTS, KEY, approvals=approved_by(*users))

    @property
    def wakes_at(self) -> float | None:
        """When the clock would look again."""
        return self.schedule._deadlines.get(TARGET)

    @property
    def retries_soon(self) -> bool:
        """Whether the clock would look again by itself, soon, but not without a pause."""
        planned, due = self.schedule._attempts.get(TARGET, 0), self.wakes_at
        return planned > 0 and due is not None and due < self.now().timestamp() + 10 and TARGET not in self.schedule._news


async def never(_: Target) -> None:
    raise AssertionError("the clock does not run in these tests")


def tools_for(cluster: Cluster, announcer: Announcer, now: Now) -> Tools:
    """What one operator works with; everything is installed."""
    installation = complete_installation()
    return Tools(cluster, Store([REQUESTS], [POLICIES]), Schedule(never, now), Publisher(announcer), installation, now)


@pytest.fixture
def bench(api: FakeApi, cluster: Cluster, now: Now) -> Bench:
    """Alice's request under prod-debug, for the role view; everything is installed."""
    api.put_role("view", {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]})
    api.put(POLICIES, policy_manifest())
    api.put(REQUESTS, request_manifest())
    announcer = Announcer(cluster)
    tools = tools_for(cluster, announcer, now)
    return Bench(api, cluster, tools, RequestReconciler(tools, ACCESS_REQUEST), announcer, now)


@pytest.fixture
async def active(bench: Bench) -> Bench:
    """The same, an hour granted at T0; calls are counted from here."""
    bench.approve(BOB)
    await bench.looks()
    assert bench.state == ("Active", "Granted")
    bench.api.forget_calls()
    return bench


# The happy path, and its price.


@pytest.mark.parametrize("told", [pytest.param(True, id="told-by-the-watch"), pytest.param(False, id="told-nothing")])
async def test_a_request_costs_seven_writes_and_nothing_else(bench: Bench, told: bool) -> None:
    look: Callable[[], Any] = bench.sees if told else bench.looks
    await look()
    assert (bench.state, bench.api.writes) == (("Pending", "WaitingForApproval"), [STATUS])
    bench.approve(BOB)
    await look()
    assert (bench.state, bench.api.writes[1:]) == (("Active", "Granted"), [JOB, STATUS, BINDING]), "the record before the access"
    bench.now.passes(hours=1)
    await look()
    assert (bench.state, bench.api.writes[4:]) == (("Expired", "DurationElapsed"), [NO_BINDING, STATUS, NO_JOB])
    assert (bench.binding, bench.job, len(bench.open)) == (None, None, 0)
    assert bench.api.dry_runs == [BINDING], "the first of its role in its namespace is rehearsed"


async def test_looking_again_writes_nothing(bench: Bench) -> None:
    await bench.looks(times=3)
    bench.approve(BOB)
    await bench.looks(times=3)
    bench.now.passes(minutes=59, seconds=59.999)
    await bench.looks(times=3)
    bench.now.passes(milliseconds=1)
    await bench.looks(times=3)
    assert bench.api.writes == [STATUS, JOB, STATUS, BINDING, NO_BINDING, STATUS, NO_JOB]


async def test_what_is_granted_is_exactly_what_was_asked_for(active: Bench) -> None:
    binding, job, status = active.binding, active.job, active.status
    assert binding
    assert job
    assert binding["roleRef"] == {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}
    assert [subject["name"] for subject in binding["subjects"]] == [ALICE]
    assert [owner["uid"] for owner in binding["metadata"]["ownerReferences"]] == [job["metadata"]["uid"]]
    assert [owner["uid"] for owner in job["metadata"]["ownerReferences"]] == [UID]
    assert job["spec"]["ttlSecondsAfterFinished"] == 3630
    assert status["bindingRef"] == {"name": GRANT_KEY.name}, "recorded before it was made"
    assert status["jobRef"] == {"name": GRANT_KEY.name, "uid": job["metadata"]["uid"]}
    assert (status["grantedAt"], status["expiresAt"]) == ("2026-07-01T02:10:00.000Z", "2026-07-01T03:10:00.000Z")
    assert active.wakes_at == parse_time(status["expiresAt"]).timestamp()
    assert active.condition("ExpiryGuarded")["status"] == "True"


async def test_a_pending_request_is_looked_at_again_when_it_times_out(bench: Bench) -> None:
    await bench.looks()
    assert bench.wakes_at == parse_time("2026-07-02T02:10:00Z").timestamp()
    bench.now.passes(days=1)
    await bench.looks()
    assert bench.state == ("TimedOut", "PendingTimeout")
    assert bench.api.writes == [STATUS, STATUS], "nothing was made, so nothing is taken away"


async def test_a_policy_that_needs_nobody_grants_at_once(bench: Bench) -> None:
    bench.api.put(POLICIES, policy_manifest(requiredApprovals=0, approvers=None))
    await bench.looks()
    assert (bench.state, bench.api.writes) == (("Active", "Granted"), [JOB, STATUS, BINDING])


async def test_the_world_is_told_after_the_record(bench: Bench) -> None:
    await bench.looks()
    bench.approve(BOB)
    await bench.looks(times=2)
    bench.now.passes(hours=1)
    await bench.looks()
    assert bench.news == [("Approved", False), ("Granted", False), ("DurationElapsed", False)]


async def test_what_cannot_be_recorded_is_not_told(bench: Bench) -> None:
    bench.api.fail(STATUS, 500)
    with pytest.raises(Outage):
        await bench.looks()
    assert bench.news == []


# Every way to end.


@pytest.mark.parametrize(
    ("act", "state"),
    [
        pytest.param(
            lambda bench: bench.api.annotate(REQUESTS, KEY, revocations=approved_by(ALICE)),
            ("Revoked", "RevokedByRequester"),
            id="the-requester-revokes",
        ),
        pytest.param(
            lambda bench: bench.api.annotate(REQUESTS, KEY, denials=approved_by(CAROL)),
            ("Revoked", "RevokedByApprover"),
            id="an-approver-denies",
        ),
        pytest.param(
            lambda bench: bench.api.remove(POLICIES, POLICY_KEY), ("Revoked", "PolicyNotFound"), id="the-policy-is-deleted"
        ),
        pytest.param(
            lambda bench: bench.api.put(POLICIES, policy_manifest(maxDuration="30m")),
            ("Revoked", "DurationTooLong"),
            id="the-policy-is-narrowed",
        ),
        pytest.param(lambda bench: bench.now.passes(hours=1), ("Expired", "DurationElapsed"), id="the-time-is-up"),
        pytest.param(
            lambda bench: bench.api.put(REQUESTS, bench.api.get(REQUESTS, KEY) | {"spec": {}}) and bench.now.passes(hours=1),
            ("Expired", "DurationElapsed"),
            id="the-time-is-up-for-a-spec-that-cannot-be-read",
        ),
    ],
)
async def test_every_way_to_end_takes_binding_and_job_away(
    active: Bench, act: Callable[[Bench], Any], state: tuple[str, str]
) -> None:
    act(active)
    await active.looks()
    assert active.state == state
    assert active.api.writes == [NO_BINDING, STATUS, NO_JOB], "access first, then the record, then the Job"
    assert (active.binding, active.job) == (None, None)


async def test_access_ends_before_it_is_recorded_and_the_record_is_made_good(active: Bench) -> None:
    active.now.passes(hours=1)
    active.api.fail(STATUS, 503)
    with pytest.raises(Outage):
        await active.looks()
    assert (active.binding, active.state) == (None, ("Active", "Granted")), "the access is gone, whatever the record says"
    await active.looks()
    assert active.state == ("Expired", "DurationElapsed")
    assert len([entry for entry in active.status["history"] if entry["state"] == "Expired"]) == 1


@pytest.mark.parametrize(
    "ends",
    [
        pytest.param(lambda bench: bench.now.passes(hours=1), id="by-its-time"),
        pytest.param(lambda bench: bench.api.annotate(REQUESTS, KEY, revocations=f"{ALICE}: done"), id="by-a-person"),
        pytest.param(lambda bench: bench.api.remove(REQUESTS, KEY), id="with-its-request"),
    ],
)
async def test_another_binding_that_was_seen_before_the_record_of_the_end_is_looked_at_after_it(
    active: Bench, ends: Callable[[Bench], None]
) -> None:
    active.open.note_another(KEY, GRANT_KEY)
    another = Target(ROLE_BINDINGS, GRANT_KEY)
    await active.looks()
    assert another not in active.schedule._news, "it may be ours, put back: its own look at the request tells"
    ends(active)
    await active.looks()
    assert another in active.schedule._news


async def test_a_deleted_request_takes_its_access_with_it(active: Bench) -> None:
    active.api.remove(REQUESTS, KEY)
    await active.looks()
    assert (active.binding, active.job, len(active.open)) == (None, None, 0)
    assert active.api.writes == [NO_BINDING, NO_JOB]


async def test_a_settled_request_is_left_alone(active: Bench) -> None:
    active.now.passes(hours=1)
    await active.looks()
    active.api.forget_calls()
    active.api.annotate(REQUESTS, KEY, approvals=approved_by(BOB, CAROL))
    await active.looks()
    assert (active.api.writes, active.state) == ([], ("Expired", "DurationElapsed"))


@pytest.mark.parametrize("status", [500, 503])
async def test_access_that_could_not_be_ended_is_never_recorded_as_ended(active: Bench, status: int) -> None:
    active.now.passes(hours=1)
    active.api.fail(NO_BINDING, status)
    with pytest.raises(Outage):
        await active.looks()
    assert active.state == ("Active", "Granted")
    await active.looks()
    assert (active.binding, active.job, active.state[0]) == (None, None, "Expired")


@pytest.mark.parametrize("status", [403, 409, 500])
async def test_a_job_that_cannot_be_removed_holds_up_no_record(active: Bench, status: int) -> None:
    active.now.passes(hours=1)
    active.api.fail(NO_JOB, status, times=99)
    await active.looks()
    assert (active.binding, active.state) == (None, ("Expired", "DurationElapsed"))


@pytest.mark.parametrize("status", [403, 409])
async def test_a_binding_whose_deletion_is_refused_loses_its_effect(active: Bench, status: int) -> None:
    active.now.passes(hours=1)
    active.api.fail(NO_BINDING, status, "delete protection", times=99)
    await active.looks()
    assert active.binding
    assert active.binding.get("subjects") is None, f"a binding without subjects gives nothing, but: {active.binding}"
    assert active.state == ("Expired", "DurationElapsed")
    emptied = [entry for entry in active.status["history"] if entry["reason"] == "BindingEmptied"]
    assert "delete protection" in emptied[0]["message"]
    assert ("BindingEmptied", True) in active.news


async def test_a_binding_that_a_finalizer_keeps_loses_its_effect(active: Bench) -> None:
    assert active.binding
    active.binding["metadata"]["finalizers"] = ["x.dev/keep"]
    active.now.passes(hours=1)
    await active.looks()
    assert active.binding
    assert "deletionTimestamp" in active.binding["metadata"]
    assert active.binding.get("subjects") is None, "RBAC honours a binding that is being deleted"
    assert active.state == ("Expired", "DurationElapsed")
    assert "x.dev/keep" in active.status["history"][-2]["message"]


async def test_a_binding_that_goes_while_it_is_emptied_is_gone(active: Bench) -> None:
    assert active.binding
    active.binding["metadata"]["finalizers"] = ["x.dev/keep"]
    active.api.before("PUT rolebindings", lambda: active.api.remove(ROLE_BINDINGS, GRANT_KEY))
    active.now.passes(hours=1)
    await active.looks()
    assert active.state == ("Expired", "DurationElapsed")
    assert active.api.all(ROLE_BINDINGS) == []
    assert "BindingEmptied" not in [entry["reason"] for entry in active.status["history"]]


@pytest.mark.parametrize("status", [403, 409])
async def test_an_end_that_is_refused_is_said_and_tried_for_ever(active: Bench, status: int) -> None:
    active.now.passes(hours=1)
    active.api.fail(NO_BINDING, status, "delete protection", times=99)
    active.api.fail("PUT rolebindings", status, "update protection", times=99)
    for _ in range(5):
        await active.looks()
        assert active.retries_soon, "and not in a loop without a pause"
    assert active.state == ("Active", "EndRefused"), "what still gives access is not called over"
    granted = active.condition("Granted")
    assert granted["status"] == "True"
    assert "should have ended (the time is up), but" in granted["message"]
    assert "update protection" in granted["message"]
    assert [entry["reason"] for entry in active.status["history"]].count("EndRefused") == 1
    assert active.news.count(("EndRefused", True)) == 1
    active.api._faults.clear()
    await active.looks()
    assert (active.binding, active.state) == (None, ("Expired", "DurationElapsed"))


async def test_an_outage_of_the_ending_alone_becomes_loud(active: Bench) -> None:
    active.now.passes(hours=1)
    active.api.fail(NO_BINDING, 500, "failed calling webhook", times=99)
    for _ in range(LOUD_AFTER):
        with pytest.raises(Outage):
            await active.looks()
        active.schedule.retry(TARGET)  # as the schedule does with what failed
    await active.looks()
    assert active.state == ("Active", "EndRefused")
    assert "failed calling webhook" in active.condition("Granted")["message"]


# Obstacles.


async def test_a_job_that_is_refused_leaves_a_grant_without_a_guard_and_says_so(bench: Bench) -> None:
    bench.approve(BOB)
    bench.api.fail(JOB, 403, "exceeded quota: count/jobs.batch=0")
    await bench.looks()
    assert bench.state == ("Active", "Granted")
    guarded = bench.condition("ExpiryGuarded")
    assert (guarded["status"], guarded["reason"]) == ("False", "JobRefused")
    assert "exceeded quota: count/jobs.batch=0" in guarded["message"]
    assert "jobRef" not in bench.status
    assert bench.binding
    assert [owner["uid"] for owner in bench.binding["metadata"]["ownerReferences"]] == [UID], "it goes with the request at least"
    assert ("ExpiryUnguarded", True) in bench.news
    bench.api.forget_calls()
    await bench.looks(times=2)
    assert bench.api.writes == [], "it stays as it is"


@pytest.mark.parametrize(
    ("message", "reason", "told"),
    [
        pytest.param(FORBIDDEN, "BindForbidden", "add it to the ClusterRole jitaccess-grantable-roles", id="bind-is-missing"),
        pytest.param("denied by kyverno", "BindingRefused", "the binding was refused: denied by kyverno", id="a-policy-engine"),
    ],
)
async def test_a_binding_that_is_refused_leaves_no_job_and_is_tried_again(
    bench: Bench, message: str, reason: str, told: str
) -> None:
    bench.approve(BOB)
    bench.api.fail(BINDING, 403, message, times=3)
    await bench.looks()
    assert bench.state == ("Pending", reason)
    assert told in bench.condition("Granted")["message"]
    assert bench.condition("Approved")["status"] == "True"
    assert (bench.binding, bench.job) == (None, None)
    assert bench.api.writes == [STATUS], "the rehearsal was refused, so nothing was begun"
    assert bench.wakes_at is not None, "it is tried again"
    assert (reason, True) in bench.news

    bench.api.forget_calls()
    await bench.looks(times=2)
    assert bench.api.writes == [], "while it is refused, trying makes nothing and records nothing"
    await bench.looks()
    assert (bench.state, bench.api.writes) == (("Active", "Granted"), [JOB, STATUS, BINDING])


async def test_a_binding_that_is_refused_after_the_record_is_said_and_made_later(bench: Bench) -> None:
    bench.approve(BOB)
    bench.api.before(STATUS, lambda: bench.api.fail(BINDING, 403, FORBIDDEN))
    await bench.looks()
    assert bench.state == ("Active", "BindForbidden"), "its time runs: one approval starts one grant"
    assert bench.condition("Granted")["status"] == "False"
    assert bench.retries_soon
    end = bench.status["expiresAt"]
    bench.now.passes(minutes=10)
    await bench.looks()
    assert (bench.state, bench.status["expiresAt"]) == (("Active", "Granted"), end)
    assert bench.binding
    assert bench.status["history"][-1]["reason"] == "BindingMade"


async def test_what_could_not_be_bound_until_its_end_says_so(bench: Bench) -> None:
    bench.approve(BOB)
    bench.api.before(STATUS, lambda: bench.api.fail(BINDING, 403, FORBIDDEN, times=99))
    await bench.looks()
    bench.now.passes(hours=1)
    await bench.looks()
    assert bench.state == ("Expired", "DurationElapsed")
    assert "at the end the binding could not be made" in bench.condition("Granted")["message"]


@pytest.mark.parametrize(
    ("change", "reason", "told"),
    [
        pytest.param(
            lambda made: made["spec"].update(ttlSecondsAfterFinished=86400), "JobChanged", "86400 s instead of 3630 s", id="a-day"
        ),
        pytest.param(
            lambda made: made["spec"].update(ttlSecondsAfterFinished=10), "JobChanged", "10 s instead of 3630 s", id="ten-seconds"
        ),
        pytest.param(
            lambda made: made["metadata"].update(finalizers=["x.dev/keep"]), "JobChanged", "x.dev/keep", id="a-finalizer"
        ),
        pytest.param(
            lambda made: made["metadata"]["ownerReferences"].append({"apiVersion": "v1", "kind": "X", "name": "x", "uid": "x"}),
            "JobChanged",
            "other owners",
            id="an-owner",
        ),
    ],
)
async def test_a_job_that_came_out_different_guards_nothing(
    bench: Bench, change: Callable[[dict[str, Any]], Any], reason: str, told: str
) -> None:
    bench.api.mutate(JOBS, change)
    bench.approve(BOB)
    await bench.looks()
    assert bench.state == ("Active", "Granted")
    guarded = bench.condition("ExpiryGuarded")
    assert (guarded["status"], guarded["reason"]) == ("False", reason)
    assert told in guarded["message"]
    assert bench.binding
    assert [owner["uid"] for owner in bench.binding["metadata"]["ownerReferences"]] == [UID], "its end is not the Job's"
    await bench.looks(times=2)
    assert bench.api.writes.count(BINDING) == 1, "it does not flap"


async def test_a_finalizer_put_on_every_new_binding_is_said(bench: Bench) -> None:
    bench.api.mutate(ROLE_BINDINGS, lambda made: made["metadata"].update(finalizers=["controller.cattle.io/x"]))
    bench.approve(BOB)
    await bench.looks()
    guarded = bench.condition("ExpiryGuarded")
    assert (bench.state, guarded["status"], guarded["reason"]) == (("Active", "Granted"), "False", "FinalizerAdded")
    assert "controller.cattle.io/x" in guarded["message"]
    bench.now.passes(hours=1)
    await bench.looks()
    assert bench.binding
    assert (bench.binding.get("subjects"), bench.state[0]) == (None, "Expired")


async def test_a_binding_that_came_out_as_another_gives_nothing(bench: Bench) -> None:
    bench.api.mutate(ROLE_BINDINGS, lambda made: made.update(subjects=[{"kind": "Group", "name": "everybody"}]))
    bench.approve(BOB)
    await bench.looks()
    assert (bench.binding, bench.state) == (None, ("Active", "BindingRefused"))
    assert "came out different" in bench.condition("Granted")["message"]


async def test_an_obstacle_at_the_timeout_is_a_failure_that_names_it(bench: Bench) -> None:
    bench.approve(BOB)
    bench.api.fail(BINDING, 403, FORBIDDEN, times=99)
    await bench.looks()
    bench.now.passes(days=1)
    await bench.looks()
    assert bench.state == ("Failed", "BindForbidden")


async def test_a_role_that_is_missing_is_waited_for(bench: Bench) -> None:
    bench.api.remove(CLUSTER_ROLES, Key("", "view"))
    bench.approve(BOB)
    await bench.looks(times=2)
    assert (bench.state, bench.api.writes) == (("Pending", "RoleNotFound"), [STATUS])
    bench.api.put_role("view")
    await bench.looks()
    assert bench.state == ("Active", "Granted")


async def test_a_role_that_may_not_be_read_is_not_bound(bench: Bench) -> None:
    bench.approve(BOB)
    bench.api.fail("GET clusterroles", 403, "forbidden")
    await bench.looks()
    assert (bench.state, bench.binding) == (("Pending", "RoleUnreadable"), None)


async def test_a_role_that_has_become_dangerous_is_not_bound(bench: Bench) -> None:
    bench.api.put_role("view", {"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"]})
    bench.approve(BOB)
    await bench.looks()
    assert (bench.state, bench.binding, bench.job) == (("Denied", "PersistentRisk"), None, None)
    assert "read Secrets" in bench.condition("Granted")["message"]


async def test_nothing_is_granted_while_the_installation_is_incomplete(bench: Bench) -> None:
    bench.installation.problems = ("ValidatingAdmissionPolicy decisions.jitaccess.dev is missing",)
    bench.approve(BOB)
    await bench.sees()
    assert (bench.state, bench.api.writes) == (("Pending", "NotInstalled"), [STATUS])
    bench.installation.problems = ()
    await bench.looks()
    assert bench.state == ("Active", "Granted")


async def test_before_anybody_has_looked_nothing_is_granted_and_nothing_is_said_to_be_missing(bench: Bench) -> None:
    installed = bench.installation.problems, bench.installation.components
    bench.installation.problems, bench.installation.components = Installation().problems, None
    bench.approve(BOB)
    await bench.sees()
    assert (bench.status, bench.api.writes, bench.retries_soon) == ({}, [], True)
    bench.installation.problems, bench.installation.components = installed
    await bench.looks()
    assert bench.state == ("Active", "Granted")
    assert "NotInstalled" not in [entry["reason"] for entry in bench.status["history"]]


async def test_access_ends_though_the_installation_is_incomplete(active: Bench) -> None:
    active.installation.problems = ("everything is missing",)
    active.now.passes(hours=1)
    await active.looks()
    assert (active.state, active.binding) == (("Expired", "DurationElapsed"), None)


async def test_a_namespace_that_is_gone_is_an_obstacle_and_not_a_crash(bench: Bench) -> None:
    bench.approve(BOB)
    bench.api.namespaces.clear()
    await bench.looks()
    assert bench.state == ("Pending", "BindingRefused")


# What was shown is what is granted.


async def test_a_role_that_was_widened_after_the_approval_is_not_granted(bench: Bench) -> None:
    bench.api.put(POLICIES, policy_manifest(requiredApprovals=2))
    bench.approve(BOB)
    await bench.looks()
    shown = bench.status["role"]
    bench.api.put_role("view", {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["delete"]})
    bench.approve(BOB, CAROL)
    await bench.looks()
    assert (bench.state, bench.binding, bench.job) == (("Denied", "RoleChanged"), None, None)
    assert bench.status["role"] == shown, "the record keeps what the approvers were shown"


async def test_a_role_that_changes_before_anybody_approved_is_shown_anew(bench: Bench) -> None:
    await bench.looks()
    bench.api.put_role("view", {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]})
    await bench.looks()
    assert bench.status["role"]["rules"] == [{"verbs": ["get"], "groups": [""], "resources": ["configmaps"]}]
    assert bench.status["history"][-1]["reason"] == "RoleChanged"
    bench.approve(BOB)
    await bench.looks()
    assert bench.state == ("Active", "Granted")


async def test_a_role_that_changes_during_a_grant_is_on_record_once(active: Bench) -> None:
    active.api.put_role("view", {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]})
    await active.looks(times=3)
    assert active.state == ("Active", "Granted")
    assert [entry["reason"] for entry in active.status["history"]].count("RoleChanged") == 1
    assert active.news.count(("RoleChanged", True)) == 1


async def test_a_role_that_becomes_riskier_than_the_policy_accepts_ends_the_access(active: Bench) -> None:
    active.api.put_role("view", {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]})
    await active.looks()
    assert (active.state, active.binding) == (("Revoked", "PersistentRisk"), None)
    assert "read Secrets" in active.condition("Granted")["message"]


async def test_a_policy_recreated_under_its_name_inherits_no_approvals(bench: Bench) -> None:
    bench.api.put(POLICIES, policy_manifest(requiredApprovals=2))
    bench.approve(BOB)
    await bench.looks()
    bench.api.put(POLICIES, policy_manifest(metadata={"uid": "another"}))
    await bench.looks()
    assert (bench.state, bench.binding) == (("Denied", "PolicyRecreated"), None)
    assert "ask again" in bench.condition("Granted")["message"]


async def test_a_policy_recreated_under_its_name_inherits_no_access(active: Bench) -> None:
    active.api.put(POLICIES, policy_manifest(metadata={"uid": "another"}))
    await active.looks()
    assert (active.state, active.binding) == (("Revoked", "PolicyRecreated"), None)


async def test_a_policy_younger_than_the_request_is_not_the_one_that_was_asked_under(bench: Bench) -> None:
    bench.api.put(POLICIES, policy_manifest(metadata={"creationTimestamp": "2026-07-01T02:10:01Z"}))
    bench.approve(BOB)
    await bench.looks()
    assert (bench.state, bench.binding) == (("Denied", "PolicyRecreated"), None)


@pytest.mark.parametrize(
    ("recreated", "forgotten", "expected"),
    [
        pytest.param(False, False, ("Active", "Granted"), id="the-policy-was-there-first"),
        pytest.param(True, False, ("Denied", "PolicyRecreated"), id="recreated-after-the-request"),
        pytest.param(False, True, ("Denied", "PolicyRecreated"), id="the-history-is-forgotten-so-nobody-knows"),
    ],
)
async def test_of_the_same_second_only_the_history_tells_which_policy_was_asked_under(
    api: FakeApi, bench: Bench, recreated: bool, forgotten: bool, expected: tuple[str, str]
) -> None:
    second = {"creationTimestamp": T0.strftime("%Y-%m-%dT%H:%M:%SZ")}
    api.remove(REQUESTS, KEY)
    api.put(POLICIES, policy_manifest(metadata=second))
    api.put(REQUESTS, request_manifest(uid="of-that-second"))
    if recreated:
        api.put(POLICIES, policy_manifest(metadata={**second, "uid": "another"}))
    bench.approve(BOB)
    api.touch(REQUESTS, KEY)
    api.forgets = forgotten
    await bench.looks()
    assert bench.state == expected
    assert len(api.all(ROLE_BINDINGS)) == (expected[0] == "Active")
    assert not forgotten or "not known any more" in bench.condition("Granted")["message"]


# What somebody put in our way.


def planted(resource: Resource, **metadata: Any) -> dict[str, Any]:
    """An object of the name that ours will have."""
    kept: dict[str, Any] = {"metadata": {"name": GRANT_KEY.name, "namespace": NAMESPACE, **metadata}}
    if resource is ROLE_BINDINGS:
        kept |= {"roleRef": {"kind": "ClusterRole", "name": "view"}, "subjects": [{"kind": "User", "name": "mallory"}]}
    return kept


FOREIGN_LABELS = [
    pytest.param({}, id="without-labels"),
    pytest.param({"labels": {"app.kubernetes.io/managed-by": "helm", "jitaccess.dev/request-uid": UID}}, id="of-another-manager"),
    pytest.param(
        {"labels": {"app.kubernetes.io/managed-by": "jitaccess", "jitaccess.dev/request-uid": "other"}}, id="of-another-request"
    ),
]


@pytest.mark.parametrize("resource", [pytest.param(JOBS, id="job"), pytest.param(ROLE_BINDINGS, id="binding")])
@pytest.mark.parametrize("metadata", FOREIGN_LABELS)
async def test_a_planted_object_is_never_adopted_and_never_touched(
    bench: Bench, resource: Resource, metadata: dict[str, Any]
) -> None:
    before = bench.api.put(resource, planted(resource, **metadata))
    bench.approve(BOB)
    await bench.looks(times=2)
    assert bench.state == ("Pending", "NameTaken")
    assert (
        f"a {resource.kind} {GRANT_KEY.name} that jitaccess did not make is in the way" in bench.condition("Granted")["message"]
    )
    assert bench.api.get(resource, GRANT_KEY) == before
    other = ROLE_BINDINGS if resource is JOBS else JOBS
    assert bench.api.get(other, GRANT_KEY) is None, "nothing of ours is left beside it"
    bench.api.remove(resource, GRANT_KEY)
    await bench.looks()
    assert bench.state == ("Active", "Granted")


@pytest.mark.parametrize(
    ("change", "what"),
    [
        pytest.param(lambda bench: bench.api.remove(ROLE_BINDINGS, GRANT_KEY), "deleted by somebody", id="deleted"),
        pytest.param(
            lambda bench: bench.binding.update(subjects=[{"kind": "User", "name": "mallory"}]), "changed", id="another-subject"
        ),
        pytest.param(lambda bench: bench.binding["metadata"].update(ownerReferences=[]), "changed", id="orphaned"),
        pytest.param(lambda bench: bench.binding["metadata"].update(labels={}), "changed", id="relabelled"),
    ],
)
async def test_a_binding_changed_by_hand_is_put_back_once(active: Bench, change: Callable[[Bench], Any], what: str) -> None:
    before = active.status
    change(active)
    await active.looks()
    assert active.binding
    assert [subject["name"] for subject in active.binding["subjects"]] == [ALICE]
    assert (active.status["grantedAt"], active.status["expiresAt"]) == (before["grantedAt"], before["expiresAt"])
    assert active.status["history"][-1]["reason"] == "BindingRestored"
    assert what in active.status["history"][-1]["message"]
    assert ("BindingRestored", True) in active.news
    active.api.forget_calls()
    await active.looks(times=2)
    assert active.api.writes == [], "once is enough"


async def test_a_binding_with_another_role_is_deleted_and_put_back(active: Bench) -> None:
    assert active.binding
    active.binding["roleRef"] = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    await active.looks()
    assert active.binding
    assert active.binding["roleRef"]["name"] == "view"
    assert active.api.writes == [NO_BINDING, BINDING, STATUS]


async def test_a_binding_that_is_missing_after_a_restart_is_put_back_without_a_guess(active: Bench) -> None:
    active.api.remove(ROLE_BINDINGS, GRANT_KEY)
    restarted = RequestReconciler(tools_for(active.cluster, active.announcer, active.now), ACCESS_REQUEST)
    await restarted.reconcile(KEY)
    assert active.binding
    assert "deleted by somebody, or not made yet when the operator was restarted" in active.status["history"][-1]["message"]


@pytest.mark.parametrize("left", [pytest.param(True, id="beside-its-binding"), pytest.param(False, id="and-its-binding")])
async def test_access_whose_job_is_gone_is_over(active: Bench, left: bool) -> None:
    """Its time was up by the clock of kube-controller-manager, whatever ours says."""
    active.api.remove(JOBS, GRANT_KEY)
    if not left:
        active.api.remove(ROLE_BINDINGS, GRANT_KEY)
    await active.looks()
    assert (active.state, active.binding) == (("Revoked", "GuardGone"), None)
    assert "is gone" in active.condition("Granted")["message"]


async def test_a_job_that_was_changed_meanwhile_is_said(active: Bench) -> None:
    assert active.job
    active.job["spec"]["ttlSecondsAfterFinished"] = 10**6
    await active.looks()
    guarded = active.condition("ExpiryGuarded")
    assert (active.state, guarded["status"], guarded["reason"]) == (("Active", "Granted"), "False", "JobChanged")


async def test_a_name_taken_meanwhile_ends_no_active_request_for_good(active: Bench) -> None:
    active.api.remove(ROLE_BINDINGS, GRANT_KEY)
    active.api.put(ROLE_BINDINGS, planted(ROLE_BINDINGS))
    await active.looks()
    assert active.state == ("Active", "NameTaken")
    assert active.condition("Granted")["status"] == "False"
    active.api.remove(ROLE_BINDINGS, GRANT_KEY)
    await active.looks()
    assert active.state == ("Active", "Granted")


# Crashes, outages and races.


async def test_a_grant_recorded_before_a_crash_is_the_same_grant_afterwards(bench: Bench) -> None:
    bench.approve(BOB)
    bench.api.fail(BINDING, 500)
    bench.requests._proven.add((NAMESPACE, VIEW, DeliveredAs.BINDING))
    with pytest.raises(Outage):
        await bench.looks()
    assert (bench.binding, bench.state) == (None, ("Active", "Granted"))
    bench.now.passes(minutes=10)
    bench.api.forget_calls()
    await bench.looks()
    assert bench.api.writes == [BINDING, STATUS], "the binding is made, and that it was missing is recorded"
    assert bench.binding
    annotations = bench.binding["metadata"]["annotations"]
    assert (annotations["jitaccess.dev/granted-at"], annotations["jitaccess.dev/expires-at"]) == (
        "2026-07-01T02:10:00.000Z",
        "2026-07-01T03:10:00.000Z",
    )
    assert (bench.status["grantedAt"], bench.status["expiresAt"]) == ("2026-07-01T02:10:00.000Z", "2026-07-01T03:10:00.000Z")
    assert bench.wakes_at == parse_time("2026-07-01T03:10:00Z").timestamp()


async def test_a_grant_that_was_not_recorded_has_not_begun(bench: Bench) -> None:
    bench.approve(BOB)
    bench.api.fail(STATUS, 500)
    with pytest.raises(Outage):
        await bench.looks()
    assert (bench.binding, bench.status) == (None, {})
    bench.now.passes(seconds=10)
    bench.api.forget_calls()
    await bench.looks()
    assert bench.api.writes == [STATUS, BINDING], "the Job that was made ahead is taken up"
    assert bench.status["expiresAt"] == "2026-07-01T03:10:10.000Z"


async def test_a_job_made_long_before_its_grant_is_made_anew(bench: Bench) -> None:
    """Its time to live counts from its creation: it would take the binding away before the end."""
    bench.approve(BOB)
    bench.api.fail(STATUS, 500)
    with pytest.raises(Outage):
        await bench.looks()
    bench.now.passes(seconds=40)
    await bench.looks()
    assert bench.state == ("Active", "Granted")
    assert bench.job
    fires = parse_time(bench.job["metadata"]["creationTimestamp"]).timestamp() + 3630
    assert fires >= parse_time(bench.status["expiresAt"]).timestamp()


async def test_a_revocation_between_reading_and_recording_is_heard_though_its_event_comes_late(bench: Bench) -> None:
    await bench.looks()
    bench.approve(BOB)
    bench.api.before(STATUS, lambda: bench.api.annotate(REQUESTS, KEY, revocations=approved_by(ALICE)))
    await bench.looks(times=2)
    assert (bench.state, bench.binding) == (("Withdrawn", "WithdrawnByRequester"), None), "its event is older than what we wrote"


async def test_a_hint_that_came_during_a_grant_does_not_touch_its_job(bench: Bench) -> None:
    bench.approve(BOB)
    found = bench.api.get(REQUESTS, KEY)
    assert found
    bench.api.before(STATUS, lambda: bench.open.see(parse_request(found)))
    bench.policies.see(parse_policy(policy_manifest()))
    await bench.looks()
    await bench.looks()
    assert bench.job
    assert bench.state == ("Active", "Granted")


@pytest.mark.parametrize("call", [JOB, BINDING, STATUS])
async def test_a_write_whose_answer_was_lost_is_taken_up_again(bench: Bench, call: str) -> None:
    bench.approve(BOB)
    bench.requests._proven.add((NAMESPACE, VIEW, DeliveredAs.BINDING))
    bench.api.fail(call, 504, after=True)
    with pytest.raises(Outage):
        await bench.looks()
    await bench.looks()
    assert bench.state == ("Active", "Granted")
    assert (len(bench.api.all(JOBS)), len(bench.api.all(ROLE_BINDINGS))) == (1, 1)
    assert bench.job
    assert bench.binding
    assert [owner["uid"] for owner in bench.binding["metadata"]["ownerReferences"]] == [bench.job["metadata"]["uid"]]


async def test_a_grant_recorded_long_ago_is_not_made_after_its_end(bench: Bench) -> None:
    bench.approve(BOB)
    bench.requests._proven.add((NAMESPACE, VIEW, DeliveredAs.BINDING))
    bench.api.fail(BINDING, 500)
    with pytest.raises(Outage):
        await bench.looks()
    bench.now.passes(minutes=61)
    bench.api.forget_calls()
    await bench.looks(times=2)
    assert (bench.state, bench.binding) == (("Expired", "DurationElapsed"), None)
    assert BINDING not in bench.api.writes


async def test_a_binding_is_not_made_after_a_record_that_took_too_long(bench: Bench) -> None:
    bench.api.put(REQUESTS, request_manifest(duration="2s"))
    bench.approve(BOB)
    bench.api.before(STATUS, lambda: bench.now.passes(seconds=3))
    await bench.looks()
    assert bench.binding is None, "made 1 s after its own end"
    await bench.looks()
    assert bench.state == ("Expired", "DurationElapsed")


async def test_a_leftover_job_that_does_not_fit_is_made_anew(bench: Bench) -> None:
    late = job_manifest(ACCESS_REQUEST, grant(), HOUR)
    late["spec"]["ttlSecondsAfterFinished"] = 10**9
    await bench.cluster.create(JOBS, late)
    bench.approve(BOB)
    await bench.fires()
    assert (bench.state, bench.condition("ExpiryGuarded")["status"]) == (("Active", "Granted"), "True")
    assert bench.job
    assert bench.job["spec"]["ttlSecondsAfterFinished"] == 3630


async def test_a_leftover_binding_of_ours_that_is_not_the_grant_is_made_anew(bench: Bench) -> None:
    await bench.cluster.create(ROLE_BINDINGS, binding_manifest(ACCESS_REQUEST, grant(lasts=2 * HOUR), None))
    bench.approve(BOB)
    await bench.fires()
    assert bench.state == ("Active", "Granted")
    assert bench.binding
    assert bench.binding["metadata"]["annotations"]["jitaccess.dev/expires-at"] == "2026-07-01T03:10:00.000Z"


async def test_access_made_again_since_it_was_recorded_is_ended_all_the_same(active: Bench) -> None:
    for found in (active.binding, active.job):
        assert found
        found["metadata"]["uid"] += "-made-again"
    active.now.passes(hours=1)
    await active.looks()
    assert (active.binding, active.job, active.state) == (None, None, ("Expired", "DurationElapsed"))


@pytest.mark.parametrize("call", ["GET accessrequests", "GET accesspolicies", "GET clusterroles", JOB, BINDING, STATUS])
@pytest.mark.parametrize("status", [401, 429, 500, 503])
async def test_an_outage_is_never_a_verdict(bench: Bench, call: str, status: int) -> None:
    await bench.looks()
    bench.approve(BOB)
    bench.api.fail(call, status)
    with pytest.raises(Outage):
        await bench.looks()
    assert bench.status["state"] == "Pending"
    assert bench.binding is None
    await bench.fires()
    assert bench.state == ("Active", "Granted")


@pytest.mark.parametrize("call", ["GET accessrequests", "GET accesspolicies", "GET rolebindings", "GET jobs"])
async def test_an_outage_ends_no_access(active: Bench, call: str) -> None:
    active.api.fail(call, 503)
    with pytest.raises(Outage):
        await active.looks()
    assert active.api.writes == []


@pytest.mark.parametrize(
    ("act", "state"),
    [
        pytest.param(
            lambda bench: bench.api.annotate(REQUESTS, KEY, denials=approved_by(CAROL)),
            ("Denied", "DeniedByApprover"),
            id="denied",
        ),
        pytest.param(
            lambda bench: bench.api.annotate(REQUESTS, KEY, revocations=approved_by(ALICE)),
            ("Withdrawn", "WithdrawnByRequester"),
            id="taken-back",
        ),
    ],
)
async def test_who_decides_between_reading_and_recording_is_heard(
    bench: Bench, act: Callable[[Bench], Any], state: tuple[str, str]
) -> None:
    await bench.looks()
    bench.approve(BOB)
    bench.api.before(STATUS, lambda: act(bench))
    await bench.looks()
    assert bench.retries_soon, "the record of a grant asks that nobody said no: look again"
    await bench.looks()
    assert (bench.state, bench.binding, bench.job) == (state, None, None)
    assert "Granted" not in [entry["reason"] for entry in bench.status["history"]]


async def test_where_nobody_must_approve_a_withdrawal_meanwhile_still_gives_no_access(bench: Bench) -> None:
    """Without annotations there is nothing for the record to ask about; its answer shows what was written."""
    bench.api.put(POLICIES, policy_manifest(requiredApprovals=0, approvers=None))
    bench.api.before(STATUS, lambda: bench.api.annotate(REQUESTS, KEY, revocations=approved_by(ALICE)))
    await bench.looks()
    assert (bench.state, bench.binding) == (("Revoked", "RevokedByRequester"), None)
    assert BINDING not in bench.api.writes


async def test_nobody_elses_writes_can_keep_the_record_from_being_made(bench: Bench) -> None:
    bench.approve(BOB)
    for call in (STATUS, BINDING):
        bench.api.before(call, lambda: bench.api.touch(REQUESTS, KEY))
    await bench.looks()
    assert bench.state == ("Active", "Granted")


async def test_another_replica_that_recorded_first_is_heard(bench: Bench) -> None:
    await bench.looks()
    bench.approve(BOB)
    found = bench.api.get(REQUESTS, KEY)
    assert found
    newer = {**found, "status": found["status"] | {"revision": 7}}
    bench.api.before(STATUS, lambda: bench.api.put(REQUESTS, newer))
    await bench.looks()
    assert bench.retries_soon, "a conflict means: look again"
    assert bench.binding is None
    await bench.fires()
    assert bench.state == ("Active", "Granted")


async def test_a_request_deleted_while_it_is_granted_leaves_nothing(bench: Bench) -> None:
    bench.approve(BOB)
    bench.api.before(STATUS, lambda: bench.api.remove(REQUESTS, KEY))
    await bench.fires()
    await bench.looks()
    assert (bench.binding, bench.job) == (None, None)


async def test_two_operators_at_once_make_one_grant(bench: Bench) -> None:
    other = RequestReconciler(tools_for(bench.cluster, bench.announcer, bench.now), ACCESS_REQUEST)
    bench.approve(BOB)
    await asyncio.gather(bench.looks(), other.reconcile(KEY))
    await bench.fires()
    await other.reconcile(KEY)
    assert bench.state == ("Active", "Granted")
    assert (len(bench.api.all(JOBS)), len(bench.api.all(ROLE_BINDINGS))) == (1, 1)
    assert bench.job
    assert bench.binding
    assert [owner["uid"] for owner in bench.binding["metadata"]["ownerReferences"]] == [bench.job["metadata"]["uid"]]
    assert [entry["state"] for entry in bench.status["history"]].count("Active") == 1


async def test_a_conflict_that_stays_is_not_a_loop_without_a_pause(bench: Bench) -> None:
    held = planted(
        JOBS,
        finalizers=["example.com/keep"],
        labels={"app.kubernetes.io/managed-by": "jitaccess", "jitaccess.dev/request-uid": UID},
    )
    bench.api.put(JOBS, held)
    bench.approve(BOB)
    for attempt in range(1, 4):
        assert await bench.fires() == 1
        assert bench.retries_soon
        assert bench.schedule._attempts[TARGET] == attempt, "the pauses grow"
    assert (bench.status, bench.binding) == ({}, None)
    bench.api.remove(JOBS, GRANT_KEY)
    await bench.looks()
    assert bench.state == ("Active", "Granted")
    assert TARGET not in bench.schedule._attempts, "and begin anew when it is over"


# Requests made again under the same name.


OTHER_UID = "9f9f9f9f-0000-4000-8000-000000000002"


async def test_a_request_made_again_starts_with_nothing(active: Bench) -> None:
    active.api.put(REQUESTS, request_manifest(uid=OTHER_UID))
    await active.fires()
    assert (active.binding, active.job) == (None, None), "the access of the first is gone"
    assert active.state == ("Pending", "WaitingForApproval")


async def test_a_request_made_again_is_decided_under_the_policy_that_it_names(bench: Bench) -> None:
    bench.api.put(POLICIES, policy_manifest("two-people", requiredApprovals=2))
    await bench.looks()
    bench.api.put(
        REQUESTS,
        request_manifest(uid=OTHER_UID, policyRef={"kind": "AccessPolicy", "name": "two-people"}, approvals=approved_by(BOB)),
    )
    await bench.fires()
    assert bench.state == ("Pending", "WaitingForApproval"), "one approval is not enough where the policy asks for two"
    assert bench.api.all(ROLE_BINDINGS) == []


async def test_a_request_made_again_is_judged_by_the_role_that_it_names(bench: Bench) -> None:
    roles = [{"kind": "ClusterRole", "name": name} for name in ("view", "secrets")]
    bench.api.put(POLICIES, policy_manifest(roles=roles))
    bench.api.put_role("secrets", {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]})
    await bench.looks()
    bench.api.put(
        REQUESTS,
        request_manifest(uid=OTHER_UID, roleRef={"kind": "ClusterRole", "name": "secrets"}, approvals=approved_by(BOB)),
    )
    await bench.fires()
    assert bench.state == ("Denied", "PersistentRisk")
    assert bench.api.all(ROLE_BINDINGS) == [], "a role that reads Secrets was bound without allowPersistentRisk"


async def test_access_of_a_request_made_again_is_ended_though_the_watch_was_faster(active: Bench) -> None:
    active.api.put(REQUESTS, request_manifest(uid=OTHER_UID))
    await active.sees()
    assert (active.binding, active.job) == (None, None)


# What the watch has told is a hint, and never the truth.


async def test_a_stale_hint_grants_nothing(bench: Bench) -> None:
    bench.approve(BOB)
    found = bench.api.get(REQUESTS, KEY)
    assert found
    hint = parse_request(found)
    bench.policies.see(parse_policy(policy_manifest()))
    bench.open.see(hint)
    bench.api.annotate(REQUESTS, KEY, denials=approved_by(CAROL))
    await bench.looks(times=2)
    assert (bench.state, bench.binding, bench.job) == (("Denied", "DeniedByApprover"), None, None)


async def test_a_stale_hint_about_the_policy_grants_nothing(bench: Bench) -> None:
    bench.policies.see(parse_policy(policy_manifest(requiredApprovals=0)))
    bench.open.see(parse_request(request_manifest()))
    await bench.fires()
    assert (bench.state, bench.binding, bench.job) == (("Pending", "WaitingForApproval"), None, None)


async def test_after_an_obstacle_too_the_policy_is_read_live_before_a_grant(bench: Bench) -> None:
    bench.api.remove(CLUSTER_ROLES, Key("", "view"))
    bench.approve(BOB)
    await bench.sees()
    assert bench.state == ("Pending", "RoleNotFound")
    bench.api.put_role("view")
    bench.api.put(POLICIES, policy_manifest(maxDuration="30m"))  # narrowed, and the watch has not said so yet
    bench.approve(BOB, CAROL)
    found = bench.api.get(REQUESTS, KEY)
    assert found
    bench.open.see(parse_request(found))
    await bench.looks()
    assert (bench.state, bench.binding) == (("Denied", "DurationTooLong"), None)


@pytest.mark.parametrize("settled", [pytest.param(True, id="settled-meanwhile"), pytest.param(False, id="deleted-meanwhile")])
async def test_a_stale_hint_leaves_no_job(bench: Bench, settled: bool) -> None:
    bench.approve(BOB)
    found = bench.api.get(REQUESTS, KEY)
    assert found
    bench.policies.see(parse_policy(policy_manifest()))
    bench.open.see(parse_request(found))
    if settled:
        bench.api.put(REQUESTS, {**found, "status": {"state": State.WITHDRAWN.value, "settled": True}})
    else:
        bench.api.remove(REQUESTS, KEY)
    await bench.looks(times=2)
    assert bench.job is None, f"a Job for nothing is left: {bench.api.writes}"


async def test_a_job_made_ahead_of_an_outage_is_used_or_taken_away(bench: Bench) -> None:
    bench.approve(BOB)
    found = bench.api.get(REQUESTS, KEY)
    assert found
    bench.api.fail("GET accesspolicies", 503)
    bench.policies.see(parse_policy(policy_manifest()))
    bench.open.see(parse_request(found))
    with pytest.raises(Outage):
        await bench.looks()
    await bench.fires()
    assert bench.state == ("Active", "Granted")
    assert len(bench.api.all(JOBS)) == 1


async def test_a_job_made_ahead_for_longer_than_is_approved_is_replaced(bench: Bench) -> None:
    bench.approve(BOB)
    found = bench.api.get(REQUESTS, KEY)
    assert found
    bench.api.fail("GET accesspolicies", 503)
    bench.policies.see(parse_policy(policy_manifest()))
    bench.open.see(parse_request(found))
    with pytest.raises(Outage):
        await bench.looks()
    bench.api.annotate(REQUESTS, KEY, approvals=lines((BOB, "ok"), (CAROL, "[for 5m] not longer")))
    await bench.fires()
    assert bench.state == ("Active", "Granted")
    assert bench.status["expiresAt"] == format_time(parse_time(bench.status["grantedAt"]) + timedelta(minutes=5))
    [job] = bench.api.all(JOBS)
    assert job["spec"]["ttlSecondsAfterFinished"] == 330


async def test_a_deleted_request_whose_access_cannot_be_ended_holds_up_no_other_of_its_name(active: Bench) -> None:
    active.api.put(REQUESTS, request_manifest(uid=OTHER_UID))
    for call in (NO_BINDING, "PUT rolebindings"):
        active.api.fail(call, 403, "delete protection", times=99)
    await active.looks()
    assert active.state == ("Pending", "WaitingForApproval"), "the new one is recorded"
    [event] = [item for item in active.announcer._waiting._queue if item.reason == "RequestDeleted"]  # type: ignore[attr-defined]
    assert "NOT ENDED" in event.message
    assert Target(ROLE_BINDINGS, GRANT_KEY) in active.schedule._deadlines, "what still gives access is looked at again"


async def test_a_request_that_is_recreated_while_the_job_of_the_old_one_goes_is_not_forgotten(active: Bench) -> None:
    def recreated() -> None:
        again = active.api.put(REQUESTS, request_manifest(uid=OTHER_UID))
        active.open.see(parse_request(again))
        active.schedule.soon(TARGET)

    active.now.passes(hours=1)
    active.api.before(NO_JOB, recreated)
    await active.looks()
    known = active.open.get(KEY)
    assert known
    assert known.uid == OTHER_UID, "its news came while the Job was being deleted"
    assert active.state == ("Pending", "WaitingForApproval")


async def test_a_deleted_request_leaves_its_last_words(active: Bench) -> None:
    found = active.api.get(REQUESTS, KEY)
    assert found
    active.open.see_deleted(parse_request(found))
    active.api.remove(REQUESTS, KEY)
    await active.looks()
    [event] = [item for item in active.announcer._waiting._queue if item.reason == "RequestDeleted"]  # type: ignore[attr-defined]
    assert event.warning
    assert event.message == (
        "the record of this request was deleted: alice@example.com asked for ClusterRole view under AccessPolicy prod-debug "
        "because of: INC-42 pods crash looping; approved by bob@example.com, and Active until 2026-07-01T03:10:00.000Z"
    )


# What a look costs, and in which order many of them end.


async def test_a_life_told_by_the_watch_costs_four_reads(bench: Bench) -> None:
    bench.policies.see(parse_policy(policy_manifest()))
    bench.requests._proven.add((NAMESPACE, VIEW, DeliveredAs.BINDING))
    await bench.sees()
    bench.approve(BOB)
    await bench.sees()
    bench.now.passes(hours=1)
    await bench.looks()
    assert bench.state == ("Expired", "DurationElapsed")
    reads = [call for call in bench.api.calls if call.startswith("GET")]
    assert reads == ["GET clusterroles", "GET accesspolicies", "GET clusterroles", "GET accessrequests"], (
        "the role to show it; policy and role before the grant; the request before its end is recorded"
    )


async def test_our_own_echo_is_no_news_even_before_the_answer(bench: Bench) -> None:
    seen: list[bool] = []

    def echo() -> None:
        found = bench.api.get(REQUESTS, KEY)
        assert found
        written = {
            **found,
            "metadata": found["metadata"] | {"resourceVersion": "999"},
            "status": {"revision": 1, "state": "Pending"},
        }
        seen.append(bench.open.see(parse_request(written)))

    await bench.sees()
    bench.approve(BOB)
    bench.api.before("GET accesspolicies", echo)
    bench.open.expect(replace(parse_request(bench.api.get(REQUESTS, KEY) or {}), recorded=Recorded(revision=1)))
    await bench.looks()
    assert seen == [False]


async def test_of_many_that_end_at_once_every_binding_goes_before_the_first_record(bench: Bench) -> None:
    keys = [Key(NAMESPACE, f"r{number}") for number in range(40)]
    for number, key in enumerate(keys):
        uid = f"{number:08d}-0000-4000-8000-000000000000"
        bench.api.put(REQUESTS, request_manifest(key.name, uid=uid, approvals=approved_by(BOB)))
        await bench.requests.reconcile(key)
    assert len(bench.api.all(ROLE_BINDINGS)) == 40
    bench.api.forget_calls()
    bench.now.passes(hours=1)
    live = Schedule(lambda target: bench.requests.reconcile(target.key), bench.now)
    for key in keys:
        live.at(Target(REQUESTS, key), bench.now())
    bench.tools.schedule.soon = live.soon  # type: ignore[method-assign]
    running = asyncio.create_task(live.run())
    await until(lambda: not bench.api.all(JOBS), "every Job goes")
    await live.stop(PATIENCE)
    await running
    assert bench.api.writes[:40] == [NO_BINDING] * 40, f"expected 40 deleted bindings first, and got {bench.api.writes[:40]}"
    assert sorted(bench.api.writes[40:]) == [NO_JOB] * 40 + [STATUS] * 40
