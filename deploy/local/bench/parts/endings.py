"""Grants that end together: how late, against bare deletes on the same schedule, and in which order things go."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from bench.asking import binding_of
from bench.bare import BareLife, bare_lives
from bench.calls import WIDTH, at_once, on_time
from bench.effort import Effort
from bench.figures import Goal, Row, latency_rows
from bench.seeding import seed_ending
from bench.stage import HOME, Stage
from bench.watching import Watcher, state_of_request
from jitaccess.domain.model import AccessRequest
from jitaccess.manifests.resources import JOBS, REQUESTS, ROLE_BINDINGS

GOALS = Goal(1.1), Goal(1.1)
START_SECONDS = 8.0  # what the operator may take to start before the first grant ends
SEED_RATE = 40.0  # grants a second, on a slow day


async def measure(stage: Stage, effort: Effort) -> list[Row]:
    """All end within one second; the operator is started a few seconds before."""
    ours, bare, late = [], [], []
    async with (
        Watcher(stage.admin, ROLE_BINDINGS.path(namespace=HOME)) as bindings,
        Watcher(stage.admin, REQUESTS.path(namespace=HOME), state_of_request) as requests,
        Watcher(stage.admin, JOBS.path(namespace=HOME)) as jobs,
    ):
        for repeat in range(effort.repeats):
            await stage.stop()
            lives = await bare_lives(stage, f"bare-{repeat}", effort.endings)
            await at_once([life.grant for life in lives])
            bare.append(await _bare(lives, bindings))
            start = time.time() + effort.endings / SEED_RATE + START_SECONDS
            ending = await seed_ending(stage, f"end-{repeat}", effort.endings, _within_a_second(start, effort.endings))
            ours.append(await ends(stage, ending, bindings))
            late.append(await _records_before_the_last_binding(ending, bindings, requests, jobs))
    rows = latency_rows(f"{effort.endings} ends in one second, lag", ours, bare, GOALS)
    return [*rows, Row("records and Jobs that went before the last binding", "writes", late, (), Goal(0, "figure"))]


async def ends(stage: Stage, ending: Sequence[AccessRequest], bindings: Watcher) -> list[float]:
    """Start the operator, and see each grant end; the seconds from `expiresAt` until its binding is seen to be gone."""
    await stage.start()
    due = [request.recorded.expires_at.timestamp() for request in ending if request.recorded.expires_at]
    if time.time() > min(due):
        raise RuntimeError("the machine is too busy: grants ended before the operator was there; measure again when it is calm")
    seen = await bindings.all("DELETED", [binding_of(request) for request in ending])
    return [each.wall - at for each, at in zip(seen, due, strict=True)]


def _within_a_second(start: float, count: int) -> Callable[[int], datetime]:
    return lambda number: datetime.fromtimestamp(start, UTC) + timedelta(seconds=number / count)


async def _bare(lives: Sequence[BareLife], bindings: Watcher) -> list[float]:
    start = time.time() + 1
    due = [start + number / len(lives) for number in range(len(lives))]
    await on_time(list(zip(due, [life.unbind for life in lives], strict=True)), WIDTH)
    seen = await bindings.all("DELETED", [life.name for life in lives])
    return [each.wall - at for each, at in zip(seen, due, strict=True)]


async def _records_before_the_last_binding(
    ending: Sequence[AccessRequest], bindings: Watcher, requests: Watcher, jobs: Watcher
) -> float:
    """How many records or Jobs of grants that were due together etcd saw before the last of the bindings went."""
    names = [binding_of(request) for request in ending]
    gone = await bindings.all("DELETED", names)
    after = [*await requests.all("Expired", [request.key.name for request in ending]), *await jobs.all("DELETED", names)]
    last = max(each.revision for each in gone)
    return float(sum(each.revision < last for each in after))
