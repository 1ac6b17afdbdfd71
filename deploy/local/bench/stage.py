"""Where everything is measured: one control plane with jitaccess, people, and a bare client with the operator's rights."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from bench.calls import Client, at_once, client
from bench.dead import dead_channels
from bench.machine import Awake, cpu_seconds, megabytes
from bench.sinks import dead_sinks
from controlplane.patience import PATIENCE
from controlplane.process import Process
from jitaccess.domain.model import AccessPolicy, Key, PolicyRef, RoleRef
from jitaccess.domain.recorded import condition_of
from jitaccess.domain.roles import ShownRole
from jitaccess.kube.api import Cluster
from jitaccess.manifests.resources import LEASES, POLICIES
from jitaccess.reconcile.facts import read_role
from system import System

HOME = "bench"  # where requests are decided; the crowds live in namespaces of their own
ASKED, FREE = "asked", "free"  # the policies: one approval, and none
ROLE = RoleRef("ClusterRole", "view")
LEASE_PATH = LEASES.path(namespace="jitaccess-system")
_BARE = ("bare", "bench-bare")  # the ServiceAccount of the bare client, and its namespace


@dataclass
class Stage:
    """A system on which the operator is started and stopped, and who acts on it."""

    system: System
    alice: Client
    bob: Client
    admin: Client
    bare: Client
    shown: ShownRole
    awake: Awake
    policies: dict[tuple[str, str], AccessPolicy] = field(default_factory=dict)
    flags: tuple[str, ...] = ()  # of the operator

    async def start(self) -> None:
        """Start the operator, and wait until it leads."""
        await asyncio.to_thread(self.system.start_operator, *self.flags)
        await asyncio.to_thread(self.operator.wait_until, self._leads)

    def _leads(self) -> bool:
        return any(entry.get("message") == "leading" for entry in self.system.log())

    async def spawn(self) -> None:
        """Start the operator, and wait for nothing."""
        await asyncio.to_thread(self.system.start_operator, *self.flags, ready=False)

    async def stop(self) -> None:
        """Stop the operator, if it runs."""
        if self.system.operator:
            await asyncio.to_thread(self.system.operator.terminate)

    @property
    def operator(self) -> Process:
        """The process of the operator."""
        assert self.system.operator, "the operator was never started"
        return self.system.operator

    def cpu(self) -> float:
        """The processor time that the operator has used since it was started."""
        return cpu_seconds(self.operator.pid)

    def plane_cpu(self) -> dict[str, float]:
        """The processor time of each component of the control plane."""
        return {name: cpu_seconds(process.pid) for name, process in self.system.plane.processes.items()}

    def memory(self) -> float:
        """The resident memory of the operator, in megabytes."""
        return megabytes(self.operator.pid)

    async def prepare(self, namespaces: Iterable[str]) -> None:
        """Make namespaces with both policies, in force; the operator must run."""
        wanted = [space for space in namespaces if (space, FREE) not in self.policies]
        await at_once([_maker(self.admin, space) for space in wanted], 8)
        keys = [(space, name) for space in wanted for name in (ASKED, FREE)]
        cluster = Cluster(self.admin.session, "")
        for space, name in keys:
            self.policies[space, name] = await self._in_force(cluster, space, name)

    async def _in_force(self, cluster: Cluster, space: str, name: str) -> AccessPolicy:
        async with asyncio.timeout(PATIENCE):
            while True:
                policy = await cluster.policy(PolicyRef(POLICIES.kind, Key(space, name)))
                ready = condition_of(policy.recorded.conditions, "Ready") if policy else None
                if policy and ready and ready.status == "True":
                    return policy
                await asyncio.sleep(0.1)


@asynccontextmanager
async def staged(*, audit: bool = False, sinks: bool = False, channels: bool = False) -> AsyncIterator[Stage]:
    """A fresh control plane with jitaccess, its namespace prepared, and the operator running; with dead `sinks` or `channels`."""
    async with AsyncExitStack() as stack:
        system = System(audit=audit, as_in_image=True)
        await asyncio.to_thread(system.start)
        stack.callback(system.stop)
        tokens = [system.plane.token(name) for name in ("alice", "bob", "admin")] + [_bare_token(system)]
        ca_file = str(system.plane.ca_file)
        opened = [await stack.enter_async_context(client(system.plane.server, ca_file, token)) for token in tokens]
        alice, bob, admin, bare = opened
        shown = (await read_role(Cluster(admin.session, ""), ROLE, "")).shown
        assert shown, f"{ROLE} cannot be read"
        stage = Stage(system, alice, bob, admin, bare, shown, stack.enter_context(Awake()))
        if sinks:
            silent, stage.flags = dead_sinks(system.plane)
            stack.enter_context(silent)
        if channels:
            stage.flags += await asyncio.to_thread(dead_channels, system)
        await stage.start()
        await stage.prepare([HOME])
        yield stage


def _bare_token(system: System) -> str:
    """A token of a ServiceAccount that may do what the operator may, so that its calls take the same way through."""
    name, space = _BARE
    plane = system.plane
    plane.kubectl("create", "namespace", space)
    plane.kubectl("create", "serviceaccount", name, "-n", space)
    for role in ("jitaccess-operator", "jitaccess-grantable-roles"):
        plane.kubectl("create", "clusterrolebinding", f"bare-{role}", f"--clusterrole={role}", f"--serviceaccount={space}:{name}")
    return plane.kubectl("create", "token", name, "-n", space, "--duration=24h").stdout.strip()


def _maker(admin: Client, space: str) -> Callable[[], Awaitable[None]]:
    async def make() -> None:
        await admin.call("POST", "/api/v1/namespaces", {"metadata": {"name": space}})
        for name, approvals in ((ASKED, 1), (FREE, 0)):
            await admin.call("POST", POLICIES.path(namespace=space), _policy(name, approvals))

    return make


def _policy(name: str, approvals: int) -> dict[str, Any]:
    spec = {
        "roles": [{"kind": ROLE.kind, "name": ROLE.name}],
        "requesters": [{"kind": "Group", "name": "developers"}],
        "approvers": [{"kind": "Group", "name": "leads"}],
        "requiredApprovals": approvals,
        "maxDuration": "24h",
    }
    return {"apiVersion": POLICIES.api_version, "kind": POLICIES.kind, "metadata": {"name": name}, "spec": spec}
