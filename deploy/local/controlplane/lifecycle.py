"""The three processes of a control plane: started in order, ready, paused, killed, stopped."""

import http.client
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Self

from controlplane import components
from controlplane.audit import POLICY
from controlplane.binaries import ensure_binaries
from controlplane.client import Answer, Person
from controlplane.components import COMPONENTS, LOOPBACK, Component, Files, Ports
from controlplane.errors import AddressInUse, ControlPlaneError
from controlplane.guard import guard
from controlplane.kubeconfig import Login, render, write_private
from controlplane.process import Process
from controlplane.users import (
    ADMIN,
    CONTROLLER_MANAGER,
    User,
    new_tokens,
    people_with,
    write_token_file,
)

PORT_ATTEMPTS = 5


class Lifecycle:
    """etcd, kube-apiserver and kube-controller-manager, alive between start() and stop()."""

    def __init__(self, *, users: Iterable[User] = (), audit: bool = False) -> None:
        self.users = people_with(users)
        self.binaries: Mapping[str, Path] = {}
        self.processes: dict[Component, Process] = {}
        self._audit = audit
        self._tokens = new_tokens([*self.users.values(), CONTROLLER_MANAGER])
        self._files: Files | None = None
        self._people: dict[str, Person] = {}
        self._ports = Ports.free()

    # --- life

    def start(self) -> Self:
        """Start everything and wait until it answers; ControlPlaneError shows the log of what did not."""
        if self._files is not None:
            raise ControlPlaneError("this control plane is already started")
        self.binaries = ensure_binaries()
        self._files = self._prepare()
        try:
            self._launch()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End everything, and remove its data."""
        self._hang_up()
        for name in reversed(COMPONENTS):
            if process := self.processes.get(name):
                process.kill()
        self.processes.clear()
        if self._files is not None:
            shutil.rmtree(self._files.root)
            guard().tell("forget", str(self._files.root))
        self._files = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _prepare(self) -> Files:
        root = Path(tempfile.mkdtemp(prefix="jitaccess-"))
        guard().tell("watch", str(root))
        files = Files(root)
        for directory in (files.kubeconfigs, files.log("any").parent):
            directory.mkdir()
        files.audit_policy.write_text(POLICY)
        write_token_file(files.tokens, [*self.users.values(), CONTROLLER_MANAGER], self._tokens)
        return files

    def _launch(self) -> None:
        for attempt in range(1, PORT_ATTEMPTS + 1):
            try:
                for name in COMPONENTS:
                    self.processes[name] = self._process(name)
                    self.start_component(name)
            except AddressInUse:
                if attempt == PORT_ATTEMPTS:
                    raise
                self._hang_up()
                for process in self.processes.values():
                    process.kill()
                self._ports = Ports.free()
            else:
                return

    def _process(self, name: Component) -> Process:
        binary = self.binaries[name]
        if name == "etcd":
            return components.etcd(binary, self.files, self._ports)
        if name == "kube-apiserver":
            return components.apiserver(binary, self.files, self._ports, audit=self._audit)
        login = Login(token=self._tokens[CONTROLLER_MANAGER.name])
        config = self._write_kubeconfig("controller-manager", {CONTROLLER_MANAGER.name: login})
        return components.controller_manager(binary, self.files, config)

    # --- single components

    def start_component(self, component: Component, *, wait: bool = True) -> None:
        """Start a component that is not running, on the port it had, and wait until it is ready."""
        process = self._component(component).start()
        if wait:
            process.wait_until(lambda: self._ready(component))

    def kill(self, component: Component) -> None:
        """End a component at once (SIGKILL); its data stays."""
        self._component(component).kill()

    def pause(self, component: Component) -> None:
        """Freeze a component (SIGSTOP): connections stay open and nothing answers."""
        self._component(component).pause()

    def resume(self, component: Component) -> None:
        """Let a paused component go on (SIGCONT)."""
        self._component(component).resume()

    def restart_apiserver(self) -> None:
        """Stop the API server, start it again on the same port, and wait until it is ready."""
        # Asked politely it waits for its watchers, which never leave: two seconds of grace, then SIGKILL.
        self._component("kube-apiserver").terminate(timeout=2)
        self.start_component("kube-apiserver")

    def _component(self, component: Component) -> Process:
        if component not in self.processes:
            raise ControlPlaneError(f"{component} is not part of a started control plane")
        return self.processes[component]

    def _ready(self, component: Component) -> bool:
        # By their logs, not their ports: somebody else might sit there, and never answer.
        if component == "etcd":
            return "ready to serve client requests" in self.processes["etcd"].output()
        if component == "kube-apiserver":
            return "Serving securely on" in self.processes["kube-apiserver"].output() and self._look("/readyz").ok
        view = self._look("/apis/rbac.authorization.k8s.io/v1/clusterroles/view")
        account = self._look("/api/v1/namespaces/default/serviceaccounts/default")
        return view.ok and bool(view.body.get("rules")) and account.ok

    def _look(self, path: str) -> Answer:
        """What admin reads there; 503 while nobody answers."""
        try:
            return self.person().call("GET", path)
        except (OSError, http.client.HTTPException):
            return Answer(503, {})  # no certificate yet, no listener yet

    # --- what is known once they run

    @property
    def files(self) -> Files:
        if self._files is None:
            raise ControlPlaneError("the control plane is not started; use it as a context manager")
        return self._files

    @property
    def server(self) -> str:
        """The API server's URL."""
        return f"https://{LOOPBACK}:{self._ports.api}"

    @property
    def ca_file(self) -> Path:
        """The certificate that signed the API server's, in PEM."""
        return self.files.ca

    def token(self, user: str) -> str:
        """Return the user's bearer token; ControlPlaneError for a user the plane was not started with."""
        if user not in self.users:
            raise ControlPlaneError(f"no user {user!r}; add it: ControlPlane(users=[User(...)])")
        return self._tokens[user]

    def person(self, user: str = ADMIN.name, *, namespace: str = "default") -> Person:
        """Return the user's client, whose one connection stays open until the plane stops."""
        if user not in self._people:
            self._people[user] = Person(user, self.server, self.ca_file, self.token(user))
        return self._people[user].at(namespace)

    def _hang_up(self) -> None:
        for person in self._people.values():
            person.close()
        self._people.clear()

    def _write_kubeconfig(self, what: str, logins: Mapping[str, Login]) -> Path:
        # Users may be called anything: only a digest of the name may become a file name.
        path = self.files.kubeconfigs / f"{sha256(what.encode()).hexdigest()[:16]}.kubeconfig"
        return write_private(path, render(self.server, self.ca_file.read_bytes(), logins))
