"""Limits under bursts, lost answers and changes of the leader, and what counting costs."""

import asyncio
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest

from jitaccess.domain.model import Key
from jitaccess.domain.text import format_time, hour_of
from jitaccess.kube.api import Cluster, Outage
from jitaccess.manifests.kinds import ACCESS_REQUEST
from jitaccess.manifests.resources import POLICIES, REQUESTS
from jitaccess.publish.events import Announcer
from jitaccess.reconcile.requests import RequestReconciler
from jitaccess.reconcile.room import COUNTS_AT_ONCE
from jitaccess.workqueue.schedule import Target
from unit.conftest import Now
from unit.examples import ALICE, BOB, NAMESPACE, POLICY_KEY, T0, active_status, approved_by, policy_manifest, request_manifest
from unit.fake_api import FakeApi
from unit.reconcile.test_requests import JOB, STATUS, tools_for

AT_ONCE = {"requiredApprovals": 0, "approvers": None}
LISTS = "GET accessrequests"


class Crowd:
    """Many requests under one policy, looked at side by side."""

    def __init__(self, api: FakeApi, cluster: Cluster, now: Now) -> None:
        self.api = api
        self.now = now
        api.put_role("view", {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]})
        self.tools = tools_for(cluster, Announcer(cluster), now)
        self.requests = RequestReconciler(self.tools, ACCESS_REQUEST)

    def policy(self, **fields: Any) -> None:
        self.api.put(POLICIES, policy_manifest(**AT_ONCE | fields))

    def put(self, name: str, who: str = ALICE, created: datetime = T0, **fields: Any) -> str:
        self.api.put(
            REQUESTS, request_manifest(name, uid=f"00000000-0000-4000-8000-{name:0>12}", created=created, requester=who, **fields)
        )
        return name

    def ask(self, count: int, who: str = ALICE) -> list[str]:
        return [self.put(f"{n}", who) for n in range(count)]

    async def look(self, name: str) -> None:
        await self.requests.reconcile(Key(NAMESPACE, name))

    async def look_at(self, names: list[str], *, times: int = 3) -> None:
        """Look at all of them side by side, and again at what is to be tried again."""
        for _ in range(times):
            await asyncio.gather(*(self.look(name) for name in names))

    @property
    def lists(self) -> list[dict[str, str]]:
        """The lists of requests that were asked for; locks are listed before every grant."""
        return [query for query in self.api.queries if query["kind"] == REQUESTS.plural]

    def takes_over(self) -> None:
        """Somebody else led meanwhile."""
        self.tools.store.requests[REQUESTS].tally.reset()

    def state(self, name: str) -> str:
        found = self.api.get(REQUESTS, Key(NAMESPACE, name))
        assert found
        return str(found["status"]["history"][-1]["reason"])

    def outcomes(self, names: list[str]) -> Counter[str]:
        return Counter(map(self.state, names))


@pytest.fixture
def crowd(api: FakeApi, cluster: Cluster, now: Now) -> Crowd:
    """An operator that everything is installed for."""
    return Crowd(api, cluster, now)


@pytest.mark.parametrize("limits", [{"activeInTotal": 5}, {"activePerRequester": 5}], ids=str)
async def test_fifty_looks_side_by_side_and_room_for_five_give_exactly_five(crowd: Crowd, limits: dict[str, int]) -> None:
    crowd.policy(limits=limits)
    names = crowd.ask(50)
    await crowd.look_at(names)
    assert crowd.outcomes(names) == {"Granted": 5, "LimitReached": 45}
    assert len(crowd.lists) == 1, "what there is was listed once"


async def test_who_waits_for_a_count_holds_no_place_and_is_woken_after_it(crowd: Crowd) -> None:
    crowd.policy(limits={"activeInTotal": 5})
    names = crowd.ask(3)
    await crowd.look_at(names, times=1)
    seen = [bool((crowd.api.get(REQUESTS, Key(NAMESPACE, name)) or {}).get("status")) for name in names]
    woken = [Target(REQUESTS, Key(NAMESPACE, name)) in crowd.tools.schedule._news for name in names]
    assert sorted(zip(seen, woken, strict=True)) == [(False, True), (False, True), (True, False)], (
        "one counts, whichever is first, and the others come again at once"
    )


async def test_no_more_policies_are_counted_side_by_side_than_leave_room_for_what_ends(crowd: Crowd) -> None:
    policies = [f"p{number}" for number in range(COUNTS_AT_ONCE + 2)]
    for name in policies:
        manifest = policy_manifest(requiredApprovals=0, approvers=None, limits={"activeInTotal": 5})
        crowd.api.put(POLICIES, manifest | {"metadata": manifest["metadata"] | {"name": name, "uid": f"p-{name}"}})
    names = [crowd.put(f"{number}", policyRef={"name": name}) for number, name in enumerate(policies)]
    await crowd.look_at(names, times=1)
    assert len(crowd.lists) == COUNTS_AT_ONCE
    await crowd.look_at(names, times=1)
    assert crowd.outcomes(names) == {"Granted": len(policies)}


async def test_approvals_side_by_side_begin_as_many_as_there_is_room_for(crowd: Crowd) -> None:
    crowd.policy(limits={"activePerRequester": 2}, requiredApprovals=1, approvers=[{"kind": "Group", "name": "leads"}])
    names = crowd.ask(6)
    await crowd.look_at(names)
    assert crowd.outcomes(names) == {"Requested": 6}, "while nothing is active, all may be decided"
    for name in names:
        crowd.api.annotate(REQUESTS, Key(NAMESPACE, name), approvals=approved_by(BOB))
    await crowd.look_at(names)
    assert crowd.outcomes(names) == {"Granted": 2, "LimitReached": 4}


async def test_fifty_of_a_day_of_ten_are_exactly_ten(crowd: Crowd) -> None:
    crowd.policy(limits={"requestsPerDay": 10})
    names = crowd.ask(50)
    await crowd.look_at(names)
    assert crowd.outcomes(names) == {"Granted": 10, "DailyLimitReached": 40}
    crowd.takes_over()
    await crowd.look(crowd.put("late"))
    await crowd.look(crowd.put("other", BOB))
    assert (crowd.state("late"), crowd.state("other")) == ("DailyLimitReached", "Granted")


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        pytest.param(timedelta(hours=24, seconds=-1), "DailyLimitReached", id="a-second-less-than-a-day"),
        pytest.param(timedelta(hours=24), "Granted", id="exactly-a-day"),
    ],
)
@pytest.mark.parametrize("takes_over", [False, True])
async def test_the_edge_of_the_day(crowd: Crowd, age: timedelta, expected: str, takes_over: bool) -> None:
    crowd.policy(limits={"requestsPerDay": 1})
    await crowd.look(crowd.put("first", duration="30m"))
    crowd.now.passes(minutes=30)
    await crowd.look("first")
    crowd.now.value = T0 + age
    if takes_over:
        crowd.takes_over()
    await crowd.look(crowd.put("second", created=T0 + age))
    assert crowd.state("second") == expected


async def test_an_end_makes_room_for_exactly_one(crowd: Crowd) -> None:
    crowd.policy(limits={"activeInTotal": 2})
    names = crowd.ask(3)
    await crowd.look_at(names)
    assert crowd.outcomes(names) == {"Granted": 2, "LimitReached": 1}
    crowd.now.passes(hours=1)
    ended = [name for name in names if crowd.state(name) == "Granted"]
    await crowd.look(ended[0])
    await crowd.look(ended[0])  # first goes the access, then its record is written
    more = [crowd.put("x"), crowd.put("y")]
    await crowd.look_at(more)
    assert crowd.outcomes(more) == {"Granted": 1, "LimitReached": 1}


async def test_a_grant_whose_answer_was_lost_takes_its_room(crowd: Crowd) -> None:
    crowd.policy(limits={"activeInTotal": 1})
    crowd.ask(1)
    crowd.api.fail(STATUS, 503, after=True)
    with pytest.raises(Outage):
        await crowd.look("0")
    await crowd.look(crowd.put("other"))
    assert crowd.state("other") == "LimitReached", "it may have begun"
    await crowd.look("0")
    found = crowd.api.get(REQUESTS, Key(NAMESPACE, "0")) or {}
    assert found["status"]["state"] == "Active"


async def test_a_grant_that_was_not_recorded_keeps_its_room_until_it_is_looked_at_again(crowd: Crowd) -> None:
    crowd.policy(limits={"activeInTotal": 1})
    crowd.ask(1)
    key = Key(NAMESPACE, "0")

    def decided_by_others() -> None:
        crowd.api.annotate(REQUESTS, key, denials=approved_by(BOB))
        found = crowd.api.get(REQUESTS, key) or {}
        crowd.api.put(REQUESTS, {**found, "status": {"revision": 7, "observedGeneration": 1, "state": "Pending"}})

    crowd.api.before(STATUS, decided_by_others)
    await crowd.look("0")
    await crowd.look(crowd.put("early"))
    assert crowd.state("early") == "LimitReached", "whether it was recorded is for the next look to say"
    await crowd.look("0")
    assert crowd.state("0") == "DeniedByApprover"
    await crowd.look(crowd.put("late"))
    assert crowd.state("late") == "Granted"


async def test_what_is_in_the_way_of_a_grant_gives_its_room_back(crowd: Crowd) -> None:
    crowd.policy(limits={"activeInTotal": 1})
    crowd.ask(1)
    crowd.api.fail(STATUS, 503)
    with pytest.raises(Outage):
        await crowd.look("0")
    crowd.tools.installation.problems = ("something is missing",)
    await crowd.look("0")
    assert crowd.tools.store.requests[REQUESTS].tally._beginning == {}


async def test_a_job_that_cannot_be_made_takes_no_room(crowd: Crowd) -> None:
    crowd.policy(limits={"activeInTotal": 1})
    crowd.ask(1)
    crowd.api.fail(JOB, 503)
    with pytest.raises(Outage):
        await crowd.look("0")
    await crowd.look(crowd.put("other"))
    assert crowd.state("other") == "Granted"


async def test_who_takes_over_counts_what_is_there_and_not_what_the_watch_remembers(crowd: Crowd) -> None:
    crowd.policy(limits={"activePerRequester": 2})
    crowd.put("theirs", status=active_status())
    crowd.takes_over()
    names = crowd.ask(2)
    await crowd.look_at(names)
    assert crowd.outcomes(names) == {"Granted": 1, "LimitReached": 1}
    crowd.takes_over()
    crowd.api.remove(REQUESTS, Key(NAMESPACE, "theirs"))
    await crowd.look(crowd.put("x"))
    assert crowd.state("x") == "Granted"


async def test_a_leadership_that_ends_while_it_counts_decides_nothing_by_that(crowd: Crowd) -> None:
    crowd.policy(limits={"activeInTotal": 1})
    crowd.ask(1)
    room: Any = crowd.requests._room
    original = room._open_ones

    async def interrupted(*args: Any) -> Any:
        found = await original(*args)
        crowd.takes_over()
        room._open_ones = original
        return found

    room._open_ones = interrupted
    await crowd.look("0")
    assert "history" not in (crowd.api.get(REQUESTS, Key(NAMESPACE, "0")) or {}).get("status", {})
    await crowd.look("0")
    assert crowd.state("0") == "Granted"


async def test_a_list_that_fails_is_an_outage_and_is_read_again(crowd: Crowd) -> None:
    crowd.policy(limits={"activeInTotal": 1})
    crowd.ask(1)
    crowd.api.fail(LISTS, 503, times=2)
    with pytest.raises(Outage):
        await crowd.look("0")
    with pytest.raises(Outage):
        await crowd.look("0")
    await crowd.look("0")
    assert crowd.state("0") == "Granted"


# What it costs.


async def test_a_policy_without_limits_lists_nothing_and_remembers_nothing(crowd: Crowd) -> None:
    crowd.policy()
    names = crowd.ask(20)
    await crowd.look_at(names)
    assert (crowd.outcomes(names), crowd.lists) == ({"Granted": 20}, [])
    tally = crowd.tools.store.requests[REQUESTS].tally
    assert (tally._grants, tally._days, tally._beginning) == ({}, {}, {})


async def test_limits_on_what_is_active_cost_one_list_a_leadership(crowd: Crowd) -> None:
    crowd.policy(limits={"activeInTotal": 1000})
    await crowd.look_at(crowd.ask(20))
    assert [query["fieldSelector"] for query in crowd.lists] == ["status.settled!=true"]
    crowd.takes_over()
    await crowd.look(crowd.put("x"))
    assert len(crowd.lists) == 2


async def test_a_day_is_listed_by_its_hours_and_never_by_the_settled_history(crowd: Crowd) -> None:
    crowd.policy(limits={"requestsPerDay": 3})
    for number in range(60):
        age = timedelta(hours=number)
        crowd.put(f"{number}", created=T0 - age, status=settled(T0 - age))
    await crowd.look_at([crowd.put("x"), crowd.put("y", BOB)], times=2)
    selectors = [query["fieldSelector"] for query in crowd.lists]
    hours = [hour_of(T0 + timedelta(hours=number - 24)) for number in range(26)]
    assert sorted(selectors) == ["status.settled!=true", *(f"status.settledIn={hour}" for hour in hours)]
    assert (crowd.state("x"), crowd.state("y")) == ("DailyLimitReached", "Granted")


def settled(moment: datetime) -> dict[str, Any]:
    """The status of a request that was withdrawn."""
    return {
        "revision": 2,
        "observedGeneration": 1,
        "state": "Withdrawn",
        "settled": True,
        "settledAt": format_time(moment),
        "settledIn": hour_of(moment),
        "policy": {"uid": f"p-{POLICY_KEY.name}", "generation": 3},
        "conditions": [],
        "history": [{"at": format_time(moment), "state": "Withdrawn", "reason": "WithdrawnByRequester"}],
    }


async def test_the_room_of_one_policy_is_no_room_of_another(crowd: Crowd) -> None:
    crowd.policy(limits={"activeInTotal": 1})
    crowd.api.put(POLICIES, policy_manifest("other", **AT_ONCE, limits={"activeInTotal": 1}))
    elsewhere = crowd.put("there", policyRef={"kind": "AccessPolicy", "name": "other"})
    await crowd.look_at([crowd.put("here"), elsewhere])
    assert (crowd.state("here"), crowd.state("there")) == ("Granted", "Granted")
