"""What the plugin asks of the API server, in the domain's words."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from jitaccess.cli.api.deletions import OF_THE_CLUSTER, Deletion, deletions_of, read_deletion
from jitaccess.cli.api.errors import ChangedMeanwhile, Invalid, NotFound, NotInstalled, Refused
from jitaccess.cli.api.following import Change, Follower
from jitaccess.cli.api.ledger import added_line
from jitaccess.cli.api.paging import pages
from jitaccess.cli.api.reviews import AUTHORIZATION, Person, may
from jitaccess.cli.api.selectors import NAME, REQUESTER, requested_by
from jitaccess.domain.model import GROUP, AccessPolicy, Key, Manifest, PolicyRef, RoleRef, Scope
from jitaccess.domain.roles import Role
from jitaccess.domain.text import parse_time
from jitaccess.manifests.kinds import ACCESS_REQUEST, CLUSTER_ACCESS_REQUEST, policy_resource, request_kind
from jitaccess.manifests.lease import LEASE
from jitaccess.manifests.parse import parse_policy
from jitaccess.manifests.resources import CLUSTER_POLICIES, CLUSTER_ROLES, EVENTS, LEASES, POLICIES, ROLES, Resource
from jitaccess.manifests.roles import parse_role

if TYPE_CHECKING:
    from jitaccess.cli.api.connect import Connection

AT_ONCE = 16  # calls under way at the same time
_TRIES = 8  # two people deciding at the same moment; eight would be a crowd
_REVIEW = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}


class Client:
    """One user's view of requests and policies, through the checks of the API server."""

    def __init__(self, connection: "Connection", *, cluster: bool = False) -> None:
        self._connection = connection
        self.cluster = cluster  # whether it is about the whole cluster, and no namespace

    @cached_property
    def of_the_cluster(self) -> "Client":
        """The same user's view of the whole cluster."""
        return self if self.cluster else Client(self._connection, cluster=True)

    @property
    def _requests(self) -> Resource:
        """What lists without a namespace are about."""
        return (CLUSTER_ACCESS_REQUEST if self.cluster else ACCESS_REQUEST).resource

    @property
    def namespace(self) -> str:
        """The namespace of the command line, else of the context; empty for the whole cluster."""
        return "" if self.cluster else self._connection.namespace

    @cached_property
    def me(self) -> str:
        """The user name as the API server knows it."""
        review = self._connection.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", _REVIEW)
        return str(review["status"]["userInfo"]["username"])

    def request(self, key: Key) -> Manifest:
        """Read one request; NotFound if there is none."""
        found: Manifest = self._connection.get(request_kind(key.namespace).resource.path(key))
        return found

    @property
    def mine(self) -> str:
        """The field selector of my own requests."""
        return requested_by(self.me)

    def requests(self, namespace: str, selector: str = "") -> list[Manifest]:
        """List the requests of a namespace, or (empty) of all of them, or of the whole cluster."""
        return self.selected(self._requests.path(namespace=namespace), selector)[0]

    def rules(self, namespace: str) -> list[Manifest]:
        """What I may do in a namespace, as the API server's authorization has it."""
        body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": {"namespace": namespace}}
        review = self._connection.post(f"{AUTHORIZATION}/selfsubjectrulesreviews", body)
        return list((review.get("status") or {}).get("resourceRules") or ())

    def requests_in_pages(self, namespace: str) -> Iterator[list[Manifest]]:
        """List the requests of a namespace, or of all of them (empty), page by page: no more than a page is ever held."""
        return (page["items"] for page in pages(self._connection, self._requests.path(namespace=namespace)))

    def deletions(self, namespace: str) -> list[Deletion]:
        """What Events report of deleted requests of a namespace, or of all of them (empty); Refused if I may not read Events."""
        path = EVENTS.path(namespace=OF_THE_CLUSTER if self.cluster else namespace)
        return [read_deletion(event) for event in self._list(path, deletions_of(self._requests))[0]]

    def policies(self, namespace: str) -> list[AccessPolicy]:
        """List the policies of a namespace and those for many that may select it, or (empty) of all, or of the whole cluster."""
        wanted = Scope.CLUSTER if self.cluster else Scope.SELECTED
        many = [policy for policy in self.for_many() if policy.scope is wanted] if namespace or self.cluster else []
        try:
            own = [] if self.cluster else self._list(POLICIES.path(namespace=namespace))[0]
        except Refused:
            if not any(self.may("request", (policy.ref for policy in many)).values()):
                raise
            own = []  # whom none of the namespace's own policies names may be named by one for many
        return sorted([*map(parse_policy, own), *many], key=lambda policy: (policy.key.name, policy.key))

    def for_many(self) -> list[AccessPolicy]:
        """List the ClusterAccessPolicies; none where they are not mine to read."""
        try:
            return [parse_policy(item) for item in self._list(CLUSTER_POLICIES.path())[0]]
        except (Refused, NotFound, NotInstalled):
            return []  # not mine to read, or of an older jitaccess

    def policy(self, ref: PolicyRef) -> AccessPolicy:
        """Read a policy; NotFound if there is none."""
        resource = policy_resource(ref.kind)
        if resource is None:
            raise NotFound(f"there is no {ref}: this plugin knows no policies of that kind")
        return parse_policy(self._connection.get(resource.path(ref.key)))

    def policy_if_any(self, ref: PolicyRef) -> AccessPolicy | None:
        """Read a policy; None where it is gone or not mine to read."""
        try:
            return self.policy(ref)
        except (NotFound, Refused):
            return None

    def role(self, role: RoleRef, namespace: str) -> Role | None:
        """Read a role; None where it is gone or not mine to read."""
        resource = ROLES if role.kind == "Role" else CLUSTER_ROLES
        key = Key(namespace if role.kind == "Role" else "", role.name)
        try:
            return parse_role(self._connection.get(resource.path(key)))
        except (NotFound, Refused):
            return None

    def create(self, manifest: Manifest, dry_run: bool = False) -> Manifest:
        """Make a request, or ask the API server whether it would let me."""
        query = {"fieldValidation": "Strict"} | ({"dryRun": "All"} if dry_run else {})
        namespace = manifest["metadata"].get("namespace", "")
        path = request_kind(namespace).resource.path(namespace=namespace)
        made = self._connection.post(path, manifest, **query)
        made["metadata"].setdefault("resourceVersion", "")  # a dry run has none
        return dict(made)

    def decide(self, key: Key, ledger: str, note: str, dry_run: bool = False) -> Manifest:
        """Add my line to a ledger of the request as it is now, again if somebody else was faster."""
        request = self.request(key)
        for _ in range(_TRIES):
            try:
                return self._append(key, request, ledger, note, dry_run)
            except (ChangedMeanwhile, Refused) as error:
                before, request = request, self.request(key)
                unchanged = before["metadata"]["resourceVersion"] == request["metadata"]["resourceVersion"]
                if unchanged and isinstance(error, Refused):
                    raise
        raise ChangedMeanwhile(f"{key.name} changes faster than a decision can be added", "try again in a moment")

    def _append(self, key: Key, request: Manifest, ledger: str, note: str, dry_run: bool) -> Manifest:
        metadata = request["metadata"]
        line = added_line((metadata.get("annotations") or {}).get(ledger), self.me, note)
        body = {"metadata": {"resourceVersion": metadata["resourceVersion"], "annotations": {str(ledger): line}}}
        query = {"dryRun": "All"} if dry_run else {}
        decided: Manifest = self._connection.patch(request_kind(key.namespace).resource.path(key), body, **query)
        return decided

    def may(
        self, verb: str, policies: Iterable[PolicyRef], person: Person | None = None, where: str | None = None
    ) -> dict[PolicyRef, bool]:
        """Ask the API server whether I (or that person) hold a verb on each of the policies.

        On one for many namespaces: in that of the command line, or `where` (empty: in the whole cluster).
        """
        refs, place = list(dict.fromkeys(policies)), self.namespace if where is None else where
        with ThreadPoolExecutor(max_workers=AT_ONCE) as threads:
            answers = threads.map(
                lambda ref: may(self._connection, verb, ref, ref.key.namespace or place, person or Person()), refs
            )
            return dict(zip(refs, answers, strict=True))

    def follow(self, namespace: str, selector: str = "", until: float | None = None) -> Iterator[Change]:
        """Yield the requests of a namespace (or those selected) as they are, then each change, until a time (time.monotonic)."""
        return Follower(_Selection(self, self._requests.path(namespace=namespace), selector), until).changes()

    def follow_one(self, key: Key, until: float | None = None, *, patient: bool = False) -> Iterator[Change]:
        """Yield one request as it is, then each change of it; NotFound if there is none, a change that is `gone` once it is."""
        path = request_kind(key.namespace).resource.path(namespace=key.namespace)
        selection = _Selection(self, path, f"{NAME}{key.name}")
        return Follower(selection, until, alone=key, patient=patient).changes()

    def operator_heard(self) -> datetime | None:
        """When the operator that leads was last heard of, by its Lease; None where that is not mine to read, or nobody leads."""
        try:
            spec = self._connection.get(LEASES.path(LEASE)).get("spec") or {}
            return parse_time(spec["renewTime"]) if spec.get("renewTime") else None
        except (NotFound, Refused, ValueError):
            return None

    def now(self) -> datetime:
        """The API server's time."""
        return self._connection.now()

    def served(self) -> list[str]:
        """The versions of our API group that the cluster serves."""
        return [each["groupVersion"] for each in self._connection.get(f"/apis/{GROUP}")["versions"]]

    def namespaces(self) -> list[str]:
        """The names of the namespaces."""
        items, _ = self._list("/api/v1/namespaces")
        return [item["metadata"]["name"] for item in items]

    def stream(self, path: str, seconds: int, **query: str) -> Iterator[Any]:
        """The events of a watch."""
        return self._connection.stream(path, seconds, **query)

    def selected(self, path: str, selector: str) -> tuple[list[Manifest], str, str]:
        """List what a selector selects, or everything where the CRD is too old for it; also returns which selector held."""
        try:
            return *self._list(path, selector), selector
        except Invalid:
            if not selector.startswith(REQUESTER):
                raise
            return *self._list(path), ""

    def _list(self, path: str, selector: str = "") -> tuple[list[Manifest], str]:
        items: list[Manifest] = []
        version = ""
        for page in pages(self._connection, path, selector):
            items += page["items"]
            version = page["metadata"]["resourceVersion"]
        return items, version


class _Selection:
    """The requests at a path that a field selector selects, as a source of changes."""

    def __init__(self, client: Client, path: str, selector: str) -> None:
        self._client = client
        self._path = path
        self._selector = selector

    def listed(self) -> tuple[list[Manifest], str]:
        """What there is, and the resourceVersion of that list."""
        items, version, self._selector = self._client.selected(self._path, self._selector)
        return items, version

    def events(self, version: str, seconds: int) -> Iterator[Any]:
        """The events of a watch from there on."""
        query = {"resourceVersion": version} | ({"fieldSelector": self._selector} if self._selector else {})
        return self._client.stream(self._path, seconds, **query)
