"""What happened, by the API server's audit log alone: requests, their records, their bindings, and what people decided.

Shares no code with the operator. The resourceVersion that each write came out with is etcd's own count, so it orders all writes.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chaos.approvals import Approval, read_approvals
from chaos.audited import Event, came_out, deleted_uid, done, is_done, is_held_up, sent, version_of
from chaos.locks import Lock, fold, read_lock

OPERATOR = "system:serviceaccount:jitaccess-system:jitaccess"
REQUEST_UID = "jitaccess.dev/request-uid"
GRANTED_AT = "jitaccess.dev/granted-at"
EXPIRES_AT = "jitaccess.dev/expires-at"
ENDING_LEDGERS = ("jitaccess.dev/denials", "jitaccess.dev/revocations")


@dataclass(frozen=True, slots=True)
class Record:
    """One version of a status; `sent` and `done` are when the API server got the write and when it had answered."""

    version: int
    sent: float
    done: float
    status: Mapping[str, Any]
    astray: bool = False  # the network repeated it, or held it up


@dataclass(slots=True)
class Binding:
    """One RoleBinding of a grant, from its creation until it gave nothing any more."""

    namespace: str
    name: str
    uid: str
    request_uid: str
    version: int
    sent: float
    created: float
    granted_at: str
    expires_at: str
    astray: bool  # it was made by somebody else, or by a request that the network repeated or held up: no operator can help it
    ends: list[str] = field(default_factory=list)  # every end that it ever carried
    ended: float | None = None
    by: str = ""


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """A policy from a moment on; no spec where it was deleted."""

    at: float
    uid: str
    spec: Mapping[str, Any] | None


@dataclass(slots=True)
class Request:
    """One request by its UID, and all that was written about it."""

    namespace: str
    name: str
    uid: str
    spec: Mapping[str, Any]
    records: list[Record] = field(default_factory=list)
    bindings: list[Binding] = field(default_factory=list)
    approvals: dict[tuple[str, str], Approval] = field(default_factory=dict)  # by stage and person; none by the requester
    asked: tuple[float, float] | None = None  # when it was sent, and there
    over: float | None = None  # when the first denial or revocation was accepted
    deleted: float | None = None
    warnings: list[float] = field(default_factory=list)  # when a Warning Event about it was written

    @property
    def begun(self) -> Record | None:
        """The first record that tells of a grant."""
        return next((record for record in self.records if record.status.get("grantedAt")), None)

    @property
    def settled(self) -> Record | None:
        """The first record that calls it over."""
        return next((record for record in self.records if record.status.get("settled")), None)

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass
class History:
    """Everything that the audit log tells."""

    requests: dict[str, Request] = field(default_factory=dict)
    policies: dict[tuple[str, str], list[PolicyVersion]] = field(default_factory=dict)
    locks: dict[str, Lock] = field(default_factory=dict)
    strangers: list[Binding] = field(default_factory=list)  # grants of a request that nobody ever made


def read_history(events: Iterable[Event], namespace: str = "") -> History:
    """Read audit events, in whatever order they were written: of one namespace, or of all."""
    history = History()
    for event in sorted(filter(is_done, events), key=done):
        about = event.get("objectRef") or {}
        here = not namespace or about.get("namespace", namespace) == namespace  # locks are in no namespace
        if here and (reader := _READERS.get(about.get("resource", ""))):
            reader(history, event)
    for request in history.requests.values():
        request.records.sort(key=lambda record: record.version)
    return history


def _read_request(history: History, event: Event) -> None:
    found = came_out(event)
    if event["verb"] == "delete":
        return _read_request_deletion(history, event, found)
    if not found:
        return
    metadata = found["metadata"]
    made = Request(metadata["namespace"], metadata["name"], metadata["uid"], found.get("spec") or {})
    request = history.requests.setdefault(metadata["uid"], made)
    if event["objectRef"].get("subresource") == "status":
        when = version_of(found), sent(event), done(event)
        request.records.append(Record(*when, found.get("status") or {}, is_held_up(event)))
        return
    request.asked = request.asked or (sent(event), done(event))
    _read_ledgers(request, metadata.get("annotations") or {}, event)


def _read_ledgers(request: Request, annotations: Mapping[str, str], event: Event) -> None:
    user, when = event["user"], (sent(event), done(event), version_of(came_out(event)))
    for who, stage in read_approvals(annotations):
        groups = frozenset(user.get("groups") or ()) if user["username"] == who else None
        if fold(who) != fold(request.spec.get("requester", "")):
            request.approvals.setdefault((stage, fold(who)), Approval(who, stage, *when, groups))
    if request.over is None and any(annotations.get(ledger) for ledger in ENDING_LEDGERS):
        request.over = done(event)


def _read_request_deletion(history: History, event: Event, found: Mapping[str, Any]) -> None:
    uid = deleted_uid(event, found)
    if request := history.requests.get(uid):
        request.deleted = request.deleted or done(event)


def _read_binding(history: History, event: Event) -> None:
    found = came_out(event)
    if event["verb"] == "create":
        return _read_new_binding(history, event, found)
    uid = deleted_uid(event, found)
    for binding in _bindings(history):
        if binding.uid == uid:
            _follow(binding, event, found)


def _read_new_binding(history: History, event: Event, found: Mapping[str, Any]) -> None:
    metadata = found.get("metadata") or {}
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    if labels.get("jitaccess.dev/component") != "grant":
        return
    uid = labels.get(REQUEST_UID, "")
    binding = Binding(
        metadata["namespace"],
        metadata["name"],
        metadata["uid"],
        uid,
        version_of(found),
        sent(event),
        done(event),
        annotations.get(GRANTED_AT, ""),
        annotations.get(EXPIRES_AT, ""),
        _is_astray(event),
        [annotations.get(EXPIRES_AT, "")],
    )
    request = history.requests.get(uid)
    (request.bindings if request else history.strangers).append(binding)


def _is_astray(event: Event) -> bool:
    return is_held_up(event) or event["user"]["username"] != OPERATOR


def _follow(binding: Binding, event: Event, found: Mapping[str, Any]) -> None:
    """It is over when it is gone, or when nobody is named in it any more; a finalizer alone keeps it giving access."""
    metadata = found.get("metadata") or {}
    if carried := (metadata.get("annotations") or {}).get(EXPIRES_AT):
        binding.ends.append(carried)
    kept = bool(metadata.get("finalizers"))
    gone = (event["verb"] == "delete" and not kept) or ("deletionTimestamp" in metadata and not kept)
    empty = bool(found) and not found.get("subjects")
    if gone or empty:
        binding.ended = done(event) if binding.ended is None else binding.ended
        binding.by = binding.by or event["user"]["username"]
    elif found:
        binding.ended = None


def _bindings(history: History) -> Iterable[Binding]:
    for request in history.requests.values():
        yield from request.bindings
    yield from history.strangers


def _read_policy(history: History, event: Event) -> None:
    reference, found = event["objectRef"], came_out(event)
    if reference.get("subresource"):
        return
    gone = event["verb"] == "delete"
    name = reference.get("name") or found["metadata"]["name"]
    version = PolicyVersion(done(event), deleted_uid(event, found), None if gone else found.get("spec") or {})
    history.policies.setdefault((reference["namespace"], name), []).append(version)


def _read_lock(history: History, event: Event) -> None:
    read_lock(history.locks, came_out(event), sent(event), done(event))


def _read_event(history: History, event: Event) -> None:
    told = event.get("responseObject") or {}
    about = told.get("involvedObject") or told.get("regarding") or {}
    if told.get("type") == "Warning" and (request := history.requests.get(about.get("uid", ""))):
        request.warnings.append(done(event))


_READERS = {
    "accessrequests": _read_request,
    "rolebindings": _read_binding,
    "accesspolicies": _read_policy,
    "accesslocks": _read_lock,
    "events": _read_event,
}
