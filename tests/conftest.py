"""What every test of the installed system shares: one control plane per overlay, a namespace of one's own, and patience."""

import itertools
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest

from controlplane.errors import KubectlError
from controlplane.plane import ControlPlane
from people import EXTRA_USERS
from system import PRE_1_36, STAMPING, System

T = TypeVar("T")

STAMPED, BY_HAND = "stamped", "by-hand"
OVERLAYS = {STAMPED: STAMPING, BY_HAND: PRE_1_36}
LEDGERS = {"approve": "approvals", "deny": "denials", "revoke": "revocations"}

# The operator of the tests may also bind what a careless platform team would let it bind.
TEST_ROLES = Path(__file__).parent / "grantable-roles.yaml"

_numbers = itertools.count(1)


def eventually(look: Callable[[], T], what: str, *, timeout: float = 20.0) -> T:
    """Look until it is truthy, and return that; fail saying what was expected and what was seen last."""
    deadline = time.monotonic() + timeout
    while not (seen := look()):
        if time.monotonic() > deadline:
            pytest.fail(f"expected within {timeout:.0f} s: {what}; last seen: {seen!r}")
        time.sleep(0.05)
    return seen


@dataclass
class Team:
    """One namespace on the installed system, with the words that tests use; each test gets its own."""

    system: System
    namespace: str
    stamped: bool
    _names: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def plane(self) -> ControlPlane:
        return self.system.plane

    def kubectl(self, *args: str, user: str = "admin", input: str | None = None, check: bool = True) -> str:
        """Run kubectl in this namespace; returns what it printed."""
        return self.plane.kubectl("-n", self.namespace, *args, user=user, input=input, check=check).stdout

    def refused(self, *args: str, user: str, input: str | None = None) -> str:
        """Run kubectl, which must fail; returns what it was told."""
        done = self.plane.kubectl("-n", self.namespace, *args, user=user, input=input, check=False)
        assert done.returncode != 0, f"{user} must not be able to: kubectl {' '.join(args)}\nbut it answered: {done.stdout}"
        return done.stderr

    def apply(self, manifest: dict[str, Any], user: str = "admin") -> None:
        """Create an object in this namespace."""
        self.kubectl("create", "-f", "-", user=user, input=json.dumps(manifest))

    def policy(self, name: str = "debug", *, ready: bool = True, user: str = "admin", **spec: Any) -> str:
        """Make an AccessPolicy (developers ask for view, leads decide, at most 4h) and wait until it is in force."""
        self.apply(policy_manifest(name, **spec), user=user)
        if ready:
            self.kubectl("wait", "--for=condition=Ready", f"accesspolicy/{name}", "--timeout=20s")
            self.until_may("alice" if "requesters" not in spec else None, "request", name)
        return name

    def until_may(self, user: str | None, verb: str, policy: str) -> None:
        """Wait until the authorizer knows what the operator has just written."""
        if user:
            args = ("auth", "can-i", verb, f"accesspolicies.jitaccess.dev/{policy}")
            eventually(lambda: self.kubectl(*args, user=user, check=False).strip() == "yes", f"{user} may {verb} {policy}")

    def request(self, user: str = "alice", **fields: Any) -> str:
        """Ask as that person; returns the name of the request."""
        name = fields.pop("name", f"r{next(self._names)}")
        self.apply(self.request_manifest(name, user, **fields), user=user)
        return str(name)

    def request_manifest(self, name: str, user: str = "alice", **spec: Any) -> dict[str, Any]:
        """An AccessRequest as that person would write it here: with their name in it where nobody stamps it."""
        return request_manifest(name, **({} if self.stamped else {"requester": user}) | spec)

    def decide(self, user: str, verb: str, name: str, note: str = "ok") -> None:
        """Approve, deny or revoke as that person: by the annotation that is stamped, or by the ledger line."""
        self.kubectl(*self.decision(user, verb, name, note), user=user)

    def decision(self, user: str, verb: str, name: str, note: str = "ok") -> Sequence[str]:
        """The kubectl arguments of a decision."""
        if self.stamped:
            return ("annotate", "accessrequest", name, f"jitaccess.dev/{verb}={note}")
        ledger = f"jitaccess.dev/{LEDGERS[verb]}"
        before = (self.get(name)["metadata"].get("annotations") or {}).get(ledger)
        line = f"{user}: {note}" if before is None else f"{before}\n{user}: {note}"
        return ("annotate", "accessrequest", name, "--overwrite", f"{ledger}={line}")

    def get(self, name: str, kind: str = "accessrequest") -> dict[str, Any]:
        """Read an object of this namespace."""
        found: dict[str, Any] = json.loads(self.kubectl("get", kind, name, "-o", "json"))
        return found

    def items(self, kind: str, selector: str = "jitaccess.dev/component=grant") -> list[dict[str, Any]]:
        """The objects of this namespace that match a label selector."""
        found: list[dict[str, Any]] = json.loads(self.kubectl("get", kind, "-l", selector, "-o", "json"))["items"]
        return found

    def binding(self, name: str) -> dict[str, Any] | None:
        """The RoleBinding of a request, if there is one."""
        bindings = self.items("rolebindings")
        return next((b for b in bindings if b["metadata"]["annotations"]["jitaccess.dev/request"] == name), None)

    def state(self, name: str) -> str:
        """Where a request stands; empty before the operator has seen it."""
        return str((self.get(name).get("status") or {}).get("state", ""))

    def until(self, name: str, state: str, timeout: float = 20.0) -> dict[str, Any]:
        """Wait until a request is in that state, and return it."""

        def look() -> dict[str, Any]:
            found = self.get(name)
            return found if (found.get("status") or {}).get("state") == state else {}

        def last() -> str:
            return json.dumps(self.get(name).get("status"), indent=1)

        try:
            return eventually(look, f"request {name} is {state}", timeout=timeout)
        except pytest.fail.Exception as failure:
            pytest.fail(f"{failure}; its status: {last()}")

    def condition(self, name: str, kind: str, of: str = "accessrequest") -> dict[str, Any]:
        """A condition of an object; empty if there is none."""
        conditions = (self.get(name, of).get("status") or {}).get("conditions", [])
        return next((c for c in conditions if c["type"] == kind), {})

    def may(self, user: str, verb: str, resource: str) -> bool:
        """Whether the API server would let that person do it here."""
        return self.kubectl("auth", "can-i", verb, resource, user=user, check=False).strip() == "yes"


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


def running_system(overlay: str) -> Iterator[System]:
    """The installed system with its operator running."""
    with System(overlay=OVERLAYS[overlay], users=EXTRA_USERS, audit=True) as system:
        system.plane.kubectl("apply", "-f", str(TEST_ROLES))
        system.start_operator()
        yield system
        operator = system.operator
        assert operator, "the operator was never started"
        unexpected = [entry for entry in system.log() if "exc_info" in entry or entry.get("level") == "CRITICAL"]
        assert operator.running, f"the operator ended with {operator.exit_code}: {operator.log_tail()}"
        assert not unexpected, f"the operator logged errors that nobody expects: {unexpected}"


@pytest.fixture(scope="session")
def stamped_system() -> Iterator[System]:
    """Shared by the whole run: as on Kubernetes 1.36+, with stamping."""
    yield from running_system(STAMPED)


@pytest.fixture(scope="session")
def by_hand_system() -> Iterator[System]:
    """Shared by the whole run: as on Kubernetes 1.32 to 1.35, where people write their ledger lines."""
    yield from running_system(BY_HAND)


@pytest.fixture(params=[STAMPED, BY_HAND])
def either(request: pytest.FixtureRequest) -> Team:
    """A fresh namespace on each of the two systems: the test runs twice."""
    stamped = request.param == STAMPED
    return new_team(request.getfixturevalue("stamped_system" if stamped else "by_hand_system"), stamped=stamped)


@pytest.fixture
def team(stamped_system: System) -> Team:
    """A fresh namespace on the system with stamping."""
    return new_team(stamped_system)


def new_team(system: System, *, stamped: bool = True) -> Team:
    """Make a namespace with a name that no other test has."""
    namespace = f"team-{os.getpid()}-{next(_numbers)}"
    system.plane.kubectl("create", "namespace", namespace)
    return Team(system, namespace, stamped)


__all__ = ["KubectlError", "Team", "eventually", "new_team", "policy_manifest", "request_manifest"]
