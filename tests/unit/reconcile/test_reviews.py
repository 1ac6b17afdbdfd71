"""Reviews that are owed: watched, recorded when they are there, overdue when they are not; and one emergency at a time."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from jitaccess.app.reviewing import ReviewWatch
from jitaccess.app.unreadable import Unreadable
from jitaccess.domain.model import Key
from jitaccess.domain.text import parse_time
from jitaccess.kube.api import Cluster
from jitaccess.manifests.kinds import ACCESS_REQUEST
from jitaccess.manifests.resources import POLICIES, REQUESTS, reviews_of
from jitaccess.publish.events import Announcer
from jitaccess.reconcile.recorder import Tools
from jitaccess.reconcile.requests import RequestReconciler
from jitaccess.reconcile.reviews import ReviewReconciler
from jitaccess.workqueue.schedule import Target
from unit.conftest import Now
from unit.examples import ALICE, BOB, CAROL, EMERGENCY, KEY, NAMESPACE, POLICY_KEY, UID, policy_manifest, request_manifest
from unit.fake_api import FakeApi
from unit.reconcile.test_requests import tools_for

TARGET = Target(reviews_of(REQUESTS), KEY)
STATUS = "PATCH accessrequests/status"


@dataclass
class Bench:
    """The operator's part for requests and their reviews; what the watch would tell is told by `hears`."""

    api: FakeApi
    cluster: Cluster
    tools: Tools
    now: Now
    leading: bool = True
    unreadable: Unreadable = field(default_factory=Unreadable)

    def __post_init__(self) -> None:
        self.requests = RequestReconciler(self.tools, ACCESS_REQUEST)
        self.reviews = ReviewReconciler(self.tools, ACCESS_REQUEST)
        tools = self.tools
        self.watch = ReviewWatch(self.cluster, tools.store, tools.schedule, ACCESS_REQUEST, self.unreadable, lambda: self.leading)

    async def hears(self, what: str | None = "MODIFIED", key: Key = KEY) -> None:
        """What the watch would tell of that request."""
        found = self.api.get(REQUESTS, key)
        assert found
        await self.watch.heard(what, {"metadata": found["metadata"]})

    async def ends(self) -> None:
        """Grant the emergency, and let its hour pass."""
        await self.requests.reconcile(KEY)
        self.now.passes(hours=1)
        for _ in range(2):  # the access goes first, and then the record says so
            await self.requests.reconcile(KEY)
        self.api.forget_calls()

    def status(self, key: Key = KEY) -> dict[str, Any]:
        found = self.api.get(REQUESTS, key)
        assert found
        status: dict[str, Any] = found.get("status") or {}
        return status

    @property
    def condition(self) -> tuple[str, str]:
        """The status and reason of the condition Reviewed."""
        found = next((c for c in self.status()["conditions"] if c["type"] == "Reviewed"), {"status": "", "reason": ""})
        return found["status"], found["reason"]

    @property
    def owed(self) -> int:
        return len(self.tools.store.reviews[REQUESTS])

    @property
    def wanted(self) -> bool:
        """Whether a look at the review is wanted now."""
        return TARGET in self.tools.schedule._news

    @property
    def due(self) -> float | None:
        return self.tools.schedule._deadlines.get(TARGET)


@pytest.fixture
def bench(api: FakeApi, cluster: Cluster, now: Now) -> Bench:
    """Alice's request under a policy for emergencies."""
    api.put_role("view", {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]})
    api.put(POLICIES, policy_manifest(requiredApprovals=0, approvers=None, emergency=EMERGENCY | {"blockUntilReviewed": True}))
    api.put(REQUESTS, request_manifest())
    return Bench(api, cluster, tools_for(cluster, Announcer(cluster), now), now)


async def test_what_is_owed_is_remembered_and_looked_at_when_it_is_due(bench: Bench) -> None:
    await bench.ends()
    assert bench.condition == ("False", "ReviewOwed")
    await bench.hears("ADDED")
    assert (bench.owed, bench.wanted) == (1, True)
    await bench.reviews.reconcile(KEY)
    assert bench.api.writes == [], "the settling write has said it all"
    assert bench.due == parse_time(bench.status()["reviewDue"]).timestamp()
    bench.now.passes(days=1)
    await bench.reviews.reconcile(KEY)
    assert (bench.condition, bench.api.writes) == (("False", "ReviewOverdue"), [STATUS])
    await bench.reviews.reconcile(KEY)
    assert bench.api.writes == [STATUS], "overdue is said once"


async def test_a_review_is_recorded_and_then_nothing_is_remembered(bench: Bench) -> None:
    await bench.ends()
    await bench.hears("ADDED")
    bench.tools.schedule._news.clear()
    bench.api.annotate(REQUESTS, KEY, other="by a controller")
    await bench.hears()
    assert not bench.wanted, "what others write is no news"
    bench.api.annotate(REQUESTS, KEY, reviews=f"{BOB}: fine: seen")
    await bench.hears()
    await bench.reviews.reconcile(KEY)
    assert bench.condition == ("True", "Fine")
    await bench.hears("DELETED")
    assert (bench.owed, bench.due, bench.wanted) == (0, None, False)
    bench.api.forget_calls()
    await bench.reviews.reconcile(KEY)
    assert bench.api.writes == []


async def test_a_review_that_comes_while_another_is_recorded_is_on_record_too(bench: Bench) -> None:
    await bench.ends()
    bench.api.annotate(REQUESTS, KEY, reviews=f"{BOB}: fine")
    bench.api.before(STATUS, lambda: bench.api.annotate(REQUESTS, KEY, reviews=f"{BOB}: fine\n{CAROL}: misuse"))
    await bench.reviews.reconcile(KEY)
    assert bench.condition == ("False", "ReviewOwed"), "refused: it is not as it was read"
    assert TARGET in bench.tools.schedule._attempts
    await bench.reviews.reconcile(KEY)
    assert bench.condition == ("True", "Misuse")
    assert [each["by"] for each in bench.status()["reviews"]] == [BOB, CAROL]


async def test_a_replica_that_stands_by_knows_what_is_due_and_looks_at_nothing(bench: Bench) -> None:
    await bench.ends()
    bench.leading = False
    await bench.hears(None)
    assert (bench.owed, bench.wanted) == (1, False)
    bench.watch.listed(())
    assert bench.owed == 0, "what a list does not have is owed no more"


async def test_what_a_newer_version_has_recorded_is_told_and_left_alone(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    await bench.ends()
    found = bench.api.get(REQUESTS, KEY)
    assert found
    bench.api.put(REQUESTS, {**found, "status": {**found["status"], "state": "Newer"}})
    await bench.hears("ADDED")
    assert bench.owed == 0
    assert "left alone" in caplog.text


async def test_a_policy_that_changes_has_its_reviews_looked_at(bench: Bench) -> None:
    await bench.ends()
    await bench.hears("ADDED")
    ref = next(iter(bench.tools.store.reviews[REQUESTS].each())).policy
    assert list(bench.tools.store.under(ref)) == [(reviews_of(REQUESTS), KEY)]
    bench.api.put(POLICIES, policy_manifest(requiredApprovals=0))
    await bench.reviews.reconcile(KEY)
    assert "reviewers" not in bench.status()
    bench.api.remove(POLICIES, POLICY_KEY)
    bench.api.forget_calls()
    await bench.reviews.reconcile(KEY)
    assert bench.api.writes == [], "nobody is named, as before"


async def test_many_at_once_of_one_person_begin_one_after_the_other(bench: Bench) -> None:
    keys = [KEY, *(Key(NAMESPACE, f"again-{n}") for n in range(4))]
    for number, key in enumerate(keys[1:]):
        requester = ALICE.upper() if number % 2 else ALICE
        bench.api.put(REQUESTS, request_manifest(key.name, uid=f"{UID[:-1]}{number + 2}", requester=requester))
    await asyncio.gather(*(bench.requests.reconcile(key) for key in keys))
    await asyncio.gather(*(bench.requests.reconcile(key) for key in keys))
    states = sorted(bench.status(key)["state"] for key in keys)
    assert states == ["Active", *["Denied"] * 4]
    [denied, *_] = [key for key in keys if bench.status(key)["state"] == "Denied"]
    granted = next(c for c in bench.status(denied)["conditions"] if c["type"] == "Granted")
    assert granted["reason"] == "UnreviewedEmergency"


async def test_the_next_one_begins_once_the_first_is_reviewed(bench: Bench) -> None:
    await bench.ends()
    again = Key(NAMESPACE, "again")
    bench.api.annotate(REQUESTS, KEY, reviews=f"{BOB}: fine")
    await bench.reviews.reconcile(KEY)
    bench.api.put(REQUESTS, request_manifest("again", uid=f"{UID[:-1]}9"))
    await bench.requests.reconcile(again)
    assert bench.status(again)["state"] == "Active"
