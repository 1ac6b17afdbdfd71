"""The one adapter to the Kubernetes API, in the domain's words: absence is a value, deletion is idempotent, outages raise."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from typing import Any

import aiohttp

from jitaccess.domain.model import GROUP, AccessPolicy, AccessRequest, Key, Ledger, Manifest, PolicyRef, RoleRef
from jitaccess.domain.recorded import Recorded
from jitaccess.domain.roles import Role
from jitaccess.kube.answers import Conflict, Expired, NotFound, NotServed, Outage, Refused, Unpatchable, failure, object_in
from jitaccess.kube.clock import uptime
from jitaccess.manifests.kinds import policy_resource
from jitaccess.manifests.parse import parse_policy, parse_request
from jitaccess.manifests.resources import CLUSTER_ROLES, CRDS, ROLES, Resource
from jitaccess.manifests.roles import parse_role
from jitaccess.manifests.status import on_top_of, request_status

__all__ = ["Cluster", "Conflict", "Outage", "Refused"]

PAGE = 200
Body = Manifest | Sequence[Manifest] | None
WATCH_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=60)
_METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


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
        except NotFound:
            return None
        except NotServed:
            # What is not served may only be unreachable; where it is not even defined, its objects went with the definition.
            name = Key("", f"{resource.plural}.{resource.group}")
            if resource.group == GROUP and await self.find(CRDS, name) is None:
                return None
            raise

    async def as_of(self, resource: Resource, key: Key, revision: int) -> Manifest | None:
        """An object as it was at that revision of the cluster (a resourceVersion); None if there was none.

        `Expired` where the API server has forgotten it: etcd is compacted every five minutes.
        """
        query = {"fieldSelector": f"metadata.name={key.name}", "resourceVersion": str(revision), "resourceVersionMatch": "Exact"}
        page = await self._call("GET", resource.path(namespace=key.namespace), query=query)
        return next(iter(page.get("items") or []), None)

    async def create(self, resource: Resource, manifest: Manifest, *, dry_run: bool = False) -> Manifest:
        """Make an object, or only ask whether it could be made; returns it as it came out. Conflict if the name is taken."""
        path = resource.path(namespace=manifest["metadata"].get("namespace", ""))
        try:
            return await self._call("POST", path, manifest, query={"dryRun": "All"} if dry_run else None)
        except NotFound as error:
            raise Refused(str(error)) from error

    async def replace(self, resource: Resource, key: Key, manifest: Manifest) -> Manifest:
        """Replace an object of ours; returns it as it came out. Conflict if it is gone or changed meanwhile."""
        try:
            return await self._call("PUT", resource.path(key), manifest)
        except NotFound as error:
            raise Conflict(str(error)) from error

    async def delete(self, resource: Resource, key: Key, uid: str) -> Manifest | None:
        """Delete exactly that object; Conflict if the name now belongs to another.

        Returns None once it is gone, and the object as it is now where something (a finalizer) keeps it standing.
        """
        options = {"propagationPolicy": "Background", "preconditions": {"uid": uid}}
        try:
            answer = await self._call("DELETE", resource.path(key), options)
        except NotFound:
            return None
        return None if answer.get("kind") == "Status" else answer

    async def record(self, resource: Resource, request: AccessRequest, recorded: Recorded) -> AccessRequest | None:
        """Write the record that follows the one in `request`; returns the request as it is then, None if it is gone.

        Nobody else's writes can make it fail: it asks for the UID, and for the revision that only we count, not for the
        resourceVersion. Conflict if that is another request, or if somebody (another replica, or a write of ours whose answer
        got lost) has recorded since. The record of a grant also asks that nobody has denied or revoked it, nor deleted it.
        """
        old = request.recorded
        grants = request.approvals and recorded.granted_at and not old.granted_at
        wanted: list[Manifest] = [on_top_of(old), *(_UNDISPUTED if grants else ())]
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
        except NotFound:
            return None
        except Unpatchable as error:
            raise Conflict(f"{resource.kind} {key} is not as it was read: {error}") from error

    async def list_metadata(self, resource: Resource, *, namespace: str = "", **selectors: str) -> AsyncIterator[Manifest]:
        """The objects of a kind, everywhere or in one namespace, metadata only; selectors as in the API (`labelSelector=`)."""
        async for item in self._list(resource, selectors, _METADATA_ONLY, namespace):
            yield item

    async def list_objects(self, resource: Resource, *, namespace: str = "", **selectors: str) -> AsyncIterator[Manifest]:
        """The objects of a kind in a namespace, or everywhere, page by page; selectors as in the API (`labelSelector=`)."""
        async for item in self._list(resource, selectors, "application/json", namespace):
            yield item

    async def watch(self, resource: Resource, key: Key, version: str) -> AsyncGenerator[Manifest | None]:
        """One object each time it changes after `version`, None when it is deleted; Outage when told no more."""
        query = {"watch": "1", "fieldSelector": f"metadata.name={key.name}"} | ({"resourceVersion": version} if version else {})
        path = resource.path(namespace=key.namespace)
        try:
            async with self._session.get(f"{self._server}{path}", params=query, timeout=WATCH_TIMEOUT) as response:
                if response.status >= 300:
                    raise failure(response.status, f"WATCH {path}", await response.read())
                async for line in response.content:
                    event = object_in(f"WATCH {path}", line)
                    if event.get("type") not in ("ADDED", "MODIFIED", "DELETED"):
                        raise Outage(f"WATCH {path}: {event}")
                    yield None if event["type"] == "DELETED" else event["object"]
        except (aiohttp.ClientError, TimeoutError, OSError, NotFound) as error:
            raise Outage(f"WATCH {path}: {type(error).__name__}: {error}") from error

    async def _list(
        self, resource: Resource, selectors: Mapping[str, str], accept: str, namespace: str = ""
    ) -> AsyncIterator[Manifest]:
        query = {**selectors, "limit": str(PAGE)}
        restarted = False
        while True:
            try:
                page = await self._call("GET", resource.path(namespace=namespace), query=query, accept=accept)
            except Expired:
                # The list took longer than the API server remembers: from the start, once. What was told already is told again.
                if restarted or not query.pop("continue", ""):
                    raise
                restarted = True
                continue
            except NotFound as error:
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
            raise failure(response.status, f"{verb} {path}", text)
        return object_in(f"{verb} {path}", text)


# There are annotations where there is an approval; of one that is not there, `test` of null is true.
_UNDISPUTED = tuple(
    {"op": "test", "path": path, "value": None}
    for path in (
        "/metadata/deletionTimestamp",
        *(f"/metadata/annotations/{ledger.replace('/', '~1')}" for ledger in (Ledger.DENIALS, Ledger.REVOCATIONS)),
    )
)
