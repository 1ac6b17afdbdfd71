"""Deadlines and news: fired when due, never the same target twice at once, and again when it failed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from jitaccess.domain.model import Key
from jitaccess.kube.clock import utcnow
from jitaccess.manifests.resources import POLICIES, REQUESTS
from jitaccess.workqueue import schedule as schedule_module
from jitaccess.workqueue.schedule import FIRST_RETRY, LONGEST_RETRY, LONGEST_SLEEP, RESOLUTION, Schedule, Target
from unit.examples import T0
from unit.held import HeldLoop
from unit.waiting import until


def target(name: str) -> Target:
    return Target(REQUESTS, Key("team-a", name))


A, B, C = target("a"), target("b"), target("c")


class Fire:
    """What the clock fires into: remembers what it was told, can be made to hang and to fail."""

    def __init__(self) -> None:
        self.fired: list[Target] = []
        self.finished: list[Target] = []
        self.together: dict[Target, int] = {}
        self.most_at_once = 0
        self.failures: dict[Target, int] = {}
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, what: Target) -> None:
        self.fired.append(what)
        self.together[what] = self.together.get(what, 0) + 1
        assert self.together[what] == 1, f"{what} was fired while it was running"
        self.most_at_once = max(self.most_at_once, sum(self.together.values()))
        try:
            await self.gate.wait()
            if self.failures.get(what, 0) > 0:
                self.failures[what] -= 1
                raise RuntimeError(f"{what} failed")
            self.finished.append(what)
        finally:
            self.together[what] -= 1

    async def until(self, look: Callable[[], bool], within: float = LONGEST_SLEEP / 2) -> float:
        """Wait until it is so; well below the longest sleep, so that only a waiter that was woken makes it in time."""
        return await until(look, lambda: f"other than what was fired: {list(map(str, self.fired))}", within=within)


class Wall:
    """The wall clock, in whole milliseconds: it goes with the loop's, and somebody steps it."""

    def __init__(self, held: HeldLoop) -> None:
        self.stepped = 0.0
        self._held = held

    def __call__(self) -> datetime:
        return T0 + timedelta(milliseconds=int(1000 * (self._held.time() + self.stepped)))

    def soon(self, milliseconds: float) -> datetime:
        return self() + timedelta(milliseconds=milliseconds)


@pytest.fixture
async def fire() -> Fire:
    return Fire()


@pytest.fixture
def wall(held: HeldLoop) -> Wall:
    return Wall(held)


Start = Callable[[], Schedule]


@pytest.fixture
async def start(fire: Fire, wall: Wall) -> AsyncIterator[Callable[..., Schedule]]:
    """Make a running clock; it is stopped with the test."""
    running: list[tuple[Schedule, asyncio.Task[None]]] = []

    def begin(made: Schedule | None = None, fire: Callable[[Target], Awaitable[None]] = fire) -> Schedule:
        made = made or Schedule(fire, wall)
        running.append((made, asyncio.create_task(made.run())))
        return made

    yield begin
    for made, task in running:
        fire.gate.set()
        await made.stop(30)
        await task


async def test_news_are_fired_at_once(fire: Fire, start: Start) -> None:
    start().soon(A)
    await fire.until(lambda: fire.finished == [A])
    assert fire.fired == [A]


async def test_news_before_the_start_are_not_lost(fire: Fire, start: Callable[..., Schedule], wall: Wall) -> None:
    made = Schedule(fire, wall)
    made.soon(A)
    made.soon(B)
    start(made)
    await fire.until(lambda: fire.finished == [A, B])


async def test_the_same_news_twice_before_it_is_fired_is_one(fire: Fire, start: Callable[..., Schedule], wall: Wall) -> None:
    made = Schedule(fire, wall)
    for _ in range(5):
        made.soon(A)
    made.soon(B)
    start(made)
    await fire.until(lambda: B in fire.finished)
    assert fire.fired == [A, B]


async def test_news_while_it_is_running_is_fired_once_more_afterwards(fire: Fire, start: Start) -> None:
    made = start()
    fire.gate.clear()
    made.soon(A)
    await fire.until(lambda: fire.fired == [A])
    for _ in range(3):
        made.soon(A)
        await asyncio.sleep(0.002)
    assert fire.fired == [A], "never twice at once"
    fire.gate.set()
    await fire.until(lambda: fire.finished == [A, A])
    await asyncio.sleep(0.02)
    assert fire.fired == [A, A]


async def test_a_deadline_while_it_is_running_is_fired_afterwards(fire: Fire, start: Start, wall: Wall) -> None:
    made = start()
    fire.gate.clear()
    made.soon(A)
    await fire.until(lambda: fire.fired == [A])
    made.at(A, wall.soon(1))
    await asyncio.sleep(0.02)
    assert fire.fired == [A], "never twice at once"
    fire.gate.set()
    await fire.until(lambda: fire.finished == [A, A])


async def test_one_that_hangs_holds_up_no_other(fire: Fire, start: Start) -> None:
    made = start()
    fire.gate.clear()
    for what in (A, B, C):
        made.soon(what)
    await fire.until(lambda: fire.fired == [A, B, C])


async def test_no_more_run_at_once_than_allowed(fire: Fire, start: Callable[..., Schedule], wall: Wall) -> None:
    made = start(Schedule(fire, wall, concurrency=2))
    fire.gate.clear()
    everything = [target(str(number)) for number in range(8)]
    for what in everything:
        made.soon(what)
    await fire.until(lambda: len(fire.fired) == 2)
    await asyncio.sleep(0.01)
    assert len(fire.fired) == 2
    fire.gate.set()
    await fire.until(lambda: fire.finished == everything)
    assert fire.most_at_once == 2


async def test_deadlines_are_fired_in_their_order_and_not_before(fire: Fire, start: Start, wall: Wall) -> None:
    made = start()
    moments = {A: wall.soon(60), B: wall.soon(20), C: wall.soon(40)}
    for what, moment in moments.items():
        made.at(what, moment)
    await fire.until(lambda: fire.fired == [B, C, A])
    assert wall() >= moments[A]


async def test_expiry_goes_before_news(fire: Fire, start: Callable[..., Schedule], wall: Wall) -> None:
    made = Schedule(fire, wall, concurrency=1)
    made.soon(A)
    made.at(B, wall.soon(-1))
    start(made)
    await fire.until(lambda: len(fire.fired) == 2)
    assert fire.fired == [B, A]


async def test_a_deadline_in_the_past_is_fired_at_once(fire: Fire, start: Start, wall: Wall) -> None:
    start().at(A, wall.soon(-3600_000))
    await fire.until(lambda: fire.finished == [A])


async def test_the_earliest_deadline_counts_and_fires_once(fire: Fire, start: Callable[..., Schedule], wall: Wall) -> None:
    made = Schedule(fire, wall)
    for milliseconds in (40, -10, 30):
        made.at(A, wall.soon(milliseconds))
    made.at(B, wall.soon(-5))
    start(made)
    await fire.until(lambda: fire.fired == [A, B])
    await asyncio.sleep(0.06)
    assert fire.fired == [A, B], "one deadline a target: the later ones are gone"


async def test_a_deadline_can_be_set_anew_once_it_has_fired(fire: Fire, start: Start, wall: Wall) -> None:
    made = start()
    made.at(A, wall.soon(5))
    await fire.until(lambda: fire.fired == [A])
    made.at(A, wall.soon(5))
    await fire.until(lambda: fire.fired == [A, A])


async def test_an_earlier_deadline_wakes_the_waiter(fire: Fire, start: Start, wall: Wall) -> None:
    made = start()
    made.at(A, wall.soon(3600_000))
    await asyncio.sleep(0.005)
    made.at(B, wall.soon(10))
    await fire.until(lambda: fire.fired == [B])


async def test_what_is_forgotten_is_not_fired(fire: Fire, start: Callable[..., Schedule], wall: Wall) -> None:
    made = Schedule(fire, wall)
    made.soon(A)
    made.at(A, wall.soon(5))
    made.at(B, wall.soon(10))
    made.forget(A)
    start(made)
    await fire.until(lambda: fire.fired == [B])


async def test_what_was_forgotten_can_be_planned_again(fire: Fire, start: Start, wall: Wall) -> None:
    made = start()
    made.at(A, wall.soon(3600_000))
    made.forget(A)
    made.at(A, wall.soon(5))
    await fire.until(lambda: fire.fired == [A])


def delays(count: int) -> list[float]:
    made = Schedule(Fire(), utcnow)
    return [made.retry(A) for _ in range(count)]


async def test_retries_grow_and_stay_below_the_longest() -> None:
    seconds = delays(40)
    for attempt, delay in enumerate(seconds):
        middle = min(FIRST_RETRY * 2.0**attempt, LONGEST_RETRY)
        assert 0.8 * middle <= delay <= 1.2 * middle, f"attempt {attempt}: about {middle} s expected, {delay} s found"


async def test_many_that_fail_together_are_not_tried_again_together() -> None:
    assert len({delays(1)[0] for _ in range(20)}) > 1


async def test_success_makes_the_next_retry_short_again() -> None:
    made = Schedule(Fire(), utcnow)
    for _ in range(10):
        made.retry(A)
    made.done(A)
    assert made.retry(A) <= 1.2 * FIRST_RETRY


async def test_retries_of_different_targets_grow_apart() -> None:
    made = Schedule(Fire(), utcnow)
    for _ in range(10):
        made.retry(A)
    assert made.retry(B) <= 1.2 * FIRST_RETRY
    assert made.retry(Target(POLICIES, A.key)) <= 1.2 * FIRST_RETRY, "a policy of the same name is another target"


async def test_what_fails_is_told_and_tried_again(
    fire: Fire, start: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(schedule_module, "FIRST_RETRY", 0.005)
    made = start()
    fire.failures[A] = 3
    made.soon(A)
    await fire.until(lambda: fire.finished == [A])
    assert fire.fired == [A] * 4
    told = [record for record in caplog.records if record.message == "trying again"]
    assert [vars(record)["object"] for record in told] == ["AccessRequest team-a/a"] * 3


async def test_one_that_fails_holds_up_no_other(fire: Fire, start: Start) -> None:
    made = start()
    fire.failures[A] = 1000
    made.soon(A)
    made.soon(B)
    await fire.until(lambda: fire.finished == [B])


async def test_a_clock_that_steps_forward_fires_within_the_longest_sleep(fire: Fire, start: Start, wall: Wall) -> None:
    start().at(A, wall.soon(3600_000))
    await asyncio.sleep(100)
    assert fire.fired == []
    wall.stepped = 3600  # suspended for an hour, or corrected by NTP: nothing wakes the waiter
    await fire.until(lambda: fire.fired == [A], LONGEST_SLEEP)


async def test_a_clock_that_steps_back_fires_at_the_new_time(fire: Fire, start: Start, wall: Wall) -> None:
    made, moment = start(), wall.soon(30)
    wall.stepped = -3600
    made.at(A, moment)
    await asyncio.sleep(100)
    assert fire.fired == [], "by the wall clock it is not yet time"
    wall.stepped = 0
    await fire.until(lambda: fire.fired == [A], LONGEST_SLEEP)


async def test_the_waiter_never_sleeps_longer_than_the_longest_sleep(start: Start, wall: Wall) -> None:
    made = start()
    made.at(A, wall.soon(3600_000))
    await asyncio.sleep(0)
    before = made.beat
    await asyncio.sleep(LONGEST_SLEEP + RESOLUTION)
    assert made.beat > before, "the liveness probe reads the beat"
    assert LONGEST_SLEEP == 30.0


async def test_stopping_lets_what_is_running_finish_and_fires_nothing_more(fire: Fire, start: Start) -> None:
    made = start()
    fire.gate.clear()
    made.soon(A)
    await fire.until(lambda: fire.fired == [A])
    stopping = asyncio.create_task(made.stop(30))
    await asyncio.sleep(0.005)
    made.soon(B)
    assert not stopping.done()
    fire.gate.set()
    await stopping
    await asyncio.sleep(0.01)
    assert (fire.fired, fire.finished) == ([A], [A])


async def test_what_does_not_finish_in_time_is_cancelled(fire: Fire, start: Start) -> None:
    made = start()
    fire.gate.clear()
    made.soon(A)
    await fire.until(lambda: fire.fired == [A])
    await made.stop(0.01)
    await asyncio.sleep(0.01)
    assert (fire.finished, fire.together) == ([], {A: 0}), "it was let go, not finished"


async def test_stopping_an_idle_clock_is_immediate(start: Start, held: HeldLoop) -> None:
    made = start()
    await asyncio.sleep(0)
    began = held.time()
    await made.stop(3600)
    assert held.time() == began


def test_the_time_is_utc_in_whole_milliseconds() -> None:
    before = datetime.now(UTC)
    now = utcnow()
    assert now.tzinfo is UTC
    assert now.microsecond % 1000 == 0
    assert before - timedelta(milliseconds=1) < now <= datetime.now(UTC)


def test_a_target_is_told_by_kind_and_key() -> None:
    assert str(A) == "AccessRequest team-a/a"
