"""An API server with requests in it, as the plugin's connection sees it."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from jitaccess.cli.api.errors import Invalid, NotFound


@dataclass
class Server:
    """What there is, and what was asked; one with a CRD from before requesters were selectable refuses to select by them."""

    me: str
    requests: list[dict[str, Any]]
    selects: bool = True
    events: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    namespace: str = "team-a"

    def get(self, path: str, **query: Any) -> Any:
        """One request by its path, or all of them, whatever the selector; there are no policies and no roles."""
        selector = query.get("fieldSelector", "")
        self.asked.append(selector)
        if selector and not self.selects:
            raise Invalid("field label not supported: spec.requester")
        kind = path.rpartition("/")[2]
        if kind in ("accessrequests", "accesspolicies", "events"):
            items = {"accessrequests": self.requests, "events": self.events}.get(kind, [])
            return {"items": items, "metadata": {"resourceVersion": "1"}}
        found = [item for item in self.requests if path.endswith(f"/accessrequests/{item['metadata']['name']}")]
        if not found:
            raise NotFound(f"there is nothing at {path}")
        return found[0]

    def now(self) -> datetime:
        """Its clock, which is right."""
        return datetime.now(UTC)

    def post(self, path: str, body: Any, **query: str) -> Any:
        """Whoever asks is me."""
        return {"status": {"userInfo": {"username": self.me}}}

    def stream(self, path: str, seconds: float, **query: str) -> Iterator[Any]:
        """Nothing changes."""
        time.sleep(min(seconds, 0.2))
        return iter(())
