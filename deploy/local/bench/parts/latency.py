"""From the approval that was answered to the binding that is seen: one at a time, and at ten a second."""

import asyncio
import time
from collections.abc import Sequence
from functools import partial

from bench.asking import approve, ask_all, binding_of
from bench.bare import BareLife, bare_lives
from bench.calls import each, on_time
from bench.effort import Effort
from bench.figures import Goal, Row, latency_rows
from bench.stage import HOME, Stage
from bench.watching import Watcher, state_of_request
from controlplane.components import COMPONENTS
from jitaccess.domain.model import AccessRequest
from jitaccess.manifests.resources import REQUESTS, ROLE_BINDINGS

CALM = 0.1  # seconds of nothing before each thing that is timed: approvals come to idle machines
RATE = 10.0  # lives begun each second
ENDS_AFTER = "3s"
GOALS = Goal(1.3), Goal(1.5)


async def measure(stage: Stage, effort: Effort) -> list[Row]:
    """Both, each beside bare clients in turn."""
    await stage.stop()
    singles = await bare_lives(stage, "bare", 2 * effort.rounds * effort.repeats)
    rated = await bare_lives(stage, "rated", effort.rate * effort.repeats)
    await stage.start()
    path = REQUESTS.path(namespace=HOME)
    async with (
        Watcher(stage.admin, ROLE_BINDINGS.path(namespace=HOME)) as bindings,
        Watcher(stage.admin, path, state_of_request) as requests,
    ):
        rows = await _one_at_a_time(stage, effort, singles, bindings, requests)
        return rows + await _at_a_rate(stage, effort, rated, bindings, requests)


async def _one_at_a_time(
    stage: Stage, effort: Effort, lives: Sequence[BareLife], bindings: Watcher, requests: Watcher
) -> list[Row]:
    names = [f"one-{number}" for number in range(effort.rounds * effort.repeats)]
    asked = await ask_all(stage, names, requests)
    figures = await rounds(stage, asked, lives, bindings)
    split = [[figures[kind][start :: effort.repeats] for start in range(effort.repeats)] for kind in range(3)]
    ours, short, same = split
    return [
        *latency_rows("approval -> binding, against Job + binding", ours, short, GOALS),
        *latency_rows("approval -> binding, against Job + record + binding", ours, same, (None, None)),
    ]


async def rounds(
    stage: Stage, asked: Sequence[AccessRequest], lives: Sequence[BareLife], bindings: Watcher
) -> tuple[list[float], list[float], list[float]]:
    """For each request its approval, a bare Job + binding, and a bare Job + record + binding, in turn; the seconds of each."""
    ours, short, same = [], [], []
    for number, request in enumerate(asked):
        short.append(await bare_grant(lives[2 * number], bindings, record=False))
        same.append(await bare_grant(lives[2 * number + 1], bindings, record=True))
        await asyncio.sleep(CALM)
        ours.append(await approved(stage, request, bindings))
    return ours, short, same


async def approved(stage: Stage, request: AccessRequest, bindings: Watcher) -> float:
    """Approve one request; the seconds from the answer until its binding is seen, which may be before the answer."""
    await approve(stage.bob, request)
    answered = time.perf_counter()
    return stage.awake.between(answered, (await bindings.all("ADDED", [binding_of(request)]))[0].moment)


async def bare_grant(life: BareLife, bindings: Watcher, *, record: bool) -> float:
    """The seconds that a bare grant takes, from its first call until its binding is seen; then it goes."""
    await asyncio.sleep(CALM)
    sent = time.perf_counter()
    await life.grant(record=record)
    seen = (await bindings.all("ADDED", [life.name]))[0].moment
    await life.unbind()
    await life.settle()
    return life.stage.awake.between(sent, seen)


async def _at_a_rate(stage: Stage, effort: Effort, lives: Sequence[BareLife], bindings: Watcher, requests: Watcher) -> list[Row]:
    ours, bare, costs = [], [], []
    for repeat in range(effort.repeats):
        mine = lives[repeat * effort.rate : (repeat + 1) * effort.rate]
        bare.append(await on_time(each(RATE, [partial(_bare_life, life, bindings) for life in mine])))
        names = [f"rate-{repeat}-{number}" for number in range(effort.rate)]
        times, cost = await _whole_lives(stage, names, bindings, requests)
        ours.append(times)
        costs.append(cost)
    rows = latency_rows("the same at ten a second", ours, bare, GOALS)
    rows.append(Row("operator CPU a life, at ten a second", "ms", [cost["operator"] for cost in costs], (), Goal(10, "figure")))
    rows += [Row(f"{name} CPU a life", "ms", [cost[name] for cost in costs]) for name in COMPONENTS]
    return rows


async def _bare_life(life: BareLife, bindings: Watcher) -> float:
    sent = time.perf_counter()
    await life.grant(record=False)
    seen = (await bindings.all("ADDED", [life.name]))[0].moment
    await life.record()
    await asyncio.sleep(3)
    await life.unbind()
    await life.settle()
    return life.stage.awake.between(sent, seen)


async def _whole_lives(
    stage: Stage, names: Sequence[str], bindings: Watcher, requests: Watcher
) -> tuple[list[float], dict[str, float]]:
    """Ten requests a second are made, then ten a second approved, and each ends by itself; milliseconds of CPU for each life."""
    before = _cpu(stage)
    await asyncio.sleep(0.2)
    asked = [
        request
        for part in await on_time(each(RATE, [partial(ask_all, stage, [name], requests, ENDS_AFTER) for name in names]))
        for request in part
    ]
    times = await on_time(each(RATE, [partial(approved, stage, request, bindings) for request in asked]))
    await requests.all("Expired", names)
    await asyncio.sleep(1.0)  # Jobs and Events come after
    return times, {name: 1000 * (after - before[name]) / len(names) for name, after in _cpu(stage).items()}


def _cpu(stage: Stage) -> dict[str, float]:
    return {**stage.plane_cpu(), "operator": stage.cpu()}
