"""Where the attempts take place: a namespace on an installed system, its people, its policies, and what was granted there."""

import itertools
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from controlplane.client import Answer, Person
from team import POLICIES, REQUESTS, TWO_STAGES, Place, by_group, eventually, policy_manifest, request_manifest, stages

RBAC = "rbac.authorization.k8s.io"
MANAGED = {"app.kubernetes.io/managed-by": "jitaccess"}
OPERATOR = "system:serviceaccount:jitaccess-system:jitaccess"

_numbers = itertools.count(1)
_PATCHING = ["get", "list", "watch", "create", "patch", "update", "delete", "deletecollection"]
_AUTHORS = [
    {"apiGroups": ["jitaccess.dev"], "resources": [POLICIES], "verbs": _PATCHING},
    {
        "apiGroups": [RBAC],
        "resources": ["clusterroles"],
        "resourceNames": ["view", "jitaccess-debug", "test-aggregated", *(f"spare-{n}" for n in range(14))],
        "verbs": ["bind"],
    },
]
_PATCHERS = [{"apiGroups": ["jitaccess.dev"], "resources": [REQUESTS], "verbs": _PATCHING}]
_WARDENS = [
    {"apiGroups": ["jitaccess.dev"], "resources": [REQUESTS, f"{REQUESTS}/status", f"{POLICIES}/status"], "verbs": ["*"]},
    {"apiGroups": ["jitaccess.dev"], "resources": [POLICIES], "verbs": ["get", "list"]},
]


@dataclass
class Stage(Place):
    """A place for many attempts; people may come here with headers of their own, and ServiceAccounts with real tokens."""

    namespace: str = field(default_factory=lambda: f"attack-{os.getpid()}-{next(_numbers)}")
    tokens: dict[str, str] = field(default_factory=dict)
    _people: dict[str, Person] = field(default_factory=dict)
    _names: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.sure(self.admin.call("POST", "/api/v1/namespaces", {"metadata": {"name": self.namespace}}))

    # --- people

    def person(self, name: str, **headers: str) -> Person:
        """Somebody with their own token; with headers, on a connection of their own."""
        if name not in self.tokens and not headers:
            return super().person(name)
        key = f"{name} {headers}"
        if key not in self._people:
            token = self.tokens.get(name) or self.plane.token(name)
            self._people[key] = Person(name, self.plane.server, self.plane.ca_file, token, self.namespace, headers)
        return self._people[key]

    def service_account(self, namespace: str, name: str) -> Person:
        """A ServiceAccount, by its full name and with a real token of its own."""
        user = f"system:serviceaccount:{namespace}:{name}"
        if user not in self.tokens:
            path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
            self.tokens[user] = self.sure(self.admin.call("POST", path, {"spec": {"expirationSeconds": 7200}}))["status"]["token"]
        return self.person(user)

    def staff(self) -> None:
        """Give the standing rights: policy authors, people who may patch, people who may write status; none of them has a say."""
        for group, rules in (("platform", _AUTHORS), ("patchers", _PATCHERS), ("wardens", _WARDENS)):
            self.give("Group", group, f"test-{group}", rules)

    def give(self, kind: str, name: str, role: str, rules: list[dict[str, Any]]) -> None:
        """Bind a Role with these rules."""
        self.sure(self.admin.create("roles", {"metadata": {"name": role}, "rules": rules}))
        self.sure(self.admin.create("rolebindings", binding(role, role, name, subject=kind, kind="Role")))

    # --- policies and requests

    def policy(self, name: str, *, ready: bool = True, **spec: Any) -> str:
        """Make an AccessPolicy, and wait until it is in force and the authorizer knows."""
        self.sure(self.admin.create(POLICIES, policy_manifest(name, **spec)))
        if ready:
            self.until_ready(name)
        return name

    def ready(self, name: str) -> dict[str, Any]:
        """The condition Ready of a policy; empty if there is none."""
        return self.condition(name, "Ready", POLICIES)

    def may(self, user: str, verb: str, policy: str) -> bool:
        """Whether the authorizer gives somebody that verb on a policy here."""
        return self.holds(user, verb, policy)

    def manifest(self, user: str, name: str = "", **spec: Any) -> dict[str, Any]:
        """An AccessRequest as that person would write it here, under the policy that asks for two approvals."""
        stamp = {} if self.stamped else {"requester": user}
        return request_manifest(name or f"r{next(self._names)}", **{"policyRef": {"name": "two"}, **stamp, **spec})

    def request(self, user: str = "alice", **spec: Any) -> str:
        """Ask as that person; returns the name of the request."""
        made = self.sure(self.person(user).create(REQUESTS, self.manifest(user, **spec)))
        return str(made["metadata"]["name"])

    def decide(self, user: str, verb: str, name: str, note: str = "ok") -> Answer:
        """Approve, deny or revoke as that person."""
        return self.person(user).merge(REQUESTS, name, self.decision(user, verb, name, note))

    def granted(self, user: str = "alice", policy: str = "debug", **spec: Any) -> str:
        """A request that bob has approved and that is Active, with its binding there, which is made after the record."""
        name = self.request(user, policyRef={"name": policy}, **spec)
        self.sure(self.decide("bob", "approve", name))
        self.until(name, "Active")
        eventually(lambda: self.bindings(name), f"request {name} has its binding")
        return name

    def settled(self) -> str:
        """A request that its requester has withdrawn."""
        name = self.request()
        self.sure(self.decide("alice", "revoke", name))
        self.until(name, "Withdrawn")
        return name

    # --- looking

    def until(self, name: str, state: str) -> dict[str, Any]:
        """Wait until a request is in that state; returns its status."""
        eventually(lambda: self.status(name).get("state") == state, f"request {name} is {state}")
        return self.status(name)

    def bindings(self, request: str) -> list[dict[str, Any]]:
        """The bindings that the operator has made for requests of that name."""
        found = self.sure(self.admin.get("rolebindings", labelSelector="jitaccess.dev/component=grant"))["items"]
        return [each for each in found if each["metadata"]["annotations"]["jitaccess.dev/request"] == request]

    @staticmethod
    def sure(answer: Answer) -> dict[str, Any]:
        """The body of an answer that must be a yes."""
        return answer.sure()

    def close(self) -> None:
        """Hang up all connections."""
        for person in self._people.values():
            person.close()


class Theatre(Stage):
    """The stage that all tables share: every kind of policy, and ada, who was granted `admin`."""

    def furnish(self) -> None:
        """Make what the attempts are about."""
        self.staff()
        self.sure(self.admin.create("serviceaccounts", {"metadata": {"name": "robot"}}))
        robot = {"kind": "ServiceAccount", "name": "robot", "namespace": self.namespace}
        as_user = {"kind": "User", "name": self.robot}
        leads, developers = {"kind": "Group", "name": "leads"}, {"kind": "Group", "name": "developers"}
        identities = {"kind": "Group", "name": "system:serviceaccounts:jitaccess-grants"}
        edit, admin = {"kind": "ClusterRole", "name": "edit"}, {"kind": "ClusterRole", "name": "admin"}
        made = [
            self.policy("debug", ready=False),
            self.policy("two", ready=False, requiredApprovals=2),
            self.policy("identity", ready=False, delivery="Identity"),
            # By RBAC, every identity may ask and decide under it.
            self.policy("identities", ready=False, requesters=[developers, identities], approvers=[leads, identities]),
            self.policy("crowd", ready=False, requiredApprovals=6),
            self.policy("noted", ready=False, requiredApprovals=2, noteRequired=True),
            self.policy("staged", ready=False, **TWO_STAGES),
            self.policy("staged-noted", ready=False, **TWO_STAGES, noteRequired=True),
            self.policy(
                "staged-own",
                ready=False,
                approvers=None,
                stages=stages(lead={"approvers": [leads, {"kind": "User", "name": "alice"}]}, security=by_group("security")),
            ),
            self.policy("robots", ready=False, requesters=[robot], approvers=[as_user, leads], requiredApprovals=2),
            self.policy("scheduling", ready=False, allowScheduling=True),
            self.policy("other", ready=False, approvers=[{"kind": "User", "name": "erin@example.com"}]),
            self.policy(
                "power", ready=False, roles=[admin], requesters=[{"kind": "User", "name": "ada"}], allowPersistentRisk=True
            ),
            self.policy("glass", ready=False, requiredApprovals=0, emergency={"reviewWithin": "24h", "reviewers": [leads]}),
            self.policy(
                "glass-carol",
                ready=False,
                requiredApprovals=0,
                emergency={"reviewWithin": "24h", "reviewers": [{"kind": "User", "name": "carol"}]},
            ),
            self.policy("foreign", ready=False, roles=[edit], allowPersistentRisk=True),
        ]
        self.policy("unready", ready=False, roles=[edit])
        for name in made:
            self.until_ready(name)
        eventually(lambda: self.may("ada", "request", "power"), "ada may request power")
        eventually(lambda: self.may("bob", "approve", "power"), "bob may approve")
        for who, name in (("bob", "glass"), ("carol", "glass-carol")):
            eventually(lambda who=who, name=name: self.may(who, "review", name), f"{who} may review {name}")  # type: ignore[misc]
        role = {"kind": "ClusterRole", "name": "admin"}
        _ = (self.granted("ada", "power", roleRef=role, duration="4h"), self.live)
        eventually(lambda: self.person("ada").get("roles").ok, "ada is admin")

    @property
    def robot(self) -> str:
        """The full name of the ServiceAccount that asks."""
        return f"system:serviceaccount:{self.namespace}:robot"

    @cached_property
    def live(self) -> str:
        """A request of alice's that is Active throughout; its objects are what ada is after."""
        return self.granted("alice", "debug", duration="4h")

    @cached_property
    def over(self) -> str:
        """A request that is settled."""
        return self.settled()

    def names(self) -> dict[str, str]:
        """The operator's objects behind the live request and the policy `debug`, by a word for each."""
        status = self.status(self.live)
        return {"binding": status["bindingRef"]["name"], "job": status["jobRef"]["name"], "derived": "jitaccess:debug:approver"}


def binding(name: str, role: str, user: str, *, subject: str = "User", kind: str = "ClusterRole") -> dict[str, Any]:
    """A RoleBinding for one subject."""
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": RBAC, "kind": kind, "name": role},
        "subjects": [{"apiGroup": RBAC, "kind": subject, "name": user}],
    }


def job(name: str, **metadata: Any) -> dict[str, Any]:
    """A Job that runs nothing."""
    pod = {"restartPolicy": "Never", "containers": [{"name": "nothing", "image": "nothing"}]}
    return {"metadata": {"name": name, **metadata}, "spec": {"completions": 0, "parallelism": 0, "template": {"spec": pod}}}


def clone(manifest: dict[str, Any]) -> dict[str, Any]:
    """A deep copy to tamper with."""
    copy: dict[str, Any] = json.loads(json.dumps(manifest))
    return copy
