"""The end of the process: asked for, because something ended that must not, or enforced."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Coroutine
from typing import Any

import pytest

from jitaccess.app.supervise import ForEver, Termination
from team import PATIENCE
from unit.waiting import until


async def fails() -> None:
    raise ValueError("no such thing")


async def returns() -> None:
    """Does nothing."""


async def lasts() -> None:
    await asyncio.Event().wait()


ENDS = [
    pytest.param(fails(), "the sweep has ended: ValueError: no such thing", id="one that fails"),
    pytest.param(returns(), "the sweep has ended: it returned", id="one that returns"),
]


@pytest.mark.parametrize(("work", "problem"), ENDS)
async def test_a_task_that_ends_is_told_and_ends_the_process(
    work: Coroutine[Any, Any, None], problem: str, caplog: pytest.LogCaptureFixture
) -> None:
    ended = asyncio.Event()
    tasks = ForEver(ended.set)
    tasks.start("the check", lasts())
    assert tasks.problem == "", "all is well"
    tasks.start("the sweep", work)
    await until(ended.is_set)
    assert tasks.problem == problem
    assert caplog.messages == [f"the operator stops: {problem}"]
    await tasks.stop()
    assert tasks.problem == problem, "what is stopped then is no news"


async def test_a_task_that_somebody_cancels_has_ended_too() -> None:
    ended = asyncio.Event()
    tasks = ForEver(ended.set)
    tasks.start("the lead", lasts())
    await asyncio.sleep(0)
    next(task for task in asyncio.all_tasks() if task.get_name() == "the lead").cancel()
    await until(ended.is_set)
    assert tasks.problem == "the lead has ended: it was cancelled"
    await tasks.stop()


async def test_a_stop_that_is_wanted_is_no_problem(caplog: pytest.LogCaptureFixture) -> None:
    ended = asyncio.Event()
    tasks = ForEver(ended.set)
    tasks.start("the lead", lasts())
    tasks.expect_end()
    tasks.start("the schedule", returns())
    await asyncio.sleep(0.01)
    await tasks.stop()
    assert (tasks.problem, ended.is_set(), caplog.messages) == ("", False, [])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_begins_the_end_whoever_listened_before(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with Termination() as termination:
        termination.listen()
        heard: list[int] = []
        asyncio.get_running_loop().add_signal_handler(number, heard.append, 1)  # as Kopf does
        termination.listen()
        os.kill(os.getpid(), number)
        await until(termination.begun.is_set)
        assert heard == []
    assert signal.getsignal(number) is before, "the signals are given back"


async def test_an_end_that_does_not_come_is_enforced_and_one_that_comes_is_not() -> None:
    gave_up = threading.Event()
    with Termination(0.1, gave_up.set) as termination:
        termination.begin()
        await until(gave_up.is_set, "the last line holds")
    gave_up.clear()
    with Termination(2 * PATIENCE, gave_up.set) as termination:
        termination.begin()
    await until(lambda: not any(isinstance(each, threading.Timer) for each in threading.enumerate()), "nobody waits for it")
    assert not gave_up.is_set(), "it was over in time"


HANGS = """
import asyncio, sys, time
from jitaccess.app.supervise import Termination

async def stubborn():
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            pass

async def main():
    termination.listen()
    task = asyncio.create_task(stubborn())
    print("up", flush=True)
    while sys.argv[1] == "busy":
        time.sleep(0.01)
    await termination.begun.wait()

with Termination(0.5) as termination:
    asyncio.run(main())
"""


@pytest.mark.parametrize(
    "way", [pytest.param("busy", id="a loop that hangs"), pytest.param("stubborn", id="a task that does not end")]
)
def test_sigterm_ends_even_what_does_not_want_to(way: str) -> None:
    with subprocess.Popen([sys.executable, "-c", HANGS, way], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"up\n"
        process.terminate()
        _, told = process.communicate(timeout=PATIENCE)
        assert process.returncode == 1
        assert b"did not stop in time" in told
