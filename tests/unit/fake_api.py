"""A Kubernetes API server in one file: it holds objects, counts writes, keeps the rules that we rely on, and fails on demand.

What it does like the real one: UIDs and resourceVersions, `already exists`, UID and resourceVersion preconditions, JSON Patches
of the status checked against the CRD and its transition rules, objects that finalizers keep, dry runs, namespaces that must
exist, empty lists left out of RBAC objects, `items: null` in an empty list of metadata (seen on v1.36.3). What it leaves out:
authorisation, watches, admission but for two rules, and garbage collection unless it is asked for.
"""

import asyncio
import copy
import itertools
import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self
from urllib.parse import unquote

from aiohttp import web
from aiohttp.test_utils import TestServer

from jitaccess.domain.model import Key
from jitaccess.manifests.resources import ACCESS_REVIEWS, CLUSTER_ROLES, LOCKS, NAMESPACES, REQUESTS, ROLES, WHOAMI, Resource
from unit.manifest_files import crd_schema, schema_faults

Object = dict[str, Any]
_PATH = re.compile(
    r"/(?:api/v1|apis/(?P<group>[^/]+)/[^/]+)(?:/namespaces/(?P<namespace>[^/]+))?/(?P<plural>[a-z]+)"
    r"(?:/(?P<name>[^/]+))?(?P<status>/status)?"
)
REASONS = {403: "Forbidden", 404: "NotFound", 409: "Conflict", 422: "Invalid", 429: "TooManyRequests"}
OPERATOR = "system:serviceaccount:jitaccess-system:jitaccess"
# Word for word from a real API server.
NOT_YOURS = (
    "accessrequests.jitaccess.dev \"x\" is forbidden: ValidatingAdmissionPolicy 'requesters.jitaccess.dev' with binding "
    "'requesters.jitaccess.dev' denied request: spec.requester must be your own user name: write `requester: 'x'`"
)
LOCKED_OUT = (
    "accessrequests.jitaccess.dev \"x\" is forbidden: ValidatingAdmissionPolicy 'locked-grants.jitaccess.dev' with binding "
    "'locked-grants.jitaccess.dev' denied request: {who} is locked by AccessLock '{lock}' (INC-7 stolen laptop): it does not "
    "begin"
)
_OMITTED_WHEN_EMPTY = ("subjects", "rules")


@dataclass
class Fault:
    """An answer that the server will give; with `after` it does what was asked first, as when it crashes behind the write."""

    call: str
    status: int
    message: str
    times: int
    after: bool


class Failure(Exception):
    """An answer other than 2xx."""

    def __init__(self, status: int, message: str, reason: str = "", causes: list[Object] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.causes = causes
        self.reason = reason or REASONS.get(status, "")

    def response(self) -> web.Response:
        """As the API server says it."""
        return web.json_response(
            {
                "kind": "Status",
                "status": "Failure",
                "reason": self.reason,
                "message": str(self),
                "code": self.status,
                "details": {"causes": self.causes} if self.causes else {},
            },
            status=self.status,
        )


class History(dict[tuple[str, Key], Object]):
    """The objects as they are, and each as it was after every write, by resourceVersion."""

    def __init__(self, version: Callable[[], int]) -> None:
        super().__init__()
        self._version = version
        self._versions: dict[tuple[str, Key], list[tuple[int, Object | None]]] = {}

    def __setitem__(self, key: tuple[str, Key], made: Object) -> None:
        super().__setitem__(key, made)
        self._versions.setdefault(key, []).append((int(made["metadata"]["resourceVersion"]), made))

    def __delitem__(self, key: tuple[str, Key]) -> None:
        super().__delitem__(key)
        self._versions[key].append((self._version(), None))

    def as_of(self, plural: str, key: Key, revision: int) -> Object | None:
        """An object as it was then; None if there was none."""
        versions = [found for version, found in self._versions.get((plural, key), []) if version <= revision]
        return versions[-1] if versions else None


class FakeApi:
    """One server, for one test: `async with FakeApi(now) as api`."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._versions = itertools.count(100)
        self.objects = History(lambda: next(self._versions))
        self.namespaces = {"team-a", "team-b", "default", "jitaccess-system", "jitaccess-directory", "jitaccess-grants"}
        self.calls: list[str] = []  # every call as "VERB plural", "PATCH plural/status"
        self.writes: list[str] = []  # those that changed something
        self.dry_runs: list[str] = []
        self.queries: list[dict[str, str]] = []
        self.enforces = True  # whether requesters.jitaccess.dev is in force
        self.username = OPERATOR  # who all callers are
        self.forbidden: set[str] = set()  # resources of which an access review says no
        self.forgets = False  # whether etcd has just been compacted
        self.hang: asyncio.Event | None = None  # nothing is answered until it is set
        self._now = now
        self._faults: list[Fault] = []
        self._before: dict[str, Callable[[], Any]] = {}
        self._webhooks: dict[str, Callable[[Object], Any]] = {}
        self._uids = itertools.count(1)
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._answer)
        self._server = TestServer(application)

    async def __aenter__(self) -> Self:
        await self._server.start_server()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.close()

    @property
    def url(self) -> str:
        """Where it listens."""
        return str(self._server.make_url("")).rstrip("/")

    def put(self, resource: Resource, manifest: Object) -> Object:
        """Somebody else makes or changes an object: not counted, not checked."""
        metadata = manifest["metadata"]
        filled = {"uid": f"uid-{next(self._uids)}", "creationTimestamp": self._second(), "generation": 1} | metadata
        made = {**manifest, "metadata": filled | {"resourceVersion": str(next(self._versions))}}
        self.objects[resource.plural, Key(metadata.get("namespace", ""), metadata["name"])] = made
        return made

    def put_namespace(self, name: str, **labels: str) -> None:
        """Make a namespace, or give it these labels."""
        self.namespaces.add(name)
        self.put(NAMESPACES, {"metadata": {"name": name, "labels": labels}})

    def put_role(self, name: str, *rules: Object, namespace: str = "") -> None:
        """Make a ClusterRole, or with a namespace a Role."""
        where = {"namespace": namespace} if namespace else {}
        self.put(ROLES if namespace else CLUSTER_ROLES, {"metadata": {"name": name, **where}, "rules": list(rules)})

    def get(self, resource: Resource, key: Key) -> Object | None:
        """The object as it is now."""
        return self.objects.get((resource.plural, key))

    def all(self, resource: Resource) -> list[Object]:
        """The objects of a kind."""
        return [found for (plural, _), found in self.objects.items() if plural == resource.plural]

    def remove(self, resource: Resource, key: Key) -> None:
        """Somebody else deletes an object."""
        del self.objects[resource.plural, key]

    def touch(self, resource: Resource, key: Key) -> None:
        """Somebody else writes an object as it is: only its resourceVersion is new."""
        self.put(resource, self.objects[resource.plural, key])

    def annotate(self, resource: Resource, key: Key, **annotations: str) -> None:
        """Somebody else writes annotations under jitaccess.dev/."""
        found = self.objects[resource.plural, key]
        wanted = {f"jitaccess.dev/{name}": text for name, text in annotations.items()}
        metadata = found["metadata"] | {"annotations": found["metadata"].get("annotations", {}) | wanted}
        self.put(resource, {**found, "metadata": metadata})

    def fail(self, call: str, status: int, message: str = "no", *, times: int = 1, after: bool = False) -> None:
        """Answer the next calls `VERB plural[/status]` with a failure."""
        self._faults.append(Fault(call, status, message, times, after))

    def before(self, call: str, act: Callable[[], Any]) -> None:
        """Do something once, right before the next such call is looked at: a race, made to happen."""
        self._before[call] = act

    def mutate(self, resource: Resource, change: Callable[[Object], Any]) -> None:
        """A webhook that changes every new object of a kind."""
        self._webhooks[resource.plural] = change

    def forget_calls(self) -> None:
        """Count from here."""
        self.calls.clear()
        self.writes.clear()
        self.dry_runs.clear()

    async def _answer(self, request: web.Request) -> web.Response:
        if self.hang:
            await self.hang.wait()
        parsed = _PATH.fullmatch(request.rel_url.raw_path)
        if not parsed:
            return web.Response(status=404, text="404 page not found\n")
        plural, status = parsed["plural"], parsed["status"] or ""
        call = f"{request.method} {plural}{status}"
        self.calls.append(call)
        if act := self._before.pop(call, None):
            act()
        fault = self._fault(call)
        if fault and not fault.after:
            return Failure(fault.status, fault.message).response()
        key = Key(unquote(parsed["namespace"] or ""), unquote(parsed["name"] or ""))
        try:
            answer = await self._serve(request, call, plural, key)
        except Failure as failure:
            return failure.response()
        return Failure(fault.status, fault.message).response() if fault else web.json_response(answer)

    def _fault(self, call: str) -> Fault | None:
        for fault in self._faults:
            if fault.call == call and fault.times > 0:
                fault.times -= 1
                return fault
        return None

    async def _serve(self, request: web.Request, call: str, plural: str, key: Key) -> Object:
        body = json.loads(await request.read() or b"null")
        if request.method == "GET" and not key.name:
            return (
                self._list(request, plural, key.namespace)
                if "resourceVersion" not in request.query
                else self._as_of(request, plural, key)
            )
        found = self.objects.get((plural, key))
        # A PUT may create what RBAC has kinds for; one is known that is written so.
        makes = request.method == "PUT" and found is None and plural == CLUSTER_ROLES.plural
        if request.method == "POST" or makes:
            return self._create(call, plural, key.namespace, body, dry_run=request.query.get("dryRun") == "All")
        if found is None:
            raise Failure(404, f'{plural} "{key.name}" not found')
        if request.method == "GET":
            return found
        if request.method == "DELETE":
            return self._delete(call, plural, key, body or {})
        if request.method == "PUT":
            return self._change(call, plural, key, found, body)
        if request.content_type != "application/json-patch+json":
            raise Failure(415, f"{request.content_type} is no patch that this server knows")
        return self._patch_status(call, plural, key, body)

    def _list(self, request: web.Request, plural: str, namespace: str) -> Object:
        self.queries.append({"kind": plural, **request.query})
        items = [item for item in self._all(plural, namespace) if _selected(item, request.query)]
        start, limit = int(request.query.get("continue", "0")), int(request.query.get("limit", "500"))
        page, rest = items[start : start + limit], items[start + limit :]
        newest = max((int(item["metadata"]["resourceVersion"]) for item in self.objects.values()), default=1)
        metadata: Object = {"resourceVersion": str(newest)} | ({"continue": str(start + limit)} if rest else {})
        if "PartialObjectMetadataList" in request.headers["Accept"]:
            return {"metadata": metadata, "items": [{"metadata": item["metadata"]} for item in page] or None}
        return {"metadata": metadata, "items": page}

    def _as_of(self, request: web.Request, plural: str, key: Key) -> Object:
        assert request.query["resourceVersionMatch"] == "Exact", f"no other match is ever asked for, not {request.query}"
        if self.forgets:
            raise Failure(410, "The resourceVersion for the provided list is too old.", "Expired")
        name = request.query["fieldSelector"].removeprefix("metadata.name=")
        found = self.objects.as_of(plural, Key(key.namespace, name), int(request.query["resourceVersion"]))
        return {"metadata": {}, "items": [found] if found else []}

    def _all(self, plural: str, namespace: str) -> Iterator[Object]:
        everything = sorted(self.objects.items())
        return (found for (kind, key), found in everything if kind == plural and namespace in ("", key.namespace))

    def _create(self, call: str, plural: str, namespace: str, body: Object, *, dry_run: bool) -> Object:
        if namespace and namespace not in self.namespaces:
            raise Failure(404, f'namespaces "{namespace}" not found')
        if plural == WHOAMI.plural:
            return {**body, "status": {"userInfo": {"username": self.username}}}
        if plural == ACCESS_REVIEWS.plural:
            asked = body["spec"]["resourceAttributes"]
            forbidden = {asked["resource"], f"{asked['verb']} {asked['resource']}"} & self.forbidden
            return {**body, "status": {"allowed": not forbidden}}
        if plural == REQUESTS.plural and self.enforces and body["spec"].get("requester") != self.username:
            raise Failure(403, NOT_YOURS)
        key = Key(namespace, body["metadata"]["name"])
        if (plural, key) in self.objects:
            raise Failure(409, f'{plural} "{key.name}" already exists', "AlreadyExists")
        filled = {"uid": f"uid-{next(self._uids)}", "creationTimestamp": self._second(), "generation": 1}
        made = {**body, "metadata": body["metadata"] | filled | {"resourceVersion": str(next(self._versions))}}
        made = {field: value for field, value in made.items() if value or field not in _OMITTED_WHEN_EMPTY}
        made = copy.deepcopy(made)
        if webhook := self._webhooks.get(plural):
            webhook(made)
        if dry_run:
            self.dry_runs.append(call)
            return made
        return self._store(call, plural, key, made)

    def _change(self, call: str, plural: str, key: Key, found: Object, body: Object) -> Object:
        if body["metadata"].get("resourceVersion") not in (None, found["metadata"]["resourceVersion"]):
            raise Failure(409, f"{plural} {key.name}: the object has been modified")
        if body["metadata"].get("uid") not in (None, found["metadata"]["uid"]):
            raise Failure(409, f"Precondition failed: UID in precondition: {body['metadata']['uid']}")
        immutable = ("uid", "creationTimestamp", "generation", "deletionTimestamp")
        kept = {field: found["metadata"][field] for field in immutable if field in found["metadata"]}
        metadata = body["metadata"] | kept | {"resourceVersion": str(next(self._versions))}
        made = {field: value for field, value in body.items() if value or field not in _OMITTED_WHEN_EMPTY}
        return self._store(call, plural, key, {**made, "metadata": metadata})

    def _delete(self, call: str, plural: str, key: Key, options: Object) -> Object:
        metadata = self.objects[plural, key]["metadata"]
        uid = (options.get("preconditions") or {}).get("uid")
        if uid not in (None, metadata["uid"]):
            raise Failure(409, f"Precondition failed: UID in precondition: {uid}, UID in object meta: {metadata['uid']}")
        self.writes.append(call)
        if metadata.get("finalizers"):
            metadata["deletionTimestamp"] = self._second()
            return {"kind": "Object", **self.objects[plural, key]}
        del self.objects[plural, key]
        return {"kind": "Status", "status": "Success"}

    def _patch_status(self, call: str, plural: str, key: Key, body: list[Object]) -> Object:
        found = self.objects[plural, key]
        *tests, change = body
        if not all(test["op"] == "test" and _at(found, test["path"]) == test["value"] for test in tests):
            raise Failure(422, "the server rejected our request due to an error in our request")
        assert (change["op"], change["path"]) == ("add", "/status"), f"only a whole status is ever written, not {change}"
        status = change["value"]
        with suppress(FileNotFoundError):
            if faults := list(schema_faults(status, crd_schema(plural)["properties"]["status"], "status")):
                raise Failure(422, "; ".join(faults), causes=[{"message": fault} for fault in faults])
        if faults := list(_moved(found.get("status") or {}, status)):
            raise Failure(422, "; ".join(faults), causes=[{"message": fault} for fault in faults])
        if plural != LOCKS.plural and status.get("grantedAt") and not (found.get("status") or {}).get("grantedAt"):
            self._nobody_is_locked(found["spec"]["requester"], *(approval["by"] for approval in status.get("approvals", ())))
        self.writes.append(call)
        if status == found.get("status"):
            return found
        metadata = found["metadata"] | {"resourceVersion": str(next(self._versions))}
        self.objects[plural, key] = {**found, "metadata": metadata, "status": status}
        return self.objects[plural, key]

    def _nobody_is_locked(self, *people: str) -> None:
        """What locked-grants.jitaccess.dev says when access begins; it has no clock."""
        for lock in self.all(LOCKS):
            names = {subject["name"].lower() for subject in lock["spec"]["subjects"]}
            holds = not lock["spec"].get("lifted") and not (lock.get("status") or {}).get("settled")
            if holds and (found := [who for who in people if who.lower() in names]):
                raise Failure(403, LOCKED_OUT.format(who=found[0], lock=lock["metadata"]["name"]))

    def _store(self, call: str, plural: str, key: Key, made: Object) -> Object:
        self.writes.append(call)
        self.objects[plural, key] = made
        return made

    def _second(self) -> str:
        return self._now().strftime("%Y-%m-%dT%H:%M:%SZ")


def _at(found: Object, pointer: str) -> Any:
    """What a JSON pointer leads to; None where it leads nowhere, which a `test` of null takes for true on its last step."""
    value: Any = found
    for step in pointer.strip("/").split("/"):
        value = value.get(step.replace("~1", "/")) if isinstance(value, dict) else None
    return value


def _moved(old: Object, new: Object) -> Iterator[str]:
    """The transition rules of the CRD's status."""
    if old.get("settled") and new.get("state") != old.get("state"):
        yield "a settled request never changes its state again"
    for field in ("grantedAt", "expiresAt"):
        if field in old and new.get(field) != old[field]:
            yield f"{field} never moves"


def _selected(item: Object, query: Any) -> bool:
    labels = item["metadata"].get("labels") or {}
    wanted = [pair.split("=") for pair in query.get("labelSelector", "").split(",") if pair]
    terms = [term for term in query.get("fieldSelector", "").split(",") if term]
    return all(_has_field(item, term) for term in terms) and all(labels.get(name) == value for name, value in wanted)


# What the CRDs and the API server let one select by.
SELECTABLE = ("settled", "settledIn", "state", "awaitingReview", "reviewedIn")


def _has_field(item: Object, term: str) -> bool:
    """Whether an object fits one term of a field selector, `status.settled!=true`; what is not there reads as empty."""
    field, _, wanted = term.partition("=")
    name = field.removesuffix("!").removeprefix("status.")
    if name not in SELECTABLE:
        return False
    found = (item.get("status") or {}).get(name, "")
    text = str(found).lower() if isinstance(found, bool) else str(found)
    return (text == wanted) is not field.endswith("!")
