"""What people do under the second policy of their namespace, and who locks whom."""

import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from chaos.client import Answer, Person, jit
from chaos.manifests import FENCED, fenced_manifest
from chaos.steps import Step
from controlplane.patience import PATIENCE

LOCKS = "/apis/jitaccess.dev/v1alpha1/accesslocks"


class Fencing:
    """The second policy of a namespace, the requests under it, and the locks that its administrator makes."""

    def __init__(self, namespace: str, person: Callable[[str], Person]) -> None:
        self._namespace = namespace
        self._person = person
        self._locks: list[str] = []

    @property
    def acts(self) -> Mapping[str, Callable[[Step], object]]:
        """What is done, by the name of the step."""
        return {
            "ask fenced": lambda step: self.ask(step.who, step.request, step.words[0]),
            "approve in": lambda step: self.approve(step.who, step.request, step.words[0]),
            "lock": lambda step: self.lock(step.words[0], until=step.words[1]),
            "lift": lambda _: self.lift(),
            "change fence": lambda step: self.change(json.loads(step.words[0])),
        }

    def make(self, spec: Mapping[str, Any]) -> Answer:
        """Make the policy."""
        return self._admin("POST", jit(self._namespace, "accesspolicies"), fenced_manifest(spec))

    def change(self, spec: Mapping[str, Any]) -> Answer:
        """Change the policy."""
        return self._admin("PATCH", jit(self._namespace, "accesspolicies", FENCED), {"spec": spec})

    def ask(self, who: str, name: str, lasts: str) -> Answer:
        """Somebody asks under the policy."""
        spec = {
            "policyRef": {"name": FENCED},
            "roleRef": {"kind": "ClusterRole", "name": "view"},
            "duration": lasts,
            "reason": "INC-42 pods crash looping",
        }
        manifest = {"apiVersion": "jitaccess.dev/v1alpha1", "kind": "AccessRequest", "metadata": {"name": name}, "spec": spec}
        return self._person(who).call("POST", jit(self._namespace, "accessrequests"), manifest)

    def approve(self, who: str, name: str, stage: str) -> Answer:
        """Somebody approves in a stage."""
        annotations = {f"jitaccess.dev/approve.{stage}": "ok"}
        return self._person(who).call(
            "PATCH", jit(self._namespace, "accessrequests", name), {"metadata": {"annotations": annotations}}
        )

    def lock(self, whom: str, *, until: str = "") -> None:
        """An administrator locks somebody, perhaps for so many seconds; it is lifted before the schedule is over."""
        name = f"{self._namespace}-{len(self._locks) + 1}"
        spec: dict[str, Any] = {"subjects": [{"kind": "User", "name": whom}], "reason": "INC-7 stolen laptop"}
        if until:
            end = datetime.now(UTC) + timedelta(seconds=float(until))
            spec["until"] = end.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self._locks.append(name)
        self._admin(
            "POST",
            LOCKS,
            {"apiVersion": "jitaccess.dev/v1alpha1", "kind": "AccessLock", "metadata": {"name": name}, "spec": spec},
        )

    def lift(self) -> None:
        """Lift all locks, as soon as the API server answers; one that is over already, or was never made, stays as it is."""
        deadline = time.monotonic() + PATIENCE
        for name in self._locks:
            while (status := self._lifted(name)) in (0, 429, 500, 503):
                assert time.monotonic() < deadline, f"expected to be able to lift AccessLock {name}: {status}"
                time.sleep(0.1)

    def _lifted(self, name: str) -> int:
        return self._admin("PATCH", f"{LOCKS}/{name}", {"spec": {"lifted": {"reason": "a drill"}}})[0]

    def _admin(self, verb: str, path: str, body: Any) -> Answer:
        return self._person("admin").call(verb, path, body)
