"""The few direct API calls of the control plane itself; everything else goes through kubectl."""

import http.client
import json
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Client:
    """Reads from one API server with one token."""

    server: str
    ca_file: Path
    token: str

    def get(self, path: str, *, timeout: float = 5) -> bytes | None:
        """Return the body, or None where the server does not answer or does not say 200."""
        try:
            tls = ssl.create_default_context(cafile=str(self.ca_file))
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=tls))
            head = {"Authorization": f"Bearer {self.token}"}
            request = urllib.request.Request(self.server + path, headers=head)
            with opener.open(request, timeout=timeout) as answer:
                body: bytes = answer.read()
                return body
        except (OSError, http.client.HTTPException, urllib.error.URLError):
            return None  # no certificate yet, no listener yet, not ready yet

    def object(self, path: str) -> dict[str, Any] | None:
        """Return an API object, or None if there is none (yet)."""
        body = self.get(path)
        return None if body is None else dict(json.loads(body))
