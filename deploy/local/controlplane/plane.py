"""A real Kubernetes control plane on loopback, for tests and for the demo."""

import os
import secrets
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from controlplane.audit import read_events
from controlplane.client import Person
from controlplane.errors import ControlPlaneError, KubectlError
from controlplane.kubeconfig import Login, write_private
from controlplane.lifecycle import Lifecycle
from controlplane.patience import PATIENCE
from controlplane.users import ADMIN

_FENCE = "/version?fence="


class ControlPlane(Lifecycle):
    """A control plane with token users: `with ControlPlane() as plane: plane.kubectl("get", "ns")`."""

    def kubeconfig(self, user: str, *, namespace: str = "") -> Path:
        """Return a kubeconfig that holds this user's token and no other."""
        login = Login(token=self.token(user), namespace=namespace)
        return self._write_kubeconfig(f"user {user} {namespace}", {user: login})

    def kubeconfig_with_contexts(self, users: Iterable[str], *, namespace: str = "") -> Path:
        """Return one kubeconfig with a context per user, named like the user."""
        logins = {user: Login(token=self.token(user), namespace=namespace) for user in users}
        return self._write_kubeconfig(f"contexts {[*logins]} {namespace}", logins)

    def service_account_kubeconfig(self, namespace: str, name: str, *, hours: int = 24) -> Path:
        """Return a kubeconfig with `tokenFile:` for a ServiceAccount; a further call writes a new token into that file."""
        file = self.files.kubeconfigs / f"{namespace}.{name}.token"
        write_private(file, self._minted(namespace, name, hours))
        return self._write_kubeconfig(f"service account {namespace}/{name}", {name: Login(token_file=file)})

    def _minted(self, namespace: str, name: str, hours: int) -> str:
        """A token of a ServiceAccount, asked for on a connection of its own: threads start operators too."""
        admin = Person(ADMIN.name, self.server, self.ca_file, self.token(ADMIN.name), namespace)
        try:
            asked = admin.call(
                "POST", admin.path("serviceaccounts", name, "token"), {"spec": {"expirationSeconds": hours * 3600}}
            )
        finally:
            admin.close()
        if not asked.ok:
            raise ControlPlaneError(f"no token for the ServiceAccount {namespace}/{name}: {asked.message}")
        return str(asked.body["status"]["token"])

    # --- use

    def environment(self, user: str = "admin") -> dict[str, str]:
        """Return the environment for a program that is to use kubectl as this user."""
        return {
            **os.environ,
            "KUBECONFIG": str(self.kubeconfig(user)),
            "KUBECACHEDIR": str(self.files.root / "kubectl-cache"),  # ports and CRDs change per plane
            "KUBERC": "off",  # the reader's own preferences must not change the outcome
            "PATH": f"{self.binaries['kubectl'].parent}{os.pathsep}{os.environ.get('PATH', '')}",
        }

    def kubectl(
        self,
        *args: str,
        user: str = "admin",
        input: str | None = None,
        check: bool = True,
        timeout: float = PATIENCE,
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl as a user; KubectlError (with what it said) if it fails and `check`; `timeout` in seconds."""
        argv = [str(self.binaries["kubectl"]), *args]
        feed: dict[str, Any] = {"stdin": subprocess.DEVNULL} if input is None else {"input": input}
        done = subprocess.run(
            argv,
            env=self.environment(user),
            capture_output=True,
            encoding="utf-8",
            timeout=timeout,
            check=False,
            **feed,
        )
        if check and done.returncode != 0:
            raise KubectlError(done.returncode, argv, done.stdout, done.stderr)
        return done

    # --- audit

    @property
    def audit_log(self) -> Path:
        """The audit log file, one JSON event per line; ControlPlaneError without audit=True."""
        if not self._audit:
            raise ControlPlaneError("no audit log is kept: start it with ControlPlane(audit=True)")
        return self.files.audit_log

    def audit_position(self) -> int:
        """Return the place in the audit log after every request answered so far, for `audit_events(since=...)`."""
        self._audit_fence()
        return self.audit_log.stat().st_size

    def audit_events(self, since: int = 0) -> list[dict[str, Any]]:
        """Return the audit events of every request answered so far, from position `since` on."""
        self._audit_fence()
        events = read_events(self.audit_log, since)
        return [event for event in events if not event["requestURI"].startswith(_FENCE)]

    def _audit_fence(self) -> None:
        """Wait until a request of our own is in the log: an event is written just after its answer was sent.

        On one connection it is written before the next request is read, so everybody who has a connection asks once more.
        """
        start = self.audit_log.stat().st_size
        uri = _FENCE + secrets.token_hex(8)
        deadline = time.monotonic() + PATIENCE
        asked = {self.person().name: self.person(), **self._people}
        for person in asked.values():
            person.call("GET", uri)
        while sum(event["requestURI"] == uri for event in read_events(self.audit_log, start)) < len(asked):
            if time.monotonic() >= deadline:
                raise ControlPlaneError("the API server writes no audit events; is it running and not paused?")
            time.sleep(0.02)
