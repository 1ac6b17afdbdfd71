"""The people of a schedule: plain HTTP with a token of their own, over one connection each."""

import contextlib
import http.client
import json
import ssl
from typing import Any
from urllib.parse import urlsplit

from controlplane.plane import ControlPlane

TIMEOUT = 60.0  # seconds
_PATCHES = {"merge": "application/merge-patch+json", "json": "application/json-patch+json"}
Answer = tuple[int, dict[str, Any]]


class Person:
    """One user of the API server; not to be shared between threads."""

    def __init__(self, plane: ControlPlane, user: str) -> None:
        self.user = user
        self._host = urlsplit(plane.server).netloc
        self._tls = ssl.create_default_context(cafile=str(plane.ca_file))
        self._token = plane.token(user)
        self._connection: http.client.HTTPSConnection | None = None

    def call(self, verb: str, path: str, body: Any = None, *, patch: str = "merge") -> Answer:
        """The status and the object of one call; 0 and why where nobody answered, which may mean that it was done or not."""
        kind = _PATCHES[patch] if verb == "PATCH" else "application/json"
        head = {"Authorization": f"Bearer {self._token}", "Content-Type": kind}
        data = None if body is None else json.dumps(body).encode()
        try:
            connection = self._connection or self._connect()
            connection.request(verb, path, data, head)
            answer = connection.getresponse()
            return answer.status, _object(answer.read())
        except (OSError, http.client.HTTPException) as error:
            self.close()
            return 0, {"message": f"{type(error).__name__}: {error}"}

    def get(self, path: str) -> dict[str, Any]:
        """An object; empty if there is none, or nobody answered."""
        status, found = self.call("GET", path)
        return found if status == 200 else {}

    def close(self) -> None:
        """Close the connection; the next call opens another."""
        if self._connection:
            with contextlib.suppress(OSError):
                self._connection.close()
        self._connection = None

    def _connect(self) -> http.client.HTTPSConnection:
        self._connection = http.client.HTTPSConnection(self._host, context=self._tls, timeout=TIMEOUT)
        return self._connection


def _object(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def jit(namespace: str, *parts: str) -> str:
    """The path of a policy or request."""
    return "/".join(("/apis/jitaccess.dev/v1alpha1/namespaces", namespace, *parts))


def rbac(namespace: str, *parts: str) -> str:
    """The path of a Role or RoleBinding."""
    return "/".join(("/apis/rbac.authorization.k8s.io/v1/namespaces", namespace, *parts))
