"""What the plugin asks of the API server, in the domain's words."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from jitaccess.cli.api.deletions import DELETIONS, Deletion, read_deletion
from jitaccess.cli.api.errors import ChangedMeanwhile, Invalid, NotFound, Refused
from jitaccess.cli.api.following import Change, Follower
from jitaccess.cli.api.ledger import added_line
from jitaccess.cli.api.paging import pages
from jitaccess.cli.api.selectors import NAME, REQUESTER, requested_by
from jitaccess.domain.model import GROUP, AccessPolicy, Key, Ledger, Manifest, PolicyRef, RoleRef
from jitaccess.domain.roles import Role
from jitaccess.domain.text import parse_time
from jitaccess.manifests.kinds import policy_resource
from jitaccess.manifests.lease import LEASE
from jitaccess.manifests.parse import parse_policy
from jitaccess.manifests.resources import CLUSTER_ROLES, EVENTS, LEASES, POLICIES, REQUESTS, ROLES
from jitaccess.manifests.roles import parse_role

if TYPE_CHECKING:
    from jitaccess.cli.api.connect import Connection

AT_ONCE = 16  # calls under way at the same time
_TRIES = 8  # two people deciding at the same moment; eight would be a crowd
_REVIEW = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
_AUTHORIZATION = "/apis/authorization.k8s.io/v1"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody to ask about: a user name with groups; nobody (no name) is oneself."""

    name: str = ""
    groups: tuple[str, ...] = ()


class Client:
    """One user's view of requests and policies, through the checks of the API server."""

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection

    @property
    def namespace(self) -> str:
        """The namespace of the command line, else of the context."""
        return self._connection.namespace

    @cached_property
    def me(self) -> str:
        """The user name as the API server knows it."""
        review = self._connection.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", _REVIEW)
        return str(review["status"]["userInfo"]["username"])

    def request(self, key: Key) -> Manifest:
        """Read one request; NotFound if there is none."""
        found: Manifest = self._connection.get(REQUESTS.path(key))
        return found

    @property
    def mine(self) -> str:
        """The field selector of my own requests."""
        return requested_by(self.me)

    def requests(self, namespace: str, selector: str = "") -> list[Manifest]:
        """List the requests of a namespace, or of all of them (empty)."""
        return self.selected(REQUESTS.path(namespace=namespace), selector)[0]

    def rules(self, namespace: str) -> list[Manifest]:
        """What I may do in a namespace, as the API server's authorization has it."""
        body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": {"namespace": namespace}}
        review = self._connection.post(f"{_AUTHORIZATION}/selfsubjectrulesreviews", body)
        return list((review.get("status") or {}).get("resourceRules") or ())

    def requests_in_pages(self, namespace: str) -> Iterator[list[Manifest]]:
        """List the requests of a namespace, or of all of them (empty), page by page: no more than a page is ever held."""
        return (page["items"] for page in pages(self._connection, REQUESTS.path(namespace=namespace)))

    def deletions(self, namespace: str) -> list[Deletion]:
        """What Events report of deleted requests of a namespace, or of all of them (empty); Refused if I may not read Events."""
        return [read_deletion(event) for event in self._list(EVENTS.path(namespace=namespace), DELETIONS)[0]]

    def policies(self, namespace: str) -> list[AccessPolicy]:
        """List the policies of a namespace, or of all of them (empty), by name."""
        items, _ = self._list(POLICIES.path(namespace=namespace))
        return sorted((parse_policy(item) for item in items), key=lambda policy: policy.key)

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
        path = REQUESTS.path(namespace=manifest["metadata"]["namespace"])
        made = self._connection.post(path, manifest, **query)
        made["metadata"].setdefault("resourceVersion", "")  # a dry run has none
        return dict(made)

    def decide(self, key: Key, ledger: Ledger, note: str, dry_run: bool = False) -> Manifest:
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

    def _append(self, key: Key, request: Manifest, ledger: Ledger, note: str, dry_run: bool) -> Manifest:
        metadata = request["metadata"]
        line = added_line((metadata.get("annotations") or {}).get(ledger), self.me, note)
        body = {"metadata": {"resourceVersion": metadata["resourceVersion"], "annotations": {ledger.value: line}}}
        query = {"dryRun": "All"} if dry_run else {}
        decided: Manifest = self._connection.patch(REQUESTS.path(key), body, **query)
        return decided

    def may(self, verb: str, policies: Iterable[PolicyRef], person: Person | None = None) -> dict[PolicyRef, bool]:
        """Ask the API server whether I (or that person) hold a verb on each of the policies."""
        refs = list(dict.fromkeys(policies))
        with ThreadPoolExecutor(max_workers=AT_ONCE) as threads:
            answers = threads.map(lambda ref: self._may(verb, ref, person or Person()), refs)
            return dict(zip(refs, answers, strict=True))

    def _may(self, verb: str, policy: PolicyRef, person: Person) -> bool:
        resource = policy_resource(policy.kind)
        if resource is None:  # of a newer jitaccess: nothing that this plugin could act on
            return False
        attributes = {"group": resource.group, "resource": resource.plural, "verb": verb}
        place = {"namespace": policy.key.namespace, "name": policy.key.name}
        spec: dict[str, Any] = {"resourceAttributes": attributes | place}
        kind = "SubjectAccessReview" if person.name or person.groups else "SelfSubjectAccessReview"
        if kind == "SubjectAccessReview":
            spec |= {"user": person.name, "groups": list(person.groups)}
        body = {"apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": spec}
        return bool(self._connection.post(f"{_AUTHORIZATION}/{kind.lower()}s", body)["status"].get("allowed"))

    def follow(self, namespace: str, selector: str = "", until: float | None = None) -> Iterator[Change]:
        """Yield the requests of a namespace (or those selected) as they are, then each change, until a time (time.monotonic)."""
        return Follower(_Selection(self, namespace, selector), until).changes()

    def follow_one(self, key: Key, until: float | None = None, *, patient: bool = False) -> Iterator[Change]:
        """Yield one request as it is, then each change of it; NotFound if there is none, a change that is `gone` once it is."""
        selection = _Selection(self, key.namespace, f"{NAME}{key.name}")
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
    """The requests of a namespace (empty: of all) that a field selector selects, as a source of changes."""

    def __init__(self, client: Client, namespace: str, selector: str) -> None:
        self._client = client
        self._path = REQUESTS.path(namespace=namespace)
        self._selector = selector

    def listed(self) -> tuple[list[Manifest], str]:
        """What there is, and the resourceVersion of that list."""
        items, version, self._selector = self._client.selected(self._path, self._selector)
        return items, version

    def events(self, version: str, seconds: int) -> Iterator[Any]:
        """The events of a watch from there on."""
        query = {"resourceVersion": version} | ({"fieldSelector": self._selector} if self._selector else {})
        return self._client.stream(self._path, seconds, **query)


def usual_groups(user: str, groups: Sequence[str]) -> tuple[str, ...]:
    """The groups of a person, with those that everybody who logs in gets from the API server."""
    parts = user.split(":")
    of_account = (
        ("system:serviceaccounts", f"system:serviceaccounts:{parts[2]}")
        if user.startswith("system:serviceaccount:") and len(parts) == 4
        else ()
    )
    return (*groups, *of_account, "system:authenticated")
