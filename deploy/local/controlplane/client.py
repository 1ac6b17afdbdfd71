"""A light client for the API server: one connection that stays open, where every kubectl costs a quarter of a second."""

import http.client
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from controlplane.patience import PATIENCE

JITACCESS, RBAC, BATCH, CORE = "/apis/jitaccess.dev/v1alpha1", "/apis/rbac.authorization.k8s.io/v1", "/apis/batch/v1", "/api/v1"
ADMISSION = "/apis/admissionregistration.k8s.io/v1"
GROUPS = {
    "accesslocks": JITACCESS,
    "accessrequests": JITACCESS,
    "accesspolicies": JITACCESS,
    "clusteraccessrequests": JITACCESS,
    "clusteraccesspolicies": JITACCESS,
    "roles": RBAC,
    "rolebindings": RBAC,
    "clusterroles": RBAC,
    "clusterrolebindings": RBAC,
    "jobs": BATCH,
    "leases": "/apis/coordination.k8s.io/v1",
    "validatingadmissionpolicies": ADMISSION,
    "validatingadmissionpolicybindings": ADMISSION,
    **dict.fromkeys(
        ("configmaps", "events", "namespaces", "pods", "resourcequotas", "secrets", "serviceaccounts"),
        CORE,
    ),
}
CLUSTER_WIDE = (
    "accesslocks",
    "clusteraccessrequests",
    "clusteraccesspolicies",
    "clusterroles",
    "clusterrolebindings",
    "namespaces",
    "validatingadmissionpolicies",
    "validatingadmissionpolicybindings",
)
MERGE, JSON, APPLY = "application/merge-patch+json", "application/json-patch+json", "application/apply-patch+yaml"

HUNG_UP = (http.client.RemoteDisconnected, ConnectionError, ssl.SSLEOFError)
Body = Mapping[str, Any] | list[Any] | str


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API server said."""

    status: int
    body: dict[str, Any]

    @property
    def ok(self) -> bool:
        """Whether it did what was asked."""
        return self.status < 300

    @property
    def message(self) -> str:
        """The sentence of a refusal; empty when there is none."""
        return str(self.body.get("message", "")) if self.body.get("kind") == "Status" else ""

    def sure(self) -> dict[str, Any]:
        """The body of an answer that must be a yes; AssertionError with the refusal if it is none."""
        assert self.ok, f"{self.status} {self.message}"
        return self.body


@dataclass
class Person:
    """Somebody with a token, on one connection that stays open; not to be shared between threads."""

    name: str
    server: str
    ca_file: Path
    token: str = field(repr=False)
    namespace: str = "default"
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout: float = PATIENCE  # seconds
    _lines: list[http.client.HTTPSConnection] = field(default_factory=list)  # none or one; those `at` other namespaces share it

    def at(self, namespace: str) -> "Person":
        """The same person on the same connection, at work in that namespace."""
        return replace(self, namespace=namespace)

    def call(self, method: str, path: str, body: Body | None = None, kind: str = "application/json", **query: str) -> Answer:
        """Send one request; a body that is a string goes as it stands, to say what a serialiser would not."""
        head = {"Authorization": f"Bearer {self.token}", "Content-Type": kind, **self.headers}
        data = None if body is None else (body if isinstance(body, str) else json.dumps(body)).encode()
        target = f"{path}?{urlencode(query)}" if query else path
        status, text = self._said(method, target, data, head)
        try:
            parsed = json.loads(text or b"{}")
        except ValueError:
            parsed = {"kind": "Status", "message": text.decode(errors="replace")}
        return Answer(status, parsed)

    def _said(self, method: str, target: str, data: bytes | None, head: Mapping[str, str]) -> tuple[int, bytes]:
        kept = bool(self._lines)
        try:
            return self._exchange(method, target, data, head)
        except HUNG_UP:
            self.close()
            if not kept:
                raise
        return self._exchange(method, target, data, head)  # the server hung up while nothing was said: once more

    def _exchange(self, method: str, target: str, data: bytes | None, head: Mapping[str, str]) -> tuple[int, bytes]:
        try:
            connection = self._open()
            connection.request(method, target, body=data, headers=head)
            response = connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException):
            self.close()  # whatever is left of it must not be the answer to the next request
            raise

    def path(self, resource: str, name: str = "", subresource: str = "") -> str:
        """The URL path of an object in the person's namespace, or of the collection."""
        space = "" if resource in CLUSTER_WIDE else f"/namespaces/{self.namespace}"
        parts = [f"{GROUPS[resource]}{space}/{resource}", quote(name, safe=""), subresource]
        return "/".join(part for part in parts if part)

    def get(self, resource: str, name: str = "", **query: str) -> Answer:
        """Read an object, or list the collection."""
        return self.call("GET", self.path(resource, name), **query)

    def create(self, resource: str, manifest: Body, **query: str) -> Answer:
        """Make an object."""
        return self.call("POST", self.path(resource), manifest, **query)

    def merge(self, resource: str, name: str, patch: Body, subresource: str = "", **query: str) -> Answer:
        """Change an object by a JSON merge patch."""
        return self.call("PATCH", self.path(resource, name, subresource), patch, MERGE, **query)

    def patch(self, resource: str, name: str, *operations: Mapping[str, Any], subresource: str = "") -> Answer:
        """Change an object by JSON patch operations."""
        return self.call("PATCH", self.path(resource, name, subresource), list(operations), JSON)

    def apply(self, resource: str, name: str, manifest: Body, subresource: str = "", manager: str = "attack") -> Answer:
        """Change or make an object by server-side apply, by force."""
        path = self.path(resource, name, subresource)
        return self.call("PATCH", path, manifest, APPLY, fieldManager=manager, force="true")

    def put(self, resource: str, name: str, manifest: Body, subresource: str = "") -> Answer:
        """Replace an object."""
        return self.call("PUT", self.path(resource, name, subresource), manifest)

    def delete(self, resource: str, name: str = "", **options: Any) -> Answer:
        """Delete an object, or the collection."""
        return self.call("DELETE", self.path(resource, name), options or None)

    def may(self, verb: str, resource: str, *, group: str = "", name: str = "") -> bool:
        """Whether the API server would let the person do it in their namespace, by its own word."""
        attributes = {"group": group, "resource": resource, "name": name, "verb": verb, "namespace": self.namespace}
        review = {"spec": {"resourceAttributes": attributes}}
        answer = self.call("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)
        return bool(answer.sure()["status"]["allowed"])

    def _open(self) -> http.client.HTTPSConnection:
        if not self._lines:
            where = urlsplit(self.server)
            tls = ssl.create_default_context(cafile=str(self.ca_file))
            self._lines.append(http.client.HTTPSConnection(where.hostname or "", where.port, timeout=self.timeout, context=tls))
        return self._lines[0]

    def close(self) -> None:
        """Hang up."""
        while self._lines:
            self._lines.pop().close()
