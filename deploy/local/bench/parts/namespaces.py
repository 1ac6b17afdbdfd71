"""Policies for very many namespaces: what it takes to put them in force, to start with them, and to follow what changes."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial

from bench.calls import at_once
from bench.effort import Effort
from bench.figures import Row, quantile
from bench.parts.starting import idle_cpu, start_once
from bench.stage import ROLE, Stage
from jitaccess.manifests.resources import CLUSTER_POLICIES, NAMESPACES, ROLE_BINDINGS

NAMES = ("fleet-a", "fleet-b", "fleet-c")
LONGEST = 600.0  # seconds that anything may take
_OF_CLUSTER = "labelSelector=jitaccess.dev/component=cluster-policy"


async def measure(stage: Stage, effort: Effort) -> list[Row]:
    """Three policies that all select the same namespaces; a namespace more or less; one policy changed."""
    count = effort.namespaces
    await at_once([partial(_namespace, stage, f"ns-{number}") for number in range(count)])
    before = stage.cpu()
    made = await _timed(lambda: _make_policies(stage), lambda: _counted(stage, count))
    cpu = stage.cpu() - before
    starts = [await start_once(stage, f"start-{repeat}") for repeat in range(effort.repeats)]
    memory, idle = stage.memory(), await idle_cpu(stage, 5.0)
    added = [await _one_more(stage, f"new-{number}") for number in range(effort.rounds)]
    taken = [await _one_less(stage, f"new-{number}") for number in range(effort.rounds)]
    changed = [await _timed(partial(_change, stage, n), partial(_follows, stage)) for n in range(effort.repeats)]
    name = f"{count} namespaces x {len(NAMES)} policies"
    return [
        Row(f"{name}: new policies -> all in force", "s", [made]),
        Row(f"{name}: operator CPU of that", "s", [cpu]),
        Row(f"{name}: start -> first new decision", "s", [start.decides for start in starts]),
        Row(f"{name}: start -> quiet", "s", [start.quiet for start in starts]),
        Row(f"{name}: operator CPU of a start", "s", [start.cpu for start in starts]),
        Row(f"{name}: resident memory", "MB", [memory]),
        Row(f"{name}: idle CPU, % of a core", "%", [idle]),
        Row("one more namespace -> its six bindings, p50", "ms", [1000 * quantile(added, 0.5)]),
        Row("one more namespace -> its six bindings, slowest", "ms", [1000 * max(added)]),
        Row("its label taken away -> no bindings, p50", "ms", [1000 * quantile(taken, 0.5)]),
        Row(f"{name}: one policy's approvers changed -> everywhere", "s", changed),
    ]


async def _namespace(stage: Stage, name: str) -> None:
    await stage.admin.call("POST", NAMESPACES.path(), {"metadata": {"name": name, "labels": {"fleet": "yes"}}})


async def _make_policies(stage: Stage) -> None:
    for name in NAMES:
        spec = {
            "namespaceSelector": {"matchLabels": {"fleet": "yes"}},
            "roles": [{"kind": ROLE.kind, "name": ROLE.name}],
            "requesters": [{"kind": "Group", "name": "developers"}],
            "approvers": [{"kind": "Group", "name": "leads"}],
            "maxDuration": "1h",
        }
        manifest = {"apiVersion": CLUSTER_POLICIES.api_version, "kind": CLUSTER_POLICIES.kind}
        await stage.admin.call("POST", CLUSTER_POLICIES.path(), {**manifest, "metadata": {"name": name}, "spec": spec})


async def _counted(stage: Stage, count: int) -> bool:
    """Whether every policy says that it is in force in so many namespaces."""
    policies = (await stage.admin.call("GET", CLUSTER_POLICIES.path()))["items"]
    return [(policy.get("status") or {}).get("namespaces") for policy in policies] == [count] * len(NAMES)


async def _change(stage: Stage, number: int) -> None:
    approvers = [{"kind": "Group", "name": "leads"}, {"kind": "User", "name": f"u{number}"}]
    await stage.admin.call("PATCH", f"{CLUSTER_POLICIES.path()}/{NAMES[0]}", {"spec": {"approvers": approvers}})


async def _follows(stage: Stage) -> bool:
    """Whether the status of the changed policy is about its spec: it is written behind the last binding."""
    policy = await stage.admin.call("GET", f"{CLUSTER_POLICIES.path()}/{NAMES[0]}")
    return bool(policy["status"]["observedGeneration"] == policy["metadata"]["generation"])


async def _one_more(stage: Stage, name: str) -> float:
    return await _timed(partial(_namespace, stage, name), lambda: _bound(stage, name, 2 * len(NAMES)), pause=0.005)


async def _one_less(stage: Stage, name: str) -> float:
    async def unlabel() -> None:
        await stage.admin.call("PATCH", f"{NAMESPACES.path()}/{name}", {"metadata": {"labels": {"fleet": None}}})

    return await _timed(unlabel, lambda: _bound(stage, name, 0), pause=0.005)


async def _bound(stage: Stage, namespace: str, count: int) -> bool:
    found = await stage.admin.call("GET", f"{ROLE_BINDINGS.path(namespace=namespace)}?{_OF_CLUSTER}")
    return len(found["items"]) == count


async def _timed(act: Callable[[], Awaitable[None]], holds: Callable[[], Awaitable[bool]], *, pause: float = 0.1) -> float:
    """Seconds from an act until something holds; TimeoutError where it never does."""
    begun = time.perf_counter()
    await act()
    async with asyncio.timeout(LONGEST):
        while True:
            if await holds():
                return time.perf_counter() - begun
            await asyncio.sleep(pause)
