"""Watches a run from aside: how slow the API server is, and afterwards what its audit log says."""

import threading
import time
from collections.abc import Callable
from typing import Self

from chaos.bounds import Case, slowness
from chaos.client import Person
from chaos.history import read_history
from chaos.plane import ChaosSystem
from controlplane.patience import PATIENCE

LOOK_EVERY = 0.1
QUIET = 30.0  # seconds until nothing may be left, before the judge looks
_GRANTS = "/apis/rbac.authorization.k8s.io/v1{}/rolebindings?labelSelector=jitaccess.dev/component=grant"
_UNSETTLED = "/apis/jitaccess.dev/v1alpha1{}/accessrequests?fieldSelector=status.state=Active"


class Observer:
    """`with Observer(system) as observer:` do things; then `observer.case()`: of one namespace, or of all."""

    def __init__(self, system: ChaosSystem, namespace: str = "", *, clock_is_right: bool = True) -> None:
        self._system = system
        self._namespace = namespace
        self._clock_is_right = clock_is_right
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, name="observer", daemon=True)
        self._position = 0
        self._looked = time.time()
        self._admin = Person(system.plane, "admin")

    def __enter__(self) -> Self:
        with self._system.auditing:
            self._position = self._system.plane.audit_position()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._admin.close()

    def quiet(self, timeout: float = QUIET, *, at_least: float = 0.0) -> None:
        """Wait until no grant is left and every grant is settled, or the time is up; the times as for `rest`."""
        self.rest(at_least)
        self.rest(timeout, lambda: not self._left())

    def rest(self, seconds: float, enough: Callable[[], bool] = lambda: False) -> None:
        """Wait until it is enough, or for so many seconds more than the judge excuses: until it is too late on this machine."""
        began = time.time()
        while not enough() and time.time() - began < PATIENCE:
            seen = self._looked  # what kept the onlooker before that is known
            if seen - began - slowness(self._system.journal, began, seen) >= seconds:
                return
            time.sleep(LOOK_EVERY)

    def case(self) -> Case:
        """Everything for the judge."""
        with self._system.auditing:
            events = self._system.plane.audit_events(self._position)
        return Case(read_history(events, self._namespace), self._system.journal, time.time(), self._clock_is_right)

    def _left(self) -> bool:
        status, bindings = self._admin.call("GET", self._path(_GRANTS))
        again, requests = self._admin.call("GET", self._path(_UNSETTLED))
        given = [item for item in bindings.get("items", []) if item.get("subjects")]
        return status != 200 or again != 200 or bool(given) or bool(requests["items"])

    def _path(self, path: str) -> str:
        return path.format(f"/namespaces/{self._namespace}" if self._namespace else "")

    def _look(self) -> None:
        onlooker, over = Person(self._system.plane, "admin"), False
        while not over:
            start = time.monotonic()
            over = self._stop.wait(LOOK_EVERY)  # which takes longer where the machine stands still
            slept = min(LOOK_EVERY, time.monotonic() - start)
            onlooker.call("GET", "/api/v1/namespaces/default")
            now = time.time()
            self._system.journal.stalls.append((now, time.monotonic() - start - slept))
            self._looked = now
        onlooker.close()
