"""The loop whose clock a test holds."""

import asyncio

import pytest

from unit.held import HeldLoop
from unit.waiting import until


async def test_time_passes_at_once_and_in_order(held: HeldLoop) -> None:
    woken: list[str] = []

    async def sleeper(name: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        woken.append(name)

    began = held.time()
    await asyncio.gather(sleeper("a week", 7 * 86400), sleeper("an hour", 3600), sleeper("a day", 86400))
    assert woken == ["an hour", "a day", "a week"]
    assert held.time() == pytest.approx(began + 7 * 86400)


async def test_no_time_passes_while_somebody_works(held: HeldLoop) -> None:
    began = held.time()
    for _ in range(1000):
        await asyncio.sleep(0)
    assert held.time() == began


async def test_what_comes_from_a_thread_is_waited_for_where_nothing_else_is(held: HeldLoop) -> None:
    assert await asyncio.to_thread(lambda: "done") == "done"


async def test_a_wait_in_vain_says_for_what(held: HeldLoop) -> None:
    with pytest.raises(pytest.fail.Exception, match="expected within 5 s: a miracle"):
        await until(lambda: False, "a miracle", within=5)


def test_what_spins_is_told() -> None:
    async def spin() -> None:
        while True:  # noqa: ASYNC110 (this is what is noticed)
            await asyncio.sleep(0)

    with asyncio.Runner(loop_factory=HeldLoop) as runner, pytest.raises(AssertionError, match="something spins"):
        runner.run(spin())
