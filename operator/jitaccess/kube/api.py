"""The one adapter to the Kubernetes API, in the domain's words: absence is a value, deletion is idempotent, outages raise."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from typing import Any

import aiohttp

from jitaccess.domain.model import GROUP, AccessPolicy, AccessRequest, Key, Ledger, Manifest, PolicyRef, RoleRef
from jitaccess.domain.recorded import NOTHING_RECORDED, Recorded
from jitaccess.domain.roles import Role
from jitaccess.kube.clock import uptime
from jitaccess.manifests.kinds import policy_resource
from jitaccess.manifests.parse import parse_policy, parse_request
from jitaccess.manifests.resources import CLUSTER_ROLES, CRDS, ROLES, Resource
from jitaccess.manifests.roles import parse_role
from jitaccess.manifests.status import request_status

PAGE = 500
Body = Manifest | Sequence[Manifest] | None
WATCH_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=60)
_METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


class Outage(Exception):
    """The API server could not be reached or could not answer: never a verdict, always tried again."""


class Conflict(Exception):
    """An object of that name exists already, or is not as we last saw it; read again."""


class Refused(Exception):
    """The API server, or an admission policy, said no: the message is theirs."""


class Cluster:
    """Reads and writes through one HTTP session, which the caller opens and closes; writes only while `may_write`.

    `observe` learns of each answer: its Date header, and when (`uptime`) it was asked for and came.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        server: str,
        may_write: Callable[[], bool] = lambda: True,
        observe: Callable[[str, float, float], None] = lambda _date, _sent, _received: None,
    ) -> None:
        self._session = session
        self._server = server
        self._may_write = may_write
        self._observe = observe

    async def request(self, resource: Resource, key: Key) -> AccessRequest | None:
        """Read a request; None if there is none."""
        found = await self.find(resource, key)
        return parse_request(found) if found else None

    async def policy(self, ref: PolicyRef) -> AccessPolicy | None:
        """Read a policy; None if there is none, or if it is of a kind that we do not know."""
        resource = policy_resource(ref.kind)
        found = await self.find(resource, ref.key) if resource else None
        return parse_policy(found) if found else None

    async def role(self, role: RoleRef, namespace: str) -> Role | None:
        """Read a Role or ClusterRole; None if there is none, Refused if the operator may not read it."""
        if role.name in (".", ".."):
            return None  # RBAC has no such names, and a URL with them leads elsewhere
        resource, space = (ROLES, namespace) if role.kind == ROLES.kind else (CLUSTER_ROLES, "")
        found = await self.find(resource, Key(space, role.name))
        return parse_role(found) if found else None

    async def find(self, resource: Resource, key: Key) -> Manifest | None:
        """Read any object; None if there is none, as where its CustomResourceDefinition was deleted."""
        try:
            return await self._call("GET", resource.path(key))
        except _NotFound:
            return None
        except _NotServed:
            # What is not served may only be unreachable; where it is not even defined, its objects went with the definition.
            name = Key("", f"{resource.plural}.{resource.group}")
            if resource.group == GROUP and await self.find(CRDS, name) is None:
                return None
            raise

    async def create(self, resource: Resource, manifest: Manifest, *, dry_run: bool = False) -> Manifest:
        """Make an object, or only ask whether it could be made; returns it as it came out. Conflict if the name is taken."""
        path = resource.path(namespace=manifest["metadata"].get("namespace", ""))
        try:
            return await self._call("POST", path, manifest, query={"dryRun": "All"} if dry_run else None)
        except _NotFound as error:
            raise Refused(str(error)) from error

    async def replace(self, resource: Resource, key: Key, manifest: Manifest) -> Manifest:
        """Replace an object of ours; returns it as it came out. Conflict if it is gone or changed meanwhile."""
        try:
            return await self._call("PUT", resource.path(key), manifest)
        except _NotFound as error:
            raise Conflict(str(error)) from error

    async def delete(self, resource: Resource, key: Key, uid: str) -> Manifest | None:
        """Delete exactly that object; Conflict if the name now belongs to another.

        Returns None once it is gone, and the object as it is now where something (a finalizer) keeps it standing.
        """
        options = {"propagationPolicy": "Background", "preconditions": {"uid": uid}}
        try:
            answer = await self._call("DELETE", resource.path(key), options)
        except _NotFound:
            return None
        return None if answer.get("kind") == "Status" else answer

    async def record(self, resource: Resource, request: AccessRequest, recorded: Recorded) -> AccessRequest | None:
        """Write the record that follows the one in `request`; returns the request as it is then, None if it is gone.

        Nobody else's writes can make it fail: it asks for the UID, and for the revision that only we count, not for the
        resourceVersion. Conflict if that is another request, or if somebody (another replica, or a write of ours whose answer
        got lost) has recorded since. The record of a grant also asks that nobody has denied or revoked it, nor deleted it.
        """
        old = request.recorded
        # A status of version 0.1.0 has no revision yet; of a request that nobody has looked at, there is no status at all.
        path = "/status" if old == NOTHING_RECORDED else "/status/revision"
        expected = {"op": "test", "path": path, "value": old.revision or None}
        grants = request.approvals and recorded.granted_at and not old.granted_at
        wanted: list[Manifest] = [expected, *(_UNDISPUTED if grants else ())]
        written = await self.write_status(resource, request.key, request.uid, request_status(recorded), *wanted)
        return parse_request(written) if written else None

    async def write_status(
        self, resource: Resource, key: Key, uid: str, status: Manifest, *expected: Manifest
    ) -> Manifest | None:
        """Write a whole status, where the UID and whatever else is expected (`test` of a JSON Patch) hold; Conflict elsewhere.

        Returns the object as it is then, None if it is gone.
        """
        patch = [
            {"op": "test", "path": "/metadata/uid", "value": uid},
            *expected,
            {"op": "add", "path": "/status", "value": status},
        ]
        try:
            return await self._call("PATCH", resource.path(key, subresource="status"), patch)
        except _NotFound:
            return None
        except _Unpatchable as error:
            raise Conflict(f"{resource.kind} {key} is not as it was read: {error}") from error

    async def list_metadata(self, resource: Resource, **selectors: str) -> AsyncIterator[Manifest]:
        """The objects of a kind in the whole cluster, metadata only, page by page; selectors as in the API (`labelSelector=`)."""
        async for item in self._list(resource, selectors, _METADATA_ONLY):
            yield item

    async def list_objects(self, resource: Resource, **selectors: str) -> AsyncIterator[Manifest]:
        """The objects of a kind in the whole cluster, page by page; selectors as in the API (`labelSelector=`)."""
        async for item in self._list(resource, selectors, "application/json"):
            yield item

    async def watch(self, resource: Resource, key: Key, version: str) -> AsyncGenerator[Manifest | None]:
        """One object each time it changes after `version`, None when it is deleted; Outage when told no more."""
        query = {"watch": "1", "fieldSelector": f"metadata.name={key.name}"} | ({"resourceVersion": version} if version else {})
        path = resource.path(namespace=key.namespace)
        try:
            async with self._session.get(f"{self._server}{path}", params=query, timeout=WATCH_TIMEOUT) as response:
                if response.status >= 300:
                    raise _failure(response.status, f"WATCH {path}", await response.read())
                async for line in response.content:
                    event = _object(f"WATCH {path}", line)
                    if event.get("type") not in ("ADDED", "MODIFIED", "DELETED"):
                        raise Outage(f"WATCH {path}: {event}")
                    yield None if event["type"] == "DELETED" else event["object"]
        except (aiohttp.ClientError, TimeoutError, OSError, _NotFound) as error:
            raise Outage(f"WATCH {path}: {type(error).__name__}: {error}") from error

    async def _list(self, resource: Resource, selectors: Mapping[str, str], accept: str) -> AsyncIterator[Manifest]:
        query = {**selectors, "limit": str(PAGE)}
        restarted = False
        while True:
            try:
                page = await self._call("GET", resource.path(), query=query, accept=accept)
            except _Expired:
                # The list took longer than the API server remembers: from the start, once. What was told already is told again.
                if restarted or not query.pop("continue", ""):
                    raise
                restarted = True
                continue
            except _NotFound as error:
                raise Outage(f"{resource.plural} are not served: {error}") from error
            for item in page.get("items") or []:
                yield item
            token = page["metadata"].get("continue")
            if not token:
                return
            query["continue"] = token

    async def _call(
        self, verb: str, path: str, body: Body = None, *, query: Mapping[str, str] | None = None, accept: str = ""
    ) -> dict[str, Any]:
        # Asked here, at the last moment: a process that slept through its lease has no right to what it had decided before.
        if verb != "GET" and "dryRun" not in (query or {}) and not self._may_write():
            raise Outage(f"{verb} {path}: not the leader")
        kind = "application/json-patch+json" if verb == "PATCH" else "application/json"
        headers = {"Accept": accept or "application/json"} | ({"Content-Type": kind} if body is not None else {})
        data = json.dumps(body, separators=(",", ":")).encode() if body is not None else None
        sent = uptime()
        try:
            async with self._session.request(
                verb, f"{self._server}{path}", data=data, params=query, headers=headers, allow_redirects=False
            ) as response:
                self._observe(response.headers.get("Date", ""), sent, uptime())
                text = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Outage(f"{verb} {path}: {type(error).__name__}: {error}") from error
        if response.status >= 300:
            raise _failure(response.status, f"{verb} {path}", text)
        return _object(f"{verb} {path}", text)


# There are annotations where there is an approval; of one that is not there, `test` of null is true.
_UNDISPUTED = tuple(
    {"op": "test", "path": path, "value": None}
    for path in (
        "/metadata/deletionTimestamp",
        *(f"/metadata/annotations/{ledger.replace('/', '~1')}" for ledger in (Ledger.DENIALS, Ledger.REVOCATIONS)),
    )
)


class _NotFound(Exception):
    """404, for the methods here to turn into a value."""


class _NotServed(Outage):
    """404 by something else than an object's absence: the kind is not served here, or now."""


class _Expired(Outage):
    """410: what was asked to be continued is no longer known."""


class _Unpatchable(Exception):
    """422 in the API server's own words: what a JSON Patch expected (`test`) does not hold."""


_UNPATCHABLE = "the server rejected our request due to an error in our request"


def _object(call: str, text: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(text)
    except ValueError as error:
        raise Outage(f"{call}: the answer is not JSON: {text[:200]!r}") from error
    if not isinstance(answer, dict):
        raise Outage(f"{call}: the answer is no object: {text[:200]!r}")
    return answer


def _failure(status: int, call: str, text: bytes) -> Exception:
    message = _message(text)
    # Only the API server itself can say that something is not there; a proxy's 404 is an outage.
    if status == 404 and _reason(text) == "NotFound":
        return _NotFound(message)
    if status == 409:
        return Conflict(message)
    if status == 422 and call.startswith("PATCH") and message == _UNPATCHABLE:
        return _Unpatchable(message)
    if "etcdserver: request is too large" in message:
        return Refused(message)  # however often it is tried
    # 401 is a token that is just being rotated, 408 and 429 are pressure: none of them says no.
    if status in (401, 404, 408, 410, 429) or not 400 <= status < 500:
        return {404: _NotServed, 410: _Expired}.get(status, Outage)(f"{call}: {status} {message}")
    return Refused(message)


def _reason(text: bytes) -> str:
    return str(_status(text).get("reason", ""))


def _status(text: bytes) -> Manifest:
    """The Status that the API server itself answered; empty where the answer is somebody else's."""
    try:
        status = json.loads(text)
    except ValueError:
        return {}
    return status if isinstance(status, dict) and status.get("kind") == "Status" else {}


def _message(text: bytes) -> str:
    try:
        status = json.loads(text)
    except ValueError:
        return text[:500].decode(errors="replace")
    return str(status.get("message", "")) if isinstance(status, dict) else str(status)[:500]
