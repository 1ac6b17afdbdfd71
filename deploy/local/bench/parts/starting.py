"""How long a start takes, by what is there: until the first new decision, until nothing is left to do, and its CPU."""

import asyncio
import time
from dataclasses import dataclass

from bench.asking import approve, ask, binding_of
from bench.stage import HOME, LEASE_PATH, Stage
from bench.watching import Watcher, holder_of_lease
from jitaccess.manifests.resources import ROLE_BINDINGS

QUIET = 0.03  # seconds of CPU in a second that count as nothing to do
LONGEST = 240.0  # seconds


@dataclass(frozen=True, slots=True)
class Start:
    """One start, in seconds since the process began."""

    leads: float
    decides: float  # the binding of a request that was approved while nobody was there
    cpu: float  # processor time until it is quiet
    quiet: float


async def start_once(stage: Stage, name: str) -> Start:
    """Start the operator anew; what waits for it is one request that was approved meanwhile."""
    await stage.stop()
    request = await ask(stage, name)
    await approve(stage.bob, request)
    async with (
        Watcher(stage.admin, ROLE_BINDINGS.path(namespace=HOME)) as bindings,
        Watcher(stage.admin, LEASE_PATH, holder_of_lease) as leases,
    ):
        begun = time.perf_counter()
        await stage.spawn()
        held = (await leases.all("held", ["jitaccess"]))[0].moment
        bound = (await bindings.all("ADDED", [binding_of(request)]))[0].moment
        cpu = await until_quiet(stage)
        return Start(held - begun, bound - begun, cpu, time.perf_counter() - begun - 1.0)


async def until_quiet(stage: Stage) -> float:
    """Wait until the operator has nothing to do; the processor time that it has used by then."""
    deadline, before = time.monotonic() + LONGEST, -1.0
    while (now := stage.cpu()) - before > QUIET and time.monotonic() < deadline:
        before = now
        await asyncio.sleep(1.0)
    return now


async def idle_cpu(stage: Stage, seconds: float) -> float:
    """Per cent of a core that it uses while nothing happens."""
    before = stage.cpu()
    await asyncio.sleep(seconds)
    return 100 * (stage.cpu() - before) / seconds
