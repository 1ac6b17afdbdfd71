"""One live read for all who were waiting when it began, and none that is older than the question."""

import asyncio

import pytest

from jitaccess.reconcile.sharing import SharedReads


class Source:
    """What is read: answers when it is let, and says how often it was asked."""

    def __init__(self) -> None:
        self.reads = 0
        self.value = "old"
        self.gate = asyncio.Event()
        self.failure: Exception | None = None

    async def __call__(self, key: str) -> str:
        self.reads += 1
        value = f"{key}: {self.value}"
        await self.gate.wait()
        if self.failure:
            raise self.failure
        return value


async def test_all_who_ask_before_it_begins_share_one_read() -> None:
    source = Source()
    source.gate.set()
    shared = SharedReads(source)
    assert await asyncio.gather(*(shared.get("a") for _ in range(50))) == ["a: old"] * 50
    assert source.reads == 1


async def test_who_asks_while_one_is_under_way_gets_the_next() -> None:
    source = Source()
    shared = SharedReads(source)
    first = asyncio.create_task(shared.get("a"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert source.reads == 1
    source.value = "new"
    later = [asyncio.create_task(shared.get("a")) for _ in range(10)]
    await asyncio.sleep(0)
    source.gate.set()
    assert await first == "a: old"
    assert await asyncio.gather(*later) == ["a: new"] * 10, "a read is never older than the question"
    assert source.reads == 2


async def test_keys_do_not_wait_for_each_other() -> None:
    source = Source()
    shared = SharedReads(source)
    tasks = [asyncio.create_task(shared.get(key)) for key in ("a", "b")]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert source.reads == 2
    source.gate.set()
    assert await asyncio.gather(*tasks) == ["a: old", "b: old"]


async def test_a_failure_is_everybodys_and_the_next_read_is_a_new_one() -> None:
    source = Source()
    source.gate.set()
    source.failure = RuntimeError("down")
    shared = SharedReads(source)
    assert [str(error) for error in await asyncio.gather(shared.get("a"), shared.get("a"), return_exceptions=True)] == [
        "down"
    ] * 2
    source.failure = None
    assert await shared.get("a") == "a: old"


async def test_who_gives_up_does_not_end_it_for_the_others() -> None:
    source = Source()
    shared = SharedReads(source)
    impatient, patient = asyncio.create_task(shared.get("a")), asyncio.create_task(shared.get("a"))
    await asyncio.sleep(0)
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    source.gate.set()
    assert await patient == "a: old"


async def test_nothing_is_kept() -> None:
    source = Source()
    source.gate.set()
    shared = SharedReads(source)
    for _ in range(3):
        await shared.get("a")
    assert source.reads == 3, "this is no cache"
    assert not shared._next
    assert not shared._running
