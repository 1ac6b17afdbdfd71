"""A namespace on an installed system, its people, and the words that tests use; everything goes over HTTP, as somebody."""

import http.client
import itertools
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, TypeVar

import pytest

from controlplane.client import Answer, Person
from controlplane.patience import PATIENCE as PATIENCE  # noqa: PLC0414 (the word of tests too)
from controlplane.plane import ControlPlane
from jitaccess.domain.text import parse_time
from system import System

T = TypeVar("T")

REQUESTS, POLICIES = "accessrequests", "accesspolicies"
CLUSTER_REQUESTS, CLUSTER_POLICIES = "clusteraccessrequests", "clusteraccesspolicies"
LEDGERS = {"approve": "approvals", "deny": "denials", "revoke": "revocations", "review": "reviews"}

_numbers = itertools.count(1)


def eventually(look: Callable[[], T | None], what: str, *, timeout: float = PATIENCE) -> T:
    """Look until it is truthy, and return that; fail saying what was expected and what was seen last."""
    began = time.monotonic()
    while not (seen := look()):
        waited = time.monotonic() - began
        if waited > timeout:
            pytest.fail(f"expected within {timeout:.0f} s: {what}; last seen: {seen!r}")
        time.sleep(min(0.25, max(0.05, waited / 40)))  # what takes long is looked at less often: looking costs too
    return seen


def in_time(attempt: Callable[[int], T | None]) -> T:
    """What comes of an attempt that is done before a time has come; each has twice as many seconds as the one before.

    The attempt is given the seconds, and returns nothing truthy where the time came too early: how many it takes is up to the
    machine.
    """
    for seconds in (5, 10, 20, 40, 80, 160):
        if found := attempt(seconds):
            return found
    pytest.fail("expected an attempt to be done within 160 s")


def is_lasting(status: dict[str, Any], binding: dict[str, Any] | None) -> bool:
    """Whether a grant is there, with its binding, and nobody has begun to end it."""
    return bool(binding) and status["state"] == "Active" and datetime.now(UTC) < parse_time(status["expiresAt"])


def while_it_lasts(attempt: Callable[[str], T | None]) -> T:
    """The same with a grant before its time is up; the attempt is given the duration."""
    return in_time(lambda seconds: attempt(f"{seconds}s"))


@dataclass
class Place:
    """One namespace; `stamped` tells whether the API server completes there what people write."""

    system: System
    stamped: bool
    namespace: str

    @property
    def plane(self) -> ControlPlane:
        """The control plane below."""
        return self.system.plane

    def person(self, name: str) -> Person:
        """Somebody with their own token, at work in this namespace."""
        return self.plane.person(name, namespace=self.namespace)

    @property
    def admin(self) -> Person:
        """The cluster administrator, who sets the stage."""
        return self.person("admin")

    def find(self, name: str, resource: str = REQUESTS) -> dict[str, Any] | None:
        """An object as it is, or None."""
        answer = self.admin.get(resource, name)
        return None if answer.status == 404 else answer.sure()

    def get(self, name: str, resource: str = REQUESTS) -> dict[str, Any]:
        """An object as it is."""
        return self.admin.get(resource, name).sure()

    def annotations(self, name: str, of: str = REQUESTS) -> dict[str, str]:
        """The annotations of a request."""
        return dict(self.get(name, of)["metadata"].get("annotations") or {})

    def status(self, name: str, resource: str = REQUESTS) -> dict[str, Any]:
        """The status of an object; empty before the operator has seen it."""
        return dict(self.get(name, resource).get("status") or {})

    def condition(self, name: str, kind: str, of: str = REQUESTS) -> dict[str, Any]:
        """A condition of an object; empty if there is none."""
        return next((each for each in self.status(name, of).get("conditions", []) if each["type"] == kind), {})

    def until_ready(self, name: str) -> None:
        """Wait until a policy is in force, for alice and bob too if their groups have a part in it."""
        eventually(lambda: self.condition(name, "Ready", POLICIES).get("status") == "True", f"policy {name} is Ready")
        spec = self.get(name, POLICIES)["spec"]
        if {"kind": "Group", "name": "developers"} in spec["requesters"]:
            eventually(lambda: self.holds("alice", "request", name), f"alice may request {name}")
        if {"kind": "Group", "name": "leads"} in spec.get("approvers", []):
            eventually(lambda: self.holds("bob", "approve", name), f"bob may approve {name}")
        for stage in spec.get("stages", []):
            for group, who in (("leads", "bob"), ("security", "sam")):
                if {"kind": "Group", "name": group} in stage["approvers"]:
                    right = f"{name}:{stage['name']}"
                    eventually(lambda who=who, right=right: self.holds(who, "approve", right), f"{who} may approve {right}")  # type: ignore[misc]

    def holds(self, user: str, verb: str, policy: str) -> bool:
        """Whether the authorizer gives somebody that verb on a policy here."""
        return self.person(user).may(verb, POLICIES, group="jitaccess.dev", name=policy)

    def decision(self, user: str, verb: str, name: str, note: str = "ok", of: str = REQUESTS, stage: str = "") -> dict[str, Any]:
        """The merge patch of a decision: the annotation that is stamped, or the ledger line; `stage` says in which, if any."""
        part = f".{stage}" if stage else ""
        if self.stamped:
            return annotations({f"jitaccess.dev/{verb}{part}": note})
        ledger = f"jitaccess.dev/{LEDGERS[verb]}{part}"
        before = self.annotations(name, of).get(ledger)
        return annotations({ledger: f"{user}: {note}" if before is None else f"{before}\n{user}: {note}"})

    @contextmanager
    def operator_frozen(self) -> Iterator[None]:
        """While nothing is reconciled, and the operator does not even stop."""
        operator = self.system.operator
        assert operator
        operator.pause()
        try:
            yield
        finally:
            operator.resume()

    @contextmanager
    def nothing_ends(self) -> Iterator[None]:
        """While neither the operator ends what is over, nor Kubernetes a Job."""
        with self.operator_frozen():
            self.plane.pause("kube-controller-manager")
            try:
                yield
            finally:
                self.plane.resume("kube-controller-manager")


@dataclass
class Team(Place):
    """A place for one test, with its policies and requests."""

    _names: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def kubectl(self, *args: str, user: str = "admin") -> str:
        """Run kubectl in this namespace, for what kubectl itself has to do with; returns what it printed."""
        return self.plane.kubectl("-n", self.namespace, *args, user=user).stdout

    def policy(self, name: str = "debug", *, ready: bool = True, **spec: Any) -> str:
        """Make an AccessPolicy (developers ask for view, leads decide, at most 4h) and wait until it is in force."""
        self.admin.create(POLICIES, policy_manifest(name, **spec)).sure()
        if ready:
            self.until_ready(name)
        return name

    def request(self, user: str = "alice", **fields: Any) -> str:
        """Ask as that person; returns the name of the request."""
        name = str(fields.pop("name", f"r{next(self._names)}"))
        self.person(user).create(REQUESTS, self.request_manifest(name, user, **fields)).sure()
        return name

    def request_manifest(self, name: str, user: str = "alice", **spec: Any) -> dict[str, Any]:
        """An AccessRequest as that person would write it here: with their name in it where nobody stamps it."""
        return request_manifest(name, **({} if self.stamped else {"requester": user}) | spec)

    def decide(self, user: str, verb: str, name: str, note: str = "ok", stage: str = "") -> None:
        """Approve, deny or revoke as that person: by the annotation that is stamped, or by the ledger line."""
        self.person(user).merge(REQUESTS, name, self.decision(user, verb, name, note, stage=stage)).sure()

    def granted(self, user: str = "alice", **fields: Any) -> str:
        """A request that bob has approved and that is Active, with its binding there, which is made after the record."""
        name = self.approved(user, **fields)
        self.until(name, "Active")
        eventually(lambda: self.binding(name), f"request {name} has its binding")
        return name

    def approved(self, user: str = "alice", **fields: Any) -> str:
        """A request that bob has approved."""
        name = self.request(user, **fields)
        self.until(name, "Pending")
        self.decide("bob", "approve", name)
        return name

    def granted_for(self, duration: str, user: str = "alice", **fields: Any) -> str:
        """A request that bob has approved and that has its binding; empty if its time was up before that was seen."""
        name = self.approved(user, duration=duration, **fields)
        eventually(lambda: self.binding(name) or self.status(name).get("settled"), f"request {name} has, or had, its binding")
        return name if self.lasts(name) else ""

    def lasts(self, name: str) -> bool:
        """Whether a grant is there, with its binding, and nobody has begun to end it."""
        return is_lasting(self.status(name), self.binding(name))

    def runs_out(self, name: str, policy: str = "debug") -> None:
        """Let the time in which a request must begin be over in two seconds, by its policy."""
        asked = parse_time(self.get(name)["metadata"]["creationTimestamp"])
        seconds = (datetime.now(UTC) - asked).total_seconds() + 2
        self.admin.merge(POLICIES, policy, {"spec": {"pendingTimeout": f"{seconds:.0f}s"}}).sure()

    def items(self, resource: str, selector: str = "jitaccess.dev/component=grant") -> list[dict[str, Any]]:
        """The objects of this namespace that match a label selector."""
        found: list[dict[str, Any]] = self.admin.get(resource, labelSelector=selector).sure()["items"]
        return found

    def binding(self, name: str) -> dict[str, Any] | None:
        """The RoleBinding of a request, if there is one."""
        bindings = self.items("rolebindings")
        return next((b for b in bindings if b["metadata"]["annotations"]["jitaccess.dev/request"] == name), None)

    def identity(self, name: str, user: str = "alice") -> Person:
        """That person, impersonating the temporary identity of a request, or trying to."""
        return replace(self.person(user), headers={"Impersonate-User": str(self.status(name)["identity"])})

    def token_of_identity(self, name: str, user: str = "alice") -> Person:
        """Somebody with a token of the temporary identity of a request, minted by that person."""
        _, _, _, account = self.status(name)["identity"].split(":")
        path = self.person(user).at("jitaccess-grants").path("serviceaccounts", account, "token")
        minted = self.person(user).call("POST", path, {"spec": {"expirationSeconds": 600}})
        return replace(self.person(user), token=minted.sure()["status"]["token"])

    def drop(self, policy: str) -> None:
        """Delete a policy of the cluster, whatever gets in the way: those who come next must not meet it."""
        eventually(lambda: self.admin.delete(CLUSTER_POLICIES, policy).status == HTTPStatus.NOT_FOUND, f"{policy} is gone")

    def events(self, name: str = "") -> list[str]:
        """The reasons of the Events of this namespace, or of those about what has that name."""
        about = {"fieldSelector": f"involvedObject.name={name}"} if name else {}
        return [each["reason"] for each in self.admin.get("events", **about).sure()["items"]]

    def state(self, name: str) -> str:
        """Where a request stands; empty before the operator has seen it."""
        return str(self.status(name).get("state", ""))

    def until(self, name: str, state: str, timeout: float = PATIENCE) -> dict[str, Any]:
        """Wait until a request is in that state, and return it; an API server that does not answer is waited for too."""
        seen: dict[str, Any] = {}

        def look() -> bool:
            answer = self._asked(name)
            seen.update(answer.sure() if answer.status < 500 else {})
            return answer.ok and (seen.get("status") or {}).get("state") == state

        try:
            eventually(look, f"request {name} is {state}", timeout=timeout)
        except pytest.fail.Exception as failure:
            pytest.fail(f"{failure}; its status: {json.dumps(seen.get('status'), indent=1)}")
        return seen

    def _asked(self, name: str) -> Answer:
        try:
            return self.admin.get(REQUESTS, name)
        except (OSError, http.client.HTTPException) as error:
            return Answer(503, {"kind": "Status", "message": str(error)})

    def until_working(self, user: str = "alice", **fields: Any) -> None:
        """Wait until that person could ask: an API server that starts says no for a while, and that is no verdict."""
        manifest = self.request_manifest("rehearsal", user, **fields)
        eventually(lambda: self.person(user).create(REQUESTS, manifest, dryRun="All").ok, f"{user} can ask again")

    def until_condition(self, name: str, kind: str, status: str, of: str = REQUESTS) -> dict[str, Any]:
        """Wait until a condition has that status, and return it."""
        eventually(lambda: self.condition(name, kind, of).get("status") == status, f"{of} {name} has {kind}={status}")
        return self.condition(name, kind, of)

    def may(self, user: str, verb: str, resource: str, group: str = "") -> bool:
        """Whether the API server would let that person do it here."""
        return self.person(user).may(verb, resource, group=group)


def new_team(system: System, *, stamped: bool = True) -> Team:
    """Make a namespace with a name that no other test has."""
    namespace = f"team-{os.getpid()}-{next(_numbers)}"
    system.plane.person().create("namespaces", {"metadata": {"name": namespace}}).sure()
    return Team(system, stamped, namespace)


def stages(**of: dict[str, Any]) -> list[dict[str, Any]]:
    """The stages of a policy: by name, who approves in it, a group or the fields of the stage."""
    return [{"name": name, **fields} for name, fields in of.items()]


def by_group(group: str, **fields: Any) -> dict[str, Any]:
    """A stage in which a group approves."""
    return {"approvers": [{"kind": "Group", "name": group}], **fields}


TWO_STAGES: dict[str, Any] = {"approvers": None, "stages": stages(lead=by_group("leads"), security=by_group("security"))}


def annotations(values: dict[str, Any]) -> dict[str, Any]:
    """A merge patch of annotations."""
    return {"metadata": {"annotations": values}}


def policy_manifest(name: str, **spec: Any) -> dict[str, Any]:
    """An AccessPolicy: developers may ask for view, leads decide, at most 4h."""
    return {
        "apiVersion": "jitaccess.dev/v1alpha1",
        "kind": "AccessPolicy",
        "metadata": {"name": name},
        "spec": {
            "roles": [{"kind": "ClusterRole", "name": "view"}],
            "requesters": [{"kind": "Group", "name": "developers"}],
            "approvers": [{"kind": "Group", "name": "leads"}],
            "maxDuration": "4h",
            **spec,
        },
    }


def cluster_policy_manifest(name: str, **spec: Any) -> dict[str, Any]:
    """A ClusterAccessPolicy like that; what it is for, `namespaceSelector` or `clusterWide`, is to be said."""
    return policy_manifest(name, **spec) | {"kind": "ClusterAccessPolicy"}


def cluster_request_manifest(name: str, policy: str, **spec: Any) -> dict[str, Any]:
    """A ClusterAccessRequest for view for an hour under that policy."""
    return request_manifest(name, **{"policyRef": {"name": policy}} | spec) | {"kind": "ClusterAccessRequest"}


def request_manifest(name: str, **spec: Any) -> dict[str, Any]:
    """An AccessRequest for view for an hour; None leaves a field out."""
    fields = {
        "policyRef": {"name": "debug"},
        "roleRef": {"kind": "ClusterRole", "name": "view"},
        "duration": "1h",
        "reason": "INC-42 pods crash looping",
        **spec,
    }
    return {
        "apiVersion": "jitaccess.dev/v1alpha1",
        "kind": "AccessRequest",
        "metadata": {"name": name},
        "spec": {field: value for field, value in fields.items() if value is not None},
    }
