"""The installed system for chaos: an audit log with bodies, and operators that reach the API server through proxies."""

import contextlib
import json
import os
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from chaos.client import Person
from chaos.faults import Rules
from chaos.fences import SLOTS, erin, frank
from chaos.journal import Journal
from chaos.proxy import Loop, Proxy
from controlplane.components import Files
from controlplane.kubeconfig import write_private
from controlplane.plane import ControlPlane
from controlplane.process import Process
from controlplane.users import User
from system import System

# Writes only, with what was sent and what came out: the judge reads nothing else.
AUDIT_POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
omitManagedFields: true
rules:
- level: Metadata
  nonResourceURLs: ["/version*"]
- level: None
  verbs: [get, list, watch]
- level: RequestResponse
  resources:
  - {group: jitaccess.dev, resources: [accesspolicies, accessrequests, accessrequests/status, accesslocks, accesslocks/status]}
  - {group: rbac.authorization.k8s.io, resources: [roles, rolebindings]}
  - {group: batch, resources: [jobs]}
  - {group: "", resources: [events]}
- level: None
"""
LEASE = "/apis/coordination.k8s.io/v1/namespaces/jitaccess-system/leases/jitaccess"
EXTRA = (
    User("dave", ("leads", "developers")),
    User("grace", ("security",)),
    *(User(erin(slot), ("developers",)) for slot in range(SLOTS)),
    *(User(frank(slot), ("leads", "security")) for slot in range(SLOTS)),
)
TEST_ROLES = Path(__file__).parents[1] / "grantable-roles.yaml"
FAKETIME = next(
    (path for path in map(str, sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))) if Path(path).exists()), ""
)
RUN = (sys.executable, "-m", "jitaccess")


class _Plane(ControlPlane):
    def _prepare(self) -> Files:
        files = super()._prepare()
        files.audit_policy.write_text(AUDIT_POLICY)
        return files


@dataclass
class Replica:
    """One operator process and the proxy in front of it."""

    identity: str
    process: Process
    proxy: Proxy
    clock: Path  # what libfaketime reads, where it is used

    def set_clock(self, offset: str) -> None:
        """Set the clock of this process alone, such as `-120s`."""
        self.clock.write_text(f"{offset}\n")


class ChaosSystem(System):
    """A control plane with jitaccess installed, whose operators are started through proxies."""

    def __init__(self) -> None:
        super().__init__()
        self.plane = _Plane(users=EXTRA, audit=True)
        self.rules = Rules()
        self.journal = Journal()
        self.auditing = threading.Lock()  # the connections by which a plane asks for its audit log are nobody else's meanwhile
        self.replicas: list[Replica] = []
        self.clock = "+0"  # how far off the wall clock is of whoever is launched with a fake one
        self._loop = Loop()
        self._numbers = iter(range(1, 10_000))
        self._token_config: Mapping[str, Any] = {}

    def start(self) -> "ChaosSystem":
        """Start and install; no operator is running yet."""
        super().start()
        self._stack.enter_context(self._loop)
        self.plane.kubectl("apply", "-f", str(TEST_ROLES))
        path = self.plane.service_account_kubeconfig("jitaccess-system", "jitaccess")
        self._token_config = yaml.safe_load(path.read_text())
        return self

    def launch(self, program: Sequence[str] = RUN, *, fake_clock: bool = False) -> Replica:
        """Start another operator behind a proxy of its own; it need not be ready yet."""
        number = next(self._numbers)
        proxy = Proxy(self.plane.server, self.plane.ca_file, self.rules, self.journal, lambda: _kill(process))
        url = self._loop.run(proxy.start())
        clock = self.plane.files.root / f"clock-{number}"
        clock.write_text(f"{self.clock}\n")
        flags = ["--health-address", "127.0.0.1:0", "--identity", f"o{number}", "--kubeconfig", str(self._config(number, url))]
        environment = {"PATH": os.environ.get("PATH", ""), "PYTHONUNBUFFERED": "1", **(_faketime(clock) if fake_clock else {})}
        log = self.plane.files.root / f"operator-{number}.log"
        process = Process(f"operator {number}", [*program, "run", *flags], log, env=environment).start()
        self._stack.callback(process.kill)
        replica = Replica(f"o{number}", process, proxy, clock)
        self.replicas.append(replica)
        return replica

    def _config(self, number: int, url: str) -> Path:
        config = {**self._token_config, "clusters": [{"name": "local", "cluster": {"server": url}}]}
        return write_private(self.plane.files.kubeconfigs / f"operator-{number}.kubeconfig", yaml.safe_dump(config))

    def dismiss(self, replica: Replica) -> None:
        """End an operator and its proxy."""
        replica.process.kill()
        self._loop.begin(replica.proxy.stop())
        self.replicas.remove(replica)

    def partition(self, replica: Replica, seconds: float) -> None:
        """Cut an operator off from the API server for so long."""
        with self.journal.during("operator cut off"):
            self._loop.run(replica.proxy.partition(seconds))

    def freeze(self, replica: Replica, seconds: float) -> None:
        """Answer nothing to an operator for so long, and keep its connections."""
        with self.journal.during("answers hung"):
            self._loop.run(replica.proxy.freeze(seconds))

    def garble(self, replica: Replica, seconds: float) -> None:
        """Break each of an operator's watches, and whatever it reads in so many seconds."""
        with self.journal.during("watches garbled"):
            self._loop.run(replica.proxy.garble(seconds))

    def log(self, replica: Process | None = None) -> list[dict[str, Any]]:
        """What that operator has logged; who is killed while it writes leaves half a line, which is left out."""
        entries: list[dict[str, Any]] = []
        for line in (replica.output() if replica else "").splitlines():
            with contextlib.suppress(ValueError):
                entries += [entry for entry in [json.loads(line)] if isinstance(entry, dict)]
        return entries

    def leads(self, replica: Replica) -> bool:
        """Whether this operator says that it leads; what it says of its clock beside that does not matter."""
        status, says = self._ready(replica)
        return status == 200 and says.startswith("ok") and "(standby)" not in says

    def stands_by(self, replica: Replica) -> bool:
        """Whether this operator says that it could take over."""
        status, says = self._ready(replica)
        return status == 200 and says.startswith("ok (standby)")

    def _ready(self, replica: Replica) -> tuple[int, str]:
        return self.health("/readyz", replica.process, timeout=2) if replica.process.running else (0, "")

    def leader(self) -> Replica | None:
        """The operator that leads, if one says so."""
        return next((replica for replica in list(self.replicas) if self.leads(replica)), None)

    def free_lease(self, dead: Replica) -> None:
        """Release the Lease in the name of an operator that is known to be dead, so that nobody has to wait for it."""
        admin = Person(self.plane, "admin")
        if admin.get(LEASE).get("spec", {}).get("holderIdentity") == dead.identity:
            admin.call("PATCH", LEASE, {"spec": {"holderIdentity": ""}})
        admin.close()

    def errors(self) -> list[str]:
        """What the operators that still run have logged and nobody expects: errors of their own, not the API server's."""
        entries = [entry for replica in self.replicas for entry in self.log(replica.process)]
        traces = [str(entry["exc_info"]) for entry in entries if "exc_info" in entry]
        return [trace for trace in traces if not trace.splitlines()[-1].startswith("jitaccess.kube.answers.")]


def _kill(process: Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _faketime(clock: Path) -> dict[str, str]:
    # The wall clock alone is faked, as when an administrator or NTP sets it; what counts since the start of the machine goes on.
    return {
        "LD_PRELOAD": FAKETIME,
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
