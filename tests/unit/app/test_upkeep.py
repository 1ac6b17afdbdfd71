"""The tasks that run for ever beside the watch: what they say about the clock, and when they try again."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, cast

import pytest

from jitaccess.app import upkeep as upkeep_module
from jitaccess.app.upkeep import (
    CHECK_SECONDS,
    FIRST_RETIRE_SECONDS,
    RETIRE_SECONDS,
    RETRY_RETIRE_SECONDS,
    RETRY_SWEEP_SECONDS,
    SETTLE_SECONDS,
    Habits,
    Upkeep,
    next_try,
    skew_in_words,
)
from jitaccess.domain.model import Key
from jitaccess.kube.api import Outage, Refused
from jitaccess.kube.clock import Clock
from jitaccess.manifests.kinds import ACCESS_REQUEST
from jitaccess.manifests.resources import REQUESTS, reviews_of
from jitaccess.publish.publisher import Publisher
from jitaccess.reconcile.comparing import Difference
from jitaccess.reconcile.recorder import Tools
from jitaccess.workqueue.schedule import Schedule, Target
from unit.emergencies import ended
from unit.examples import HOUR, KEY, T0, active_status, empty_store, policy, request
from unit.held import HeldLoop
from unit.waiting import until

PAUSES = [
    pytest.param(0, 3600.0, id="done: an hour"),
    pytest.param(1, 30.0, id="failed: half a minute"),
    pytest.param(2, 60.0, id="failed twice"),
    pytest.param(7, 1920.0, id="failed seven times"),
    pytest.param(8, 3600.0, id="never longer than an hour"),
    pytest.param(5000, 3600.0, id="for months"),
]


@pytest.mark.parametrize(("failures", "seconds"), PAUSES)
def test_a_retirement_that_failed_is_tried_again_soon(failures: int, seconds: float) -> None:
    assert next_try(failures, 30.0, 3600.0) == seconds


SKEWS = [
    pytest.param(0.0, "", id="right"),
    pytest.param(2.0, "", id="two seconds ahead"),
    pytest.param(-2.0, "", id="two seconds behind"),
    pytest.param(-120.2, "the clock of this machine is 120 s behind the API server's", id="two minutes behind"),
    pytest.param(3600.0, "the clock of this machine is 3600 s ahead of the API server's", id="an hour ahead"),
]


@pytest.mark.parametrize(("skew", "words"), SKEWS)
def test_a_clock_that_is_off_is_said_in_words(skew: float, words: str) -> None:
    assert skew_in_words(skew) == words


class WrongClock(Clock):
    """A clock whose skew a test sets."""

    skew = 0.0


class FakeInstallation:
    """An installation of which the API server says nothing until it is there."""

    def __init__(self) -> None:
        self.problems: tuple[str, ...] = ("not checked",)
        self.components = frozenset({"cluster-wide"})
        self.checks = 0
        self.outage = False

    def has(self, component: str) -> bool:
        """As the real one."""
        return component in self.components

    async def check(self, _cluster: object) -> bool:
        """As the real one."""
        self.checks += 1
        if self.outage:
            raise Outage("nobody is there")
        before, self.problems = self.problems, ()
        return before != ()


class Desk:
    """An upkeep with what it works on."""

    def __init__(self) -> None:
        self.installation, self.clock = FakeInstallation(), WrongClock()
        self.leads = True
        self.looked: list[Target] = []
        schedule = Schedule(self._fire, lambda: datetime.now(UTC))
        store = empty_store()
        # Only what these tests touch is there.
        tools = Tools(cast(Any, None), store, schedule, Publisher(cast(Any, None)), cast(Any, self.installation), schedule._now)
        habits = Habits(timedelta(hours=1), timedelta(minutes=5))
        self.upkeep = Upkeep(tools, self.clock, lambda: self.leads, habits)

    async def _fire(self, target: Target) -> None:
        self.looked.append(target)


async def test_a_wrong_clock_is_told_once_for_each_change(caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk()
    for skew in (0.0, -120.0, -120.5, -119.6, -60.0, 0.0, 0.3):
        desk.clock.skew = skew
        desk.upkeep._check_clock()
    said = [(record.levelname, record.getMessage().partition(":")[0]) for record in caplog.records]
    assert said == [
        ("WARNING", "the clock of this machine is 120 s behind the API server's"),
        ("WARNING", "the clock of this machine is 60 s behind the API server's"),
    ]


async def test_the_installation_is_checked_at_once_when_something_about_it_has_changed(held: HeldLoop) -> None:
    desk = Desk()
    running = asyncio.create_task(desk.upkeep.check_for_ever())
    await until(lambda: desk.installation.checks == 1, "the first check")
    await asyncio.sleep(CHECK_SECONDS - 1)
    assert desk.installation.checks == 1, "then not for a minute"
    desk.upkeep.reinstalled()
    await until(lambda: desk.installation.checks == 2, "another one", within=0.1)
    running.cancel()


async def test_an_outage_ends_no_check(caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk()
    desk.installation.outage = True
    running = asyncio.create_task(desk.upkeep.check_for_ever())
    await until(lambda: desk.installation.checks == 1, "a check")
    desk.installation.outage = False
    desk.upkeep.reinstalled()
    await until(lambda: desk.installation.problems == (), "the next one finds that all is well")
    assert "cannot check the installation: nobody is there" in caplog.messages
    running.cancel()


@pytest.mark.parametrize("failure", [Refused("no"), Outage("away")], ids=["refused", "an outage"])
async def test_a_sweep_goes_on_behind_a_part_that_fails(failure: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    def part(name: str) -> Callable[..., Any]:
        async def sweep(*_: object) -> None:
            done.append(name)
            raise failure

        return sweep

    parts = ("compare", "sweep_policies")
    for name in (*parts, "sweep_locks"):
        monkeypatch.setattr(upkeep_module, name, part(name))
    assert not await Desk().upkeep.sweep()
    assert done == [*(name for name in parts for _ in range(2)), "sweep_locks"], (
        "what gives access comes first, and no kind is left out"
    )


async def test_who_begins_to_lead_plans_every_end_at_once_and_compares_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk()
    desk.upkeep._tools.store.requests[REQUESTS].see(request(status=active_status()))
    thorough: list[object] = []

    async def compared(*given: object) -> Difference:
        thorough.append(given[-1])
        return Difference(due={KEY: T0 + HOUR}) if given[1] is ACCESS_REQUEST else Difference()

    async def nothing(*_: object) -> None:
        return None

    monkeypatch.setattr(upkeep_module, "compare", compared)
    monkeypatch.setattr(upkeep_module, "sweep_policies", nothing)
    monkeypatch.setattr(upkeep_module, "sweep_locks", nothing)
    running = asyncio.create_task(desk.upkeep.take_over_for_ever())
    desk.upkeep.won()
    schedule = desk.upkeep._tools.schedule
    assert schedule._deadlines == {Target(REQUESTS, KEY): (T0 + HOUR).timestamp()}, "before anything is compared"
    await until(lambda: thorough, "the comparison")
    assert thorough[0] is not None, "with what policies and roles allow now"
    assert not schedule._news, "what is as it should be is not looked at"
    running.cancel()


async def test_who_begins_to_lead_looks_first_at_what_waits() -> None:
    desk = Desk()
    requests = desk.upkeep._tools.store.requests[REQUESTS]
    requests.see(request(status=active_status()), hint=False)
    requests.see(request(name="another"), hint=False)
    desk.upkeep.won()
    assert list(desk.upkeep._tools.schedule._news) == [Target(REQUESTS, Key(KEY.namespace, "another"))]


async def test_who_begins_to_lead_counts_anew_what_limits_ask_for() -> None:
    desk = Desk()
    tally, limited = desk.upkeep._tools.store.requests[REQUESTS].tally, policy(limits={"activeInTotal": 1})
    tally.expect(limited.ref)
    tally.listed(limited.ref, ())
    assert tally.knows(limited)
    desk.upkeep.won()
    assert not tally.knows(limited)


async def test_who_begins_to_lead_looks_at_every_review_that_is_owed() -> None:
    desk = Desk()
    desk.upkeep._tools.store.reviews[REQUESTS].remember(ended(), 0)
    desk.upkeep.won()
    assert list(desk.upkeep._tools.schedule._news) == [Target(reviews_of(REQUESTS), KEY)]


@pytest.mark.parametrize(
    ("relisted_again", "comparisons"),
    [pytest.param(False, 1, id="compared since"), pytest.param(True, 2, id="listed since")],
)
async def test_what_was_listed_before_a_comparison_is_not_compared_again(
    monkeypatch: pytest.MonkeyPatch, held: HeldLoop, relisted_again: bool, comparisons: int
) -> None:
    desk, compared = Desk(), 0

    async def compare(*given: object) -> Difference:
        nonlocal compared
        compared += given[1] is ACCESS_REQUEST  # one kind stands for all
        return Difference()

    async def nothing(*_: object) -> None:
        return None

    monkeypatch.setattr(upkeep_module, "compare", compare)
    monkeypatch.setattr(upkeep_module, "sweep_policies", nothing)
    monkeypatch.setattr(upkeep_module, "sweep_locks", nothing)
    desk.upkeep.relisted()
    await desk.upkeep.sweep(thorough=True)
    if relisted_again:
        desk.upkeep.relisted()
    running = asyncio.create_task(desk.upkeep.sweep_for_ever())
    await asyncio.sleep(60)
    running.cancel()
    assert compared == comparisons


class Comparisons:
    """In the place of comparing: when each was begun, by the loop's clock, and how many of them are to fail first."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, fails: int = 0) -> None:
        self.begun: list[float] = []
        self._fails = fails
        monkeypatch.setattr(upkeep_module, "compare", self._compare)
        monkeypatch.setattr(upkeep_module, "sweep_policies", self._nothing)
        monkeypatch.setattr(upkeep_module, "sweep_locks", self._nothing)

    async def _compare(self, *given: object) -> Difference:
        if given[1] is ACCESS_REQUEST:  # one kind stands for all
            self.begun.append(asyncio.get_running_loop().time())
            if len(self.begun) <= self._fails:
                raise Outage("away")
        return Difference()

    async def _nothing(self, *_: object) -> None:
        return None


async def test_a_comparison_that_a_listing_asks_for_and_that_fails_is_tried_again_soon(
    monkeypatch: pytest.MonkeyPatch, held: HeldLoop
) -> None:
    desk, comparisons, began = Desk(), Comparisons(monkeypatch, fails=2), held.time()
    desk.upkeep.relisted()
    running = asyncio.create_task(desk.upkeep.sweep_for_ever())
    await asyncio.sleep(200)  # its habit is five minutes
    running.cancel()
    first = began + SETTLE_SECONDS
    assert comparisons.begun == [first, first + RETRY_SWEEP_SECONDS, first + 3 * RETRY_SWEEP_SECONDS], "until it succeeds"


async def test_listings_without_end_keep_no_comparison_from_coming_when_it_is_its_time(
    monkeypatch: pytest.MonkeyPatch, held: HeldLoop
) -> None:
    desk, comparisons, began = Desk(), Comparisons(monkeypatch), held.time()

    async def list_for_ever() -> None:
        while True:
            desk.upkeep.relisted()
            await asyncio.sleep(1)

    running = [asyncio.create_task(list_for_ever()), asyncio.create_task(desk.upkeep.sweep_for_ever())]
    await asyncio.sleep(610)
    for task in running:
        task.cancel()
    assert [at - began for at in comparisons.begun] == [300, 600]


async def test_where_comparing_fails_as_we_begin_to_lead_another_comparison_follows_soon(
    monkeypatch: pytest.MonkeyPatch, held: HeldLoop
) -> None:
    desk, comparisons, began = Desk(), Comparisons(monkeypatch, fails=1), held.time()
    running = [asyncio.create_task(desk.upkeep.take_over_for_ever()), asyncio.create_task(desk.upkeep.sweep_for_ever())]
    desk.upkeep.won()
    await asyncio.sleep(200)
    for task in running:
        task.cancel()
    assert [at - began for at in comparisons.begun] == [0, SETTLE_SECONDS], "what nobody knows of is found too"


async def test_where_comparing_fails_everything_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk()
    desk.upkeep._tools.store.requests[REQUESTS].see(request(status=active_status()))

    async def away(*_: object) -> None:
        raise Outage("away")

    for name in ("compare", "sweep_policies", "sweep_locks"):
        monkeypatch.setattr(upkeep_module, name, away)
    running = asyncio.create_task(desk.upkeep.take_over_for_ever())
    desk.upkeep.won()
    await until(lambda: list(desk.upkeep._tools.schedule._news) == [Target(REQUESTS, KEY)], "a look at every request")
    running.cancel()


async def test_a_refused_retirement_is_tried_again_soon_and_a_standby_retires_nothing(
    monkeypatch: pytest.MonkeyPatch, held: HeldLoop
) -> None:
    tries: set[float] = set()

    async def remove_old(*_: object) -> int:
        tries.add(held.time())
        raise Refused("the policy engine says no")

    monkeypatch.setattr(upkeep_module, "remove_old", remove_old)
    desk = Desk()
    desk.leads = False
    running = asyncio.create_task(desk.upkeep.retire_for_ever())
    await asyncio.sleep(FIRST_RETIRE_SECONDS + 1)
    assert not tries, "who does not lead does not retire"
    desk.leads = True
    await asyncio.sleep(RETIRE_SECONDS + 3 * RETRY_RETIRE_SECONDS)
    desk.leads = False
    assert [later - earlier for earlier, later in pairwise(sorted(tries))] == [30.0, 60.0], "it is tried again and again"
    before = len(tries)
    await asyncio.sleep(2 * RETIRE_SECONDS)
    assert len(tries) == before
    running.cancel()
