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
from jitaccess.domain.text import parse_time
from jitaccess.manifests.resources import JOBS, REQUESTS, ROLE_BINDINGS

GOALS = Goal(1.1), Goal(1.1)
START_SECONDS = 8.0  # what the operator may take to start before the first grant ends
OVERDUE = 0.1  # seconds that a binding may be late before nothing else should be written
SEED_RATE = 40.0  # grants a second, on a slow day


async def measure(stage: Stage, effort: Effort) -> list[Row]:
    """All end within one second; the operator is started a few seconds before."""
    ours, bare, early = [], [], []
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
            early.append(await _too_early(stage, ending, bindings, requests, jobs))
    rows = latency_rows(f"{effort.endings} ends in one second, lag", ours, bare, GOALS)
    return [*rows, Row("records and Jobs written while a binding was overdue", "writes", early, (), Goal(0, "figure"))]


async def ends(stage: Stage, ending: Sequence[AccessRequest], bindings: Watcher) -> list[float]:
    """Start the operator, and see each grant end; the seconds from `expiresAt` until its binding is seen to be gone."""
    await stage.start()
    due = [_expiry(request) for request in ending]
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


async def _too_early(stage: Stage, ending: Sequence[AccessRequest], bindings: Watcher, requests: Watcher, jobs: Watcher) -> float:
    """How many records and Jobs of ended grants etcd saw written while a binding stood that had been due for a while.

    The order is that of etcd's revisions; the time of a record is the one that is written in it.
    """
    names = [binding_of(request) for request in ending]
    gone = [seen.revision for seen in await bindings.all("DELETED", names)]
    due = [_expiry(request) for request in ending]
    recorded = await requests.all("Expired", [request.key.name for request in ending])
    removed = await jobs.all("DELETED", names)
    settled = [await _settled_at(stage, request) for request in ending]
    writes = [*zip(recorded, settled, strict=True), *zip(removed, settled, strict=True)]
    return float(
        sum(
            any(at + OVERDUE < moment and write.revision < went for at, went in zip(due, gone, strict=True))
            for write, moment in writes
        )
    )


async def _settled_at(stage: Stage, request: AccessRequest) -> float:
    found = await stage.admin.call("GET", REQUESTS.path(request.key))
    return parse_time(found["status"]["settledAt"]).timestamp()


def _expiry(request: AccessRequest) -> float:
    assert request.recorded.expires_at, f"{request.key} was seeded with its end"
    return request.recorded.expires_at.timestamp()
