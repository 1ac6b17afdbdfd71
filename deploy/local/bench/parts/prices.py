"""What one call costs the API server, in milliseconds of CPU; nothing else happens, but what the controllers make of it."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from bench.asking import approve, ask
from bench.bare import BareLife, bare_lives
from bench.calls import Client, at_once
from bench.effort import Effort
from bench.figures import Row
from bench.records import grant_from, make_binding, make_job
from bench.stage import ASKED, HOME, ROLE, Stage
from jitaccess.domain.model import Key
from jitaccess.manifests.resources import CLUSTER_ROLES, EVENTS, JOBS, POLICIES, REQUESTS, ROLE_BINDINGS

Calls = Sequence[Callable[[], Awaitable[object]]]
_MADE = (JOBS, ROLE_BINDINGS)
SETTLE = 1.5  # seconds: controllers and watches come after the answer


async def measure(stage: Stage, effort: Effort) -> list[Row]:
    """One kind of call after the other, many at once."""
    await stage.stop()
    rows = [await _price(stage, "POST request", [partial(ask, stage, f"price-{n}") for n in range(effort.calls)])]
    asked = await at_once([partial(ask, stage, f"approve-{n}") for n in range(effort.calls)])
    rows.append(await _price(stage, "PATCH request (approve)", [partial(approve, stage.bob, each) for each in asked]))
    lives = await bare_lives(stage, "life", effort.calls)
    for name, call in _WRITES:
        rows.append(await _price(stage, name, [partial(call, life) for life in lives]))
    rows.append(await _price(stage, "POST Event", [partial(_event, life, n) for n, life in enumerate(lives)]))
    sizes = [
        ("request", REQUESTS.path(lives[0].request.key)),
        *((each.kind, each.path(Key(HOME, lives[0].name))) for each in _MADE),
    ]
    rows += [await _size(stage, name, path) for name, path in sizes]
    for name, path in _reads(lives):
        rows.append(await _price(stage, name, [partial(_get, stage.bare, path)] * effort.calls))
    for name, call in _ENDS:
        rows.append(await _price(stage, name, [partial(call, life) for life in lives]))
    return rows


async def _price(stage: Stage, name: str, calls: Calls) -> Row:
    await asyncio.sleep(SETTLE)
    idle, _ = await _used(stage, asyncio.sleep(SETTLE))
    used, seconds = await _used(stage, _all_of_it(calls))
    return Row(f"API server CPU: {name}", "ms", [1000 * (used - idle * seconds / SETTLE) / len(calls)])


async def _size(stage: Stage, name: str, path: str) -> Row:
    found = await stage.bare.call("GET", path)
    return Row(f"size as JSON: {name}", "bytes", [float(len(json.dumps(found, separators=(",", ":"))))])


async def _used(stage: Stage, work: Awaitable[None]) -> tuple[float, float]:
    """The API server's CPU while that is done, and how long it took, in seconds."""
    start, before = time.monotonic(), stage.plane_cpu()["kube-apiserver"]
    await work
    return stage.plane_cpu()["kube-apiserver"] - before, time.monotonic() - start


async def _all_of_it(calls: Calls) -> None:
    await at_once(calls)
    await asyncio.sleep(SETTLE)


async def _job(life: BareLife) -> None:
    grant = grant_from(life.request, life.request.created)
    life.job = await make_job(life.stage.bare, grant, life.request.duration, "bare")


async def _bind(life: BareLife) -> None:
    assert life.job, "its Job is made first"
    await make_binding(life.stage.bare, grant_from(life.request, life.request.created), life.job, "bare")


async def _drop_job(life: BareLife) -> None:
    path = JOBS.path(Key(HOME, life.name))
    await life.stage.bare.call("DELETE", path, {"propagationPolicy": "Background"}, gone_is_fine=True)


_WRITES = (("POST Job", _job), ("PATCH status", BareLife.record), ("POST binding", _bind))
_ENDS = (("DELETE binding", BareLife.unbind), ("DELETE Job", _drop_job))


async def _event(life: BareLife, number: int) -> None:
    about = {"apiVersion": REQUESTS.api_version, "kind": REQUESTS.kind, "namespace": HOME, "name": life.request.key.name}
    event = {
        "metadata": {"name": f"{life.request.key.name}.{number}"},
        "involvedObject": {**about, "uid": life.request.uid},
        "type": "Normal",
        "reason": "Granted",
        "message": "ClusterRole view until 2026-01-01T00:00:00.000Z",
        "source": {"component": "jitaccess"},
    }
    await life.stage.bare.call("POST", EVENTS.path(namespace=HOME), event)


def _reads(lives: Sequence[BareLife]) -> list[tuple[str, str]]:
    return [
        ("GET request", REQUESTS.path(lives[0].request.key)),
        ("GET policy", POLICIES.path(Key(HOME, ASKED))),
        ("GET role", CLUSTER_ROLES.path(Key("", ROLE.name))),
        ("GET binding", ROLE_BINDINGS.path(Key(HOME, lives[0].name))),
    ]


async def _get(client: Client, path: str) -> None:
    await client.call("GET", path)
