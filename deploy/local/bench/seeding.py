"""Many requests at once, written as they are after hours of work: the operator must not run meanwhile."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

from bench.asking import LASTS, ask
from bench.calls import at_once
from bench.records import Rules, grant_from, make_binding, make_job, write_record
from bench.stage import FREE, HOME, Stage
from jitaccess.domain.model import AccessRequest

CROWD = tuple(f"crowd-{number}" for number in range(20))  # namespaces, as many as there are teams
_ROOM = timedelta(seconds=25)  # how much later than needed the Job of an overdue grant goes: it must not be faster than we are


async def seed_active(stage: Stage, first: int, last: int) -> None:
    """Active grants with these numbers, spread over the crowd's namespaces, none of which ends in a run."""
    calls = [partial(_active, stage, f"a-{number}", CROWD[number % len(CROWD)]) for number in range(first, last)]
    await at_once(calls)


async def seed_ending(
    stage: Stage, prefix: str, count: int, until: Callable[[int], datetime], space: str = HOME
) -> list[AccessRequest]:
    """Active grants of which each ends at its own moment."""
    return await at_once([partial(_ending, stage, f"{prefix}-{number}", until(number), space) for number in range(count)])


async def seed_settled(stage: Stage, count: int) -> None:
    """Requests whose access has ended."""
    await at_once([partial(_settled, stage, f"s-{number}", CROWD[number % len(CROWD)]) for number in range(count)])


async def _active(stage: Stage, name: str, space: str) -> None:
    request = await ask(stage, name, FREE, LASTS, space)
    await _granted(stage, request, datetime.now(UTC), request.duration)


async def _ending(stage: Stage, name: str, until: datetime, space: str) -> AccessRequest:
    since = datetime.now(UTC)
    left = max(until - since, timedelta(seconds=1))
    request = await ask(stage, name, FREE, f"{left // timedelta(milliseconds=1)}ms", space)
    return await _granted(stage, request, until - request.duration, until - datetime.now(UTC) + _ROOM)


async def _granted(stage: Stage, request: AccessRequest, since: datetime, job_lasts: timedelta) -> AccessRequest:
    grant = grant_from(request, since)
    job = await make_job(stage.bare, grant, job_lasts)
    request = await write_record(stage.bare, request, _rules(stage, request).record(request, since, job))
    await make_binding(stage.bare, grant, job)
    return request


async def _settled(stage: Stage, name: str, space: str) -> None:
    request, now = await ask(stage, name, FREE, "1m", space), datetime.now(UTC)
    rules = _rules(stage, request)
    active = replace(request, recorded=rules.record(request, now - request.duration))
    recorded = replace(rules.record(active, now), revision=1)
    await write_record(stage.bare, request, recorded)


def _rules(stage: Stage, request: AccessRequest) -> Rules:
    return Rules(stage.policies[request.key.namespace, FREE], stage.shown)
