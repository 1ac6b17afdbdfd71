"""Hundreds of approvals at once: grants a second, against a bare client with as many calls under way."""

import asyncio
import time
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from functools import partial

from bench.asking import approve, ask_all, binding_of
from bench.bare import BareLife, bare_lives
from bench.calls import WIDTH, at_once
from bench.effort import Effort
from bench.figures import Goal, Row
from bench.stage import Stage
from bench.watching import Watcher, state_of_request
from jitaccess.domain.model import AccessRequest
from jitaccess.manifests.resources import REQUESTS, ROLE_BINDINGS

GOAL = Goal(0.9, at_least=True)
KINDS = ("bare", "patched", "ours")
WARM_UP = 100  # grants that nobody counts: the first of a control plane cost more, and its controllers are busy after any


@dataclass(frozen=True, slots=True)
class Burst:
    """Grants a second until the last binding was seen, and the CPU until then, in milliseconds a grant."""

    rate: float
    plane: float  # of the API server, etcd and the controllers
    operator: float


async def measure(stage: Stage, effort: Effort) -> list[Row]:
    """Each size of burst: bare, bare beside as many patches, ours, in turn."""
    rows = []
    for size in effort.bursts:
        rows += await _size(stage, size, effort.repeats)
    return rows


async def _size(stage: Stage, size: int, repeats: int) -> list[Row]:
    # Each burst has a namespace of its own, since what is bound there slows down the next; and each kind is the first once.
    turns = [(kind, f"{kind}-{size}-{repeat}") for repeat in range(repeats) for kind in _rotated(repeat)]
    warm = f"warm-{size}"
    await stage.prepare([warm, *(space for _, space in turns)])
    await stage.stop()
    lives = {space: await bare_lives(stage, space, size, space) for kind, space in turns if kind != "ours"}
    first = await bare_lives(stage, warm, min(size, WARM_UP), warm)
    await stage.start()
    bursts: dict[str, list[Burst]] = {kind: [] for kind in KINDS}
    async with (
        Watcher(stage.admin, ROLE_BINDINGS.path()) as bindings,
        Watcher(stage.admin, REQUESTS.path(), state_of_request) as requests,
    ):
        await _timed(stage, _bare(first), [life.name for life in first], bindings)
        for kind, space in turns:
            if kind == "ours":
                asked = await ask_all(stage, [f"{space}-{number}" for number in range(size)], requests, space=space)
                work, names = _ours(stage, asked), [binding_of(request) for request in asked]
            else:
                work = (_bare if kind == "bare" else _bare_beside_patches)(lives[space])
                names = [life.name for life in lives[space]]
            await asyncio.sleep(1.0)  # what is still to be told of the one before
            bursts[kind].append(await _timed(stage, work, names, bindings))
    return _rows(size, **bursts)


def _rotated(repeat: int) -> tuple[str, ...]:
    first = repeat % len(KINDS)
    return KINDS[first:] + KINDS[:first]


def _rows(size: int, bare: Sequence[Burst], patched: Sequence[Burst], ours: Sequence[Burst]) -> list[Row]:
    name, rates = f"burst of {size}", [each.rate for each in ours]
    return [
        Row(f"{name}, against Job + record + binding", "grants/s", rates, [each.rate for each in bare], GOAL),
        Row(f"{name}, against the same beside as many patches", "grants/s", rates, [each.rate for each in patched]),
        Row(
            f"{name}, the control plane's CPU a grant, against the same beside patches",
            "ms",
            [each.plane for each in ours],
            [each.plane for each in patched],
        ),
        Row(f"{name}, operator CPU a request until its binding", "ms", [each.operator for each in ours]),
    ]


async def _timed(stage: Stage, work: Awaitable[None], names: Sequence[str], bindings: Watcher) -> Burst:
    start, plane, operator = time.perf_counter(), sum(stage.plane_cpu().values()), stage.cpu()
    await work
    seen = await bindings.all("ADDED", names)
    used = sum(stage.plane_cpu().values()) - plane, stage.cpu() - operator
    rate = len(names) / stage.awake.between(start, max(each.moment for each in seen))
    return Burst(rate, *(1000 * seconds / len(names) for seconds in used))


async def _bare(lives: Sequence[BareLife]) -> None:
    await at_once([life.grant for life in lives])


async def _bare_beside_patches(lives: Sequence[BareLife]) -> None:
    """As an approval leads to a grant, so each patch is followed by the grant's writes, as many at once as of ours."""
    room = asyncio.Semaphore(WIDTH)

    async def grant(life: BareLife) -> None:
        async with room:
            await life.grant()

    async with asyncio.TaskGroup() as grants:

        async def patch(life: BareLife) -> None:
            await life.note()
            grants.create_task(grant(life))

        await at_once([partial(patch, life) for life in lives])


async def _ours(stage: Stage, asked: Sequence[AccessRequest]) -> None:
    await at_once([partial(approve, stage.bob, request) for request in asked])
