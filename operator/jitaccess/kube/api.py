"""The one adapter to the Kubernetes API, in the domain's words: absence is a value, deletion is idempotent, outages raise."""

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping

from jitaccess.domain.locks import Locks
from jitaccess.domain.model import GROUP, AccessPolicy, AccessRequest, Key, Ledger, Manifest, PolicyRef, RoleRef
from jitaccess.domain.recorded import Recorded
from jitaccess.domain.roles import Role
from jitaccess.kube.answers import Conflict, LockedOut, NotFound, NotServed, Outage, Refused, Unpatchable
from jitaccess.kube.calls import FOLLOW_TIMEOUT, METADATA_EVENTS, METADATA_ONLY, OBJECTS, Calls
from jitaccess.manifests.kinds import policy_resource
from jitaccess.manifests.locks import parse_lock
from jitaccess.manifests.parse import is_there, key_of, parse_policy, parse_request
from jitaccess.manifests.resources import ACCESS_REVIEWS, CLUSTER_ROLES, CRDS, LOCKS, NAMESPACES, OPEN, ROLES, Resource
from jitaccess.manifests.reviews import no_other_review
from jitaccess.manifests.roles import parse_role
from jitaccess.manifests.status import on_top_of, request_status

__all__ = ["Cluster", "Conflict", "LockedOut", "Outage", "Refused"]


class Cluster(Calls):
    """The API server in the domain's words."""

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

    async def locks(self) -> Locks:
        """Read all locks that hold, or may; where that fails they are not known, which keeps nothing from ending."""
        try:
            return Locks(tuple([parse_lock(item) async for item in self.list_objects(LOCKS, fieldSelector=OPEN)]))
        except (Outage, Refused) as error:
            return Locks(unknown=str(error) or type(error).__name__)

    async def find(self, resource: Resource, key: Key) -> Manifest | None:
        """Read any object; None if there is none, as where its CustomResourceDefinition was deleted."""
        try:
            return await self.call("GET", resource.path(key))
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
        page = await self.call("GET", resource.path(namespace=key.namespace), query=query)
        return next(iter(page.get("items") or []), None)

    async def create(self, resource: Resource, manifest: Manifest, *, dry_run: bool = False) -> Manifest:
        """Make an object, or only ask whether it could be made; returns it as it came out. Conflict if the name is taken."""
        path = resource.path(namespace=manifest["metadata"].get("namespace", ""))
        try:
            return await self.call("POST", path, manifest, query={"dryRun": "All"} if dry_run else None)
        except NotFound as error:
            raise Refused(str(error)) from error

    async def replace(self, resource: Resource, key: Key, manifest: Manifest) -> Manifest:
        """Replace an object of ours; returns it as it came out. Conflict if it is gone or changed meanwhile."""
        try:
            return await self.call("PUT", resource.path(key), manifest)
        except NotFound as error:
            raise Conflict(str(error)) from error

    async def delete(self, resource: Resource, key: Key, uid: str) -> Manifest | None:
        """Delete exactly that object; Conflict if the name now belongs to another.

        Returns None once it is gone, and the object as it is now where something (a finalizer) keeps it standing.
        """
        options = {"propagationPolicy": "Background", "preconditions": {"uid": uid}}
        try:
            answer = await self.call("DELETE", resource.path(key), options)
        except NotFound:
            return None
        return None if answer.get("kind") == "Status" else answer

    async def record(self, resource: Resource, request: AccessRequest, recorded: Recorded) -> AccessRequest | None:
        """Write the record that follows the one in `request`; returns the request as it is then, None if it is gone.

        Nobody else's writes can make it fail: it asks for the UID, and for the revision that only we count, not for the
        resourceVersion. Conflict if that is another request, or if somebody (another replica, or a write of ours whose answer
        got lost) has recorded since. The record of a grant also asks that nobody has denied or revoked it, nor deleted it;
        LockedOut if somebody who asked for it or approved it is locked.
        """
        old = request.recorded
        grants = request.approvals and recorded.granted_at and not old.granted_at
        wanted: list[Manifest] = [on_top_of(old), *(_UNDISPUTED if grants else ())]
        if recorded.review != old.review and recorded.review and recorded.review.found:
            wanted.append(no_other_review(request))  # what another says meanwhile is on record too
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
            return await self.call("PATCH", resource.path(key, subresource="status"), patch)
        except NotFound:
            return None
        except Unpatchable as error:
            raise Conflict(f"{resource.kind} {key} is not as it was read: {error}") from error

    async def list_metadata(self, resource: Resource, *, namespace: str = "", **selectors: str) -> AsyncIterator[Manifest]:
        """The objects of a kind, everywhere or in one namespace, metadata only; selectors as in the API (`labelSelector=`)."""
        async for item in self.items(resource, selectors, METADATA_ONLY, namespace):
            yield item

    async def list_objects(self, resource: Resource, *, namespace: str = "", **selectors: str) -> AsyncIterator[Manifest]:
        """The objects of a kind in the whole cluster or in one namespace, page by page; selectors as in the API."""
        async for item in self.items(resource, selectors, OBJECTS, namespace):
            yield item

    async def snapshot(self, resource: Resource, **selectors: str) -> tuple[list[Manifest], str]:
        """The metadata of all objects of a kind, and the version from which `changes` go on."""
        pages = [page async for page in self.pages(resource, selectors, METADATA_ONLY)]
        return [item for page in pages for item in page.get("items") or []], str(pages[-1]["metadata"]["resourceVersion"])

    async def changes(self, resource: Resource, version: str, **selectors: str) -> AsyncGenerator[tuple[str, Manifest]]:
        """What happens to objects of a kind after `version`, as (ADDED, MODIFIED, DELETED or BOOKMARK, metadata only)."""
        query = {**selectors, "resourceVersion": version, "allowWatchBookmarks": "true"}
        async with contextlib.aclosing(self.stream(resource.path(), query, METADATA_EVENTS, FOLLOW_TIMEOUT)) as events:
            async for event in events:
                yield event["type"], event["object"]

    async def watch(self, resource: Resource, key: Key, version: str) -> AsyncGenerator[Manifest | None]:
        """One object each time it changes after `version`, None when it is deleted; Outage when told no more."""
        query = {"fieldSelector": f"metadata.name={key.name}"} | ({"resourceVersion": version} if version else {})
        async with contextlib.aclosing(self.stream(resource.path(namespace=key.namespace), query)) as events:
            async for event in events:
                yield None if event["type"] == "DELETED" else event["object"]

    async def labels(self, namespace: str) -> Mapping[str, str] | None:
        """The labels of a namespace; None if there is none, or if it is going."""
        found = await self.find(NAMESPACES, Key("", namespace))
        return (found["metadata"].get("labels") or {}) if found and is_there(found) else None

    async def may(self, verb: str, resource: Resource) -> bool:
        """Whether the caller may do that, in the whole cluster, to every object of a kind."""
        attributes = {"verb": verb, "group": resource.group, "resource": resource.plural}
        review = {
            "apiVersion": ACCESS_REVIEWS.api_version,
            "kind": ACCESS_REVIEWS.kind,
            "metadata": {},
            "spec": {"resourceAttributes": attributes},
        }
        # Nothing is stored, so a replica that does not lead may ask too.
        return (await self.create(ACCESS_REVIEWS, review, dry_run=True))["status"]["allowed"] is True

    async def put(self, resource: Resource, manifest: Manifest) -> Manifest:
        """Make an object, or make it like that: for what may be written but not read. RBAC's kinds allow it, others do not."""
        try:
            return await self.call("PUT", resource.path(key_of(manifest)), manifest)
        except NotFound as error:
            raise Refused(str(error)) from error


# There are annotations where there is an approval; of one that is not there, `test` of null is true.
_UNDISPUTED = tuple(
    {"op": "test", "path": path, "value": None}
    for path in (
        "/metadata/deletionTimestamp",
        *(f"/metadata/annotations/{ledger.replace('/', '~1')}" for ledger in (Ledger.DENIALS, Ledger.REVOCATIONS)),
    )
)
