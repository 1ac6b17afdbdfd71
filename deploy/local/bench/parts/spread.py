"""Ends spread over half a minute, beside as many approvals: nobody waits for the others."""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

from bench.asking import ask_all
from bench.calls import on_time
from bench.effort import Effort
from bench.figures import Goal, Row, quantile
from bench.parts.endings import SEED_RATE, START_SECONDS, ends
from bench.parts.latency import approved
from bench.seeding import seed_ending
from bench.stage import HOME, Stage
from bench.watching import Watcher, state_of_request
from jitaccess.domain.model import AccessRequest
from jitaccess.manifests.resources import REQUESTS, ROLE_BINDINGS

GOAL = Goal(32, "figure")  # milliseconds


async def measure(stage: Stage, effort: Effort) -> list[Row]:
    """The approvals are spread over the same time."""
    lags, times = [], []
    async with (
        Watcher(stage.admin, ROLE_BINDINGS.path(namespace=HOME)) as bindings,
        Watcher(stage.admin, REQUESTS.path(namespace=HOME), state_of_request) as requests,
    ):
        for repeat in range(effort.spreads):
            asked = await ask_all(stage, [f"beside-{repeat}-{number}" for number in range(effort.spread)], requests)
            await stage.stop()
            start = time.time() + effort.spread / SEED_RATE + START_SECONDS
            step = effort.spread_seconds / effort.spread
            until = [datetime.fromtimestamp(start, UTC) + timedelta(seconds=number * step) for number in range(effort.spread)]
            ending = await seed_ending(stage, f"spread-{repeat}", effort.spread, until.__getitem__)
            lag, took = await asyncio.gather(ends(stage, ending, bindings), _approvals(stage, asked, start, step, bindings))
            lags.append(lag)
            times.append(took)
    name = f"{effort.spread} ends over {effort.spread_seconds:.0f} s beside as many approvals"
    return [
        Row(f"{name}, lag p50", "ms", [1000 * quantile(lag, 0.5) for lag in lags]),
        Row(f"{name}, lag p99", "ms", [1000 * quantile(lag, 0.99) for lag in lags], (), GOAL),
        Row("approval -> binding beside them, p50", "ms", [1000 * quantile(took, 0.5) for took in times]),
    ]


async def _approvals(stage: Stage, asked: Sequence[AccessRequest], start: float, step: float, bindings: Watcher) -> list[float]:
    # Half a step later than the ends, so that it is chance which of the two comes first.
    return await on_time(
        [(start + (number + 0.5) * step, partial(approved, stage, each, bindings)) for number, each in enumerate(asked)]
    )
