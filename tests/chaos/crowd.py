"""People who follow a plan, in a namespace of their own, through plain HTTP with their own tokens."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from chaos.client import Answer, Person, jit, rbac
from chaos.fencing import Fencing
from chaos.journal import Journal
from chaos.manifests import FENCED, POLICY, policy_manifest, role
from chaos.plans import Plan
from chaos.steps import Step
from controlplane.patience import PATIENCE
from controlplane.plane import ControlPlane

HOLD_SECONDS = 4.0  # for which a finalizer stays on a binding at least
CHURNS = 25
WHO_DECIDES = {"lead": "bob", "security": "grace"}
_NARROWER: Mapping[str, Any] = {
    "roles": [{"kind": "ClusterRole", "name": "jitaccess-debug"}],
    "maxDuration": "1s",
    "requiredApprovals": 3,
}


class Crowd:
    """Everybody of one namespace."""

    def __init__(self, plane: ControlPlane, namespace: str) -> None:
        self.namespace = namespace
        self._plane = plane
        self._people: dict[str, Person] = {}
        self.fencing = Fencing(namespace, self._person)
        self._narrow = True
        self._held: list[tuple[float, str]] = []
        self._backups: dict[str, dict[str, Any]] = {}  # by request

    def settle(self, **policy: Any) -> None:
        """Make the namespace, a Role, and a policy, and wait until it is in force."""
        self.admin("POST", "/api/v1/namespaces", {"metadata": {"name": self.namespace}})
        self.admin("POST", rbac(self.namespace, "roles"), role("narrow"))
        self.make_policy(**policy)

    def make_policy(self, **spec: Any) -> None:
        """Make the policy and wait until alice may ask under it, and bob approve."""
        self.admin("POST", jit(self.namespace, "accesspolicies"), policy_manifest(**spec))
        self._until_they_may([("alice", "request", POLICY), ("bob", "approve", POLICY)])

    def _until_they_may(self, rights: Sequence[tuple[str, str, str]]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not all(self._may(*right) for right in rights):
            if time.monotonic() > deadline:
                raise AssertionError(f"expected the policy in {self.namespace} in force within {PATIENCE:.0f} s: {rights}")
            time.sleep(0.1)

    def make_fence(self, spec: Mapping[str, Any], asker: str = "alice") -> None:
        """Make the second policy and wait until people may ask under it, and decide in each of its stages."""
        self.fencing.make(spec)
        rights = [(asker, "request", FENCED)]
        rights += [(WHO_DECIDES[stage["name"]], "approve", f"{FENCED}:{stage['name']}") for stage in spec.get("stages", ())]
        self._until_they_may(rights)

    def _person(self, name: str) -> Person:
        if name not in self._people:
            self._people[name] = Person(self._plane, name)
        return self._people[name]

    def _may(self, who: str, verb: str, policy: str) -> bool:
        about = {"group": "jitaccess.dev", "resource": "accesspolicies", "name": policy, "verb": verb}
        attributes = {"namespace": self.namespace, **about}
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        answer = self._person(who).call("POST", path, {"spec": {"resourceAttributes": attributes}})[1]
        return answer.get("status", {}).get("allowed") is True

    def admin(self, verb: str, path: str, body: Any = None) -> Answer:
        """What an administrator does."""
        return self._person("admin").call(verb, path, body)

    def ask(self, name: str, lasts: str, role: str = "ClusterRole view", later: str = "") -> Answer:
        """Alice asks, perhaps to begin so many seconds later."""
        kind, named = role.split(" ")
        spec: dict[str, Any] = {
            "policyRef": {"name": POLICY},
            "roleRef": {"kind": kind, "name": named},
            "duration": lasts,
            "reason": "INC-42 pods crash looping",
        }
        if later:
            start = datetime.now(UTC) + timedelta(seconds=float(later))
            spec["startTime"] = start.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        manifest = {"apiVersion": "jitaccess.dev/v1alpha1", "kind": "AccessRequest", "metadata": {"name": name}, "spec": spec}
        return self._person("alice").call("POST", jit(self.namespace, "accessrequests"), manifest)

    def decide(self, who: str, verb: str, name: str) -> Answer:
        """Somebody approves, denies or revokes."""
        annotation = {f"jitaccess.dev/{'revoke' if verb == 'withdraw' else verb}": "ok"}
        return self._person(who).call("PATCH", self._request(name), {"metadata": {"annotations": annotation}})

    def granted(self, name: str, lasts: str) -> None:
        """Alice asks and bob approves; neither may fail."""
        status, said = self.ask(name, lasts)
        assert status == 201, f"expected alice to be able to ask for {name}: {status} {said}"
        self.approve(name)

    def approve(self, name: str, verb: str = "approve") -> None:
        """Bob approves, or revokes, again if somebody wrote at the same moment."""
        deadline = time.monotonic() + PATIENCE
        while not 200 <= (answer := self.decide("bob", verb, name))[0] < 300:
            assert time.monotonic() < deadline, f"expected bob to be able to {verb} {name}: {answer}"
            time.sleep(0.05)

    def request(self, name: str) -> dict[str, Any]:
        """A request as it is."""
        return self._person("admin").get(self._request(name))

    def state(self, name: str) -> str:
        """Where a request stands."""
        return str(self.request(name).get("status", {}).get("state", ""))

    def until(self, name: str, states: tuple[str, ...], timeout: float = PATIENCE) -> dict[str, Any]:
        """Wait until a request is in one of those states; returns its status."""
        deadline = time.monotonic() + timeout
        while (status := self.request(name).get("status", {})).get("state") not in states:
            if time.monotonic() > deadline:
                raise AssertionError(f"expected {name} to become {' or '.join(states)} within {timeout:.0f} s, found {status}")
            time.sleep(0.05)
        return dict(status)

    def bindings(self) -> list[dict[str, Any]]:
        """The bindings of grants in this namespace; asked again until the API server answers."""
        path = rbac(self.namespace, "rolebindings") + "?labelSelector=jitaccess.dev/component=grant"
        while "items" not in (listed := self._person("admin").get(path)):
            time.sleep(0.1)
        return list(listed["items"])

    def until_bound(self, timeout: float = PATIENCE) -> None:
        """Wait until somebody has access here."""
        deadline = time.monotonic() + timeout
        while not any(binding.get("subjects") for binding in self.bindings()):
            assert time.monotonic() < deadline, f"expected a binding in {self.namespace} within {timeout:.0f} s"
            time.sleep(0.02)

    def until_unbound(self, timeout: float = PATIENCE) -> None:
        """Wait until nobody has access here."""
        deadline = time.monotonic() + timeout
        while any(binding.get("subjects") for binding in self.bindings()):
            assert time.monotonic() < deadline, (
                f"expected no binding in {self.namespace} within {timeout:.0f} s: {self.bindings()}"
            )
            time.sleep(0.2)

    def follow(self, plan: Plan, journal: Journal) -> None:
        """Do everything in the plan at its time, later where the machine stands still; what is refused is part of the game."""
        start = time.time()
        for step in plan.all_steps:
            while (left := start + step.at + journal.lost(start, time.time()) - time.time()) > 0:
                time.sleep(left)
            self._do(step)
        for at, name in self._held:
            time.sleep(max(0.0, at - time.monotonic()))
            self._finalizers(name, [])
        self.fencing.lift()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Close all connections."""
        for person in self._people.values():
            person.close()

    def _do(self, step: Step) -> None:
        acts: dict[str, Callable[[Step], object]] = {
            "ask": lambda step: self.ask(step.request, step.words[1], step.words[0], step.words[2]),
            "delete request": lambda step: self.admin("DELETE", self._request(step.request)),
            "narrow policy": lambda step: self.change_policy({step.words[0]: _NARROWER[step.words[0]]}),
            "widen policy": lambda _: self.change_policy(policy_manifest()["spec"]),
            "delete policy": lambda _: self._delete_policy(),
            "make policy": lambda _: self.admin("POST", jit(self.namespace, "accesspolicies"), policy_manifest()),
            "remake policy": lambda _: self._remake_policy(),
            "swap role": lambda _: self._swap(),
            "unbind": lambda step: self._unbind(step.request),
            "back up": lambda step: self.back_up(step.request),
            "restore": lambda step: self.restore(step.request),
            "hold": lambda step: self._hold(step.request),
            "churn": lambda step: self._churn(step.request),
            **self.fencing.acts,
        }
        act = acts.get(step.what) or (lambda step: self.decide(step.who, step.what, step.request))
        act(step)

    def _request(self, name: str) -> str:
        return jit(self.namespace, "accessrequests", name)

    def change_policy(self, spec: Mapping[str, Any]) -> None:
        """An administrator changes the policy."""
        self.admin("PATCH", jit(self.namespace, "accesspolicies", POLICY), {"spec": spec})

    def _delete_policy(self) -> None:
        self.admin("DELETE", jit(self.namespace, "accesspolicies", POLICY))

    def _remake_policy(self) -> None:
        self._delete_policy()
        self.admin("POST", jit(self.namespace, "accesspolicies"), policy_manifest())

    def _swap(self) -> None:
        self._narrow = not self._narrow
        self.admin("PATCH", rbac(self.namespace, "roles", "db-reader"), role("narrow" if self._narrow else "wide"))

    def _binding(self, request: str) -> str:
        return str(self._found(request).get("metadata", {}).get("name", ""))

    def _found(self, request: str) -> dict[str, Any]:
        prefix = f"jit-{request}-"
        return next((binding for binding in self.bindings() if binding["metadata"]["name"].startswith(prefix)), {})

    def back_up(self, request: str) -> bool:
        """An administrator's backup keeps the binding of a request, if there is one, without what the API server counts."""
        if found := self._found(request):
            metadata = {fact: found["metadata"][fact] for fact in ("name", "labels", "annotations")}
            self._backups[request] = {**found, "metadata": metadata}
        return bool(found)

    def restore(self, request: str) -> Answer:
        """And puts it back, if there is one."""
        backup = self._backups.get(request)
        return self.admin("POST", rbac(self.namespace, "rolebindings"), backup) if backup else (0, {})

    def _unbind(self, request: str) -> None:
        if name := self._binding(request):
            self.admin("DELETE", rbac(self.namespace, "rolebindings", name))

    def _hold(self, request: str) -> None:
        if name := self._binding(request):
            self._finalizers(name, ["example.com/hold"])
            self._held.append((time.monotonic() + HOLD_SECONDS, name))

    def _finalizers(self, name: str, finalizers: list[str]) -> None:
        self.admin("PATCH", rbac(self.namespace, "rolebindings", name), {"metadata": {"finalizers": finalizers}})

    def _churn(self, request: str) -> None:
        for turn in range(CHURNS):
            self.note(request, f"turn {turn}")

    def note(self, request: str, text: str) -> Answer:
        """Alice's own tool rewrites its notes on her request."""
        annotations = {"kubectl.kubernetes.io/last-applied-configuration": text}
        return self._person("alice").call("PATCH", self._request(request), {"metadata": {"annotations": annotations}})
