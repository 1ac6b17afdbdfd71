"""A light client for the API server: hundreds of attempts, and kubectl costs a quarter of a second each."""

import http.client
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

GROUPS = {
    "accessrequests": "/apis/jitaccess.dev/v1alpha1",
    "accesspolicies": "/apis/jitaccess.dev/v1alpha1",
    "roles": "/apis/rbac.authorization.k8s.io/v1",
    "rolebindings": "/apis/rbac.authorization.k8s.io/v1",
    "clusterroles": "/apis/rbac.authorization.k8s.io/v1",
    "clusterrolebindings": "/apis/rbac.authorization.k8s.io/v1",
    "jobs": "/apis/batch/v1",
    "events": "/api/v1",
    "secrets": "/api/v1",
    "configmaps": "/api/v1",
    "pods": "/api/v1",
    "serviceaccounts": "/api/v1",
    "resourcequotas": "/api/v1",
}
CLUSTER_WIDE = ("clusterroles", "clusterrolebindings")
MERGE, JSON, APPLY = "application/merge-patch+json", "application/json-patch+json", "application/apply-patch+yaml"

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


@dataclass
class Person:
    """Somebody with a token, on one connection that stays open; not to be shared between threads."""

    name: str
    server: str
    ca_file: Path
    token: str
    namespace: str
    headers: Mapping[str, str] = field(default_factory=dict)
    _connection: http.client.HTTPSConnection | None = None

    def call(self, method: str, path: str, body: Body | None = None, kind: str = "application/json", **query: str) -> Answer:
        """Send one request; a body that is a string goes as it stands, to say what a serialiser would not."""
        head = {"Authorization": f"Bearer {self.token}", "Content-Type": kind, **self.headers}
        data = None if body is None else (body if isinstance(body, str) else json.dumps(body)).encode()
        target = f"{path}?{urlencode(query)}" if query else path
        try:
            status, text = self._exchange(method, target, data, head)
        except (http.client.RemoteDisconnected, ConnectionError):
            self.close()  # the server hung up while nothing was said: once more
            status, text = self._exchange(method, target, data, head)
        try:
            parsed = json.loads(text or b"{}")
        except ValueError:
            parsed = {"kind": "Status", "message": text.decode(errors="replace")}
        return Answer(status, parsed)

    def _exchange(self, method: str, target: str, data: bytes | None, head: Mapping[str, str]) -> tuple[int, bytes]:
        connection = self._open()
        connection.request(method, target, body=data, headers=head)
        response = connection.getresponse()
        return response.status, response.read()

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

    def _open(self) -> http.client.HTTPSConnection:
        if self._connection is None:
            where = urlsplit(self.server)
            tls = ssl.create_default_context(cafile=str(self.ca_file))
            self._connection = http.client.HTTPSConnection(where.hostname or "", where.port, timeout=30, context=tls)
        return self._connection

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
