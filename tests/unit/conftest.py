import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime, timedelta

import aiohttp
import pytest
from hypothesis import HealthCheck, settings

from jitaccess.kube.api import Cluster
from team import PATIENCE
from unit.examples import T0
from unit.fake_api import FakeApi
from unit.held import HeldLoop

# Slow and shared machines: no deadline, few examples; the state machine sets its own number.
settings.register_profile("unit", deadline=None, max_examples=60, database=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unit")


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop that a test runs on: who asks for `held`, itself or by a fixture, gets the one whose clock is held."""
    held = "held" in getattr(item, "fixturenames", ())
    return {"held": HeldLoop} if held else {"real": asyncio.new_event_loop}


@pytest.fixture
async def held() -> HeldLoop:
    """The loop of this test, whose time passes only where everything waits."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, HeldLoop)
    return loop


class Now:
    """The wall clock of a test: it stands still until it is moved."""

    def __init__(self) -> None:
        self.value = T0

    def __call__(self) -> datetime:
        return self.value

    def passes(self, **amount: float) -> datetime:
        """Let time pass, as in `timedelta`."""
        self.value += timedelta(**amount)
        return self.value


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> Now:
    """What the operator and the fake API server read as the time."""
    clock = Now()
    for name, module in list(sys.modules.items()):
        if name.startswith("jitaccess.") and hasattr(module, "utcnow"):
            monkeypatch.setattr(module, "utcnow", clock)
    return clock


@pytest.fixture
async def api(now: Now) -> AsyncIterator[FakeApi]:
    """A fake API server on a free loopback port."""
    async with FakeApi(now) as server:
        yield server


@pytest.fixture
async def cluster(api: FakeApi) -> AsyncIterator[Cluster]:
    """The adapter, talking to the fake."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE)) as session:
        yield Cluster(session, api.url)
