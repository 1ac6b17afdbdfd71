"""Waiting inside an event loop, as `team.eventually` does outside."""

import asyncio
from collections.abc import Callable

import pytest

from team import PATIENCE


async def until(look: Callable[[], object], what: Callable[[], object] | str = "it", *, within: float = PATIENCE) -> float:
    """Wait until it is so; returns the seconds that it took, by the loop's clock. Fail saying what was expected.

    `within` is for tests that hold that clock: anywhere else it would be luck.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    while not look():
        if loop.time() - began > within:
            pytest.fail(f"expected within {within:g} s: {what if isinstance(what, str) else what()}")
        await asyncio.sleep(0.01)
    return loop.time() - began
