"""jitaccess as its users have it, on a local control plane: installed from deploy/, the operator under its own ServiceAccount."""

import itertools
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from controlplane.install import install
from controlplane.patience import PATIENCE
from controlplane.plane import ControlPlane
from controlplane.process import Process
from controlplane.users import User

ROOT = Path(__file__).resolve().parents[2]
STAMPING = ROOT / "deploy"
PRE_1_36 = ROOT / "deploy" / "overlays" / "pre-1.36"
# Only what a Pod would have: neither the reader's kubeconfig nor their settings may change the outcome.
_ENVIRONMENT = {"PATH": os.environ.get("PATH", ""), "PYTHONUNBUFFERED": "1"}
# The image has no such package; where there is one, Kopf imports it, and 20 MB come with it.
_WITHOUT_KUBERNETES = "import sys; sys.modules['kubernetes'] = None; from jitaccess.app.command import main; main()"
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class System:
    """A control plane with jitaccess installed; `operator` is the running operator once `start_operator` was called.

    With `as_in_image` the operator finds no package but those of its image: what it needs of memory is true then.
    """

    def __init__(
        self, *, overlay: Path = STAMPING, users: Iterable[User] = (), audit: bool = False, as_in_image: bool = False
    ) -> None:
        self._module = ("-c", _WITHOUT_KUBERNETES) if as_in_image else ("-m", "jitaccess")
        self.plane = ControlPlane(users=users, audit=audit)
        self.environment = dict(_ENVIRONMENT)  # of what is started from here on
        self.overlay = overlay
        self._stack = ExitStack()
        self.operator: Process | None = None
        self._replicas = itertools.count(2)

    def start(self) -> Self:
        """Start the control plane and install; the operator is not running yet."""
        self._stack.enter_context(self.plane)
        install(self.plane, self.overlay)
        return self

    def start_operator(self, *flags: str, ready: bool = True) -> Process:
        """Run the operator as `jitaccess run` with a token of its ServiceAccount, and wait until it says that it is ready."""
        self.operator = self._run("the operator", "operator.log", *flags)
        if ready:
            self.operator.wait_until(lambda: self.health("/readyz")[0] == 200)
        return self.operator

    def start_replica(self, *flags: str) -> Process:
        """Run a further operator beside `operator`, and wait until it says that it is ready; the caller keeps it."""
        number = next(self._replicas)
        replica = self._run(f"operator {number}", f"operator-{number}.log", *flags)
        replica.wait_until(lambda: self.health("/readyz", replica)[0] == 200)
        return replica

    def _run(self, name: str, log: str, *flags: str) -> Process:
        command = self._command("run", "--health-address", "127.0.0.1:0", *flags)
        return self._stack.enter_context(Process(name, command, self.plane.files.root / log, env=self.environment))

    def jitaccess(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run another command of `jitaccess` as the operator's ServiceAccount."""
        command = self._command(*words)
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=PATIENCE, check=False)

    def jitaccess_bare(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command of `jitaccess` that asks nothing of the cluster."""
        command = [sys.executable, *self._module, *words]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=PATIENCE, check=False)

    def _command(self, *words: str) -> list[str]:
        kubeconfig = self.plane.service_account_kubeconfig("jitaccess-system", "jitaccess")
        return [sys.executable, *self._module, words[0], "--kubeconfig", str(kubeconfig), *words[1:]]

    def restart_operator(self, *flags: str) -> Process:
        """Stop the operator, if it runs, and start it anew."""
        if self.operator:
            self.operator.terminate()
        return self.start_operator(*flags)

    def log(self, replica: Process | None = None) -> list[dict[str, Any]]:
        """What the operator, or another replica, has logged since it was last started, as objects."""
        process = replica or self.operator
        output = process.output() if process else ""
        whole = [line for line in output.splitlines(keepends=True) if line.endswith("\n")]  # the last may be half written
        return [json.loads(line) for line in whole if line.startswith("{")]

    def health(self, path: str, replica: Process | None = None, *, timeout: float = PATIENCE) -> tuple[int, str]:
        """The status and body of a health endpoint; (0, "") while nobody listens, or if it has not answered after `timeout` s."""
        address = next((entry["health_address"] for entry in self.log(replica) if "health_address" in entry), "")
        return _get(f"http://{address}{path}", timeout) if address else (0, "")

    def stop(self) -> None:
        """End the operator and the control plane."""
        self._stack.close()

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def _get(url: str, timeout: float) -> tuple[int, str]:
    try:
        with _DIRECT.open(url, timeout=timeout) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""
