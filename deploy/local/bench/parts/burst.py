"""Hundreds of approvals at once: grants a second, against a bare client with as many calls under way."""

import asyncio
import time
from collections.abc import Sequence
from functools import partial

from bench.asking import approve, ask_all, binding_of
from bench.bare import BareLife, bare_lives
from bench.calls import WIDTH, at_once
from bench.effort import Effort
from bench.figures import Goal, Row
from bench.stage import Stage
from bench.watching import Watcher, state_of_request
from jitaccess.manifests.resources import REQUESTS, ROLE_BINDINGS

GOAL = Goal(0.9, at_least=True)


async def measure(stage: Stage, effort: Effort) -> list[Row]:
    """Each size of burst: bare, bare beside as many patches, ours, in turn."""
    rows = []
    for size in effort.bursts:
        repeats = effort.repeats if size <= 300 else max(1, effort.repeats - 1)
        rows += await _size(stage, size, repeats)
    return rows


async def _size(stage: Stage, size: int, repeats: int) -> list[Row]:
    spaces = [f"burst-{size}-{repeat}" for repeat in range(repeats)]  # each in its own: what is bound there slows others down
    await stage.prepare(spaces)
    await stage.stop()
    lives = [await bare_lives(stage, f"bare-{space}", 2 * size, space) for space in spaces]
    await stage.start()
    alone, patched, ours, cpu = [], [], [], []
    async with (
        Watcher(stage.admin, ROLE_BINDINGS.path()) as bindings,
        Watcher(stage.admin, REQUESTS.path(), state_of_request) as requests,
    ):
        for space, mine in zip(spaces, lives, strict=True):
            alone.append(await _bare(mine[:size], bindings))
            patched.append(await _bare_beside_patches(mine[size:], bindings))
            before = stage.cpu()
            ours.append(await _ours(stage, space, size, bindings, requests))
            cpu.append(1000 * (stage.cpu() - before) / size)
    return [
        Row(f"burst of {size}, against Job + record + binding", "grants/s", ours, alone, GOAL),
        Row(f"burst of {size}, against the same beside as many patches", "grants/s", ours, patched),
        Row(f"burst of {size}, operator CPU a request until its binding", "ms", cpu),
    ]


async def _bare(lives: Sequence[BareLife], bindings: Watcher) -> float:
    start = time.perf_counter()
    await at_once([life.grant for life in lives])
    return await _rate(start, [life.name for life in lives], bindings)


async def _bare_beside_patches(lives: Sequence[BareLife], bindings: Watcher) -> float:
    """As an approval leads to a grant, so each patch is followed by the grant's writes, as many at once as of ours."""
    start = time.perf_counter()
    room = asyncio.Semaphore(WIDTH)

    async def grant(life: BareLife) -> None:
        async with room:
            await life.grant()

    async with asyncio.TaskGroup() as grants:

        async def patch(life: BareLife) -> None:
            await life.note()
            grants.create_task(grant(life))

        await at_once([partial(patch, life) for life in lives])
    return await _rate(start, [life.name for life in lives], bindings)


async def _ours(stage: Stage, space: str, size: int, bindings: Watcher, requests: Watcher) -> float:
    asked = await ask_all(stage, [f"{space}-{number}" for number in range(size)], requests, space=space)
    await asyncio.sleep(1.0)  # the Events of asking
    start = time.perf_counter()
    await at_once([partial(approve, stage.bob, request) for request in asked])
    return await _rate(start, [binding_of(request) for request in asked], bindings)


async def _rate(start: float, names: Sequence[str], bindings: Watcher) -> float:
    seen = await bindings.all("ADDED", names)
    return len(names) / (max(each.moment for each in seen) - start)
