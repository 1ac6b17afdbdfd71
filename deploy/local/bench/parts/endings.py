"""Grants that end together: how late, against bare deletes on the same schedule, and in which order things go."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bench.asking import binding_of
from bench.bare import BareLife, bare_lives
from bench.calls import WIDTH, at_once, on_time
from bench.effort import Effort
from bench.figures import Goal, Row, latency_rows
from bench.parts.starting import until_quiet
from bench.seeding import seed_ending
from bench.stage import HOME, Stage
from bench.watching import Watcher, state_of_request
from jitaccess.domain.model import AccessRequest
from jitaccess.domain.text import parse_time
from jitaccess.manifests.resources import JOBS, REQUESTS, ROLE_BINDINGS

GOALS = Goal(1.1), Goal(1.1)
START_SECONDS = 25.0  # what the operator may take to start, and to become quiet, before the first grant ends
OVERDUE = 0.1  # seconds that a binding may be late before nothing else should be written
SEED_RATE = 40.0  # grants a second, on a slow day


@dataclass(frozen=True, slots=True)
class Wave:
    """The lags of one wave of ends, in seconds, those of bare deletes, and how many records and Jobs were written too early."""

    ours: list[float]
    bare: list[float]
    early: float


async def measure(stage: Stage, effort: Effort) -> list[Row]:
    """Within one second, as they come; and at one moment, where only the speed counts. The operator is started before."""
    rows = []
    for name, seconds in (("in one second", 1.0), ("at one moment", 0.0)):
        waves = [await _once(stage, f"{name[:2]}-{repeat}", effort.endings, seconds) for repeat in range(effort.repeats)]
        rows += latency_rows(
            f"{effort.endings} ends {name}, lag", [wave.ours for wave in waves], [wave.bare for wave in waves], GOALS
        )
        rows.append(
            Row(
                f"  records, Jobs written while a binding was {OVERDUE:.1f} s late",
                "writes",
                [wave.early for wave in waves],
                (),
                Goal(0, "figure"),
            )
        )
    return rows


async def _once(stage: Stage, prefix: str, count: int, seconds: float) -> Wave:
    await stage.stop()
    async with (
        Watcher(stage.admin, ROLE_BINDINGS.path(namespace=HOME)) as bindings,
        Watcher(stage.admin, REQUESTS.path(namespace=HOME), state_of_request) as requests,
        Watcher(stage.admin, JOBS.path(namespace=HOME)) as jobs,
    ):
        lives = await bare_lives(stage, f"bare-{prefix}", count)
        await at_once([life.grant for life in lives])
        bare = await _bare(lives, bindings, seconds)
        start = datetime.now(UTC) + timedelta(seconds=count / SEED_RATE + START_SECONDS)
        until = [start + timedelta(seconds=seconds * number / count) for number in range(count)]
        ending = await seed_ending(stage, prefix, count, until.__getitem__)
        ours = await ends(stage, ending, bindings)
        return Wave(ours, bare, await _too_early(stage, ending, bindings, requests, jobs))


async def ends(stage: Stage, ending: Sequence[AccessRequest], bindings: Watcher) -> list[float]:
    """Start the operator, let it become quiet, and see each grant end: the seconds from `expiresAt` until its binding is gone."""
    await stage.start()
    await until_quiet(stage)
    due = [_expiry(request) for request in ending]
    if time.time() > min(due):
        raise RuntimeError(
            "the machine is too busy: grants ended before the operator was there and quiet; measure again when it is calm"
        )
    seen = await bindings.all("DELETED", [binding_of(request) for request in ending])
    return [each.wall - at for each, at in zip(seen, due, strict=True)]


async def _bare(lives: Sequence[BareLife], bindings: Watcher, seconds: float) -> list[float]:
    start = time.time() + 1
    due = [start + seconds * number / len(lives) for number in range(len(lives))]
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
