"""Read, decide, act, record: against an API server that holds state, counts writes, and fails where it is told to."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from jitaccess.domain.model import Key
from jitaccess.domain.recorded import ObjectRef, State
from jitaccess.domain.text import parse_time
from jitaccess.kube.api import Cluster, Outage, Refused
from jitaccess.kube.installation import Installation
from jitaccess.manifests.grant import binding_manifest, grant_name, job_manifest
from jitaccess.manifests.parse import parse_policy, parse_request
from jitaccess.manifests.resources import CLUSTER_ROLES, JOBS, NAMESPACED, POLICIES, REQUESTS, ROLE_BINDINGS, Resource
from jitaccess.publish.events import Announcer
from jitaccess.reconcile.grants import Grants
from jitaccess.reconcile.requests import RequestReconciler
from jitaccess.workqueue.schedule import Schedule, Target
from jitaccess.workqueue.store import Store
from unit.conftest import Now
from unit.examples import (
    ALICE,
    BOB,
    CAROL,
    KEY,
    NAMESPACE,
    POLICY_KEY,
    T0,
    UID,
    approved_by,
    grant,
    policy_manifest,
    request_manifest,
)
from unit.fake_api import FakeApi

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
    store: Store
    schedule: Schedule
    announcer: Announcer
    requests: RequestReconciler
    installation: Installation
    now: Now

    async def looks(self, *, times: int = 1) -> None:
        """Reconcile, as a deadline, a retry or the sweep would have it."""
        for _ in range(times):
            await self.requests.reconcile(KEY)

    async def sees(self) -> None:
        """Reconcile, told by the watch what there is."""
        for policy in self.api.all(POLICIES):
            self.store.see_policy(parse_policy(policy))
        found = self.api.get(REQUESTS, KEY)
        if found and not (found.get("status") or {}).get("settled"):
            self.store.see(parse_request(found))
        await self.looks()

    async def fires(self, *, most: int = 20) -> int:
        """Do as the clock would: look as long as there is news. Returns how often."""
        for count in range(1, most + 1):
            self.schedule._news.pop(TARGET, None)
            await self.looks()
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
        return planned > 0 and due is not None and due < time.time() + 10 and TARGET not in self.schedule._news


async def never(_: Target) -> None:
    raise AssertionError("the clock does not run in these tests")


@pytest.fixture
def bench(api: FakeApi, cluster: Cluster, now: Now) -> Bench:
    """Alice's request under prod-debug, for the role view; everything is installed."""
    api.put_role("view", {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]})
    api.put(POLICIES, policy_manifest())
    api.put(REQUESTS, request_manifest())
    store, schedule, announcer, installation = Store(), Schedule(never), Announcer(cluster), Installation()
    installation.problems = ()
    requests = RequestReconciler(cluster, NAMESPACED, store, schedule, announcer, installation)
    return Bench(api, cluster, store, schedule, announcer, requests, installation, now)


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
    assert (bench.state, bench.api.writes[1:]) == (("Active", "Granted"), [JOB, BINDING, STATUS])
    bench.now.passes(hours=1)
    await look()
    assert (bench.state, bench.api.writes[4:]) == (("Expired", "DurationElapsed"), [NO_BINDING, NO_JOB, STATUS])
    assert (bench.binding, bench.job, len(bench.store)) == (None, None, 0)
    assert bench.api.dry_runs == []


async def test_looking_again_writes_nothing(bench: Bench) -> None:
    await bench.looks(times=3)
    bench.approve(BOB)
    await bench.looks(times=3)
    bench.now.passes(minutes=59, seconds=59.999)
    await bench.looks(times=3)
    bench.now.passes(milliseconds=1)
    await bench.looks(times=3)
    assert bench.api.writes == [STATUS, JOB, BINDING, STATUS, NO_BINDING, NO_JOB, STATUS]


async def test_what_is_granted_is_exactly_what_was_asked_for(active: Bench) -> None:
    binding, job, status = active.binding, active.job, active.status
    assert binding
    assert job
    assert binding["roleRef"] == {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}
    assert [subject["name"] for subject in binding["subjects"]] == [ALICE]
    assert [owner["uid"] for owner in binding["metadata"]["ownerReferences"]] == [job["metadata"]["uid"]]
    assert [owner["uid"] for owner in job["metadata"]["ownerReferences"]] == [UID]
    assert job["spec"]["ttlSecondsAfterFinished"] == 3630
    assert status["bindingRef"] == {"name": GRANT_KEY.name, "uid": binding["metadata"]["uid"]}
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
    assert (bench.state, bench.api.writes) == (("Active", "Granted"), [JOB, BINDING, STATUS])


async def test_the_world_is_told_after_the_record(bench: Bench) -> None:
    await bench.looks()
    bench.approve(BOB)
    await bench.looks(times=2)
    bench.now.passes(hours=1)
    await bench.looks()
    assert bench.news == [("WaitingForApproval", False), ("Granted", False), ("DurationElapsed", False)]


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
    assert active.api.writes == [NO_BINDING, NO_JOB, STATUS], "access first, then the Job, then the record"
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


async def test_a_deleted_request_takes_its_access_with_it(active: Bench) -> None:
    active.api.remove(REQUESTS, KEY)
    await active.looks()
    assert (active.binding, active.job, len(active.store)) == (None, None, 0)
    assert active.api.writes == [NO_BINDING, NO_JOB]


async def test_a_settled_request_is_left_alone(active: Bench) -> None:
    active.now.passes(hours=1)
    await active.looks()
    active.api.forget_calls()
    active.api.annotate(REQUESTS, KEY, approvals=approved_by(BOB, CAROL))
    await active.looks()
    assert (active.api.writes, active.state) == ([], ("Expired", "DurationElapsed"))


@pytest.mark.parametrize("call", [NO_BINDING, NO_JOB])
@pytest.mark.parametrize("status", [403, 500])
async def test_access_that_could_not_be_ended_is_never_recorded_as_ended(active: Bench, call: str, status: int) -> None:
    active.now.passes(hours=1)
    active.api.fail(call, status)
    with pytest.raises((Outage, Refused)):
        await active.looks()
    assert active.state == ("Active", "Granted")
    await active.looks()
    assert (active.binding, active.job, active.state[0]) == (None, None, "Expired")


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
    assert bench.api.writes == [JOB, NO_JOB, STATUS]
    assert bench.wakes_at is not None, "it is tried again"
    assert (reason, True) in bench.news

    bench.api.forget_calls()
    await bench.looks(times=2)
    assert bench.api.writes == [], "while it is refused, trying makes nothing and records nothing"
    await bench.looks()
    assert (bench.state, bench.api.writes) == (("Active", "Granted"), [JOB, BINDING, STATUS])


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
        pytest.param(lambda bench: bench.api.remove(ROLE_BINDINGS, GRANT_KEY), "deleted", id="deleted"),
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
    assert active.status["bindingRef"]["uid"] == active.binding["metadata"]["uid"]
    assert (active.status["grantedAt"], active.status["expiresAt"]) == (before["grantedAt"], before["expiresAt"])
    assert active.status["history"][-1]["reason"] == "BindingRestored"
    assert what in active.status["history"][-1]["message"]
    assert ("BindingRestored", True) in active.news
    active.api.forget_calls()
    await active.looks(times=2)
    assert active.api.writes == [], "once is enough"


async def test_a_binding_put_back_later_has_a_job_for_the_rest_of_the_time(active: Bench) -> None:
    active.now.passes(minutes=30)
    active.api.remove(ROLE_BINDINGS, GRANT_KEY)
    await active.looks()
    assert active.job
    assert active.job["spec"]["ttlSecondsAfterFinished"] == 1830


async def test_a_binding_put_back_without_a_job_is_put_back_once(active: Bench) -> None:
    active.api.remove(ROLE_BINDINGS, GRANT_KEY)
    active.api.fail(JOB, 403, "exceeded quota", times=99)
    await active.looks()
    active.api.forget_calls()
    await active.looks(times=3)
    assert active.api.writes == [], "each look ends and makes the access again: without a pause, since each delete is an event"


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


async def test_a_grant_begun_before_a_crash_is_the_same_grant_afterwards(bench: Bench) -> None:
    bench.approve(BOB)
    bench.api.fail(STATUS, 500)
    with pytest.raises(Outage):
        await bench.looks()
    assert bench.binding
    before = bench.binding["metadata"]["uid"]
    bench.now.passes(minutes=10)
    bench.api.forget_calls()
    await bench.looks()
    assert bench.api.writes == [STATUS], "nothing is made again"
    assert bench.status["bindingRef"]["uid"] == before
    assert (bench.status["grantedAt"], bench.status["expiresAt"]) == ("2026-07-01T02:10:00.000Z", "2026-07-01T03:10:00.000Z")
    assert bench.condition("ExpiryGuarded")["status"] == "True"
    assert bench.wakes_at == parse_time("2026-07-01T03:10:00Z").timestamp()


async def test_a_resumed_grant_says_when_it_really_ends(bench: Bench) -> None:
    bench.approve(BOB)
    bench.api.fail(STATUS, 500)
    with pytest.raises(Outage):
        await bench.looks()
    bench.now.passes(minutes=10)
    await bench.looks()
    assert bench.status["expiresAt"] in bench.condition("Granted")["message"]
    assert bench.status["expiresAt"] in bench.status["history"][-1]["message"]


@pytest.mark.parametrize("call", [JOB, BINDING])
async def test_a_write_whose_answer_was_lost_is_taken_up_again(bench: Bench, call: str) -> None:
    bench.approve(BOB)
    bench.api.fail(call, 504, after=True)
    with pytest.raises(Outage):
        await bench.looks()
    await bench.looks()
    assert bench.state == ("Active", "Granted")
    assert (len(bench.api.all(JOBS)), len(bench.api.all(ROLE_BINDINGS))) == (1, 1)
    assert bench.job
    assert bench.binding
    assert [owner["uid"] for owner in bench.binding["metadata"]["ownerReferences"]] == [bench.job["metadata"]["uid"]]


async def test_a_grant_begun_long_ago_ends_at_its_own_time(bench: Bench) -> None:
    bench.approve(BOB)
    bench.api.fail(STATUS, 500)
    with pytest.raises(Outage):
        await bench.looks()
    bench.now.passes(minutes=61)
    await bench.looks(times=2)
    assert (bench.state, bench.binding) == (("Expired", "DurationElapsed"), None)


@pytest.mark.parametrize(
    ("lasts", "job"),
    [
        pytest.param({"hours": 2}, True, id="that-lasts-longer-than-asked-for"),
        pytest.param({"hours": 1}, False, id="without-the-job-that-owns-it"),
    ],
)
async def test_a_leftover_that_is_not_the_grant_is_made_anew(bench: Bench, lasts: dict[str, int], job: bool) -> None:
    begun = grant(lasts=bench.now.passes(**lasts) - T0)
    bench.now.value = T0
    made = await bench.cluster.create(JOBS, job_manifest(begun, T0))
    guard = ObjectRef(made["metadata"]["name"], made["metadata"]["uid"])
    await bench.cluster.create(ROLE_BINDINGS, binding_manifest(begun, guard))
    if not job:
        bench.api.remove(JOBS, GRANT_KEY)
    bench.approve(BOB)
    await bench.fires()
    assert bench.state == ("Active", "Granted")
    assert bench.status["expiresAt"] == "2026-07-01T03:10:00.000Z"
    assert bench.job
    assert bench.binding
    assert [owner["uid"] for owner in bench.binding["metadata"]["ownerReferences"]] == [bench.job["metadata"]["uid"]]


async def test_a_leftover_beside_a_job_that_does_not_guard_it_is_made_anew(bench: Bench) -> None:
    late = job_manifest(grant(), T0)
    late["spec"]["ttlSecondsAfterFinished"] = 10**9
    await bench.cluster.create(JOBS, late)
    await bench.cluster.create(ROLE_BINDINGS, binding_manifest(grant(), None))
    bench.approve(BOB)
    await bench.fires()
    assert (bench.state, bench.condition("ExpiryGuarded")["status"]) == (("Active", "Granted"), "True")
    assert bench.job
    assert bench.job["spec"]["ttlSecondsAfterFinished"] == 3630


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
    await bench.fires()
    assert bench.state == ("Active", "Granted")


@pytest.mark.parametrize("call", ["GET accessrequests", "GET accesspolicies", "GET rolebindings"])
async def test_an_outage_ends_no_access(active: Bench, call: str) -> None:
    active.api.fail(call, 503)
    with pytest.raises(Outage):
        await active.looks()
    assert active.api.writes == []


async def test_who_decides_between_reading_and_recording_is_heard(bench: Bench) -> None:
    await bench.looks()
    bench.approve(BOB)
    bench.api.before(STATUS, lambda: bench.api.annotate(REQUESTS, KEY, denials=approved_by(CAROL)))
    await bench.looks()
    assert bench.retries_soon, "a conflict means: look again"
    assert bench.state == ("Pending", "WaitingForApproval")
    await bench.fires()
    assert (bench.state, bench.binding, bench.job) == (("Denied", "DeniedByApprover"), None, None)


async def test_a_request_deleted_while_it_is_granted_leaves_nothing(bench: Bench) -> None:
    bench.approve(BOB)
    bench.api.before(STATUS, lambda: bench.api.remove(REQUESTS, KEY))
    await bench.looks()
    assert (bench.binding, bench.job) == (None, None)


async def test_two_operators_at_once_make_one_grant(bench: Bench) -> None:
    other = RequestReconciler(bench.cluster, NAMESPACED, Store(), Schedule(never), bench.announcer, bench.installation)
    bench.approve(BOB)
    await asyncio.gather(bench.looks(), other.reconcile(KEY))
    await bench.fires()
    await other.reconcile(KEY)
    assert bench.state == ("Active", "Granted")
    assert (len(bench.api.all(JOBS)), len(bench.api.all(ROLE_BINDINGS))) == (1, 1)
    assert bench.job
    assert bench.binding
    assert [owner["uid"] for owner in bench.binding["metadata"]["ownerReferences"]] == [bench.job["metadata"]["uid"]]
    assert bench.status["bindingRef"]["uid"] == bench.binding["metadata"]["uid"]
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
    bench.store.see_policy(parse_policy(policy_manifest()))
    bench.store.see(hint)
    bench.api.annotate(REQUESTS, KEY, denials=approved_by(CAROL))
    await bench.fires()
    assert (bench.state, bench.binding, bench.job) == (("Denied", "DeniedByApprover"), None, None)


async def test_a_stale_hint_about_the_policy_grants_nothing(bench: Bench) -> None:
    bench.store.see_policy(parse_policy(policy_manifest(requiredApprovals=0)))
    bench.store.see(parse_request(request_manifest()))
    await bench.fires()
    assert (bench.state, bench.binding, bench.job) == (("Pending", "WaitingForApproval"), None, None)


@pytest.mark.parametrize("settled", [pytest.param(True, id="settled-meanwhile"), pytest.param(False, id="deleted-meanwhile")])
async def test_a_stale_hint_leaves_no_job(bench: Bench, settled: bool) -> None:
    bench.approve(BOB)
    found = bench.api.get(REQUESTS, KEY)
    assert found
    bench.store.see_policy(parse_policy(policy_manifest()))
    bench.store.see(parse_request(found))
    if settled:
        bench.api.put(REQUESTS, {**found, "status": {"state": State.WITHDRAWN.value, "settled": True}})
    else:
        bench.api.remove(REQUESTS, KEY)
    await bench.fires()
    assert bench.job is None, f"a Job for nothing is left: {bench.api.writes}"


async def test_a_job_made_ahead_of_an_outage_is_used_or_taken_away(bench: Bench) -> None:
    bench.approve(BOB)
    found = bench.api.get(REQUESTS, KEY)
    assert found
    bench.api.fail("GET accesspolicies", 503)
    bench.store.see_policy(parse_policy(policy_manifest()))
    bench.store.see(parse_request(found))
    with pytest.raises(Outage):
        await bench.looks()
    await bench.fires()
    assert bench.state == ("Active", "Granted")
    assert len(bench.api.all(JOBS)) == 1


async def test_ending_needs_the_key_and_the_uid_only(active: Bench) -> None:
    await Grants(active.cluster, NAMESPACED).end(KEY, UID)
    assert (active.binding, active.job) == (None, None)


async def test_ending_what_is_not_there_is_nothing(bench: Bench) -> None:
    await Grants(bench.cluster, NAMESPACED).end(KEY, UID)
    assert bench.api.writes == []
