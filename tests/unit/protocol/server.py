"""The API server in memory: the objects of this protocol, and those rules of the real one that the promises rest on.

Like the real one: UIDs, resourceVersions, preconditions, `test` of a JSON Patch, finalizers, the CRD's transition rules, the
Job's time to live, garbage collection, watches, that no grant begins for or through the locked. Left out: authorisation, all
other admission, schemas (tests/unit/fake_api.py has those).
"""

import heapq
import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

T0 = datetime(2026, 7, 1, 2, 10, tzinfo=UTC)
NAMESPACE = "team-a"
ACCOUNTS = "jitaccess-grants"  # where temporary identities live

Object = dict[str, Any]
Name = tuple[str, str, str]  # plural, namespace, name

JOBS, BINDINGS, REQUESTS, POLICIES, ROLES = "jobs", "rolebindings", "accessrequests", "accesspolicies", "clusterroles"
SERVICE_ACCOUNTS, RIGHTS, LOCKS = "serviceaccounts", "roles", "accesslocks"
SETTLING = (REQUESTS, LOCKS)  # what settles leaves the selector of their watch
_NOT_THEIRS = ("uid", "creationTimestamp", "generation", "deletionTimestamp")  # nobody can write these
COLLECTED_AFTER = 0.5  # seconds until the garbage collector comes round


@dataclass(frozen=True, slots=True)
class Event:
    """What a watch reports."""

    type: str
    plural: str
    object: Object


class Failure(Exception):
    """An answer other than 2xx."""

    def __init__(self, status: int, reason: str, message: str, *causes: str) -> None:
        super().__init__(message)
        self.status = status
        self.body: Object = {"kind": "Status", "status": "Failure", "reason": reason, "message": message, "code": status}
        if causes:
            self.body["details"] = {"causes": [{"message": cause} for cause in causes]}


@dataclass
class Server:
    """Holds the objects; `time` is its clock, in seconds since T0."""

    time: float = 0.0
    objects: dict[Name, Object] = field(default_factory=dict)
    versions: dict[Name, list[tuple[int, Object | None]]] = field(default_factory=dict)  # each as it was after every write
    watchers: list[Callable[[Event], None]] = field(default_factory=list)
    changed: list[Callable[[str, Object | None, Object | None], None]] = field(default_factory=list)
    broken_rules: list[str] = field(default_factory=list)  # what the CRD had to refuse
    finalizer: str = ""  # what something in the cluster adds to every new binding
    delete_protection: bool = False  # no binding may be deleted or changed

    def __post_init__(self) -> None:
        self._numbers = itertools.count(1)
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []

    def now(self) -> datetime:
        """Its time as people write it."""
        return T0 + timedelta(seconds=self.time)

    def now_in(self, seconds: float) -> str:
        """A time so many seconds from now, as RFC 3339."""
        return (self.now() + timedelta(seconds=seconds)).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def second(self) -> str:
        """Its time in whole seconds, as in creationTimestamps."""
        return self.now().strftime("%Y-%m-%dT%H:%M:%SZ")

    def date(self) -> str:
        """The Date header."""
        return self.now().astimezone(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")

    def at(self, when: float, act: Callable[[], None]) -> None:
        """Do something at that time."""
        heapq.heappush(self._agenda, (max(when, self.time), next(self._numbers), act))

    @property
    def next_act(self) -> float:
        """When something of `at` is due next."""
        return self._agenda[0][0] if self._agenda else float("inf")

    def act(self) -> bool:
        """Do the next thing that is due; False if nothing is."""
        if self.next_act > self.time:
            return False
        heapq.heappop(self._agenda)[2]()
        return True

    def answer(self, verb: str, path: str, query: Mapping[str, str], body: bytes | None) -> tuple[int, bytes]:
        """Do what is asked; the status and body of the answer."""
        parts = unquote(path).strip("/").split("/")
        namespace = parts[parts.index("namespaces") + 1] if "namespaces" in parts else ""
        plural, *rest = parts[parts.index("namespaces") + 2 :] if namespace else parts[3:]
        name = (plural, namespace, rest[0] if rest else "")
        sent = json.loads(body) if body else {}
        try:
            answer = self._do(verb, name, rest[1:] == ["status"], query, sent)
        except Failure as failure:
            return failure.status, json.dumps(failure.body).encode()
        return (201 if verb == "POST" else 200), json.dumps(answer).encode()

    def _do(self, verb: str, name: Name, status: bool, query: Mapping[str, str], sent: Any) -> Object:
        if verb == "POST":
            return self._create(name, sent, dry_run="dryRun" in query)
        if not name[2]:
            items = self._as_of(name, query) if "resourceVersion" in query else self._selected(name[0], name[1], query)
            return {"metadata": {}, "items": list(items)}
        found = self.objects.get(name)
        if found is None:
            raise Failure(404, "NotFound", f"{name[0]} {name[2]} not found")
        if verb == "GET":
            return found
        if verb == "DELETE":
            return self._delete(name, found, sent)
        return self._patch_status(name, found, sent) if verb == "PATCH" and status else self._replace(name, found, sent)

    def _selected(self, plural: str, namespace: str, query: Mapping[str, str]) -> Iterator[Object]:
        labels = dict(pair.split("=") for pair in query.get("labelSelector", "").split(",") if pair)
        for (kind, space, _), found in self.objects.items():
            open_only = query.get("fieldSelector") == "status.settled!=true"
            selected = (found["metadata"].get("labels") or {}).items() >= labels.items()
            if kind == plural and namespace in ("", space) and selected and not (open_only and is_settled(found)):
                yield found

    def _as_of(self, name: Name, query: Mapping[str, str]) -> Iterator[Object]:
        name, revision = (*name[:2], query["fieldSelector"].removeprefix("metadata.name=")), int(query["resourceVersion"])
        versions = [found for version, found in self.versions.get(name, []) if version <= revision]
        if versions and versions[-1]:
            yield versions[-1]

    def _create(self, name: Name, sent: Object, *, dry_run: bool) -> Object:
        plural, namespace, _ = name
        taken = (plural, namespace, sent["metadata"]["name"])
        if taken in self.objects:
            raise Failure(409, "AlreadyExists", f"{plural} {taken[2]} already exists")
        if dry_run:
            return {**sent, "metadata": {**sent["metadata"], "uid": "dry", "creationTimestamp": self.second()}}
        return self.make(plural, sent)

    def _delete(self, name: Name, found: Object, options: Object) -> Object:
        wanted = (options.get("preconditions") or {}).get("uid", found["metadata"]["uid"])
        if wanted != found["metadata"]["uid"]:
            raise Failure(409, "Conflict", "Precondition failed: UID")
        self._must_not_be_protected(name[0])
        return self.remove(name) or {"kind": "Status", "status": "Success"}

    def _replace(self, name: Name, found: Object, sent: Object) -> Object:
        for precondition in ("uid", "resourceVersion"):
            if sent["metadata"].get(precondition, found["metadata"][precondition]) != found["metadata"][precondition]:
                raise Failure(409, "Conflict", f"{precondition} is another")
        if sent.get("roleRef") != found.get("roleRef"):
            raise Failure(422, "Invalid", "cannot change roleRef", "roleRef is immutable")
        self._must_not_be_protected(name[0])
        kept = {key: found["metadata"][key] for key in _NOT_THEIRS if key in found["metadata"]}
        return self._put(name, {**sent, "metadata": {**sent["metadata"], **kept}})

    def _must_not_be_protected(self, plural: str) -> None:
        if self.delete_protection and plural == BINDINGS:
            raise Failure(403, "Forbidden", "protected by a policy")

    def _patch_status(self, name: Name, found: Object, patch: list[Object]) -> Object:
        status = found.get("status")
        for step in patch:
            here: Any = found
            for part in step["path"].strip("/").split("/"):
                here = None if here is None else here.get(part.replace("~1", "/"))
            if step["op"] == "test" and here != step["value"]:
                raise Failure(422, "Invalid", "the server rejected our request due to an error in our request")
            if step["op"] == "add":
                status = step["value"]
        broken = [rule for rule, holds in _transition_rules(found.get("status") or {}, status or {}) if not holds]
        if status and status.get("grantedAt") and not (found.get("status") or {}).get("grantedAt"):
            self._must_lock_nobody_out(found, status)
        if broken:
            self.broken_rules += broken
            raise Failure(422, "Invalid", broken[0], *broken)
        return self._put(name, {**found, "status": status})

    def _must_lock_nobody_out(self, request: Object, status: Object) -> None:
        """As locked-grants.jitaccess.dev has it: a lock that is neither lifted nor settled."""
        people = {request["spec"]["requester"], *(approval["by"] for approval in status.get("approvals", ()))}
        locks = [found for (plural, *_), found in self.objects.items() if plural == LOCKS and not is_settled(found)]
        for lock in locks:
            if "lifted" not in lock["spec"] and people.intersection(subject["name"] for subject in lock["spec"]["subjects"]):
                raise Failure(403, "Forbidden", "ValidatingAdmissionPolicy 'locked-grants.jitaccess.dev' denied request: locked")

    # --- what anybody does to objects

    def make(self, plural: str, manifest: Object) -> Object:
        """Create an object."""
        given = {"uid": f"{next(self._numbers):08d}-uid", "creationTimestamp": self.second(), "generation": 1}
        metadata = {**manifest["metadata"], **given}
        if plural == BINDINGS and self.finalizer:
            metadata["finalizers"] = [self.finalizer]
        made = self._put(
            (plural, metadata.get("namespace", ""), metadata["name"]), {**manifest, "metadata": metadata}, type="ADDED"
        )
        if plural == JOBS:
            self.at(int(self.time) + manifest["spec"]["ttlSecondsAfterFinished"], lambda: self._time_is_up(made))
        return made

    def change(self, name: Name, **fields: Any) -> None:
        """Change top-level fields of an object; fields of metadata by `metadata`, merged."""
        found = self.objects[name]
        metadata = {**found["metadata"], **fields.pop("metadata", {})}
        metadata["generation"] = found["metadata"]["generation"] + ("spec" in fields)
        self._put(name, {**found, **fields, "metadata": metadata})

    def remove(self, name: Name) -> Object | None:
        """Delete an object; returns it where a finalizer keeps it."""
        found = self.objects[name]
        if found["metadata"].get("finalizers"):
            if "deletionTimestamp" not in found["metadata"]:
                self.change(name, metadata={"deletionTimestamp": self.second()})
            return self.objects[name]
        del self.objects[name]
        self.versions[name].append((next(self._numbers), None))
        self._report(name[0], found, None, "DELETED")
        return None

    def _put(self, name: Name, made: Object, type: str = "MODIFIED") -> Object:
        before = self.objects.get(name)
        version = next(self._numbers)
        made = {**made, "metadata": {**made["metadata"], "resourceVersion": str(version)}}
        self.objects[name] = made
        self.versions.setdefault(name, []).append((version, made))
        self._report(name[0], before, made, type)
        return made

    def _report(self, plural: str, before: Object | None, after: Object | None, type: str) -> None:
        for changed in self.changed:
            changed(plural, before, after)
        told = after or before
        if told is not None and not (before and plural in SETTLING and is_settled(before)):
            event = Event("DELETED" if plural in SETTLING and after and is_settled(after) else type, plural, told)
            for watch in self.watchers:
                watch(event)
        self.at(self.time + COLLECTED_AFTER, self._collect)

    def _time_is_up(self, job: Object) -> None:
        name = (JOBS, job["metadata"]["namespace"], job["metadata"]["name"])
        found = self.objects.get(name)
        if found and found["metadata"]["uid"] == job["metadata"]["uid"]:
            self.remove(name)

    def _collect(self) -> None:
        """Remove what belongs to nobody any more."""
        uids = {found["metadata"]["uid"] for found in self.objects.values()}
        for name, found in list(self.objects.items()):
            owners = found["metadata"].get("ownerReferences")
            going = "deletionTimestamp" in found["metadata"]
            kept = going or (self.delete_protection and name[0] == BINDINGS)
            if owners and not kept and not uids.intersection(owner["uid"] for owner in owners):
                self.remove(name)


def is_settled(found: Object) -> bool:
    """Whether the record says that a request can never give access again, or that a lock never holds again."""
    return bool((found.get("status") or {}).get("settled"))


def _transition_rules(old: Object, new: Object) -> Iterator[tuple[str, bool]]:
    yield "a settled request never changes its state again", not old.get("settled") or new.get("state") == old.get("state")
    for moment in ("expiresAt", "grantedAt"):
        yield f"{moment} never moves", moment not in old or new.get(moment) == old[moment]
