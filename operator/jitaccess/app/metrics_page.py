"""The path /metrics, and the one thing that only this process can measure of itself: how late its event loop is."""

import asyncio
import time
from collections.abc import Callable
from http import HTTPStatus

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, generate_latest

from jitaccess.app.health import Answer

# Who asks more often gets the page from before: the port is open to the whole cluster, and counting is not for nothing.
SECONDS_BETWEEN = 1.0
LAG_EVERY = 1.0


class MetricsPage:
    """The answer to GET /metrics, in the text format that every scraper reads."""

    def __init__(self, registry: CollectorRegistry, now: Callable[[], float] = time.monotonic) -> None:
        self._registry = registry
        self._now = now
        self._made_at = float("-inf")
        self._page = Answer(HTTPStatus.OK, "", CONTENT_TYPE_PLAIN_0_0_4)

    def __call__(self) -> Answer:
        """The page, counted anew if the last one is a second old."""
        if self._now() - self._made_at >= SECONDS_BETWEEN:
            self._page = Answer(HTTPStatus.OK, generate_latest(self._registry).decode(), CONTENT_TYPE_PLAIN_0_0_4)
            self._made_at = self._now()
        return self._page


async def measure_lag(lagged: Callable[[float], None]) -> None:
    """Tell, every second and for ever, how late the event loop comes to what is due."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + LAG_EVERY
        await asyncio.sleep(LAG_EVERY)
        lagged(max(0.0, loop.time() - due))
