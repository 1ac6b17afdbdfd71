"""How fast approval becomes access and access ends, as ratios against a bare client in the same run.

Each round makes a RoleBinding of an admin's own, makes the very Job and binding of a grant one after the other with the
operator's token but without the operator (the bare grant), and takes one request through its life: in turn, so that a machine
whose speed drifts slows all three. The rest is the operator's: deciding, live reads, and the record before the binding.
A further connection watches RoleBindings; a time ends when the watcher sees the object.
"""

import argparse
import asyncio
import json
import ssl
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from statistics import median, quantiles
from typing import Any

import aiohttp

from jitaccess.domain.lifecycle import Grant
from jitaccess.domain.model import Key, RoleRef
from jitaccess.domain.recorded import ObjectRef
from jitaccess.domain.text import parse_time
from jitaccess.manifests.grant import binding_manifest, job_manifest
from jitaccess.manifests.kinds import ACCESS_REQUEST
from system import System

NAMESPACE = "bench"
RBAC = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{NAMESPACE}/rolebindings"
JOBS = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs"
JIT = f"/apis/jitaccess.dev/v1alpha1/namespaces/{NAMESPACE}"
DURATION = 0.4  # seconds; every round waits for the end of its grant
CALM = 0.1  # seconds of nothing before each thing that is timed: approvals come to idle machines
MOST_RATIO, GOAL_EXPIRY = 3.0, 0.1


@dataclass
class Figures:
    """Seconds, one entry a round."""

    plain: list[float] = field(default_factory=list)  # an admin's own binding: sent -> seen by the watcher
    bare: list[float] = field(default_factory=list)  # the binding of a grant, by a bare client: sent -> seen by the watcher
    grant: list[float] = field(default_factory=list)  # the same from before its Job: Job sent -> binding seen by the watcher
    approved: list[float] = field(default_factory=list)  # approval sent -> binding seen
    stored: list[float] = field(default_factory=list)  # approval answered -> binding seen
    expired: list[float] = field(default_factory=list)  # status.expiresAt -> deletion seen

    @property
    def ratio(self) -> float:
        """Approval answered until binding seen, over bare Job sent until its binding seen: the ratio of the medians."""
        return median(self.stored) / median(self.grant)

    @property
    def expiry(self) -> float:
        """The median of how long after status.expiresAt the binding was gone, in seconds."""
        return median(self.expired)

    def table(self) -> str:
        """The figures for people, in milliseconds."""
        rows = (
            ("an admin's own binding, seen", self.plain),
            ("bare create of the same binding, seen", self.bare),
            ("bare Job, then the same binding, seen", self.grant),
            ("approval sent, binding seen", self.approved),
            ("approval answered, binding seen", self.stored),
            ("status.expiresAt, binding gone", self.expired),
        )
        lines = [f"{'ms':38}{'min':>8}{'median':>8}{'p90':>8}{'max':>8}"]
        for name, seconds in rows:
            figures = (min(seconds), median(seconds), quantiles(seconds, n=10)[-1], max(seconds))
            lines.append(f"{name:38}" + "".join(f"{1000 * figure:8.1f}" for figure in figures))
        return "\n".join(lines)


class Watcher:
    """Sees RoleBindings come and go, with the moment on two clocks."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Callable[[str, str], bool], asyncio.Future[tuple[float, float]]]] = []

    def next(self, matches: Callable[[str, str], bool]) -> asyncio.Future[tuple[float, float]]:
        """The moment (monotonic, wall clock) of the next event whose type and object name match."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((matches, future))
        return future

    async def run(self, session: aiohttp.ClientSession) -> None:
        """Watch until cancelled."""
        async with session.get(RBAC, params={"watch": "1"}, timeout=aiohttp.ClientTimeout(total=None)) as response:
            async for line in response.content:
                moment = (time.perf_counter(), time.time())
                event = json.loads(line)
                self._seen(event["type"], event["object"]["metadata"]["name"], moment)

    def _seen(self, kind: str, name: str, moment: tuple[float, float]) -> None:
        for entry in [entry for entry in self._waiting if entry[0](kind, name)]:
            self._waiting.remove(entry)
            entry[1].set_result(moment)


async def measure(system: System, rounds: int) -> Figures:
    """Run that many rounds on a system whose operator runs."""
    _prepare(system)
    plane = system.plane
    figures = Figures()
    token = plane.kubectl("create", "token", "jitaccess", "-n", "jitaccess-system").stdout.strip()
    async with (
        _session(system, token) as operator,
        _session(system, plane.token("alice")) as alice,
        _session(system, plane.token("bob")) as bob,
        _session(system, plane.token("admin")) as admin,
    ):
        watcher = Watcher()
        watching = asyncio.create_task(watcher.run(admin))
        await asyncio.sleep(0.5)
        for number in range(rounds + 2):
            one = await _bare_round(admin, operator, watcher, number)
            await _request_round(alice, bob, watcher, number, one)
            if number >= 2:  # the first ones open connections
                _add(figures, one)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    return figures


def _add(figures: Figures, one: Figures) -> None:
    for name, values in vars(one).items():
        getattr(figures, name).extend(values)


async def _bare_round(admin: aiohttp.ClientSession, operator: aiohttp.ClientSession, watcher: Watcher, number: int) -> Figures:
    figures = Figures()
    now = datetime.now(UTC)
    grant = Grant(Key(NAMESPACE, f"bare-{number}"), f"{number:08d}", "alice", RoleRef("ClusterRole", "view"), now, now)
    same = binding_manifest(ACCESS_REQUEST, grant, ObjectRef("bare", "bare"))
    own = {**same, "metadata": {"name": f"own-{number}", "namespace": NAMESPACE}}
    for session, body, times in ((admin, own, figures.plain), (operator, same, figures.bare)):
        times.append(await _bare(session, watcher, body))
    job = job_manifest(ACCESS_REQUEST, grant, timedelta(minutes=5))
    figures.grant.append(await _bare(operator, watcher, same, job))
    return figures


async def _bare(session: aiohttp.ClientSession, watcher: Watcher, binding: Any, job: Any = None) -> float:
    """Make the Job, if any, then the binding, and remove them; seconds until the watcher saw the binding."""
    name = binding["metadata"]["name"]
    seen = watcher.next(lambda kind, its: kind == "ADDED" and its == name)
    await asyncio.sleep(CALM)
    sent = time.perf_counter()
    if job:
        owner = await _call(session, "POST", JOBS, job)
        owners = [{**binding["metadata"]["ownerReferences"][0], "uid": owner["metadata"]["uid"]}]
        binding = {**binding, "metadata": {**binding["metadata"], "ownerReferences": owners}}
    await _call(session, "POST", RBAC, binding)
    taken = (await seen)[0] - sent
    # Its request does not exist, so the garbage collector or the sweep may have been here first.
    for path in (f"{RBAC}/{name}", *([f"{JOBS}/{job['metadata']['name']}"] if job else [])):
        await _call(session, "DELETE", path, {"propagationPolicy": "Background"}, gone_is_fine=True)
    return taken


async def _request_round(
    alice: aiohttp.ClientSession, bob: aiohttp.ClientSession, watcher: Watcher, number: int, figures: Figures
) -> None:
    name = f"r{number}"
    spec = {"policyRef": {"name": "bench"}, "roleRef": {"kind": "ClusterRole", "name": "view"}}
    body = {
        "apiVersion": "jitaccess.dev/v1alpha1",
        "kind": "AccessRequest",
        "metadata": {"name": name},
        "spec": {**spec, "duration": f"{DURATION:.1f}s", "reason": "benchmark"},
    }
    await _call(alice, "POST", f"{JIT}/accessrequests", body)
    await _until(alice, name, lambda status: bool(status.get("state")))
    made = watcher.next(lambda kind, its: kind == "ADDED" and its.startswith(f"jit-{name}-"))
    gone = watcher.next(lambda kind, its: kind == "DELETED" and its.startswith(f"jit-{name}-"))
    await asyncio.sleep(CALM)
    sent = time.perf_counter()
    patch = {"metadata": {"annotations": {"jitaccess.dev/approve": "benchmark"}}}
    await _call(bob, "PATCH", f"{JIT}/accessrequests/{name}", patch)
    answered = time.perf_counter()
    seen = (await made)[0]
    figures.approved.append(seen - sent)
    figures.stored.append(seen - answered)
    status = await _until(alice, name, lambda status: bool(status.get("expiresAt")))
    expires: datetime = parse_time(status["expiresAt"])
    figures.expired.append((await gone)[1] - expires.timestamp())
    await _until(alice, name, lambda status: status.get("settled") is True)


async def _until(session: aiohttp.ClientSession, name: str, enough: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    async with asyncio.timeout(20):
        while True:
            found = await _call(session, "GET", f"{JIT}/accessrequests/{name}")
            status: dict[str, Any] = found.get("status") or {}
            if enough(status):
                return status
            await asyncio.sleep(0.02)


async def _call(
    session: aiohttp.ClientSession, verb: str, path: str, body: Any = None, *, gone_is_fine: bool = False
) -> dict[str, Any]:
    kind = "application/merge-patch+json" if verb == "PATCH" else "application/json"
    async with session.request(verb, path, json=body, headers={"Content-Type": kind} if body is not None else {}) as response:
        answer: dict[str, Any] = await response.json()
        if response.status >= 300 and not (gone_is_fine and response.status == 404):
            raise RuntimeError(f"{verb} {path}: {response.status} {answer.get('message')}")
        return answer


@asynccontextmanager
async def _session(system: System, token: str) -> AsyncIterator[aiohttp.ClientSession]:
    tls = ssl.create_default_context(cafile=str(system.plane.ca_file))
    connector = aiohttp.TCPConnector(ssl=tls, keepalive_timeout=75)
    head = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(system.plane.server, connector=connector, headers=head) as session:
        yield session


def _prepare(system: System) -> None:
    plane = system.plane
    plane.kubectl("create", "namespace", NAMESPACE)
    policy = {
        "apiVersion": "jitaccess.dev/v1alpha1",
        "kind": "AccessPolicy",
        "metadata": {"name": "bench", "namespace": NAMESPACE},
        "spec": {
            "roles": [{"kind": "ClusterRole", "name": "view"}],
            "requesters": [{"kind": "Group", "name": "developers"}],
            "approvers": [{"kind": "Group", "name": "leads"}],
            "maxDuration": "1h",
        },
    }
    plane.kubectl("create", "-f", "-", input=json.dumps(policy))
    plane.kubectl("wait", "-n", NAMESPACE, "--for=condition=Ready", "accesspolicy/bench", "--timeout=30s")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure on a fresh control plane, print the figures, and fail on a gross regression."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40, help="how many rounds to measure (default 40)")
    options = parser.parse_args(arguments)
    with System() as system:
        system.start_operator()
        figures = asyncio.run(measure(system, options.rounds))
    print(figures.table())
    print(f"approval to access: {figures.ratio:.2f} x a bare Job and binding (a regression from {MOST_RATIO:.0f} on)")
    print(f"                    {median(figures.stored) / median(figures.bare):.2f} x a bare create of the same binding")
    print(f"                    {median(figures.stored) / median(figures.plain):.2f} x a binding of an admin's own")
    print(f"end of access: {1000 * figures.expiry:.0f} ms after status.expiresAt (goal: within {1000 * GOAL_EXPIRY:.0f})")
    return 0 if figures.ratio < MOST_RATIO and figures.expiry <= GOAL_EXPIRY else 1


if __name__ == "__main__":
    sys.exit(main())
