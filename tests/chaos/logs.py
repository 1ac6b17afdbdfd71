"""Audit logs made up by hand, of a life that keeps every promise until somebody doctors it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any

from chaos.bounds import Case
from chaos.history import OPERATOR, read_history
from chaos.journal import Disturbance, Journal

START = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC).timestamp()
FINISHED = 300.0
NAMESPACE, NAME, UID = "team-a", "inc-42", "11111111-aaaa"
ASKED: Mapping[str, Any] = {
    "policyRef": {"kind": "AccessPolicy", "name": "debug"},
    "roleRef": {"kind": "ClusterRole", "name": "view"},
    "duration": "10s",
    "requester": "alice",
}
LEADS = [{"kind": "Group", "name": "leads"}]
POLICY: Mapping[str, Any] = {"roles": [ASKED["roleRef"]], "approvers": LEADS, "maxDuration": "1m", "requiredApprovals": 1}
ALICE: Sequence[Mapping[str, str]] = ({"kind": "User", "name": "alice"},)
REQUESTED = {"state": "Pending", "reason": "Requested"}
GRANTED = {"state": "Active", "reason": "Granted"}
EXPIRED = {"state": "Expired", "reason": "DurationElapsed"}


def stamp(at: float) -> str:
    """A moment of the story, in seconds after its start, as it is written."""
    return datetime.fromtimestamp(START + at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass
class Log:
    """An audit log in the making; `at` is in seconds after the start of the story."""

    events: list[dict[str, Any]] = field(default_factory=list)
    journal: Journal = field(default_factory=Journal)
    clock_is_right: bool = True
    spec: Mapping[str, Any] = field(default_factory=lambda: ASKED)
    name: str = NAME  # of the request that the story is about now
    uid: str = UID
    _versions: Any = field(default_factory=lambda: count(100))

    def write(self, at: float, verb: str, resource: str, name: str, came_out: Mapping[str, Any], **more: Any) -> None:
        """One successful write."""
        kind, _, subresource = resource.partition("/")
        metadata = {"resourceVersion": str(next(self._versions)), **came_out.get("metadata", {})}
        event = {
            "stage": "ResponseComplete",
            "verb": verb,
            "requestURI": f"/{resource}/{name}",
            "user": {"username": more.pop("user", OPERATOR), "groups": more.pop("groups", [])},
            "userAgent": more.pop("agent", "jitaccess/o1"),
            "objectRef": {"resource": kind, "subresource": subresource, "namespace": NAMESPACE, "name": name},
            "responseStatus": {"code": more.pop("code", 200)},
            "responseObject": {**came_out, "metadata": metadata},
            "requestReceivedTimestamp": stamp(at),
            "stageTimestamp": stamp(at + 0.01),
        }
        self.events.append(event)

    def policy(self, at: float, *, uid: str = "policy-1", verb: str = "create", **changes: Any) -> None:
        """The policy is made or changed."""
        metadata = {"name": "debug", "namespace": NAMESPACE, "uid": uid}
        self.write(at, verb, "accesspolicies", "debug", {"metadata": metadata, "spec": {**POLICY, **changes}}, user="admin")

    def ask(self, at: float, **spec: Any) -> None:
        """Alice asks, if the spec names nobody else."""
        self.spec = {**ASKED, **spec}
        self.write(at, "create", "accessrequests", self.name, self._request({}), user=self.spec["requester"])

    def decide(self, at: float, *, who: str = "bob", groups: Sequence[str] = ("leads",), **ledgers: str) -> None:
        """People decide; the ledgers are given as they are afterwards, `approvals_lead` is the stage lead's."""
        annotations = {f"jitaccess.dev/{ledger.replace('_', '.')}": text for ledger, text in ledgers.items()}
        changed = self._request({"annotations": annotations})
        self.write(at, "patch", "accessrequests", self.name, changed, user=who, groups=list(groups))

    def lock(self, at: float, *people: str, until: float | None = None, lifted: float | None = None) -> None:
        """People are locked, and perhaps it is lifted."""
        spec: dict[str, Any] = {"subjects": [{"kind": "User", "name": who} for who in people]}
        spec |= {"until": stamp(until)} if until is not None else {}
        metadata = {"name": "lock-1", "uid": "lock-1"}
        self.write(at, "create", "accesslocks", "lock-1", {"metadata": metadata, "spec": spec}, user="admin")
        if lifted is not None:
            lifting = {"metadata": metadata, "spec": {**spec, "lifted": {"reason": "a drill"}}}
            self.write(lifted, "patch", "accesslocks", "lock-1", lifting, user="admin")

    def turn_to(self, name: str, uid: str) -> None:
        """From now on the story is about another request."""
        self.name, self.uid = name, uid

    def record(self, at: float, state: str, history: Sequence[Mapping[str, str]], **status: Any) -> None:
        """The operator writes the status."""
        whole = {"state": state, "settled": state not in ("Pending", "Scheduled", "Active"), "history": list(history), **status}
        self.write(at, "patch", "accessrequests/status", self.name, {**self._request({}), "status": whole})

    def bind(self, at: float, *, since: float = 3.0, until: float = 13.0, uid: str = "b1", of: str = "", **more: Any) -> None:
        """A binding is made."""
        made = binding(since, until, uid, of or self.uid)
        self.write(at, "create", "rolebindings", "jit-inc-42", made, code=201, **more)

    def rebind(self, at: float, *, until: float = 13.0, uid: str = "b1", subjects: Any = ALICE, **metadata: Any) -> None:
        """A binding is changed."""
        changed = binding(3.0, until, uid, UID, **metadata)
        self.write(at, "update", "rolebindings", "jit-inc-42", {**changed, "subjects": subjects})

    def delete(self, at: float, resource: str, uid: str, *, user: str = OPERATOR) -> None:
        """Something is deleted for good."""
        name = {"rolebindings": "jit-inc-42", "accessrequests": NAME, "accesspolicies": "debug"}[resource]
        self.write(at, "delete", resource, name, {"kind": "Status", "details": {"uid": uid}}, user=user)

    def warning(self, at: float) -> None:
        """A Warning Event about the request."""
        self.write(at, "create", "events", "e", {"type": "Warning", "involvedObject": {"uid": UID}})

    def wrong(self, start: float, end: float, what: str) -> None:
        """Something is wrong for this request from then until then."""
        self.journal.disturbances.append(Disturbance(START + start, START + end, what, NAMESPACE, NAME))

    def _request(self, metadata: Mapping[str, Any]) -> dict[str, Any]:
        return {"metadata": {"name": self.name, "namespace": NAMESPACE, "uid": self.uid, **metadata}, "spec": self.spec}

    def case(self) -> Case:
        """What the judge gets."""
        return Case(read_history(self.events), self.journal, START + FINISHED, self.clock_is_right)


def binding(since: float, until: float, uid: str, of: str, **metadata: Any) -> dict[str, Any]:
    """A grant's RoleBinding."""
    annotations = {"jitaccess.dev/granted-at": stamp(since), "jitaccess.dev/expires-at": stamp(until)}
    labels = {"jitaccess.dev/component": "grant", "jitaccess.dev/request-uid": of}
    own = {"name": "jit-inc-42", "namespace": NAMESPACE, "uid": uid, "labels": labels, "annotations": annotations}
    return {"metadata": {**own, **metadata}, "subjects": ALICE}


def begun() -> Log:
    """Asked, approved, recorded from 3 to 13, and bound."""
    log = Log()
    log.policy(0)
    log.ask(1)
    log.record(1.1, "Pending", [REQUESTED])
    log.decide(2, approvals="bob: ok")
    log.record(3, "Active", [REQUESTED, GRANTED], **times())
    log.bind(3.1)
    return log


def ended(log: Log, at: float = 13.0) -> Log:
    """And it ends: the binding is gone, then the record says so."""
    log.delete(at + 0.1, "rolebindings", "b1")
    log.record(at + 0.2, "Expired", [REQUESTED, GRANTED, EXPIRED], **times(), settledAt=stamp(at + 0.2))
    return log


def times(since: float = 3.0, until: float = 13.0) -> dict[str, str]:
    """What the record says of a grant."""
    return {"grantedAt": stamp(since), "expiresAt": stamp(until)}
