"""A restart that comes too late for some: how long until their access is gone."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

from bench.asking import binding_of
from bench.effort import Effort
from bench.figures import Goal, Row
from bench.parts.endings import SEED_RATE
from bench.parts.starting import until_quiet
from bench.seeding import CROWD, seed_active, seed_ending
from bench.stage import HOME, LEASE_PATH, Stage
from bench.watching import Watcher, holder_of_lease
from jitaccess.manifests.resources import ROLE_BINDINGS

GOAL = Goal(2.0, "figure")  # seconds after leading


async def measure(stage: Stage, effort: Effort) -> list[Row]:
    """The operator is away while some of the grants end."""
    active, overdue = effort.overdue
    await stage.prepare(CROWD)
    await stage.stop()
    await seed_active(stage, 0, active)
    led, begun = [], []
    for repeat in range(effort.repeats):
        after_leading, after_start = await _restart(stage, f"overdue-{repeat}", overdue)
        led.append(after_leading)
        begun.append(after_start)
        await until_quiet(stage)
        await stage.stop()
    name = f"{overdue} overdue of {active + overdue}: all gone"
    return [Row(f"{name} after leading", "s", led, (), GOAL), Row(f"{name} after the start", "s", begun)]


async def _restart(stage: Stage, prefix: str, overdue: int) -> tuple[float, float]:
    due = datetime.now(UTC) + timedelta(seconds=overdue / SEED_RATE + 1)
    ending = await seed_ending(stage, prefix, overdue, lambda _: due)
    async with (
        Watcher(stage.admin, ROLE_BINDINGS.path(namespace=HOME)) as bindings,
        Watcher(stage.admin, LEASE_PATH, holder_of_lease) as leases,
    ):
        await asyncio.sleep(max(0.0, due.timestamp() + 0.5 - time.time()))
        begun = time.perf_counter()
        await stage.spawn()
        held = (await leases.all("held", ["jitaccess"]))[0].moment
        gone = await bindings.all("DELETED", [binding_of(request) for request in ending])
    last = max(each.moment for each in gone)
    return stage.awake.between(held, last), stage.awake.between(begun, last)
