"""What the plugin asks of the API server, in the domain's words."""

import re
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from jitaccess.cli.api.deletions import DELETIONS, Deletion, read_deletion
from jitaccess.cli.api.errors import SEE_ALL, ChangedMeanwhile, Invalid, NotFound, Outage, Refused, Unreadable
from jitaccess.cli.api.ledger import added_line
from jitaccess.cli.api.reading import read_request
from jitaccess.domain.model import AccessPolicy, AccessRequest, Key, Ledger, Manifest, PolicyRef, RoleRef
from jitaccess.domain.roles import Role
from jitaccess.manifests.kinds import policy_resource
from jitaccess.manifests.parse import parse_policy
from jitaccess.manifests.resources import CLUSTER_ROLES, EVENTS, POLICIES, REQUESTS, ROLES
from jitaccess.manifests.roles import parse_role

if TYPE_CHECKING:
    from jitaccess.cli.api.connect import Connection

_PAGE = 500
_TRIES = 8  # two people deciding at the same moment; eight would be a crowd
_WATCH = 50  # seconds before a watch is opened anew: a connection that died silently is noticed by then
_REVIEW = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
_AUTHORIZATION = "/apis/authorization.k8s.io/v1"
_PATIENCE = (1.0, 2.0, 4.0, 8.0)  # seconds between attempts while the server is away

ACTIVE = "status.state=Active"
_NAME, _REQUESTER = "metadata.name=", "spec.requester="
_SPECIAL = re.compile(r"[\\,=]")  # in field selectors


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody to ask about: a user name with groups; nobody (no name) is oneself."""

    name: str = ""
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """What a watch saw: a request as it is now, or None and why it, or all of them at the moment, cannot be seen."""

    request: AccessRequest | None
    manifest: Manifest
    deleted: bool = False
    trouble: str = ""
    unreadable: str = ""


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
        return _REQUESTER + _SPECIAL.sub(r"\\\g<0>", self.me)

    def requests(self, namespace: str, selector: str = "") -> list[Manifest]:
        """List the requests of a namespace, or of all of them (empty)."""
        return self._selected(REQUESTS.path(namespace=namespace), selector)[0]

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
        query = {"dryRun": "All"} if dry_run else {}
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
        with ThreadPoolExecutor(max_workers=8) as threads:
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
        """Yield the requests of a namespace (or those selected) as they are, then each change; ends at `until` (time.monotonic).

        An outage is not a verdict: it is reported as a change without a request, and tried again.
        """
        attempt = 0
        while until is None or time.monotonic() < until:
            try:
                for change in self._follow_once(namespace, selector, until):
                    attempt = 0
                    yield change
            except Outage as outage:
                yield Change(None, {}, trouble=outage.message)
                time.sleep(_PATIENCE[min(attempt, len(_PATIENCE) - 1)])
                attempt += 1

    def follow_one(self, key: Key, until: float | None = None) -> Iterator[Change]:
        """Yield one request as it is, then each change of it; NotFound if there is none (any more)."""
        return self.follow(key.namespace, f"{_NAME}{key.name}", until)

    def _follow_once(self, namespace: str, selector: str, until: float | None) -> Iterator[Change]:
        path = REQUESTS.path(namespace=namespace)
        items, version, selector = self._selected(path, selector)
        if selector.startswith(_NAME) and not items:
            raise NotFound(f"there is no request {selector.removeprefix(_NAME)} in namespace {namespace}", SEE_ALL)
        alone = selector.startswith(_NAME)
        yield from (_change(item, alone=alone) for item in items)
        while until is None or time.monotonic() < until:
            seconds = _WATCH if until is None else max(1, min(_WATCH, round(until - time.monotonic())))
            query = {"resourceVersion": version} | ({"fieldSelector": selector} if selector else {})
            for event in self._connection.stream(path, seconds, **query):
                if event["type"] == "ERROR":  # too old a resourceVersion: list again
                    return
                version = event["object"]["metadata"]["resourceVersion"]
                if event["type"] != "BOOKMARK":
                    yield _change(event["object"], event["type"] == "DELETED", alone=alone)

    def namespaces(self) -> list[str]:
        """The names of the namespaces."""
        items, _ = self._list("/api/v1/namespaces")
        return [item["metadata"]["name"] for item in items]

    def _selected(self, path: str, selector: str) -> tuple[list[Manifest], str, str]:
        """List what a selector selects, or everything where the CRD is too old for it; also returns which selector held."""
        try:
            return *self._list(path, selector), selector
        except Invalid:
            if not selector.startswith(_REQUESTER):
                raise
            return *self._list(path), ""

    def _list(self, path: str, selector: str = "") -> tuple[list[Manifest], str]:
        items: list[Manifest] = []
        query: dict[str, str | int] = {"limit": _PAGE} | ({"fieldSelector": selector} if selector else {})
        while True:
            page = self._connection.get(path, **query)
            items += page["items"]
            proceed = page["metadata"].get("continue")
            if not proceed:
                return items, page["metadata"]["resourceVersion"]
            query["continue"] = proceed


def _change(manifest: Manifest, deleted: bool = False, *, alone: bool) -> Change:
    """What of a list cannot be read is reported and stops nothing; where it is all that is followed, Unreadable is raised."""
    try:
        return Change(read_request(manifest), manifest, deleted)
    except Unreadable as error:
        if alone:
            raise
        return Change(None, manifest, deleted, unreadable=error.message)


def usual_groups(user: str, groups: Sequence[str]) -> tuple[str, ...]:
    """The groups of a person, with those that everybody who logs in gets from the API server."""
    parts = user.split(":")
    of_account = (
        ("system:serviceaccounts", f"system:serviceaccounts:{parts[2]}")
        if user.startswith("system:serviceaccount:") and len(parts) == 4
        else ()
    )
    return (*groups, *of_account, "system:authenticated")
